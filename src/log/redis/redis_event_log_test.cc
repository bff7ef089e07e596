#include "log/redis/redis_event_log.h"

#include <gtest/gtest.h>
#include <poll.h>

#include <random>

#include "log/event_log_contract.h"
#include "log/redis/redis_store.h"
#include "redis/testing.h"

namespace millstream::log {
namespace {

constexpr int64_t kStart = 1'770'000'000'000;

redis::testing::RedisServer& shared_server() {
  static redis::testing::RedisServer server;
  static const bool started = server.start();
  EXPECT_TRUE(started);
  return server;
}

// Each has a log of its own in one Redis.
struct RedisLogs {
  std::unique_ptr<EventLog> open() { return open_log(); }
  std::unique_ptr<RedisEventLog> open_log() {
    metrics.push_back(std::make_unique<metrics::Registry>());
    return make_redis_event_log(options(), clock, *metrics.back());
  }
  RedisEventLogOptions options() const {
    return {.server = *redis::parse_url(shared_server().url()),
            .prefix = prefix,
            .retention_ms = retention_ms,
            .append_queue_events_max = append_queue_events_max,
            .tick_interval_ms = 100,
            .once_keys_max = once_keys_max,
            .ids_by_clock = true};
  }

  std::string prefix = "log-" + std::to_string(std::random_device{}());
  ManualClock clock{kStart};
  int64_t retention_ms = kDayMs;
  size_t append_queue_events_max = 100'000;
  size_t once_keys_max = kOnceKeysMax;
  std::vector<std::unique_ptr<metrics::Registry>> metrics;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Redis, EventLogContract, RedisLogs);

const std::string kDevice = "account:1/site:1/device:1";

// A reader that notes losses beside events, in the order it hears of them.
class LossReader final : public CommitReader {
 public:
  void on_commit(const CommittedBatchPtr& batch) override {
    std::lock_guard lock(mu_);
    for (const model::Event& event : batch->events) said_.push_back(event.data);
    for (const IdRange& lost : batch->lost) {
      said_.push_back("lost");
      lost_.push_back(lost);
    }
    EXPECT_GE(batch->through, through_);
    through_ = batch->through;
    changed_.notify_all();
  }
  std::vector<std::string> wait_for(size_t things) {
    std::unique_lock lock(mu_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return said_.size() >= things; });
    return said_;
  }
  std::vector<IdRange> lost() const {
    std::lock_guard lock(mu_);
    return lost_;
  }

 private:
  mutable std::mutex mu_;
  std::condition_variable changed_;
  std::vector<std::string> said_;
  std::vector<IdRange> lost_;
  model::EventId through_;
};

// A Redis of its own, that may go away, and several instances on it, by its clock.
class RedisEventLogTest : public ::testing::Test {
 protected:
  std::unique_ptr<RedisEventLog> open(CommitReader& reader) {
    RedisEventLogOptions own = options;
    own.server = *redis::parse_url(server.url());
    metrics.push_back(std::make_unique<metrics::Registry>());
    auto log = make_redis_event_log(own, clock, *metrics.back());
    log->add_reader(reader);
    EXPECT_TRUE(log->start().ok());
    return log;
  }
  Result<AppendReceipt> append(EventLog& log, const std::string& data) {
    return append_and_wait(log, {test_event(kDevice, 1, data)});
  }
  void wait_for_storage(EventLog& log, Storage storage) {
    for (int i = 0; i < 2000 && log.storage() != storage; ++i) ::poll(nullptr, 0, 5);
    ASSERT_EQ(log.storage(), storage);
  }

