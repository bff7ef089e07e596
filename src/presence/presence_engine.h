// presence/presence_engine.h: online, stale or offline, per device.
//
// Flow     an engine over the log: telemetry keeps a device alive; silence makes it stale, then offline. Whoever sees
//          its connection may say more, as a system event of kind "presence_report": it is online, or it has gone.
//          People say how long a silence may be, and which gateway a device speaks through (device_saved).
// Shapes   unknown -> online (first data) -> stale -> offline (reason "timeout", or that of a report); any fresh data
// ->
//          online (reason "data"). Registered and never heard -> offline (reason "never_seen"). Each transition is one
//          device_status event with ts = the moment it became true (the deadline itself for timeouts).
// Lengths  as the device's settings say, else from its learned rhythm, else as configured: device_lengths.h.
// Rules    Liveness uses receive time. A point, or a report, whose ts is older than the device's offline length is
//          history: it neither revives nor keeps alive. Nor does a report of being online that a broker had retained:
//          nobody knows when it was said. A report of being offline takes effect after offline_delay, unless data or a
//          report of being online come before; that a device is offline that is not known to be alive says nothing new.
//          Silence while the server was down is not the device's: resume() moves every deadline to full length from
//          now. A state from load() keeps the lengths and settings it was made with until resume(), so that re-stepping
//          the log after a crash repeats history even when the configuration has changed since.
//          When data arrives in the very millisecond of a deadline, the timeout is drawn first and the data revives.
// Gateways When a gateway goes offline, so do the devices behind it: one event, the gateway's, which says how many
//          (devices); theirs are told by whoever shows them (history/latest_values.h). A device's silence counts only
//          once its gateway was heard after the deadline, or is away itself: so a gateway that drops is not told first
//          as that of those behind it. Back, they have a full length; each tells of itself with its first data, which
//          may come while the gateway is away, by another way. A gateway that was never heard hides nobody. One level:
//          of a gateway's own gateway nothing is concluded for those behind it.
// Limits   an offline device without settings is forgotten after learn_max (at once when nothing is learned).
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "codec/device_settings_json.h"
#include "model/alert.h"
#include "model/engine.h"
#include "presence/device_lengths.h"
#include "presence/rhythm.h"
#include "presence/timing_wheel.h"

namespace millstream::presence {

class PresenceEngine final : public model::Engine {
 public:
  // What is configured elsewhere, put in force by the first resume(): every registered device has an entry in `known`.
  explicit PresenceEngine(PresenceOptions options, model::SettingsByDevice known = {});
  // As it is now: put in force by the next resume().
  void configure(model::SettingsByDevice known) { known_ = std::move(known); }

  std::string_view name() const override { return "presence"; }
  void step(const model::Event& event, int64_t now_ms, model::Conclusions& out) override;
  void advance(int64_t now_ms, model::Conclusions& out) override;
  void resume(int64_t from_ms, int64_t now_ms) override;
  // Version 2. A state of version 1 knows no rhythms and is refused: it is made again from the log.
  void save_to(model::StateWriter& out) const override;
  Status load(std::string_view state) override;

  // For benches: what one more device takes, apart from what its names take on the heap.
  static size_t bytes_per_device();

 private:
  using Handle = TimingWheel::Handle;
  static constexpr Handle kNone = 0xffffffff;

  // How a device stands to a gateway that has gone.
  enum class Behind : uint8_t {
    nothing,  // its status is its own
    gone,     // the gateway is away: no deadline runs
    back,     // it is here again, and this device was not heard since
  };

  // Of the few that are registered, are or have a gateway, or of which something was just reported.
  struct Special {
    bool registered = false;
    bool some_wait = false;  // children whose silence counts once this is heard
    LengthSettings lengths;
    Handle parent = kNone;
    std::vector<Handle> children;
    int64_t gone_ms = 0;      // a report of being offline takes effect then; 0: there is none
    std::string gone_reason;  // of that report
  };
  struct Device {
    const model::Topic* topic = nullptr;  // the key in handles_; none: a free place
    std::unique_ptr<Special> special;
    int64_t last_seen_ms = 0;     // 0: never
    int64_t silent_since_ms = 0;  // what deadlines count from: last_seen_ms, or later
    Rhythm rhythm;
    model::Presence status = model::Presence::unknown;
    Behind behind = Behind::nothing;
    bool waits = false;  // for a sign of its gateway; no timer runs

    bool is_alive() const { return status == model::Presence::online || status == model::Presence::stale; }
    bool is_registered() const { return special && special->registered; }
    bool is_gateway() const { return special && !special->children.empty(); }
    bool has_gone() const { return special && special->gone_ms != 0; }
  };

  // presence_engine.cc: what happens, and the deadlines
  void take_report(const model::PresenceReport& report, const model::Event& event, int64_t now_ms,
                   model::Conclusions& out);
  void take_command(const codec::DeviceCommand& command, const model::Topic& topic, int64_t now_ms);
  void revive(Handle handle, std::string_view reason, int64_t now_ms, model::Conclusions& out);
  void leave(Handle handle, std::string_view reason, int64_t now_ms, model::Conclusions& out);
  void go_offline(Handle handle, std::string_view reason, int64_t now_ms, model::Conclusions& out);
  void expire(Handle handle, int64_t now_ms, model::Conclusions& out);
  bool defers_to_gateway(Handle handle, int64_t now_ms);
  void tell(Device& device, std::string_view reason, size_t devices, int64_t ts_ms, model::Conclusions& out) const;
  bool is_history(const Device* device, const model::Event& event, int64_t now_ms) const;
  Lengths lengths_of(const Device& device) const;
  int64_t deadline_of(const Device& device) const;
  void schedule(Handle handle);
  Handle find(const model::Topic& topic) const;
  Handle find_or_add(const model::Topic& topic);
  void forget(Handle handle);
  Special& special_of(Handle handle);
  void drop_special_if_plain(Handle handle);

  // gateways.cc: settings, and those behind a gateway
  void put_in_force(const model::SettingsByDevice& known, int64_t now_ms);
  void save_settings(const model::Topic& topic, const model::DeviceSettings& settings, int64_t now_ms);
  void unregister(Handle handle, int64_t now_ms);
  void set_parent(Handle child, Handle parent, int64_t now_ms);
  size_t hide_children(Handle gateway);
  size_t release_children(Handle gateway, int64_t now_ms);
  void release(Handle child, int64_t now_ms);
  void wake_children(Handle gateway, int64_t now_ms);

  // saved_state.cc
  void save_device(const Device& device, model::StateWriter& out) const;
  bool load_device(model::StateReader& in, std::vector<std::pair<Handle, model::Topic>>& parents);
  void link_parents(const std::vector<std::pair<Handle, model::Topic>>& parents);

  const PresenceOptions configured_;
  std::optional<model::SettingsByDevice> known_;  // until they are in force
  PresenceOptions active_;                        // configured_, or what a loaded state was made with
  std::vector<Device> devices_;                   // by timer handle
  std::vector<Handle> free_;
  std::unordered_map<model::Topic, Handle> handles_;
  TimingWheel wheel_;
};

}  // namespace millstream::presence
