// registry/devices.h: which devices each account has, and where; and what people say of them. A device is known from
// its first point on, or from when its settings are saved.
//
// Flow     save() and remove() write, then `announce` what was done, so that the engines hear of it; what cannot be
//          announced is taken back. They take turns: the order of the announcements is that of the changes.
// Shapes   accounts, sites and devices are rows of their own. Settings are JSON (codec/device_settings_json.h); a
// device
//          that nobody described has none.
// Limits   devices_per_account_max, so that one key cannot fill the memory with made-up names.
//          What other servers have seen counts within a minute.
// Errors   Code::unprocessable, naming the limit, or saying why a gateway cannot be one.
// Thread   admit, counts, what is asked of settings: any, without waiting for the disk. The rest blocks.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/device_settings.h"
#include "model/topic.h"
#include "registry/database.h"

namespace millstream::registry {

struct DeviceOptions {
  size_t devices_per_account_max = 100'000;
};

struct DeviceRecord {
  model::Topic topic;
  int64_t created_at_ms = 0;
  std::optional<model::DeviceSettings> settings = {};
};

class Devices {
 public:
  using SettingsPtr = std::shared_ptr<const model::DeviceSettings>;
  using Announce = std::function<Status()>;

  Devices(DeviceOptions options, SharedDatabase& database) : options_(options), database_(database) {}

  // Notes a device that is not known yet, if its account may have another. Written with the next refresh: one that a
  // crash forgets is noted again with its next point.
  Status admit(const model::Topic& device, int64_t now_ms);
  size_t count() const;
  bool has_unwritten() const;

  SettingsPtr settings_of(const model::Topic& device) const;  // null: nobody described it
  std::optional<model::Topic> gateway_of(const model::Topic& device) const;
  model::SettingsByDevice settings() const;  // of all that were described
  std::vector<model::Topic> described(const model::AccountId& account) const;
  std::vector<model::Topic> named(const model::AccountId& account, const model::DeviceId& device) const;  // by site

  Result<std::vector<DeviceRecord>> list() const;  // by account, site, device
  // Makes the device known if it is not. A gateway has none itself.
  Status save(const model::Topic& device, const model::DeviceSettings& settings, int64_t now_ms,
              const Announce& announce);
  // Code::not_found; makes room for another.
  Status remove(const model::Topic& device, const Announce& announce = {});

  // For Registry, which holds the lock.
  Status reload(Database& db);
  Status write_new(Connection& db, AfterCommit& after);

 private:
  // In memory: everything that is known.
  struct Known {
    std::unordered_set<model::Topic> devices;
    std::unordered_map<model::AccountId, size_t> count_of_account;
    std::unordered_map<model::Topic, SettingsPtr> settings;
    std::unordered_map<model::Topic, size_t> children;  // of gateways

    void add(const model::Topic& device);
    void drop(const model::Topic& device);
    void set(const model::Topic& device, SettingsPtr now);  // null: none
    void count_child(const model::Topic& device, const model::DeviceSettings& settings, int change);
  };

  Status take_place(const model::Topic& device);
  Status check_parent(const model::Topic& device, const model::DeviceSettings& settings) const;
  Status write(const DeviceRecord& record);
  Result<std::optional<DeviceRecord>> read(const model::Topic& device);
  Status erase(const model::Topic& device);
  void take_back(const model::Topic& device, const std::optional<DeviceRecord>& before);

  const DeviceOptions options_;
  SharedDatabase& database_;
  std::mutex changes_mu_;  // taken before any other

  mutable std::shared_mutex mu_;
  Known known_;                          // guarded by mu_
  std::vector<DeviceRecord> unwritten_;  // guarded by mu_
};

}  // namespace millstream::registry
