#include "http/server.h"

#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/resource.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <vector>

#include "http/test_client.h"

namespace millstream::http {
namespace {

std::string get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(fields) + "\r\n";
}
std::string post(std::string_view path, std::string_view body) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + std::string(body);
}

// Every test runs in the clear and under TLS.
class ServerTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam()) server_.use_tls();
    server_.router.add("GET", "/hello", 0, [](ExchangePtr e) { e->respond(Response::text(200, "hello")); });
    server_.router.add("POST", "/length", 1 << 20, [](ExchangePtr e) {
      e->respond(Response::text(200, std::to_string(e->request().body.size())));
    });
    server_.router.add("GET", "/large", 0,
                       [](ExchangePtr e) { e->respond(Response::text(200, std::string(kLarge, 'x'))); });
    server_.router.add("GET", "/held/{}", 0, [this](ExchangePtr e) { held_.push_back(std::move(e)); });
    server_.router.add("GET", "/dropped", 0, [](ExchangePtr) {});
  }
  void TearDown() override { server_.stop(); }

  bool waits_for_held(size_t count) {
    return server_.eventually([&] { return held_.size() == count; });
  }
  int64_t metric(std::string_view line_start) {
    const std::string text = server_.metrics.prometheus_text();
    const size_t at = text.find("\n" + std::string(line_start) + " ");
    return at == std::string::npos ? -1 : std::atoll(text.c_str() + at + line_start.size() + 2);
  }

  static constexpr size_t kLarge = 8 << 20;
  TestServer server_;
  std::vector<ExchangePtr> held_;  // loop-confined; gone before the loop they belong to
};

TEST_P(ServerTest, KeepsTheConnectionForTheNextRequest) {
  server_.start();
  TestClient client = server_.connect();
  for (int i = 0; i < 3; ++i) {
    client.send(get("/hello"));
    const Answer answer = client.receive();
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, "hello");
    EXPECT_EQ(answer.field("Content-Length"), "5");
    EXPECT_EQ(answer.field("Date").size(), 29u);
    EXPECT_EQ(answer.field("Connection"), "");
  }
  EXPECT_EQ(server_.server().connections(), 1u);
  EXPECT_EQ(metric("millstream_http_requests_total{status=\"2xx\"}"), 3);
  EXPECT_EQ(metric("millstream_http_connections"), 1);
  client.close();
  EXPECT_TRUE(server_.eventually([&] { return server_.server().connections() == 0; }));
  EXPECT_EQ(metric("millstream_http_connections"), 0);
}

TEST_P(ServerTest, AnswersPipelinedRequestsInOrder) {
  server_.start();
  TestClient client = server_.connect();
  std::string all;
  for (int i = 0; i < 200; ++i) all += post("/length", std::string(static_cast<size_t>(i), 'a')) + get("/hello");
  std::thread sender([&] { client.send(all); });
  for (int i = 0; i < 200; ++i) {
    EXPECT_EQ(client.receive().body, std::to_string(i));
    EXPECT_EQ(client.receive().body, "hello");
  }
  sender.join();
}

TEST_P(ServerTest, APipelinedRequestWaitsForTheAnswerBeforeIt) {
  server_.start();
  TestClient client = server_.connect();
  client.send(get("/held/a") + get("/hello") + get("/held/b") + get("/hello"));
  ASSERT_TRUE(waits_for_held(1));
  server_.run_on_loop([&] { held_[0]->respond(Response::text(200, held_[0]->request().captures[0])); });
  EXPECT_EQ(client.receive().body, "a");
  EXPECT_EQ(client.receive().body, "hello");
  ASSERT_TRUE(waits_for_held(2));
  server_.run_on_loop([&] { held_[1]->respond(Response::text(200, held_[1]->request().captures[0])); });
  EXPECT_EQ(client.receive().body, "b");
  EXPECT_EQ(client.receive().body, "hello");
}

