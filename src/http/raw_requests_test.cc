// The table of raw requests, replayed against a server on loopback.
#include "http/raw_requests.h"

#include <gtest/gtest.h>

#include "http/test_client.h"

namespace millstream::http {
namespace {

class RawRequests : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.limits.header_bytes_max = 2048;
    server_.limits.header_fields_max = 16;
    server_.limits.target_bytes_max = 512;
    const auto echo = [](ExchangePtr exchange) {
      const Request& request = exchange->request();
      exchange->respond(Response::text(200, request.method + " " + request.path + " " + request.body));
    };
    server_.router.add("GET", "/echo", 0, echo);
    server_.router.add("POST", "/echo", 100, echo);
    server_.router.add("GET", "/canary", 0,
                       [](ExchangePtr exchange) { exchange->respond(Response::text(200, "canary")); });
    server_.start();
  }

  void expect_answers(const RawRequest& request, TestClient& client) {
    const Answer answer = client.receive();
    EXPECT_EQ(answer.status, request.status);
    EXPECT_TRUE(answer.whole);
    if (!request.body.empty()) {
      EXPECT_EQ(answer.body, request.body);
    }
    EXPECT_EQ(answer.field("Connection"), request.closes ? "close" : "");
    EXPECT_NE(answer.field("Date"), "");
    if (request.closes) {
      EXPECT_EQ(client.rest(), "") << "something was answered behind the end";
    } else {
      EXPECT_EQ(client.receive().body, "canary");
    }
  }

  TestServer server_;
};

TEST_F(RawRequests, AreEachAnsweredAsTheTableSays) {
  const std::vector<RawRequest> all = raw_requests();
  ASSERT_GE(all.size(), 150u);
  for (const RawRequest& request : all) {
    SCOPED_TRACE(request.name);
    TestClient client = server_.connect();
    client.send(request.raw + canary());
    expect_answers(request, client);
  }
}

TEST_F(RawRequests, AreAnsweredTheSameWhenTheyArriveInTwoParts) {
  for (const RawRequest& request : raw_requests()) {
    SCOPED_TRACE(request.name);
    TestClient client = server_.connect();
    const std::string raw = request.raw + canary();
    client.send(raw.substr(0, request.raw.size() - 3));
    server_.run_on_loop([] {});
    client.send(raw.substr(request.raw.size() - 3));
    expect_answers(request, client);
  }
}

}  // namespace
}  // namespace millstream::http
