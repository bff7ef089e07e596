// The log on a disk that fails on demand, below SQLite: its file layer passes through here (sqlite.org/vfs.html).
#include <sqlite3.h>

#include <atomic>
#include <filesystem>
#include <map>
#include <mutex>
#include <string_view>

#include "base/check.h"
#include "log/sqlite_event_log.h"
#include "log/test_log.h"

namespace millstream::log {
namespace {

enum class DiskFault {
  none,
  full,        // no byte more is written: ENOSPC
  sync_fails,  // what was written is not known to be on the disk: EIO
};

std::atomic<DiskFault> current{DiskFault::none};
std::atomic<bool> unsynced{false};  // something was written to an hour file since its last sync
sqlite3_vfs* real = nullptr;
std::mutex mu;
struct Original {
  const sqlite3_io_methods* methods;
  bool of_hours;  // an hour file or its WAL
  auto operator<=>(const Original&) const = default;
};
// One changed table of functions for each of the real ones, made when a file first uses it and never removed.
std::map<Original, sqlite3_io_methods> changed;

const Original& original_of(const sqlite3_file* file) {
  std::lock_guard lock(mu);
  for (const auto& [original, methods] : changed) {
    if (&methods == file->pMethods) return original;
  }
  MS_CHECK(false && "a file that was not opened here");
  return changed.begin()->first;
}

int write_or_fail(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 offset) {
  if (current == DiskFault::full) return SQLITE_FULL;
  const Original& original = original_of(file);
  if (original.of_hours) unsynced = true;
  return original.methods->xWrite(file, bytes, size, offset);
}

int sync_or_fail(sqlite3_file* file, int flags) {
  if (current == DiskFault::sync_fails) return SQLITE_IOERR_FSYNC;
  const Original& original = original_of(file);
  if (original.of_hours) unsynced = false;
  return original.methods->xSync(file, flags);
}

int open_changed(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  const int rc = real->xOpen(real, name, file, flags, out_flags);
  if (file->pMethods == nullptr) return rc;
  std::lock_guard lock(mu);
  const bool of_hours = name && std::string_view(name).find("/events-") != std::string_view::npos;
  auto [entry, is_new] = changed.try_emplace({file->pMethods, of_hours}, *file->pMethods);
  if (is_new) {
    entry->second.xWrite = write_or_fail;
    entry->second.xSync = sync_or_fail;
  }
  file->pMethods = &entry->second;
  return rc;
}

void set_disk_fault(DiskFault fault) {
  static sqlite3_vfs faulty = [] {
    real = sqlite3_vfs_find(nullptr);
    sqlite3_vfs made = *real;
    made.zName = "faulty";
    made.pNext = nullptr;
    made.xOpen = open_changed;
    return made;
  }();
  static const int installed = sqlite3_vfs_register(&faulty, 1);
  MS_CHECK(installed == SQLITE_OK);
  current = fault;
}

class DiskFaults : public ::testing::Test {
 protected:
  DiskFaults() { set_disk_fault(DiskFault::none); }
  ~DiskFaults() override {
    set_disk_fault(DiskFault::none);
    std::filesystem::remove_all(directory_);
  }

  std::unique_ptr<EventLog> started(bool sync_commits = true) {
    metrics_ = std::make_unique<metrics::Registry>();
    std::unique_ptr<EventLog> log =
        make_sqlite_event_log({.directory = directory_, .sync_commits = sync_commits}, clock_, *metrics_);
    EXPECT_TRUE(log->start().ok());
    return log;
  }
  // Appends one event; whether something was not yet on the disk when it was acknowledged.
  static bool acknowledged_unsynced(EventLog& log, int number) {
    std::promise<bool> was_unsynced;
    const Status taken =
        log.append({test_event("account:1/site:1/device:1", number)},
                   [&](const Result<AppendReceipt>& receipt) { was_unsynced.set_value(!receipt || unsynced); });
    EXPECT_TRUE(taken.ok());
    return taken.ok() && was_unsynced.get_future().get();
  }
  static Result<AppendReceipt> append(EventLog& log, int number) {
    return append_and_wait(log, {test_event("account:1/site:1/device:1", number)});
  }
  bool reports(const std::string& line) const {
    return metrics_->prometheus_text().find(line + "\n") != std::string::npos;
  }

