#include "load/cost.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <sstream>
#include <string_view>

#include "load/socket.h"

namespace millstream::load {
namespace {

namespace fs = std::filesystem;

std::string first_line(const fs::path& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// The first number of a task's schedstat: nanoseconds it has run.
int64_t run_ns(const fs::path& task) {
  std::istringstream line(first_line(task / "schedstat"));
  int64_t ns = 0;
  line >> ns;
  return ns;
}

// `names`: of which threads; none: of all.
int64_t run_ns_of_threads(const std::string& process, std::initializer_list<std::string_view> names = {}) {
  int64_t sum = 0;
  std::error_code gone;
  for (const auto& task : fs::directory_iterator(process + "/task", gone)) {
    const bool counts =
        names.size() == 0 || std::find(names.begin(), names.end(), first_line(task.path() / "comm")) != names.end();
    if (counts) sum += run_ns(task.path());
  }
  return sum;
}

// The number after "<key>" at the start of a line, times 1024 when the unit says kB.
int64_t keyed_bytes(const std::string& path, std::string_view key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    std::istringstream rest(line.substr(key.size()));
    int64_t value = 0;
    rest >> value;
    return line.ends_with("kB") ? value * 1024 : value;
  }
  return 0;
}

int64_t find_ksoftirqd(int64_t core) {
  const std::string name = "ksoftirqd/" + std::to_string(core);
  std::error_code gone;
  for (const auto& process : fs::directory_iterator("/proc", gone)) {
    const std::string pid = process.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (first_line(process.path() / "comm") == name) return std::stoll(pid);
  }
  return 0;
}

// user, nice, system, irq and softirq of one core.
int64_t core_busy_ns(int64_t core) {
  const std::string key = "cpu" + std::to_string(core) + " ";
  std::ifstream file("/proc/stat");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with(key)) continue;
    std::istringstream rest(line.substr(key.size()));
    int64_t user = 0, nice = 0, system = 0, idle = 0, iowait = 0, irq = 0, softirq = 0;
    rest >> user >> nice >> system >> idle >> iowait >> irq >> softirq;
    return (user + nice + system + irq + softirq) * (1'000'000'000 / ::sysconf(_SC_CLK_TCK));
  }
  return 0;
}

// The line "TCP: inuse 4 orphan 0 tw 0 alloc 5 mem 2" of /proc/net/sockstat; mem is in pages.
void read_sockstat(MemoryReading& reading) {
  std::ifstream file("/proc/net/sockstat");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("TCP:")) continue;
    std::istringstream rest(line.substr(4));
    std::string word;
    int64_t value = 0;
    while (rest >> word >> value) {
      if (word == "inuse") reading.kernel_sockets = value;
      if (word == "mem") reading.kernel_tcp_bytes = value * ::sysconf(_SC_PAGESIZE);
    }
  }
}

}  // namespace

CpuReading CpuReading::since(const CpuReading& before) const {
  return {server_ns - before.server_ns, storing_ns - before.storing_ns,     ksoftirqd_ns - before.ksoftirqd_ns,
          own_ns - before.own_ns,       core_busy_ns - before.core_busy_ns, at_ns - before.at_ns};
}

ServerCost::ServerCost(const std::vector<int64_t>& pids, int64_t core)
    : core_(core), ksoftirqd_pid_(find_ksoftirqd(core)) {
  for (const int64_t pid : pids) processes_.push_back("/proc/" + std::to_string(pid));
}

bool ServerCost::exists() const {
  return !processes_.empty() && std::all_of(processes_.begin(), processes_.end(),
                                            [](const std::string& process) { return fs::exists(process + "/task"); });
}

CpuReading ServerCost::cpu() const {
  CpuReading reading;
  for (const std::string& process : processes_) {
    reading.server_ns += run_ns_of_threads(process);
    reading.storing_ns += run_ns_of_threads(process, {"ms-log", "engine"});
  }
  if (ksoftirqd_pid_ != 0) reading.ksoftirqd_ns = run_ns("/proc/" + std::to_string(ksoftirqd_pid_));
  reading.own_ns = run_ns_of_threads("/proc/self");
  reading.core_busy_ns = core_busy_ns(core_);
  reading.at_ns = now_ns();
  return reading;
}

MemoryReading ServerCost::memory() const {
  MemoryReading reading;
  for (const std::string& process : processes_) {
    reading.resident_bytes += keyed_bytes(process + "/smaps_rollup", "Rss:");
    reading.peak_resident_bytes += keyed_bytes(process + "/status", "VmHWM:");
    reading.proportional_bytes += keyed_bytes(process + "/smaps_rollup", "Pss:");
  }
  reading.kernel_slab_bytes = keyed_bytes("/proc/meminfo", "Slab:");
  read_sockstat(reading);
  return reading;
}

}  // namespace millstream::load
