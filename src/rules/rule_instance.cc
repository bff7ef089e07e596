#include "rules/rule_instance.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <utility>

#include "codec/field_name.h"

namespace millstream::rules {
namespace {

using model::AlertState;
using model::Comparison;
using model::Condition;
using model::Function;
using model::Level;
using model::Limit;
using model::Rule;

// Precondition: a number, or the name of one.
double bound_of(const Limit& limit, const Attributes& attributes) {
  if (const auto* named = std::get_if<model::AttributeLimit>(&limit)) return attribute_or(*named, attributes);
  return std::get<double>(limit);
}

bool compare(Comparison op, const Reading& reading, const Limit& limit, const Attributes& attributes) {
  if (const auto* text = std::get_if<std::string>(&limit)) {
    const bool same = reading.is_text && reading.text == *text;
    return op == Comparison::eq ? same : !same;
  }
  if (reading.is_text) return op == Comparison::ne;
  if (const auto* range = std::get_if<model::Range>(&limit)) {
    const bool inside = reading.number >= range->low && reading.number <= range->high;
    return op == Comparison::in ? inside : !inside;
  }
  const double bound = bound_of(limit, attributes);
  switch (op) {
    case Comparison::gt: return reading.number > bound;
    case Comparison::ge: return reading.number >= bound;
    case Comparison::lt: return reading.number < bound;
    case Comparison::le: return reading.number <= bound;
    case Comparison::eq: return reading.number == bound;
    default: return reading.number != bound;
  }
}

// Back on the safe side of the limit and of `clear`.
bool is_clear(const Level& level, const Reading& reading, const Attributes& attributes) {
  if (compare(level.op, reading, level.value, attributes)) return false;
  if (!level.clear) return true;
  switch (level.op) {
    case Comparison::gt:
    case Comparison::ge: return reading.number <= bound_of(*level.clear, attributes);
    case Comparison::lt:
    case Comparison::le: return reading.number >= bound_of(*level.clear, attributes);
    case Comparison::outside: return compare(Comparison::in, reading, *level.clear, attributes);
    case Comparison::in: return compare(Comparison::outside, reading, *level.clear, attributes);
    default: return true;
  }
}

// An instance's conditions at one moment.
class View {
 public:
  View(const Instance& instance, const Moment& moment)
      : instance_(instance), rule_(instance.rule->rule), moment_(moment) {
    if (instance.rule->plain) plain_ = reading_of(instance, 0);
  }

  bool met(size_t condition, size_t level) const {
    const Condition& c = rule_.when[condition];
    if (model::is_silence(c.fn)) return is_silent(condition, level);
    const Reading& of = reading(condition);
    if (!of.known) return false;
    const Level& l = rule_.levels[level];
    return compare(c.op.value_or(l.op), of, c.op ? c.value : l.value, moment_.attributes);
  }
  bool met(size_t level) const {
    const auto is_met = [&](size_t condition) { return met(condition, level); };
    return rule_.any ? some(is_met) : all(is_met);
  }
  bool cleared(size_t level) const {
    const auto is_cleared = [&](size_t condition) { return cleared(condition, level); };
    return rule_.any ? all(is_cleared) : some(is_cleared);
  }
  // The highest level that is met; -1: none.
  int top() const {
    for (size_t level = rule_.levels.size(); level > 0; --level) {
      if (met(level - 1)) return static_cast<int>(level - 1);
    }
    return -1;
  }
  // The condition that is met by silence, which has lasted for the level's `for`.
  std::optional<size_t> silent_condition(size_t level) const {
    if (instance_.rule->plain) return std::nullopt;
    for (size_t c = 0; c < rule_.when.size(); ++c) {
      if (model::is_silence(rule_.when[c].fn) && is_silent(c, level)) return c;
    }
    return std::nullopt;
  }
  bool has_samples(size_t level) const {
    if (silent_condition(level)) return true;
    const bool of_window = model::has_window(rule_.when[0].fn);
    return (of_window ? instance_.inputs->readings[0].samples : instance_.breaches) >= rule_.min_samples;
  }

