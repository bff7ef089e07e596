// app/http_client.h: HTTP requests of the command line tools, for identity providers' keys, to InfluxDB and to Amazon
// SQS, on libcurl.
//
// Flow     send() blocks until the answer is complete; listen() hands a stream's bytes on as they come.
// Shapes   http and https only; redirects are not followed, so that a credential goes nowhere else than it was meant
// to;
//          no proxy for loopback addresses.
// Errors   Code::invalid: not a URL. Code::unavailable: no answer, in libcurl's words. An answer of any status is a
// value. Thread   one thread at a time; blocks
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace millstream::app {

// AWS Signature Version 4, of the headers that are given and the body.
struct AwsSigner {
  std::string region;
  std::string service;
  std::string access_key_id;
  std::string secret_key;
};

struct HttpRequest {
  std::string url;
  std::vector<std::string> headers;  // "Name: value"
  std::optional<std::string> body;   // given: POST
  int64_t timeout_ms = 30'000;       // 0: none
  std::string ca_file;               // PEM: who alone may vouch for an https server; empty: those the system trusts
  std::optional<AwsSigner> aws;
  size_t answer_bytes_max = 64 << 10;  // of HttpAnswer::body; what comes beyond is cut off
};

struct HttpAnswer {
  int status = 0;
  std::string content_type;
  std::string body;  // of a stream: empty
  std::optional<int64_t> retry_after_ms;
  std::string broken;  // why it broke off; empty: it ended as it should, or the caller stopped it
};

// All are called on the caller's thread from inside listen().
struct HttpListener {
  std::function<bool(const HttpAnswer&)> on_head;  // true: the bytes go to on_bytes, false: into HttpAnswer::body
  std::function<void(std::string_view)> on_bytes;
  std::function<bool()> keep_going;  // asked about every second, and after every signal
};

class HttpClient {
 public:
  HttpClient();
  ~HttpClient();

  Result<HttpAnswer> send(const HttpRequest& request, const std::function<bool()>& keep_going);
  Result<HttpAnswer> listen(const HttpRequest& request, const HttpListener& listener);

 private:
  struct Exchange;
  struct Handle;
  std::unique_ptr<Handle> handle_;  // keeps the connection from one request to the next
};

// `base` with `path`, unless it names a path itself, and the query appended. A user or password in `base` is refused:
// it would stand in argv, where others read it.
Result<std::string> make_url(const std::string& base, const std::string& path,
                             const std::vector<std::pair<std::string, std::string>>& query);

// Whether what is fetched from there can be believed: https, or http to this machine itself (localhost, 127.0.0.0/8,
// ::1), without user, password or fragment. Code::invalid says what is wrong.
Status check_fetch_url(const std::string& text);

// The "detail" of a problem+json body, or the body itself, short enough for one line.
std::string problem_text(const HttpAnswer& answer);

}  // namespace millstream::app
