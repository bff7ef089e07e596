#include <gtest/gtest.h>

#include <atomic>

#include "http/h2_frames.h"

namespace millstream::http {
namespace {

// A hub in small.
class Viewer : public ByteSinkOwner {
 public:
  explicit Viewer(std::unique_ptr<ByteSink> sink) : sink_(std::move(sink)) { sink_->set_owner(this); }
  virtual ~Viewer() = default;
  void send(std::string_view payload) {
    waiting_ += chunk(payload);
    push();
  }
  void on_writable() override { push(); }
  void on_closed() override {
    ++closed_calls;
    sink_.reset();
  }
  void finish(bool finished) { sink_->close(finished); }
  size_t waiting() const { return waiting_.size(); }
  int closed_calls = 0;

 private:
  void push() {
    if (!sink_ || waiting_.empty()) return;
    const size_t third = waiting_.size() / 3;
    const std::array<iovec, 2> pieces{iovec{waiting_.data(), third},
                                      iovec{waiting_.data() + third, waiting_.size() - third}};
    waiting_.erase(0, sink_->write(pieces));
  }
  std::unique_ptr<ByteSink> sink_;
  std::string waiting_;
};

// Every test runs in the clear and under TLS.
class H2Test : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) server_.use_tls();
    server_.router.add("GET", "/hello", 0, [](ExchangePtr e) { e->respond(Response::text(200, "hello")); });
    server_.router.add("GET", "/dropped", 0, [](ExchangePtr) {});
    server_.router.add("GET", "/held", 0, [this](ExchangePtr e) { held_.push_back(std::move(e)); });
    server_.router.add("GET", "/large", 0,
                       [](ExchangePtr e) { e->respond(Response::text(200, std::string(kLarge, 'x'))); });
    server_.router.add("POST", "/length", 1 << 20, [](ExchangePtr e) {
      e->respond(Response::text(200, std::to_string(e->request().body.size())));
    });
    server_.router.add("GET", "/stream", 0, [this](ExchangePtr e) {
      Response head;
      head.headers.add("Content-Type", "text/event-stream");
      if (auto sink = e->start_stream(std::move(head))) viewers_.push_back(std::make_unique<Viewer>(std::move(sink)));
    });
  }
  void TearDown() override { server_.stop(); }
  bool waits_for_viewers(size_t count) {
    return server_.eventually([&] { return viewers_.size() == count; });
  }

  static constexpr size_t kLarge = 3 << 20;
  TestServer server_;
  std::vector<std::unique_ptr<Viewer>> viewers_;  // loop-confined
  std::vector<ExchangePtr> held_;                 // loop-confined
};

TEST_P(H2Test, DoesWithEveryFrameWhatTheTableSays) {
  server_.start();
  const std::vector<H2Case> cases = h2_cases();
  EXPECT_GE(cases.size(), 100u);
  for (const H2Case& c : cases) {
    SCOPED_TRACE(c.name);
    H2TestClient client(server_);
    client.send(c.bytes + h2_ping("case-mid"));
    std::string outcome;
    for (H2Frame f = client.next(); f.type >= 0 && f.payload != "case-end"; f = client.next()) {
      // Answers to PING overtake; what was due before the first has come before the second.
      if (f.payload == "case-mid") client.send(h2_ping("case-end"));
      std::string word;
      if (f.type == NGHTTP2_HEADERS && !f.field(":status").empty()) word = "status " + f.field(":status");
      if (f.type == NGHTTP2_RST_STREAM) word = "rst " + std::to_string(f.number(0));
      if (f.type == NGHTTP2_GOAWAY) word = "goaway " + std::to_string(f.number(4));
      if (word.empty()) continue;
      if (f.type != NGHTTP2_GOAWAY) word += " @" + std::to_string(f.stream);
      outcome += (outcome.empty() ? "" : ", ") + word;
    }
    EXPECT_EQ(outcome, c.outcome);
  }
  H2TestClient after(server_);
  after.send(h2_headers(1, h2_get("/hello")));
  EXPECT_EQ(after.reply(1).body, "hello");
}

