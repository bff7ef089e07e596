// history/latest_values.h: what is true now: the newest value of every field of every device, its status, open alerts.
//
// Flow     an engine over the log that concludes nothing; api/ reads it for snapshots, /api/latest and /api/devices.
// Rules    A device behind a gateway that has gone since it was last told alive is shown offline, for the reason
//          "gateway": nobody tells of each of them (presence/presence_engine.h). A deleted device is not shown until it
//          speaks again.
// Limits   devices without any event for retention_ms are forgotten, and so are open alerts that were published (an
//          engine's are not: it resolves them itself); devices_max devices (default 1 000 000).
// Thread   any: engine calls come from the engine thread, reads from reader threads (locks inside, but for
//          device_count()).
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/guarded.h"
#include "model/alert.h"
#include "model/engine.h"
#include "model/event.h"

namespace millstream::history {

// Of one account. Published alerts are open until whoever published them resolves them, and each may be 32 KiB.
inline constexpr size_t kPublishedAlertsMax = 1000;

struct LatestField {
  model::FieldValue value;
  int64_t ts_ms = 0;     // event time of this value; an older ts never replaces a newer one
  model::EventId event;  // the event that brought it
};

struct LatestDevice {
  model::Topic topic;
  std::map<std::string, LatestField> fields;  // empty: no telemetry within the retention
  model::Tags tags;
  int64_t ts_ms = 0;           // newest event time among the fields
  int64_t received_at_ms = 0;  // newest receive time
  model::EventId telemetry;    // newest telemetry event; zero: none
  std::optional<model::DeviceStatus> status;
  model::EventId status_event;
};

struct OpenAlert {
  model::Topic topic;
  model::EventId event;  // the newest event of this alert
  int64_t ts_ms = 0;
  bool published = false;  // of another system, not of a rule
  model::Alert alert;
};

struct LatestSnapshot {
  model::EventId as_of;               // every event up to and including this id is in
  std::vector<LatestDevice> devices;  // by topic
  std::vector<OpenAlert> alerts;      // by event id
};

class LatestValues final : public model::Engine {
 public:
  // The gateway a device speaks through, if it has one. Called under the lock.
  using GatewayOf = std::function<std::optional<model::Topic>(const model::Topic& device)>;

  explicit LatestValues(int64_t retention_ms, size_t devices_max = 1'000'000, GatewayOf gateway_of = {});

  std::string_view name() const override { return "latest"; }
  void step(const model::Event& event, int64_t now_ms, model::Conclusions& out) override;
  void advance(int64_t now_ms, model::Conclusions& out) override;
  void resume(int64_t, int64_t) override {}
  void save_to(model::StateWriter& out) const override;
  Status load(std::string_view state) override;

  // Everything that matches any of the patterns (and, within it, `types`: telemetry, device_status, alert).
  LatestSnapshot snapshot(const std::vector<model::TopicPattern>& patterns,
                          model::EventTypes types = model::EventTypes::all()) const;
  // Never waits, so that the I/O loops may ask for it.
  size_t device_count() const { return device_count_.load(std::memory_order_relaxed); }
  // Open alerts of an account that were published. Waits for a few instructions at most.
  size_t published_alerts(const model::AccountId& account) const;

 private:
  void take_telemetry(const model::Event& event);
  void take_status(const model::Event& event);
  void take_alert(const model::Event& event);
  void take_deletion(const model::Event& event);
  void show_behind_gateway(LatestDevice& device) const;
  void count_published(const model::AccountId& account, int change);

  // What is known of a device, and what its last telemetry looked like: the next one mostly looks the same.
  struct Known {
    LatestDevice latest;
    std::vector<std::pair<const std::string, LatestField>*> fields_in_order;  // of latest.fields; nullptr: none yet
    std::string tags_text;  // as JSON, with what stood behind them; taken into latest.tags
  };
  Known* known_of(const model::Topic& topic);
  static void take_fields(const model::Event& event, Known& known);
  static void take_tags(std::string_view data, Known& known);

  mutable std::mutex mu_;
  // guarded by mu_
  std::unordered_map<model::Topic, Known> devices_;
  std::map<std::string, OpenAlert> alerts_;  // by alert_key()
  model::EventId as_of_;
  int64_t next_prune_ms_ = 0;

  std::atomic<size_t> device_count_{0};  // devices_.size(), for those who do not take the lock

  Guarded<std::unordered_map<model::AccountId, size_t>> published_alerts_;  // of alerts_, for the I/O loops

  // constant after construction
  const int64_t retention_ms_;
  const size_t devices_max_;
  const GatewayOf gateway_of_;
};

}  // namespace millstream::history
