#include "rules/scenario.h"

#include <memory>

#include "base/overloaded.h"
#include "base/time_text.h"
#include "codec/event_json.h"
#include "rules/gateways.h"
#include "rules/rule_engine.h"

namespace millstream::rules {
namespace {

std::string number_text(double value) {
  std::string out;
  codec::append_json_number(value, out);
  return out;
}

// A member of an alert as a scenario writes it.
std::optional<std::string> member_of(const model::Event& event, const model::Alert& alert, const std::string& name,
                                     int64_t begin_ms) {
  const auto since = [&](int64_t ms) { return duration_text(ms - begin_ms); };
  if (name == "state") return std::string(model::alert_state_name(alert.state));
  if (name == "severity") return std::string(model::severity_name(alert.severity));
  if (name == "rule") return alert.rule_id;
  if (name == "device") return event.topic.site.text() + "/" + event.topic.device.text();
  if (name == "field") return alert.field;
  if (name == "value") return number_text(alert.value);
  if (name == "threshold") return number_text(alert.threshold);
  if (name == "message") return alert.message;
  if (name == "reason") return alert.reason;
  if (name == "flapping") return std::string(alert.flapping ? "true" : "false");
  if (name == "by") return alert.ack ? alert.ack->by : "";
  if (name == "note") return alert.ack ? alert.ack->note : "";
  if (name == "ts") return since(event.ts_ms);
  if (name == "started") return since(alert.started_at_ms);
  if (name == "ended") return alert.ended_at_ms ? since(*alert.ended_at_ms) : "";
  return std::nullopt;
}

std::string words_of(const model::Event& event, const model::Alert& alert, int64_t begin_ms) {
  std::string out;
  for (const char* name : {"state", "rule", "device", "severity", "value", "reason", "ts", "started", "ended"}) {
    const std::string value = *member_of(event, alert, name, begin_ms);
    if (!value.empty()) out.append(out.empty() ? "" : " ").append(name).append("=").append(value);
  }
  return out;
}

// Leads one engine through a scenario.
class Run {
 public:
  Run(const Scenario& scenario, bool restarts)
      : scenario_(scenario),
        restarts_(restarts),
        engine_(std::make_unique<RuleEngine>(Configuration{scenario.rules, {}})) {}

  std::optional<std::string> all() {
    for (const ScenarioStep& step : scenario_.steps) {
      out_.clear();
      if (restarts_) {
        if (const Status s = restart(); !s) return place(step) + s.error().detail;
      }
      take(step);
      if (auto otherwise = compare(step)) return place(step) + *otherwise;
    }
    return std::nullopt;
  }

 private:
  std::string place(const ScenarioStep& step) const {
    return "line " + std::to_string(step.line) + ", at " + duration_text(step.at_ms) +
           (restarts_ ? ", restarted before each step: " : ": ");
  }

  Status restart() {
    auto next = std::make_unique<RuleEngine>(Configuration{scenario_.rules, {}});
    if (Status s = next->load(engine_->save()); !s) return s;
    engine_ = std::move(next);
    return {};
  }

  void take(const ScenarioStep& step) {
    const int64_t now_ms = scenario_.begin_ms + step.at_ms;
    if (const auto* down = std::get_if<ScenarioDowntime>(&step.what)) {
      engine_->advance(now_ms - down->ms, out_);
      engine_->resume(now_ms - down->ms, now_ms);
      return engine_->advance(now_ms, out_);
    }
    engine_->advance(now_ms, out_);
    model::Event event;
    event.id = {now_ms, 0};
    event.ts_ms = now_ms;
    event.topic = step.device;
    const bool happens = std::visit(
        Overloaded{[&](const ScenarioValues& values) {
                     event.ts_ms = scenario_.begin_ms + values.ts_ms;
                     event.fields = values.fields;
                     event.data = codec::encode_telemetry_data(step.device.device, values.fields, values.tags);
                     return true;
                   },
                   [&](const ScenarioStatus& status) {
                     event.type = model::EventType::device_status;
                     event.data = codec::encode_device_status_data(
                         {step.device.device, status.status, "timeout", now_ms, gateways_.behind(step.device).size()});
                     return true;
                   },
                   [&](const codec::RuleCommand& command) {
                     event.type = model::EventType::system;
                     event.data = codec::encode_rule_command(with_alert(command));
                     return true;
                   },
                   [&](const codec::SaveDevice& command) {
                     event.type = model::EventType::system;
                     event.data = codec::encode_device_command(step.device.device, command);
                     (void)gateways_.put(step.device, command.settings.parent);
                     return true;
                   },
                   [](const auto&) { return false; }},
        step.what);
    if (happens) engine_->step(event, now_ms, out_);
  }

  // A command for the alert that opened last, unless it names one.
  codec::RuleCommand with_alert(codec::RuleCommand command) const {
    auto* of_alert = std::get_if<codec::AlertCommand>(&command);
    if (of_alert != nullptr && of_alert->alert_id.empty()) of_alert->alert_id = newest_alert_;
    return command;
  }

  std::optional<std::string> compare(const ScenarioStep& step) {
    size_t at = 0;
    for (const model::Event& event : out_) {
      const Result<model::Alert> alert = codec::decode_alert_data(event.data);
      if (!alert) return "an alert that cannot be read: " + alert.error().detail;
      if (alert->state == model::AlertState::firing) newest_alert_ = alert->alert_id;
      const std::string came = words_of(event, *alert, scenario_.begin_ms);
      if (at == step.expected.size()) return "not expected: " + came;
      for (const auto& [name, wanted] : step.expected[at]) {
        const std::optional<std::string> got = member_of(event, *alert, name, scenario_.begin_ms);
        if (!got) return "an alert has no \"" + name + "\"";
        if (*got != wanted) return name + ": expected " + wanted + ", got " + *got + " (" + came + ")";
      }
      ++at;
    }
    if (at == step.expected.size()) return std::nullopt;
    return "expected " + std::to_string(step.expected.size()) + " alert events, got " + std::to_string(at);
  }

  const Scenario& scenario_;
  const bool restarts_;
  std::unique_ptr<RuleEngine> engine_;
  model::Conclusions out_;
  Gateways gateways_;  // as the steps have told
  std::string newest_alert_;
};

}  // namespace

std::optional<std::string> run_scenario(const Scenario& scenario) {
  if (auto otherwise = Run(scenario, false).all()) return otherwise;
  return Run(scenario, true).all();
}

}  // namespace millstream::rules
