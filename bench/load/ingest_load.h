// load/ingest_load.h: batches over keep-alive connections that have one request under way each.
//
// Flow     open(), then run() as often as wanted: each sends for so long and waits for the answers under way.
// Shapes   Closed loop: a connection sends its next batch when the last was acknowledged. Fixed rate: batches fall due
// at
//          even distances, the connections taking turns, and an acknowledgement's latency counts from when its batch
//          was due; one whose connection is still waiting waits with it.
// Errors   what was not acknowledged is counted; the first such answer is kept.
// Thread   value
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "load/batch_source.h"
#include "load/latencies.h"
#include "load/request_connection.h"
#include "load/target_options.h"

namespace millstream::load {

class IngestLoad {
 public:
  struct Shape {
    size_t connections = 16;
    size_t events = 100;  // a batch
    std::string path;
    int64_t events_in_all = 0;      // 0: no limit
    int64_t events_per_second = 0;  // 0: closed loop
  };
  struct Counts {
    int64_t sent = 0;      // events
    int64_t requests = 0;  // answered
    int64_t accepted = 0;  // events acknowledged
    int64_t rejected = 0;  // events of answered requests that were not
    int64_t body_bytes = 0;
  };

  IngestLoad(const TargetOptions& target, Shape shape) : target_(target), shape_(std::move(shape)) {}

  // `source_of`: what the connection of this number sends.
  Status open(const std::function<std::unique_ptr<BatchSource>(size_t)>& source_of);

  // Sends for `ns`, or until all is sent; false when answers stay out.
  bool run(int64_t ns);

  void restart_clock() { acks_.clear(); }
  const Counts& counts() const { return counts_; }
  const Latencies& acks() const { return acks_; }
  int64_t closed() const;
  const std::string& first_complaint() const { return first_complaint_; }

 private:
  struct Gateway {
    RequestConnection connection;
    std::unique_ptr<BatchSource> batches;
    int64_t due_ns = 0;       // of the next batch; closed loop: always over
    int64_t sent_due_ns = 0;  // of the batch under way
    bool exhausted = false;
  };

  void set_due_times(int64_t from_ns);
  int64_t send_due(int64_t at_ns);
  void send_next(Gateway& gateway);
  bool take_answer(Gateway& gateway, uint32_t events);
  bool sent_all() const;
  bool all_idle() const;

  const TargetOptions& target_;
  const Shape shape_;
  Poller poller_;
  std::deque<Gateway> gateways_;
  Counts counts_;
  Latencies acks_;
  std::string first_complaint_;
};

}  // namespace millstream::load
