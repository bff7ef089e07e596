// app/point_outbox.h: points on their way to POST /api/ingest, kept until the server has them.
//
// Flow     add() -> batch() is posted -> settle() with the answer; the same batch is offered again until it is settled.
// Limits   points_max waiting points; beyond, the oldest are dropped and counted. A body stays below half of what the
//          server takes.
// Errors   settle: what makes going on pointless (a credential that is refused).
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "app/http_client.h"
#include "base/result.h"
#include "model/point.h"

namespace millstream::app {

struct OutboxCounts {
  uint64_t points_sent = 0;
  uint64_t values_sent = 0;
  uint64_t rejected = 0;
  uint64_t retries = 0;
  uint64_t dropped = 0;
};

class PointOutbox {
 public:
  PointOutbox(size_t points_max, uint64_t seed) : points_max_(points_max), random_(seed) {}

  void add(std::vector<model::Point> points);
  bool empty() const { return waiting_.empty() && batch_.points == 0; }
  size_t waiting() const { return waiting_.size() + batch_.points; }

  // The JSON body to post now. Precondition: not empty().
  const std::string& batch();
  // How long to wait before the next post; 0: none.
  Result<int64_t> settle(const Result<HttpAnswer>& answer);

  const OutboxCounts& counts() const { return counts_; }
  const std::string& first_rejection() const { return first_rejection_; }  // the server's reason, once there was one

 private:
  struct Batch {
    std::string body;
    size_t points = 0;
    size_t values = 0;
  };
  int64_t retry_wait_ms(std::optional<int64_t> retry_after_ms);
  void take_rejections(const HttpAnswer& answer);

  const size_t points_max_;
  std::mt19937_64 random_;
  std::deque<model::Point> waiting_;
  Batch batch_;
  int failures_ = 0;
  OutboxCounts counts_;
  std::string first_rejection_;
};

}  // namespace millstream::app
