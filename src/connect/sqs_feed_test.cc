// The feed before a queue and a log that the test plays.
#include "connect/sqs_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <set>

#include "codec/event_json.h"

namespace millstream::connect {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr int64_t kPatienceMs = 20'000;
constexpr const char* kEvent = R"({"topic":"account:a/site:s/device:d","type":"telemetry","data":{"fields":{"n":1}}})";
constexpr const char* kEventMd5 = "4215de59750dd08103f4b59d14f359a5";

// What was asked of the queue; gives each answer to ReceiveMessage once, and says yes to all else.
struct PlayedQueue {
  std::mutex mu;
  std::condition_variable changed;
  std::deque<std::string> messages;  // answers, each one batch
  std::vector<std::string> deleted;  // bodies of requests
  std::vector<std::string> hidden;
  int failing_deletes = 0;

  bool wait(const std::function<bool()>& until) {
    std::unique_lock lock(mu);
    return changed.wait_for(lock, std::chrono::milliseconds(kPatienceMs), until);
  }
};

class PlayedTransport final : public SqsTransport {
 public:
  explicit PlayedTransport(PlayedQueue& queue) : queue_(queue) {}
  Result<SqsReply> post(const SqsPost& request, const std::function<bool()>&) override {
    std::unique_lock lock(queue_.mu);
    queue_.changed.notify_all();
    const std::string& target = request.headers.at(1);
    if (target.ends_with("ReceiveMessage")) {
      queue_.changed.wait_for(lock, std::chrono::milliseconds(5), [&] { return !queue_.messages.empty(); });
      if (queue_.messages.empty()) return SqsReply{200, "{}"};
      std::string answer = std::move(queue_.messages.front());
      queue_.messages.pop_front();
      return SqsReply{200, std::move(answer)};
    }
    const bool deletes = target.ends_with("DeleteMessageBatch");
    if (deletes && queue_.failing_deletes > 0) {
      --queue_.failing_deletes;
      return Error{Code::unavailable, "no answer"};
    }
    (deletes ? queue_.deleted : queue_.hidden).push_back(request.body);
    return SqsReply{200, R"({"Successful":[{"Id":"0"}]})"};
  }

 private:
  PlayedQueue& queue_;
};

// Stores under keys; refuses the first so many appends of a kind, or answers only when told.
class PlayedSink final : public Sink {
 public:
  Checked check(codec::ParsedPoints points, const model::AccountId& account) override {
    Checked checked;
    for (const model::Point& point : points.points) {
      model::Event event;
      event.topic = {account, *model::SiteId::parse("s"), *model::DeviceId::parse(point.device)};
      event.data = codec::encode_telemetry_data(event.topic.device, point.fields, point.tags);
      checked.events.push_back(std::move(event));
    }
    checked.refused = points.rejected_count;
    if (!points.rejected.empty()) checked.first_refusal = points.rejected.front().reason;
    return checked;
  }
  Result<model::Event> check(const model::SiteId&, model::PresenceReport, const model::AccountId&) override {
    return model::Event{};
  }
  Result<model::Event> check(codec::PublishedEvent) override { return model::Event{}; }
  int64_t wait_ms(const model::AccountId&) override {
    const std::lock_guard lock(mu);
    if (over_quota) ++asked;
    came.notify_all();
    return over_quota ? 10 : 0;
  }
  Status append(std::vector<model::Event> events, std::function<void(Status)> done) override {
    count += events.size();
    done({});
    return {};
  }
  Status append_once(const model::AccountId&, std::string_view key, std::vector<model::Event> events,
                     std::function<void(Result<bool>)> done) override {
    const std::lock_guard lock(mu);
    if (refusals > 0) {
      --refusals;
      return Error{Code::unavailable, "not now"};
    }
    if (has_no_keys) {
      done(Error{Code::rate_limited, "no more keys"});
    } else if (holds) {
      held = std::move(done);
      ++asked;
      came.notify_all();
    } else {
      const bool repeated = !keys.insert(std::string(key)).second;
      if (!repeated) count += events.size();
      done(repeated);
    }
    return {};
  }

  bool wait_until_asked(int times) {
    std::unique_lock lock(mu);
    return came.wait_for(lock, std::chrono::milliseconds(kPatienceMs), [&] { return asked >= times; });
  }

  bool over_quota = false;
  std::atomic<size_t> count{0};
  std::mutex mu;
  std::condition_variable came;
  int asked = 0;
  int refusals = 0;
  bool has_no_keys = false;
  bool holds = false;
  std::function<void(Result<bool>)> held;
  std::set<std::string> keys;
};

class SqsFeedTest : public ::testing::Test {
 protected:
  SqsFeedTest() {
    options_.name = "plant";
    options_.queue = {.url = "https://q.example/1/q", .wait_s = 0, .visibility_s = 60};
    options_.account = *model::AccountId::parse("a");
  }
  void start() {
    feed_ = std::make_unique<SqsFeed>(options_, std::make_unique<PlayedTransport>(queue_), sink_, clock_, metrics_);
    feed_->start();
  }
  void send(const std::string& body, const std::string& md5, int count = 1) {
    std::string answer =
        R"({"Messages":[{"MessageId":"m1","ReceiptHandle":"r)" + std::to_string(count) + R"(","Body":)";
    codec::append_json_string(body, answer);
    answer +=
        R"(,"MD5OfBody":")" + md5 + R"(","Attributes":{"ApproximateReceiveCount":")" + std::to_string(count) + "\"}}]}";
    const std::lock_guard lock(queue_.mu);
    queue_.messages.push_back(answer);
    queue_.changed.notify_all();
  }
  bool deleted(size_t count = 1) {
    return queue_.wait([&] { return queue_.deleted.size() >= count; });
  }
  std::string metrics() const { return metrics_.prometheus_text(); }

