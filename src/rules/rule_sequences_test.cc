// Random rules over random lives of devices: what must hold of every alert, whatever happens.
//
// Each sequence draws one to three rules from all that the wire allows, and a life of two devices: values on time, late
// and sent again, numbers, flags and texts, going offline and coming back, by themselves and with a gateway, what
// people say (acknowledge, close, change and delete rules, attributes, gateways, delete devices), time passing, the
// server's own absence. Three engines live it: one plainly, one restarted from its saved state before every step, one
// told of time at moments in between.
//
// MILLSTREAM_SEQUENCES=1000000 and MILLSTREAM_SEED=N ask for more of them, or for others.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "base/limits.h"
#include "codec/device_settings_json.h"
#include "codec/event_json.h"
#include "codec/rule_command.h"
#include "codec/rule_json.h"
#include "rules/rule_engine.h"

namespace millstream::rules {
namespace {

using model::AlertState;
using model::Conclusions;
using model::Function;
using model::Rule;

constexpr uint64_t kSequences = 400;
constexpr int kSteps = 30;
constexpr int64_t kBeginMs = 1'769'517'296'000;

uint64_t environment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

class Dice {
 public:
  explicit Dice(uint64_t seed) : random_(seed) {}
  int64_t upto(int64_t most) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(most + 1)); }
  bool one_in(int64_t n) { return upto(n - 1) == 0; }
  double level() { return static_cast<double>(upto(8)); }

 private:
  std::mt19937_64 random_;
};

// ---- rules ----

model::Limit some_limit(Dice& dice, model::Comparison op, bool text) {
  if (op >= model::Comparison::in) {
    const double low = dice.level();
    return model::Range{low, low + dice.level() / 2};
  }
  const bool equality = op == model::Comparison::eq || op == model::Comparison::ne;
  if (text && equality && dice.one_in(3)) return std::string(dice.one_in(2) ? "on" : "off");
  if (dice.one_in(6)) return model::AttributeLimit{"limit", dice.level()};
  return dice.level();
}

model::Condition some_condition(Dice& dice, bool guard) {
  model::Condition c;
  // As it comes more often than any other.
  c.fn = dice.one_in(2) ? Function::last : static_cast<Function>(dice.upto(model::kFunctions - 1));
  if (c.fn != Function::offline) c.field = dice.one_in(3) ? "T2" : "T1";
  if (model::has_window(c.fn)) c.window_ms = 1000 + dice.upto(4) * 1000;
  if (model::has_baseline(c.fn)) {
    c.baseline.half_life_ms = 1000 + dice.upto(5) * 1000;
    c.baseline.warmup = 2 + static_cast<uint32_t>(dice.upto(3));
    c.baseline.direction = static_cast<model::Direction>(dice.upto(2));
  }
  if (guard && !model::is_silence(c.fn) && dice.one_in(2)) {
    c.op = static_cast<model::Comparison>(dice.upto(model::kComparisons - 1));
    c.value = some_limit(dice, *c.op, c.fn == Function::last);
  }
  return c;
}

model::Level some_level(Dice& dice, model::Severity severity, bool text) {
  model::Level level;
  level.severity = severity;
  level.op = static_cast<model::Comparison>(dice.upto(model::kComparisons - 1));
  level.value = some_limit(dice, level.op, text);
  const auto* bound = std::get_if<double>(&level.value);
  if (bound && level.op <= model::Comparison::le && dice.one_in(2)) {
    level.clear = *bound + (level.op <= model::Comparison::ge ? -1 : 1) * dice.level() / 4;
  }
  if (dice.one_in(3)) level.for_ms = dice.upto(3) * 1000;
  return level;
}

Rule any_rule(Dice& dice, const std::string& id) {
  Rule rule;
  rule.id = rule.name = id;
  rule.scope = *model::TopicPattern::parse(dice.one_in(4) ? "account:a/site:s/device:a" : "account:a");
  if (dice.one_in(8)) rule.tags = {{"model", "elink"}};
  rule.any = dice.one_in(3);
  for (int64_t n = dice.one_in(3) ? 1 + dice.upto(2) : 1; n > 0; --n) {
    rule.when.push_back(some_condition(dice, !rule.when.empty()));
  }
  bool text = true;
  for (const model::Condition& c : rule.when) text &= c.op.has_value() || c.fn == Function::last;
  for (int severity = static_cast<int>(dice.upto(2)); severity <= 2; ++severity) {
    rule.levels.push_back(some_level(dice, static_cast<model::Severity>(severity), text));
    if (dice.one_in(2)) break;
  }
  rule.for_ms = dice.one_in(2) ? 0 : dice.upto(4) * 1000;
  rule.min_samples = 1 + static_cast<uint32_t>(dice.one_in(3) ? dice.upto(2) : 0);
  rule.keep_firing_ms = dice.one_in(2) ? 0 : dice.upto(5) * 1000;
  if (dice.one_in(3)) rule.no_data = {2000 + dice.upto(6) * 1000, static_cast<model::NoDataDo>(dice.upto(2))};
  rule.max_lateness_ms = dice.upto(3) * 1000;
  if (dice.one_in(4)) rule.flap = {4 + static_cast<int>(dice.upto(4)), 0.5, 0.25};
  if (dice.one_in(12)) rule.schedule = {"Europe/Kyiv", {{0x7f, 14 * 60 + 35, 14 * 60 + 36}}};
  rule.message = "{{value}}";
  return rule;
}

