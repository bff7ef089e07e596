#include "log/hour_rows.h"

#include <algorithm>

#include "codec/event_json.h"
#include "log/hour_file.h"
#include "log/wanted_fields.h"

namespace millstream::log {
namespace {

enum EventColumn { kId, kTopic, kType, kTs, kConclusion, kCrc, kData };

model::Event& add_telemetry(Scan& scan, int64_t id, int64_t ts_ms, const model::Topic& topic) {
  model::Event& event = scan.next_event();
  event.id = model::EventId::from_packed(id);
  event.ts_ms = ts_ms;
  event.topic = topic;
  event.type = model::EventType::telemetry;
  return event;
}

void add_values(const Chunk& chunk, size_t i, const ReadRequest& request, model::Event& event) {
  const std::string_view device = event.topic.device.text();
  if (request.fields) {
    chunk.append_fields(i, device, *request.fields, event.fields);
  } else {
    chunk.append_data(i, device, event.data);
  }
}

std::string in_order(std::string_view sql, const Scan& scan) {
  return std::string(sql) + (scan.ascending() ? "" : " DESC");
}

}  // namespace

// --- rows of event ---------------------------------------------------------------------------------------------------

int64_t EventRows::type() const { return rows_.number(kType); }
int64_t EventRows::topic() const { return rows_.number(kTopic); }

Status EventRows::next(Scan& scan) {
  const Result<bool> row = rows_.step();
  if (!row) return row.error();
  const int64_t before = id_;
  id_ = *row ? rows_.number(kId) : -1;
  if (!*row) return {};
  // An id that was changed stands in another one's place: where the rows after it lie cannot be known.
  const bool in_order = before < 0 || (scan.ascending() ? id_ > before : id_ < before);
  if (!scan.holds(id_) || !in_order) return Error{Code::corrupt, "a row is not in its place"};
  return {};
}

Status EventRows::take(Scan& scan) {
  const Result<const NumberedTopic*> topic = names_.topic_of(rows_.number(kTopic));
  if (!topic) return topic.error();
  RowContent content{.id = id_,
                     .topic = {},
                     .type = rows_.number(kType),
                     .ts_ms = rows_.number(kTs),
                     .conclusion = rows_.number(kConclusion),
                     .data = rows_.bytes(kData)};
  if (*topic) content.topic = (*topic)->text;
  const bool sound = *topic && content.type >= 0 && content.type < model::kEventTypes && content.conclusion >= 0 &&
                     rows_.number(kCrc) == row_crc(content);
  if (!sound) {
    scan.add_damage(id_, id_, 1);
    return {};
  }
  model::Event& event = add_telemetry(scan, id_, content.ts_ms, (*topic)->topic);
  event.type = static_cast<model::EventType>(content.type);
  event.data = content.data;
  if (event.type == model::EventType::telemetry) keep_wanted(scan.request, event);
  event.conclusion = static_cast<uint64_t>(content.conclusion);
  scan.give();
  return {};
}

// --- blocks ----------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Rows>> BlockRows::open(Database& database, HourNames& names, const Scan& scan, int64_t through,
                                              const TopicSet* topics) {
  // The block that holds `low` may begin below it.
  Result<Statement> blocks =
      database.prepare(in_order("SELECT first, span, crc, data FROM block WHERE first > ?1 AND first <= ?3 AND first >="
                                " ifnull((SELECT max(first) FROM block WHERE first <= ?2), 0) ORDER BY first",
                                scan));
  if (!blocks) return blocks.error();
  blocks->bind(1, through);
  blocks->bind(2, scan.low);
  blocks->bind(3, scan.high);
  return std::unique_ptr<Rows>(new BlockRows(std::move(*blocks), names, topics));
}

Status BlockRows::next(Scan& scan) {
  ++at_;
  while (at_ >= events_.size()) {
    const Result<bool> row = blocks_.step();
    if (!row) return row.error();
    id_ = -1;
    if (!*row) return {};
    load(scan);
    at_ = 0;
  }
  id_ = events_[at_].id.packed();
  return {};
}

