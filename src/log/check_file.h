// log/check_file.h: goes through every byte that a file of the log is made of, and says what is damaged and where.
//
// Flow     Pages and indexes first (SQLite's quick_check), then topics and shapes, rows of event, every closed window
//          with its chunks, and the blocks that are in no window yet: each against its check, decoded, its ids rising,
//          inside the hour and inside its window, none of them twice.
// Limits   A file that is being written to is read in slices of kSliceRows rows or chunks, so that its WAL is not held
//          open; only quick_check is one read transaction. kDamagesMax places are named, all are counted.
// Errors   Code::not_found: there is no such file (any more). Code::conflict: a later version wrote it. What is damaged
//          is no error, but in FileCheck.
// Thread   any; blocking. Nothing is written, but SQLite's shared memory beside a file that has a WAL.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/event_id.h"

namespace millstream::log {

inline constexpr size_t kDamagesMax = 100;

struct Damage {
  std::string place;     // "chunk 17 of account:1/site:1/device:1"
  std::string what;      // "fails its check"
  model::EventId first;  // of the events that are lost; both zero: not known
  model::EventId last;
  uint64_t events = 0;  // lost, as far as is known
};

struct FileCheck {
  uint64_t events = 0;   // that are whole
  model::EventId first;  // of those; zero: none
  model::EventId last;
  std::vector<Damage> damages;
  uint64_t damages_in_all = 0;
  uint64_t damaged_events = 0;

  bool sound() const { return damages_in_all == 0; }
};

Result<FileCheck> verify_hour_file(const std::string& path, int64_t hour);

// `scratch`: a path for a copy, which is removed again; the file itself cannot be opened while a server has it.
// `events` counts checkpoints.
Result<FileCheck> verify_checkpoint_file(const std::string& path, const std::string& scratch);
// Of other SQLite files with a WAL: their pages only.
Result<FileCheck> verify_pages(const std::string& path, const std::string& scratch);

}  // namespace millstream::log
