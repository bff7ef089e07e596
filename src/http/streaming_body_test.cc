#include "http/streaming_body.h"

#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <vector>

#include "http/test_client.h"

namespace millstream::http {
namespace {

// A hub in small: writes what it has, keeps what was not taken, goes on when there is room.
class Writer : public ByteSinkOwner {
 public:
  explicit Writer(std::unique_ptr<ByteSink> sink) : sink_(std::move(sink)) { sink_->set_owner(this); }
  virtual ~Writer() = default;

  void send(std::string bytes) {
    waiting_ += bytes;
    push();
  }
  void on_writable() override {
    ++writable_calls;
    push();
  }
  void on_closed() override {
    EXPECT_FALSE(in_write_);
    ++closed_calls;
    sink_.reset();
  }
  void finish(bool finished) { sink_->close(finished); }
  bool has_sink() const { return sink_ != nullptr; }
  size_t waiting() const { return waiting_.size(); }

  int writable_calls = 0;
  int closed_calls = 0;
  int short_writes = 0;

 private:
  void push() {
    if (!sink_ || waiting_.empty()) return;
    const size_t half = waiting_.size() / 2;
    const std::array<iovec, 2> pieces{iovec{waiting_.data(), half},
                                      iovec{waiting_.data() + half, waiting_.size() - half}};
    in_write_ = true;
    const size_t sent = sink_->write(pieces);
    in_write_ = false;
    if (sent < waiting_.size()) ++short_writes;
    waiting_.erase(0, sent);
  }

  std::unique_ptr<ByteSink> sink_;
  std::string waiting_;
  bool in_write_ = false;
};

// Every test runs in the clear and under TLS.
class Streaming : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) server_.use_tls();
    server_.router.add("GET", "/stream", 0, [this](ExchangePtr exchange) {
      Response head;
      head.headers.add("Content-Type", "text/event-stream");
      auto sink = exchange->start_stream(std::move(head));
      ++started_;
      if (sink && own_at_once_) {
        writers_.push_back(std::make_unique<Writer>(std::move(sink)));
      } else if (sink) {
        unowned_ = std::move(sink);
      }
    });
  }
  void TearDown() override {
    server_.run_on_loop([&] {
      writers_.clear();
      unowned_.reset();
    });
    server_.stop();
  }
  TestClient open(std::string_view version = "1.1", int receive_buffer = 0) {
    TestClient client = server_.connect(receive_buffer);
    client.send("GET /stream HTTP/" + std::string(version) + "\r\nHost: h\r\n\r\n");
    EXPECT_TRUE(server_.eventually([&] { return started_ > 0; }));
    return client;
  }
  Writer& writer() { return *writers_.at(0); }
  void on_loop(std::function<void()> task) { server_.run_on_loop(std::move(task)); }

  TestServer server_;
  bool own_at_once_ = true;
  int started_ = 0;                               // loop-confined
  std::vector<std::unique_ptr<Writer>> writers_;  // loop-confined
  std::unique_ptr<ByteSink> unowned_;             // loop-confined
};

TEST_P(Streaming, TheHeadLeavesAtOnceAndChunksFollow) {
  server_.start();
  TestClient client = open();
  Answer head = client.receive(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.field("Transfer-Encoding"), "chunked");
  EXPECT_EQ(head.field("Content-Type"), "text/event-stream");
  EXPECT_EQ(head.field("Content-Length"), "");
  on_loop([&] { writer().send(chunk("one") + chunk("two")); });
  EXPECT_EQ(client.receive_bytes(16), "3\r\none\r\n3\r\ntwo\r\n");
  on_loop([&] { writer().finish(true); });
  EXPECT_EQ(client.rest(), "0\r\n\r\n");
  on_loop([&] { EXPECT_EQ(writer().closed_calls, 0); });
  EXPECT_EQ(server_.server().connections(), 0u);
}

TEST_P(Streaming, AStreamThatIsCutHasNoFinalChunk) {
  server_.start();
  TestClient client = open();
  client.receive(true);
  on_loop([&] {
    writer().send(chunk("one"));
    writer().finish(false);
  });
  EXPECT_EQ(client.rest(), "3\r\none\r\n");
}

TEST_P(Streaming, AnHttp10ClientGetsThePayloadWithoutChunks) {
  server_.start();
  TestClient client = open("1.0");
  const Answer head = client.receive(true);
  EXPECT_EQ(head.field("Transfer-Encoding"), "");
  EXPECT_EQ(head.field("Connection"), "close");
  on_loop([&] {
    writer().send(chunk("one") + chunk(std::string(300, 'x')));
    writer().send(chunk("two"));
    writer().finish(true);
  });
  EXPECT_EQ(client.rest(), "one" + std::string(300, 'x') + "two");
}

