#include "log/hour_file.h"

#include <fcntl.h>
#include <libdeflate.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "log/varint.h"
#include "log/wal_end.h"

namespace millstream::log {
namespace {

constexpr std::string_view kPrefix = "events-";
constexpr std::string_view kSuffix = ".db";
constexpr const char* kSidecars[] = {"-wal", "-shm"};

constexpr std::string_view kAsideMark = ".damaged-";

std::optional<int64_t> parse_number(std::string_view digits) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return number;
}

constexpr const char* kSchema =
    "CREATE TABLE topic(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
    "CREATE TABLE event(id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, type INTEGER NOT NULL, ts INTEGER NOT NULL,"
    " conclusion INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL);"
    // Every index entry ends in the row's id, so (topic) is (topic, id).
    "CREATE INDEX event_by_topic ON event(topic);"
    "CREATE INDEX event_by_type ON event(type) WHERE type > 0;";

constexpr const char* kSecondVersion =
    "ALTER TABLE topic ADD COLUMN crc INTEGER NOT NULL DEFAULT 0;"
    "CREATE TABLE shape(id INTEGER PRIMARY KEY, text BLOB NOT NULL, crc INTEGER NOT NULL);"
    "CREATE TABLE block(first INTEGER PRIMARY KEY, span INTEGER NOT NULL, crc INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " ts_low INTEGER NOT NULL, ts_high INTEGER NOT NULL, count INTEGER NOT NULL, crc INTEGER NOT NULL,"
    " sums BLOB NOT NULL, data BLOB NOT NULL);"
    "CREATE INDEX chunk_by_topic ON chunk(topic, first);"
    "CREATE TABLE sealed(through INTEGER PRIMARY KEY, first INTEGER NOT NULL, chunk_first INTEGER NOT NULL,"
    " chunk_last INTEGER NOT NULL);"
    "CREATE TABLE once(id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, content INTEGER NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL, crc INTEGER NOT NULL, answer BLOB NOT NULL);";

void append_little_endian(int64_t value, char* out) {
  for (int i = 0; i < 8; ++i) out[i] = static_cast<char>(static_cast<uint64_t>(value) >> (8 * i));
}

Status check_header(Database& database) {
  const Result<int64_t> application = database.number("PRAGMA application_id");
  if (!application) return application.error();
  const Result<int64_t> version = database.number("PRAGMA user_version");
  if (!version) return version.error();
  if (*application == 0 && *version == 0) return {};  // nothing was ever finished in it
  if (*application != kHourFileApplication) return Error{Code::corrupt, "not a file of this log"};
  if (*version > kHourFileVersion) {
    return Error{Code::conflict, "written by a later version (" + std::to_string(*version) + ")"};
  }
  return {};
}

// SQLite takes a last page that was cut off for a whole one that ends in zeros, and searches pass over its lost rows.
Status check_size(Database& database, const std::string& path) {
  const Result<int64_t> page_bytes = database.number("PRAGMA page_size");
  if (!page_bytes) return page_bytes.error();
  std::error_code failed;
  const uintmax_t bytes = std::filesystem::file_size(path, failed);
  if (failed) return Error{Code::internal, failed.message()};
  if (bytes % static_cast<uintmax_t>(*page_bytes) == 0) return {};
  return Error{Code::corrupt, "cut off at byte " + std::to_string(bytes) + ", within a page"};
}

// Topics of the first version had no check of their own.
Status check_topics(Database& database) {
  std::vector<std::pair<int64_t, uint32_t>> checks;
  const Status read = database.each_row("SELECT id, text FROM topic", [&](const Statement& row) -> Status {
    checks.emplace_back(row.number(0), name_crc(row.number(0), row.bytes(1)));
    return {};
  });
  if (!read) return read;
  Result<Statement> update = database.prepare("UPDATE topic SET crc = ?2 WHERE id = ?1");
  if (!update) return update.error();
  for (const auto& [id, crc] : checks) {
    update->bind(1, id);
    update->bind(2, crc);
    if (Status s = update->run(); !s) return s;
  }
  return {};
}

Status make_tables(Database& database, int64_t version) {
  Status made;
  if (version < 1) made = database.execute(kSchema);
  if (made) made = database.execute(kSecondVersion);
  if (made) made = check_topics(database);
  const std::string stamps = "PRAGMA application_id=" + std::to_string(kHourFileApplication) +
                             ";PRAGMA user_version=" + std::to_string(kHourFileVersion) + ";COMMIT";
  if (made) made = database.execute(stamps.c_str());
  return made;
}

Result<HourFileSpan> read_span(Database& database) {
  const Result<int64_t> version = database.number("PRAGMA user_version");
  if (!version) return version.error();
  if (*version == 0) return HourFileSpan{};
  // Every table a reader will use must be there.
  const Result<int64_t> topics = database.number("SELECT max(id) FROM topic WHERE text >= ''");
  if (!topics) return topics.error();
  HourFileSpan span;
  std::vector<std::pair<const char*, const char*>> ends = {{"SELECT min(id) FROM event", "SELECT max(id) FROM event"}};
  if (*version > 1) {
    const Result<int64_t> blocks = database.number("SELECT 1 FROM block LIMIT 1");
    if (!blocks) return blocks.error();
    span.has_blocks = *blocks == 1;
    const Result<int64_t> chunks =
        database.number("SELECT max(chunk.first + shape.id + once.first) FROM chunk, shape, once WHERE 0");
    if (!chunks) return chunks.error();
    ends.emplace_back("SELECT min(first) FROM block WHERE first > (SELECT ifnull(max(through), 0) FROM sealed)",
                      "SELECT max(first + span) FROM block");
    ends.emplace_back("SELECT first FROM sealed ORDER BY through LIMIT 1", "SELECT max(through) FROM sealed");
  }
  for (const auto& [first_of, last_of] : ends) {
    const Result<int64_t> first = database.number(first_of);
    if (!first) return first.error();
    const Result<int64_t> last = database.number(last_of);
    if (!last) return last.error();
    if (*first > 0 && (span.first.is_zero() || *first < span.first.packed())) {
      span.first = model::EventId::from_packed(*first);
    }
    span.last = std::max(span.last, model::EventId::from_packed(*last));
  }
  return span;
}

}  // namespace

