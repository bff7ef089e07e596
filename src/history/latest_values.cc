#include "history/latest_values.h"

#include <algorithm>

#include "base/log_line.h"
#include "codec/device_settings_json.h"
#include "codec/event_json.h"
#include "model/state_text.h"

namespace millstream::history {
namespace {

constexpr int64_t kPruneIntervalMs = 60'000;
constexpr int64_t kStateVersion = 2;  // 1: without published alerts

bool matches_any(const std::vector<model::TopicPattern>& patterns, const model::Topic& topic) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return pattern.matches(topic); });
}

// Ids of published alerts are their publishers' choice, and rules of two accounts may have one id: an alert's id names
// no alert of another topic.
std::string alert_key(const model::Topic& topic, const std::string& alert_id) { return topic.text() + ' ' + alert_id; }

void save_topic(const model::Topic& topic, model::StateWriter& out) { out.text(topic.text()); }

bool load_topic(model::StateReader& in, model::Topic& topic) {
  Result<model::Topic> parsed = model::Topic::parse(in.text());
  if (!parsed) return false;
  topic = std::move(*parsed);
  return true;
}

void save_value(const model::FieldValue& value, model::StateWriter& out) {
  out.number(static_cast<int64_t>(value.index()));
  if (const double* d = std::get_if<double>(&value)) {
    out.real(*d);
  } else if (const int64_t* i = std::get_if<int64_t>(&value)) {
    out.number(*i);
  } else if (const bool* b = std::get_if<bool>(&value)) {
    out.number(*b ? 1 : 0);
  } else {
    out.text(std::get<std::string>(value));
  }
}

model::FieldValue load_value(model::StateReader& in) {
  switch (in.number()) {
    case 0: return in.real();
    case 1: return in.number();
    case 2: return in.number() != 0;
    case 3: return std::string(in.text());
    default: in.fail(); return 0.0;
  }
}

void save_device(const LatestDevice& device, model::StateWriter& out) {
  save_topic(device.topic, out);
  out.number(device.ts_ms);
  out.number(device.received_at_ms);
  out.number(device.telemetry.packed());
  out.number(static_cast<int64_t>(device.fields.size()));
  for (const auto& [name, field] : device.fields) {
    out.text(name);
    save_value(field.value, out);
    out.number(field.ts_ms);
    out.number(field.event.packed());
  }
  out.number(static_cast<int64_t>(device.tags.size()));
  for (const model::Tag& tag : device.tags) {
    out.text(tag.name);
    out.text(tag.value);
  }
  out.number(device.status_event.packed());
  out.text(device.status ? codec::encode_device_status_data(*device.status) : std::string());
}

bool load_device(model::StateReader& in, LatestDevice& device) {
  if (!load_topic(in, device.topic)) return false;
  device.ts_ms = in.number();
  device.received_at_ms = in.number();
  device.telemetry = model::EventId::from_packed(in.number());
  for (int64_t n = in.number(); n > 0 && in.ok(); --n) {
    std::string name(in.text());
    LatestField field{.value = load_value(in)};
    field.ts_ms = in.number();
    field.event = model::EventId::from_packed(in.number());
    device.fields.emplace(std::move(name), std::move(field));
  }
  for (int64_t n = in.number(); n > 0 && in.ok(); --n) {
    std::string name(in.text());
    device.tags.push_back({std::move(name), std::string(in.text())});
  }
  device.status_event = model::EventId::from_packed(in.number());
  const std::string_view status = in.text();
  if (status.empty()) return in.ok();
  Result<model::DeviceStatus> decoded = codec::decode_device_status_data(status);
  if (!decoded) return false;
  device.status = std::move(*decoded);
  return in.ok();
}

bool is_alive(model::Presence status) { return status == model::Presence::online || status == model::Presence::stale; }

// From the "{" of the tags in a telemetry event's data to its end; empty: it has none. Whatever stands in a string, its
// quotes are escaped, so that only the member itself is spelled like this.
std::string_view tags_text_in(std::string_view data) {
  for (size_t at = data.find('{'); at != std::string_view::npos; at = data.find('{', at + 1)) {
    if (data.substr(0, at).ends_with("\"tags\":")) return data.substr(at);
  }
  return {};
}

}  // namespace

LatestValues::LatestValues(int64_t retention_ms, size_t devices_max, GatewayOf gateway_of)
    : retention_ms_(retention_ms), devices_max_(devices_max), gateway_of_(std::move(gateway_of)) {}

void LatestValues::step(const model::Event& event, int64_t, model::Conclusions&) {
  std::lock_guard lock(mu_);
  as_of_ = std::max(as_of_, event.id);
  switch (event.type) {
    case model::EventType::telemetry: return take_telemetry(event);
    case model::EventType::device_status: return take_status(event);
    case model::EventType::alert: return take_alert(event);
    case model::EventType::system: return take_deletion(event);
  }
}

