// The feed and the mirror against a real redis-server, with a sink that the test holds.
#include "connect/redis_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "codec/event_json.h"
#include "connect/redis_mirror.h"
#include "redis/testing.h"

namespace millstream::connect {
namespace {

using ::testing::HasSubstr;

constexpr int64_t kPatienceMs = 20'000;

// Takes every point as an event; refuses the first so many appends.
class RefusingSink final : public Sink {
 public:
  explicit RefusingSink(int refusals = 0) : refusals_(refusals) {}

  Checked check(codec::ParsedPoints points, const model::AccountId& account) override {
    Checked checked;
    for (const model::Point& point : points.points) {
      model::Event event;
      event.topic = {account, *model::SiteId::parse(point.site), *model::DeviceId::parse(point.device)};
      event.data = codec::encode_telemetry_data(event.topic.device, point.fields, point.tags);
      checked.events.push_back(std::move(event));
    }
    return checked;
  }
  Result<model::Event> check(const model::SiteId&, model::PresenceReport, const model::AccountId&) override {
    return model::Event{};
  }
  Result<model::Event> check(codec::PublishedEvent) override { return model::Event{}; }
  int64_t wait_ms(const model::AccountId&) override { return over_quota_ ? 1000 : 0; }
  Status append(std::vector<model::Event> events, std::function<void(Status)> done) override {
    {
      const std::lock_guard lock(mu_);
      if (refusals_ > 0) {
        --refusals_;
        return Error{Code::unavailable, "not now"};
      }
      for (model::Event& event : events) stored_.push_back(std::move(event.data));
      came_.notify_all();
    }
    done({});
    return {};
  }
  Status append_once(const model::AccountId&, std::string_view, std::vector<model::Event>,
                     std::function<void(Result<bool>)>) override {
    return Error{Code::internal, "this feed has no keys"};
  }

  std::vector<std::string> stored(size_t count) {
    std::unique_lock lock(mu_);
    EXPECT_TRUE(came_.wait_for(lock, std::chrono::milliseconds(kPatienceMs), [&] { return stored_.size() >= count; }));
    return stored_;
  }
  void set_over_quota() { over_quota_ = true; }

 private:
  std::atomic<bool> over_quota_{false};
  std::mutex mu_;
  std::condition_variable came_;
  int refusals_;                     // guarded by mu_
  std::vector<std::string> stored_;  // guarded by mu_
};

class RedisFeedTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server_.start());
    options_.name = "nest";
    options_.redis = *redis::parse_url(server_.url());
    options_.account = *model::AccountId::parse("a");
    options_.mirror_channel = "mirror";
  }

  // Once somebody hears it.
  void publish(int n) {
    const std::string message = R"({"id":"p)" + std::to_string(n) +
                                R"(","topic":"account:a/site:s/device:d","type":"telemetry","data":{"fields":{"n":)" +
                                std::to_string(n) + "}}}";
    redis::Client& client = publisher();
    await("someone hears the channel", [&] {
      const auto heard = client.run({"PUBLISH", "stream-events", message}, kPatienceMs);
      return heard && heard->number > 0;
    });
  }
  uint64_t metric(const std::string& name) { return value_of("millstream_redis_" + name); }
  void await_metric(const std::string& name, uint64_t value) {
    await(name, [&] { return metric(name) == value; });
  }

  template <class Probe>
  void await(const std::string& what, Probe probe) {
    const int64_t deadline_ms = clock_.steady_ms() + kPatienceMs;
    while (!probe()) {
      if (clock_.steady_ms() > deadline_ms) FAIL() << "never: " << what;
      ::poll(nullptr, 0, 5);
    }
  }
  redis::Client& publisher() {
    if (!publisher_) publisher_ = std::make_unique<redis::Client>(*redis::parse_url(server_.url()));
    return *publisher_;
  }

  redis::testing::RedisServer server_;
  RedisFeedOptions options_;
  SystemClock clock_;
  metrics::Registry metrics_;

 private:
  uint64_t value_of(const std::string& name) {
    const std::string text = metrics_.prometheus_text();
    const size_t at = text.find("\n" + name);
    EXPECT_NE(at, std::string::npos) << name;
    const size_t value = text.find("} ", at);
    return std::stoull(text.substr(value + 2));
  }
  std::unique_ptr<redis::Client> publisher_;
};

TEST_F(RedisFeedTest, ALogThatRefusesIsAskedAgainAndNothingIsLostMeanwhile) {
  RefusingSink sink(3);
  RedisFeed feed(options_, sink, clock_, metrics_);
  feed.start();
  for (int n = 0; n < 20; ++n) publish(n);
  const std::vector<std::string> stored = sink.stored(20);
  for (int n = 0; n < 20; ++n) {
    const std::string number = std::to_string(n);
    EXPECT_EQ(stored.at(static_cast<size_t>(n)),
              R"({"deviceId":"d","fields":{"n":)" + number + R"(},"publisherId":"p)" + number + "\"}");
  }
  EXPECT_EQ(metric("feed_append_retries_total"), 3u);
}

