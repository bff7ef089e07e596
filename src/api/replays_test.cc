#include "api/replays.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "codec/event_json.h"

namespace millstream::api {
namespace {

constexpr int64_t kNow = 1'770'000'000'000;

// Gives a page when the test says so.
class HeldSource final : public hub::ReplaySource {
 public:
  void read(hub::ReplayRequest request, std::function<void(Result<hub::ReplayPage>)> done) override {
    requests.push_back(std::move(request));
    waiting.push_back(std::move(done));
  }
  model::EventId last_id() const override { return {kNow, 0}; }

  // `count` events, one each millisecond, each of about `bytes`.
  void give(int count, size_t bytes = 10) {
    const model::EventId after = requests.at(requests.size() - waiting.size()).after;
    std::vector<model::Event> events;
    for (int i = 1; i <= count; ++i) {
      model::Event event{.id = {after.ms + i, 0},
                         .ts_ms = after.ms + i,
                         .topic = *model::Topic::parse("account:demo/site:a/device:d"),
                         .type = model::EventType::telemetry,
                         .fields = {{"text", std::string(bytes, 'x')}}};
      event.data = codec::encode_telemetry_data(event.topic.device, event.fields, {});
      events.push_back(std::move(event));
    }
    hub::ReplayPage page{.scanned_to = {after.ms + count, 0}};
    if (count > 0) page.frames = std::make_shared<const hub::FramedBatch>(events, page.scanned_to, 0);
    answer(std::move(page));
  }
  void answer(Result<hub::ReplayPage> page) {
    const auto done = std::move(waiting.front());
    waiting.pop_front();
    done(std::move(page));
  }

  std::vector<hub::ReplayRequest> requests;
  std::deque<std::function<void(Result<hub::ReplayPage>)>> waiting;
};

// What became of a sink outlives it.
struct Socket {
  size_t room = SIZE_MAX;
  bool flushed = true;
  std::string text;
  ByteSinkOwner* owner = nullptr;
  enum { open, finished, cut } end = open;
};

class SocketSink final : public ByteSink {
 public:
  explicit SocketSink(Socket& socket) : socket_(socket) {}
  void set_owner(ByteSinkOwner* owner) override { socket_.owner = owner; }
  size_t write(std::span<const iovec> pieces) override {
    size_t taken = 0;
    for (const iovec& piece : pieces) {
      const size_t bytes = std::min(piece.iov_len, socket_.room);
      socket_.text.append(static_cast<const char*>(piece.iov_base), bytes);
      if (socket_.room != SIZE_MAX) socket_.room -= bytes;
      taken += bytes;
      if (bytes < piece.iov_len) break;
    }
    return taken;
  }
  bool flushed() const override { return socket_.flushed; }
  void close(bool finished) override { socket_.end = finished ? Socket::finished : Socket::cut; }

