// rules/rule_instance.h: one rule watching one device: the state machine OK -> PENDING -> FIRING -> OK.
//
// Flow     rule_engine feeds it values, deadlines and silence, and turns each Change into an alert event.
// Shapes   event time: the device's time, clamped to [receive - max_lateness, receive]. A value whose event time is
//          older than the newest one seen is late and changes nothing.
//          `for` is fulfilled in one of two ways, and in both the alert started at t0 + for, t0 being the event time of
//          the first breach:
//          - a later breaching value at event time >= t0 + for. A device that was cut off and sends its minutes of
//            breach in one go alerts at once;
//          - `for` passes by the log's clock after the first breach was received, with nothing to the contrary. The
//            receive time counts here, because to a device whose clock is behind (or whose points queued somewhere)
//            t0 + for may be over already when the first breach arrives, which then has held for no time at all.
//          For a device whose clock is right the two coincide.
//          Silent: the device went offline after the newest value; an alert is then stale, never resolved.
// Thread   value
#pragma once

#include <cstdint>
#include <limits>

#include "model/alert.h"

namespace millstream::rules {

enum class Phase : uint8_t { ok, pending, firing };

struct Instance {
  static constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

  uint32_t rule = 0;  // its place in the rule set
  Phase phase = Phase::ok;
  bool silent = false;
  uint32_t alerts_at_start = 0;    // how many alerts began at started_at_ms; makes their ids distinct
  int64_t newest_ms = kNever;      // newest event time seen
  int64_t first_breach_ms = 0;     // pending: t0, event time
  int64_t deadline_ms = 0;         // pending: when `for` has passed since that breach was received
  int64_t started_at_ms = kNever;  // of the newest alert
  double value = 0;                // newest value seen
};

enum class Change : uint8_t { none, fired, returned, resolved, went_stale };

bool breaches(const model::ThresholdRule& rule, double value);
// Back on the safe side of the threshold and of `clear`. With clear == value that is "no longer breaching".
bool clears(const model::ThresholdRule& rule, double value);

// Precondition: the rule is enabled and reads this value. `now_ms` is the receive time.
Change on_value(const model::ThresholdRule& rule, Instance& instance, double value, int64_t ts_ms, int64_t now_ms);
// Precondition: pending and deadline_ms reached.
Change on_deadline(const model::ThresholdRule& rule, Instance& instance);
// The device went offline at `ts_ms`. A value from after that moment outdates the news.
Change on_offline(Instance& instance, int64_t ts_ms);

}  // namespace millstream::rules
