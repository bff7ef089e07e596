#include "log/hour_writer.h"

#include <sqlite3.h>

#include <algorithm>
#include <filesystem>

#include "base/check.h"

namespace millstream::log {
namespace {

Status begin_wal(Database& database, SyncCommits sync) {
  if (Status s = database.execute("PRAGMA page_size=4096"); !s) return s;
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
  if (Status s = prepare_into(database_, "BEGIN IMMEDIATE", begin_); !s) return s;
  if (Status s = prepare_into(database_, "COMMIT", commit_); !s) return s;
  if (Status s = prepare_into(database_, "INSERT INTO topic(id, text) VALUES(?1, ?2)", insert_topic_); !s) return s;
  if (Status s = prepare_into(database_,
                              "INSERT INTO event(id, topic, type, ts, conclusion, crc, data)"
                              " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                              insert_event_);
      !s) {
    return s;
  }
  sqlite3_wal_hook(database_.handle(), after_commit, &wal_);
  return load_topics();
}

int HourWriter::after_commit(void* wal, sqlite3*, const char*, int frames) {
  auto& length = *static_cast<WalLength*>(wal);
  if (frames <= length.frames) length.copied = 0;  // all was copied and nobody was reading it: it began again
  length.frames = frames;
  return SQLITE_OK;
}

Status HourWriter::load_topics() {
  topics_.clear();
  next_topic_ = 1;
  topics_known_ = false;
  Result<Statement> all = database_.prepare("SELECT id, text FROM topic");
  if (!all) return all.error();
  while (true) {
    const Result<bool> row = all->step();
    if (!row) return row.error();
    if (!*row) break;
    next_topic_ = std::max(next_topic_, all->number(0) + 1);
    Result<model::Topic> topic = model::Topic::parse(all->bytes(1));
    if (topic) topics_.emplace(std::move(*topic), all->number(0));
  }
  topics_known_ = true;
  return {};
}

Result<int64_t> HourWriter::topic_number(const model::Topic& topic) {
  if (const auto found = topics_.find(topic); found != topics_.end()) return found->second;
  insert_topic_->bind(1, next_topic_);
  insert_topic_->bind_text(2, topic_text_);
  if (Status s = insert_topic_->run(); !s) return s.error();
  topics_.emplace(topic, next_topic_);
  return next_topic_++;
}

Status HourWriter::insert_all(const std::vector<model::Event>& events) {
  for (const model::Event& event : events) {
    MS_DCHECK(hour_of(event.id) == hour_);
    topic_text_.clear();
    event.topic.append_text(topic_text_);
    const Result<int64_t> topic = topic_number(event.topic);
    if (!topic) return topic.error();
    const RowContent row{.id = event.id.packed(),
                         .topic = topic_text_,
                         .type = static_cast<int64_t>(event.type),
                         .ts_ms = event.ts_ms,
                         .conclusion = static_cast<int64_t>(event.conclusion),
                         .data = event.data};
    insert_event_->bind(1, row.id);
    insert_event_->bind(2, *topic);
    insert_event_->bind(3, row.type);
    insert_event_->bind(4, row.ts_ms);
    insert_event_->bind(5, row.conclusion);
    insert_event_->bind(6, row_crc(row));
    insert_event_->bind_bytes(7, row.data);
    if (Status s = insert_event_->run(); !s) return s;
  }
  return {};
}

Status HourWriter::commit(const std::vector<model::Event>& events) {
  if (!topics_known_) {
    if (Status s = load_topics(); !s) return s;
  }
  if (Status s = begin_->run(); !s) return s;
  Status done = insert_all(events);
  if (done) done = commit_->run();
  if (done) return done;
  if (sqlite3_get_autocommit(database_.handle()) == 0) (void)database_.execute("ROLLBACK");
  topics_known_ = false;
  return done;
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
