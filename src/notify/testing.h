// notify/testing.h: a notifier over a log that a test plays, with alerts as the rules tell them.
//
// Thread   the test's own
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "codec/event_json.h"
#include "codec/notification_json.h"
#include "codec/rule_command.h"
#include "codec/silence_json.h"
#include "notify/notifier.h"

namespace millstream::notify {

inline constexpr int64_t kStart = 1'770'000'000'000;
inline constexpr int64_t kSecond = 1000;
inline constexpr int64_t kMinute = 60 * kSecond;

inline model::AccountId account(std::string_view name = "demo") { return *model::AccountId::parse(name); }
inline model::Topic device(const std::string& name, const std::string& site = "north") {
  return *model::Topic::parse("account:demo/site:" + site + "/device:" + name);
}
inline model::NotifyPolicy policy(std::vector<std::string> group_by = {}) {
  model::NotifyPolicy made;
  made.channel = "ops";
  made.group_by = std::move(group_by);
  return made;
}
inline model::Rule rule_with(const std::string& id, std::vector<model::NotifyPolicy> notify) {
  model::Rule rule;
  rule.id = rule.name = id;
  rule.scope = model::TopicPattern::all_of(account());
  rule.when.resize(1);
  rule.when[0].field = "T1";
  rule.levels.resize(1);
  rule.levels[0].value = 70.0;
  rule.notify = std::move(notify);
  return rule;
}

// The engine as the runner drives it: advance, step, and conclusions back into the log. `restarts`: it is thrown away
// and made again from its saved state after every call.
class Playground {
 public:
  explicit Playground(Configuration configured, bool restarts = false)
      : configured_(std::move(configured)), restarts_(restarts), notifier_(std::make_unique<Notifier>(configured_)) {}

  void pass(int64_t ms) {
    const int64_t end_ms = now_ms_ + ms;
    // Told of time in uneven steps: that must not matter.
    while (now_ms_ < end_ms) advance_to(std::min(end_ms, now_ms_ + 29'017));
  }
  void alert(const model::Topic& of, model::AlertState state, model::Severity severity = model::Severity::warning,
             const std::function<void(model::Alert&)>& change = nullptr) {
    model::Alert alert;
    alert.rule_id = alert.rule_name = rule;
    alert.device = of.device;
    alert.alert_id = rule + "." + of.device.text();
    alert.state = state;
    alert.severity = severity;
    alert.message = of.device.text() + " is hot";
    alert.started_at_ms = now_ms_;
    if (state == model::AlertState::resolved) alert.ended_at_ms = now_ms_;
    if (change) change(alert);
    append(of, model::EventType::alert, codec::encode_alert_data(alert), 1);
  }
  void fire(const std::string& name, model::Severity severity = model::Severity::warning) {
    alert(device(name), model::AlertState::firing, severity);
  }
  void resolve(const std::string& name) { alert(device(name), model::AlertState::resolved); }
  void acknowledge(const std::string& name, model::Severity severity = model::Severity::warning) {
    alert(device(name), model::AlertState::acknowledged, severity, [](model::Alert& a) {
      a.ack = model::AlertAck{"anna", 0, "on it"};
    });
  }
  void silence(const std::string& id, int64_t from_ms, int64_t ms, const std::string& topic = "account:demo") {
    model::Silence silence;
    silence.id = id;
    silence.topic = *model::TopicPattern::parse(topic);
    silence.starts_at_ms = now_ms_ + from_ms;
    silence.ends_at_ms = silence.starts_at_ms + ms;
    say(codec::encode_silence_command(codec::SaveSilence{silence, "anna"}));
  }
  void end_silence(const std::string& id) { say(codec::encode_silence_command(codec::DeleteSilence{id, "anna"})); }
  void save_rule(const model::Rule& saved) { say(codec::encode_rule_command(codec::SaveRule{saved, "anna"})); }
  void delete_rule(const std::string& id) { say(codec::encode_rule_command(codec::DeleteRule{id, "anna"})); }
  void result(const model::Notification& of, model::DeliveryState state, const std::string& reason = "") {
    const model::DeliveryResult result{
        .notification_id = of.id, .channel = of.channel, .state = state, .attempts = 1, .reason = reason};
    append(of.topic, model::EventType::system, codec::encode_delivery_result(result), 0);
  }
  void say(std::string data) {
    append(*model::Topic::parse("account:demo"), model::EventType::system, std::move(data), 0);
  }
  // As after the server was down.
  void resume(int64_t down_ms, Configuration configured) {
    configured_ = std::move(configured);
    restart();
    notifier_->resume(now_ms_, now_ms_ + down_ms);
    advance_to(now_ms_ + down_ms);
  }
  void restart() {
    const std::string state = notifier_->save();
    notifier_ = std::make_unique<Notifier>(configured_);
    ASSERT_TRUE(notifier_->load(state).ok());
    ASSERT_EQ(notifier_->save(), state);
  }

  std::vector<Delivery> pending() {
    return notifier_->book().pending([](const model::Notification&) { return true; });
  }
  // What has been decided since this was last asked, in a line each: "+30s firing a,b / resolved c".
  std::vector<std::string> told() {
    std::vector<std::string> lines;
    for (; told_ < pending().size(); ++told_) lines.push_back(line_of(*pending()[told_].notification));
    return lines;
  }
  DeliveryBook& book() { return notifier_->book(); }

  std::string rule = "hot";
  std::vector<model::Event> log;  // everything, in order

 private:
  std::string line_of(const model::Notification& n) const {
    std::string line = "+" + std::to_string((n.decided_at_ms - kStart) / kSecond) + "s";
    for (const bool over : {false, true}) {
      std::string names;
      for (const model::NotifiedAlert& each : n.alerts) {
        if (each.over == over) names += (names.empty() ? "" : ",") + each.device.device.text();
      }
      if (!names.empty()) line += (over ? " resolved " : " firing ") + names;
    }
    return line;
  }
  void advance_to(int64_t ms) {
    now_ms_ = std::max(now_ms_, ms);
    model::Conclusions out;
    notifier_->advance(now_ms_, out);
    keep(std::move(out));
  }
  void append(const model::Topic& topic, model::EventType type, std::string data, uint64_t conclusion) {
    model::Event event{.id = {++now_ms_, 0}, .ts_ms = now_ms_, .topic = topic, .type = type, .data = std::move(data)};
    event.conclusion = conclusion;
    advance_to(now_ms_);
    step(std::move(event));
  }
  void step(model::Event event) {
    log.push_back(event);
    model::Conclusions out;
    notifier_->step(event, now_ms_, out);
    keep(std::move(out));
  }
  void keep(model::Conclusions concluded) {
    if (restarts_) restart();
    for (model::Event& event : concluded) {
      event.id = {now_ms_, ++sequence_};
      event.conclusion = 1;
      step(std::move(event));
    }
  }

  Configuration configured_;
  const bool restarts_;
  std::unique_ptr<Notifier> notifier_;
  int64_t now_ms_ = kStart;
  uint32_t sequence_ = 0;
  size_t told_ = 0;
};

}  // namespace millstream::notify
