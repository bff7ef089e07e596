#include "presence/presence_engine.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/log_line.h"
#include "codec/event_json.h"
#include "model/state_text.h"

namespace millstream::presence {
namespace {

using model::Presence;

constexpr int64_t kStateVersion = 1;

model::Event status_event(const model::Topic& topic, Presence status, std::string_view reason, int64_t last_seen_ms,
                          int64_t ts_ms) {
  model::Event event;
  event.ts_ms = ts_ms;
  event.topic = topic;
  event.type = model::EventType::device_status;
  event.data = codec::encode_device_status_data({topic.device, status, std::string(reason), last_seen_ms});
  return event;
}

Error unreadable() { return Error{Code::corrupt, "presence: the saved state cannot be read"}; }

}  // namespace

PresenceEngine::PresenceEngine(PresenceOptions options) : configured_(options), active_(options) {
  MS_CHECK(0 < options.stale_after_ms && options.stale_after_ms < options.offline_after_ms);
}

PresenceEngine::Handle PresenceEngine::add(const model::Topic& topic) {
  Handle handle = static_cast<Handle>(devices_.size());
  if (free_.empty()) {
    devices_.emplace_back();
  } else {
    handle = free_.back();
    free_.pop_back();
  }
  devices_[handle].topic = topic;
  handles_.emplace(topic, handle);
  return handle;
}

void PresenceEngine::forget(Handle handle) {
  handles_.erase(devices_[handle].topic);
  devices_[handle] = Device{};
  free_.push_back(handle);
}

int64_t PresenceEngine::deadline_ms(const Device& device) const {
  return device.silent_since_ms +
         (device.status == Presence::stale ? active_.offline_after_ms : active_.stale_after_ms);
}

void PresenceEngine::step(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  if (!event.topic.is_device()) return;
  if (event.type == model::EventType::system) return take_report(event, now_ms, out);
  if (event.type != model::EventType::telemetry) return;
  if (event.ts_ms < now_ms - active_.offline_after_ms) return;  // history
  revive(event.topic, "data", now_ms, out);
}

void PresenceEngine::take_report(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  const auto report = codec::decode_presence_report_data(event.data);
  if (!report) return log_warning("presence report not understood", {{"id", event.id.text()}});
  if (!*report) return;
  if ((*report)->status == Presence::online) return revive(event.topic, (*report)->reason, now_ms, out);
  take_offline(event.topic, (*report)->reason, now_ms, out);
}

void PresenceEngine::take_offline(const model::Topic& topic, std::string_view reason, int64_t now_ms,
                                  model::Conclusions& out) {
  const auto known = handles_.find(topic);
  if (known == handles_.end()) return;
  const Handle handle = known->second;
  out.push_back(status_event(topic, Presence::offline, reason, devices_[handle].last_seen_ms, now_ms));
  wheel_.cancel(handle);
  forget(handle);
}

void PresenceEngine::revive(const model::Topic& topic, std::string_view reason, int64_t now_ms,
                            model::Conclusions& out) {
  const auto known = handles_.find(topic);
  const Handle handle = known != handles_.end() ? known->second : add(topic);
  Device& device = devices_[handle];
  device.last_seen_ms = device.silent_since_ms = now_ms;
  if (device.status == Presence::online) return;
  device.status = Presence::online;
  wheel_.schedule(handle, deadline_ms(device));
  out.push_back(status_event(topic, Presence::online, reason, now_ms, now_ms));
}

void PresenceEngine::advance(int64_t now_ms, model::Conclusions& out) {
  wheel_.advance(now_ms, [&](int64_t deadline, std::vector<Handle>& due) {
    std::sort(due.begin(), due.end(), [this](Handle a, Handle b) { return devices_[a].topic < devices_[b].topic; });
    for (const Handle handle : due) expire(handle, deadline, out);
  });
}

void PresenceEngine::expire(Handle handle, int64_t now_ms, model::Conclusions& out) {
  Device& device = devices_[handle];
  if (const int64_t deadline = deadline_ms(device); deadline > now_ms) {
    wheel_.schedule(handle, deadline);
    return;
  }
  const bool was_online = device.status == Presence::online;
  device.status = was_online ? Presence::stale : Presence::offline;
  out.push_back(status_event(device.topic, device.status, "timeout", device.last_seen_ms, now_ms));
  if (was_online) {
    wheel_.schedule(handle, deadline_ms(device));
  } else {
    forget(handle);
  }
}

void PresenceEngine::resume(int64_t from_ms, int64_t now_ms) {
  const bool same_options =
      active_.stale_after_ms == configured_.stale_after_ms && active_.offline_after_ms == configured_.offline_after_ms;
  active_ = configured_;
  if (now_ms <= from_ms && same_options) return;
  for (Handle handle = 0; handle < devices_.size(); ++handle) {
    Device& device = devices_[handle];
    if (device.topic.account.empty()) continue;
    device.silent_since_ms = now_ms;
    wheel_.schedule(handle, deadline_ms(device));
  }
}

std::string PresenceEngine::save() const {
  std::string state;
  model::StateWriter writer(state);
  writer.number(kStateVersion).number(wheel_.now_ms());
  writer.number(active_.stale_after_ms).number(active_.offline_after_ms).number(handles_.size());
  std::string topic;
  for (const Device& device : devices_) {
    if (device.topic.account.empty()) continue;
    topic.clear();
    device.topic.append_text(topic);
    writer.text(topic).number(static_cast<int>(device.status));
    writer.number(device.last_seen_ms).number(device.silent_since_ms);
  }
  return state;
}

Status PresenceEngine::load(std::string_view state) {
  model::StateReader reader(state);
  if (reader.number() != kStateVersion) return unreadable();
  PresenceEngine loaded(configured_);
  const int64_t now_ms = reader.number();
  loaded.active_.stale_after_ms = reader.number();
  loaded.active_.offline_after_ms = reader.number();
  loaded.wheel_.advance(now_ms, [](int64_t, std::vector<Handle>&) {});
  const int64_t count = reader.number();
  for (int64_t i = 0; i < count && reader.ok(); ++i) {
    const Result<model::Topic> topic = model::Topic::parse(reader.text());
    const auto status = static_cast<Presence>(reader.number());
    if (!topic || (status != Presence::online && status != Presence::stale)) return unreadable();
    const Handle handle = loaded.add(*topic);
    Device& device = loaded.devices_[handle];
    device.status = status;
    device.last_seen_ms = reader.number();
    device.silent_since_ms = reader.number();
    loaded.wheel_.schedule(handle, loaded.deadline_ms(device));
  }
  if (!reader.at_end() || loaded.handles_.size() != loaded.devices_.size()) return unreadable();
  active_ = loaded.active_;
  devices_ = std::move(loaded.devices_);
  free_.clear();
  handles_ = std::move(loaded.handles_);
  wheel_ = std::move(loaded.wheel_);
  return {};
}

}  // namespace millstream::presence
