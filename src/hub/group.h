// hub/group.h: all sessions of a shard with the same patterns, types and wishes: what one of them gets, all get.
//
// Thread   loop
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "hub/framed_batch.h"
#include "hub/gzip_coding.h"
#include "hub/run.h"
#include "hub/run_writer.h"
#include "model/alert.h"
#include "model/event.h"
#include "model/topic.h"

namespace millstream::hub {

class Session;

struct Group {
  std::string key;
  std::vector<model::TopicPattern> patterns;
  model::EventTypes types = model::EventTypes::all();
  model::Severity min_severity = model::Severity::info;
  View view;
  int64_t interval_ms = 0;
  std::unique_ptr<GroupGzip> gzip;  // null: as it is
  std::vector<Session*> live;
  size_t members = 0;   // live or behind
  Run run;              // of this turn
  RunPtr kept;          // the shared copy of `run`, made when the first session could not take all of it
  uint64_t marked = 0;  // the last event added, so that two matching patterns add it once

  // With an interval, or more telemetry than a viewer may get: the live sessions stand at `position` together, and
  // `news` lies in the ring behind it.
  model::EventId position;
  bool news = false;
  bool urgent = false;  // not only telemetry: at the end of this turn, whatever the interval
  int64_t flushed_at_ms = 0;
  double telemetry_left = 0;  // of the limit per second; below 0 after a flush of many devices
  int64_t refilled_at_ms = 0;

  bool takes_kind(const FramedEvent& event) const { return types.has(event.type) && event.severity >= min_severity; }
  bool takes(const model::Topic& topic, const FramedEvent& event) const;
  void refill(int64_t per_second, int64_t now_ms);  // telemetry_left, at most one second of it
};

}  // namespace millstream::hub
