#include "rules/rule_engine.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/limits.h"
#include "base/log_line.h"
#include "base/overloaded.h"
#include "codec/device_settings_json.h"
#include "codec/event_json.h"
#include "codec/rule_command.h"
#include "model/state_text.h"
#include "rules/account_rules.h"

namespace millstream::rules {
namespace {

constexpr int64_t kStateVersion = 6;

Error unreadable() { return Error{Code::corrupt, "rules: the saved state cannot be read"}; }

}  // namespace

struct RuleEngine::State {
  explicit State(RuleBoard& rule_board) : board(rule_board) {}

  RuleBoard& board;
  Limits limits;        // in force
  Deadlines deadlines;  // outlives those who set them
  std::map<model::AccountId, AccountRules> accounts;
  model::Conclusions from_resume;  // what resume() brought, for the next advance()
  int64_t next_forget_ms = 0;

  AccountRules& of(const model::AccountId& account) {
    return accounts.try_emplace(account, deadlines, limits, board).first->second;
  }
  AccountRules* find(const model::AccountId& account) {
    const auto found = accounts.find(account);
    return found == accounts.end() ? nullptr : &found->second;
  }
  // A rule that this machine cannot make sense of is left as it was.
  void put(const model::Rule& rule, int64_t now_ms, model::Conclusions& out) {
    auto compiled = compile(rule);
    if (compiled) return of(rule.scope.account).put(std::move(*compiled), now_ms, out);
    log_error("a rule cannot be put in force", {{"rule", rule.id}, {"reason", compiled.error().detail}});
  }
  void put_in_force(const Configuration& configured, int64_t now_ms);
};

// Only what differs: everything else goes on as it was.
void RuleEngine::State::put_in_force(const Configuration& configured, int64_t now_ms) {
  limits = configured.limits;
  std::set<std::pair<model::AccountId, std::string>> wanted;
  for (const model::Rule& rule : configured.rules) {
    wanted.emplace(rule.scope.account, rule.id);
    const model::Rule* now = of(rule.scope.account).find(rule.id);
    if (now == nullptr || !(*now == rule)) put(rule, now_ms, from_resume);
  }
  for (auto& [account, rules] : accounts) {
    for (const std::string& id : rules.rule_ids()) {
      if (!wanted.contains({account, id})) rules.remove(id, now_ms, from_resume);
    }
    rules.room_may_have_come();
    for (const model::Topic& device : rules.devices_with_attributes()) {
      if (!configured.attributes.contains(device)) rules.set_attributes(device, {});
    }
    for (const model::Topic& device : rules.devices_behind_gateways()) {
      if (!configured.gateways.contains(device)) rules.set_gateway(device, {}, now_ms, from_resume);
    }
  }
  for (const auto& [device, attributes] : configured.attributes) of(device.account).set_attributes(device, attributes);
  for (const auto& [device, gateway] : configured.gateways) {
    of(device.account).set_gateway(device, gateway, now_ms, from_resume);
  }
}

RuleEngine::RuleEngine(Configuration configured)
    : configured_(std::move(configured)), state_(std::make_unique<State>(board_)) {
  state_->put_in_force(configured_, 0);
  fill_board();
}
RuleEngine::~RuleEngine() = default;

void RuleEngine::fill_board() {
  board_.clear();
  for (const auto& [account, rules] : state_->accounts) {
    for (std::string& id : rules.rule_ids()) {
      RuleTallyPtr tally = rules.tally(id);
      board_.put({account, std::move(id)}, std::move(tally));
    }
  }
}

void RuleEngine::step(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  if (event.type == model::EventType::system) return step_command(event, now_ms, out);
  if (!event.topic.is_device()) return;
  AccountRules* rules = state_->find(event.topic.account);
  if (rules == nullptr) return;
  if (event.type == model::EventType::telemetry) {
    rules->on_telemetry(event, now_ms, out);
  } else if (event.type == model::EventType::device_status) {
    const Result<model::DeviceStatus> status = codec::decode_device_status_data(event.data);
    if (status) rules->on_status(event.topic, *status, event.ts_ms, now_ms, out);
  }
}

void RuleEngine::step_command(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  Result<std::optional<codec::RuleCommand>> command = codec::decode_rule_command(event);
  if (!command) {
    return log_warning("a command is not understood", {{"id", event.id.text()}, {"reason", command.error().detail}});
  }
  if (!*command) return step_device(event, now_ms, out);
  const model::AccountId& account = event.topic.account;
  AccountRules& rules = state_->of(account);
  std::visit(Overloaded{[&](const codec::SaveRule& c) {
                          state_->put(c.rule, now_ms, out);
                          if (RuleTallyPtr tally = rules.tally(c.rule.id)) board_.put({account, c.rule.id}, tally);
                        },
                        [&](const codec::DeleteRule& c) {
                          rules.remove(c.rule_id, now_ms, out);
                          board_.remove({account, c.rule_id});
                        },
                        [&](const codec::AlertCommand& c) { rules.on_command(event.topic, c, now_ms, out); }},
             **command);
}

void RuleEngine::step_device(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  Result<std::optional<codec::DeviceCommand>> command = codec::decode_device_command(event);
  if (!command) {
    return log_warning("a command is not understood", {{"id", event.id.text()}, {"reason", command.error().detail}});
  }
  if (!*command || !event.topic.is_device()) return;
  AccountRules& rules = state_->of(event.topic.account);
  auto* saved = std::get_if<codec::SaveDevice>(&**command);
  if (saved == nullptr) return rules.on_deleted(event.topic, now_ms, out);
  rules.set_attributes(event.topic, std::move(saved->settings.attributes));
  rules.set_gateway(event.topic, saved->settings.parent, now_ms, out);
}

void RuleEngine::advance(int64_t now_ms, model::Conclusions& out) {
  for (model::Event& event : state_->from_resume) out.push_back(std::move(event));
  state_->from_resume.clear();
  while (!state_->deadlines.empty() && state_->deadlines.begin()->ms <= now_ms) {
    const auto [ms, device, instance] = *state_->deadlines.begin();
    device->account->on_deadline(*device, instance, ms, out);
  }
  if (now_ms < state_->next_forget_ms) return;
  const int64_t hour = now_ms / kHourMs;
  state_->next_forget_ms = (hour + 1) * kHourMs;
  for (auto& [account, rules] : state_->accounts) rules.forget_idle_since(hour * kHourMs - kDayMs, now_ms);
}

void RuleEngine::resume(int64_t from_ms, int64_t now_ms) {
  if (now_ms > from_ms) {
    for (auto& [account, rules] : state_->accounts) rules.postpone(now_ms - from_ms, now_ms);
  }
  state_->put_in_force(configured_, now_ms);
  fill_board();
}

void RuleEngine::save_to(model::StateWriter& writer) const {
  writer.number(kStateVersion).number(state_->next_forget_ms);
  writer.number(state_->limits.rule_instances_per_account_max).number(state_->limits.rule_evaluations_per_second_max);
  writer.number(state_->from_resume.size());
  for (const model::Event& event : state_->from_resume) {
    writer.number(event.ts_ms).text(event.topic.text()).text(event.data);
  }
  writer.number(state_->accounts.size());
  for (const auto& [account, rules] : state_->accounts) {
    writer.text(account.text());
    rules.save(writer);
  }
}

Status RuleEngine::load(std::string_view state) {
  model::StateReader reader(state);
  if (reader.number() != kStateVersion) return unreadable();
  auto loaded = std::make_unique<State>(board_);
  loaded->next_forget_ms = reader.number();
  loaded->limits.rule_instances_per_account_max = reader.number();
  loaded->limits.rule_evaluations_per_second_max = reader.number();
  const int64_t count = reader.number();
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    model::Event event;
    event.ts_ms = reader.number();
    Result<model::Topic> topic = model::Topic::parse(reader.text());
    if (!topic) return unreadable();
    event.topic = std::move(*topic);
    event.type = model::EventType::alert;
    event.data = reader.text();
    loaded->from_resume.push_back(std::move(event));
  }
  const int64_t accounts = reader.number();
  for (int64_t i = 0; i < accounts && reader.ok(); ++i) {
    const Result<model::AccountId> account = model::AccountId::parse(reader.text());
    if (!account || loaded->accounts.contains(*account)) return unreadable();
    if (Status s = loaded->of(*account).load(*account, reader); !s) return s;
  }
  if (!reader.at_end()) return unreadable();
  state_ = std::move(loaded);
  fill_board();
  return {};
}

}  // namespace millstream::rules
