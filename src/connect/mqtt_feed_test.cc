// The feed against a broker that the test plays, byte by byte: what real brokers do not let one see is when exactly an
// acknowledgement leaves.
#include "connect/mqtt_feed.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>

#include <condition_variable>
#include <deque>

#include "net/socket.h"

namespace millstream::connect {
namespace {

constexpr int kPatienceMs = 20'000;

// Takes every point as an event; the test says when, and whether, it is durable.
class HeldSink final : public Sink {
 public:
  Checked check(codec::ParsedPoints points, const model::AccountId&) override {
    Checked checked;
    for (const model::Point& point : points.points) {
      model::Event event;
      event.data = point.device;
      checked.events.push_back(std::move(event));
    }
    checked.refused = points.rejected_count;
    return checked;
  }
  Result<model::Event> check(const model::SiteId&, model::PresenceReport, const model::AccountId&) override {
    return model::Event{};
  }
  Result<model::Event> check(codec::PublishedEvent) override { return model::Event{}; }
  int64_t wait_ms(const model::AccountId&) override { return 0; }
  Status append(std::vector<model::Event> events, std::function<void(Status)> done) override {
    const std::lock_guard lock(mu_);
    waiting_.push_back({events.size(), std::move(done)});
    came_.notify_all();
    return {};
  }
  Status append_once(const model::AccountId&, std::string_view, std::vector<model::Event>,
                     std::function<void(Result<bool>)>) override {
    return Error{Code::internal, "this feed has no keys"};
  }

  // Waits for the next append; how many events it holds.
  size_t next() {
    std::unique_lock lock(mu_);
    EXPECT_TRUE(came_.wait_for(lock, std::chrono::milliseconds(kPatienceMs), [&] { return !waiting_.empty(); }));
    return waiting_.empty() ? 0 : waiting_.front().events;
  }
  void answer(Status status) {
    std::function<void(Status)> done;
    {
      const std::lock_guard lock(mu_);
      done = std::move(waiting_.front().done);
      waiting_.pop_front();
    }
    done(std::move(status));
  }

 private:
  struct Waiting {
    size_t events;
    std::function<void(Status)> done;
  };
  std::mutex mu_;
  std::condition_variable came_;
  std::deque<Waiting> waiting_;  // guarded by mu_
};

// MQTT 3.1.1, as much of it as a broker needs for one client.
class PlayedBroker {
 public:
  PlayedBroker() : listener_(*net::listen_tcp("127.0.0.1:0")) {}
  uint16_t port() const { return *net::bound_port(listener_.get()); }