int64_t hour_of(model::EventId id) { return id.ms / kHourMs; }

model::EventId last_id_of_hour(int64_t hour) { return {(hour + 1) * kHourMs - 1, model::EventId::kSeqMax}; }

IdRange ids_of_hour(int64_t hour) { return {.after = last_id_of_hour(hour - 1), .to = last_id_of_hour(hour)}; }

std::string hour_file_name(int64_t hour) { return std::string(kPrefix) + std::to_string(hour) + std::string(kSuffix); }

std::string hour_file_path(const std::string& directory, int64_t hour) {
  return directory + "/" + hour_file_name(hour);
}

std::optional<int64_t> parse_hour_file_name(std::string_view name) {
  if (!name.starts_with(kPrefix) || !name.ends_with(kSuffix)) return std::nullopt;
  const std::optional<int64_t> hour =
      parse_number(name.substr(kPrefix.size(), name.size() - kPrefix.size() - kSuffix.size()));
  if (!hour || *hour < 0 || *hour > model::EventId::kMsMax / kHourMs || hour_file_name(*hour) != name)
    return std::nullopt;
  return hour;
}

uint32_t row_crc(const RowContent& row) {
  std::array<char, 40> head;
  append_little_endian(row.id, head.data());
  append_little_endian(row.type, head.data() + 8);
  append_little_endian(row.ts_ms, head.data() + 16);
  append_little_endian(row.conclusion, head.data() + 24);
  append_little_endian(static_cast<int64_t>(row.topic.size()), head.data() + 32);
  uint32_t crc = libdeflate_crc32(0, head.data(), head.size());
  crc = libdeflate_crc32(crc, row.topic.data(), row.topic.size());
  return row.data.empty() ? crc : libdeflate_crc32(crc, row.data.data(), row.data.size());
}