// One that the wire would take.
Rule some_rule(Dice& dice, const std::string& id) {
  while (true) {
    const Rule drawn = any_rule(dice, id);
    Result<Rule> rule = codec::parse_rule(codec::encode_rule(drawn), drawn.scope.account);
    if (rule) return std::move(*rule);
  }
}

// ---- lives ----

struct Step {
  int64_t now_ms = 0;
  int64_t down_ms = 0;                // nobody listened for that long, until now
  std::optional<model::Event> event;  // without: only that it is that late
};

model::Topic device_topic(const char* name) {
  return *model::Topic::parse(std::string("account:a/site:s/device:") + name);
}

model::FieldValue some_value(Dice& dice) {
  if (dice.one_in(12)) return dice.one_in(2);
  if (dice.one_in(12)) return std::string(dice.one_in(2) ? "on" : "off");
  if (dice.one_in(2)) return dice.upto(8);
  return dice.level() + 0.5;
}

model::Event some_telemetry(Dice& dice, const model::Topic& device, int64_t now_ms) {
  model::Event event;
  event.topic = device;
  event.ts_ms = dice.one_in(4) ? now_ms - dice.upto(4000) : now_ms;
  if (!dice.one_in(5)) event.fields.push_back({"T1", some_value(dice)});
  if (dice.one_in(2)) event.fields.push_back({"T2", some_value(dice)});
  const model::Tags tags = dice.one_in(3) ? model::Tags{{"model", "elink"}} : model::Tags{};
  event.data = codec::encode_telemetry_data(device.device, event.fields, tags);
  return event;
}

model::Event some_status(Dice& dice, const model::Topic& device, int64_t now_ms) {
  model::Event event;
  event.topic = device;
  event.ts_ms = now_ms;
  event.type = model::EventType::device_status;
  const auto status = dice.one_in(3) ? model::Presence::online : model::Presence::offline;
  event.data = codec::encode_device_status_data({device.device, status, "timeout", now_ms, 1});
  return event;
}

// What the next step is drawn with.
struct Past {
  const std::vector<Rule>& rules;
  std::string newest_alert = {};
  std::optional<model::Event> fired = {};  // the newest value that an alert began with
  int64_t steps = 0;                       // since then

  void note(const Step& step, const std::string& alert) {
    ++steps;
    if (alert == std::exchange(newest_alert, alert)) return;
    fired = step.event;
    steps = 0;
  }
};

std::string some_command(Dice& dice, const model::Topic& device, const Past& past) {
  switch (dice.upto(9)) {
    case 9: {
      Rule other = past.rules[static_cast<size_t>(dice.upto(static_cast<int64_t>(past.rules.size()) - 1))];
      other.keep_firing_ms = dice.upto(5) * 1000;  // what fired it would fire it again
      return codec::encode_rule_command(codec::SaveRule{other, "user:a"});
    }
    case 0:
      return codec::encode_rule_command(codec::SaveRule{some_rule(dice, "r" + std::to_string(dice.upto(2))), "user:a"});
    case 1: return codec::encode_rule_command(codec::DeleteRule{"r" + std::to_string(dice.upto(2)), "user:a"});
    case 2:
    case 3: {
      if (dice.one_in(8)) return codec::encode_device_command(device.device, codec::DeleteDevice{"user:a"});
      model::DeviceSettings settings;
      settings.attributes = {{"limit", dice.level()}};
      if (dice.one_in(2)) settings.parent = device_topic(dice.one_in(4) ? "h" : "g").device;
      return codec::encode_device_command(device.device, codec::SaveDevice{settings, "user:a"});
    }
    default: break;
  }
  return codec::encode_rule_command(
      codec::AlertCommand{past.newest_alert, static_cast<codec::AlertAction>(dice.upto(2)), "user:a", "seen"});
}

