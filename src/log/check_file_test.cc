#include "log/check_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/limits.h"
#include "log/checkpoint_file.h"
#include "log/hour_copy.h"
#include "log/hour_writer.h"
#include "log/test_log.h"
#include "log/window_chunks.h"

namespace millstream::log {
namespace {

using model::EventId;

constexpr int64_t kHour = 491'666;
constexpr int64_t kStart = kHour * kHourMs + 1000;

EventId id_of(int64_t n) { return {kStart + n, 0}; }

// An hour as its writer makes it: events 1, 2, 3, … one a millisecond, every tenth an alert, of three devices.
class CheckFile : public ::testing::Test {
 protected:
  CheckFile() {
    directory_ = ::testing::TempDir() + "millstream-check-XXXXXX";
    EXPECT_NE(mkdtemp(directory_.data()), nullptr);
    path_ = hour_file_path(directory_, kHour);
    open();
  }
  ~CheckFile() override { std::filesystem::remove_all(directory_); }

  void open() {
    auto opened = HourWriter::open(directory_, kHour, SyncCommits::no);
    ASSERT_TRUE(opened.ok()) << opened.error().detail;
    writer_ = std::move(*opened);
  }
  void commit(int count) {
    std::vector<model::Event> events;
    for (int i = 0; i < count; ++i) {
      const int64_t n = ++count_;
      model::Event event = test_event("account:1/site:1/device:d" + std::to_string(n % 3), kStart + n,
                                      R"({"deviceId":"d","fields":{"n":)" + std::to_string(n) + "}}");
      event.id = {kStart + n, 0};
      if (n % 10 == 0) event.type = model::EventType::alert;
      events.push_back(std::move(event));
    }
    const Status done = writer_->commit(events);
    ASSERT_TRUE(done.ok()) << done.error().detail;
  }
  void seal() {
    WindowCache cache;
    auto reader = HourReader::open(path_, OpenMode::read_only, {.cache = cache, .file = 1});
    ASSERT_TRUE(reader.ok());
    const auto window = make_window_chunks(**reader, {});
    ASSERT_TRUE(window.ok()) << window.error().detail;
    if (window->rows.empty()) return;
    ASSERT_TRUE(writer_->store_chunks(window->rows).ok());
    ASSERT_TRUE(
        writer_->close_window({.first = window->first, .through = window->through, .chunks = window->rows.size()})
            .ok());
    while (writer_->has_sealed_blocks()) ASSERT_TRUE(writer_->drop_sealed_blocks().ok());
  }
  void close() {
    const Result<bool> emptied = writer_->checkpoint_fully();
    ASSERT_TRUE(emptied.ok() && *emptied);
    writer_.reset();
    ASSERT_FALSE(std::filesystem::exists(path_ + "-wal"));
  }
  // Two windows, a block after them, and rows.
  void fill_and_close() {
    for (int i = 0; i < 2; ++i) {
      commit(300);
      seal();
    }
    commit(50);
    close();
  }
  FileCheck verify() {
    const Result<FileCheck> check = verify_hour_file(path_, kHour);
    EXPECT_TRUE(check.ok()) << check.error().detail;
    return check ? *check : FileCheck{};
  }
  void change(const char* sql) {
    Result<Database> database = Database::open(path_, OpenMode::read_write);
    ASSERT_TRUE(database.ok());
    const Status done = database->execute(sql);
    ASSERT_TRUE(done.ok()) << done.error().detail;
    ASSERT_TRUE(database->execute("PRAGMA wal_checkpoint(TRUNCATE)").ok());
  }
  // The last byte of a stored value, found in the file by the whole of it.
  void flip_bit_of(const char* select) {
    std::string value;
    {
      Result<Database> database = Database::open(path_, OpenMode::read_immutable);
      ASSERT_TRUE(database.ok());
      value = *database->text(select);
      ASSERT_GT(value.size(), 8u);
    }
    std::ifstream in(path_, std::ios::binary);
    std::string bytes((std::istreambuf_iterator<char>(in)), {});
    const size_t at = bytes.find(value);
    ASSERT_NE(at, bytes.npos);
    bytes[at + value.size() - 1] = static_cast<char>(bytes[at + value.size() - 1] ^ 1);
    std::ofstream(path_, std::ios::binary) << bytes;
  }