  const std::string directory_ = [] {
    std::string path = ::testing::TempDir() + "millstream-fault-XXXXXX";
    EXPECT_NE(mkdtemp(path.data()), nullptr);
    return path;
  }();
  SystemClock clock_;
  std::unique_ptr<metrics::Registry> metrics_;
};

TEST_F(DiskFaults, WhatIsAcknowledgedHasBeenSynced) {
  auto log = started();
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(acknowledged_unsynced(*log, i));
  log->stop();
}

TEST_F(DiskFaults, WithoutSyncCommitsNobodyWaitsForTheDisk) {
  auto log = started(false);
  ASSERT_TRUE(append(*log, 0).ok());  // a new file's first commit may sync
  for (int i = 1; i < 20; ++i) EXPECT_TRUE(acknowledged_unsynced(*log, i));
  EXPECT_EQ(read_all(*log).size(), 20u);
  log->stop();
  log = started();
  EXPECT_EQ(read_all(*log).size(), 20u);
  log->stop();
}

TEST_F(DiskFaults, FullDiskRefusesReadsGoOnAndRoomHealsIt) {
  auto log = started();
  ASSERT_TRUE(append(*log, 1).ok());
  set_disk_fault(DiskFault::full);
  for (int i = 0; i < 3; ++i) {
    const Result<AppendReceipt> refused = append(*log, 2);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::storage_full);
    EXPECT_EQ(read_all(*log).size(), 1u);
  }
  set_disk_fault(DiskFault::none);
  ASSERT_TRUE(append(*log, 3).ok());
  EXPECT_EQ(read_all(*log).size(), 2u);
  EXPECT_TRUE(reports("millstream_log_read_only 0"));
  log->stop();
  log = started();
  EXPECT_EQ(read_all(*log).size(), 2u);
  log->stop();
}

TEST_F(DiskFaults, StartsOnAFullDiskServesWhatIsThereAndHeals) {
  auto log = started();
  ASSERT_TRUE(append(*log, 1).ok());
  log->stop();
  set_disk_fault(DiskFault::full);
  log = started();
  for (int i = 0; i < 3; ++i) {
    const Result<AppendReceipt> refused = append(*log, 2);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::storage_full);
    EXPECT_EQ(read_all(*log).size(), 1u);
  }
  EXPECT_TRUE(reports("millstream_log_damaged_files_total 0"));
  set_disk_fault(DiskFault::none);
  ASSERT_TRUE(append(*log, 3).ok());
  EXPECT_EQ(read_all(*log).size(), 2u);
  EXPECT_TRUE(reports("millstream_log_read_only 0"));
  log->stop();
}

TEST_F(DiskFaults, FailedSyncIsNeverTriedAgainInTheSameProcess) {
  auto log = started();
  const Result<AppendReceipt> before = append(*log, 1);
  ASSERT_TRUE(before.ok());
  set_disk_fault(DiskFault::sync_fails);
  ASSERT_FALSE(append(*log, 2).ok());
  set_disk_fault(DiskFault::none);  // a later fsync would say yes
  const Result<AppendReceipt> refused = append(*log, 3);
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::unavailable);
  EXPECT_NE(refused.error().detail.find("read-only"), std::string::npos) << refused.error().detail;
  EXPECT_TRUE(reports("millstream_log_read_only 1"));
  EXPECT_EQ(ids_of(read_all(*log)), std::vector<model::EventId>{before->last});
  log->stop();

  // Whether the commit that failed is there now is open, nobody was told yes. What was acknowledged is.
  log = started();
  const Result<AppendReceipt> after = append(*log, 4);
  ASSERT_TRUE(after.ok());
  const std::vector<model::EventId> ids = ids_of(read_all(*log));
  ASSERT_GE(ids.size(), 2u);
  EXPECT_EQ(ids.front(), before->last);
  EXPECT_EQ(ids.back(), after->last);
  log->stop();
}

}  // namespace
}  // namespace millstream::log