 private:
  const Reading& reading(size_t condition) const {
    return instance_.rule->plain ? plain_ : instance_.inputs->readings[condition];
  }
  bool cleared(size_t condition, size_t level) const {
    const Condition& c = rule_.when[condition];
    if (model::is_silence(c.fn)) return !is_silent(condition, level);
    const Reading& of = reading(condition);
    if (!of.known) return rule_.any;
    return c.op ? !compare(*c.op, of, c.value, moment_.attributes)
                : is_clear(rule_.levels[level], of, moment_.attributes);
  }
  bool is_silent(size_t condition, size_t level) const {
    const Reading& reading = instance_.inputs->readings[condition];
    return reading.silent_ms != kNever && moment_.now_ms >= reading.silent_received_ms + rule_.for_of(level);
  }
  template <class Test>
  bool all(Test test) const {
    for (size_t i = 0; i < rule_.when.size(); ++i) {
      if (!test(i)) return false;
    }
    return true;
  }
  template <class Test>
  bool some(Test test) const {
    return !all([&](size_t i) { return !test(i); });
  }

  const Instance& instance_;
  const Rule& rule_;
  const Moment& moment_;
  Reading plain_;
};

// Whether the newest values were not looked at.
bool has_unseen(const Instance& instance, const Moment& moment) {
  return moment.unseen_ms != kNever && moment.unseen_ms >= instance.received_ms;
}

// They tell as much as that the device is not silent.
void hear_unseen(Instance& instance, const Moment& moment) {
  if (!has_unseen(instance, moment)) return;
  if (instance.received_ms != kNever) instance.received_ms = moment.unseen_ms;
  if (!instance.inputs) return;
  for (size_t i = 0; i < instance.inputs->readings.size(); ++i) {
    Reading& reading = instance.inputs->readings[i];
    if (instance.rule->rule.when[i].fn != Function::missing || reading.silent_ms == kNever) continue;
    reading.silent_ms = std::max(reading.silent_ms, moment.unseen_ms);
    reading.silent_received_ms = std::max(reading.silent_received_ms, moment.unseen_ms);
  }
}

// Lets one instance follow what is known at one moment.
class Step {
 public:
  Step(Instance& instance, const Moment& moment, Changes& out)
      : i_(instance), rule_(instance.rule->rule), moment_(moment), view_(instance, moment), out_(out) {}

  void on_values() {
    const bool returned = i_.silent && i_.open();
    const size_t told = out_.size();
    i_.silent = i_.behind = i_.no_data = false;
    incomplete_ = moment_.unseen_ms != kNever && moment_.now_ms - moment_.unseen_ms < i_.rule->window_ms;
    const int top = view_.top();
    i_.for_no_data &= top < 0;
    count(top >= 0);
    follow(top);
    if (returned && i_.open() && out_.size() == told) emit(AlertState::updated, event_ms(), "data");
  }

  void on_time() {
    by_clock_ = true;
    const bool due = rule_.no_data && !i_.no_data && i_.received_ms != kNever &&
                     moment_.now_ms >= i_.received_ms + rule_.no_data->after_ms;
    if (due) no_data();
    // What was last heard counts no more, until something is heard.
    if (i_.no_data && rule_.no_data->what == model::NoDataDo::ok) return;
    // What was not looked at may say otherwise, if it was not the last for long.
    if (has_unseen(i_, moment_) && !i_.silent && !i_.rule->silence) return;
    follow(view_.top());
  }

  // Its own, or with its gateway.
  void on_offline(int64_t ts_ms, bool behind) {
    i_.behind &= behind;
    if (i_.newest_ms > ts_ms || i_.silent) return;
    i_.silent = true;
    i_.behind = behind;
    if (i_.open() && !i_.rule->silence) emit(AlertState::stale, ts_ms, offline_reason());
  }

