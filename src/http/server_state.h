// http/server_state.h: what the connections of one server share.
//
// Thread   loop
#pragma once

#include <array>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "http/body_budget.h"
#include "http/limits.h"
#include "http/response_head.h"
#include "http/server.h"
#include "http/tally.h"

namespace millstream::http {

class Connection;
class H2Connection;

struct ServerState {
  ServerState(net::Loop& l, const Router& r, ServerLimits lim, ServerHooks h, metrics::Registry& registry,
              std::shared_ptr<BodyBudget> budget);

  // Makes the body of an error this server answers by itself. `path`: empty when the head did not get so far.
  Response error(std::string_view path, int status, std::string_view detail) const;
  void count_answer(int status);

  // constant after construction
  net::Loop& loop;
  const Router& router;
  const ServerLimits limits;
  const ServerHooks hooks;
  const std::shared_ptr<BodyBudget> bodies;
  std::array<metrics::Counter*, 5> answers;  // 1xx to 5xx
  metrics::Counter& accept_errors;
  metrics::Counter& evicted;
  const std::shared_ptr<Tally> tally;

  // loop-confined
  DateText date;
  std::vector<char> input = std::vector<char>(size_t{64} << 10);  // one read at a time, shared by all connections
  std::unordered_map<const Connection*, std::shared_ptr<Connection>> connections;
  std::list<Connection*> idle;  // served and waiting for the next request, the longest idle first
  std::unordered_map<const H2Connection*, std::shared_ptr<H2Connection>> h2_connections;
  std::vector<std::shared_ptr<H2Connection>> unflushed;  // wait for the end of the turn
  bool draining = false;
};

}  // namespace millstream::http
