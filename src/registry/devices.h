// registry/devices.h: which devices each account has, and where. A device is known from its first point on.
//
// Shapes   accounts, sites and devices are rows of their own, so that one may be described before it speaks.
// Limits   devices_per_account_max, so that one key cannot fill the memory with made-up names.
// Errors   admit(): Code::unprocessable, naming the limit.
// Thread   admit, counts: any, without waiting for the disk. The rest blocks.
#pragma once

#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "model/topic.h"
#include "registry/database.h"

namespace millstream::registry {

struct DeviceOptions {
  size_t devices_per_account_max = 100'000;
};

struct DeviceRecord {
  model::Topic topic;
  int64_t created_at_ms = 0;
};

class Devices {
 public:
  Devices(DeviceOptions options, SharedDatabase& database) : options_(options), database_(database) {}

  // Notes a device that is not known yet, if its account may have another. Written with the next refresh: one that a
  // crash forgets is noted again with its next point.
  Status admit(const model::Topic& device, int64_t now_ms);
  size_t count() const;
  bool has_unwritten() const;

  Result<std::vector<DeviceRecord>> list() const;  // by account, site, device
  Status remove(const model::Topic& device);       // Code::not_found; makes room for another

  // For Registry, which holds the lock.
  Status reload(Database& db);
  Status write_new(Connection& db, AfterCommit& after);

 private:
  const DeviceOptions options_;
  SharedDatabase& database_;

  mutable std::shared_mutex mu_;
  std::unordered_set<model::Topic> known_;                         // guarded by mu_
  std::unordered_map<model::AccountId, size_t> count_of_account_;  // guarded by mu_
  std::vector<DeviceRecord> unwritten_;                            // guarded by mu_
};

}  // namespace millstream::registry
