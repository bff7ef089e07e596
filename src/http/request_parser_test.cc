#include "http/request_parser.h"

#include <gtest/gtest.h>

#include <random>

#include "http/raw_requests.h"

namespace millstream::http {
namespace {

ServerLimits small_limits() {
  ServerLimits limits;
  limits.header_bytes_max = 2048;
  limits.header_fields_max = 16;
  limits.target_bytes_max = 512;
  return limits;
}

struct Outcome {
  int status = 0;  // 0: a request; else what it was refused with
  std::string method;
  std::string path;
  std::string body;
  std::string rest;  // bytes after the request

  bool operator==(const Outcome&) const = default;
};

// Feeds `raw` in pieces of the sizes that `next_size` gives, as a connection does.
template <class F>
Outcome parse(const std::string& raw, F next_size) {
  static const ServerLimits limits = small_limits();
  RequestParser parser(limits);
  Outcome outcome;
  std::string waiting;
  size_t fed = 0;
  while (true) {
    size_t used = 0;
    const RequestParser::Step step = parser.feed(waiting, used);
    waiting.erase(0, used);
    if (step == RequestParser::Step::refused) {
      outcome.status = parser.refusal().status;
      return outcome;
    }
    if (step == RequestParser::Step::done) {
      outcome.method = parser.request().method;
      outcome.path = parser.request().path;
      outcome.body = parser.request().body;
      outcome.rest = waiting + raw.substr(fed);
      return outcome;
    }
    if (step == RequestParser::Step::head) {
      if (parser.limit_body(100)) continue;
      outcome.status = 413;
      return outcome;
    }
    if (fed == raw.size()) {
      outcome.status = -1;  // would wait for more
      return outcome;
    }
    const size_t size = std::min<size_t>(next_size(), raw.size() - fed);
    waiting.append(raw, fed, size);
    fed += size;
  }
}

TEST(RequestParser, TheResultDoesNotDependOnHowTheBytesAreCut) {
  const unsigned seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937 random(seed);
  for (const RawRequest& request : raw_requests()) {
    SCOPED_TRACE(request.name);
    const std::string raw = request.raw + canary();
    const Outcome whole = parse(raw, [&] { return raw.size(); });
    ASSERT_NE(whole.status, -1);
    if (whole.status == 0) {
      EXPECT_EQ(whole.rest, canary());
    }
    EXPECT_EQ(parse(raw, [] { return 1; }), whole);
    for (int round = 0; round < 20; ++round) {
      EXPECT_EQ(parse(raw, [&] { return 1 + random() % 40; }), whole);
    }
  }
}

TEST(RequestParser, FieldsKeepTheirOrderAndLoseTheSpaceAround) {
  const ServerLimits limits;
  RequestParser parser(limits);
  size_t used = 0;
  const std::string raw = "GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-One: \t 1 2 \t\r\nx-two:\r\n\r\n";
  ASSERT_EQ(parser.feed(raw, used), RequestParser::Step::head);
  EXPECT_EQ(used, raw.size());
  const Request& request = parser.request();
  ASSERT_EQ(request.headers.list().size(), 3u);
  EXPECT_EQ(request.headers.list()[1].name, "X-One");
  EXPECT_EQ(request.headers.list()[1].value, "1 2");
  EXPECT_EQ(request.headers.list()[2].value, "");
  EXPECT_EQ(request.query.get("b"), "c");
  EXPECT_TRUE(parser.keep_alive());
  EXPECT_FALSE(parser.has_body());
}

TEST(RequestParser, AHeadOfExactlyTheLimitPassesAndOneByteMoreDoesNot) {
  for (const size_t extra : {0, 1}) {
    std::string raw = "GET / HTTP/1.1\r\nHost: h\r\nX: ";
    raw += std::string(2048 - raw.size() - 4 + extra, 'a') + "\r\n\r\n";
    EXPECT_EQ(parse(raw, [&] { return raw.size(); }).status, extra ? 431 : 0);
    EXPECT_EQ(parse(raw, [] { return 1; }).status, extra ? 431 : 0);
  }
}

TEST(RequestParser, ATargetOfExactlyTheLimitPassesAndOneByteMoreDoesNot) {
  for (const size_t extra : {0, 1}) {
    const std::string raw = "GET /" + std::string(511 + extra, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n";
    EXPECT_EQ(parse(raw, [&] { return raw.size(); }).status, extra ? 414 : 0);
  }
}

TEST(RequestParser, ExactlyTheAllowedNumberOfFieldsPasses) {
  for (const int extra : {0, 1}) {
    std::string raw = "GET / HTTP/1.1\r\nHost: h\r\n";
    for (int i = 0; i < 15 + extra; ++i) raw += "X: 1\r\n";
    raw += "\r\n";
    EXPECT_EQ(parse(raw, [&] { return raw.size(); }).status, extra ? 431 : 0);
  }
}

TEST(RequestParser, IsReadyForTheNextRequestAfterReset) {
  const ServerLimits limits;
  RequestParser parser(limits);
  std::string waiting;
  for (int i = 0; i < 3; ++i) {
    waiting += "POST /n" + std::to_string(i) + " HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab";
  }
  for (int i = 0; i < 3; ++i) {
    size_t used = 0;
    ASSERT_EQ(parser.feed(waiting, used), RequestParser::Step::head);
    waiting.erase(0, used);
    ASSERT_TRUE(parser.limit_body(2));
    ASSERT_EQ(parser.feed(waiting, used), RequestParser::Step::done);
    waiting.erase(0, used);
    EXPECT_EQ(parser.request().path, "/n" + std::to_string(i));
    EXPECT_EQ(parser.request().body, "ab");
    EXPECT_EQ(parser.request().headers.list().size(), 2u);
    parser.reset();
  }
  EXPECT_EQ(waiting, "");
}

}  // namespace
}  // namespace millstream::http