void BlockRows::load(Scan& scan) {
  events_.clear();
  bytes_ = blocks_.bytes(3);
  const auto first = model::EventId::from_packed(blocks_.number(0));
  const auto last = model::EventId::from_packed(blocks_.number(0) + blocks_.number(1));
  const bool sound = blocks_.number(2) == block_crc(first, last, bytes_) && read_block(first, bytes_, events_);
  if (!sound) {
    scan.add_damage(first.packed(), std::max(first, last).packed(), static_cast<size_t>(blocks_.number(1)) + 1);
    events_.clear();
    return;
  }
  std::erase_if(events_, [&](const PackedEvent& event) {
    return !scan.holds(event.id.packed()) || (topics_ && !topics_->has(event.topic));
  });
  if (!scan.ascending()) std::reverse(events_.begin(), events_.end());
}

Status BlockRows::take(Scan& scan) {
  const PackedEvent& packed = events_[at_];
  const Result<const NumberedTopic*> topic = names_.topic_of(packed.topic);
  if (!topic) return topic.error();
  const Result<std::shared_ptr<const Shape>> shape = names_.shape_of(packed.shape);
  if (!shape) return shape.error();
  if (!*topic || !(*topic)->checked || !*shape) {
    scan.add_damage(id_, id_, 1);
    return {};
  }
  std::string data;
  if (!(*shape)->join(packed.values, (*topic)->topic.device.text(), data)) {
    scan.add_damage(id_, id_, 1);
    return {};
  }
  model::Event& event = add_telemetry(scan, id_, packed.ts_ms, (*topic)->topic);
  event.data = std::move(data);
  keep_wanted(scan.request, event);
  scan.give();
  return {};
}

// --- decoded at once -------------------------------------------------------------------------------------------------

Status DecodedRows::next(Scan& scan) {
  while (true) {
    while (left_ > 0) {
      at_ = scan.ascending() ? size() - left_ : left_ - 1;
      --left_;
      id_ = id_at(at_);
      if (scan.holds(id_)) return {};
    }
    id_ = -1;
    const Result<bool> row = sources_.step();
    if (!row) return row.error();
    if (!*row) return {};
    if (Status s = load(scan); !s) return s;
  }
}

// --- chunks ----------------------------------------------------------------------------------------------------------

Result<CheckedChunk> read_chunk_row(const Statement& row, HourNames& names, Decode decode) {
  CheckedChunk checked;
  ChunkRow& chunk = checked.row;
  chunk.topic = row.number(0);
  chunk.first = model::EventId::from_packed(row.number(1));
  chunk.last = model::EventId::from_packed(row.number(2));
  chunk.ts_low_ms = row.number(3);
  chunk.ts_high_ms = row.number(4);
  chunk.count = static_cast<uint64_t>(row.number(5));
  chunk.sums = row.bytes(7);
  chunk.data = row.bytes(8);
  const Result<const NumberedTopic*> topic = names.topic_of(chunk.topic);
  if (!topic) return topic.error();
  if (!*topic || !(*topic)->checked || row.number(6) != chunk_crc(chunk, (*topic)->text)) return checked;
  checked.sound = true;
  if (decode == Decode::no) return checked;
  Result<std::unique_ptr<Chunk>> decoded = Chunk::decode(chunk.data, names);
  if (!decoded && decoded.error().code != Code::corrupt) return decoded.error();
  checked.sound = decoded && (*decoded)->count() == chunk.count;
  if (checked.sound) checked.chunk = std::move(*decoded);
  return checked;
}

Result<std::unique_ptr<Rows>> ChunkRows::open(Database& database, HourNames& names, const Scan& scan,
                                              int64_t chunk_last, int64_t topic) {
  Result<Statement> chunks = database.prepare(
      in_order("SELECT " + std::string(kChunkColumns) +
                   " FROM chunk WHERE topic = ?1 AND first <= ?3 AND id <= ?4 AND last >= ?2 AND first >="
                   " ifnull((SELECT max(first) FROM chunk WHERE topic = ?1 AND first <= ?2), 0) ORDER BY first",
               scan));
  if (!chunks) return chunks.error();
  chunks->bind(1, topic);
  chunks->bind(2, scan.low);
  chunks->bind(3, scan.high);
  chunks->bind(4, chunk_last);
  return std::unique_ptr<Rows>(new ChunkRows(std::move(*chunks), names, topic));
}

