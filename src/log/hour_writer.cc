#include "log/hour_writer.h"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>

#include "base/check.h"

namespace millstream::log {
namespace {

constexpr int kBlocksDroppedMax = 64;
constexpr const char* kGiveBackPages = "PRAGMA incremental_vacuum(128)";

Status begin_wal(Database& database, SyncCommits sync) {
  if (Status s = database.execute("PRAGMA page_size=4096; PRAGMA auto_vacuum=INCREMENTAL"); !s) return s;
  const Result<std::string> mode = database.text("PRAGMA journal_mode=WAL");
  if (!mode) return mode.error();
  if (*mode != "wal") return Error{Code::internal, "journal mode is " + *mode + ", not wal"};
  if (Status s = database.execute(sync == SyncCommits::yes ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL");
      !s) {
    return s;
  }
  return database.execute(
      "PRAGMA wal_autocheckpoint=0; PRAGMA cache_size=-16384; PRAGMA temp_store=MEMORY;"
      "PRAGMA journal_size_limit=16777216");
}

Status prepare_into(Database& database, std::string_view sql, std::unique_ptr<Statement>& out) {
  Result<Statement> statement = database.prepare(sql);
  if (!statement) return statement.error();
  out = std::make_unique<Statement>(std::move(*statement));
  return {};
}

}  // namespace

Result<std::unique_ptr<HourWriter>> HourWriter::open(const std::string& directory, int64_t hour, SyncCommits sync) {
  const std::string path = hour_file_path(directory, hour);
  std::error_code ignored;
  const bool created = !std::filesystem::exists(path, ignored);
  Result<Database> database = Database::open(path, OpenMode::read_write);
  if (!database) return database.error();
  if (Status s = begin_wal(*database, sync); !s) return s.error();
  if (Status s = ensure_hour_schema(*database); !s) return s.error();
  if (created) sync_directory(directory);
  std::unique_ptr<HourWriter> writer(new HourWriter(std::move(*database), hour));
  if (Status s = writer->prepare(); !s) return s.error();
  return writer;
}

Status HourWriter::prepare() {
  const std::pair<std::unique_ptr<Statement>*, std::string_view> statements[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&insert_topic_, "INSERT INTO topic(id, text, crc) VALUES(?1, ?2, ?3)"},
      {&insert_shape_, "INSERT INTO shape(id, text, crc) VALUES(?1, ?2, ?3)"},
      {&insert_event_,
       "INSERT INTO event(id, topic, type, ts, conclusion, crc, data) VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)"},
      {&insert_block_, "INSERT INTO block(first, span, crc, data) VALUES(?1, ?2, ?3, ?4)"},
      {&insert_once_,
       // A file that could not be read whole when the log began may have the key after all.
       "INSERT OR REPLACE INTO once(key, content, first, last, crc, answer) VALUES(?1, ?2, ?3, ?4, ?5, ?6)"},
      {&insert_chunk_,
       "INSERT INTO chunk(id, topic, first, last, ts_low, ts_high, count, crc, sums, data)"
       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"},
      {&insert_sealed_,
       "INSERT OR REPLACE INTO sealed(through, first, chunk_first, chunk_last) VALUES(?1, ?2, ?3, ?4)"},
      {&drop_blocks_, "DELETE FROM block WHERE first IN (SELECT first FROM block WHERE first <= ?1 LIMIT ?2)"}};
  for (const auto& [statement, sql] : statements) {
    if (Status s = prepare_into(database_, sql, *statement); !s) return s;
  }
  sqlite3_wal_hook(database_.handle(), after_commit, &wal_);
  if (Status s = recover_sealing(); !s) return s;
  return load_names();
}

// A window whose sealing was cut off is begun again: what there is of its chunks goes.
Status HourWriter::recover_sealing() {
  const Result<int64_t> last_chunk = database_.number("SELECT max(chunk_last) FROM sealed");
  if (!last_chunk) return last_chunk.error();
  next_chunk_ = *last_chunk + 1;
  const Result<int64_t> can_shrink = database_.number("PRAGMA auto_vacuum");
  if (!can_shrink) return can_shrink.error();
  has_free_pages_ = *can_shrink != 0;
  const std::string drop = "DELETE FROM chunk WHERE id > " + std::to_string(*last_chunk);
  if (Status s = database_.execute(drop.c_str()); !s) return s;
  return count_unsealed();
}

Status HourWriter::count_unsealed() {
  const Result<int64_t> through = database_.number("SELECT max(through) FROM sealed");
  if (!through) return through.error();
  const std::string open_blocks = " FROM block WHERE first > " + std::to_string(*through);
  const Result<int64_t> first = database_.number("SELECT min(first)" + open_blocks);
  if (!first) return first.error();
  const Result<int64_t> last = database_.number("SELECT max(first + span)" + open_blocks);
  if (!last) return last.error();
  // Telemetry of one commit has neighbouring ids, but for what else was committed between.
  const Result<int64_t> events = database_.number("SELECT sum(span + 1)" + open_blocks);
  if (!events) return events.error();
  const Result<int64_t> bytes = database_.number("SELECT sum(length(data))" + open_blocks);
  if (!bytes) return bytes.error();
  unsealed_ = {.after = model::EventId::from_packed(*through),
               .first = model::EventId::from_packed(*first),
               .last = model::EventId::from_packed(*last),
               .events = static_cast<size_t>(*events),
               .bytes = static_cast<size_t>(*bytes)};
  return {};
}

int HourWriter::after_commit(void* wal, sqlite3*, const char*, int frames) {
  auto& length = *static_cast<WalLength*>(wal);
  if (frames <= length.frames) length.copied = 0;  // all was copied and nobody was reading it: it began again
  length.frames = frames;
  return SQLITE_OK;
}

Status HourWriter::load_names() {
  names_known_ = false;
  if (Status s = load_topics(); !s) return s;
  if (Status s = load_shapes(); !s) return s;
  names_known_ = true;
  return {};
}

Status HourWriter::load_topics() {
  topics_.clear();
  next_topic_ = 1;
  return database_.each_row("SELECT id, text FROM topic", [this](const Statement& row) -> Status {
    next_topic_ = std::max(next_topic_, row.number(0) + 1);
    Result<model::Topic> topic = model::Topic::parse(row.bytes(1));
    if (topic) topics_.emplace(std::move(*topic), row.number(0));
    return {};
  });
}

Status HourWriter::load_shapes() {
  shapes_.clear();
  next_shape_ = 1;
  return database_.each_row("SELECT id, text FROM shape", [this](const Statement& row) -> Status {
    next_shape_ = std::max(next_shape_, row.number(0) + 1);
    shapes_.emplace(row.bytes(1), row.number(0));
    return {};
  });
}

Result<int64_t> HourWriter::topic_number(const model::Topic& topic) {
  if (const auto found = topics_.find(topic); found != topics_.end()) return found->second;
  topic_text_.clear();
  topic.append_text(topic_text_);
  insert_topic_->bind(1, next_topic_);
  insert_topic_->bind_text(2, topic_text_);
  insert_topic_->bind(3, name_crc(next_topic_, topic_text_));
  if (Status s = insert_topic_->run(); !s) return s.error();
  topics_.emplace(topic, next_topic_);
  return next_topic_++;
}

// Of the shape in split_.
Result<int64_t> HourWriter::shape_number() {
  if (const auto found = shapes_.find(split_.shape); found != shapes_.end()) return found->second;
  insert_shape_->bind(1, next_shape_);
  insert_shape_->bind_bytes(2, split_.shape);
  insert_shape_->bind(3, name_crc(next_shape_, split_.shape));
  if (Status s = insert_shape_->run(); !s) return s.error();
  shapes_.emplace(split_.shape, next_shape_);
  return next_shape_++;
}

Status HourWriter::insert_event(const model::Event& event, int64_t topic) {
  topic_text_.clear();
  event.topic.append_text(topic_text_);
  const RowContent row{.id = event.id.packed(),
                       .topic = topic_text_,
                       .type = static_cast<int64_t>(event.type),
                       .ts_ms = event.ts_ms,
                       .conclusion = static_cast<int64_t>(event.conclusion),
                       .data = event.data};
  insert_event_->bind(1, row.id);
  insert_event_->bind(2, topic);
  insert_event_->bind(3, row.type);
  insert_event_->bind(4, row.ts_ms);
  insert_event_->bind(5, row.conclusion);
  insert_event_->bind(6, row_crc(row));
  insert_event_->bind_bytes(7, row.data);
  return insert_event_->run();
}

Status HourWriter::pack(const model::Event& event, int64_t topic) {
  split_data(event.data, event.topic.device.text(), split_);
  if (next_shape_ > kShapesMax && !shapes_.contains(split_.shape)) keep_whole(event.data, split_);
  const Result<int64_t> shape = shape_number();
  if (!shape) return shape.error();
  block_.add({.id = event.id, .ts_ms = event.ts_ms, .topic = topic, .shape = *shape, .values = split_.values});
  return {};
}

Status HourWriter::insert_block() {
  if (block_.empty()) return {};
  insert_block_->bind(1, block_.first().packed());
  insert_block_->bind(2, block_.last().packed() - block_.first().packed());
  insert_block_->bind(3, block_crc(block_.first(), block_.last(), block_.bytes()));
  insert_block_->bind_bytes(4, block_.bytes());
  return insert_block_->run();
}

Status HourWriter::insert_once(const OnceRow& row) {
  const std::string key = once_key_bytes(row.once->key);
  insert_once_->bind_bytes(1, key);
  insert_once_->bind(2, row.once->content);
  insert_once_->bind(3, row.first.packed());
  insert_once_->bind(4, row.last.packed());
  insert_once_->bind(5, once_crc(row));
  insert_once_->bind_bytes(6, row.once->answer);
  return insert_once_->run();
}

Status HourWriter::insert_all(const std::vector<model::Event>& events) {
  block_.clear();
  for (const model::Event& event : events) {
    MS_DCHECK(hour_of(event.id) == hour_);
    const Result<int64_t> topic = topic_number(event.topic);
    if (!topic) return topic.error();
    const bool packed = event.type == model::EventType::telemetry && event.conclusion == 0;
    if (Status s = packed ? pack(event, *topic) : insert_event(event, *topic); !s) return s;
  }
  return insert_block();
}

Status HourWriter::in_transaction(const std::function<Status()>& work) {
  if (Status s = begin_->run(); !s) return s;
  Status done = work();
  if (done) done = commit_->run();
  if (!done && sqlite3_get_autocommit(database_.handle()) == 0) (void)database_.execute("ROLLBACK");
  return done;
}

Status HourWriter::commit(const std::vector<model::Event>& events, std::span<const OnceRow> once) {
  if (!names_known_) {
    if (Status s = load_names(); !s) return s;
  }
  const Status done = in_transaction([&] {
    Status stored = insert_all(events);
    for (size_t i = 0; stored && i < once.size(); ++i) stored = insert_once(once[i]);
    return stored;
  });
  names_known_ = done.ok();
  if (done) last_committed_ = events.back().id;
  if (done && !block_.empty()) {
    if (unsealed_.last.is_zero()) unsealed_.first = block_.first();
    unsealed_.last = block_.last();
    unsealed_.events += block_.count();
    unsealed_.bytes += block_.bytes().size();
  }
  return done;
}

// --- sealing ---------------------------------------------------------------------------------------------------------

Status HourWriter::store_chunks(std::span<const ChunkRow> chunks) {
  const int64_t first = next_chunk_;
  const Status done = in_transaction([&] {
    Status stored;
    for (const ChunkRow& chunk : chunks) {
      insert_chunk_->bind(1, next_chunk_++);
      insert_chunk_->bind(2, chunk.topic);
      insert_chunk_->bind(3, chunk.first.packed());
      insert_chunk_->bind(4, chunk.last.packed());
      insert_chunk_->bind(5, chunk.ts_low_ms);
      insert_chunk_->bind(6, chunk.ts_high_ms);
      insert_chunk_->bind(7, static_cast<int64_t>(chunk.count));
      insert_chunk_->bind(8, chunk.crc);
      insert_chunk_->bind_bytes(9, chunk.sums);
      insert_chunk_->bind_bytes(10, chunk.data);
      stored = insert_chunk_->run();
      if (!stored) break;
    }
    return stored;
  });
  if (!done) next_chunk_ = first;
  return done;
}

Status HourWriter::close_window(const SealedWindow& window) {
  insert_sealed_->bind(1, window.through.packed());
  insert_sealed_->bind(2, window.first.packed());
  insert_sealed_->bind(3, next_chunk_ - static_cast<int64_t>(window.chunks));
  insert_sealed_->bind(4, next_chunk_ - 1);
  if (Status s = insert_sealed_->run(); !s) return s;
  has_sealed_blocks_ = true;
  return count_unsealed();
}

Status HourWriter::drop_sealed_blocks() {
  drop_blocks_->bind(1, unsealed_.after.packed());
  drop_blocks_->bind(2, kBlocksDroppedMax);
  if (Status s = drop_blocks_->run(); !s) return s;
  has_sealed_blocks_ = sqlite3_changes(database_.handle()) == kBlocksDroppedMax;
  return {};
}

Status HourWriter::give_back_pages() {
  if (Status s = database_.execute(kGiveBackPages); !s) return s;
  const Result<int64_t> left = database_.number("PRAGMA freelist_count");
  if (!left) return left.error();
  has_free_pages_ = *left > 0;
  return {};
}

void HourWriter::leave_wal_as_it_is() {
  sqlite3_db_config(database_.handle(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
}

Status HourWriter::checkpoint() {
  const int rc = sqlite3_wal_checkpoint_v2(database_.handle(), "main", SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  wal_.copied = wal_.frames;  // where a reader was in the way, the next one goes on
  if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) return sqlite_error(database_.handle());
  return {};
}

Result<bool> HourWriter::checkpoint_fully() {
  database_.set_busy_timeout_ms(0);
  const int rc = sqlite3_wal_checkpoint_v2(database_.handle(), "main", SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  database_.set_busy_timeout_ms(2000);
  if (rc == SQLITE_OK) return true;
  if ((rc & 0xff) == SQLITE_BUSY) return false;
  return sqlite_error(database_.handle());
}

}  // namespace millstream::log