Step some_step(Dice& dice, int64_t now_ms, const Past& past) {
  Step step;
  step.now_ms = now_ms + (dice.one_in(8) ? dice.upto(20'000) : dice.upto(1500));
  model::Topic device = device_topic(dice.one_in(3) ? "b" : "a");
  int64_t what = dice.upto(19);
  // Somebody acts on what has just fired, and the device sends it again, with the time that it had.
  const bool just_fired = past.fired && past.fired->type == model::EventType::telemetry && past.steps < 2;
  if (just_fired && past.steps == 0 && dice.one_in(3)) {
    device = past.fired->topic;
    what = 15;
  }
  if (just_fired && past.steps == 1 && dice.one_in(2)) {
    step.event = past.fired;
  } else if (what < 12) {
    step.event = some_telemetry(dice, device, step.now_ms);
  } else if (what < 15) {
    step.event = some_status(dice, dice.one_in(3) ? device_topic("g") : device, step.now_ms);
  } else if (what < 18) {
    step.event.emplace();
    step.event->topic = device;
    step.event->ts_ms = step.now_ms;
    step.event->type = model::EventType::system;
    step.event->data = some_command(dice, device, past);
  } else if (what == 18) {
    step.down_ms = step.now_ms - now_ms;
  }
  if (step.event) step.event->id = {step.now_ms, 0};
  return step;
}

// ---- engines ----

class Life {
 public:
  explicit Life(const std::vector<Rule>& rules) : rules_(rules), engine_(make()) {}

  void take(const Step& step) {
    if (step.down_ms > 0) engine_->resume(step.now_ms - step.down_ms, step.now_ms);
    until(step.now_ms);
    if (step.event) engine_->step(*step.event, step.now_ms, out);
  }
  void until(int64_t now_ms) { engine_->advance(now_ms, out); }
  bool restart() {
    auto next = make();
    if (!next->load(engine_->save())) return false;
    engine_ = std::move(next);
    return true;
  }

  Conclusions out;

 private:
  std::unique_ptr<RuleEngine> make() const { return std::make_unique<RuleEngine>(Configuration{rules_, {}}); }

  const std::vector<Rule>& rules_;  // as configured: in force again after every absence
  std::unique_ptr<RuleEngine> engine_;
};

bool same(const Conclusions& a, const Conclusions& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const model::Event& x, const model::Event& y) {
    return x.topic == y.topic && x.type == y.type && x.ts_ms == y.ts_ms && x.data == y.data;
  });
}

// ---- what must hold ----

class Judge {
 public:
  // Before the engines live a step.
  void before(const Step& step) {
    for (const model::Topic& device : released_by(step)) {
      silent_.erase(device);
      behind_.erase(device);
    }
    silent_before_ = silent_;
  }
  // What the step's events were, and what came of it; false with the reason in `why`.
  bool after(const Step& step, const Conclusions& out, size_t from) {
    for (size_t i = from; i < out.size(); ++i) {
      if (!judge(out[i])) return false;
    }
    if (step.down_ms > 0) gateways_.clear();  // as configured
    if (!step.event) return true;
    if (const auto gateway = gateway_in(*step.event)) gateways_[step.event->topic] = *gateway;
    if (step.event->type == model::EventType::device_status && !is_heard_of(*step.event)) note_gone(step.event->topic);
    return true;
  }

  std::string newest_alert;
  std::string why;
  uint64_t with_gateway = 0;  // alert events because a gateway went or came