TEST_P(ServerTest, BytesOfPipelinedRequestsAreTakenOnlyUpToALimitWhileOneIsBeingAnswered) {
  server_.start();
  TestClient client = server_.connect();
  client.send(get("/held/a"));
  ASSERT_TRUE(waits_for_held(1));
  std::string all;
  size_t count = 0;
  for (; all.size() < (1u << 20); ++count) all += get("/hello");
  std::thread sender([&] { EXPECT_TRUE(client.send(all)); });
  // The server must neither read all of it nor lose any of it.
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  server_.run_on_loop([&] { held_[0]->respond(Response::text(200, "first")); });
  EXPECT_EQ(client.receive().body, "first");
  for (size_t i = 0; i < count; ++i) ASSERT_EQ(client.receive().body, "hello");
  sender.join();
}

TEST_P(ServerTest, HandlersMayAnswerLaterFromAnotherThread) {
  std::vector<std::thread> workers;
  std::mutex mu;
  server_.router.add("POST", "/later", 100, [&](ExchangePtr exchange) {
    std::lock_guard lock(mu);
    workers.emplace_back([exchange = std::move(exchange)]() mutable {
      std::string body = exchange->request().body;
      net::Loop& loop = exchange->loop();
      loop.post(
          [exchange = std::move(exchange), body = std::move(body)] { exchange->respond(Response::text(200, body)); });
    });
  });
  server_.start();
  std::vector<std::thread> clients;
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      TestClient client = server_.connect();
      for (int i = 0; i < 25; ++i) {
        const std::string text = std::to_string(c) + "/" + std::to_string(i);
        client.send(post("/later", text));
        EXPECT_EQ(client.receive().body, text);
      }
    });
  }
  for (std::thread& client : clients) client.join();
  for (std::thread& worker : workers) worker.join();
}

TEST_P(ServerTest, AnExchangeDroppedUnansweredBecomesA500OnWhateverThread) {
  std::thread worker;
  server_.router.add("GET", "/dropped-elsewhere", 0, [&](ExchangePtr exchange) {
    worker = std::thread([exchange = std::move(exchange)]() mutable { exchange.reset(); });
  });
  server_.start();
  TestClient client = server_.connect();
  client.send(get("/dropped"));
  EXPECT_EQ(client.receive().status, 500);
  client.send(get("/dropped-elsewhere"));
  EXPECT_EQ(client.receive().status, 500);
  client.send(get("/hello"));
  EXPECT_EQ(client.receive().status, 200);
  worker.join();
}

TEST_P(ServerTest, AnExchangeMayOutliveItsServerAndItsLoopsRun) {
  server_.start();
  TestClient client = server_.connect();
  TestClient other = server_.connect();
  client.send(get("/held/a"));
  other.send(get("/held/b"));
  ASSERT_TRUE(waits_for_held(2));
  ExchangePtr kept;
  server_.run_on_loop([&] { kept = std::move(held_[0]); });
  server_.end_loop();
  kept.reset();  // after the loop's end and before the server: the connection must not look at it again
  server_.drop_server();
  EXPECT_FALSE(held_[1]->open());
  held_[1]->respond(Response::text(200, "too late"));
  held_.clear();
  EXPECT_EQ(client.rest(), "");
}

TEST_P(ServerTest, AClientThatLeavesWhileItsRequestIsAnsweredIsNoticed) {
  server_.start();
  TestClient leaves = server_.connect();
  TestClient resets = server_.connect();
  TestClient half_closes = server_.connect();
  leaves.send(get("/held/1"));
  ASSERT_TRUE(waits_for_held(1));
  resets.send(get("/held/2"));
  ASSERT_TRUE(waits_for_held(2));
  half_closes.send(get("/held/3"));
  ASSERT_TRUE(waits_for_held(3));
  server_.run_on_loop([&] {
    for (const ExchangePtr& exchange : held_) EXPECT_TRUE(exchange->open());
  });
  leaves.close();
  resets.reset();
  half_closes.finish_sending();
  EXPECT_TRUE(server_.eventually([&] { return !held_[0]->open() && !held_[1]->open() && !held_[2]->open(); }));
  server_.run_on_loop([&] {
    held_[0]->respond(Response::text(200, "x"));
    EXPECT_EQ(held_[1]->start_stream({}), nullptr);
  });
  EXPECT_EQ(server_.server().connections(), 0u);
}

TEST_P(ServerTest, ARequestAndItsEndInOneGoAreStillAnswered) {
  server_.start();
  TestClient client = server_.connect();
  client.send(get("/hello"));
  client.finish_sending();
  EXPECT_EQ(client.receive().body, "hello");
  EXPECT_TRUE(client.is_closed());
}

