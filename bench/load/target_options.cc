#include "load/target_options.h"

#include <algorithm>
#include <charconv>
#include <vector>

namespace millstream::load {

namespace {

// "12,345"
Result<std::vector<int64_t>> read_pids(std::string_view text) {
  std::vector<int64_t> pids;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    int64_t pid = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + comma, pid);
    if (error != std::errc() || end != text.data() + comma) {
      return Error{Code::invalid, "--server_pid: process numbers with commas between them"};
    }
    pids.push_back(pid);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return pids;
}

}  // namespace

Result<TargetOptions> TargetOptions::read(Options& options) {
  const std::string url = options.text("url", "http://127.0.0.1:8080");
  const Result<std::vector<int64_t>> pids = read_pids(options.text("server_pid", ""));
  const int64_t core = options.number("server_core", 0);
  std::string header = options.text("header", "");
  if (const Status status = options.finish(); !status) return status.error();
  if (!pids) return pids.error();
  const Result<Endpoint> server = parse_url(url);
  if (!server) return server.error();
  if (!header.empty()) header += "\r\n";
  TargetOptions target{*server, ServerCost(*pids, core), std::move(header)};
  if (!target.cost.exists()) return Error{Code::invalid, "--server_pid: no such process"};
  return target;
}

}  // namespace millstream::load
