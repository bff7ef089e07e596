// http/reception.h: what becomes of a request once its head is known, before a byte of its body is kept.
//
// Thread   loop
#pragma once

#include <optional>
#include <string>

#include "http/server_state.h"

namespace millstream::http {

struct Reception {
  std::optional<Response> answer;    // given: this is the answer, and the body is of no interest
  const Handler* handler = nullptr;  // else who answers
  size_t body_bytes_max = 0;
};

// Fills in what the request does not know of itself: its peer, and what the route took of the path.
Reception receive(const ServerState& state, Request& request, const std::string& peer);

}  // namespace millstream::http