  redis::testing::RedisServer server;
  RedisEventLogOptions options{.tick_interval_ms = 50, .timeout_ms = 300, .append_patience_ms = 600};
  SystemClock clock;
  std::vector<std::unique_ptr<metrics::Registry>> metrics;
};

TEST_F(RedisEventLogTest, EveryInstanceHearsWhatEachAppendsInOneOrderAndUnderTheSameIds) {
  ASSERT_TRUE(server.start());
  RecordingReader here, there;
  auto one = open(here);
  auto other = open(there);
  std::vector<std::thread> appending;
  for (EventLog* log : {static_cast<EventLog*>(one.get()), static_cast<EventLog*>(other.get())}) {
    appending.emplace_back([&, log] {
      for (int i = 0; i < 200; ++i) ASSERT_TRUE(append(*log, std::to_string(i)).ok());
    });
  }
  for (std::thread& thread : appending) thread.join();
  for (int i = 0; i < 200 && (here.events().size() < 400 || there.events().size() < 400); ++i) here.wait_for_batches(1);
  EXPECT_EQ(here.events().size(), 400u);
  EXPECT_EQ(ids_of(here.events()), ids_of(there.events()));
  const std::vector<model::EventId> ids = ids_of(here.events());
  const std::vector<model::Event> read = read_all(*other, {.after = ids[99]});
  EXPECT_EQ(ids_of(read), std::vector<model::EventId>(ids.begin() + 100, ids.end())) << "resumed on the other one";
  one->stop();
  other->stop();
}

TEST_F(RedisEventLogTest, ARedisThatComesBackWithEverythingLosesAndDoublesNothing) {
  ASSERT_TRUE(server.start({"--appendonly", "yes", "--appendfsync", "no"}));
  options.append_patience_ms = 10'000;
  LossReader reader;
  auto log = open(reader);
  std::atomic<bool> over = false;
  size_t stored = 0;
  std::thread appending([&] {
    for (; !over; ++stored) ASSERT_TRUE(append(*log, std::to_string(stored)).ok());
  });
  for (int round = 0; round < 5; ++round) {
    ::poll(nullptr, 0, 150);
    server.kill9();
    ASSERT_TRUE(server.restart());
  }
  ::poll(nullptr, 0, 300);
  over = true;
  appending.join();
  std::vector<std::string> expected;
  for (size_t i = 0; i < stored; ++i) expected.push_back(std::to_string(i));
  EXPECT_GT(stored, 20u);
  EXPECT_EQ(reader.wait_for(stored), expected);
  EXPECT_TRUE(reader.lost().empty());
  log->stop();
}

TEST_F(RedisEventLogTest, ARedisThatComesBackEmptyIsALossThatEveryInstanceTellsOnce) {
  ASSERT_TRUE(server.start());
  LossReader here, there;
  auto one = open(here);
  auto other = open(there);
  const auto before = append(*one, "before");
  ASSERT_TRUE(before.ok());
  there.wait_for(1);
  server.kill9();
  wait_for_storage(*one, Storage::failing);
  const auto refused = append(*one, "refused");
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::unavailable);
  ASSERT_TRUE(server.restart());
  wait_for_storage(*one, Storage::ok);
  wait_for_storage(*other, Storage::ok);
  const auto after = append(*other, "after");
  ASSERT_TRUE(after.ok()) << after.error().detail;
  EXPECT_GT(after->first, before->last) << "ids go on";
  const std::vector<std::string> expected = {"before", "lost", "after"};
  for (LossReader* reader : {&here, &there}) {
    EXPECT_EQ(reader->wait_for(3), expected);
    ASSERT_EQ(reader->lost().size(), 1u);
    EXPECT_LE(reader->lost()[0].after, after->first);
    EXPECT_LT(reader->lost()[0].to, after->first);
  }
  const auto page = one->read({.after = {before->first.ms - 1, 0}});
  ASSERT_TRUE(page.ok());
  ASSERT_EQ(page->events.size(), 1u);
  ASSERT_FALSE(page->missing.empty());
  EXPECT_GE(page->missing.back().ids.to, before->last);
  LossReader late;
  auto third = open(late);
  EXPECT_TRUE(late.lost().empty()) << "who comes later has missed nothing";
  for (auto* log : {one.get(), other.get(), third.get()}) log->stop();
}

