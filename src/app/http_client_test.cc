#include "app/http_client.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

namespace millstream::app {
namespace {

using testing::HasSubstr;

// Answers each connection with one canned text, on a free loopback port, and remembers what was asked.
class CannedServer {
 public:
  explicit CannedServer(std::vector<std::string> answers) : answers_(std::move(answers)) {
    listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(::listen(listener_, 8), 0);
    ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { serve(); });
  }
  ~CannedServer() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
  }
  const std::string& url() const { return url_; }
  // After the client has its answer, what it asked is complete.
  const std::vector<std::string>& asked() const { return asked_; }

 private:
  void serve() {
    for (const std::string& answer : answers_) {
      const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (fd < 0) return;
      std::string request;
      char bytes[4096];
      while (request.find("\r\n\r\n") == std::string::npos) {
        const ssize_t got = ::read(fd, bytes, sizeof bytes);
        if (got <= 0) break;
        request.append(bytes, static_cast<size_t>(got));
      }
      asked_.push_back(request);
      static_cast<void>(::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL));
      ::close(fd);
    }
  }

  const std::vector<std::string> answers_;
  int listener_ = -1;
  std::string url_;
  std::vector<std::string> asked_;
  std::thread thread_;
};

TEST(HttpClient, AnswerOfAnyStatusIsAValueWithItsRetryAfter) {
  CannedServer server(
      {"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Type: application/problem+json\r\n"
       "Content-Length: 19\r\n\r\n{\"detail\":\"drains\"}"});
  HttpClient client;
  const auto answer = client.send({server.url() + "/x", {"X-A: b"}, "body", 5'000}, nullptr);
  ASSERT_TRUE(answer.ok()) << answer.error().detail;
  EXPECT_EQ(answer->status, 503);
  EXPECT_EQ(answer->retry_after_ms, 7'000);
  EXPECT_EQ(answer->content_type, "application/problem+json");
  EXPECT_EQ(problem_text(*answer), "drains");
  EXPECT_THAT(server.asked().at(0), testing::AllOf(HasSubstr("POST /x HTTP/1.1\r\n"), HasSubstr("X-A: b\r\n")));
}

TEST(HttpClient, NobodyThereIsAnError) {
  int port_that_closed = 0;
  {
    CannedServer server({});
    port_that_closed = std::stoi(server.url().substr(server.url().rfind(':') + 1));
  }
  HttpClient client;
  const auto answer =
      client.send({"http://127.0.0.1:" + std::to_string(port_that_closed), {}, std::nullopt, 5'000}, nullptr);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().code, Code::unavailable);
}

TEST(HttpClient, RedirectsAreNotFollowedSoThatCredentialsStay) {
  CannedServer server(
      {"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"});
  HttpClient client;
  EXPECT_EQ(client.send({server.url(), {"Authorization: Bearer x"}, std::nullopt, 5'000}, nullptr).value().status, 302);
  EXPECT_EQ(server.asked().size(), 1u);
}

TEST(HttpClient, StreamBytesComeAsTheyAreAndABrokenStreamSaysSo) {
  CannedServer server(
      {"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
       "9\r\ndata: a\n\n\r\n9\r\ndata: b\n\n\r\n"});
  std::string bytes;
  HttpListener listener;
  listener.on_head = [](const HttpAnswer& head) { return head.content_type == "text/event-stream"; };
  listener.on_bytes = [&](std::string_view more) { bytes += more; };
  const auto answer = HttpClient().listen({server.url(), {}, std::nullopt, 5'000}, listener);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(bytes, "data: a\n\ndata: b\n\n");
  EXPECT_TRUE(answer->body.empty());
  EXPECT_FALSE(answer->broken.empty()) << "no final chunk";
}

TEST(HttpClient, TheCallerCanStop) {
  CannedServer server({"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + std::string(1000, 'x')});
  const auto answer = HttpClient().send({server.url(), {}, std::nullopt, 0}, [] { return false; });
  ASSERT_TRUE(answer.ok());
  EXPECT_TRUE(answer->broken.empty());
}

TEST(HttpClient, BodiesAreCutAtSixtyFourKibibytes) {
  CannedServer server({"HTTP/1.1 400 Bad Request\r\nContent-Length: 200000\r\n\r\n" + std::string(200'000, 'x')});
  const auto answer = HttpClient().send({server.url(), {}, std::nullopt, 5'000}, nullptr);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->body.size(), size_t{64} << 10);
  EXPECT_EQ(problem_text(*answer).size(), 300u);
}

TEST(MakeUrl, AddsPathAndEncodedQuery) {
  EXPECT_EQ(make_url("http://127.0.0.1:8080", "/api/stream", {}).value(), "http://127.0.0.1:8080/api/stream");
  EXPECT_EQ(make_url("https://h.example/", "/api/stream", {{"topics", ""}}).value(), "https://h.example/api/stream");
  EXPECT_EQ(make_url("https://h.example/behind/api/stream", "/api/stream", {}).value(),
            "https://h.example/behind/api/stream");
  EXPECT_EQ(
      make_url("http://h", "/s", {{"topics", "account:1/site:*"}, {"since", "2026-01-27T12:00:00+02:00&x=y"}}).value(),
      "http://h/s?topics=account%3a1%2fsite%3a%2a&since=2026-01-27T12%3a00%3a00%2b02%3a00%26x%3dy");
}

TEST(MakeUrl, RefusesOtherSchemesAndSecrets) {
  for (const char* base : {"", "h.example", "ftp://h", "file:///etc/passwd", "http://", "http://u:p@h", "http://u@h"}) {
    EXPECT_FALSE(make_url(base, "/s", {}).ok()) << base;
  }
}

TEST(FetchUrl, OnlyWhatNobodyCanChangeOnItsWayIsTaken) {
  for (const char* good : {"https://id.example/keys", "https://id.example:8443/a/b?p=policy", "https://10.0.0.1/keys",
                           "https://[2001:db8::1]/", "http://localhost/keys", "http://localhost:8080/keys",
                           "http://127.0.0.1:1/keys", "http://127.255.0.9/", "http://[::1]:9/keys"}) {
    EXPECT_TRUE(check_fetch_url(good).ok()) << good;
  }
  for (const char* bad : {"",
                          "id.example/keys",
                          "//id.example/keys",
                          "https://",
                          "http://id.example/keys",
                          "http://10.0.0.1/keys",
                          "http://128.0.0.1/",
                          "http://127.example.com/",
                          "http://localhost.example.com/",
                          "http://127.0.0.1.example.com/",
                          "http://127.0.0.1@id.example/",
                          "http://[::2]/",
                          "http://[::ffff:10.0.0.1]/",
                          "http://0.0.0.0/",
                          "http://[::]/",
                          "ftp://127.0.0.1/keys",
                          "file:///etc/passwd",
                          "gopher://127.0.0.1/",
                          "https://anna:secret@id.example/",
                          "https://anna@id.example/",
                          "https://id.example/keys#a",
                          "https://id.example/a b",
                          "https://id.example:99999/",
                          "https://id.example/\r\nX: y"}) {
    EXPECT_FALSE(check_fetch_url(bad).ok()) << bad;
  }
}

}  // namespace
}  // namespace millstream::app
