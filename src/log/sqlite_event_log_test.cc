#include "log/sqlite_event_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "codec/event_json.h"
#include "log/event_log_contract.h"
#include "log/hour_file.h"
#include "log/missing_parts.h"

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
    options.once_keys_max = once_keys_max;
    options.sealing = sealing;
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
  size_t once_keys_max = kOnceKeysMax;
  SealingOptions sealing;
  std::vector<std::unique_ptr<metrics::Registry>> metrics;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, EventLogContract, SqliteLogs);

// Closes a window whenever anything is there to close.
struct SealingSqliteLogs : SqliteLogs {
  SealingSqliteLogs() { sealing = {.age_ms = 0, .events_of_a_device = 1, .events_min = 1}; }
};
INSTANTIATE_TYPED_TEST_SUITE_P(SealingSqlite, EventLogContract, SealingSqliteLogs);

class SqliteEventLogTest : public ::testing::Test {
 protected:
  void fill(EventLog& log, int batches, int64_t step_ms) {
    for (int i = 0; i < batches; ++i) {
      ASSERT_TRUE(append_and_wait(log, {test_event("account:1/site:1/device:" + std::to_string(i % 3), i)}).ok());
      logs.clock.advance_ms(step_ms);
    }
  }
  size_t counted(const std::string& metric) const {  // by the newest log
    const std::string text = logs.metrics.back()->prometheus_text();
    const std::string name = "\n" + metric + " ";
    const size_t at = text.find(name);
    return at == std::string::npos ? 0 : std::stoul(text.substr(at + name.size()));
  }
  size_t sealed_events() const { return counted("millstream_log_sealed_events_total"); }
  std::unique_ptr<EventLog> started() {
    auto log = logs.open();
    log->add_reader(reader);
    EXPECT_TRUE(log->start().ok());
    return log;
  }
  void wait_until_sealed(size_t events) {
    for (int ticks = 0; ticks < 400 && sealed_events() < events; ++ticks) reader.wait_for_batches(1);
    ASSERT_EQ(sealed_events(), events);
  }
  std::vector<model::Event> random_events(std::mt19937_64& random, size_t count) {
    std::vector<model::Event> events;
    for (size_t i = 0; i < count; ++i) {
      std::string data = R"({"deviceId":"d","fields":{"t":)" + std::to_string(random() % 1000) + ".5";
      if (random() % 4 == 0) data += ",\"s\":\"" + std::to_string(random()) + '"';
      const int64_t ts_ms = logs.clock.wall_ms() - static_cast<int64_t>(random() % 100'000);
      events.push_back(test_event("account:1/site:1/device:" + std::to_string(random() % 100), ts_ms, data + "}}"));
    }
    return events;
  }
  SqliteLogs logs;
  RecordingReader reader;
};

void expect_same(const std::vector<model::Event>& one, const std::vector<model::Event>& other) {
  ASSERT_EQ(one.size(), other.size());
  for (size_t i = 0; i < one.size(); ++i) {
    ASSERT_EQ(one[i].id, other[i].id);
    ASSERT_EQ(one[i].topic, other[i].topic);
    ASSERT_EQ(one[i].ts_ms, other[i].ts_ms);
    ASSERT_EQ(one[i].data, other[i].data);
  }
}

TEST_F(SqliteEventLogTest, WhatIsSealedReadsAsItDidBefore) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  std::vector<ReadRequest> requests(4);
  requests[0].events_max = 700;
  requests[1].events_max = 97;
  requests[1].order = Order::descending;
  requests[2].patterns.push_back(*model::TopicPattern::parse("account:1/site:1/device:7"));
  requests[2].events_max = 11;
  requests[3].patterns.push_back(*model::TopicPattern::parse("account:1/site:1"));
  const auto read_each = [&](EventLog& log) {
    std::vector<std::vector<model::Event>> all;
    for (const ReadRequest& request : requests) all.push_back(read_all(log, request));
    return all;
  };
  std::vector<std::vector<model::Event>> before;
  {
    auto log = started();
    for (int i = 0; i < 60; ++i) {
      ASSERT_TRUE(append_and_wait(*log, random_events(random, 1 + random() % 100)).ok());
      logs.clock.advance_ms(static_cast<int64_t>(random() % 200'000));  // over a few hours
    }
    before = read_each(*log);
    log->stop();
  }
  const size_t left = before[0].size() - sealed_events();  // hours that were over may have been sealed
  logs.sealing = {.age_ms = 0, .events_of_a_device = 1, .events_min = 1};
  logs.sealing.window.events_max = 500;  // several windows an hour
  for (int run = 0; run < 2; ++run) {
    auto log = started();
    if (run == 0) wait_until_sealed(left);
    const auto after = read_each(*log);
    for (size_t i = 0; i < requests.size(); ++i) expect_same(before[i], after[i]);
    EXPECT_TRUE(log->read({.after = before[0].front().id})->missing.empty());
    log->stop();
  }
}

// The last write of each (field, time), which is what a chart is drawn from.
class LastWrites final : public SampleSink {
 public:
  void add(std::string_view field, std::span<const model::Sample> samples) override {
    for (const model::Sample& sample : samples) values[std::string(field)][sample.t_ms] = sample.value;
  }
  void add(std::string_view field, const model::SampleSums& more) override { sums[std::string(field)].push_back(more); }
  bool wants_more() override { return true; }

  std::map<std::string, std::map<int64_t, double>> values;
  std::map<std::string, std::vector<model::SampleSums>> sums;
};

TEST_F(SqliteEventLogTest, SamplesAreTheLastWritesWhetherSealedOrNot) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  logs.sealing = {.age_ms = 0, .events_of_a_device = 1, .events_min = 1};
  auto log = started();
  std::map<std::string, std::map<int64_t, double>> expected;
  const model::Topic topic = *model::Topic::parse("account:1/site:1/device:7");
  const int64_t start_ms = kStart - 60'000;
  const int64_t end_ms = kStart + 400'000;
  for (int i = 0; i < 300; ++i) {
    const int64_t ts_ms = kStart + static_cast<int64_t>(random() % 700'000) - 200'000;
    const double t = static_cast<double>(random() % 1000) / 4;
    const bool two = random() % 3 == 0;
    std::string data = R"({"deviceId":"7","fields":{"t":)";
    codec::append_json_number(t, data);
    data += two ? R"(,"on":true,"s":"x"}})" : R"(,"s":"yy"}})";
    const bool in_span = ts_ms >= start_ms && ts_ms < end_ms;
    if (in_span) expected["t"][ts_ms] = t;
    if (in_span && two) expected["on"][ts_ms] = 1;
    ASSERT_TRUE(append_and_wait(*log, {test_event("account:1/site:1/device:7", ts_ms, data),
                                       test_event("account:1/site:1/device:8", ts_ms)})
                    .ok());
    logs.clock.advance_ms(static_cast<int64_t>(random() % 40'000));  // over a few hours
  }
  LastWrites all, only;
  SamplesRequest request{.topic = topic, .start_ms = start_ms, .end_ms = end_ms, .ids = {.to = log->last_id()}};
  ASSERT_TRUE(log->read_samples(request, all).ok());
  EXPECT_EQ(all.values, expected);
  EXPECT_TRUE(all.sums.empty());
  request.fields = {"on"};
  ASSERT_TRUE(log->read_samples(request, only).ok());
  EXPECT_EQ(only.values.size(), 1u);
  log->stop();
}

TEST_F(SqliteEventLogTest, SumsStandForWhatSharesABucketWithNothingBetween) {
  logs.sealing = {.age_ms = 0, .events_of_a_device = 1, .events_min = 1};
  auto log = started();
  const auto send = [&](std::vector<int64_t> times) {
    std::vector<model::Event> events;
    for (const int64_t t : times) events.push_back(test_event("account:1/site:1/device:7", t));
    ASSERT_TRUE(append_and_wait(*log, std::move(events)).ok());
    wait_until_sealed(sealed_events() + times.size());
  };
  send({1000, 1100, 1200});
  send({2000, 2100});
  send({2900, 3100});  // in two buckets
  send({4000, 4200});
  send({4100});  // late, between
  LastWrites got;
  ASSERT_TRUE(log->read_samples({.topic = *model::Topic::parse("account:1/site:1/device:7"),
                                 .start_ms = 1000,
                                 .end_ms = 6000,
                                 .bucket_ms = 1000,
                                 .ids = {.to = log->last_id()}},
                                got)
                  .ok());
  ASSERT_EQ(got.sums["t"].size(), 2u);
  EXPECT_EQ(got.sums["t"][0].count, 3u);
  EXPECT_EQ(got.sums["t"][0].sum, 3);
  EXPECT_EQ(got.sums["t"][1].first_ms, 2000);
  EXPECT_EQ(got.sums["t"][1].last_ms, 2100);
  EXPECT_EQ(got.values["t"].size(), 5u);
  log->stop();
}

TEST_F(SqliteEventLogTest, DataThatIsKeptWholeIsInChartsToo) {
  logs.sealing = {.age_ms = 0, .events_of_a_device = 1, .events_min = 1};
  auto log = started();
  std::string data = R"({"deviceId":"7","fields":{)";
  for (int i = 0; i < 250; ++i)
    data += "\"" + std::string(95, 'f') + std::to_string(i) + "\":" + std::to_string(i) + ",";
  data += "\"t\":";
  ASSERT_GT(data.size(), kShapeBytesMax);
  for (int i = 0; i < 4; ++i) {
    const std::string few = R"({"deviceId":"7","fields":{"t":)";
    ASSERT_TRUE(append_and_wait(*log, {test_event("account:1/site:1/device:7", kStart + i,
                                                  (i % 2 ? data : few) + std::to_string(i) + "}}")})
                    .ok());
  }
  const SamplesRequest request{.topic = *model::Topic::parse("account:1/site:1/device:7"),
                               .fields = {"t"},
                               .start_ms = kStart,
                               .end_ms = kStart + 10,
                               .ids = {.to = log->last_id()}};
  const std::map<int64_t, double> expected = {{kStart, 0}, {kStart + 1, 1}, {kStart + 2, 2}, {kStart + 3, 3}};
  for (const bool sealed : {false, true}) {
    if (sealed) wait_until_sealed(4);
    LastWrites got;
    ASSERT_TRUE(log->read_samples(request, got).ok());
    EXPECT_EQ(got.values["t"], expected);
  }
  log->stop();
}

TEST_F(SqliteEventLogTest, FilesOfTheFirstVersionAreReadAndWrittenOn) {
  Result<Database> old = Database::open(hour_file_path(logs.directory, hour_of({kStart, 0})), OpenMode::read_write);
  ASSERT_TRUE(old.ok());
  ASSERT_TRUE(old->execute("CREATE TABLE topic(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE);"
                           "CREATE TABLE event(id INTEGER PRIMARY KEY, topic INTEGER NOT NULL, type INTEGER NOT NULL,"
                           " ts INTEGER NOT NULL, conclusion INTEGER NOT NULL, crc INTEGER NOT NULL,"
                           " data BLOB NOT NULL);"
                           "CREATE INDEX event_by_topic ON event(topic);"
                           "CREATE INDEX event_by_type ON event(type) WHERE type > 0;"
                           "INSERT INTO topic VALUES(1, 'account:1/site:1/device:3');"
                           "PRAGMA application_id=1297304648; PRAGMA user_version=1;")
                  .ok());
  const RowContent row{.id = model::EventId{kStart, 0}.packed(),
                       .topic = "account:1/site:1/device:3",
                       .type = 0,
                       .ts_ms = 5,
                       .conclusion = 0,
                       .data = R"({"deviceId":"3","fields":{"t":1}})"};
  const std::string insert = "INSERT INTO event VALUES(" + std::to_string(row.id) + ", 1, 0, 5, 0, " +
                             std::to_string(row_crc(row)) + ", CAST('" + std::string(row.data) + "' AS BLOB))";
  ASSERT_TRUE(old->execute(insert.c_str()).ok());
  old = Error{Code::internal, "closed"};

  logs.sealing = {.age_ms = 0, .events_of_a_device = 1, .events_min = 1};
  auto log = started();
  EXPECT_EQ(read_all(*log).size(), 1u);
  ASSERT_TRUE(append_and_wait(*log, {test_event("account:1/site:1/device:3", 6)}).ok());
  wait_until_sealed(1);
  const auto both = read_all(*log, {.patterns = {*model::TopicPattern::parse("account:1/site:1/device:3")}});
  ASSERT_EQ(both.size(), 2u);
  EXPECT_EQ(both[0].data, row.data);
  EXPECT_EQ(both[1].ts_ms, 6);
  log->stop();
}

TEST_F(SqliteEventLogTest, AKeyWhoseRowIsDamagedRefusesItsBatch) {
  const std::vector<model::Event> batch = {test_event("account:1/site:1/device:1", 1)};
  {
    auto log = started();
    for (const char text : {'k', 'l'}) ASSERT_TRUE(append_once_and_wait(*log, test_once('a', text, 7), batch).ok());
    log->stop();
  }
  {
    Result<Database> file = Database::open(hour_file_path(logs.directory, hour_of({kStart, 0})), OpenMode::read_write);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->execute("UPDATE once SET content = 8 WHERE substr(key, 9, 1) = CAST('k' AS BLOB)").ok());
  }
  auto log = started();
  EXPECT_EQ(append_once_and_wait(*log, test_once('a', 'k', 7), batch).error().code, Code::corrupt);
  EXPECT_TRUE(append_once_and_wait(*log, test_once('a', 'l', 7), batch)->repeated.has_value());
  EXPECT_EQ(read_all(*log).size(), 2u);
  log->stop();
}

TEST_F(SqliteEventLogTest, AKeyGoesWithTheFileOfItsBatch) {
  const std::vector<model::Event> batch = {test_event("account:1/site:1/device:1", 1)};
  {
    auto log = started();
    ASSERT_TRUE(append_once_and_wait(*log, test_once('a', 'k', 7), batch).ok());
    log->stop();
  }
  std::ofstream(hour_file_path(logs.directory, hour_of({kStart, 0})), std::ios::in | std::ios::out | std::ios::binary)
      << "this is no database, it only looks like a file";
  logs.clock.advance_ms(1000);
  auto log = started();
  EXPECT_FALSE(append_once_and_wait(*log, test_once('a', 'k', 7), batch)->repeated) << "its events are lost as well";
  EXPECT_EQ(read_all(*log).size(), 1u);
  log->stop();
}

// Page by page: whatever does not come lies in a part that one of the pages names, and nothing that came is named.
void expect_all_told(EventLog& log, ReadRequest request, const std::vector<model::EventId>& stored) {
  std::vector<model::EventId> came;
  std::vector<IdRange> parts;
  for (bool more = true; more;) {
    const Result<ReadPage> page = log.read(request);
    ASSERT_TRUE(page.ok());
    more = page->more;
    for (const model::Event& event : page->events) came.push_back(event.id);
    for (const auto& [ids, why] : page->missing) {
      if (why == Missing::Why::damaged) parts.push_back(ids);
      EXPECT_TRUE(request.order == Order::descending || !more || ids.after < page->scanned_to);
      EXPECT_TRUE(request.order == Order::ascending || !more || ids.to >= page->scanned_to);
    }
    if (request.order == Order::ascending) {
      request.after = page->scanned_to;
    } else {
      request.until = model::EventId::from_packed(page->scanned_to.packed() - 1);
    }
  }
  std::sort(came.begin(), came.end());
  EXPECT_LT(came.size(), stored.size());
  EXPECT_FALSE(parts.empty());
  for (const model::EventId id : stored) {
    const bool is_told = std::any_of(parts.begin(), parts.end(), [&](const IdRange& part) {
      return overlap(part, {.after = model::EventId::from_packed(id.packed() - 1), .to = id});
    });
    EXPECT_TRUE(is_told || std::binary_search(came.begin(), came.end(), id)) << id.text();
  }
}

TEST_F(SqliteEventLogTest, AFlippedBitInAChunkLosesThatDevicesWindowAndSaysSo) {
  logs.sealing = {.age_ms = 0, .events_of_a_device = 1, .events_min = 1};
  std::mt19937_64 random(5);
  std::vector<model::EventId> stored;
  {
    auto log = started();
    ASSERT_TRUE(append_and_wait(*log, random_events(random, 2000)).ok());
    wait_until_sealed(2000);
    stored = ids_of(read_all(*log));
    log->stop();
  }
  std::string damaged;
  {
    Result<Database> file = Database::open(hour_file_path(logs.directory, hour_of({kStart, 0})), OpenMode::read_write);
    ASSERT_TRUE(file.ok());
    ASSERT_TRUE(file->execute("UPDATE chunk SET data = CAST(substr(data, 1, 30) || x'00' || substr(data, 32) AS BLOB)"
                              " WHERE id = 40")
                    .ok());
    ASSERT_TRUE(file->each_row("SELECT text FROM topic WHERE id = (SELECT topic FROM chunk WHERE id = 40)",
                               [&](const Statement& row) {
                                 damaged = row.bytes(0);
                                 return Status();
                               })
                    .ok());
  }
  auto log = started();
  const size_t left = read_all(*log, {.events_max = 5000}).size();
  EXPECT_LT(left, 2000u);
  EXPECT_GT(left, 1900u);
  for (const Order order : {Order::ascending, Order::descending}) {
    expect_all_told(*log, {.order = order, .events_max = 5000}, stored);
    expect_all_told(*log, {.order = order, .events_max = 70}, stored);
  }

  const auto missing_of_samples = [&](const std::string& device, int64_t end_ms) {
    LastWrites got;
    const auto missing = log->read_samples({.topic = *model::Topic::parse(device),
                                            .start_ms = kStart - kHourMs,
                                            .end_ms = end_ms,
                                            .ids = {.to = log->last_id()}},
                                           got);
    EXPECT_TRUE(missing.ok());
    return std::count_if(missing->begin(), missing->end(),
                         [](const Missing& part) { return part.why == Missing::Why::damaged; });
  };
  EXPECT_EQ(missing_of_samples(damaged, kStart + 1), 1);
  EXPECT_EQ(missing_of_samples(damaged, kStart - kHourMs / 2), 0) << "the chunk holds no such times";
  const std::string sound = damaged.ends_with("7") ? "account:1/site:1/device:8" : "account:1/site:1/device:7";
  EXPECT_EQ(missing_of_samples(sound, kStart + 1), 0);

  EXPECT_EQ(counted("millstream_log_damaged_rows_total"), 2000 - left) << "once, however often they are read";
  log->stop();
}

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
  auto log = started();
  fill(*log, 10, kHourMs);
  reader.wait_for_batches(15);
  size_t hours = 0;
  for (const std::string& name : logs.files()) hours += parse_hour_file_name(name).has_value();
  EXPECT_GE(hours, 3u);
  EXPECT_LE(hours, 5u);
  log->stop();
}

class Retention : public SqliteEventLogTest {
 protected:
  void wait_for_housekeeping() { reader.wait_for_batches(12); }  // more than a second of ticks
  size_t hours() const {
    const std::vector<std::string> names = logs.files();
    return static_cast<size_t>(std::count_if(
        names.begin(), names.end(), [](const std::string& name) { return parse_hour_file_name(name).has_value(); }));
  }
  bool reports(const std::string& line) const {
    return logs.metrics.back()->prometheus_text().find("\n" + line + "\n") != std::string::npos;
  }
};

TEST_F(Retention, NothingIsUnlinkedForAClockThatLeapsADayAhead) {
  auto log = started();
  fill(*log, 5, kHourMs);
  wait_for_housekeeping();
  ASSERT_EQ(hours(), 5u);
  ASSERT_TRUE(append_once_and_wait(*log, test_once('a', 'k', 7), {test_event("account:1/site:1/device:1", 1)}).ok());
  const int64_t right_ms = logs.clock.wall_ms();
  logs.clock.set_wall_ms(right_ms + 3 * kDayMs);
  wait_for_housekeeping();
  EXPECT_EQ(hours(), 6u);
  EXPECT_TRUE(reports("millstream_log_clock_leaps_total 1"));
  EXPECT_TRUE(append_once_and_wait(*log, test_once('a', 'k', 7), {}).ok()) << "nor is a key forgotten";
  log->stop();
  log = started();  // a restart does not believe it either
  wait_for_housekeeping();
  EXPECT_EQ(hours(), 6u);
  logs.clock.set_wall_ms(right_ms);
  wait_for_housekeeping();
  EXPECT_EQ(read_all(*log).size(), 6u) << "the clock is right again, and all is there";
  log->stop();
}

TEST_F(Retention, WhatWasStoredBeforeALeapGoesWhenItsTimeIsOver) {
  auto log = started();
  fill(*log, 5, kHourMs);
  logs.clock.set_wall_ms(logs.clock.wall_ms() + kDayMs);
  wait_for_housekeeping();
  ASSERT_EQ(hours(), 5u);
  logs.clock.advance_ms(kDayMs - 2 * kHourMs);
  wait_for_housekeeping();
  EXPECT_LT(hours(), 5u) << "it goes on by the steady clock";
  EXPECT_GT(hours(), 0u);
  logs.clock.advance_ms(2 * kHourMs);
  wait_for_housekeeping();
  EXPECT_EQ(hours(), 0u);
  log->stop();
}

TEST_F(Retention, WhatALongPauseMadeOldGoesAnHourAfterTheStart) {
  auto log = started();
  fill(*log, 5, kHourMs);
  log->stop();
  logs.clock.advance_ms(3 * kDayMs);
  log = started();
  wait_for_housekeeping();
  EXPECT_EQ(hours(), 5u);
  EXPECT_TRUE(read_all(*log).empty()) << "it is not shown any more";
  logs.clock.advance_ms(kHourMs);
  wait_for_housekeeping();
  EXPECT_EQ(hours(), 0u);
  EXPECT_TRUE(reports("millstream_log_clock_leaps_total 0"));
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

class LostHours : public SqliteEventLogTest {
 protected:
  LostHours() {
    auto log = started();
    for (int i = 0; i < 6; ++i) {
      EXPECT_TRUE(append_and_wait(*log, {test_event("account:1/site:1/device:1", i)}).ok());
      logs.clock.advance_ms(kHourMs / 2);
      if (i == 2) older = copy_of(1);
    }
    log->stop();
  }
  std::string path(int64_t hour) const { return hour_file_path(logs.directory, hour_of({kStart, 0}) + hour); }
  std::string copy_of(int64_t hour) const {
    std::ifstream in(path(hour), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  // What is read, and what is said to be missing after the first two hours.
  void expect_declared(size_t events, int64_t hour) {
    auto log = logs.open();
    ASSERT_TRUE(log->start().ok());
    EXPECT_EQ(read_all(*log).size(), events);
    const Result<ReadPage> page = log->read({.after = {kStart, 0}, .events_max = 100});
    ASSERT_TRUE(page.ok() && !page->missing.empty());
    EXPECT_EQ(hour_of(page->missing.front().ids.to), hour_of({kStart, 0}) + hour);
    EXPECT_TRUE(logs.metrics.back()->prometheus_text().find("millstream_log_damaged_files_total 1") !=
                std::string::npos);
    log->stop();
  }
  void remove_damaged() const {
    for (const std::string& name : logs.files()) {
      if (name.find(".damaged-") != std::string::npos) std::filesystem::remove(logs.directory + "/" + name);
    }
  }
  std::string older;  // the second hour's file while it was written
};

TEST_F(LostHours, AFileWhoseTablesAreCalledOtherwiseIsDeclared) {
  for (const std::string word : {"ts INTEGER NOT NULL, conclusion", "span INTEGER", "CREATE TABLE block"}) {
    SCOPED_TRACE(word);
    const std::string sound = copy_of(1);
    const size_t at = sound.find(word);
    ASSERT_NE(at, std::string::npos);
    std::string damaged = sound;
    damaged[at + word.find_first_of("tsb")] ^= 0x10;
    std::ofstream(path(1), std::ios::binary) << damaged;
    expect_declared(4, 1);
    remove_damaged();
    std::ofstream(path(1), std::ios::binary) << sound;
  }
}

TEST_F(LostHours, AFileThatIsGoneOrEmptyIsDeclared) {
  std::filesystem::remove(path(1));
  expect_declared(4, 1);
  std::ofstream(path(2), std::ios::binary).flush();
  std::filesystem::remove(path(1));
  auto log = logs.open();
  ASSERT_TRUE(log->start().ok());
  EXPECT_EQ(read_all(*log).size(), 2u);
  log->stop();
}

TEST_F(LostHours, AFileCutOffWithinItsLastPageIsDeclared) {
  const std::string sound = copy_of(1);
  for (const size_t cut : {1, 100, 2000, 4095}) {
    SCOPED_TRACE(cut);
    std::ofstream(path(1), std::ios::binary) << sound.substr(0, sound.size() - cut);
    expect_declared(4, 1);
    remove_damaged();
  }
}

// As a kill leaves it: the file and its WAL, copied while the log runs; `damage` changes the WAL.
void copy_with_wal(const std::string& from, const std::string& to, const std::function<void(std::string&)>& damage) {
  std::filesystem::create_directories(to);
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    std::ifstream in(entry.path(), std::ios::binary);
    std::string bytes(std::istreambuf_iterator<char>(in), {});
    const std::string name = entry.path().filename();
    if (name.ends_with("-shm") || name == "lock") continue;
    if (name.starts_with("events-") && name.ends_with("-wal")) damage(bytes);
    std::ofstream(to + "/" + name, std::ios::binary) << bytes;
  }
}

TEST_F(SqliteEventLogTest, AWalThatLostItsEndIsDeclaredAlsoAtTheNextStart) {
  auto log = started();
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(append_and_wait(*log, {test_event("account:1/site:1/device:1", i)}).ok());
    logs.clock.advance_ms(10);
  }
  const std::string whole = logs.directory + "-whole";
  const std::string hurt = logs.directory + "-hurt";
  copy_with_wal(logs.directory, whole, [](std::string&) {});
  copy_with_wal(logs.directory, hurt, [](std::string& wal) { wal[wal.size() / 2] ^= 1; });
  log->stop();
  const std::string original = std::exchange(logs.directory, whole);
  for (const std::string& directory : {whole, hurt, hurt}) {
    logs.directory = directory;
    auto again = logs.open();
    ASSERT_TRUE(again->start().ok());
    const Result<ReadPage> page = again->read({.after = {kStart, 0}, .events_max = 1000});
    ASSERT_TRUE(page.ok());
    EXPECT_EQ(!page->missing.empty(), directory == hurt);
    EXPECT_EQ(page->events.size() == 50, directory == whole);
    again->stop();
  }
  std::filesystem::remove_all(whole);
  std::filesystem::remove_all(hurt);
  logs.directory = original;
}

TEST_F(LostHours, ADamagedHourIsDeclaredToWhoeverReadsIt) {
  std::ofstream(path(1), std::ios::in | std::ios::out | std::ios::binary) << "this is no database";
  auto log = logs.open();
  ASSERT_TRUE(log->start().ok());
  const int64_t hour = hour_of({kStart, 0}) + 1;
  const auto expect_the_hour = [&](const std::vector<Missing>& missing) {
    ASSERT_FALSE(missing.empty());
    const Missing& last = missing.back();
    EXPECT_EQ(last.why, Missing::Why::damaged);
    EXPECT_EQ(last.ids.after, ids_of_hour(hour).after);
    EXPECT_EQ(last.ids.to, ids_of_hour(hour).to);
    if (missing.size() > 1) {
      EXPECT_EQ(missing[0].why, Missing::Why::before_log);
    }
  };
  for (const Order order : {Order::ascending, Order::descending}) {
    expect_the_hour(log->read({.order = order})->missing);
    EXPECT_TRUE(log->read({.after = last_id_of_hour(hour), .order = order})->missing.empty());
    EXPECT_TRUE(log->read({.after = {kStart, 0}, .until = last_id_of_hour(hour - 1), .order = order})->missing.empty());
  }
  EXPECT_TRUE(log->read({.order = Order::descending, .events_max = 1})->missing.empty()) << "not read so far";
  const auto samples_of = [&](int64_t of_hour) {
    LastWrites got;
    const int64_t start_ms = of_hour * kHourMs;
    return *log->read_samples({.topic = *model::Topic::parse("account:1/site:1/device:1"),
                               .start_ms = start_ms,
                               .end_ms = start_ms + kHourMs,
                               .ids = {.to = log->last_id()}},
                              got);
  };
  expect_the_hour(samples_of(hour));
  EXPECT_TRUE(samples_of(hour + 1).empty());
  log->stop();
}

TEST_F(SqliteEventLogTest, AFileThatIsFoundDamagedWhileItIsServedIsCountedOnce) {
  {
    auto log = started();
    const std::string data = R"({"kind":"x","text":")" + std::string(500, 'y') + "\"}";
    const model::Event event = test_event("account:1/site:1/device:1", kStart, data, model::EventType::system);
    ASSERT_TRUE(append_and_wait(*log, std::vector<model::Event>(400, event)).ok());
    logs.clock.advance_ms(2 * kHourMs);
    ASSERT_TRUE(append_and_wait(*log, {event}).ok());
    log->stop();
  }
  const std::string path = hour_file_path(logs.directory, hour_of({kStart, 0}));
  const auto half = static_cast<std::streamoff>(std::filesystem::file_size(path) / 2);
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(half);
  file << std::string(8192, 'x');
  file.close();
  auto log = started();  // of an hour that is over it looks at the ends only
  EXPECT_EQ(counted("millstream_log_damaged_files_total"), 0u);
  for (int i = 0; i < 5; ++i) {
    const Result<ReadPage> page = log->read({.after = {kStart, 0}, .events_max = 1000});
    ASSERT_TRUE(page.ok());
    ASSERT_EQ(page->missing.size(), 1u);
    EXPECT_EQ(hour_of(page->missing.front().ids.to), hour_of({kStart, 0}));
  }
  EXPECT_EQ(counted("millstream_log_damaged_files_total"), 1u);
  log->stop();
}

TEST_F(LostHours, AnOlderCopyIsDeclared) {
  ASSERT_FALSE(older.empty());
  std::ofstream(path(1), std::ios::binary) << older;
  auto log = logs.open();
  ASSERT_TRUE(log->start().ok());
  EXPECT_LT(read_all(*log).size(), 6u);
  EXPECT_FALSE(log->read({.after = {kStart, 0}, .events_max = 100})->missing.empty());
  log->stop();
}

TEST_F(LostHours, AnotherHoursFileIsSetAside) {
  std::filesystem::copy_file(path(0), path(1), std::filesystem::copy_options::overwrite_existing);
  auto log = logs.open();
  ASSERT_TRUE(log->start().ok());
  EXPECT_EQ(read_all(*log).size(), 4u);
  EXPECT_FALSE(log->read({.after = {kStart, 0}, .events_max = 100})->missing.empty());
  log->stop();
}

TEST_F(SqliteEventLogTest, OverAnyFlippedBitAReaderGetsOn) {
  {
    auto log = started();
    for (int i = 0; i < 100; ++i) {
      ASSERT_TRUE(
          append_and_wait(*log, {test_event("account:1/site:1/device:1", i, R"({"n":1})", model::EventType::system)})
              .ok());
    }
    log->stop();
  }
  const std::string path = hour_file_path(logs.directory, hour_of({kStart, 0}));
  std::string bytes;
  {
    std::ifstream in(path, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(in), {});
  }
  std::mt19937_64 random(3);
  for (int round = 0; round < 60; ++round) {
    std::string damaged = bytes;
    damaged[4096 + random() % (damaged.size() - 4096)] ^= static_cast<char>(1 << random() % 8);
    std::ofstream(path, std::ios::binary) << damaged;
    auto log = logs.open();
    ASSERT_TRUE(log->start().ok());
    model::EventId after;
    for (int pages = 0; pages < 300; ++pages) {  // as a replay goes on over what is missing
      const Result<ReadPage> page = log->read({.after = after, .events_max = 10});
      ASSERT_TRUE(page.ok());
      for (const auto& [ids, why] : page->missing) {
        ASSERT_GE(ids.after, after);
        ASSERT_GT(ids.to, ids.after);
      }
      ASSERT_LT(pages, 299) << "no end";
      const bool goes_on = page->missing.empty();
      if (!goes_on && page->missing.front().ids.after <= after) {
        after = page->missing.front().ids.to;
        continue;
      }
      if (!page->more) break;
      after = goes_on ? page->scanned_to : page->missing.front().ids.after;
    }
    log->stop();
    for (const std::string& name : logs.files()) {
      if (name.find("damaged") != std::string::npos) std::filesystem::remove(logs.directory + "/" + name);
    }
  }
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
  ASSERT_TRUE(page.ok() && page->missing.size() == 1);
  const IdRange& lost = page->missing.front().ids;
  EXPECT_EQ(lost.to.packed(), lost.after.packed() + 1);
  EXPECT_LT(page->events[75].id, lost.to);
  EXPECT_LT(lost.to, page->events[76].id);
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