TEST_F(RedisEventLogTest, ARedisThatComesBackWithAnOlderStateIsALoss) {
  ASSERT_TRUE(server.start());
  LossReader reader;
  auto log = open(reader);
  const auto kept = append(*log, "kept");
  ASSERT_TRUE(kept.ok());
  redis::Client client(*redis::parse_url(server.url()));
  ASSERT_TRUE(client.run({"SAVE"}, 5000).ok());
  const auto gone = append(*log, "gone");
  ASSERT_TRUE(gone.ok());
  server.kill9();
  ASSERT_TRUE(server.restart());
  const std::vector<std::string> said = reader.wait_for(3);
  EXPECT_EQ(said, (std::vector<std::string>{"kept", "gone", "lost"}));
  const auto after = append(*log, "after");
  ASSERT_TRUE(after.ok());
  EXPECT_GT(after->first, gone->last);
  ASSERT_EQ(reader.lost().size(), 1u);
  EXPECT_EQ(reader.lost()[0].after, kept->last);
  EXPECT_GE(reader.lost()[0].to, gone->last);
  EXPECT_LT(reader.lost()[0].to, after->first);
  log->stop();
}

TEST_F(RedisEventLogTest, WhatARedisThatHungHasNotDoneInTimeItNeverDoes) {
  ASSERT_TRUE(server.start());
  LossReader reader;
  auto log = open(reader);
  ASSERT_TRUE(append(*log, "before").ok());
  server.pause();
  const auto refused = append(*log, "refused");
  ASSERT_FALSE(refused.ok());
  ::poll(nullptr, 0, static_cast<int>(options.timeout_ms));
  server.resume();
  wait_for_storage(*log, Storage::ok);
  ASSERT_TRUE(append(*log, "after").ok());
  EXPECT_EQ(reader.wait_for(2), (std::vector<std::string>{"before", "after"}));
  log->stop();
}

