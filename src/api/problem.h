// api/problem.h: failures as HTTP answers; the only place that knows status codes.
//
// Thread   value
// Source   RFC 9457 (application/problem+json), RFC 9110
#pragma once

#include <string_view>

#include "base/result.h"
#include "http/message.h"

namespace millstream::api {

int status_of(Code code);

// {"type":"about:blank","title":…,"status":…,"code":…,"detail":…}, with Retry-After where trying again helps and
// WWW-Authenticate on 401. `code`, for programs: the name of a Code, where the status stands for one.
http::Response problem(const Error& error);
http::Response problem(int status, std::string_view detail);
// The same with "errors":[{"path":"levels[1].op","reason":"…"}], for a form to show at its place: a detail that begins
// with a place has it before the first ": ".
http::Response problem_at_place(const Error& error);

}  // namespace millstream::api
