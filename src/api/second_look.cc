#include "api/second_look.h"

#include <charconv>
#include <utility>

#include "api/credential.h"
#include "api/problem.h"
#include "auth/api_key.h"
#include "auth/cookie.h"
#include "base/clock.h"

namespace millstream::api {
namespace {

constexpr int64_t kBetweenLooksMs = 1'000 / SecondLook::kLooksPerSecondMax;

http::Response look_later() { return problem(503, "the credential could not be looked up; try again"); }

}  // namespace

// By what it is known: a key's id, the hash of a session.
std::optional<std::string> SecondLook::unknown_credential(const http::Request& request) {
  if (const std::string shown = shown_credential(request); !shown.empty()) {
    const auto id = auth::api_key_id(shown);
    if (!id || context_.registry.api_keys().find_api_key(*id)) return std::nullopt;
    return std::string(*id);
  }
  const auto cookie = session_cookie_of(context_, request);
  std::optional<std::string> sha256 = cookie ? auth::session_sha256(*cookie) : std::nullopt;
  if (!sha256) return std::nullopt;
  const bool known = context_.registry.login_sessions().holds_login_session(model::login_session_number(*sha256),
                                                                            context_.clock.wall_ms());
  return known ? std::nullopt : std::move(sha256);
}

bool SecondLook::was_refused(const std::string& credential) {
  return state_.with([&](const State& state) {
    const auto found = state.refused.find(credential);
    return found != state.refused.end() && context_.clock.steady_ms() - found->second < kRefusedKeptMs;
  });
}

bool SecondLook::lets_body_in(const http::Request& request) {
  const std::string_view text = request.headers.get("content-length");
  uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size() || bytes > kBodyBytesMax) return false;
  return state_.with([&](State& state) {
    const int64_t second = context_.clock.steady_ms() / 1000;
    if (std::exchange(state.second, second) != second) state.bodies = 0;
    return ++state.bodies <= kBodiesPerSecondMax;
  });
}

std::optional<http::Response> SecondLook::before(const http::Admit& admit, const http::Request& request) {
  const auto credential = unknown_credential(request);
  if (!credential || was_refused(*credential)) return admit(request);
  // The handler asks the same again when the body is here, after the look.
  return lets_body_in(request) ? std::nullopt : std::optional(look_later());
}

void SecondLook::before(const http::Handler& handler, http::ExchangePtr exchange) {
  auto credential = unknown_credential(exchange->request());
  if (!credential || was_refused(*credential)) return handler(std::move(exchange));
  const bool waits = state_.with([&](State& state) {
    if (state.waiting.size() >= kWaitingMax) return false;
    state.waiting.push_back({exchange, &handler, std::move(*credential)});
    return true;
  });
  if (!waits) return exchange->respond(look_later());
  look_soon(exchange->loop());
}

// On this loop.
void SecondLook::look_soon(net::Loop& loop) {
  const std::optional<int64_t> rest_ms = state_.with([&](State& state) -> std::optional<int64_t> {
    if (std::exchange(state.looking, true)) return std::nullopt;
    return state.looked_ms + kBetweenLooksMs - context_.clock.steady_ms();
  });
  if (!rest_ms) return;
  if (*rest_ms <= 0) return begin();
  loop.after(*rest_ms, [this] { begin(); });
}

void SecondLook::begin() {
  if (context_.registry_work.post([this] { look(); })) return;
  answer(state_.with([](State& state) {
    state.looking = false;
    return std::exchange(state.waiting, {});
  }),
         Error{});
}

// On a thread that may block.
void SecondLook::look() {
  std::vector<Waiter> waiters = state_.with([&](State& state) {
    state.looked_ms = context_.clock.steady_ms();
    return std::exchange(state.waiting, {});
  });
  context_.metrics
      .counter("millstream_registry_looks_total",
               "Times the registry was asked for credentials that are not known here")
      .add();
  const Status looked = context_.registry.read_changes(context_.clock.wall_ms());
  net::Loop* const next = state_.with([&](State& state) {
    if (looked && state.refused.size() + waiters.size() > kRefusedMax) state.refused.clear();
    for (const Waiter& waiter : waiters) {
      if (looked) state.refused.insert_or_assign(waiter.credential, state.looked_ms);
    }
    state.looking = false;
    return state.waiting.empty() ? nullptr : &state.waiting.front().exchange->loop();
  });
  answer(std::move(waiters), looked);
  if (next) next->post([this, next] { look_soon(*next); });
}

// Each on its own loop.
void SecondLook::answer(std::vector<Waiter> waiters, const Status& looked) {
  for (Waiter& waiter : waiters) {
    net::Loop& loop = waiter.exchange->loop();
    loop.post([exchange = std::move(waiter.exchange), handler = waiter.handler, ok = looked.ok()]() mutable {
      if (ok) return (*handler)(std::move(exchange));
      exchange->respond(look_later());
    });
  }
}

}  // namespace millstream::api