  void on_gateway_back(int64_t ts_ms) {
    if (!std::exchange(i_.behind, false) || i_.no_data) return;
    i_.silent = false;
    i_.recovering_received_ms = moment_.now_ms;
    if (i_.open() && !i_.rule->silence) emit(AlertState::updated, ts_ms, "gateway");
  }

  void follow(int top) {
    if (incomplete_ && i_.rule->adds_up) return;
    const bool active = i_.rule->active(moment_.now_ms);
    note_levels(active ? top : -1);
    if (i_.closed) {
      if (top >= 0) return;
      i_.closed = false;
    }
    const int held = held_level(active ? top : -1);
    if (i_.phase == Phase::recovering && top >= i_.level) i_.phase = Phase::firing;
    if (i_.open() && held > i_.level) return rise(held);
    if (i_.open() && incomplete_) return;
    if (i_.phase == Phase::firing && i_.level >= 0 && view_.cleared(level())) {
      i_.phase = Phase::recovering;
      i_.recovering_ms = event_ms();
      i_.recovering_received_ms = moment_.now_ms;
    }
    if (i_.phase == Phase::recovering) return settle();
    if (i_.phase == Phase::firing) return;
    if (held >= 0) return fire(held, begun_ms(held), "");
    i_.phase = active && top >= 0 ? Phase::pending : Phase::ok;
  }

 private:
  size_t level() const { return static_cast<size_t>(i_.level); }
  int64_t event_ms() const { return i_.newest_ms == kNever ? moment_.now_ms : i_.newest_ms; }

  const char* offline_reason() const { return i_.behind ? "gateway" : "offline"; }
  void emit(AlertState state, int64_t ts_ms, const char* reason) { out_.push_back({state, ts_ms, reason}); }

  // Since when each level is met, by the newest values or by silence.
  void note_levels(int top) {
    for (size_t n = 0; n < rule_.levels.size(); ++n) {
      const bool is_new = i_.since_ms[n] == kNever;
      if (static_cast<int>(n) > top) {
        i_.since_ms[n] = kNever;
      } else if (const auto silent = view_.silent_condition(n); silent && (is_new || !is_over(n))) {
        const Reading& reading = i_.inputs->readings[*silent];
        // The rest of the conditions may have been met only now.
        i_.since_ms[n] = by_clock_ ? reading.silent_ms : std::max(reading.silent_ms, event_ms() - rule_.for_of(n));
        i_.since_received_ms[n] = reading.silent_received_ms;
      } else if (is_new) {
        i_.since_ms[n] = event_ms();
        i_.since_received_ms[n] = moment_.now_ms;
      }
    }
  }

  bool is_over(size_t n) const {
    const int64_t for_ms = rule_.for_of(n);
    return event_ms() - i_.since_ms[n] >= for_ms || moment_.now_ms - i_.since_received_ms[n] >= for_ms;
  }

  int held_level(int top) const {
    for (int n = top; n >= 0; --n) {
      if (is_over(static_cast<size_t>(n)) && view_.has_samples(static_cast<size_t>(n))) return n;
    }
    return -1;
  }

  int64_t begun_ms(int n) const {
    const auto at = static_cast<size_t>(n);
    return i_.since_ms[at] + rule_.for_of(at);
  }

  void fire(int at, int64_t started_ms, const char* reason) {
    // Not before the alert before it, which keeps ids apart.
    if (i_.started_at_ms != kNever) started_ms = std::max(started_ms, i_.started_at_ms);
    i_.alerts_at_start = i_.started_at_ms == started_ms ? i_.alerts_at_start + 1 : 1;
    i_.started_at_ms = started_ms;
    i_.for_no_data = false;
    i_.phase = Phase::firing;
    i_.level = static_cast<int8_t>(at);
    emit(AlertState::firing, by_clock_ ? moment_.now_ms : started_ms, reason);
    // It fires on what was last heard; that the device has gone silent since must be seen on the alert.
    if (i_.silent && !i_.rule->silence) emit(AlertState::stale, moment_.now_ms, offline_reason());
  }

