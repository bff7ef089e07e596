#include "app/backup.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "app/scratch_directory.h"
#include "base/limits.h"
#include "base/unique_fd.h"
#include "log/hour_file.h"
#include "log/sqlite_event_log.h"
#include "log/test_log.h"

namespace millstream::app {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kStart = 491'666 * kHourMs + 60'000;
constexpr int64_t kRetentionMs = 24 * kHourMs;
const Progress kSilent = [](uint64_t) { return Status(); };

class Backup : public ::testing::Test {
 protected:
  Backup() : scratch_(*ScratchDirectory::make(::testing::TempDir() + "millstream-backup-")) {}

  std::string at(const std::string& name) const { return scratch_.path() + "/" + name; }
  std::unique_ptr<log::EventLog> open(const std::string& data_directory) {
    fs::create_directories(data_directory);
    log::SqliteEventLogOptions options;
    options.directory = data_directory + "/log";
    options.retention_ms = kRetentionMs;
    metrics_.push_back(std::make_unique<metrics::Registry>());
    auto log = log::make_sqlite_event_log(options, clock_, *metrics_.back());
    const Status started = log->start();
    EXPECT_TRUE(started.ok()) << started.error().detail;
    return log;
  }
  void append(log::EventLog& log, int count) {
    for (int i = 0; i < count; ++i) {
      clock_.advance_ms(1);
      ASSERT_TRUE(log::append_and_wait(log, {log::test_event("account:1/site:1/device:d", i)}).ok());
    }
  }
  Result<BackupManifest> back_up(const std::string& data_directory) {
    fs::remove_all(at("copies"));
    fs::create_directories(at("copies"));
    Result<BackupManifest> manifest = copy_data(data_directory, at("copies"), clock_, kSilent);
    if (!manifest) return manifest;
    const UniqueFd out(::open(at("backup").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
    if (Status s = write_backup(out.get(), *manifest, at("copies"), kSilent); !s) return s.error();
    return manifest;
  }
  Result<Restored> restore(const std::string& data_directory, bool force = false) {
    const UniqueFd in(::open(at("backup").c_str(), O_RDONLY));
    return restore_data(
        in.get(), {.data_directory = data_directory, .force = force, .retention_ms = kRetentionMs}, clock_,
        [](const BackupManifest&) {}, kSilent);
  }

  ScratchDirectory scratch_;
  ManualClock clock_{kStart};
  std::vector<std::unique_ptr<metrics::Registry>> metrics_;
};

TEST_F(Backup, HoursLaterTheOldIdsAreReadOnAndTheHoursSinceAreDeclaredMissing) {
  std::vector<model::Event> events;
  {
    const auto log = open(at("data"));
    append(*log, 20);
    events = log::read_all(*log);
    const auto manifest = back_up(at("data"));
    ASSERT_TRUE(manifest.ok()) << manifest.error().detail;
    EXPECT_EQ(manifest->last_id, events.back().id);
    append(*log, 5);
    log->stop();
  }
  clock_.advance_ms(2 * kHourMs);
  const auto restored = restore(at("restored"));
  ASSERT_TRUE(restored.ok()) << restored.error().detail;
  EXPECT_TRUE(restored->moved_aside.empty());

  const auto log = open(at("restored"));
  EXPECT_EQ(log::ids_of(log::read_all(*log)), log::ids_of(events));
  const auto page = log->read({.after = events[9].id, .events_max = 100});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(log::ids_of(page->events).front(), events[10].id);
  EXPECT_EQ(page->events.size(), 10u);
  ASSERT_EQ(page->missing.size(), 1u);
  EXPECT_EQ(page->missing.front().ids.after, log::last_id_of_hour(log::hour_of(events.back().id)));
  clock_.advance_ms(1);
  const model::EventId after_restore{clock_.wall_ms(), 0};
  append(*log, 1);
  const auto since = log->read({.after = after_restore, .events_max = 100});
  ASSERT_TRUE(since.ok());
  EXPECT_EQ(since->events.size(), 1u);
  EXPECT_TRUE(since->missing.empty()) << "whoever came after the restore misses nothing";
}

TEST_F(Backup, ACheckpointIsNeverAheadOfTheLogInIt) {
  const auto log = open(at("data"));
  append(*log, 3);
  log->save_checkpoint("rules", {.at = log->last_id(), .state = "state"});
  append(*log, 3);
  ASSERT_TRUE(back_up(at("data")).ok());
  ASSERT_TRUE(restore(at("restored")).ok());
  const auto copy = open(at("restored"));
  const auto checkpoint = copy->load_checkpoint("rules");
  ASSERT_TRUE(checkpoint.ok() && *checkpoint);
  const auto page = copy->read({.after = (*checkpoint)->at, .events_max = 100});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->events.size(), 3u);
}

TEST_F(Backup, WhatWasSetAsideIsKeptAndStaysMissing) {
  { open(at("data"))->stop(); }
  const std::string aside =
      at("data/log/" + log::hour_file_name(kStart / kHourMs - 1) + ".damaged-" + std::to_string(kStart));
  for (const char* end : {"", "-wal", "-shm"}) {
    const UniqueFd file(::open((aside + end).c_str(), O_WRONLY | O_CREAT, 0600));
    ASSERT_EQ(::write(file.get(), "damaged", 7), 7);
  }
  ASSERT_TRUE(back_up(at("data")).ok());
  ASSERT_TRUE(restore(at("restored")).ok());
  const std::string name = fs::path(aside).filename().string();
  EXPECT_TRUE(fs::exists(at("restored/log/" + name)));
  EXPECT_TRUE(fs::exists(at("restored/log/" + name + "-wal")));
  EXPECT_FALSE(fs::exists(at("restored/log/" + name + "-shm")));
}

TEST_F(Backup, IsNotPutWhereSomethingIsAndForceKeepsIt) {
  { open(at("data"))->stop(); }
  ASSERT_TRUE(back_up(at("data")).ok());
  EXPECT_EQ(restore(at("data")).error().code, Code::conflict);
  {
    const auto running = open(at("data"));
    EXPECT_EQ(restore(at("data"), true).error().code, Code::conflict);
    running->stop();
  }
  const auto restored = restore(at("data"), true);
  ASSERT_TRUE(restored.ok()) << restored.error().detail;
  EXPECT_TRUE(fs::exists(restored->moved_aside + "/log/checkpoints.db"));
  fs::create_directories(at("volume/lost+found"));
  EXPECT_TRUE(restore(at("volume")).ok()) << "a fresh file system is as good as empty";
  for (const auto& entry : fs::directory_iterator(at("volume"))) {
    EXPECT_NE(entry.path().filename().string().front(), '.') << entry.path();
  }
  EXPECT_EQ(data_bytes(at("nowhere")).error().code, Code::not_found);
}

}  // namespace
}  // namespace millstream::app
