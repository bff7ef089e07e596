// The subcommand get: how long a request takes that reads what is stored, one after the other on one connection.
#include "load/json_line.h"
#include "load/latencies.h"
#include "load/request_connection.h"
#include "load/subcommands.h"
#include "load/target_options.h"

namespace millstream::load {

Status run_get(Options& options) {
  const std::string path = options.text("path", "/api/latest");
  const int64_t requests = options.number("requests", 100);
  const std::string post = options.text("post", "");
  const Result<TargetOptions> target = TargetOptions::read(options);
  if (!target) return target.error();
  Result<Socket> socket = connect_now(target->server);
  if (!socket) return socket.error();
  Poller poller;
  RequestConnection connection(poller, std::move(*socket), 0);

  const std::string request = post.empty() ? get_head(target->server, path, target->extra_headers)
                                           : post_head(target->server, path, target->extra_headers, post.size()) + post;
  Latencies after_first;
  double first_us = 0;
  int64_t bytes = 0;
  const CpuReading before = target->cost.cpu();
  for (int64_t i = 0; i < requests; ++i) {
    const int64_t sent_ns = now_ns();
    const Result<std::string> body = ask(connection, poller, request);
    if (!body) return body.error();
    const int64_t took_ns = now_ns() - sent_ns;
    if (i == 0) {
      first_us = static_cast<double>(took_ns) / 1000;
    } else {
      after_first.add(took_ns);
    }
    bytes = static_cast<int64_t>(body->size());
  }
  const CpuReading cpu = target->cost.cpu().since(before);

  JsonLine line;
  line.add("requests", requests).add("answer_bytes", bytes).add("first_us", first_us);
  line.add("p50_us", after_first.percentile_us(0.5)).add("p99_us", after_first.percentile_us(0.99));
  line.add("max_us", after_first.max_us());
  line.add("server_us_per_request", static_cast<double>(cpu.server_ns + cpu.ksoftirqd_ns) / 1000 /
                                        static_cast<double>(std::max<int64_t>(requests, 1)));
  line.print();
  return {};
}

}  // namespace millstream::load
