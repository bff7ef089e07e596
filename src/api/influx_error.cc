#include "api/influx_error.h"

#include <algorithm>
#include <string>

#include "api/problem.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

std::string_view v2_code(int status) {
  switch (status) {
    case 400: return "invalid";
    case 401: return "unauthorized";
    case 403: return "forbidden";
    case 404: return "not found";
    case 405: return "method not allowed";
    case 408:
    case 414:
    case 417:
    case 431: return "invalid";
    case 413: return "request too large";
    case 422: return "unprocessable entity";
    case 429: return "too many requests";
    case 501:
    case 505: return "not implemented";
    case 503: return "unavailable";
    default: return "internal error";
  }
}

// A header cannot hold every message: the beginning of it, in one line.
void add_v1_header(std::string_view message, http::Response& response) {
  constexpr size_t kHeaderBytesMax = 1024;
  std::string header(message.substr(0, kHeaderBytesMax));
  std::replace_if(
      header.begin(), header.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  response.headers.add("X-InfluxDB-Error", std::move(header));
}

void add_challenge(http::Response& response) {
  if (response.status == 401) response.headers.add("WWW-Authenticate", "Basic realm=\"InfluxDB\"");
}

}  // namespace

http::Response influx_v1_error(int status, std::string_view message) {
  std::string body = "{\"error\":";
  codec::append_json_string(message, body);
  body += "}\n";
  http::Response response = http::Response::json(status, std::move(body));
  add_v1_header(message, response);
  add_challenge(response);
  if (status == 503) response.headers.add("Retry-After", "2");
  return response;
}

http::Response influx_v2_error(int status, std::string_view message) {
  std::string body = "{\"code\":\"" + std::string(v2_code(status)) + "\",\"message\":";
  codec::append_json_string(message, body);
  body += '}';
  http::Response response = http::Response::json(status, std::move(body));
  response.headers.add("X-Platform-Error-Code", std::string(v2_code(status)));
  if (status == 429 || status == 503) response.headers.add("Retry-After", "2");
  return response;
}

http::Response influx_v3_error(int status, std::string_view error, std::string_view message, std::string_view data) {
  if (message.empty()) message = error;
  std::string body = "{\"error\":";
  codec::append_json_string(error, body);
  body += ",\"code\":\"" + std::string(v2_code(status)) + "\",\"message\":";
  codec::append_json_string(message, body);
  if (!data.empty()) body.append(",\"data\":").append(data);
  body += '}';
  http::Response response = http::Response::json(status, std::move(body));
  add_v1_header(message, response);
  response.headers.add("X-Platform-Error-Code", std::string(v2_code(status)));
  add_challenge(response);
  if (status == 429 || status == 503) response.headers.add("Retry-After", "2");
  return response;
}

http::Response error_at(std::string_view path, int status, std::string_view detail) {
  if (path == "/write" || path == "/query" || path == "/ping") return influx_v1_error(status, detail);
  if (path.starts_with("/api/v2/")) return influx_v2_error(status, detail);
  if (path.starts_with("/api/v3/")) return influx_v3_error(status, detail);
  return problem(status, detail);
}

}  // namespace millstream::api
