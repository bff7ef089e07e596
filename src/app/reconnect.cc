#include "app/reconnect.h"

#include <algorithm>

namespace millstream::app {
namespace {

bool may_pass(int status) { return status == 408 || status == 425 || status == 429 || status >= 500; }

std::string with_detail(std::string text, const std::string& detail) {
  return detail.empty() ? text : text + ": " + detail;
}

std::string seconds_text(int64_t ms) {
  return std::to_string(ms / 1000) + "." + std::to_string(ms % 1000 / 100) + " s";
}

Reconnect stop(int exit_code, std::string message) { return {true, exit_code, 0, std::move(message)}; }

std::string refusal_text(const StreamEnd& end) {
  switch (end.status) {
    case 401: return with_detail("the server does not know this credential (401)", end.detail);
    case 403: return with_detail("this credential may not see that (403)", end.detail);
    case 200: return "the answer is not an event stream; is the address right?";
    default: return with_detail("the server refused (" + std::to_string(end.status) + ")", end.detail);
  }
}

}  // namespace

Reconnect ReconnectPolicy::next(const StreamEnd& end) {
  const bool streamed = end.status == 200 && end.event_stream;
  if (end.status == 204) return stop(0, "the server says that there is nothing more to come (204)");
  if (end.status != 0 && !streamed && !may_pass(end.status)) return stop(2, refusal_text(end));

  failures_ = end.received ? 0 : failures_ + 1;
  const int64_t wait = wait_ms(end);
  std::string what = "no answer";
  if (streamed) what = "the stream ended";
  if (end.status != 0 && !streamed) what = "the server answered " + std::to_string(end.status);
  return {false, 0, wait, with_detail(what, end.detail) + "; again in " + seconds_text(wait)};
}

int64_t ReconnectPolicy::wait_ms(const StreamEnd& end) {
  const int64_t base = std::clamp<int64_t>(end.retry_ms.value_or(kBaseMs), 100, kCeilingMs);
  const int64_t doubled = base << std::min(failures_, 10);
  // After a good connection: up to a quarter more than asked for.
  const int64_t ceiling = failures_ == 0 ? base + base / 4 : std::max(std::min(doubled, kCeilingMs), base);
  const int64_t drawn = base + static_cast<int64_t>(random_() % static_cast<uint64_t>(ceiling - base + 1));
  return std::max(drawn, end.retry_after_ms.value_or(0));
}

}  // namespace millstream::app