  void rise(int to) {
    i_.for_no_data = false;
    i_.phase = Phase::firing;
    const int64_t ts_ms = by_clock_ ? moment_.now_ms : std::max(begun_ms(to), i_.started_at_ms);
    i_.level = static_cast<int8_t>(to);
    emit(AlertState::updated, ts_ms, "level_up");
  }

  // Recovering: has it been long enough?
  void settle() {
    const bool by_event = event_ms() - i_.recovering_ms >= rule_.keep_firing_ms;
    const bool by_clock = moment_.now_ms - i_.recovering_received_ms >= rule_.keep_firing_ms;
    if (i_.flapping || i_.silent || !(by_event || by_clock)) return;
    if (!view_.cleared(level())) {
      i_.phase = Phase::firing;
      return;
    }
    const int64_t ts_ms = std::max(std::min(i_.recovering_ms + rule_.keep_firing_ms, moment_.now_ms), i_.started_at_ms);
    for (int lower = i_.level - 1; lower >= 0; --lower) {
      if (view_.cleared(static_cast<size_t>(lower))) continue;
      i_.level = static_cast<int8_t>(lower);
      i_.phase = Phase::firing;
      return emit(AlertState::updated, ts_ms, "level_down");
    }
    resolve(ts_ms, "");
  }

  void resolve(int64_t ts_ms, const char* reason) {
    emit(AlertState::resolved, std::max(ts_ms, i_.started_at_ms), reason);
    i_.phase = Phase::ok;
    i_.flapping = false;
  }

  void count(bool breached) {
    i_.breaches = breached ? i_.breaches + 1 : 0;
    const bool flipped = breached != i_.breached;
    i_.breached = breached;
    if (!rule_.flap) return;
    const int history = rule_.flap->history;
    const uint64_t mask = history >= 64 ? ~uint64_t{0} : (uint64_t{1} << history) - 1;
    i_.flips = ((i_.flips << 1) | (flipped ? 1u : 0u)) & mask;
    const double share = static_cast<double>(std::popcount(i_.flips)) / history;
    if (!i_.flapping && share > rule_.flap->high) {
      i_.flapping = true;
      if (i_.open()) emit(AlertState::updated, event_ms(), "flapping");
    } else if (i_.flapping && share < rule_.flap->low) {
      i_.flapping = false;
      if (i_.open()) emit(AlertState::updated, event_ms(), "flapping_ended");
    }
  }

  void no_data() {
    i_.no_data = true;
    const int64_t since_ms = i_.received_ms + rule_.no_data->after_ms;
    switch (rule_.no_data->what) {
      case model::NoDataDo::ok:
        i_.since_ms.fill(kNever);
        if (i_.open()) return resolve(since_ms, "no_data");
        i_.phase = Phase::ok;
        return;
      case model::NoDataDo::alert:
        if (!i_.open() && !i_.closed && i_.rule->active(moment_.now_ms)) {
          i_.silent = true;
          return fire_for_no_data(since_ms);
        }
        break;
      case model::NoDataDo::keep: break;
    }
    const bool told = i_.silent;
    i_.silent = true;
    if (i_.open() && !told && !i_.rule->silence) emit(AlertState::stale, since_ms, "no_data");
  }

  void fire_for_no_data(int64_t since_ms) {
    i_.silent = false;
    fire(0, since_ms, "no_data");
    i_.silent = i_.for_no_data = true;
  }

