// What people say of devices, and those that speak through a gateway.
#include <algorithm>

#include "presence/presence_engine.h"

namespace millstream::presence {

using model::Presence;

void PresenceEngine::put_in_force(const model::SettingsByDevice& known, int64_t now_ms) {
  std::vector<Handle> dropped;
  for (const auto& [topic, handle] : handles_) {
    if (devices_[handle].is_registered() && !known.contains(topic)) dropped.push_back(handle);
  }
  for (const Handle handle : dropped) unregister(handle, now_ms);
  for (const auto& [topic, settings] : known) save_settings(topic, settings, now_ms);
}

void PresenceEngine::save_settings(const model::Topic& topic, const model::DeviceSettings& settings, int64_t now_ms) {
  const Handle handle = find_or_add(topic);
  Special& special = special_of(handle);
  if (!special.registered && devices_[handle].status == Presence::unknown) devices_[handle].silent_since_ms = now_ms;
  special.registered = true;
  special.lengths = LengthSettings::of(settings);
  const bool has_parent = !settings.parent.empty();
  set_parent(handle, has_parent ? find_or_add({topic.account, topic.site, settings.parent}) : kNone, now_ms);
  schedule(handle);
}

// What was heard of it stays known.
void PresenceEngine::unregister(Handle handle, int64_t now_ms) {
  set_parent(handle, kNone, now_ms);
  if (Special* special = devices_[handle].special.get()) {
    special->registered = false;
    special->lengths = {};
  }
  drop_special_if_plain(handle);
  if (devices_[handle].status == Presence::unknown && !devices_[handle].special) return forget(handle);
  schedule(handle);
}

void PresenceEngine::set_parent(Handle child, Handle parent, int64_t now_ms) {
  const Handle before = devices_[child].special ? devices_[child].special->parent : kNone;
  if (before == parent) return;
  if (before != kNone) {
    std::erase(devices_[before].special->children, child);
    release(child, now_ms);
    drop_special_if_plain(before);
    if (devices_[before].status == Presence::unknown && !devices_[before].special) {
      forget(before);
    } else {
      schedule(before);  // as it is forgotten in time now
    }
  }
  special_of(child).parent = parent;
  if (parent != kNone) special_of(parent).children.push_back(child);
}

// Gives back how many went with it: those that were shown alive.
size_t PresenceEngine::hide_children(Handle gateway) {
  if (!devices_[gateway].is_gateway()) return 0;
  size_t hidden = 0;
  devices_[gateway].special->some_wait = false;
  for (const Handle child : devices_[gateway].special->children) {
    Device& device = devices_[child];
    if (device.status == Presence::offline) continue;
    hidden += device.is_alive() ? 1 : 0;
    device.behind = Behind::gone;
    device.special->gone_ms = 0;
    device.rhythm.pause();
    schedule(child);
  }
  return hidden;
}

size_t PresenceEngine::release_children(Handle gateway, int64_t now_ms) {
  if (!devices_[gateway].is_gateway()) return 0;
  size_t released = 0;
  for (const Handle child : devices_[gateway].special->children) {
    released += devices_[child].behind == Behind::gone && devices_[child].is_alive() ? 1 : 0;
    release(child, now_ms);
  }
  return released;
}

void PresenceEngine::release(Handle child, int64_t now_ms) {
  Device& device = devices_[child];
  if (device.behind != Behind::gone) {
    if (device.waits) schedule(child);
    return;
  }
  device.behind = device.is_alive() ? Behind::back : Behind::nothing;
  device.silent_since_ms = now_ms;
  schedule(child);
}

void PresenceEngine::wake_children(Handle gateway, int64_t now_ms) {
  Special& special = *devices_[gateway].special;
  if (!special.some_wait) return;
  special.some_wait = false;
  for (const Handle child : special.children) {
    if (!devices_[child].waits) continue;
    devices_[child].waits = false;
    wheel_.schedule(child, now_ms);
  }
}

}  // namespace millstream::presence
