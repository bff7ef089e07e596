#include "log/sqlite_event_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "log/event_log_contract.h"
#include "log/hour_file.h"

namespace millstream::log {
namespace {

constexpr int64_t kStart = 1'770'000'000'000;

std::string temporary_directory() {
  std::string path = ::testing::TempDir() + "millstream-log-XXXXXX";
  EXPECT_NE(mkdtemp(path.data()), nullptr);
  return path;
}

struct SqliteLogs {
  ~SqliteLogs() { std::filesystem::remove_all(directory); }

  std::unique_ptr<EventLog> open() {
    SqliteEventLogOptions options;
    options.directory = directory;
    options.retention_ms = retention_ms;
    options.append_queue_events_max = append_queue_events_max;
    options.tick_interval_ms = 100;
    metrics.push_back(std::make_unique<metrics::Registry>());
    return make_sqlite_event_log(options, clock, *metrics.back());
  }
  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) names.push_back(entry.path().filename());
    std::sort(names.begin(), names.end());
    return names;
  }

  std::string directory = temporary_directory();
  ManualClock clock{kStart};
  int64_t retention_ms = kDayMs;
  size_t append_queue_events_max = 100'000;
  std::vector<std::unique_ptr<metrics::Registry>> metrics;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, EventLogContract, SqliteLogs);

class SqliteEventLogTest : public ::testing::Test {
 protected:
  void fill(EventLog& log, int batches, int64_t step_ms) {
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(append_and_wait(log, {test_event("account:1/site:1/device:" + std::to_string(i % 3), i)}).ok());
      logs.clock.advance_ms(step_ms);
    }
  }
  SqliteLogs logs;
};

TEST_F(SqliteEventLogTest, FilesAreForTheOwnerOnlyAndOneProcessADirectory) {
  auto log = logs.open();
  ASSERT_TRUE(log->start().ok());
  fill(*log, 1, 0);
  for (const std::string& name : logs.files()) {
    struct stat s {};
    ASSERT_EQ(::stat((logs.directory + "/" + name).c_str(), &s), 0);
    EXPECT_EQ(s.st_mode & 077, 0u) << name;
  }
  auto second = logs.open();
  const Status refused = second->start();
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_NE(refused.error().detail.find(logs.directory), std::string::npos);
  log->stop();
}

TEST_F(SqliteEventLogTest, RetentionUnlinksWholeHoursAndDeletesNoRows) {
  logs.retention_ms = 3 * kHourMs;
  auto log = logs.open();
  RecordingReader reader;
  log->add_reader(reader);
  ASSERT_TRUE(log->start().ok());
  fill(*log, 10, kHourMs);
  reader.wait_for_batches(15);
  size_t hours = 0;
  for (const std::string& name : logs.files()) hours += parse_hour_file_name(name).has_value();
  EXPECT_GE(hours, 3u);
  EXPECT_LE(hours, 5u);
  log->stop();
}

TEST_F(SqliteEventLogTest, ADamagedHourFileIsSetAsideAndTheRestServes) {
  {
    auto log = logs.open();
    ASSERT_TRUE(log->start().ok());
    fill(*log, 6, kHourMs);
    log->stop();
  }
  std::vector<std::string> hours;
  for (const std::string& name : logs.files()) {
    if (parse_hour_file_name(name)) hours.push_back(name);
  }
  ASSERT_EQ(hours.size(), 6u);
  std::ofstream(logs.directory + "/" + hours[2], std::ios::in | std::ios::out | std::ios::binary)
      << "this is no database, it only looks like a file";
  auto log = logs.open();
  ASSERT_TRUE(log->start().ok());
  EXPECT_EQ(read_all(*log).size(), 5u);
  size_t aside = 0;
  for (const std::string& name : logs.files()) aside += name.starts_with(hours[2] + ".damaged-");
  EXPECT_EQ(aside, 1u);
  fill(*log, 1, 0);
  EXPECT_EQ(read_all(*log).size(), 6u);
  log->stop();
}

