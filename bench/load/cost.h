// load/cost.h: what a server costs, read from /proc: CPU of all its threads, of the kernel thread that works for it on
// its core, and memory.
//
// Shapes   CPU in nanoseconds from schedstat, which is user + system time without the 10 ms grain of stat. Work that
//          the kernel does in the server's name on loopback (the receiver's half of TCP) is inside it; what it puts off
//          is in ksoftirqd, which is therefore read too.
// Errors   what cannot be read counts as 0 (exists() says whether there is such a process at all).
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace millstream::load {

struct CpuReading {
  int64_t server_ns = 0;
  int64_t storing_ns = 0;    // of that, in the threads of the log and the engines: per commit, not per delivery
  int64_t ksoftirqd_ns = 0;  // of the server's core
  int64_t own_ns = 0;        // of this load program
  int64_t core_busy_ns = 0;  // everything on the server's core; in steps of 10 ms
  int64_t at_ns = 0;

  CpuReading since(const CpuReading& before) const;
};

struct MemoryReading {
  int64_t resident_bytes = 0;
  int64_t peak_resident_bytes = 0;
  int64_t proportional_bytes = 0;  // Pss
  int64_t kernel_slab_bytes = 0;   // whole machine
  int64_t kernel_tcp_bytes = 0;    // socket buffers, whole machine
  int64_t kernel_sockets = 0;      // TCP sockets in use, whole machine, both ends
};

class ServerCost {
 public:
  // A server may be several processes: figures are their sum. `core` is where they are pinned.
  ServerCost(const std::vector<int64_t>& pids, int64_t core);

  bool exists() const;
  CpuReading cpu() const;
  MemoryReading memory() const;

 private:
  std::vector<std::string> processes_;  // "/proc/1234"
  int64_t core_;
  int64_t ksoftirqd_pid_ = 0;
};

}  // namespace millstream::load
