// rules/alert_event.h: what an instance's change looks like in the log.
//
// Shapes   ts: of `firing`, when the alert began; of `resolved`, when it ended; of `updated`, the event time of the
//          value; of `stale`, when the silence was noted. endedAt is never before startedAt.
//          alert ids are "<rule id>.<site>.<device>.<started_at ms>.<n>", n counting the alerts of one rule and device
//          that began in the same millisecond: the same inputs give the same ids.
// Thread   value
#pragma once

#include <string>

#include "model/event.h"
#include "rules/rule_instance.h"

namespace millstream::rules {

std::string alert_id(const Instance& instance, const model::Topic& device);
model::Event alert_event(const Instance& instance, const model::Topic& device, const Attributes& attributes,
                         const Change& change);
// The end of an alert whose rule no longer stands for it, or whose device is gone.
model::Event farewell(const Instance& instance, const model::Topic& device, const Attributes& attributes,
                      const char* reason, int64_t now_ms);

}  // namespace millstream::rules