uint32_t name_crc(int64_t number, std::string_view text) {
  return row_crc({.id = number, .topic = {}, .type = 0, .ts_ms = 0, .conclusion = 0, .data = text});
}

uint32_t block_crc(model::EventId first, model::EventId last, std::string_view data) {
  return row_crc({.id = first.packed(), .topic = {}, .type = 0, .ts_ms = last.packed(), .conclusion = 0, .data = data});
}

uint32_t chunk_crc(const ChunkRow& row, std::string_view topic) {
  std::string head(topic);
  for (const int64_t value : {row.last.packed(), row.ts_low_ms, row.ts_high_ms}) append_signed(value, head);
  const uint32_t data = row_crc({.id = row.first.packed(),
                                 .topic = head,
                                 .type = 0,
                                 .ts_ms = static_cast<int64_t>(row.sums.size()),
                                 .conclusion = static_cast<int64_t>(row.count),
                                 .data = row.sums});
  return libdeflate_crc32(data, row.data.data(), row.data.size());
}

Status ensure_hour_schema(Database& database) {
  if (Status s = check_header(database); !s) return s;
  const Result<int64_t> version = database.number("PRAGMA user_version");
  if (!version) return version.error();
  if (*version == kHourFileVersion) return {};
  if (Status s = database.execute("BEGIN IMMEDIATE"); !s) return s;
  Status made = make_tables(database, *version);
  if (!made) (void)database.execute("ROLLBACK");
  return made;
}

Result<HourFileSpan> check_hour_file(const std::string& path, bool thorough) {
  std::error_code ignored;
  const uintmax_t wal_bytes = std::filesystem::file_size(path + "-wal", ignored);
  const bool leftover_wal = !ignored && wal_bytes > 0;
  const bool lost_end = leftover_wal && wal_lost_its_end(path + "-wal");
  Result<Database> database = Database::open(path, leftover_wal ? OpenMode::read_write : OpenMode::read_immutable);
  if (!database) return database.error();
  Status copied;
  if (leftover_wal) copied = database->execute("PRAGMA wal_checkpoint(TRUNCATE)");
  if (!copied && copied.error().code != Code::storage_full) return copied.error();
  Status sound = check_header(*database);
  if (sound && copied) sound = check_size(*database, path);
  if (sound && (thorough || leftover_wal)) sound = database->check_pages();
  if (!sound) return Error{sound.error().code, path + ": " + sound.error().detail};
  Result<HourFileSpan> span = read_span(*database);
  // A table that is not there is an SQL error to SQLite; here it is a file that lost part of itself.
  if (!span && span.error().code == Code::internal) return Error{Code::corrupt, span.error().detail};
  if (span) span->lost_end = lost_end;
  if (span) span->wal_left = !copied;
  return span;
}

std::optional<IdRange> parse_set_aside_name(std::string_view name) {
  const size_t at = name.find(kAsideMark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::optional<int64_t> hour = parse_hour_file_name(name.substr(0, at));
  const std::optional<int64_t> when_ms = parse_number(name.substr(at + kAsideMark.size()));
  if (!hour || !when_ms) return std::nullopt;
  IdRange range = ids_of_hour(*hour);
  const model::EventId then{*when_ms, model::EventId::kSeqMax};
  if (then > range.after && then < range.to) range.to = then;  // a new file holds the rest of that hour
  return range;
}

std::string set_aside(const std::string& path, int64_t now_ms) {
  const std::string aside = path + std::string(kAsideMark) + std::to_string(now_ms);
  std::error_code ignored;
  for (const char* sidecar : kSidecars) std::filesystem::rename(path + sidecar, aside + sidecar, ignored);
  std::filesystem::rename(path, aside, ignored);
  return aside;
}

void remove_hour_file(const std::string& path) {
  // The sidecars first: a WAL without its file would be taken for the next file of that name.
  for (const char* sidecar : kSidecars) ::unlink((path + sidecar).c_str());
  ::unlink(path.c_str());
}

void sync_directory(const std::string& directory) {
  const int fd = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace millstream::log
