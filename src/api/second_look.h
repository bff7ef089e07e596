// api/second_look.h: a key or session that is not known here may have been made at another server a moment ago: before
// it is refused, the shared registry is asked once what has changed.
//
// Flow     add_routes() puts it before every handler that looks at credentials. A request whose credential is known
//          goes on at once; else it waits for a look that began after it came.
// Limits   One look at a time, of all who wait, and kLooksPerSecondMax: a flood of made-up credentials costs that and
//          no more. The same credential is looked for once in kRefusedKeptMs. kWaitingMax requests wait, others are
//          told to come back.
//          A body is read of whoever is not known yet only when it is small, and kBodiesPerSecondMax of them, or
//          strangers could use up what is kept for bodies.
// Errors   503 when the registry is away: nobody knows whether the credential is good.
// Thread   any
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "api/context.h"
#include "base/guarded.h"
#include "http/server.h"

namespace millstream::api {

class SecondLook {
 public:
  static constexpr int64_t kLooksPerSecondMax = 50;
  static constexpr int64_t kRefusedKeptMs = 1'000;
  static constexpr size_t kRefusedMax = 10'000;
  static constexpr size_t kWaitingMax = 1'000;
  static constexpr uint64_t kBodyBytesMax = 16 << 10;
  static constexpr int64_t kBodiesPerSecondMax = 100;

  explicit SecondLook(const Context& context) : context_(context) {}

  void before(const http::Handler& handler, http::ExchangePtr exchange);
  std::optional<http::Response> before(const http::Admit& admit, const http::Request& request);

 private:
  struct Waiter {
    http::ExchangePtr exchange;
    const http::Handler* handler;
    std::string credential;
  };
  struct State {
    std::vector<Waiter> waiting;
    bool looking = false;
    int64_t looked_ms = 0;
    std::unordered_map<std::string, int64_t> refused;  // since when
    int64_t second = 0;                                // in which
    int64_t bodies = 0;                                // so many were let in
  };

  std::optional<std::string> unknown_credential(const http::Request& request);
  bool was_refused(const std::string& credential);
  bool lets_body_in(const http::Request& request);
  void look_soon(net::Loop& loop);
  void begin();
  void look();
  void answer(std::vector<Waiter> waiters, const Status& looked);

  const Context& context_;
  Guarded<State> state_;
};

}  // namespace millstream::api
