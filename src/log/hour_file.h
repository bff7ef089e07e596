// log/hour_file.h: one hour of the log as one SQLite file: its name, its tables, and how a row is proved whole.
//
// Shapes   events-<hours since 1970>.db
//          topic(id, text, crc), shape(id, text, crc): numbered per file, so that a row carries small numbers.
//          event(id = packed EventId, topic, type, ts, conclusion, crc, data): everything but telemetry.
//          Indexes: (topic, id) for one device; (type, id) over all of it.
//          block(first, span, crc, data): telemetry as it was committed (block.h), ids first to first + span.
//          chunk(id, topic, first, last, ts_low, ts_high, count, crc, sums, data): telemetry of a closed window, one
//          row a device (chunk.h). sealed(through, first, chunk_first, chunk_last): the closed windows. Blocks count
//          from above the last `through`, chunks up to it; what is on the other side is half-done work.
//          once(id, key, content, first, last, crc, answer): the batches of this file that are stored once
//          (once_rows.h). Version 1 had topics, shapes and events, and telemetry as rows of event.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "log/chunk.h"
#include "log/event_log.h"
#include "log/sqlite.h"
#include "model/event_id.h"

namespace millstream::log {

inline constexpr int64_t kHourFileApplication = 0x4d53'4c48;  // "MSLH", in the file's header
inline constexpr int64_t kHourFileVersion = 2;

int64_t hour_of(model::EventId id);
IdRange ids_of_hour(int64_t hour);
model::EventId last_id_of_hour(int64_t hour);
std::string hour_file_name(int64_t hour);
std::string hour_file_path(const std::string& directory, int64_t hour);
std::optional<int64_t> parse_hour_file_name(std::string_view name);

// Covers everything a reader is given, the topic's text included: a row that points at another topic fails its check.
struct RowContent {
  int64_t id = 0;
  std::string_view topic;
  int64_t type = 0;
  int64_t ts_ms = 0;
  int64_t conclusion = 0;
  std::string_view data;
};
uint32_t row_crc(const RowContent& row);
uint32_t name_crc(int64_t number, std::string_view text);  // of a topic or shape
uint32_t block_crc(model::EventId first, model::EventId last, std::string_view data);
uint32_t chunk_crc(const ChunkRow& row, std::string_view topic);

// Makes the tables where there are none yet, and brings those of version 1 up to date. Fails with Code::conflict on a
// file of a later version.
Status ensure_hour_schema(Database& database);

// What a cheap look at a closed file says.
struct HourFileSpan {
  model::EventId first;  // zero: no events
  model::EventId last;
  bool has_blocks = false;  // telemetry that is not sealed, or was just before the end
  bool lost_end = false;    // its WAL was damaged: commits behind `last` are gone
  bool wal_left = false;    // the disk is full: what the WAL holds could not be brought into the file
};

// Opens a file left by an earlier run and looks whether it can be served. A leftover WAL is brought into the file
// first. Fails with Code::corrupt when the file is damaged, Code::conflict when a later version wrote it. A file in
// which nothing was ever finished has an empty span. `thorough`: walk every page (a file that may have been cut off).
Result<HourFileSpan> check_hour_file(const std::string& path, bool thorough);

// Renames the file, with its WAL and shared memory, to <name>.damaged-<now>; gives back the new path.
std::string set_aside(const std::string& path, int64_t now_ms);
// The ids of which a file set aside may have held events; nullopt when it is not the name of one.
std::optional<IdRange> parse_set_aside_name(std::string_view name);

void remove_hour_file(const std::string& path);

// Makes a new or renamed name durable.
void sync_directory(const std::string& directory);

}  // namespace millstream::log
