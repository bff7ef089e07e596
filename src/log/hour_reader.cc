#include "log/hour_reader.h"

#include <algorithm>

#include "base/check.h"
#include "log/hour_file.h"

namespace millstream::log {
namespace {

// Beyond this, opening a cursor per topic costs more than passing over the rows of others.
constexpr size_t kMergedTopicsMax = 64;
constexpr size_t kTopicsCachedMax = 4096;
constexpr size_t kIdleStatementsMax = kMergedTopicsMax;

enum Column { kId, kTopic, kType, kTs, kConclusion, kCrc, kData };
constexpr std::string_view kSelect =
    "SELECT id, topic, type, ts, conclusion, crc, data FROM event WHERE id BETWEEN ?1 AND ?2";
constexpr std::string_view kWhere[] = {"", " AND topic = ?3", " AND type = ?3 AND type > 0"};
constexpr std::string_view kOrder[] = {" ORDER BY id", " ORDER BY id DESC"};

std::vector<int64_t> rare_types(model::EventTypes types) {
  std::vector<int64_t> rare;
  for (int i = 1; i < model::kEventTypes; ++i) {
    if (types.has(static_cast<model::EventType>(i))) rare.push_back(i);
  }
  return rare;
}

void count_damage(Scan& scan, int64_t id) {
  if (scan.damaged_rows++ == 0) scan.first_damaged = id;
  scan.last_damaged = id;
}

}  // namespace

struct HourReader::Cursor {
  size_t kind;  // where its statement came from
  Statement rows;
  int64_t id;  // of the row it stands on; -1: none
};

Result<std::unique_ptr<HourReader>> HourReader::open(const std::string& path, OpenMode mode) {
  MS_DCHECK(mode != OpenMode::read_write);
  Result<Database> database = Database::open(path, mode);
  if (!database) return database.error();
  if (Status s = database->execute("PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-512"); !s) return s.error();
  return std::unique_ptr<HourReader>(new HourReader(std::move(*database), mode == OpenMode::read_immutable));
}

Status HourReader::scan(Scan& scan) {
  // One snapshot for the topics and all cursors.
  if (Status s = database_.execute("BEGIN"); !s) return s;
  Status scanned = scan_in_transaction(scan);
  const Status ended = database_.execute("COMMIT");
  return scanned ? ended : scanned;
}

Status HourReader::scan_in_transaction(Scan& scan) {
  const TopicSet* topics = nullptr;
  if (!scan.request.patterns.empty()) {
    const Result<const TopicSet*> found = filters_.find(database_, scan.request.patterns);
    if (!found) return found.error();
    if ((*found)->numbers().empty()) return {};
    topics = *found;
  }
  Result<std::vector<Cursor>> cursors = open_cursors(scan, topics);
  if (!cursors) return cursors.error();
  Status merged = merge(scan, topics, *cursors);
  for (Cursor& cursor : *cursors) give_back(cursor);
  return merged;
}

Result<std::vector<HourReader::Cursor>> HourReader::open_cursors(const Scan& scan, const TopicSet* topics) {
  Way way = Way::all;
  std::vector<int64_t> keys = {0};
  if (!scan.request.types.has(model::EventType::telemetry)) {
    way = Way::type;
    keys = rare_types(scan.request.types);
  } else if (topics && topics->numbers().size() <= kMergedTopicsMax) {
    way = Way::topic;
    keys = topics->numbers();
  }
  std::vector<Cursor> cursors;
  for (const int64_t key : keys) {
    Result<Cursor> cursor = open_cursor(scan, way, key);
    if (!cursor) return cursor.error();
    if (cursor->id >= 0) {
      cursors.push_back(std::move(*cursor));
    } else {
      give_back(*cursor);
    }
  }
  return cursors;
}

Result<HourReader::Cursor> HourReader::open_cursor(const Scan& scan, Way way, int64_t key) {
  const size_t kind = static_cast<size_t>(way) * 2 + static_cast<size_t>(scan.request.order);
  Result<Statement> rows = take_statement(kind);
  if (!rows) return rows.error();
  rows->bind(1, scan.low);
  rows->bind(2, scan.high);
  if (way != Way::all) rows->bind(3, key);
  const Result<bool> row = rows->step();
  if (!row) return row.error();
  const int64_t id = *row ? rows->number(kId) : -1;
  return Cursor{kind, std::move(*rows), id};
}

Result<Statement> HourReader::take_statement(size_t kind) {
  std::vector<Statement>& idle = idle_[kind];
  if (!idle.empty()) {
    Statement statement = std::move(idle.back());
    idle.pop_back();
    return statement;
  }
  std::string sql(kSelect);
  sql += kWhere[kind / 2];
  sql += kOrder[kind % 2];
  return database_.prepare(sql);
}

Status HourReader::merge(Scan& scan, const TopicSet* topics, std::vector<Cursor>& cursors) {
  const bool ascending = scan.request.order == Order::ascending;
  // std::*_heap keeps the greatest in front; what comes first in the order asked must be that.
  const auto later = [ascending](const Cursor& a, const Cursor& b) { return ascending ? a.id > b.id : a.id < b.id; };
  std::make_heap(cursors.begin(), cursors.end(), later);
  auto end = cursors.end();
  while (end != cursors.begin()) {
    if (Status s = take_row(scan, topics, cursors.front().rows); !s) return s;
    if (scan.stopped) return {};
    std::pop_heap(cursors.begin(), end, later);
    Cursor& moved = *(end - 1);
    const Result<bool> row = moved.rows.step();
    if (!row) return row.error();
    if (*row) {
      moved.id = moved.rows.number(kId);
      std::push_heap(cursors.begin(), end, later);
    } else {
      --end;
    }
  }
  return {};
}

Status HourReader::take_row(Scan& scan, const TopicSet* topics, const Statement& row) {
  const int64_t type = row.number(kType);
  const bool type_wanted = type < 0 || type >= model::kEventTypes ||  // damaged: decode() will say so
                           scan.request.types.has(static_cast<model::EventType>(type));
  const bool wanted = type_wanted && (!topics || topics->has(row.number(kTopic)));
  if (scan.rows_left == 0 || (wanted && scan.events.size() >= scan.request.events_max)) {
    scan.stopped = true;
    return {};
  }
  --scan.rows_left;
  if (wanted) {
    if (Status s = decode(row, scan); !s) return s;
  }
  scan.scanned_to = model::EventId::from_packed(row.number(kId));
  return {};
}

Status HourReader::decode(const Statement& row, Scan& scan) {
  const Result<const TopicEntry*> topic = topic_of(row.number(kTopic));
  if (!topic) return topic.error();
  RowContent content{.id = row.number(kId),
                     .topic = {},
                     .type = row.number(kType),
                     .ts_ms = row.number(kTs),
                     .conclusion = row.number(kConclusion),
                     .data = row.bytes(kData)};
  if (*topic) content.topic = (*topic)->text;
  const bool sound = *topic && content.type >= 0 && content.type < model::kEventTypes && content.conclusion >= 0 &&
                     row.number(kCrc) == row_crc(content);
  if (!sound) {
    count_damage(scan, content.id);
    return {};
  }
  model::Event& event = scan.events.emplace_back();
  event.id = model::EventId::from_packed(content.id);
  event.ts_ms = content.ts_ms;
  event.topic = (*topic)->topic;
  event.type = static_cast<model::EventType>(content.type);
  event.data = content.data;
  event.conclusion = static_cast<uint64_t>(content.conclusion);
  return {};
}

// Null: no such topic, or not a topic.
Result<const HourReader::TopicEntry*> HourReader::topic_of(int64_t number) {
  if (const auto found = topics_.find(number); found != topics_.end()) return &found->second;
  Result<Statement> one = database_.prepare("SELECT text FROM topic WHERE id = ?1");
  if (!one) return one.error();
  one->bind(1, number);
  const Result<bool> row = one->step();
  if (!row) return row.error();
  if (!*row) return nullptr;
  std::string text(one->bytes(0));
  Result<model::Topic> topic = model::Topic::parse(text);
  if (!topic) return nullptr;
  if (topics_.size() >= kTopicsCachedMax) topics_.clear();
  return &topics_.emplace(number, TopicEntry{std::move(*topic), std::move(text)}).first->second;
}

void HourReader::give_back(Cursor& cursor) {
  cursor.rows.reset();
  std::vector<Statement>& idle = idle_[cursor.kind];
  if (idle.size() < kIdleStatementsMax) idle.push_back(std::move(cursor.rows));
}

}  // namespace millstream::log