// nullptr for an inner topic, or when devices_max devices are known already.
LatestValues::Known* LatestValues::known_of(const model::Topic& topic) {
  if (!topic.is_device()) return nullptr;
  const auto it = devices_.find(topic);
  if (it != devices_.end()) return &it->second;
  if (devices_.size() >= devices_max_) return nullptr;
  Known& known = devices_[topic];
  known.latest.topic = topic;
  device_count_.store(devices_.size(), std::memory_order_relaxed);
  return &known;
}

void LatestValues::take_telemetry(const model::Event& event) {
  Known* known = known_of(event.topic);
  if (!known) return;
  take_fields(event, *known);
  LatestDevice& device = known->latest;
  if (event.ts_ms >= device.ts_ms) take_tags(event.data, *known);
  device.ts_ms = std::max(device.ts_ms, event.ts_ms);
  device.received_at_ms = std::max(device.received_at_ms, event.id.ms);
  device.telemetry = std::max(device.telemetry, event.id);
}

void LatestValues::take_fields(const model::Event& event, Known& known) {
  auto& order = known.fields_in_order;
  if (order.size() < event.fields.size()) order.resize(event.fields.size());
  for (size_t i = 0; i < event.fields.size(); ++i) {
    const model::Field& field = event.fields[i];
    if (!order[i] || order[i]->first != field.name) order[i] = &*known.latest.fields.try_emplace(field.name).first;
    LatestField& latest = order[i]->second;
    if (!latest.event.is_zero() && event.ts_ms < latest.ts_ms) continue;  // late: history, not the newest
    latest.value = field.value;
    latest.ts_ms = event.ts_ms;
    latest.event = event.id;
  }
}

void LatestValues::take_tags(std::string_view data, Known& known) {
  const std::string_view text = tags_text_in(data);
  if (text.empty() || text == known.tags_text) return;
  known.tags_text = text;
  if (Result<model::Tags> tags = codec::decode_telemetry_tags(data); tags && !tags->empty()) {
    known.latest.tags = std::move(*tags);
  }
}

void LatestValues::take_status(const model::Event& event) {
  Known* known = known_of(event.topic);
  if (!known) return;
  Result<model::DeviceStatus> status = codec::decode_device_status_data(event.data);
  if (!status) return log_warning("status event not understood", {{"id", event.id.text()}});
  known->latest.status = std::move(*status);
  known->latest.status_event = event.id;
}

void LatestValues::take_deletion(const model::Event& event) {
  if (!devices_.contains(event.topic)) return;
  const auto command = codec::decode_device_command(event);
  if (!command || !*command || !std::holds_alternative<codec::DeleteDevice>(**command)) return;
  devices_.erase(event.topic);
  device_count_.store(devices_.size(), std::memory_order_relaxed);
}

// Under the lock.
void LatestValues::show_behind_gateway(LatestDevice& device) const {
  if (!gateway_of_ || !device.status || !is_alive(device.status->status)) return;
  const std::optional<model::Topic> gateway = gateway_of_(device.topic);
  if (!gateway) return;
  const auto found = devices_.find(*gateway);
  if (found == devices_.end() || !found->second.latest.status) return;
  const LatestDevice& above = found->second.latest;
  const bool gone = above.status->status == model::Presence::offline && above.status->devices > 0;
  if (!gone || above.status_event < device.status_event) return;
  device.status->status = model::Presence::offline;
  device.status->reason = "gateway";
  device.status_event = above.status_event;
}

void LatestValues::take_alert(const model::Event& event) {
  Result<model::Alert> alert = codec::decode_alert_data(event.data);
  if (!alert) return log_warning("alert event not understood", {{"id", event.id.text()}});
  const bool published = model::is_published_alert(alert->alert_id);
  const std::string key = alert_key(event.topic, alert->alert_id);
  const size_t before = alerts_.size();
  if (alert->state == model::AlertState::resolved) {
    alerts_.erase(key);
  } else {
    alerts_[key] = {.topic = event.topic,
                    .event = event.id,
                    .ts_ms = event.ts_ms,
                    .published = published,
                    .alert = std::move(*alert)};
  }
  if (published) count_published(event.topic.account, static_cast<int>(alerts_.size()) - static_cast<int>(before));
}

void LatestValues::count_published(const model::AccountId& account, int change) {
  if (change == 0) return;
  published_alerts_.with([&](auto& counts) {
    size_t& count = counts[account];
    count += static_cast<size_t>(change);
    if (count == 0) counts.erase(account);
  });
}