TEST_P(ServerTest, HeadHasTheLengthOfGetAndNoBody) {
  server_.start();
  TestClient client = server_.connect();
  client.send("HEAD /hello HTTP/1.1\r\nHost: h\r\n\r\n" + get("/hello"));
  const Answer head = client.receive(true);
  EXPECT_EQ(head.field("Content-Length"), "5");
  EXPECT_EQ(client.receive().body, "hello");
}

TEST_P(ServerTest, AKnownPathTellsItsMethodsAndAnswersOptions) {
  server_.hooks.decorate = [](const Request& request, Response& response) {
    if (!request.headers.get("Origin").empty()) response.headers.add("Access-Control-Allow-Origin", "o");
  };
  server_.start();
  TestClient client = server_.connect();
  client.send("OPTIONS /hello HTTP/1.1\r\nHost: h\r\nOrigin: o\r\n\r\nDELETE /hello HTTP/1.1\r\nHost: h\r\n\r\n");
  const Answer options = client.receive();
  EXPECT_EQ(options.status, 204);
  EXPECT_EQ(options.field("Allow"), "GET, HEAD, OPTIONS");
  EXPECT_EQ(options.field("Access-Control-Allow-Origin"), "o");
  EXPECT_EQ(options.field("Content-Length"), "");
  const Answer refused = client.receive();
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(refused.field("Allow"), "GET, HEAD, OPTIONS");
}

TEST_P(ServerTest, ErrorsOfTheServerItselfUseTheHookWithThePathWhereItIsKnown) {
  server_.hooks.error = [](std::string_view path, int status, std::string_view detail) {
    return Response::text(status, std::string(path) + ": " + std::string(detail), "application/problem+json");
  };
  server_.limits.body_timeout_ms = 50;
  server_.start();
  TestClient client = server_.connect();
  client.send("nonsense\r\n\r\n");
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.field("Content-Type"), "application/problem+json");
  EXPECT_EQ(answer.body, ": not an HTTP request");
  TestClient other = server_.connect();
  other.send("DELETE /hello HTTP/1.1\r\nHost: h\r\n\r\n" + get("/dropped"));
  EXPECT_EQ(other.receive().body, "/hello: the path does not take this method");
  EXPECT_EQ(other.receive().body, "/dropped: the request was dropped unanswered");
  other.send("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 9999999\r\n\r\n");
  EXPECT_EQ(other.receive().body, "/length: body: more than 1048576 bytes");
  TestClient slow = server_.connect();
  slow.send("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc");
  EXPECT_EQ(slow.receive().body, "/length: the request did not arrive in time");
}