  Instance& i_;
  const Rule& rule_;
  const Moment& moment_;
  View view_;
  Changes& out_;
  bool by_clock_ = false;    // no value is the cause, but time alone
  bool incomplete_ = false;  // values are missing from a window
};

double value_of(const Condition& c, const WindowSums& s) {
  switch (c.fn) {
    case Function::avg: return s.mean;
    case Function::min: return s.min;
    case Function::max: return s.max;
    case Function::sum: return s.sum;
    case Function::count: return static_cast<double>(s.count);
    case Function::stddev: return s.stddev();
    case Function::rate: return s.seconds() > 0 ? s.increase / s.seconds() : 0;
    default: return s.last - s.first;
  }
}

bool needs_two(Function fn) { return fn == Function::stddev || fn == Function::rate || fn == Function::delta; }

// Sums of enormous numbers leave what a double can hold, and JSON has no word for what lies there.
void set_number(Reading& reading, double number) {
  constexpr double kMax = std::numeric_limits<double>::max();
  reading.known = !std::isnan(number);
  reading.number = reading.known ? std::clamp(number, -kMax, kMax) : 0;
}

// A number for a condition, by its function.
void take_number(Inputs& inputs, size_t at, const Condition& c, double number, int64_t ms) {
  Reading& reading = inputs.readings[at];
  reading.is_text = false;
  if (model::has_window(c.fn)) {
    inputs.windows[at].add(number, ms, c.window_ms);
    const WindowSums sums = inputs.windows[at].sums();
    reading.samples = sums.count;
    set_number(reading, value_of(c, sums));
    reading.known &= !needs_two(c.fn) || sums.last_ms > sums.first_ms;
  } else if (model::has_baseline(c.fn)) {
    const std::optional<double> judged = inputs.baselines[at].judge(c.fn, c.baseline, number, ms);
    set_number(reading, judged.value_or(0));
    reading.known &= judged.has_value();
  } else {
    set_number(reading, number);
  }
}

}  // namespace

double attribute_or(const model::AttributeLimit& limit, const Attributes& attributes) {
  for (const auto& [name, value] : attributes) {
    if (name == limit.name) return value;
  }
  return limit.otherwise;
}

model::Limit limit_for(const model::Limit& limit, const Attributes& attributes) {
  const auto* named = std::get_if<model::AttributeLimit>(&limit);
  return named ? model::Limit(attribute_or(*named, attributes)) : limit;
}

Instance make_instance(const CompiledRule& rule) {
  Instance instance;
  instance.rule = &rule;
  if (!rule.plain) instance.inputs = std::make_unique<Inputs>(rule.rule.when.size());
  return instance;
}

bool take(Instance& instance, size_t condition, const model::FieldValue& value, int64_t ts_ms, int64_t now_ms) {
  const Rule& rule = instance.rule->rule;
  const int64_t ms = std::clamp(ts_ms, now_ms - std::max(rule.max_lateness_ms, int64_t{0}), now_ms);
  const std::optional<double> number = model::as_number(value);
  if (instance.rule->plain) {
    if (!number || ms < instance.newest_ms) return false;
    instance.value = *number;
  } else {
    Inputs& inputs = *instance.inputs;
    Reading& reading = inputs.readings[condition];
    const Condition& c = rule.when[condition];
    const bool takes_text = c.fn == Function::last || c.fn == Function::missing;
    if ((!number && !takes_text) || ms < reading.ms) return false;
    reading.ms = ms;
    if (c.fn == Function::missing) {
      reading.silent_ms = ms;
      reading.silent_received_ms = now_ms;
    } else if (number) {
      take_number(inputs, condition, c, *number, ms);
    } else {
      reading.known = reading.is_text = true;
      // Not within a character: alerts carry it, and what is not UTF-8 no reader takes.
      reading.text = codec::cut_text(std::get<std::string>(value), model::kRuleTextBytesMax);
    }
  }
  instance.newest_ms = std::max(instance.newest_ms, ms);
  instance.received_ms = now_ms;
  return true;
}

void judge(Instance& instance, const Moment& moment, Changes& out) { Step(instance, moment, out).on_values(); }

void on_deadline(Instance& instance, const Moment& moment, Changes& out) {
  hear_unseen(instance, moment);
  Step(instance, moment, out).on_time();
}

void on_offline(Instance& instance, int64_t ts_ms, const Moment& moment, Changes& out) {
  Step step(instance, moment, out);
  bool watches = false;
  for (size_t i = 0; i < instance.rule->rule.when.size(); ++i) {
    if (instance.rule->rule.when[i].fn != Function::offline) continue;
    Reading& reading = instance.inputs->readings[i];
    watches = true;
    if (reading.silent_ms != kNever) continue;
    reading.silent_ms = ts_ms;
    reading.silent_received_ms = moment.now_ms;
  }
  step.on_offline(ts_ms, false);
  if (watches || has_unseen(instance, moment)) step.on_time();
}

void on_online(Instance& instance, int64_t ts_ms, const Moment& moment, Changes& out) {
  bool watches = false;
  for (size_t i = 0; i < instance.rule->rule.when.size(); ++i) {
    if (instance.rule->rule.when[i].fn != Function::offline) continue;
    instance.inputs->readings[i].silent_ms = kNever;
    watches = true;
  }
  if (!watches) return;
  instance.newest_ms = std::max(instance.newest_ms, ts_ms);
  instance.silent = instance.behind = false;
  Step step(instance, moment, out);
  step.on_time();
}

void on_gateway_gone(Instance& instance, int64_t ts_ms, const Moment& moment, Changes& out) {
  Step step(instance, moment, out);
  step.on_offline(ts_ms, true);
  if (has_unseen(instance, moment)) step.on_time();
}

void on_gateway_back(Instance& instance, int64_t ts_ms, const Moment& moment, Changes& out) {
  Step(instance, moment, out).on_gateway_back(ts_ms);
}

int64_t deadline_of(const Instance& instance, int64_t now_ms) {
  const Rule& rule = instance.rule->rule;
  int64_t earliest = kNever;
  const auto at = [&](int64_t ms) {
    if (ms > now_ms && (earliest == kNever || ms < earliest)) earliest = ms;
  };
  if (instance.rule->schedule && instance.rule->silence && !instance.rule->schedule->active(now_ms)) {
    const int64_t next = instance.rule->schedule->next_active_ms(now_ms);
    if (next != Schedule::kNever) at(next);
  }
  if (instance.inputs && !instance.closed) {
    for (const Reading& reading : instance.inputs->readings) {
      if (reading.silent_ms == kNever) continue;
      for (size_t n = 0; n < rule.levels.size(); ++n) at(reading.silent_received_ms + rule.for_of(n));
    }
  }
  for (size_t n = 0; n < rule.levels.size(); ++n) {
    if (instance.since_ms[n] != kNever) at(instance.since_received_ms[n] + rule.for_of(n));
  }
  if (instance.phase == Phase::recovering && !instance.silent && !instance.flapping) {
    at(instance.recovering_received_ms + rule.keep_firing_ms);
  }
  if (rule.no_data && !instance.no_data && instance.received_ms != kNever) {
    at(instance.received_ms + rule.no_data->after_ms);
  }
  return earliest;
}

void postpone(Instance& instance, int64_t ms) {
  if (instance.received_ms != kNever) instance.received_ms += ms;
  instance.recovering_received_ms += ms;
  for (size_t n = 0; n < instance.since_ms.size(); ++n) {
    if (instance.since_ms[n] == kNever) continue;
    instance.since_received_ms[n] += ms;
    // An alert that has not begun begins later; one that is open knows its beginning.
    if (!instance.open()) instance.since_ms[n] += ms;
  }
  if (!instance.inputs) return;
  for (Reading& reading : instance.inputs->readings) {
    if (reading.silent_ms != kNever) reading.silent_received_ms += ms;
  }
}

void close_by_hand(Instance& instance) {
  instance.closed = true;
  instance.phase = Phase::ok;
  instance.flapping = false;
  instance.since_ms.fill(kNever);
  instance.ack.reset();
}

Reading reading_of(const Instance& instance, size_t condition) {
  if (!instance.rule->plain) return instance.inputs->readings[condition];
  Reading reading;
  reading.known = instance.newest_ms != kNever;
  reading.number = instance.value;
  return reading;
}

size_t shown_condition(const Instance& instance, const Attributes& attributes) {
  if (instance.rule->plain || !instance.rule->rule.any || instance.level < 0) return 0;
  const Moment moment{attributes, std::numeric_limits<int64_t>::max() / 2};
  const View view(instance, moment);
  for (size_t i = 0; i < instance.rule->rule.when.size(); ++i) {
    if (view.met(i, static_cast<size_t>(instance.level))) return i;
  }
  return 0;
}

void save(const Instance& i, model::StateWriter& writer) {
  writer.number(static_cast<int>(i.phase)).number(i.level).number(i.silent).number(i.no_data).number(i.flapping);
  writer.number(i.closed)
      .number(i.breached)
      .number(i.behind)
      .number(i.for_no_data)
      .number(i.breaches)
      .number(i.alerts_at_start);
  writer.number(i.newest_ms).number(i.received_ms).number(i.started_at_ms);
  writer.number(i.recovering_ms).number(i.recovering_received_ms);
  for (size_t n = 0; n < i.since_ms.size(); ++n) writer.number(i.since_ms[n]).number(i.since_received_ms[n]);
  writer.number(static_cast<int64_t>(i.flips)).real(i.value).number(i.ack ? 1 : 0);
  if (i.ack) writer.text(i.ack->by).number(i.ack->at_ms).text(i.ack->note);
  if (!i.inputs) return;
  for (size_t c = 0; c < i.inputs->readings.size(); ++c) {
    const Reading& r = i.inputs->readings[c];
    writer.number(r.known).number(r.is_text).real(r.number).text(r.text).number(r.ms).number(r.samples);
    writer.number(r.silent_ms).number(r.silent_received_ms);
    const Function fn = i.rule->rule.when[c].fn;
    if (model::has_window(fn)) i.inputs->windows[c].save(writer);
    if (model::has_baseline(fn)) i.inputs->baselines[c].save(writer);
  }
}

bool load(Instance& i, model::StateReader& reader) {
  const int64_t phase = reader.number();
  const int64_t level = reader.number();
  for (bool* flag : {&i.silent, &i.no_data, &i.flapping, &i.closed, &i.breached, &i.behind, &i.for_no_data}) {
    *flag = reader.number() != 0;
  }
  i.breaches = static_cast<uint32_t>(reader.number());
  i.alerts_at_start = static_cast<uint32_t>(reader.number());
  for (int64_t* ms : {&i.newest_ms, &i.received_ms, &i.started_at_ms, &i.recovering_ms, &i.recovering_received_ms}) {
    *ms = reader.number();
  }
  for (size_t n = 0; n < i.since_ms.size(); ++n) {
    i.since_ms[n] = reader.number();
    i.since_received_ms[n] = reader.number();
  }
  i.flips = static_cast<uint64_t>(reader.number());
  i.value = reader.real();
  if (reader.number() != 0) {
    i.ack = std::make_unique<model::AlertAck>();
    i.ack->by = reader.text();
    i.ack->at_ms = reader.number();
    i.ack->note = reader.text();
  }
  if (phase < 0 || phase > 3 || level < -1 || level >= static_cast<int64_t>(i.rule->rule.levels.size())) return false;
  i.phase = static_cast<Phase>(phase);
  i.level = static_cast<int8_t>(level);
  if (i.open() && level < 0) return false;
  if (!i.inputs) return reader.ok();
  for (size_t c = 0; c < i.inputs->readings.size() && reader.ok(); ++c) {
    Reading& r = i.inputs->readings[c];
    r.known = reader.number() != 0;
    r.is_text = reader.number() != 0;
    r.number = reader.real();
    r.text = reader.text();
    r.ms = reader.number();
    r.samples = static_cast<uint64_t>(reader.number());
    r.silent_ms = reader.number();
    r.silent_received_ms = reader.number();
    const Function fn = i.rule->rule.when[c].fn;
    if (model::has_window(fn) && !i.inputs->windows[c].load(reader)) return false;
    if (model::has_baseline(fn) && !i.inputs->baselines[c].load(reader)) return false;
  }
  return reader.ok();
}

}  // namespace millstream::rules
