// conformance/truth.h: what a viewer must have been told, read from the log after the fact.
//
// Flow     read_truth() pages through the backfill; tell() says what a wish takes of a stretch of it.
// Thread   value
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/socket.h"
#include "model/event_id.h"

namespace millstream::conformance {

// One event, taken apart as far as the checks need it.
struct Seen {
  model::EventId id;
  std::string site;
  std::string device;
  bool telemetry = false;
  int64_t value = 0;        // of the field n; telemetry only
  uint64_t stands_for = 1;  // "conflated"
};
// Nothing when this is not an event of the log (hello, heartbeat and their like have no id).
std::optional<Seen> parse_seen(std::string_view json);

// What a viewer asked for.
struct Wish {
  std::string query;
  std::string site;    // empty: all
  std::string device;  // empty: all
  bool telemetry = true;
  bool others = true;
  bool merged = false;

  bool takes(const Seen& event) const {
    return (event.telemetry ? telemetry : others) && (site.empty() || event.site == site) &&
           (device.empty() || event.device == device);
  }
};

// A set of events as a few numbers: equal sums of equally many are, but for a chance of 2^-64, the same sets.
struct Told {
  uint64_t telemetry = 0;  // merged ones counted singly
  uint64_t others = 0;
  uint64_t telemetry_ids = 0;  // sums of mixed ids
  uint64_t other_ids = 0;
  std::map<std::string, int64_t> newest;  // n by device

  void add(const Seen& event);
};

struct Stretch {
  model::EventId after;  // exclusive
  model::EventId until;  // inclusive
};

Result<std::vector<Seen>> read_truth(const load::Endpoint& server, model::EventId after);

// What `wish` takes of `stretch`, without what was declared missing.
Told expected(const std::vector<Seen>& truth, const Wish& wish, const Stretch& stretch,
              const std::vector<Stretch>& gaps);

}  // namespace millstream::conformance