Status ChunkRows::load(Scan& scan) {
  Result<CheckedChunk> checked = read_chunk_row(sources_, names_);
  if (!checked) return checked.error();
  chunk_ = std::move(checked->chunk);
  left_ = chunk_ ? chunk_->count() : 0;
  if (!chunk_) scan.add_damage(checked->row.first.packed(), checked->row.last.packed(), checked->row.count);
  return {};
}

Status ChunkRows::take(Scan& scan) {
  const Result<const NumberedTopic*> topic = names_.topic_of(topic_);
  if (!topic) return topic.error();
  model::Event& event = add_telemetry(scan, id_, chunk_->ts_ms(at_), (*topic)->topic);
  add_values(*chunk_, at_, scan.request, event);
  scan.give();
  return {};
}

// --- windows ---------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<Rows>> WindowRows::open(Database& database, HourNames& names, const Scan& scan, Place place) {
  Result<Statement> windows = database.prepare(
      in_order("SELECT through, chunk_first, chunk_last FROM sealed WHERE through >= ?1 AND first <= ?2"
               " ORDER BY through",
               scan));
  if (!windows) return windows.error();
  windows->bind(1, scan.low);
  windows->bind(2, scan.high);
  return std::unique_ptr<Rows>(new WindowRows(database, std::move(*windows), names, place));
}

Status WindowRows::load(Scan& scan) {
  const WindowKey key{.file = place_.file, .through = sources_.number(0)};
  window_ = place_.cache.find(key);
  if (!window_) {
    Result<WindowPtr> decoded = decode(sources_.number(1), sources_.number(2));
    if (!decoded) return decoded.error();
    window_ = std::move(*decoded);
    place_.cache.keep(key, window_);
  }
  const auto& places = window_->places;
  const auto passed = scan.ascending() ? std::lower_bound(places.begin(), places.end(), scan.low,
                                                          [](const Window::Place& p, int64_t id) { return p.id < id; })
                                       : std::upper_bound(places.begin(), places.end(), scan.high,
                                                          [](int64_t id, const Window::Place& p) { return id < p.id; });
  left_ = static_cast<size_t>(scan.ascending() ? places.end() - passed : passed - places.begin());
  for (const Window::Damage& damage : window_->damaged) {
    scan.add_damage(damage.first.packed(), damage.last.packed(), damage.events);
  }
  return {};
}

Result<WindowPtr> WindowRows::decode(int64_t chunk_first, int64_t chunk_last) {
  Result<Statement> chunks =
      database_.prepare("SELECT " + std::string(kChunkColumns) + " FROM chunk WHERE id BETWEEN ?1 AND ?2");
  if (!chunks) return chunks.error();
  chunks->bind(1, chunk_first);
  chunks->bind(2, chunk_last);
  auto window = std::make_shared<Window>();
  while (true) {
    const Result<bool> row = chunks->step();
    if (!row) return row.error();
    if (!*row) break;
    Result<CheckedChunk> checked = read_chunk_row(*chunks, names_);
    if (!checked) return checked.error();
    if (checked->chunk) {
      window->add(checked->row.topic, std::move(checked->chunk));
    } else {
      window->damaged.push_back({checked->row.first, checked->row.last, checked->row.count});
    }
  }
  window->order();
  return WindowPtr(std::move(window));
}

Status WindowRows::take(Scan& scan) {
  const Chunk& chunk = *window_->chunks[place().chunk];
  const Result<const NumberedTopic*> topic = names_.topic_of(this->topic());
  if (!topic) return topic.error();
  if (!*topic) {
    scan.add_damage(id_, id_, 1);
    return {};
  }
  model::Event& event = add_telemetry(scan, id_, chunk.ts_ms(place().event), (*topic)->topic);
  add_values(chunk, place().event, scan.request, event);
  scan.give();
  return {};
}

}  // namespace millstream::log