TEST_P(Streaming, AReaderThatStopsMakesWritesShortAndLosesNothing) {
  for (const char* version : {"1.1", "1.0"}) {
    SCOPED_TRACE(version);
    TestServer& server = server_;
    if (started_ == 0) {
      server.limits.socket_send_buffer_bytes = 4096;
      server.start();
    }
    on_loop([&] {
      writers_.clear();
      started_ = 0;
    });
    TestClient client = open(version, 4096);
    client.receive(true);
    std::string chunks;
    std::string payload;
    for (int i = 0; chunks.size() < (1 << 20); ++i) {
      const std::string text = "event " + std::to_string(i) + std::string(static_cast<size_t>(i % 500), '.');
      chunks += chunk(text);
      payload += text;
    }
    on_loop([&] {
      writer().send(chunks);
      EXPECT_GT(writer().waiting(), 0u);
    });
    const bool raw = version == std::string_view("1.1");
    EXPECT_EQ(client.receive_bytes(raw ? chunks.size() : payload.size()), raw ? chunks : payload);
    // All taken: no more calls, although the socket is writable.
    EXPECT_TRUE(server_.eventually([&] { return writer().waiting() == 0; }));
    int calls = 0;
    on_loop([&] { calls = writer().writable_calls; });
    EXPECT_GT(calls, 0);
    for (int i = 0; i < 5; ++i) on_loop([] {});
    on_loop([&] { EXPECT_LE(writer().writable_calls, calls + 1); });
  }
}

TEST_P(Streaming, AnEndInTheMiddleOfAChunkIsNoProperEnd) {
  server_.limits.socket_send_buffer_bytes = 4096;
  server_.start();
  TestClient client = open("1.1", 4096);
  client.receive(true);
  on_loop([&] {
    writer().send(chunk(std::string(1 << 20, 'x')));
    ASSERT_GT(writer().waiting(), 0u);
    writer().finish(true);
  });
  const std::string got = client.rest();
  EXPECT_LT(got.size(), 1u << 20);
  EXPECT_FALSE(got.ends_with("0\r\n\r\n"));
}

TEST_P(Streaming, APeerThatLeavesIsNoticedWhateverWayItLeaves) {
  server_.start();
  for (const int way : {0, 1, 2}) {
    on_loop([&] {
      writers_.clear();
      started_ = 0;
    });
    TestClient client = open();
    client.receive(true);
    if (way == 0) client.close();
    if (way == 1) client.reset();
    if (way == 2) client.finish_sending();
    EXPECT_TRUE(server_.eventually([&] { return writer().closed_calls == 1; })) << "way " << way;
    EXPECT_TRUE(server_.eventually([&] { return server_.server().connections() == 0; }));
    on_loop([&] { writer().send("ignored"); });
  }
}

TEST_P(Streaming, AWriteToADeadPeerTellsTheOwnerLaterAndOnce) {
  server_.start();
  TestClient client = open();
  client.receive(true);
  on_loop([&] {
    client.reset();
    // The reset may or may not have been delivered: one of these writes fails, none calls back.
    for (int i = 0; i < 10 && writer().has_sink(); ++i) writer().send(chunk("x"));
    EXPECT_EQ(writer().closed_calls, 0);
  });
  EXPECT_TRUE(server_.eventually([&] { return writer().closed_calls == 1; }));
  for (int i = 0; i < 3; ++i) on_loop([] {});
  on_loop([&] { EXPECT_EQ(writer().closed_calls, 1); });
}

TEST_P(Streaming, ALaterOwnerHearsThatThePeerLeftBefore) {
  own_at_once_ = false;
  server_.start();
  TestClient client = open();
  client.receive(true);
  client.close();
  // One way or the other, before the owner is set or after: it hears of it once.
  for (int i = 0; i < 3; ++i) on_loop([] {});
  on_loop([&] {
    writers_.push_back(std::make_unique<Writer>(std::move(unowned_)));
    EXPECT_EQ(writer().closed_calls, 0);
  });
  EXPECT_TRUE(server_.eventually([&] { return writer().closed_calls == 1; }));
}

TEST_P(Streaming, WhatTheClientStillSendsIsDroppedAndThePipelineEnds) {
  server_.start();
  TestClient client = open();
  client.receive(true);
  client.send("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n" + std::string(200'000, 'x'));
  on_loop([&] { writer().send(chunk("still here")); });
  EXPECT_EQ(client.receive_bytes(15), "a\r\nstill here\r\n");
  on_loop([&] {
    EXPECT_EQ(started_, 1);
    EXPECT_EQ(writer().closed_calls, 0);
  });
}

TEST_P(Streaming, HeadOfAStreamHasItsHeadOnly) {
  server_.start();
  TestClient client = server_.connect();
  client.send("HEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.receive(true).field("Transfer-Encoding"), "chunked");
  client.send("GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(client.receive().status, 404);
}

TEST_P(Streaming, TheSinkMayBeDestroyedWithoutBeingClosed) {
  server_.start();
  TestClient client = open();
  client.receive(true);
  EXPECT_EQ(server_.server().connections(), 1u);
  on_loop([&] { writers_.clear(); });
  EXPECT_EQ(client.rest(), "");
  EXPECT_EQ(server_.server().connections(), 0u);
}

TEST(StreamingBody, AnIdleStreamIsSmall) { EXPECT_LE(sizeof(StreamingBody), 80u); }

INSTANTIATE_TEST_SUITE_P(Over, Streaming, ::testing::Bool(),
                         [](const auto& over) { return over.param ? "Tls" : "Tcp"; });

}  // namespace
}  // namespace millstream::http