  std::string directory_;
  std::string path_;
  std::unique_ptr<HourWriter> writer_;
  int64_t count_ = 0;
};

TEST_F(CheckFile, ASoundFileHasItsEventsAndNoDamage) {
  fill_and_close();
  const FileCheck check = verify();
  EXPECT_TRUE(check.sound()) << check.damages.front().place << ": " << check.damages.front().what;
  EXPECT_EQ(check.events, 650u);
  EXPECT_EQ(check.first, id_of(1));
  EXPECT_EQ(check.last, id_of(650));
}

TEST_F(CheckFile, AFileThatIsWrittenToIsReadThroughItsWal) {
  commit(300);
  seal();
  commit(5);
  ASSERT_TRUE(std::filesystem::exists(path_ + "-wal"));
  const FileCheck check = verify();
  EXPECT_TRUE(check.sound());
  EXPECT_EQ(check.events, 305u);
}

TEST_F(CheckFile, AFlippedBitInAChunkIsFoundWithItsDeviceAndEvents) {
  fill_and_close();
  flip_bit_of("SELECT data FROM chunk WHERE id = 2");
  const FileCheck check = verify();
  ASSERT_EQ(check.damages_in_all, 1u);
  EXPECT_EQ(check.damages[0].place, "chunk 2 of account:1/site:1/device:d2");
  EXPECT_EQ(check.damages[0].events, 90u);
  EXPECT_EQ(check.events, 650u - 90u);
}

TEST_F(CheckFile, AFlippedBitInABlockIsFoundWithItsIds) {
  fill_and_close();
  flip_bit_of("SELECT data FROM block");
  const FileCheck check = verify();
  ASSERT_EQ(check.damages_in_all, 1u);
  EXPECT_EQ(check.damages[0].place, "block " + id_of(601).text());
  EXPECT_EQ(check.damages[0].last, id_of(649));
  EXPECT_EQ(check.events, 650u - 45u);
}

TEST_F(CheckFile, AFlippedBitInARowIsFoundWithItsId) {
  fill_and_close();
  flip_bit_of("SELECT data FROM event WHERE id = (SELECT max(id) FROM event)");
  const FileCheck check = verify();
  ASSERT_EQ(check.damages_in_all, 1u);
  EXPECT_EQ(check.damages[0].place, "row " + id_of(650).text());
  EXPECT_EQ(check.events, 649u);
}

TEST_F(CheckFile, AChunkThatIsGoneAndAWindowOutOfPlaceAreFound) {
  fill_and_close();
  change("DELETE FROM chunk WHERE id = 5");
  FileCheck check = verify();
  ASSERT_EQ(check.damages_in_all, 1u);
  EXPECT_EQ(check.damages[0].place, "chunks 5 to 5");
  change("UPDATE sealed SET first = (SELECT min(first) FROM sealed)");
  check = verify();
  EXPECT_EQ(check.damages_in_all, 2u);
}

TEST_F(CheckFile, AnEventThatIsThereTwiceIsFound) {
  fill_and_close();
  change(
      "INSERT INTO event SELECT (SELECT first FROM chunk WHERE id = 1), topic, type, ts, conclusion, crc, data FROM "
      "event LIMIT 1");
  const FileCheck check = verify();
  EXPECT_EQ(check.damages_in_all, 2u) << "its check covers its id, and that id is taken";
}

TEST_F(CheckFile, AFileThatWasCutOffIsFound) {
  fill_and_close();
  std::filesystem::resize_file(path_, std::filesystem::file_size(path_) / 2);
  EXPECT_FALSE(verify().sound());
  std::filesystem::resize_file(path_, 100);
  EXPECT_FALSE(verify().sound());
  std::ofstream(path_, std::ios::binary | std::ios::trunc) << std::string(8192, 'x');
  EXPECT_FALSE(verify().sound());
}

TEST_F(CheckFile, AFileOfAnotherHourIsFound) {
  fill_and_close();
  const std::string elsewhere = hour_file_path(directory_, kHour + 1);
  std::filesystem::rename(path_, elsewhere);
  const Result<FileCheck> check = verify_hour_file(elsewhere, kHour + 1);
  ASSERT_TRUE(check.ok());
  EXPECT_FALSE(check->sound());
  EXPECT_EQ(verify_hour_file(path_, kHour).error().code, Code::not_found);
}

TEST_F(CheckFile, ADamagedCheckpointIsNamedWhileItsFileIsInUse) {
  CheckpointFile checkpoints(directory_);
  ASSERT_TRUE(checkpoints.open(kStart).ok());
  ASSERT_TRUE(checkpoints.save("rules", {.at = {kStart, 1}, .state = "a state of some length"}).ok());
  ASSERT_TRUE(checkpoints.save("presence", {.at = {kStart, 1}, .state = "another"}).ok());
  const std::string path = directory_ + "/checkpoints.db";
  const std::string scratch = directory_ + "/copy";
  Result<FileCheck> check = verify_checkpoint_file(path, scratch);
  ASSERT_TRUE(check.ok()) << check.error().detail;
  EXPECT_TRUE(check->sound());
  EXPECT_EQ(check->events, 2u);
  checkpoints.close();

  path_ = path;
  change("UPDATE checkpoint SET state = 'b state of some length' WHERE name = 'rules'");
  check = verify_checkpoint_file(path, scratch);
  ASSERT_TRUE(check.ok());
  ASSERT_EQ(check->damages_in_all, 1u);
  EXPECT_EQ(check->damages[0].place, "checkpoint rules");
  EXPECT_FALSE(std::filesystem::exists(scratch));
}

// --- copies ----------------------------------------------------------------------------------------------------------

TEST_F(CheckFile, ACopyOfAClosedFileIsTheFile) {
  fill_and_close();
  const std::string copy = hour_file_path(::testing::TempDir(), kHour);
  ASSERT_TRUE(copy_hour_file(path_, copy).ok());
  const auto bytes_of = [](const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(in)), {});
  };
  EXPECT_EQ(bytes_of(copy), bytes_of(path_));
  EXPECT_EQ(std::filesystem::status(copy).permissions(), std::filesystem::perms(0600));
  remove_hour_file(copy);
  remove_hour_file(path_);
  EXPECT_EQ(copy_hour_file(path_, copy).error().code, Code::not_found);
  EXPECT_FALSE(std::filesystem::exists(copy));
}

