#include "load/target_options.h"

namespace millstream::load {

Result<TargetOptions> TargetOptions::read(Options& options) {
  const std::string url = options.text("url", "http://127.0.0.1:8080");
  const int64_t pid = options.number("server_pid", 0);
  const int64_t core = options.number("server_core", 0);
  std::string header = options.text("header", "");
  if (const Status status = options.finish(); !status) return status.error();
  const Result<Endpoint> server = parse_url(url);
  if (!server) return server.error();
  if (!header.empty()) header += "\r\n";
  TargetOptions target{*server, ServerCost(pid, core), std::move(header)};
  if (pid == 0 || !target.cost.exists()) return Error{Code::invalid, "--server_pid: no such process"};
  return target;
}

}  // namespace millstream::load
