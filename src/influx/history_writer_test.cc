#include "influx/history_writer.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <random>

#include "influx/testing.h"

namespace millstream::influx {
namespace {

using testing::Database;
using testing::telemetry;
using testing::TempDirectory;

// A log in memory, with the position that is kept beside it.
class MemorySource final : public HistorySource {
 public:
  Result<HistoryPage> read(model::EventId after, model::EventId until, size_t events_max) override {
    if (fails) return Error{Code::unavailable, "no"};
    ++reads;
    HistoryPage page{.events = {}, .to = until};
    for (const model::Event& event : events) {
      if (event.id <= after || event.id > until) continue;
      if (page.events.size() == events_max) {
        page.more = true;
        page.to = page.events.back().id;
        break;
      }
      page.events.push_back(event);
      page.events.back().fields.clear();
    }
    return page;
  }
  Result<std::optional<model::EventId>> load() override { return position; }
  void save(model::EventId at) override { position = at; }
  model::EventId last_id() const override { return events.empty() ? model::EventId() : events.back().id; }

  std::vector<model::Event> events;
  std::optional<model::EventId> position;
  int reads = 0;
  bool fails = false;
};

class HistoryWriterTest : public ::testing::Test {
 protected:
  HistoryWriterTest() {
    options_.spool = {.directory = directory_ / "spool", .bytes_max = 1 << 20};
    options_.dead_letters_path = directory_ / "dead.lp";
    open();
  }
  // As after a crash: nothing but the disk and the log is left of the writer before.
  void open() {
    writer_.reset();
    client_ = std::make_unique<InfluxClient>(client_options_, testing::transport_to(database_));
    writer_ =
        std::make_unique<HistoryWriter>(options_, *client_, source_, clock_, metrics_, [this] { return may_write_; });
    ASSERT_TRUE(writer_->open().ok());
  }
  // Into the log, and to the writer when it listens.
  void commit(std::vector<model::Event> events, bool heard = true) {
    for (const model::Event& event : events) source_.events.push_back(event);
    const model::EventId through = events.back().id;
    auto shared = std::make_shared<const std::vector<model::Event>>(std::move(events));
    if (heard) writer_->on_commit(std::move(shared), through);
  }
  void commit(int64_t from, int64_t to, bool heard = true) {
    std::vector<model::Event> events;
    for (int64_t n = from; n <= to; ++n) events.push_back(telemetry(n));
    commit(std::move(events), heard);
  }
  void turn_until_idle() {
    for (int i = 0; i < 10'000 && writer_->turn() == 0; ++i) {
    }
  }
  // Lets time pass, as the writer's thread would.
  void run_for(int64_t ms) {
    for (const int64_t end = clock_.steady_ms() + ms; clock_.steady_ms() < end;) {
      turn_until_idle();
      clock_.advance_ms(50);
    }
    turn_until_idle();
  }
  void answer(int status, int times = 1, std::optional<int64_t> retry_after_ms = {}) {
    for (int i = 0; i < times; ++i) {
      database_.answers.push_back(HttpReply{.status = status, .body = "", .retry_after_ms = retry_after_ms});
    }
  }
  std::string dead_letters() {
    std::ifstream in(options_.dead_letters_path);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  TempDirectory directory_;
  ManualClock clock_{1'000'000};
  metrics::Registry metrics_;
  Database database_;
  MemorySource source_;
  WriterOptions options_;
  ClientOptions client_options_{.version = ClientOptions::Version::v2};  // which prepares nothing
  bool may_write_ = true;
  std::unique_ptr<InfluxClient> client_;
  std::unique_ptr<HistoryWriter> writer_;
};

TEST_F(HistoryWriterTest, WritesWhatIsCommittedInOneBatchAfterASecond) {
  turn_until_idle();
  for (int64_t n = 1; n <= 10; ++n) commit(n, n);
  turn_until_idle();
  EXPECT_EQ(database_.writes(), 0u);
  run_for(1'000);
  EXPECT_EQ(database_.writes(), 1u);
  EXPECT_EQ(database_.points.size(), 10u);
  EXPECT_EQ(writer_->state().written, 10u);
  EXPECT_EQ(writer_->state().position, (model::EventId{1'000'010, 0}));
  EXPECT_EQ(source_.reads, 0);
}

TEST_F(HistoryWriterTest, SendsAFullBatchAtOnce) {
  options_.lines_max = 4;
  open();
  turn_until_idle();
  commit(1, 10);
  turn_until_idle();
  EXPECT_EQ(database_.points.size(), 8u);
}

TEST_F(HistoryWriterTest, ReadsWhatHappenedBeforeItFromTheLog) {
  options_.events_per_page = 7;
  open();
  commit(1, 50, false);
  run_for(2'000);
  EXPECT_EQ(database_.points.size(), 50u);
  EXPECT_EQ(source_.position, source_.last_id());
}

TEST_F(HistoryWriterTest, GoesOnBehindItsPosition) {
  commit(1, 5, false);
  source_.position = model::EventId{1'000'003, 0};
  run_for(2'000);
  EXPECT_EQ(database_.lines_taken, 2u);
}

TEST_F(HistoryWriterTest, ReadsFromTheLogWhatItsInboxCouldNotHold) {
  options_.inbox_events_max = 10;
  open();
  turn_until_idle();
  for (int64_t n = 1; n <= 100; n += 5) commit(n, n + 4);
  run_for(2'000);
  EXPECT_EQ(database_.points.size(), 100u);
  EXPECT_EQ(database_.lines_taken, 100u);
  EXPECT_GT(source_.reads, 0);
}

TEST_F(HistoryWriterTest, SpoolsAnOutageAndDrainsItOldestFirst) {
  turn_until_idle();
  answer(503, 1000);
  for (int64_t n = 1; n <= 20; ++n) {
    commit(n, n);
    run_for(1'000);
  }
  EXPECT_EQ(writer_->state().health, WriterState::Health::retrying);
  EXPECT_GT(writer_->state().spooled_batches, 5);
  EXPECT_EQ(writer_->state().position, source_.last_id());
  EXPECT_LT(database_.writes(), 20u);  // it backs off
  database_.answers.clear();
  database_.requests.clear();
  run_for(31'000);
  EXPECT_EQ(database_.points.size(), 20u);
  EXPECT_EQ(writer_->state().spooled_bytes, 0);
  EXPECT_EQ(writer_->state().health, WriterState::Health::ok);
  EXPECT_EQ(database_.writes(), 1u);  // all batches together
}

TEST_F(HistoryWriterTest, ComesBackNoEarlierThanAsked) {
  turn_until_idle();
  answer(429, 1, 20'000);
  commit(1, 1);
  run_for(1'000);
  EXPECT_EQ(database_.writes(), 1u);
  run_for(19'000);
  EXPECT_EQ(database_.writes(), 1u);
  run_for(1'100);
  EXPECT_EQ(database_.points.size(), 1u);
}

TEST_F(HistoryWriterTest, KeepsWhatACredentialIsRefusedFor) {
  turn_until_idle();
  answer(401, 2);
  commit(1, 3);
  run_for(10'500);
  EXPECT_EQ(database_.writes(), 2u);
  EXPECT_EQ(writer_->state().health, WriterState::Health::refused);
  run_for(1'500);
  EXPECT_EQ(database_.points.size(), 3u);
  EXPECT_EQ(writer_->state().health, WriterState::Health::ok);
  EXPECT_EQ(writer_->state().dropped, 0u);
}

TEST_F(HistoryWriterTest, MakesTheDatabaseAgainWhenItIsGone) {
  client_options_.version = ClientOptions::Version::v1;
  open();
  turn_until_idle();
  commit(1, 1);
  run_for(1'000);
  database_.answers.push_back(HttpReply{.status = 404, .body = R"({"error":"database not found: \"millstream\""})"});
  commit(2, 2);
  run_for(3'000);
  EXPECT_EQ(database_.points.size(), 2u);
  EXPECT_EQ(database_.requests.size() - database_.writes(), 2u);  // CREATE DATABASE twice
}

TEST_F(HistoryWriterTest, SurvivesAKillDuringAnOutage) {
  turn_until_idle();
  answer(503, 1000);
  commit(1, 10);
  run_for(3'000);
  open();
  commit(11, 20);
  run_for(3'000);
  database_.answers.clear();
  open();
  run_for(3'000);
  EXPECT_EQ(database_.points.size(), 20u);
  EXPECT_EQ(writer_->state().spooled_bytes, 0);
}

TEST_F(HistoryWriterTest, SetsPoisonAsideWithTheReason) {
  turn_until_idle();
  database_.refuse = [](const model::Point& point) { return point.device == "bad" ? "no such thing" : ""; };
  commit({telemetry(1), telemetry(2, {{"T1", "x"}}, "bad"), telemetry(3)});
  run_for(1'000);
  EXPECT_EQ(database_.points.size(), 2u);
  EXPECT_EQ(writer_->state().poisoned, 1u);
  EXPECT_EQ(writer_->state().written, 2u);
  EXPECT_EQ(writer_->state().spooled_bytes, 0);
  EXPECT_EQ(dead_letters(),
            "# 1970-01-01T00:16:41.000Z partial write: no such thing dropped=1\n"
            "telemetry,account=a,device=bad,site=s T1=\"x\" 1000002\n");
}

TEST_F(HistoryWriterTest, SaysWhatItGaveUpWhenTheSpoolWasFull) {
  options_.spool.bytes_max = 2'000;
  open();
  turn_until_idle();
  answer(503, 1000);
  for (int64_t n = 1; n <= 60; ++n) {
    commit(n, n);
    run_for(1'000);
  }
  const WriterState full = writer_->state();
  EXPECT_LE(full.spooled_bytes, 2'000);
  EXPECT_GT(full.dropped, 0u);
  ASSERT_FALSE(full.missing.empty());
  EXPECT_EQ(full.missing.front().why, "size");
  database_.answers.clear();
  run_for(31'000);
  EXPECT_EQ(database_.points.size() + full.dropped, 60u);
}

TEST_F(HistoryWriterTest, GivesUpWhatIsTooOldButNotForAClockThatLeaps) {
  options_.spool.age_ms_max = 3'600'000;
  open();
  turn_until_idle();
  answer(503, 100'000);
  commit(1, 3);
  run_for(1'000);
  const int64_t wall_ms = clock_.wall_ms();
  clock_.set_wall_ms(wall_ms + 24 * 3'600'000);
  run_for(2'000);
  EXPECT_GT(writer_->state().spooled_bytes, 0);
  clock_.set_wall_ms(wall_ms + 2'000);
  clock_.advance_ms(3'600'000);
  turn_until_idle();
  EXPECT_EQ(writer_->state().spooled_bytes, 0);
  EXPECT_EQ(writer_->state().dropped, 3u);
  EXPECT_EQ(writer_->state().missing.at(0).why, "age");
}

TEST_F(HistoryWriterTest, LeavesInTheLogWhatNeitherInfluxDbNorTheSpoolTakes) {
  options_.lines_max = 5;
  options_.inbox_events_max = 20;
  open();
  turn_until_idle();
  answer(503, 1'000);
  std::filesystem::remove_all(options_.spool.directory);  // no file can be made in it
  for (int64_t n = 1; n <= 100; n += 10) commit(n, n + 9);
  run_for(10'000);
  EXPECT_EQ(writer_->state().position, model::EventId());
  std::filesystem::create_directory(options_.spool.directory);
  database_.answers.clear();
  run_for(40'000);
  EXPECT_EQ(database_.points.size(), 100u);
  EXPECT_EQ(writer_->state().position, source_.last_id());
  EXPECT_EQ(writer_->state().dropped, 0u);
}

TEST_F(HistoryWriterTest, DoesNotHurryThePastIntoTheSpool) {
  options_.spool.bytes_max = 20'000;
  options_.events_per_page = 10;
  options_.lines_max = 10;
  open();
  commit(1, 1'000, false);
  answer(503, 10'000);
  run_for(60'000);
  EXPECT_EQ(writer_->state().dropped, 0u);
  EXPECT_GT(writer_->state().spooled_bytes, 5'000);
  database_.answers.clear();
  run_for(60'000);
  EXPECT_EQ(database_.points.size(), 1'000u);
}

TEST_F(HistoryWriterTest, WaitsForTheLeaseAndGoesOnWhereTheOtherWas) {
  may_write_ = false;
  commit(1, 10);
  run_for(5'000);
  EXPECT_EQ(database_.writes(), 0u);
  source_.position = model::EventId{1'000'006, 0};
  may_write_ = true;
  run_for(2'000);
  EXPECT_EQ(database_.lines_taken, 4u);
  may_write_ = false;
  run_for(1'000);
  commit(11, 12);
  run_for(2'000);
  EXPECT_EQ(database_.lines_taken, 4u);
}

TEST_F(HistoryWriterTest, TriesAgainWhenTheLogCannotBeRead) {
  commit(1, 3, false);
  source_.fails = true;
  run_for(3'000);
  source_.fails = false;
  run_for(3'000);
  EXPECT_EQ(database_.points.size(), 3u);
}

TEST_F(HistoryWriterTest, OnItsOwnThreadWritesAllAndStops) {
  writer_.reset();
  const SystemClock clock;
  for (int64_t n = 1; n <= 200; ++n) source_.events.push_back(telemetry(n));
  HistoryWriter writer(options_, *client_, source_, clock, metrics_);
  ASSERT_TRUE(writer.start().ok());
  for (int64_t n = 101; n <= 200; ++n) {
    writer.on_commit(std::make_shared<const std::vector<model::Event>>(1, telemetry(n)), {1'000'000 + n, 0});
  }
  writer.stop();
  // What was still in the log is for the next process.
  EXPECT_EQ(database_.points.size(), static_cast<size_t>(writer.state().position.ms - 1'000'000));
}

// Whatever fails, and wherever the process is killed: in the end every point is there, and none is given up.
TEST_F(HistoryWriterTest, LosesNothingWhateverHappens) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  options_.lines_max = 16;
  options_.inbox_events_max = 40;
  options_.events_per_page = 9;
  open();
  int64_t n = 0;
  for (int step = 0; step < 400; ++step) {
    switch (random() % 8) {
      case 0: answer(random() % 2 == 0 ? 503 : 429, static_cast<int>(random() % 4), 1'000); break;
      case 1: database_.answers.push_back(Error{Code::unavailable, "broken off"}); break;
      case 2:
        if (random() % 4 == 0) open();
        break;
      case 3: source_.fails = !source_.fails; break;
      case 4: may_write_ = random() % 4 != 0; break;
      default: {
        const auto count = static_cast<int64_t>(random() % 30);
        if (count > 0) commit(n + 1, n + count);
        n += count;
      }
    }
    run_for(static_cast<int64_t>(random() % 1'000));
  }
  database_.answers.clear();
  source_.fails = false;
  may_write_ = true;
  run_for(120'000);
  EXPECT_EQ(database_.points.size(), static_cast<size_t>(n));
  EXPECT_EQ(writer_->state().dropped, 0u);
  EXPECT_EQ(writer_->state().spooled_bytes, 0);
  EXPECT_EQ(writer_->state().position, source_.last_id());
}

}  // namespace
}  // namespace millstream::influx