TEST_F(RedisFeedTest, WhileAnotherInstanceInjectsMessagesAreReadAndDropped) {
  RefusingSink sink;
  std::atomic<bool> holds{false};
  options_.may_inject = [&] { return holds.load(); };
  RedisFeed feed(options_, sink, clock_, metrics_);
  feed.start();
  publish(1);
  await_metric("feed_skipped_total", 1);
  holds = true;
  publish(2);
  EXPECT_THAT(sink.stored(1).at(0), HasSubstr(R"("n":2)"));
}

TEST_F(RedisFeedTest, AnAccountOverItsRateLimitIsDroppedAndNotWaitedFor) {
  RefusingSink sink;
  sink.set_over_quota();
  RedisFeed feed(options_, sink, clock_, metrics_);
  feed.start();
  publish(1);
  await_metric(R"(feed_refused_total{feed="nest",reason="quota")", 1);
}

TEST_F(RedisFeedTest, StopsWhileTheLogRefusesAndWhileRedisStandsStill) {
  RefusingSink sink(1'000'000);
  RedisFeed feed(options_, sink, clock_, metrics_);
  feed.start();
  publish(1);
  await("the log is asked", [&] { return metric("feed_append_retries_total") > 0; });
  feed.stop();
  RefusingSink other;
  RedisFeed waiting(options_, other, clock_, metrics_);
  server_.pause();
  waiting.start();
  waiting.stop();
  server_.resume();
}

TEST_F(RedisFeedTest, AServerThatSaysNothingAnyMoreIsLeftAndOneThatOnlyHasNothingToSayIsNot) {
  RefusingSink sink;
  options_.ping_ms = 50;
  options_.silence_max_ms = 1000;
  options_.redis.connect_timeout_ms = 200;
  RedisFeed feed(options_, sink, clock_, metrics_);
  feed.start();
  await_metric("feed_connected", 1);
  const int64_t quiet_until_ms = clock_.steady_ms() + 2 * options_.silence_max_ms;
  await("it is quiet for longer", [&] { return clock_.steady_ms() > quiet_until_ms; });
  EXPECT_EQ(metric("feed_connects_total"), 1u);
  server_.pause();
  await_metric("feed_connected", 0);
  server_.resume();
  await_metric("feed_connected", 1);
  EXPECT_GE(metric("feed_connects_total"), 2u);
  publish(1);
  EXPECT_EQ(sink.stored(1).size(), 1u);
}

RedisMirror::Batch batch_of(int count, const std::string& account = "a") {
  std::vector<model::Event> events(static_cast<size_t>(count));
  for (model::Event& event : events) {
    event.topic.account = *model::AccountId::parse(account);
    event.type = model::EventType::system;
    event.data = R"({"kind":"notice"})";
  }
  return std::make_shared<const std::vector<model::Event>>(std::move(events));
}

TEST_F(RedisFeedTest, AMirrorPublishesTheEventsOfItsAccountAlone) {
  RedisMirror mirror(options_, clock_, metrics_);
  mirror.start();
  redis::Client listener(*redis::parse_url(server_.url()));
  ASSERT_TRUE(listener.run({"SUBSCRIBE", "mirror"}, kPatienceMs).ok());
  mirror.offer(batch_of(10, "other"));
  mirror.offer(batch_of(1));
  const auto message = listener.next_message(kPatienceMs);
  ASSERT_TRUE(message.ok() && message->has_value());
  EXPECT_EQ(
      (*message)->items.at(2).text,
      R"({"id":"0-0","ts":"1970-01-01T00:00:00.000Z","topic":"account:a","type":"system","data":{"kind":"notice"}})");
  await_metric("mirror_published_total", 1);
}

TEST_F(RedisFeedTest, AMirrorBeforeARedisThatStandsStillKeepsSoMuchAndCountsTheRest) {
  RedisMirror mirror(options_, clock_, metrics_);
  server_.pause();
  mirror.start();
  constexpr int kEach = 1000;
  const int fits = static_cast<int>(RedisMirror::kQueueEventsMax) / kEach;
  for (int i = 0; i < fits + 10; ++i) mirror.offer(batch_of(kEach));
  // One may be with the thread already.
  const uint64_t dropped = metric("mirror_dropped_total");
  EXPECT_GE(dropped, 9u * kEach);
  EXPECT_LE(dropped, 10u * kEach);
  server_.resume();
}

}  // namespace
}  // namespace millstream::connect
