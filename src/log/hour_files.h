// log/hour_files.h: the hour files that exist, and idle connections to read them with.
//
// Flow     the log thread adds, extends, seals and removes; reader threads ask which hours hold a span and borrow.
// Shapes   open: still written, read through its WAL. sealed: nobody writes it any more and its WAL is empty; read
//          immutable, without locks.
// Limits   kIdleReadersMax idle connections a file.
// Thread   any
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "log/hour_reader.h"
#include "model/event_id.h"

namespace millstream::log {

inline constexpr size_t kIdleReadersMax = 4;

struct HourSpan {
  int64_t hour = 0;
  model::EventId first;  // zero: no events yet
  model::EventId last;
};

class HourFiles {
 public:
  explicit HourFiles(std::string directory) : directory_(std::move(directory)) {}

  void add(const HourSpan& span, bool sealed);
  void extend(int64_t hour, model::EventId first, model::EventId last);  // events were committed
  void seal(int64_t hour);
  void remove(int64_t hour);  // before the file is unlinked or renamed
  void drop_idle();
  // True when no reader holds a connection of before seal().
  bool unread_since_seal(int64_t hour) const;

  std::vector<HourSpan> spans() const;                                                // by hour
  std::vector<int64_t> hours_between(model::EventId low, model::EventId high) const;  // by hour
  // Borrows a connection for `work`. A file that was removed meanwhile holds nothing, which is no failure.
  Status read(int64_t hour, const std::function<Status(HourReader&)>& work);

 private:
  struct Entry {
    HourSpan span;
    uint64_t serial = 0;  // another file may take the name of one that was set aside
    bool sealed = false;
    size_t lent_with_wal = 0;
    std::vector<std::unique_ptr<HourReader>> idle;
  };
  struct Loan {
    std::unique_ptr<HourReader> reader;  // null: one must be opened
    uint64_t serial = 0;
    bool sealed = false;
  };
  Entry* find(int64_t hour, uint64_t serial);  // precondition: mu_ held
  std::optional<Loan> borrow(int64_t hour);
  Result<std::unique_ptr<HourReader>> open(int64_t hour, const Loan& loan);
  bool give_back(int64_t hour, Loan loan);  // false: the file is gone

  const std::string directory_;
  WindowCache windows_;
  mutable std::mutex mu_;
  std::map<int64_t, Entry> entries_;  // guarded by mu_
  uint64_t next_serial_ = 1;          // guarded by mu_
};

}  // namespace millstream::log
