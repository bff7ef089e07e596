// load/resumes.h: clients that come back: each asks for the stream of one device from a random moment of the past.
//
// Flow     start(), then on_ready() with what the poller said of tags from kResumeTagsBegin on: more are started as
//          others get their first byte (or event). Its own reading is checked: ids grow, and none is from before the
//          cut.
// Shapes   devices as load/telemetry_batch.h names them. Latencies count from when the request is sent.
// Errors   what is refused, closed or out of order is counted.
// Thread   value
#pragma once

#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include "load/latencies.h"
#include "load/response_reader.h"
#include "load/socket.h"
#include "load/sse_scanner.h"
#include "load/viewer_fleet.h"

namespace millstream::load {

inline constexpr uint64_t kResumeTagsBegin = kViewerTagsEnd << 1;

struct ResumeShape {
  size_t count = 0;
  size_t in_flight_max = 1;
  bool stay = false;  // after the first event; otherwise they leave, and the next one comes
  size_t gateways = 1;
  size_t devices_each = 1;
  int64_t from_ms = 0;  // UTC; cut off between these two
  int64_t to_ms = 0;
};

class Resumes {
 public:
  struct Counts {
    int64_t reached = 0;  // got their first event
    int64_t events = 0;
    int64_t strange = 0;  // events out of order or from before the cut
    int64_t declared_gaps = 0;
    int64_t closed = 0;  // by the server, or refused
  };

  Resumes(Poller& poller, Endpoint to, std::string extra_headers, const ResumeShape& shape);

  Status start();
  void on_ready(uint64_t tag, uint32_t events);

  bool done() const { return counts_.reached + counts_.closed >= static_cast<int64_t>(shape_.count); }
  const Counts& counts() const { return counts_; }
  const Latencies& to_first_byte() const { return to_first_byte_; }
  const Latencies& to_first_event() const { return to_first_event_; }

 private:
  struct Client {
    Socket socket;
    ResponseReader reader;
    SseScanner scanner;
    int64_t asked_ns = 0;  // 0: still connecting
    uint64_t last_id = 0;  // packed
    enum class State : uint8_t { opening, waiting, reading, gone } state = State::opening;
  };

  Status start_one();
  void ask(Client& client, size_t index);
  void read(Client& client);
  void take_block(Client& client, const SseBlock& block);
  void leave(Client& client);

  Poller& poller_;
  const Endpoint to_;
  const std::string extra_headers_;
  const ResumeShape shape_;
  std::deque<Client> clients_;
  size_t in_flight_ = 0;
  std::minstd_rand random_;
  std::vector<char> buffer_;
  Counts counts_;
  Latencies to_first_byte_;
  Latencies to_first_event_;
};

}  // namespace millstream::load
