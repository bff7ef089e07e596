#include "api/problem.h"

#include <string>

#include "base/log_line.h"
#include "codec/event_json.h"
#include "codec/field_name.h"
#include "http/response_head.h"

namespace millstream::api {

int status_of(Code code) {
  switch (code) {
    case Code::invalid: return 400;
    case Code::unprocessable: return 422;
    case Code::unauthenticated: return 401;
    case Code::forbidden: return 403;
    case Code::not_found: return 404;
    case Code::conflict: return 409;
    case Code::too_large: return 413;
    case Code::rate_limited: return 429;
    case Code::unavailable: return 503;
    case Code::storage_full: return 507;
    case Code::corrupt:
    case Code::internal: return 500;
  }
  return 500;
}

namespace {
// The code that a status stands for; empty where the status says it all.
std::string_view code_of(int status) {
  for (const Code code :
       {Code::invalid, Code::unprocessable, Code::unauthenticated, Code::forbidden, Code::not_found, Code::conflict,
        Code::too_large, Code::rate_limited, Code::unavailable, Code::storage_full, Code::internal}) {
    if (status_of(code) == status) return code_name(code);
  }
  return {};
}

// `more`: members of the object, each with a comma before it.
http::Response problem_with(int status, std::string_view detail, std::string_view more) {
  std::string body = "{\"type\":\"about:blank\",\"title\":";
  codec::append_json_string(http::reason_phrase(status), body);
  body += ",\"status\":" + std::to_string(status);
  if (const std::string_view code = code_of(status); !code.empty()) {
    body.append(",\"code\":\"").append(code).append("\"");
  }
  body += ",\"detail\":";
  // It may quote a path or a parameter, which are any bytes.
  codec::append_json_string(codec::as_utf8(detail), body);
  body.append(more) += '}';
  http::Response response = http::Response::text(status, std::move(body), "application/problem+json");
  if (status == 401) response.headers.add("WWW-Authenticate", "Bearer");
  if (status == 429 || status == 503) response.headers.add("Retry-After", "2");
  if (status == 507) response.headers.add("Retry-After", "10");
  response.headers.add("Cache-Control", "no-store");
  return response;
}

}  // namespace

http::Response problem(int status, std::string_view detail) { return problem_with(status, detail, {}); }

http::Response problem_at_place(const Error& error) {
  const std::string detail = codec::as_utf8(error.detail);
  const size_t colon = detail.find(": ");
  if (colon == std::string::npos || status_of(error.code) == 500) return problem(error);
  std::string more = ",\"errors\":[{\"path\":";
  codec::append_json_string(std::string_view(detail).substr(0, colon), more);
  more += ",\"reason\":";
  codec::append_json_string(std::string_view(detail).substr(colon + 2), more);
  return problem_with(status_of(error.code), detail, more + "}]");
}

http::Response problem(const Error& error) {
  const int status = status_of(error.code);
  if (status != 500) return problem(status, error.detail);
  // Its words may name files and statements, which are nobody's business but the operator's.
  log_error("a request failed", {{"reason", error.detail}});
  return problem(status, "an error of the server's own, which its log describes");
}

}  // namespace millstream::api
