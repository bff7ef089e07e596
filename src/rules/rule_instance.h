// rules/rule_instance.h: one rule watching one device: OK -> PENDING -> FIRING -> RECOVERING.
//
// Flow     take() puts values in, judge() lets the state follow them; on_deadline() does so when time has passed;
//          on_status() tells of the device's presence. Each change is one alert event, which alert_text.h writes.
// Shapes   event time: the device's time, clamped to [receive - max_lateness, receive]. A value older than the newest
//          of its field is late and changes nothing.
//          A level holds when it has been met for its `for`, in event time or by the log's clock since the breach was
//          received, whichever is first, and by min_samples values (of a window: values in it). The alert began at
//          the first breach + for, in event time.
//          FIRING ends by RECOVERING: inside `clear` of its level for keep_firing. Then a lower level that has not
//          cleared goes on with the same alert; else the alert is resolved.
//          `missing` and `offline` are met when the silence has lasted for the level's `for`.
//          Silent: the device went offline, or its gateway did, or it sent nothing for no_data.after. An open alert is
//          then stale; no timer resolves it. That the gateway is back ends the silence that the gateway made, and
//          keep_firing of an alert that is recovering counts from then. `offline` is of the device alone.
//          Flapping: the state of the breach changed in more than flap.high of the last flap.history values. The alert
//          says so once and stays open until it is below flap.low; only a higher level is told meanwhile.
//          Closed by hand: nothing fires until the values have been in order once.
//          Values that were not looked at (Moment::unseen_ms) count as heard: silence begins after them. Until the next
//          one is looked at, time alone neither fires nor ends an alert; and none ends by a window that they are
//          missing from.
// Thread   value
#pragma once

#include <array>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "model/alert.h"
#include "model/device_settings.h"
#include "model/state_text.h"
#include "rules/baseline.h"
#include "rules/compiled_rule.h"
#include "rules/window.h"

namespace millstream::rules {

inline constexpr int64_t kNever = std::numeric_limits<int64_t>::min();

// What a condition has to compare.
struct Reading {
  bool known = false;
  bool is_text = false;
  double number = 0;
  std::string text;
  int64_t ms = kNever;  // event time of the newest value
  uint64_t samples = 1;
  // missing, offline: since when, in event time and by the log's clock.
  int64_t silent_ms = kNever;
  int64_t silent_received_ms = 0;
};

// Of a rule that is not plain; by condition.
struct Inputs {
  explicit Inputs(size_t conditions) : readings(conditions), windows(conditions), baselines(conditions) {}
  std::vector<Reading> readings;
  std::vector<Window> windows;
  std::vector<Baseline> baselines;
};

struct Instance {
  const CompiledRule* rule = nullptr;
  Phase phase = Phase::ok;
  int8_t level = -1;         // of the open alert
  bool silent = false;       // and the alert, if there is one, was called stale
  bool behind = false;       // silent only because its gateway has gone
  bool no_data = false;      // no_data.after is over
  bool for_no_data = false;  // the newest alert began by that, and no value has met a level since
  bool flapping = false;
  bool closed = false;             // by hand
  bool breached = false;           // by the newest values
  uint32_t breaches = 0;           // values in a row
  uint32_t alerts_at_start = 0;    // how many alerts began at started_at_ms; makes their ids distinct
  int64_t newest_ms = kNever;      // event time
  int64_t received_ms = kNever;    // of the newest value
  int64_t started_at_ms = kNever;  // of the newest alert
  int64_t recovering_ms = 0;       // event time
  int64_t recovering_received_ms = 0;
  std::array<int64_t, model::kRuleLevelsMax> since_ms{kNever, kNever, kNever};  // the level is met, event time
  std::array<int64_t, model::kRuleLevelsMax> since_received_ms{};
  uint64_t flips = 0;         // bit 0: whether the newest value changed the state
  double value = 0;           // newest, of a plain rule
  int64_t timer_ms = kNever;  // when it is in the list of deadlines
  std::unique_ptr<Inputs> inputs;
  std::unique_ptr<model::AlertAck> ack;

  bool open() const { return is_open(phase); }
};

// Attributes of the device that limits may name.
using Attributes = model::DeviceAttributes;

struct Change {
  model::AlertState state = model::AlertState::firing;
  int64_t ts_ms = 0;
  const char* reason = "";
};
using Changes = std::vector<Change>;

struct Moment {
  const Attributes& attributes;
  int64_t now_ms = 0;          // by the log's clock
  int64_t unseen_ms = kNever;  // when the device's newest values came that were not looked at
};

Instance make_instance(const CompiledRule& rule);

// Takes a value for one condition; false: it is late, or no value of that kind.
bool take(Instance& instance, size_t condition, const model::FieldValue& value, int64_t ts_ms, int64_t now_ms);
// After the values of one event were taken.
void judge(Instance& instance, const Moment& moment, Changes& out);
// Precondition: deadline_of() has come; now is that moment.
void on_deadline(Instance& instance, const Moment& moment, Changes& out);
void on_offline(Instance& instance, int64_t ts_ms, const Moment& moment, Changes& out);
void on_online(Instance& instance, int64_t ts_ms, const Moment& moment, Changes& out);
void on_gateway_gone(Instance& instance, int64_t ts_ms, const Moment& moment, Changes& out);
void on_gateway_back(Instance& instance, int64_t ts_ms, const Moment& moment, Changes& out);
// When time alone may change something; kNever: it does not. Never before or at `now`.
int64_t deadline_of(const Instance& instance, int64_t now_ms);
// Nothing was listened to for that long: it does not count.
void postpone(Instance& instance, int64_t ms);
void close_by_hand(Instance& instance);

// The condition an alert of this level shows, and its reading.
size_t shown_condition(const Instance& instance, const Attributes& attributes);
Reading reading_of(const Instance& instance, size_t condition);
// The limit itself, or the number that is told of the device.
model::Limit limit_for(const model::Limit& limit, const Attributes& attributes);
double attribute_or(const model::AttributeLimit& limit, const Attributes& attributes);

void save(const Instance& instance, model::StateWriter& writer);
bool load(Instance& instance, model::StateReader& reader);  // `rule` is set

}  // namespace millstream::rules