  // The client's session: takes the connection, answers CONNECT and one SUBSCRIBE.
  void welcome() {
    while (true) {
      client_.reset(wait_for(listener_.get()) ? ::accept(listener_.get(), nullptr, nullptr) : -1);
      ASSERT_TRUE(client_);
      const std::string connect = packet();
      if (connect.empty()) continue;  // only looked whether someone is there
      ASSERT_EQ(connect[0], 0x10);
      break;
    }
    send({0x20, 2, 0, 0});
    const std::string subscribe = packet();
    ASSERT_EQ(static_cast<unsigned char>(subscribe.at(0)), 0x82);
    send({static_cast<char>(0x90), 3, subscribe.at(2), subscribe.at(3), 1});
  }
  void publish(char mid, const std::string& topic, const std::string& payload) {
    std::string text{0x32, static_cast<char>(topic.size() + payload.size() + 4), 0, static_cast<char>(topic.size())};
    text += topic;
    text += {0, mid};
    send(text + payload);
  }
  void send(const std::string& bytes) {
    ASSERT_EQ(::send(client_.get(), bytes.data(), bytes.size(), 0), static_cast<ssize_t>(bytes.size()));
  }
  // The next packet the client sends; empty: it closed the connection. All that are used here are short.
  std::string packet() {
    std::string bytes = read(2);
    if (bytes.size() == 2) bytes += read(static_cast<size_t>(bytes[1]));
    return bytes;
  }
  // Whether nothing is there to be read.
  bool hears_nothing() {
    char byte = 0;
    return ::recv(client_.get(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0;
  }
  void hang_up() { client_.reset(); }

 private:
  static bool wait_for(int fd) {
    pollfd watched{fd, POLLIN, 0};
    return ::poll(&watched, 1, kPatienceMs) > 0;
  }
  std::string read(size_t size) {
    std::string bytes;
    while (bytes.size() < size) {
      char buffer[256];
      const ssize_t got = wait_for(client_.get()) ? ::recv(client_.get(), buffer, size - bytes.size(), 0) : 0;
      if (got <= 0) break;
      bytes.append(buffer, static_cast<size_t>(got));
    }
    return bytes;
  }

  UniqueFd listener_;
  UniqueFd client_;
};

struct Feed {
  PlayedBroker broker;
  HeldSink sink;
  SystemClock clock;
  metrics::Registry metrics;
  std::unique_ptr<MqttFeed> feed;

  Feed() {
    FeedOptions options;
    options.name = "f";
    options.broker = {.host = "127.0.0.1", .port = broker.port(), .client_id = "c", .version_5 = false};
    options.account = *model::AccountId::parse("a");
    options.topics = {*TopicTemplate::parse("t/{device}")};
    feed = std::make_unique<MqttFeed>(std::move(options), sink, clock, metrics);
    feed->start();
    broker.welcome();
  }
};

std::string acknowledged(char mid) { return {0x40, 2, 0, mid}; }

TEST(MqttFeed, NothingIsAcknowledgedBeforeItIsDurableAndThenAllOfIt) {
  Feed f;
  f.broker.publish(1, "t/d", "{\"x\":1}");
  EXPECT_EQ(f.sink.next(), 1u);
  f.broker.publish(2, "t/d", "{\"x\":2}");
  f.broker.publish(3, "t/d", "nonsense");
  EXPECT_TRUE(f.broker.hears_nothing());
  f.sink.answer({});
  EXPECT_EQ(f.broker.packet(), acknowledged(1));
  EXPECT_EQ(f.sink.next(), 1u);  // the two that waited, one of them nothing to store
  EXPECT_TRUE(f.broker.hears_nothing());
  f.sink.answer({});
  EXPECT_EQ(f.broker.packet(), acknowledged(2));
  EXPECT_EQ(f.broker.packet(), acknowledged(3));
}

TEST(MqttFeed, WhatTheLogRefusesIsAskedAgainAndNotAcknowledged) {
  Feed f;
  f.broker.publish(1, "t/d", "{\"x\":1}");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(f.sink.next(), 1u);
    EXPECT_TRUE(f.broker.hears_nothing());
    f.sink.answer(Error{Code::storage_full, "full"});
  }
  EXPECT_EQ(f.sink.next(), 1u);
  EXPECT_TRUE(f.broker.hears_nothing());
  f.sink.answer({});
  EXPECT_EQ(f.broker.packet(), acknowledged(1));
}

TEST(MqttFeed, StoppingWhileTheLogRefusesLeavesTheMessageWithTheBroker) {
  Feed f;
  f.broker.publish(1, "t/d", "{\"x\":1}");
  EXPECT_EQ(f.sink.next(), 1u);
  f.feed->ask_to_stop();
  f.sink.answer(Error{Code::storage_full, "full"});
  f.feed->stop();
  EXPECT_EQ(f.broker.packet(), "");  // the connection ends, and nothing was acknowledged
}

TEST(MqttFeed, StoppingAcknowledgesWhatIsDurableAndSaysGoodbye) {
  Feed f;
  f.broker.publish(1, "t/d", "{\"x\":1}");
  EXPECT_EQ(f.sink.next(), 1u);
  f.feed->ask_to_stop();
  f.sink.answer({});
  f.feed->stop();
  EXPECT_EQ(f.broker.packet(), acknowledged(1));
  EXPECT_EQ(f.broker.packet(), (std::string{static_cast<char>(0xE0), 0}));
}

TEST(MqttFeed, ConnectionThatEndsIsMadeAgainAndWhatItBroughtIsStored) {
  Feed f;
  f.broker.publish(1, "t/d", "{\"x\":1}");
  f.broker.hang_up();
  EXPECT_EQ(f.sink.next(), 1u);
  f.sink.answer({});
  f.broker.welcome();
  f.broker.publish(1, "t/d", "{\"x\":1}");  // it was never acknowledged
  EXPECT_EQ(f.sink.next(), 1u);
  f.sink.answer({});
  EXPECT_EQ(f.broker.packet(), acknowledged(1));
}

TEST(Backoff, DoublesToItsCeilingAndIsDrawnFromTheUpperHalf) {
  Backoff backoff(100, 1000, 1);
  int64_t ceiling = 100;
  for (int i = 0; i < 10; ++i) {
    const int64_t wait = backoff.next_ms();
    EXPECT_GE(wait, ceiling / 2);
    EXPECT_LE(wait, ceiling);
    ceiling = std::min<int64_t>(ceiling * 2, 1000);
  }
  backoff.succeeded();
  EXPECT_LE(backoff.next_ms(), 100);
}

}  // namespace
}  // namespace millstream::connect