TEST_P(H2Test, AnswersManyRequestsOnOneConnection) {
  server_.start();
  H2TestClient client(server_);
  for (uint32_t i = 0; i < 500; ++i) {
    const uint32_t id = 2 * i + 1;
    client.send(h2_headers(id, h2_get("/length", {}, "POST"), true) + h2_frame(0, 1, id, std::string(i, 'a')));
    const H2TestClient::Reply reply = client.reply(id);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, std::to_string(i));
    EXPECT_EQ(reply.head.field("content-length"), std::to_string(reply.body.size()));
    EXPECT_EQ(reply.head.field("date").size(), 29u);
    EXPECT_EQ(reply.head.field("connection"), "");
  }
  EXPECT_EQ(server_.server().connections(), 1u);
}

TEST_P(H2Test, ALargeAnswerWaitsForTheWindow) {
  server_.start();
  H2TestClient client(server_);
  client.send(h2_headers(1, h2_get("/large")));
  size_t received = 0;
  while (received < kLarge) {
    const H2Frame frame = client.next();
    ASSERT_GE(frame.type, 0);
    if (frame.type != NGHTTP2_DATA) continue;
    received += frame.payload.size();
    if (received % 65535 == 0 || received == kLarge) {
      client.send(h2_window(0, 65535) + (received == kLarge ? "" : h2_window(1, 65535)));
    }
  }
  EXPECT_EQ(received, kLarge);
}

TEST_P(H2Test, ADroppedRequestIsAnswered500) {
  server_.start();
  H2TestClient client(server_);
  client.send(h2_headers(1, h2_get("/dropped")));
  EXPECT_EQ(client.reply(1).status, 500);
}

TEST_P(H2Test, ABodyBeyondTheRouteIsAnswered413) {
  server_.start();
  H2TestClient client(server_);
  client.send(h2_headers(1, h2_get("/length", {}, "POST"), true));
  for (int i = 0; i < 70; ++i) client.send(h2_frame(0, 0, 1, std::string(16000, 'x')));
  const auto refused = client.reply(1);
  EXPECT_EQ(refused.status, 413);
  EXPECT_NE(refused.body.find("more than 1048576 bytes"), std::string::npos);
}

TEST_P(H2Test, EventsReachEveryStreamAndAStalledOneStallsNoOther) {
  server_.start();
  H2TestClient client(server_, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}});
  client.send(h2_window(0, 10 << 20) + h2_headers(1, h2_get("/stream")) + h2_headers(3, h2_get("/stream")));
  ASSERT_TRUE(waits_for_viewers(2));
  client.send(h2_window(3, 1 << 20));
  std::string expected;
  for (int i = 0; i < 200; ++i) expected += "event " + std::to_string(i) + "\n";
  server_.run_on_loop([&] {
    for (int i = 0; i < 200; ++i) {
      for (const auto& viewer : viewers_) viewer->send("event " + std::to_string(i) + "\n");
    }
  });
  std::string stalled;
  std::string healthy;
  while (healthy.size() < expected.size()) {
    const H2Frame frame = client.next();
    ASSERT_GE(frame.type, 0);
    if (frame.type == NGHTTP2_DATA) (frame.stream == 1 ? stalled : healthy) += frame.payload;
  }
  EXPECT_EQ(healthy, expected);
  EXPECT_EQ(stalled, expected.substr(0, 100));
  server_.run_on_loop([&] { EXPECT_GT(viewers_[0]->waiting(), 0u); });
  client.send(h2_window(1, 1 << 20));  // it reads on, and has lost nothing
  while (stalled.size() < expected.size()) {
    const H2Frame frame = client.next();
    ASSERT_GE(frame.type, 0);
    if (frame.type == NGHTTP2_DATA) stalled += frame.payload;
  }
  EXPECT_EQ(stalled, expected);
}

TEST_P(H2Test, ALargeAnswerNobodyReadsKeepsNoEventFromItsSiblings) {
  server_.start();
  H2TestClient client(server_, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 100}});
  client.send(h2_headers(1, h2_get("/large")) + h2_headers(3, h2_get("/stream")));
  ASSERT_TRUE(waits_for_viewers(1));
  server_.run_on_loop([&] { viewers_[0]->send("event"); });
  H2Frame frame;
  do {
    frame = client.next();
    ASSERT_GE(frame.type, 0);
  } while (frame.type != NGHTTP2_DATA || frame.stream != 3);
  EXPECT_EQ(frame.payload, "event");
}