TEST_F(RedisEventLogTest, OnlyTheHolderOfTheLeaseConcludesAndEachConclusionIsStoredOnce) {
  ASSERT_TRUE(server.start());
  LossReader here, there;
  auto one = open(here);
  auto other = open(there);
  const redis::Options address = *redis::parse_url(server.url());
  RedisStore lease(address, options.prefix, 1000);
  const auto first = lease.take_or_renew_lease("one", 10'000, 0);
  ASSERT_TRUE(first.ok() && first->held);
  EXPECT_FALSE(lease.take_or_renew_lease("other", 10'000, 0)->held);
  one->hold(first->fence);
  const auto conclude = [](EventLog& log, uint64_t number) {
    model::Event event = test_event(kDevice, 1, "conclusion " + std::to_string(number));
    event.conclusion = number;
    return append_and_wait(log, {event});
  };
  ASSERT_TRUE(conclude(*one, 1).ok());
  ASSERT_TRUE(conclude(*one, 2).ok());
  ASSERT_TRUE(conclude(*one, 2).ok()) << "again: its answer may have been lost";
  ASSERT_TRUE(lease.release_lease("one").ok());
  const auto second = lease.take_or_renew_lease("other", 10'000, 0);
  ASSERT_TRUE(second.ok() && second->held);
  EXPECT_GT(second->fence, first->fence);
  EXPECT_GT(second->attended_until_ms, 0);
  other->hold(second->fence);
  const auto late = conclude(*one, 3);
  ASSERT_FALSE(late.ok());
  EXPECT_EQ(late.error().code, Code::conflict);
  ASSERT_TRUE(append(*one, "not a conclusion").ok());
  ASSERT_TRUE(conclude(*other, 2).ok()) << "what the one before had stored is not stored again";
  ASSERT_TRUE(conclude(*other, 3).ok());
  EXPECT_EQ(there.wait_for(4),
            (std::vector<std::string>{"conclusion 1", "conclusion 2", "not a conclusion", "conclusion 3"}));
  ASSERT_TRUE(lease.save_checkpoint("c", {.at = {7, 0}, .state = "new"}, second->fence).ok());
  EXPECT_EQ(lease.save_checkpoint("c", {.at = {6, 0}, .state = "old"}, first->fence).error().code, Code::conflict);
  EXPECT_EQ((*one->load_checkpoint("c"))->state, "new");
  one->stop();
  other->stop();
}

TEST_F(RedisEventLogTest, WhatIsRemovedForRoomIsDeclaredMissing) {
  ASSERT_TRUE(server.start());
  options.events_max = 500;
  RecordingReader reader;
  auto log = open(reader);
  std::vector<model::Event> batch(1000, test_event(kDevice, 1));
  const auto first = append_and_wait(*log, batch);
  ASSERT_TRUE(first.ok());
  for (int i = 0; i < 60 && log->first_id() <= first->first; ++i) reader.wait_for_batches(2);
  const auto page = log->read({.after = {first->first.ms - 1, 0}, .events_max = 2000});
  ASSERT_TRUE(page.ok());
  EXPECT_LT(page->events.size(), 1000u);
  EXPECT_GE(page->events.size(), 500u);
  ASSERT_EQ(page->missing.size(), 1u);
  EXPECT_EQ(page->missing[0].why, Missing::Why::before_log);
  EXPECT_EQ(page->missing[0].ids.to, model::EventId::from_packed(page->events.front().id.packed() - 1));
  log->stop();
}

TEST_F(RedisEventLogTest, AChartMissesOnlyWhatWasReceivedInItsSpan) {
  class Counting final : public SampleSink {
   public:
    void add(std::string_view, std::span<const model::Sample> samples) override { count += samples.size(); }
    void add(std::string_view, const model::SampleSums& sums) override { count += sums.count; }
    bool wants_more() override { return true; }
    size_t count = 0;
  };
  ASSERT_TRUE(server.start());
  RecordingReader reader;
  auto log = open(reader);
  const int64_t begun_ms = log->last_id().ms;
  reader.wait_for_batches(3);
  const int64_t now_ms = log->last_id().ms;
  ASSERT_GT(now_ms, begun_ms + 1);
  ASSERT_TRUE(append_and_wait(*log, {test_event(kDevice, now_ms)}).ok());
  SamplesRequest request{.topic = *model::Topic::parse(kDevice), .end_ms = now_ms + 60'000};
  request.ids = {.after = {}, .to = log->last_id()};
  for (const bool since_it_began : {true, false}) {
    request.start_ms = since_it_began ? begun_ms + 1 : begun_ms - 60'000;
    Counting sink;
    const auto missing = log->read_samples(request, sink);
    ASSERT_TRUE(missing.ok());
    EXPECT_EQ(sink.count, 1u);
    EXPECT_EQ(missing->empty(), since_it_began) << "what came before this log is not known";
  }
  log->stop();
}

TEST_F(RedisEventLogTest, ARedisWithoutMemoryStoresNothingAndSaysSo) {
  ASSERT_TRUE(server.start());
  RecordingReader reader;
  auto log = open(reader);
  redis::Client client(*redis::parse_url(server.url()));
  ASSERT_TRUE(client.run({"CONFIG", "SET", "maxmemory", "1mb"}, 1000).ok());
  const auto refused = append(*log, std::string(1000, 'x'));
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, Code::storage_full);
  EXPECT_EQ(log->storage(), Storage::full);
  ASSERT_TRUE(client.run({"CONFIG", "SET", "maxmemory", "0"}, 1000).ok());
  ASSERT_TRUE(append(*log, "fits").ok());
  EXPECT_EQ(log->storage(), Storage::ok);
  EXPECT_EQ(reader.events().size(), 1u);
  log->stop();
}

TEST_F(RedisEventLogTest, WithReplicasAskedForAnAppendCountsOnlyOnceTheyHaveIt) {
  ASSERT_TRUE(server.start());
  options.replicas_min = 1;
  options.append_patience_ms = 100;
  RecordingReader reader;
  auto log = open(reader);
  EXPECT_EQ(append(*log, "alone").error().code, Code::unavailable);
  redis::testing::RedisServer replica;
  ASSERT_TRUE(replica.start({"--replicaof", "127.0.0.1", std::to_string(server.port())}));
  Result<AppendReceipt> receipt = append(*log, "with a replica");
  for (int i = 0; i < 50 && !receipt; ++i) receipt = append(*log, "with a replica");
  EXPECT_TRUE(receipt.ok());
  log->stop();
}

TEST_F(RedisEventLogTest, WithoutARedisItDoesNotStart) {
  RedisEventLogOptions nowhere{.server = *redis::parse_url(server.url()), .timeout_ms = 100, .start_patience_ms = 50};
  metrics::Registry registry;
  auto log = make_redis_event_log(nowhere, clock, registry);
  const Status started = log->start();
  ASSERT_FALSE(started.ok());
  EXPECT_NE(started.error().detail.find("127.0.0.1:" + std::to_string(server.port())), std::string::npos)
      << started.error().detail;
}

}  // namespace
}  // namespace millstream::log