TEST_P(ServerTest, ContinueIsSaidBeforeTheBodyAndNotForOneThatIsTooLong) {
  server_.start();
  TestClient client = server_.connect();
  client.send("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.receive().status, 100);
  client.send("hello");
  EXPECT_EQ(client.receive().body, "5");
  client.send("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 1048577\r\nExpect: 100-continue\r\n\r\n");
  const Answer refused = client.receive();
  EXPECT_EQ(refused.status, 413);
  EXPECT_EQ(refused.field("Connection"), "close");
  EXPECT_TRUE(client.is_closed());
}

TEST_P(ServerTest, ARouteMayRefuseOnTheHeadAloneAndTheBodyIsNotReadFirst) {
  std::atomic<int> handled{0};
  server_.router.add(
      "POST", "/guarded/{}", 1 << 20,
      [&](ExchangePtr e) {
        ++handled;
        e->respond(Response::text(200, std::to_string(e->request().body.size())));
      },
      [](const Request& request) -> std::optional<Response> {
        EXPECT_EQ(request.peer, "127.0.0.1");
        EXPECT_EQ(request.body, "");
        if (request.headers.get("Authorization") == "good" && request.captures.at(0) == "a") return std::nullopt;
        return Response::text(401, "who are you?");
      });
  server_.start();
  for (const char* expect : {"", "Expect: 100-continue\r\n"}) {
    TestClient stranger = server_.connect();
    stranger.send("POST /guarded/a HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n" + std::string(expect) + "\r\n");
    const Answer refused = stranger.receive();
    EXPECT_EQ(refused.status, 401);
    EXPECT_EQ(refused.body, "who are you?");
    EXPECT_EQ(refused.field("Connection"), "close");
    EXPECT_TRUE(stranger.is_closed());
  }
  TestClient chunked = server_.connect();
  chunked.send("POST /guarded/a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  EXPECT_EQ(chunked.receive().status, 401);
  EXPECT_EQ(handled, 0);
  TestClient known = server_.connect();
  for (int i = 0; i < 2; ++i) {
    known.send("POST /guarded/a HTTP/1.1\r\nHost: h\r\nAuthorization: good\r\nContent-Length: 5\r\n\r\nhello");
    EXPECT_EQ(known.receive().body, "5");
  }
  // Without a body there is nothing to be unsure of, so the connection lives on.
  known.send("POST /guarded/b HTTP/1.1\r\nHost: h\r\nAuthorization: good\r\n\r\n" + get("/hello"));
  EXPECT_EQ(known.receive().status, 401);
  EXPECT_EQ(known.receive().body, "hello");
  EXPECT_EQ(handled, 2);
}

TEST_P(ServerTest, ABodyThatIsTooLongIsRefusedAndTheAnswerIsNotLostToAReset) {
  server_.start();
  for (int i = 0; i < 5; ++i) {
    TestClient client = server_.connect();
    client.send("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 20000000\r\n\r\n");
    client.send(std::string(20'000'000, 'a'));
    EXPECT_EQ(client.receive().status, 413);
  }
}

TEST_P(ServerTest, BodiesBeyondTheBudgetOfAllAreAnswered503UntilOneIsDone) {
  server_.bodies = std::make_shared<BodyBudget>(1000);
  server_.router.add("POST", "/kept", 1 << 20, [this](ExchangePtr e) { held_.push_back(std::move(e)); });
  server_.start();
  TestClient first = server_.connect();
  first.send("POST /kept HTTP/1.1\r\nHost: h\r\nContent-Length: 900\r\n\r\n" + std::string(800, 'a'));
  ASSERT_TRUE(server_.eventually([&] { return server_.bodies->held_bytes() == 800; }));

  TestClient announces = server_.connect();
  announces.send("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 201\r\n\r\n");
  const Answer refused = announces.receive();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.field("Retry-After"), "2");
  EXPECT_EQ(refused.field("Connection"), "close");
  TestClient chunked = server_.connect();
  chunked.send("POST /length HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  chunked.send("64\r\n" + std::string(100, 'b') + "\r\n65\r\n" + std::string(101, 'b') + "\r\n");
  EXPECT_EQ(chunked.receive().status, 503);
  TestClient fits = server_.connect();
  fits.send(post("/length", std::string(200, 'c')));
  EXPECT_EQ(fits.receive().body, "200");
  EXPECT_TRUE(server_.eventually([&] { return server_.bodies->held_bytes() == 800; }));

  // A body counts until its answer is made, wherever the handler has put it.
  first.send(std::string(100, 'a'));
  ASSERT_TRUE(waits_for_held(1));
  server_.run_on_loop([&] { std::string().swap(held_[0]->request().body); });
  EXPECT_EQ(server_.bodies->held_bytes(), 900u);
  server_.run_on_loop([&] {
    held_[0]->respond(Response::text(200, "done"));
    held_.clear();
  });
  EXPECT_EQ(first.receive().body, "done");
  EXPECT_EQ(server_.bodies->held_bytes(), 0u);
  fits.send(post("/length", std::string(1000, 'c')));
  EXPECT_EQ(fits.receive().body, "1000");
}

TEST_P(ServerTest, BodiesThatEndEarlyGiveTheirRoomBack) {
  server_.bodies = std::make_shared<BodyBudget>(1000);
  server_.limits.body_timeout_ms = 50;
  server_.start();
  const std::string half = "POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 600\r\n\r\n" + std::string(300, 'a');
  TestClient stops = server_.connect();
  stops.send(half);
  TestClient leaves = server_.connect();
  leaves.send(half);
  ASSERT_TRUE(server_.eventually([&] { return server_.bodies->held_bytes() == 600; }));
  leaves.close();
  EXPECT_EQ(stops.receive().status, 408);
  EXPECT_TRUE(server_.eventually([&] { return server_.bodies->held_bytes() == 0; }));
}

TEST_P(ServerTest, LargeBodiesArriveWholeHoweverTheyAreSent) {
  server_.start();
  TestClient client = server_.connect();
  const std::string body(1 << 20, 'b');
  client.send(post("/length", body));
  EXPECT_EQ(client.receive().body, "1048576");
  client.send("POST /length HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 16; ++i) client.send("10000\r\n" + body.substr(0, 65536) + "\r\n");
  client.send("0\r\n\r\n");
  EXPECT_EQ(client.receive().body, "1048576");
}

TEST_P(ServerTest, ALargeAnswerWaitsForItsReaderAndHoldsNobodyElseUp) {
  server_.limits.socket_send_buffer_bytes = 4096;
  server_.start();
  TestClient slow = server_.connect(4096);
  slow.send(get("/large") + get("/hello"));
  TestClient other = server_.connect();
  other.send(get("/hello"));
  EXPECT_EQ(other.receive().body, "hello");
  const Answer answer = slow.receive();
  EXPECT_EQ(answer.body, std::string(kLarge, 'x'));
  EXPECT_EQ(slow.receive().body, "hello");
}

#ifndef MILLSTREAM_SANITIZED  // whose allocators mallinfo2 does not know
TEST_P(ServerTest, AnIdleConnectionHoldsNothingOfItsLastAnswer) {
  const auto allocated_bytes = [] {
    const struct mallinfo2 info = ::mallinfo2();
    return info.uordblks + info.hblkhd;
  };
  server_.start();
  std::vector<std::unique_ptr<TestClient>> clients;
  const size_t before = allocated_bytes();
  for (int i = 0; i < 4; ++i) {
    TestClient& client = *clients.emplace_back(std::make_unique<TestClient>(server_.connect()));
    client.send(get("/large"));
    EXPECT_EQ(client.receive().body.size(), kLarge);
    client.send(get("/held/a"));  // the large answer is over when this one is being handled
    ASSERT_TRUE(waits_for_held(clients.size()));
    client.release_input();
  }
  EXPECT_LT(allocated_bytes(), before + kLarge);
}
#endif

TEST_P(ServerTest, AnAnswerNobodyReadsEndsTheConnection) {
  server_.limits.socket_send_buffer_bytes = 4096;
  server_.limits.write_timeout_ms = 60;
  server_.start();
  TestClient client = server_.connect(4096);
  client.send(get("/large"));
  EXPECT_TRUE(server_.eventually([&] { return server_.server().connections() == 0; }));
  EXPECT_FALSE(client.receive().whole);
}

TEST_P(ServerTest, ASlowHeadIsAnswered408AndAnIdleConnectionJustEnds) {
  server_.limits.header_timeout_ms = 80;
  server_.limits.idle_timeout_ms = 50;
  server_.start();
  TestClient silent = server_.connect();
  TestClient slow = server_.connect();
  TestClient idle = server_.connect();
  slow.send("GET /hello HTTP/1.1\r\n");
  idle.send(get("/hello"));
  EXPECT_EQ(idle.receive().status, 200);
  const Answer answer = slow.receive();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.field("Connection"), "close");
  EXPECT_EQ(silent.rest(), "");
  EXPECT_EQ(idle.rest(), "");
}

TEST_P(ServerTest, AHeadThatDripsInIsNotGivenMoreTimeByEachByte) {
  server_.limits.header_timeout_ms = 100;
  server_.start();
  TestClient client = server_.connect();
  const int64_t start_ms = server_.clock.steady_ms();
  for (int i = 0; i < 2000 && client.send(i == 0 ? "GET /" : "a"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    if (server_.clock.steady_ms() - start_ms > 300) break;
  }
  EXPECT_EQ(client.receive().status, 408);
}

TEST_P(ServerTest, ABodyThatStopsArrivingIsAnswered408ButASlowOneIsNot) {
  server_.limits.body_timeout_ms = 120;
  server_.start();
  TestClient stops = server_.connect();
  stops.send("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nabc");
  TestClient slow = server_.connect();
  slow.send("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
  for (int i = 0; i < 10; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    slow.send("a");
  }
  EXPECT_EQ(slow.receive().body, "10");
  EXPECT_EQ(stops.receive().status, 408);
}

TEST_P(ServerTest, ABodyThatDripsInIsAnswered408WhenItsWholeTimeIsOver) {
  server_.limits.body_timeout_ms = 5'000;
  server_.limits.body_total_timeout_ms = 250;
  server_.start();
  TestClient client = server_.connect();
  client.send("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n");
  const int64_t start_ms = server_.clock.steady_ms();
  while (client.send("a") && server_.clock.steady_ms() - start_ms < 1000) {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 408);
  EXPECT_EQ(answer.field("Connection"), "close");
  // The time is each request's own, also on a connection that has lived longer.
  TestClient kept = server_.connect();
  for (int i = 0; i < 4; ++i) {
    kept.send("POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\na");
    std::this_thread::sleep_for(std::chrono::milliseconds(80));
    kept.send("b");
    EXPECT_EQ(kept.receive().body, "2");
  }
}

TEST_P(ServerTest, AHandlerMayTakeLongerThanAnyLimit) {
  server_.limits.header_timeout_ms = server_.limits.idle_timeout_ms = server_.limits.body_timeout_ms = 30;
  server_.start();
  TestClient client = server_.connect();
  client.send(get("/held/a"));
  ASSERT_TRUE(waits_for_held(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  server_.run_on_loop([&] { held_[0]->respond(Response::text(200, "late")); });
  EXPECT_EQ(client.receive().body, "late");
}

TEST_P(ServerTest, BeyondTheLimitANewConnectionTakesThePlaceOfTheLongestIdle) {
  server_.limits.connections_max = 3;
  server_.start();
  TestClient first = server_.connect();
  TestClient second = server_.connect();
  TestClient silent = server_.connect();  // may be about to send its first request
  for (TestClient* client : {&first, &second, &first}) {
    client->send(get("/hello"));
    EXPECT_EQ(client->receive().status, 200);
  }
  TestClient third = server_.connect();
  third.send(get("/hello"));
  EXPECT_EQ(third.receive().status, 200);
  EXPECT_TRUE(second.is_closed());
  EXPECT_EQ(metric("millstream_http_evicted_connections_total"), 1);
  for (TestClient* client : {&first, &silent}) {
    client->send(get("/hello"));
    EXPECT_EQ(client->receive().status, 200);
  }
  EXPECT_EQ(server_.server().connections(), 3u);
}

TEST_P(ServerTest, BeyondTheLimitWithNoneIdleANewConnectionIsClosedWithoutAnAnswer) {
  server_.limits.connections_max = 2;
  server_.start();
  TestClient busy = server_.connect();
  busy.send(get("/hello"));
  EXPECT_EQ(busy.receive().status, 200);
  busy.send(get("/held/a"));
  ASSERT_TRUE(waits_for_held(1));
  TestClient sending = server_.connect();
  sending.send(get("/hello"));
  EXPECT_EQ(sending.receive().status, 200);
  sending.send("GET /hello HTTP/1.1\r\n");
  TestClient probe = server_.connect_later();
  ASSERT_TRUE(server_.eventually([&] { return server_.server().connections() == 2; }));
  server_.connect(probe);
  EXPECT_TRUE(probe.is_closed());
  EXPECT_EQ(metric("millstream_http_accept_errors_total"), 1);
  EXPECT_EQ(metric("millstream_http_evicted_connections_total"), 0);
  sending.send("Host: h\r\n\r\n");
  EXPECT_EQ(sending.receive().status, 200);
  server_.run_on_loop([&] { held_[0]->respond(Response::text(200, "late")); });
  EXPECT_EQ(busy.receive().body, "late");
  busy.close();
  EXPECT_TRUE(server_.eventually([&] { return server_.server().connections() == 1; }));
  TestClient later = server_.connect();
  later.send(get("/hello"));
  EXPECT_EQ(later.receive().status, 200);
}

TEST_P(ServerTest, AStreamKeepsItsPlaceHoweverManyWantOne) {
  std::unique_ptr<ByteSink> sink;
  server_.router.add("GET", "/stream", 0, [&](ExchangePtr e) { sink = e->start_stream({}); });
  server_.limits.connections_max = 1;
  server_.start();
  TestClient viewer = server_.connect();
  viewer.send(get("/stream"));
  EXPECT_EQ(viewer.receive(true).status, 200);
  for (int i = 0; i < 3; ++i) {
    TestClient other = server_.connect();
    EXPECT_TRUE(other.is_closed());
  }
  EXPECT_EQ(server_.server().connections(), 1u);
  server_.run_on_loop([&] { sink.reset(); });
  EXPECT_TRUE(viewer.is_closed());
}

TEST_P(ServerTest, WithoutDescriptorsNewClientsAreShedAndTheLoopDoesNotSpin) {
  server_.start();
  TestClient early = server_.connect();
  early.send(get("/hello"));
  EXPECT_EQ(early.receive().status, 200);
  const auto turns = std::make_shared<std::atomic<int>>(0);  // the loop counts on when this function has returned
  server_.run_on_loop([&] { server_.loop.add_turn_end([turns] { ++*turns; }); });
  early.send(get("/hello"));  // when it is answered, the loop has let go of the task
  EXPECT_EQ(early.receive().status, 200);
  // Descriptors are numbered from the lowest free one, so a limit just above what is open leaves none to be had.
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  TestClient shed = server_.connect_later();
  rlimit tight = limit;
  tight.rlim_cur = static_cast<rlim_t>(::dup(0));
  ::close(static_cast<int>(tight.rlim_cur));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  server_.connect(shed);
  const bool closed = shed.is_closed();
  const int turns_before = *turns;
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const int turns_idle = *turns - turns_before;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_TRUE(closed);
  EXPECT_LT(turns_idle, 20);
  EXPECT_GE(metric("millstream_http_accept_errors_total"), 1);
  early.send(get("/hello"));
  EXPECT_EQ(early.receive().status, 200);
  TestClient later = server_.connect();
  later.send(get("/hello"));
  EXPECT_EQ(later.receive().status, 200);
}

TEST_P(ServerTest, DrainingEndsIdleConnectionsAtOnceAndOthersAfterTheirAnswer) {
  server_.start();
  TestClient idle = server_.connect();
  idle.send(get("/hello"));
  EXPECT_EQ(idle.receive().status, 200);
  TestClient busy = server_.connect();
  busy.send(get("/held/a"));
  TestClient half_sent = server_.connect();
  half_sent.send("GET /hello HTTP/1.1\r\n");
  ASSERT_TRUE(waits_for_held(1));
  ASSERT_TRUE(server_.eventually([&] { return server_.server().connections() == 3; }));
  server_.run_on_loop([&] {
    server_.server().stop_listening();
    server_.server().drain();
  });
  EXPECT_TRUE(idle.is_closed());
  server_.run_on_loop([&] { held_[0]->respond(Response::text(200, "last")); });
  const Answer last = busy.receive();
  EXPECT_EQ(last.body, "last");
  EXPECT_EQ(last.field("Connection"), "close");
  EXPECT_TRUE(busy.is_closed());
  half_sent.send("Host: h\r\n\r\n");
  const Answer finished = half_sent.receive();
  EXPECT_EQ(finished.status, 200);
  EXPECT_EQ(finished.field("Connection"), "close");
}

TEST_P(ServerTest, ThePeersAddressIsInTheRequest) {
  server_.start();
  TestClient client = server_.connect();
  client.send(get("/held/a"));
  ASSERT_TRUE(waits_for_held(1));
  server_.run_on_loop([&] { EXPECT_EQ(held_[0]->request().peer, "127.0.0.1"); });
}

TEST_P(ServerTest, RequestsOfManyClientsAreNeverMixedUp) {
  server_.router.add("POST", "/echo/{}", 100, [](ExchangePtr exchange) {
    exchange->respond(Response::text(200, exchange->request().captures[0] + exchange->request().body));
  });
  server_.start();
  std::vector<std::thread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      TestClient client = server_.connect();
      for (int i = 0; i < 200; ++i) {
        const std::string text = std::string(static_cast<size_t>(i % 90), static_cast<char>('a' + c));
        client.send(post("/echo/" + std::to_string(c), text));
        ASSERT_EQ(client.receive().body, std::to_string(c) + text);
      }
    });
  }
  for (std::thread& client : clients) client.join();
}

INSTANTIATE_TEST_SUITE_P(Over, ServerTest, ::testing::Bool(),
                         [](const auto& over) { return over.param ? "Tls" : "Tcp"; });

}  // namespace
}  // namespace millstream::http