TEST_P(H2Test, AWindowOpenedByteByByteLosesAndRepeatsNothing) {
  server_.start();
  H2TestClient client(server_, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}});
  client.send(h2_headers(1, h2_get("/stream")));
  ASSERT_TRUE(waits_for_viewers(1));
  server_.run_on_loop([&] {
    viewers_[0]->send("first ");
    viewers_[0]->send("second");
  });
  std::string seen;
  while (seen.size() < 12) {
    client.send(h2_window(1, 1 + static_cast<uint32_t>(seen.size() % 3)));
    H2Frame frame;
    do {
      frame = client.next();
      ASSERT_GE(frame.type, 0);
    } while (frame.type != NGHTTP2_DATA);
    seen += frame.payload;
  }
  EXPECT_EQ(seen, "first second");
}

TEST_P(H2Test, AFinishedStreamEndsCleanlyAndABrokenOneIsReset) {
  server_.start();
  H2TestClient client(server_);
  client.send(h2_headers(1, h2_get("/stream")) + h2_headers(3, h2_get("/stream")));
  ASSERT_TRUE(waits_for_viewers(2));
  server_.run_on_loop([&] {
    for (const auto& viewer : viewers_) viewer->send("last words");
    viewers_[0]->finish(true);
    viewers_[1]->finish(false);
  });
  std::string outcome;
  for (int ends = 0; ends < 2;) {
    const H2Frame frame = client.next();
    ASSERT_GE(frame.type, 0);
    const std::string at = "@" + std::to_string(frame.stream) + " ";
    if (frame.type == NGHTTP2_DATA && !frame.payload.empty()) outcome += frame.payload + at;
    if (frame.type == NGHTTP2_RST_STREAM) outcome += "reset" + at;
    if (frame.flags & NGHTTP2_FLAG_END_STREAM && frame.type == NGHTTP2_DATA) outcome += "end" + at;
    ends += frame.type == NGHTTP2_RST_STREAM || (frame.type == NGHTTP2_DATA && frame.flags & NGHTTP2_FLAG_END_STREAM);
  }
  EXPECT_EQ(outcome, "last words@1 last words@3 end@1 reset@3 ");
}

TEST_P(H2Test, WhoResetsAStreamOrLeavesIsNoticed) {
  server_.start();
  H2TestClient client(server_);
  client.send(h2_headers(1, h2_get("/stream")) + h2_headers(3, h2_get("/stream")) + h2_headers(5, h2_get("/held")));
  ASSERT_TRUE(waits_for_viewers(2));
  ASSERT_TRUE(server_.eventually([&] { return held_.size() == 1; }));
  client.send(h2_reset(1));
  EXPECT_TRUE(server_.eventually([&] { return viewers_[0]->closed_calls == 1; }));
  server_.run_on_loop([&] {
    EXPECT_EQ(viewers_[1]->closed_calls, 0);
    EXPECT_TRUE(held_[0]->open());
  });
  client.close();
  EXPECT_TRUE(server_.eventually([&] { return viewers_[1]->closed_calls == 1 && !held_[0]->open(); }));
  EXPECT_TRUE(server_.eventually([&] { return server_.server().connections() == 0; }));
}

// Sends `one(i)` up to `count` times; the code of the GOAWAY that comes of it, or -1.
template <class One>
int flood(const TestServer& server, int count, One one) {
  H2TestClient client(server);
  for (int i = 0; i < count && client.send(one(i)); ++i) {
  }
  for (H2Frame frame = client.next(); frame.type >= 0; frame = client.next()) {
    if (frame.type == NGHTTP2_GOAWAY) return static_cast<int>(frame.number(4));
  }
  return -1;
}