  ManualClock clock_{1'769'517'296'789};
  metrics::Registry metrics_;
  PlayedQueue queue_;
  PlayedSink sink_;
  SqsFeedOptions options_;
  std::unique_ptr<SqsFeed> feed_;
};

TEST_F(SqsFeedTest, AMessageIsDeletedWhenItIsDurableAndStoredOnceHoweverOftenItComes) {
  start();
  send(kEvent, kEventMd5);
  ASSERT_TRUE(deleted());
  send(kEvent, kEventMd5, 2);
  ASSERT_TRUE(deleted(2));
  feed_->stop();
  EXPECT_EQ(sink_.count, 1u);
  EXPECT_THAT(metrics(), AllOf(HasSubstr("millstream_sqs_stored_total{feed=\"plant\"} 1"),
                               HasSubstr("millstream_sqs_repeated_total{feed=\"plant\"} 1"),
                               HasSubstr("millstream_sqs_redelivered_total{feed=\"plant\"} 1"),
                               HasSubstr("millstream_sqs_deleted_total{feed=\"plant\"} 2")));
}

TEST_F(SqsFeedTest, ALogThatRefusesIsAskedAgain) {
  sink_.refusals = 3;
  start();
  send(kEvent, kEventMd5);
  ASSERT_TRUE(deleted());
  EXPECT_EQ(sink_.count, 1u);
  EXPECT_THAT(metrics(), HasSubstr("millstream_sqs_append_retries_total{feed=\"plant\"} 3"));
}

TEST_F(SqsFeedTest, WhileTheLogTakesItsTimeTheMessageIsHiddenAnewAndNotDeleted) {
  sink_.holds = true;
  start();
  send(kEvent, kEventMd5);
  for (size_t times = 1; times <= 2; ++times) {
    ASSERT_TRUE(sink_.wait_until_asked(1));
    clock_.advance_ms(30'000);
    ASSERT_TRUE(queue_.wait([&] { return queue_.hidden.size() >= times; }));
  }
  {
    const std::lock_guard lock(queue_.mu);
    EXPECT_THAT(queue_.hidden.at(0), HasSubstr(R"("ReceiptHandle":"r1","VisibilityTimeout":60)"));
    EXPECT_TRUE(queue_.deleted.empty());
  }
  sink_.held(false);
  EXPECT_TRUE(deleted());
}

TEST_F(SqsFeedTest, WhenNoMoreKeysCanBeRememberedItIsStoredWithoutOneAndCounted) {
  sink_.has_no_keys = true;
  start();
  send(kEvent, kEventMd5);
  ASSERT_TRUE(deleted());
  EXPECT_EQ(sink_.count, 1u);
  EXPECT_THAT(metrics(), HasSubstr("millstream_sqs_unkeyed_total{feed=\"plant\"} 1"));
}

TEST_F(SqsFeedTest, WhatCannotBeStoredIsHiddenForLongerEachTime) {
  start();
  send("hello", "5d41402abc4b2a76b9719d911017c592", 3);
  ASSERT_TRUE(queue_.wait([&] { return !queue_.hidden.empty(); }));
  EXPECT_THAT(queue_.hidden.at(0), HasSubstr(R"("VisibilityTimeout":240)"));
  send("hello", "5d41402abc4b2a76b9719d911017c592", 1000);
  ASSERT_TRUE(queue_.wait([&] { return queue_.hidden.size() == 2; }));
  EXPECT_THAT(queue_.hidden.at(1), HasSubstr(R"("VisibilityTimeout":900)"));
  EXPECT_TRUE(queue_.deleted.empty());
}

TEST_F(SqsFeedTest, WhatCannotBeStoredIsDeletedWhenThatIsWanted) {
  options_.poison = SqsFeedOptions::Poison::remove;
  start();
  send("hello", "5d41402abc4b2a76b9719d911017c592");
  EXPECT_TRUE(deleted());
}

TEST_F(SqsFeedTest, ADamagedMessageIsNeitherStoredNorDeleted) {
  options_.poison = SqsFeedOptions::Poison::remove;
  start();
  send("hello", kEventMd5);
  send(kEvent, kEventMd5, 2);
  ASSERT_TRUE(deleted());
  EXPECT_THAT(queue_.deleted.at(0), HasSubstr(R"("ReceiptHandle":"r2")"));
  EXPECT_THAT(metrics(), HasSubstr("reason=\"damaged\"} 1"));
}

TEST_F(SqsFeedTest, DeletingIsTriedAgain) {
  queue_.failing_deletes = 2;
  start();
  send(kEvent, kEventMd5);
  EXPECT_TRUE(deleted());
}

TEST_F(SqsFeedTest, AnAccountOverItsRateLimitLeavesItsMessagesInTheQueue) {
  sink_.over_quota = true;
  start();
  send(kEvent, kEventMd5);
  ASSERT_TRUE(sink_.wait_until_asked(3));
  feed_->stop();
  EXPECT_EQ(queue_.messages.size(), 1u);
  EXPECT_THAT(metrics(), HasSubstr("millstream_sqs_received_total{feed=\"plant\"} 0"));
}

TEST_F(SqsFeedTest, StopsWhileTheLogRefusesAndLeavesTheMessage) {
  sink_.refusals = 1'000'000;
  start();
  send(kEvent, kEventMd5);
  ASSERT_TRUE(queue_.wait([&] { return queue_.messages.empty(); }));
  feed_->stop();
  EXPECT_TRUE(queue_.deleted.empty());
}

}  // namespace
}  // namespace millstream::connect