TEST_F(SqliteEventLogTest, AFlippedBitIsFoundAndTheRowIsNotServed) {
  std::vector<std::string> payloads;
  {
    auto log = logs.open();
    ASSERT_TRUE(log->start().ok());
    for (int i = 0; i < 200; ++i) {
      payloads.push_back("{\"marker\":\"payload-number-" + std::to_string(i) + "\"}");
      ASSERT_TRUE(append_and_wait(*log, {test_event("account:1/site:1/device:1", i, payloads.back())}).ok());
    }
    log->stop();
  }
  const std::string path = hour_file_path(logs.directory, hour_of({kStart, 0}));
  std::string bytes;
  {
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  const size_t at = bytes.find("payload-number-77");
  ASSERT_NE(at, std::string::npos);
  bytes[at + 3] ^= 4;
  std::ofstream(path, std::ios::binary) << bytes;
  auto log = logs.open();
  ASSERT_TRUE(log->start().ok());
  const std::vector<model::Event> events = read_all(*log);
  EXPECT_EQ(events.size(), 199u);
  for (const model::Event& event : events) {
    EXPECT_NE(std::find(payloads.begin(), payloads.end(), event.data), payloads.end()) << event.data;
  }
  EXPECT_NE(logs.metrics.back()->prometheus_text().find("millstream_log_damaged_rows_total 1"), std::string::npos);
  const Result<ReadPage> page = log->read({.after = log->first_id(), .events_max = 1000});
  ASSERT_TRUE(page.ok() && page->missing);
  EXPECT_EQ(page->missing->to.packed(), page->missing->after.packed() + 1);
  EXPECT_LT(page->events[75].id, page->missing->to);
  EXPECT_LT(page->missing->to, page->events[76].id);
  log->stop();
}

// Appends as fast as it can and writes every acknowledged id to `acks`, until it is killed.
[[noreturn]] void append_until_killed(const std::string& directory, bool sync_commits, int acks) {
  const SystemClock clock;
  metrics::Registry metrics;
  auto log = make_sqlite_event_log({.directory = directory, .sync_commits = sync_commits}, clock, metrics);
  if (!log->start()) _exit(1);
  while (true) {
    std::vector<model::Event> batch;
    for (int i = 0; i < 10; ++i) batch.push_back(test_event("account:1/site:1/device:" + std::to_string(i), i));
    const Status taken = log->append(std::move(batch), [acks](const Result<AppendReceipt>& receipt) {
      if (!receipt) _exit(2);
      const int64_t last = receipt->last.packed();
      if (::write(acks, &last, sizeof last) != sizeof last) _exit(3);
    });
    if (!taken) std::this_thread::yield();
  }
}

TEST_F(SqliteEventLogTest, KilledAtAnyMomentItLosesNothingThatWasAcknowledged) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  logs.clock.set_wall_ms(SystemClock().wall_ms());
  model::EventId newest;
  for (int round = 0; round < 8; ++round) {
    int pipe_ends[2];
    ASSERT_EQ(::pipe(pipe_ends), 0);
    const pid_t child = ::fork();
    if (child == 0) append_until_killed(logs.directory, round % 2 == 0, pipe_ends[1]);
    ::close(pipe_ends[1]);
    ::usleep(static_cast<useconds_t>(20'000 + random() % 150'000));
    ::kill(child, SIGKILL);
    std::vector<int64_t> acknowledged;
    for (int64_t id = 0; ::read(pipe_ends[0], &id, sizeof id) == sizeof id;) acknowledged.push_back(id);
    ::close(pipe_ends[0]);
    int how = 0;
    ::waitpid(child, &how, 0);
    ASSERT_TRUE(WIFSIGNALED(how)) << "the child ended by itself: " << how;

    auto log = logs.open();
    ASSERT_TRUE(log->start().ok());
    std::vector<model::EventId> stored = ids_of(read_all(*log, {.events_max = 100'000}));
    for (size_t i = 1; i < stored.size(); ++i) ASSERT_LT(stored[i - 1], stored[i]);
    for (const int64_t id : acknowledged) {
      ASSERT_TRUE(std::binary_search(stored.begin(), stored.end(), model::EventId::from_packed(id)))
          << "round " << round;
    }
    EXPECT_GE(log->last_id(), newest);
    newest = log->last_id();
    log->stop();
  }
  EXPECT_GT(newest.ms, 0);
}

}  // namespace
}  // namespace millstream::log