TEST_P(H2Test, FloodsEndTheirConnectionAndNoOther) {
  server_.start();
  H2TestClient healthy(server_);
  healthy.send(h2_headers(1, h2_get("/stream")));
  ASSERT_TRUE(waits_for_viewers(1));
  const auto id = [](int i) { return static_cast<uint32_t>(2 * i + 1); };
  const std::string get = h2_block(h2_get("/hello"));
  // The count that each needs at most to be ended, and what it is told.
  EXPECT_EQ(flood(server_, 1000, [&](int i) { return h2_headers(id(i), h2_get("/held")) + h2_reset(id(i)); }),
            NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(flood(server_, 2000, [](int) { return h2_ping("12345678"); }), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(flood(server_, 2000, [](int) { return h2_settings({}); }), NGHTTP2_ENHANCE_YOUR_CALM);
  EXPECT_EQ(flood(server_, 2000, [](int) { return h2_frame(2, 0, 9, std::string(5, '\1')); }),
            NGHTTP2_ENHANCE_YOUR_CALM);
  const std::string open = h2_headers(1, h2_get("/length", {}, "POST"), true);
  EXPECT_EQ(flood(server_, 2000, [&](int i) { return (i ? "" : open) + h2_frame(0, 0, 1, ""); }),
            NGHTTP2_ENHANCE_YOUR_CALM);
  const auto continuation = [&](int i) { return i ? h2_frame(9, 0, 1, "") : h2_frame(1, 1, 1, get.substr(0, 9)); };
  EXPECT_GE(flood(server_, 20, continuation), 0);
  // Streams that the server has to reset: as cheap for the client as resetting them itself.
  EXPECT_EQ(flood(server_, 1000,
                  [&](int i) { return h2_headers(id(i), h2_get("/held"), true) + h2_window(id(i), 0x7fffffff); }),
            NGHTTP2_ENHANCE_YOUR_CALM);
  server_.run_on_loop([&] { viewers_[0]->send("still here"); });
  EXPECT_TRUE(server_.eventually([&] { return server_.server().connections() == 1; }));
  H2Frame frame;
  do {
    frame = healthy.next();
    ASSERT_GE(frame.type, 0);
  } while (frame.type != NGHTTP2_DATA);
  EXPECT_EQ(frame.payload, "still here");
}

TEST_P(H2Test, MoreStreamsThanAllowedAreRefusedOneByOne) {
  server_.limits.http2_streams_max = 3;
  server_.start();
  H2TestClient client(server_);
  H2Frame settings = client.receive();
  ASSERT_EQ(settings.type, NGHTTP2_SETTINGS);
  EXPECT_NE(settings.payload.find(big_endian(NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 2) + big_endian(3, 4)),
            std::string::npos);
  for (uint32_t id = 1; id <= 7; id += 2) client.send(h2_headers(id, h2_get("/stream")));
  H2Frame frame;
  do {
    frame = client.next();
    ASSERT_GE(frame.type, 0);
  } while (frame.type != NGHTTP2_RST_STREAM);
  EXPECT_EQ(frame.stream, 7u);
  EXPECT_EQ(frame.number(0), NGHTTP2_REFUSED_STREAM);
  EXPECT_TRUE(waits_for_viewers(3));
  // One that has agreed to the limit and breaks it loses the connection.
  client.send(h2_settings({}, NGHTTP2_FLAG_ACK) + h2_headers(9, h2_get("/stream")));
  do frame = client.next();
  while (frame.type >= 0 && frame.type != NGHTTP2_GOAWAY);
  EXPECT_EQ(frame.number(4), NGHTTP2_PROTOCOL_ERROR);
}

TEST_P(H2Test, SilentRequestsAndConnectionsEndInTime) {
  server_.limits.body_timeout_ms = 60;
  server_.limits.idle_timeout_ms = 120;
  server_.start();
  H2TestClient client(server_);
  client.send(h2_headers(1, h2_get("/length", {}, "POST"), true) + h2_frame(0, 0, 1, "abc"));
  EXPECT_EQ(client.reply(1).status, 408);
  client.send(h2_reset(1));
  EXPECT_EQ(client.next().type, NGHTTP2_GOAWAY);
  EXPECT_TRUE(server_.eventually([&] { return server_.server().connections() == 0; }));
}

TEST_P(H2Test, DrainingEndsTheConnectionAfterItsStreams) {
  server_.start();
  H2TestClient client(server_);
  client.send(h2_headers(1, h2_get("/stream")));
  ASSERT_TRUE(waits_for_viewers(1));
  server_.run_on_loop([&] {
    server_.server().stop_listening();
    server_.server().drain();
    viewers_[0]->send("bye");
  });
  std::string body;
  bool told = false;
  while (body.size() < 3 || !told) {
    const H2Frame frame = client.next();
    ASSERT_GE(frame.type, 0);
    told |= frame.type == NGHTTP2_GOAWAY && frame.number(4) == NGHTTP2_NO_ERROR;
    if (frame.type == NGHTTP2_DATA) body += frame.payload;
  }
  EXPECT_EQ(body, "bye");
  EXPECT_EQ(server_.server().connections(), 1u);
  server_.run_on_loop([&] { viewers_[0]->finish(false); });
  EXPECT_TRUE(server_.eventually([&] { return server_.server().connections() == 0; }));
}

INSTANTIATE_TEST_SUITE_P(Over, H2Test, ::testing::Bool(), [](const auto& over) { return over.param ? "Tls" : "Tcp"; });

}  // namespace
}  // namespace millstream::http
