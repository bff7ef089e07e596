#include "http/reception.h"

#include <utility>

namespace millstream::http {

Reception receive(const ServerState& state, Request& request, const std::string& peer) {
  Reception reception;
  Router::Match match = state.router.find(request.method, request.path);
  if (!match.handler) {
    Response& answer = reception.answer.emplace();
    if (request.method == "OPTIONS" && (request.path == "*" || !match.allow.empty())) {
      answer.status = 204;
    } else if (match.allow.empty()) {
      answer = state.error(request.path, 404, "nothing is at this path");
    } else {
      answer = state.error(request.path, 405, "the path does not take this method");
    }
    if (!match.allow.empty()) answer.headers.add("Allow", match.allow);
    return reception;
  }
  request.peer = peer;
  request.captures = std::move(match.captures);
  if (match.admit) reception.answer = (*match.admit)(request);
  reception.handler = match.handler;
  reception.body_bytes_max = match.body_bytes_max;
  return reception;
}

}  // namespace millstream::http
