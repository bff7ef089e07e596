#include "presence/presence_engine.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/log_line.h"
#include "codec/event_json.h"

namespace millstream::presence {
namespace {

using model::Presence;

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

}  // namespace

PresenceEngine::PresenceEngine(PresenceOptions options, model::SettingsByDevice known)
    : configured_(options), known_(std::move(known)), active_(options) {
  MS_CHECK(0 < options.stale_after_ms && options.stale_after_ms < options.offline_after_ms);
  MS_CHECK(0 < options.learn_stale_factor && options.learn_stale_factor < options.learn_offline_factor);
}

size_t PresenceEngine::bytes_per_device() {
  constexpr size_t map_node = sizeof(std::pair<const model::Topic, Handle>) + 2 * sizeof(void*);  // and its bucket
  return sizeof(Device) + map_node + sizeof(void*) + TimingWheel::bytes_per_timer();
}

// ---- what happens ----

void PresenceEngine::step(const model::Event& event, int64_t now_ms, model::Conclusions& out) {
  if (!event.topic.is_device()) return;
  if (event.type == model::EventType::telemetry) {
    const Handle known = find(event.topic);
    if (is_history(known == kNone ? nullptr : &devices_[known], event, now_ms)) return;
    const Handle handle = known == kNone ? find_or_add(event.topic) : known;
    const bool changed = devices_[handle].rhythm.heard(now_ms);
    revive(handle, "data", now_ms, out);
    // Data moves no timer: one that fires early is set again. Only a quicker rhythm brings a deadline nearer.
    if (changed && deadline_of(devices_[handle]) < wheel_.deadline_of(handle)) schedule(handle);
    return;
  }
  if (event.type != model::EventType::system) return;
  const auto report = codec::decode_presence_report_data(event.data);
  if (!report) return log_warning("presence report not understood", {{"id", event.id.text()}});
  if (*report) return take_report(**report, event, now_ms, out);
  const auto command = codec::decode_device_command(event);
  if (!command) return log_warning("a device's settings are not understood", {{"id", event.id.text()}});
  if (*command) take_command(**command, event.topic, now_ms);
}

bool PresenceEngine::is_history(const Device* device, const model::Event& event, int64_t now_ms) const {
  const int64_t age_ms = now_ms - event.ts_ms;
  // What is learned is never shorter than what is configured.
  if (device == nullptr || !device->special) {
    if (age_ms <= active_.offline_after_ms) return false;
    if (device == nullptr) return true;
  }
  return age_ms > lengths_of(*device).offline_ms;
}

void PresenceEngine::take_report(const model::PresenceReport& report, const model::Event& event, int64_t now_ms,
                                 model::Conclusions& out) {
  const Handle known = find(event.topic);
  if (is_history(known == kNone ? nullptr : &devices_[known], event, now_ms)) return;
  if (report.status == Presence::online) {
    if (!report.retained) revive(known == kNone ? find_or_add(event.topic) : known, report.reason, now_ms, out);
    return;
  }
  if (known == kNone || !devices_[known].is_alive() || devices_[known].behind == Behind::gone) return;
  const Device& device = devices_[known];
  const int64_t delay_ms = device.special ? device.special->lengths.offline_delay_ms.value_or(active_.offline_delay_ms)
                                          : active_.offline_delay_ms;
  if (delay_ms == 0) return leave(known, report.reason, now_ms, out);
  if (device.has_gone()) return;  // said before: it counts from then
  Special& special = special_of(known);
  special.gone_ms = now_ms + delay_ms;
  special.gone_reason = report.reason;
  schedule(known);
}

void PresenceEngine::take_command(const codec::DeviceCommand& command, const model::Topic& topic, int64_t now_ms) {
  if (const auto* saved = std::get_if<codec::SaveDevice>(&command))
    return save_settings(topic, saved->settings, now_ms);
  const Handle handle = find(topic);
  if (handle == kNone) return;
  // Should it speak again, it is a new one.
  Device& device = devices_[handle];
  if (device.special) device.special->gone_ms = 0;
  device.status = Presence::unknown;
  device.last_seen_ms = 0;
  device.rhythm = {};
  release_children(handle, now_ms);
  unregister(handle, now_ms);
}

void PresenceEngine::revive(Handle handle, std::string_view reason, int64_t now_ms, model::Conclusions& out) {
  Device& device = devices_[handle];
  device.last_seen_ms = device.silent_since_ms = now_ms;
  if (device.has_gone()) {
    device.special->gone_ms = 0;
    drop_special_if_plain(handle);
  }
  const bool is_news = device.status != Presence::online || device.behind != Behind::nothing;
  const size_t back = device.status == Presence::offline ? release_children(handle, now_ms) : 0;
  if (device.is_gateway()) wake_children(handle, now_ms);
  device.status = Presence::online;
  device.behind = Behind::nothing;
  if (is_news || device.waits) schedule(handle);
  if (is_news) tell(device, reason, back, now_ms, out);
}

// By what was reported, not by silence: until it comes again is no interval of its rhythm.
void PresenceEngine::leave(Handle handle, std::string_view reason, int64_t now_ms, model::Conclusions& out) {
  devices_[handle].rhythm.pause();
  go_offline(handle, reason, now_ms, out);
}

void PresenceEngine::go_offline(Handle handle, std::string_view reason, int64_t now_ms, model::Conclusions& out) {
  Device& device = devices_[handle];
  const bool was_alive = device.is_alive();
  if (device.special) device.special->gone_ms = 0;
  device.status = Presence::offline;
  device.silent_since_ms = now_ms;
  tell(device, reason, was_alive ? hide_children(handle) : 0, now_ms, out);
  drop_special_if_plain(handle);
  if (!device.special && !active_.learn) return forget(handle);
  schedule(handle);
}

void PresenceEngine::tell(Device& device, std::string_view reason, size_t devices, int64_t ts_ms,
                          model::Conclusions& out) const {
  device.behind = Behind::nothing;
  const model::DeviceStatus status{device.topic->device, device.status, std::string(reason), device.last_seen_ms,
                                   devices};
  out.push_back(
      new_event(model::EventType::device_status, *device.topic, codec::encode_device_status_data(status), ts_ms));
}

// ---- deadlines ----

void PresenceEngine::advance(int64_t now_ms, model::Conclusions& out) {
  wheel_.advance(now_ms, [&](int64_t deadline, std::vector<Handle>& due) {
    // Gateways first: with one of them go those behind it, whose deadline it is too.
    std::sort(due.begin(), due.end(), [this](Handle a, Handle b) {
      const Device &x = devices_[a], &y = devices_[b];
      return x.is_gateway() != y.is_gateway() ? x.is_gateway() : *x.topic < *y.topic;
    });
    for (const Handle handle : due) expire(handle, deadline, out);
  });
}

void PresenceEngine::expire(Handle handle, int64_t now_ms, model::Conclusions& out) {
  Device& device = devices_[handle];
  if (device.behind == Behind::gone) return;
  if (device.has_gone() && device.special->gone_ms <= now_ms) {
    const Handle gateway = device.special->parent;
    const bool both = gateway != kNone && devices_[gateway].has_gone() && devices_[gateway].special->gone_ms > now_ms;
    if (!both) return leave(handle, std::string(device.special->gone_reason), now_ms, out);
    device.special->gone_ms = devices_[gateway].special->gone_ms;  // then it goes too, or this one alone
    return schedule(handle);
  }
  if (deadline_of(device) > now_ms) return schedule(handle);
  if (device.status == Presence::offline) return forget(handle);
  if (defers_to_gateway(handle, now_ms)) return;
  if (device.status == Presence::stale) return go_offline(handle, "timeout", now_ms, out);
  if (device.status == Presence::unknown) return go_offline(handle, "never_seen", now_ms, out);
  device.status = Presence::stale;
  tell(device, "timeout", 0, now_ms, out);
  schedule(handle);
}

// Both silent: which of them is away is known once the gateway is heard, or judged.
bool PresenceEngine::defers_to_gateway(Handle handle, int64_t now_ms) {
  Device& device = devices_[handle];
  if (!device.special || device.special->parent == kNone) return false;
  Device& gateway = devices_[device.special->parent];
  if (!gateway.is_alive() || gateway.waits || gateway.last_seen_ms >= deadline_of(device)) return false;
  device.waits = gateway.special->some_wait = true;
  if (device.has_gone()) wheel_.schedule(handle, std::max(device.special->gone_ms, now_ms));
  return true;
}

Lengths PresenceEngine::lengths_of(const Device& device) const {
  const LengthSettings set = device.special ? device.special->lengths : LengthSettings{};
  return lengths_for(active_, set, active_.learn ? device.rhythm.interval_ms() : std::nullopt);
}

// Of a device that is offline: when it is forgotten.
int64_t PresenceEngine::deadline_of(const Device& device) const {
  switch (device.status) {
    case Presence::online: return device.silent_since_ms + lengths_of(device).stale_ms;
    case Presence::stale: return device.silent_since_ms + lengths_of(device).offline_ms;
    case Presence::unknown:
      return device.is_registered() ? device.silent_since_ms + lengths_of(device).offline_ms : kNever;
    case Presence::offline: break;
  }
  return device.special ? kNever : device.silent_since_ms + active_.learn_max_ms;
}

void PresenceEngine::schedule(Handle handle) {
  Device& device = devices_[handle];
  device.waits = false;
  int64_t due_ms = deadline_of(device);
  if (device.has_gone()) due_ms = std::min(due_ms, device.special->gone_ms);
  if (due_ms == kNever || device.behind == Behind::gone) return wheel_.cancel(handle);
  wheel_.schedule(handle, due_ms);
}

// ---- the devices ----

PresenceEngine::Handle PresenceEngine::find(const model::Topic& topic) const {
  const auto known = handles_.find(topic);
  return known == handles_.end() ? kNone : known->second;
}

PresenceEngine::Handle PresenceEngine::find_or_add(const model::Topic& topic) {
  const auto [entry, added] = handles_.try_emplace(topic, static_cast<Handle>(devices_.size()));
  if (!added) return entry->second;
  if (free_.empty()) {
    devices_.emplace_back();
  } else {
    entry->second = free_.back();
    free_.pop_back();
  }
  devices_[entry->second].topic = &entry->first;
  return entry->second;
}

void PresenceEngine::forget(Handle handle) {
  MS_DCHECK(!devices_[handle].special);
  wheel_.cancel(handle);
  handles_.erase(*devices_[handle].topic);
  devices_[handle] = Device{};
  free_.push_back(handle);
}

PresenceEngine::Special& PresenceEngine::special_of(Handle handle) {
  std::unique_ptr<Special>& special = devices_[handle].special;
  if (!special) special = std::make_unique<Special>();
  return *special;
}

void PresenceEngine::drop_special_if_plain(Handle handle) {
  std::unique_ptr<Special>& special = devices_[handle].special;
  if (special && !special->registered && special->children.empty() && special->gone_ms == 0) special.reset();
}

void PresenceEngine::resume(int64_t from_ms, int64_t now_ms) {
  const bool away = now_ms > from_ms;
  const bool anew = away || !(active_ == configured_);
  active_ = configured_;
  for (Device& device : devices_) {
    if (device.topic == nullptr || !anew) continue;
    if (away) device.rhythm.pause();
    if (device.status != Presence::offline) device.silent_since_ms = now_ms;
    if (!device.has_gone()) continue;
    device.special->gone_ms = now_ms + device.special->lengths.offline_delay_ms.value_or(active_.offline_delay_ms);
  }
  if (known_) put_in_force(*std::exchange(known_, std::nullopt), now_ms);
  for (Handle handle = 0; handle < devices_.size(); ++handle) {
    if (devices_[handle].topic != nullptr) schedule(handle);
  }
}

}  // namespace millstream::presence