size_t LatestValues::published_alerts(const model::AccountId& account) const {
  return published_alerts_.with([&](const auto& counts) {
    const auto found = counts.find(account);
    return found == counts.end() ? 0 : found->second;
  });
}

void LatestValues::advance(int64_t now_ms, model::Conclusions&) {
  std::lock_guard lock(mu_);
  as_of_.ms = std::max(as_of_.ms, now_ms - 1);
  if (now_ms < next_prune_ms_) return;
  next_prune_ms_ = now_ms + kPruneIntervalMs;
  const int64_t oldest_ms = now_ms - retention_ms_;
  std::erase_if(devices_, [&](const auto& entry) {
    const LatestDevice& device = entry.second.latest;
    return device.received_at_ms < oldest_ms && device.status_event.ms < oldest_ms;
  });
  device_count_.store(devices_.size(), std::memory_order_relaxed);
  // The log knows them no more than a device that was silent for so long.
  std::erase_if(alerts_, [&](const auto& entry) {
    const OpenAlert& open = entry.second;
    if (!open.published || open.event.ms >= oldest_ms) return false;
    count_published(open.topic.account, -1);
    return true;
  });
}

LatestSnapshot LatestValues::snapshot(const std::vector<model::TopicPattern>& patterns, model::EventTypes types) const {
  LatestSnapshot out;
  const bool telemetry = types.has(model::EventType::telemetry);
  const bool status = types.has(model::EventType::device_status);
  {
    std::lock_guard lock(mu_);
    out.as_of = as_of_;
    for (const auto& [topic, known] : devices_) {
      if ((!telemetry && !status) || !matches_any(patterns, topic)) continue;
      out.devices.push_back(known.latest);
      if (status) show_behind_gateway(out.devices.back());
    }
    if (types.has(model::EventType::alert)) {
      for (const auto& [id, open] : alerts_) {
        if (matches_any(patterns, open.topic)) out.alerts.push_back(open);
      }
    }
  }
  for (LatestDevice& device : out.devices) {
    if (!telemetry) device.fields.clear();
    if (!status) device.status.reset();
  }
  std::sort(out.devices.begin(), out.devices.end(), [](const auto& a, const auto& b) { return a.topic < b.topic; });
  std::sort(out.alerts.begin(), out.alerts.end(), [](const auto& a, const auto& b) { return a.event < b.event; });
  return out;
}

void LatestValues::save_to(model::StateWriter& out) const {
  std::lock_guard lock(mu_);
  out.number(kStateVersion);
  out.number(as_of_.packed());
  out.number(static_cast<int64_t>(devices_.size()));
  for (const auto& [topic, known] : devices_) save_device(known.latest, out);
  out.number(static_cast<int64_t>(alerts_.size()));
  for (const auto& [id, open] : alerts_) {
    save_topic(open.topic, out);
    out.number(open.event.packed());
    out.number(open.ts_ms);
    out.number(open.published ? 1 : 0);
    out.text(codec::encode_alert_data(open.alert));
  }
}

Status LatestValues::load(std::string_view state) {
  model::StateReader in(state);
  const int64_t version = in.number();
  if (version != 1 && version != kStateVersion)
    return Error{Code::corrupt, "latest values: unknown version of saved state"};
  const model::EventId as_of = model::EventId::from_packed(in.number());
  std::unordered_map<model::Topic, Known> devices;
  for (int64_t n = in.number(); n > 0 && in.ok(); --n) {
    LatestDevice device;
    if (!load_device(in, device)) in.fail();
    const model::Topic topic = device.topic;
    devices[topic].latest = std::move(device);
  }
  std::map<std::string, OpenAlert> alerts;
  for (int64_t n = in.number(); n > 0 && in.ok(); --n) {
    OpenAlert open;
    if (!load_topic(in, open.topic)) in.fail();
    open.event = model::EventId::from_packed(in.number());
    open.ts_ms = in.number();
    open.published = version > 1 && in.number() != 0;
    Result<model::Alert> alert = codec::decode_alert_data(in.text());
    if (!alert) {
      in.fail();
      break;
    }
    open.alert = std::move(*alert);
    std::string key = alert_key(open.topic, open.alert.alert_id);
    alerts.emplace(std::move(key), std::move(open));
  }
  if (!in.at_end()) return Error{Code::corrupt, "latest values: saved state is damaged"};
  std::lock_guard lock(mu_);
  as_of_ = as_of;
  devices_ = std::move(devices);
  alerts_ = std::move(alerts);
  published_alerts_.with([](auto& counts) { counts.clear(); });
  for (const auto& [key, open] : alerts_) {
    if (open.published) count_published(open.topic.account, 1);
  }
  device_count_.store(devices_.size(), std::memory_order_relaxed);
  return {};
}

}  // namespace millstream::history