TEST_F(CheckFile, CopiesOfAFileThatIsWrittenToAreEachOneState) {
  std::atomic<bool> running = true;
  std::atomic<int64_t> committed = 0;
  commit(100);
  std::thread writing([&] {
    for (int i = 0; running && count_ < 60'000; ++i) {
      commit(40);
      committed = count_;
      if (i % 16 == 15) seal();
      if (writer_->wal_is_long()) {
        ASSERT_TRUE(writer_->checkpoint().ok());
      }
    }
  });
  const std::string copies = directory_ + "/copies";
  std::filesystem::create_directory(copies);
  const std::string copy = hour_file_path(copies, kHour);
  for (int i = 0; i < 25; ++i) {
    const int64_t before = committed;
    const Status copied = copy_hour_file(path_, copy);
    EXPECT_TRUE(copied.ok()) << copied.error().detail;
    const Result<FileCheck> check = verify_hour_file(copy, kHour);
    ASSERT_TRUE(check.ok());
    EXPECT_TRUE(check->sound()) << check->damages.front().place << ": " << check->damages.front().what;
    EXPECT_GE(static_cast<int64_t>(check->events), before);
    EXPECT_EQ(check->last.ms - kStart, static_cast<int64_t>(check->events)) << "nothing is missing, nothing is twice";
    EXPECT_FALSE(std::filesystem::exists(copy + "-wal"));
    remove_hour_file(copy);
    const FileCheck live = verify();
    EXPECT_TRUE(live.sound()) << live.damages.front().place << ": " << live.damages.front().what;
    EXPECT_GE(static_cast<int64_t>(live.events), before);
  }
  running = false;
  writing.join();
}

}  // namespace
}  // namespace millstream::log
