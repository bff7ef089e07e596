// load/alert_probe.h: how long it takes from a point that breaks a rule to the alert on a viewer's socket.
//
// Flow     open() opens a stream of alerts; run() sends, beside whatever else goes on, one line of one device at even
//          distances, whose value is by turns over and under the rule's limit, and reads the alerts that come of it.
// Shapes   devices "probe-0" ... of site bench, a field "probe" that is 100 or 0: the server needs a rule with a limit
//          between. Latencies count from when the line was due, so that one that had to wait for the last one's
//          acknowledgement counts as waiting.
// Thread   run() on a thread of its own; the rest before and after it
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "load/latencies.h"
#include "load/request_connection.h"
#include "load/response_reader.h"
#include "load/sse_scanner.h"
#include "load/target_options.h"

namespace millstream::load {

class AlertProbe {
 public:
  struct Counts {
    int64_t sent = 0;     // lines that must bring an alert event
    int64_t seen = 0;     // alert events of them
    int64_t refused = 0;  // lines that were not taken
  };

  AlertProbe(const TargetOptions& target, int64_t interval_ms);

  Status open();
  // Until finish() was called and all is seen, or nothing came for two seconds after it.
  void run();
  void finish() { finishing_ = true; }
  // What was measured until now does not count.
  void restart_clock() { restart_ = true; }

  const Counts& counts() const { return counts_; }
  const Latencies& latencies() const { return latencies_; }

 private:
  static constexpr size_t kDevices = 40;
  struct Device {
    bool over = false;
    int64_t due_ns = 0;  // of the line whose alert has not come; 0: none
  };

  void send_next(int64_t due_ns);
  void read_stream();
  void take_block(const SseBlock& block);

  const TargetOptions& target_;
  const int64_t interval_ns_;
  Poller poller_;
  std::optional<RequestConnection> publisher_;
  Socket stream_;
  ResponseReader reader_;
  SseScanner scanner_;
  std::vector<char> buffer_;
  bool greeted_ = false;
  std::array<Device, kDevices> devices_;
  size_t turn_ = 0;
  Counts counts_;
  Latencies latencies_;
  std::atomic<bool> finishing_{false};
  std::atomic<bool> restart_{false};
};

}  // namespace millstream::load