 private:
  Socket& socket_;
};

class ReplaysTest : public ::testing::Test {
 protected:
  ReplaySpan span(int64_t events) {
    ReplaySpan span;
    span.patterns = {*model::TopicPattern::parse("account:demo")};
    span.since = span.after = {kNow - 10'000, 0};
    span.until = {kNow - 10'000 + events, 0};
    span.credential = 7;
    return span;
  }
  void open(ReplaySpan asked) { replays.open(std::move(asked), std::make_unique<SocketSink>(socket), {}); }
  void pass(int64_t ms) {
    clock.advance_ms(ms);
    replays.tick();
  }
  size_t count(std::string_view word) const {
    size_t found = 0;
    for (size_t at = socket.text.find(word); at != std::string::npos; at = socket.text.find(word, at + 1)) ++found;
    return found;
  }
  size_t told() const { return count("event: telemetry\n"); }

  ManualClock clock{kNow};
  metrics::Registry metrics;
  net::Loop loop{clock};
  HeldSource source;
  Socket socket;
  Replays replays{{.slow_timeout_ms = 10'000, .comment_interval_ms = 15'000}, loop, source, metrics};
};

TEST_F(ReplaysTest, PagesAreReadOneAtATimeAndNotBeforeTheSocketHasTakenTheOneBefore) {
  open(span(300));
  ASSERT_EQ(source.requests.size(), 1u);
  socket.room = 1000;
  source.give(100);
  EXPECT_EQ(source.requests.size(), 1u) << "the socket is full";
  socket.room = 2000;
  socket.owner->on_writable();
  EXPECT_EQ(source.requests.size(), 1u) << "and full again";
  socket.room = SIZE_MAX;
  socket.owner->on_writable();
  EXPECT_EQ(told(), 100u);
  ASSERT_EQ(source.requests.size(), 2u);
  EXPECT_EQ(source.requests[1].after.ms, kNow - 10'000 + 100);
  source.give(200);
  EXPECT_EQ(told(), 300u);
  EXPECT_EQ(count("\"kind\":\"replay_end\",\"count\":300"), 1u);
  EXPECT_EQ(socket.end, Socket::finished);
  EXPECT_EQ(replays.size(), 0u);
}

TEST_F(ReplaysTest, TheEndWaitsUntilAllBeforeItIsOnItsWay) {
  socket.flushed = false;
  open(span(1));
  source.give(1);
  EXPECT_EQ(count("replay_end"), 2u);
  EXPECT_EQ(socket.end, Socket::open) << "the last words are still to leave";
  socket.flushed = true;
  socket.owner->on_writable();
  EXPECT_EQ(socket.end, Socket::finished);
}

TEST_F(ReplaysTest, AViewerThatTakesNothingIsCutAndOneThatSipsIsNot) {
  open(span(1000));
  socket.room = 100;
  source.give(500, 1000);
  for (int i = 0; i < 30; ++i) {
    pass(5000);
    socket.room = 10;
    socket.owner->on_writable();
  }
  EXPECT_EQ(socket.end, Socket::open);
  pass(9999);
  EXPECT_EQ(socket.end, Socket::open);
  pass(1);
  EXPECT_EQ(socket.end, Socket::cut);
  EXPECT_EQ(replays.size(), 0u);
}

TEST_F(ReplaysTest, HoweverManyThereAreFewPagesAreReadAtATimeAndNobodyIsForgotten) {
  std::deque<Socket> sockets(5);
  for (Socket& each : sockets) replays.open(span(1), std::make_unique<SocketSink>(each), {});
  EXPECT_EQ(source.waiting.size(), 2u);
  sockets[2].owner->on_closed();  // it had to wait, and leaves
  while (!source.waiting.empty()) {
    EXPECT_LE(source.waiting.size(), 2u);
    source.give(1);
  }
  EXPECT_EQ(source.requests.size(), 4u);
  for (size_t i = 0; i < sockets.size(); ++i) EXPECT_EQ(sockets[i].end == Socket::finished, i != 2) << i;
}

TEST_F(ReplaysTest, APageThatCannotBeReadCutsItSoThatTheViewerComesBack) {
  open(span(1));
  source.answer(Error{Code::unavailable, "a test"});
  EXPECT_EQ(socket.end, Socket::cut);
  EXPECT_EQ(count("replay_end"), 0u);
}

TEST_F(ReplaysTest, AViewerThatLeavesWhileItsPageIsReadIsForgotten) {
  open(span(1));
  socket.owner->on_closed();
  source.give(1);
  EXPECT_EQ(replays.size(), 0u);
  EXPECT_EQ(told(), 0u);
}

TEST_F(ReplaysTest, ItEndsWithItsCredentialAndNotWithAnothers) {
  open(span(1));
  EXPECT_EQ(replays.in_use({6, 7, 8}), std::vector<uint64_t>{7});
  replays.end_credentials({6, 8});
  EXPECT_EQ(socket.end, Socket::open);
  replays.end_credentials({7});
  EXPECT_EQ(socket.end, Socket::cut);
  EXPECT_EQ(count("auth_expired"), 1u);
}

TEST_F(ReplaysTest, AnExpiringTokenIsAnnouncedAndEndsIt) {
  ReplaySpan asked = span(1);
  asked.expires_at_ms = kNow + 100'000;
  open(std::move(asked));
  pass(39'999);
  EXPECT_EQ(count("auth_expiring"), 0u);
  pass(1);
  pass(250);
  EXPECT_EQ(count("auth_expiring"), 1u);
  pass(59'750);
  EXPECT_EQ(count("auth_expired"), 1u);
  EXPECT_EQ(socket.end, Socket::cut);
}

TEST_F(ReplaysTest, AfterSilenceACommentKeepsProxiesContent) {
  open(span(1));
  pass(14'999);
  EXPECT_EQ(count(":hb\n"), 0u);
  pass(1);
  EXPECT_EQ(count(":hb\n"), 1u);
  pass(15'000);
  EXPECT_EQ(count(":hb\n"), 2u);
}

TEST_F(ReplaysTest, WhatIsLostIsDeclaredAndWhatFollowsIsTold) {
  open(span(10));
  source.answer(hub::ReplayPage{.scanned_to = {kNow - 9995, 0}, .trimmed_to = model::EventId{kNow - 9996, 0}});
  EXPECT_EQ(count("\"kind\":\"gap\""), 1u);
  EXPECT_EQ(count("\"reason\":\"trimmed\""), 1u);
  ASSERT_EQ(source.requests.size(), 2u);
  EXPECT_EQ(source.requests[1].after.ms, kNow - 9995);
}

TEST_F(ReplaysTest, ADrainTellsAndCuts) {
  open(span(1));
  replays.drain(1);
  pass(250);
  EXPECT_EQ(count("\"kind\":\"draining\""), 1u);
  EXPECT_EQ(socket.end, Socket::cut);
}

}  // namespace
}  // namespace millstream::api