 private:
  static bool is_heard_of(const model::Event& event) {
    if (event.type == model::EventType::telemetry) return true;
    if (event.type != model::EventType::device_status) return false;
    return codec::decode_device_status_data(event.data)->status == model::Presence::online;
  }
  // What the event says of its device's gateway; empty: that there is none.
  static std::optional<model::DeviceId> gateway_in(const model::Event& event) {
    if (event.type != model::EventType::system) return std::nullopt;
    const auto command = codec::decode_device_command(event);
    if (!command || !*command) return std::nullopt;
    const auto* saved = std::get_if<codec::SaveDevice>(&**command);
    return saved ? saved->settings.parent : model::DeviceId();
  }
  // Who is silent no more.
  std::set<model::Topic> released_by(const Step& step) const {
    if (step.down_ms > 0) return behind_;
    if (!step.event) return {};
    std::set<model::Topic> released;
    const bool heard = is_heard_of(*step.event);
    if (heard) released.insert(step.event->topic);
    const bool back = heard && step.event->type == model::EventType::device_status;
    const std::optional<model::DeviceId> other = gateway_in(*step.event);
    for (const model::Topic& device : behind_) {
      const model::DeviceId& gateway = gateways_.at(device);
      if (back && gateway == step.event->topic.device) released.insert(device);
      if (other && device == step.event->topic && *other != gateway) released.insert(device);
    }
    return released;
  }
  void note_gone(const model::Topic& gone) {
    silent_.insert(gone);
    behind_.erase(gone);
    for (const auto& [device, gateway] : gateways_) {
      if (gateway == gone.device && silent_.insert(device).second) behind_.insert(device);
    }
  }
  bool judge(const model::Event& event) {
    const Result<model::Alert> alert = codec::decode_alert_data(event.data);
    if (!alert) return wrong(event, "cannot be read: " + alert.error().detail);
    if (alert->reason == "gateway") ++with_gateway;
    std::string& open = open_[{event.topic, alert->rule_id}];
    if (alert->state == AlertState::firing) {
      if (!open.empty()) return wrong(event, "a second open alert");
      if (!ids_.insert(alert->alert_id).second) return wrong(event, "an alert id used again");
      newest_alert = open = alert->alert_id;
      return true;
    }
    if (open != alert->alert_id) return wrong(event, "not the open alert");
    if (alert->state != AlertState::resolved) return true;
    open.clear();
    if (!alert->ended_at_ms || *alert->ended_at_ms < alert->started_at_ms) return wrong(event, "ends before it began");
    if (alert->reason.empty() && silent_before_.contains(event.topic)) return wrong(event, "resolved by silence");
    return true;
  }
  bool wrong(const model::Event& event, std::string what) {
    why = std::move(what) + ": " + event.data;
    return false;
  }

  std::map<std::pair<model::Topic, std::string>, std::string> open_;  // the open alert, by device and rule
  std::set<std::string> ids_;
  std::set<model::Topic> silent_, silent_before_;  // offline, and not heard of since
  std::set<model::Topic> behind_;                  // those of them that went with their gateway
  std::map<model::Topic, model::DeviceId> gateways_;
};

struct Totals {
  uint64_t steps = 0;
  uint64_t alerts = 0;
  uint64_t with_gateway = 0;
};

// Empty: all was well.
std::string live_through(uint64_t seed, Totals& totals) {
  Dice dice(seed);
  std::vector<Rule> rules;
  for (int64_t n = dice.upto(2); n >= 0; --n) rules.push_back(some_rule(dice, "r" + std::to_string(n)));
  Life plain(rules), restarted(rules), restless(rules);
  Judge judge;
  int64_t now_ms = kBeginMs;
  Past past{rules};
  for (int n = 0; n < kSteps; ++n) {
    const Step step = some_step(dice, now_ms, past);
    const size_t from = plain.out.size();
    judge.before(step);
    plain.take(step);
    if (!judge.after(step, plain.out, from)) return judge.why;
    past.note(step, judge.newest_alert);
    if (!restarted.restart()) return "a saved state cannot be read";
    restarted.take(step);
    if (step.down_ms == 0) restless.until(now_ms + (step.now_ms - now_ms) / 3);
    restless.take(step);
    restless.until(step.now_ms);
    now_ms = step.now_ms;
  }
  for (Life* life : {&plain, &restarted, &restless}) life->until(now_ms + kHourMs);
  totals.steps += kSteps;
  totals.alerts += plain.out.size();
  totals.with_gateway += judge.with_gateway;
  if (!same(plain.out, restarted.out)) return "a restart changed what came of it";
  if (!same(plain.out, restless.out)) return "telling the time more often changed what came of it";
  return "";
}

TEST(RuleSequences, OneOpenAlertNoResolveBySilenceAndTheSameAfterEveryRestart) {
  const uint64_t count = environment("MILLSTREAM_SEQUENCES", kSequences);
  const uint64_t first = environment("MILLSTREAM_SEED", 1);
  Totals totals;
  for (uint64_t seed = first; seed < first + count; ++seed) {
    const std::string why = live_through(seed, totals);
    ASSERT_EQ(why, "") << "MILLSTREAM_SEQUENCES=1 MILLSTREAM_SEED=" << seed;
  }
  if (count >= kSequences) {  // a few may hold none
    EXPECT_GT(totals.alerts, count / 4);
    EXPECT_GT(totals.with_gateway, count / 40);
  }
  std::printf(
      "%llu sequences, %llu steps, %llu alert events: never two open alerts of one rule and device, none resolved"
      " by silence, the same with a restart before each step\n",
      static_cast<unsigned long long>(count), static_cast<unsigned long long>(totals.steps),
      static_cast<unsigned long long>(totals.alerts));
}

}  // namespace
}  // namespace millstream::rules
