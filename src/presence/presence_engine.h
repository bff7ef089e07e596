// presence/presence_engine.h: online, stale or offline, per device.
//
// Flow     an engine over the log: telemetry keeps a device alive; silence makes it stale, then offline. Whoever sees
// its
//          connection may say more, as a system event of kind "presence_report": it is online, or it has gone.
// Shapes   unknown -> online (first data) -> stale (stale_after) -> offline (offline_after, reason "timeout");
//          any data -> online (reason "data"). A report -> online, or at once offline, for the reason it gives; that a
//          device is offline that is not known to be alive says nothing new. Liveness uses receive time (event.id.ms);
//          a point whose ts is older than offline_after is history and does not revive. Each transition is one
//          device_status event with ts = the moment it became true (the deadline itself for timeouts).
// Rules    Silence while the server was down is not the device's: resume() moves every deadline to full length from
// now.
//          A state from load() keeps the lengths it was made with until resume(), so that re-stepping the log after a
//          crash repeats history even when the configuration has changed since.
//          When data arrives in the very millisecond of a deadline, the timeout is drawn first and the data revives.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/alert.h"
#include "model/engine.h"
#include "presence/timing_wheel.h"

namespace millstream::presence {

struct PresenceOptions {
  int64_t stale_after_ms = 15'000;
  int64_t offline_after_ms = 60'000;  // above stale_after_ms
};

class PresenceEngine final : public model::Engine {
 public:
  explicit PresenceEngine(PresenceOptions options);

  std::string_view name() const override { return "presence"; }
  void step(const model::Event& event, int64_t now_ms, model::Conclusions& out) override;
  void advance(int64_t now_ms, model::Conclusions& out) override;
  void resume(int64_t from_ms, int64_t now_ms) override;
  std::string save() const override;
  Status load(std::string_view state) override;

 private:
  // What is known of a device that is online or stale. Offline ones are forgotten: to this engine a device that has
  // gone offline and one never seen behave the same, so memory follows the living.
  struct Device {
    model::Topic topic;
    model::Presence status = model::Presence::unknown;
    int64_t last_seen_ms = 0;
    int64_t silent_since_ms = 0;  // what deadlines count from: last_seen_ms, or a later resume()
  };
  using Handle = TimingWheel::Handle;

  Handle add(const model::Topic& topic);
  void forget(Handle handle);
  int64_t deadline_ms(const Device& device) const;
  void take_report(const model::Event& event, int64_t now_ms, model::Conclusions& out);
  void revive(const model::Topic& topic, std::string_view reason, int64_t now_ms, model::Conclusions& out);
  void take_offline(const model::Topic& topic, std::string_view reason, int64_t now_ms, model::Conclusions& out);
  void expire(Handle handle, int64_t deadline_ms, model::Conclusions& out);

  const PresenceOptions configured_;
  PresenceOptions active_;       // configured_, or what a loaded state was made with
  std::vector<Device> devices_;  // by timer handle; an empty topic marks a free place
  std::vector<Handle> free_;
  std::unordered_map<model::Topic, Handle> handles_;
  // Data does not move a timer: one that fires early finds the device alive and is set again.
  TimingWheel wheel_;
};

}  // namespace millstream::presence
