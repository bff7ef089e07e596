// The presence engine's state as text.
#include <utility>

#include "model/state_text.h"
#include "presence/presence_engine.h"

namespace millstream::presence {
namespace {

using model::Presence;

constexpr int64_t kStateVersion = 2;

Error unreadable() { return Error{Code::corrupt, "presence: the saved state cannot be read"}; }

void save_options(const PresenceOptions& options, model::StateWriter& out) {
  out.number(options.stale_after_ms).number(options.offline_after_ms).number(options.offline_delay_ms);
  out.number(options.learn).number(options.learn_stale_factor).number(options.learn_offline_factor);
  out.number(options.learn_max_ms);
}

bool load_options(model::StateReader& in, PresenceOptions& options) {
  options.stale_after_ms = in.number();
  options.offline_after_ms = in.number();
  options.offline_delay_ms = in.number();
  options.learn = in.number() != 0;
  options.learn_stale_factor = in.number();
  options.learn_offline_factor = in.number();
  options.learn_max_ms = in.number();
  return in.ok() && 0 < options.stale_after_ms && options.stale_after_ms < options.offline_after_ms &&
         0 < options.learn_stale_factor && options.learn_stale_factor < options.learn_offline_factor;
}

void save_lengths(const LengthSettings& lengths, model::StateWriter& out) {
  out.number(lengths.interval_ms).number(lengths.stale_after_ms).number(lengths.offline_after_ms);
  out.number(lengths.offline_delay_ms.value_or(-1));
}

void load_lengths(model::StateReader& in, LengthSettings& lengths) {
  lengths.interval_ms = in.number();
  lengths.stale_after_ms = in.number();
  lengths.offline_after_ms = in.number();
  const int64_t delay_ms = in.number();
  if (delay_ms >= 0) lengths.offline_delay_ms = delay_ms;
}

}  // namespace

void PresenceEngine::save_to(model::StateWriter& out) const {
  out.number(kStateVersion).number(wheel_.now_ms());
  save_options(active_, out);
  out.number(handles_.size());
  for (const Device& device : devices_) {
    if (device.topic != nullptr) save_device(device, out);
  }
}

void PresenceEngine::save_device(const Device& device, model::StateWriter& out) const {
  out.text(device.topic->text()).number(static_cast<int>(device.status)).number(static_cast<int>(device.behind));
  out.number(device.last_seen_ms).number(device.silent_since_ms);
  device.rhythm.save(out);
  out.number(device.special != nullptr);
  if (!device.special) return;
  const Special& special = *device.special;
  out.number(special.registered);
  save_lengths(special.lengths, out);
  out.text(special.parent == kNone ? std::string() : devices_[special.parent].topic->device.text());
  out.number(special.gone_ms).text(special.gone_reason);
}

Status PresenceEngine::load(std::string_view state) {
  model::StateReader in(state);
  if (in.number() != kStateVersion) return unreadable();
  const int64_t now_ms = in.number();
  PresenceEngine loaded(configured_);
  if (!load_options(in, loaded.active_)) return unreadable();
  loaded.wheel_.advance(now_ms, [](int64_t, std::vector<Handle>&) {});
  std::vector<std::pair<Handle, model::Topic>> parents;
  const int64_t count = in.number();
  for (int64_t i = 0; i < count && in.ok(); ++i) {
    if (!loaded.load_device(in, parents)) return unreadable();
  }
  if (!in.at_end()) return unreadable();
  loaded.link_parents(parents);
  active_ = loaded.active_;
  devices_ = std::move(loaded.devices_);
  free_.clear();
  handles_ = std::move(loaded.handles_);
  wheel_ = std::move(loaded.wheel_);
  return {};
}

bool PresenceEngine::load_device(model::StateReader& in, std::vector<std::pair<Handle, model::Topic>>& parents) {
  const Result<model::Topic> topic = model::Topic::parse(in.text());
  const int64_t status = in.number(), behind = in.number();
  if (!topic || !topic->is_device() || find(*topic) != kNone) return false;
  if (status < 0 || status > static_cast<int>(Presence::offline)) return false;
  if (behind < 0 || behind > static_cast<int>(Behind::back)) return false;
  const Handle handle = find_or_add(*topic);
  Device& device = devices_[handle];
  device.status = static_cast<Presence>(status);
  device.behind = static_cast<Behind>(behind);
  device.last_seen_ms = in.number();
  device.silent_since_ms = in.number();
  device.rhythm.load(in);
  if (in.number() != 0) {
    Special& special = special_of(handle);
    special.registered = in.number() != 0;
    load_lengths(in, special.lengths);
    const std::string_view parent = in.text();
    special.gone_ms = in.number();
    special.gone_reason = in.text();
    if (!parent.empty()) {
      Result<model::DeviceId> id = model::DeviceId::parse(parent);
      if (!id) return false;
      parents.emplace_back(handle, model::Topic{topic->account, topic->site, std::move(*id)});
    }
  }
  return in.ok();
}

void PresenceEngine::link_parents(const std::vector<std::pair<Handle, model::Topic>>& parents) {
  for (const auto& [child, topic] : parents) {
    const Handle parent = find_or_add(topic);
    devices_[child].special->parent = parent;
    special_of(parent).children.push_back(child);
  }
  // Those that waited for their gateway find it as it was, and wait again.
  for (Handle handle = 0; handle < devices_.size(); ++handle) schedule(handle);
}

}  // namespace millstream::presence
