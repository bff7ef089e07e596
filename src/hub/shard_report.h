// hub/shard_report.h: what a shard tells an operator about its viewers.
//
// Thread   value
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/alert.h"
#include "model/event.h"
#include "model/topic.h"

namespace millstream::hub {

// Of the streams of one account.
struct ShardStats {
  size_t streams = 0;
  size_t behind = 0;  // catching up, slow ones included
  size_t slow = 0;    // of these, told that telemetry comes merged
  size_t groups = 0;
  size_t queued_bytes = 0;                // not taken by sockets yet
  int64_t oldest_queue_ms = 0;            // the longest that a viewer has had something waiting
  std::map<std::string, size_t> fan_out;  // pattern -> its viewers
  // Of this shard as a whole; every shard sees every event.
  double events_per_second = 0;
  double deliveries_per_second = 0;
};

// What one stream asked for, and whether an event on a topic is for it.
struct StreamReport {
  std::vector<model::TopicPattern> patterns;
  model::EventTypes types = model::EventTypes::all();
  model::Severity min_severity = model::Severity::info;
  std::vector<std::string> fields;
  int64_t interval_ms = 0;
  bool live = false;
  bool slow = false;
  model::EventId cursor;
  model::EventId head;
  size_t queued_bytes = 0;
};

}  // namespace millstream::hub
