#include "registry/devices.h"

#include <algorithm>
#include <iterator>
#include <mutex>

namespace millstream::registry {
namespace {

constexpr const char* kSelect =
    "SELECT account, site, device, created_at_ms FROM devices ORDER BY account, site, device";

Result<DeviceRecord> read_row(const Statement& row) {
  Result<model::AccountId> account = model::AccountId::parse(row.bytes(0));
  Result<model::SiteId> site = model::SiteId::parse(row.bytes(1));
  Result<model::DeviceId> device = model::DeviceId::parse(row.bytes(2));
  if (!account || !site || !device) return Error{Code::corrupt, "registry: a device without a proper name"};
  return DeviceRecord{{std::move(*account), std::move(*site), std::move(*device)}, row.number(3)};
}

Status insert(Connection& db, const DeviceRecord& record) {
  const model::Topic& topic = record.topic;
  const std::string* const names[] = {&topic.account.text(), &topic.site.text(), &topic.device.text()};
  constexpr const char* statements[] = {
      "INSERT INTO accounts (account, created_at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      "INSERT INTO sites (account, site, created_at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
      "INSERT INTO devices (account, site, device, created_at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"};
  for (size_t level = 0; level < std::size(statements); ++level) {
    Result<Statement> statement = db.prepare(statements[level]);
    if (!statement) return statement.error();
    for (size_t i = 0; i <= level; ++i) statement->bind(std::string_view(*names[i]));
    if (Status s = statement->bind(record.created_at_ms).finish(); !s) return s;
  }
  return {};
}

}  // namespace

Status Devices::admit(const model::Topic& device, int64_t now_ms) {
  {
    const std::shared_lock lock(mu_);
    if (known_.contains(device)) return {};
  }
  const std::unique_lock lock(mu_);
  if (known_.contains(device)) return {};
  size_t& count = count_of_account_[device.account];
  if (count >= options_.devices_per_account_max) {
    return Error{Code::unprocessable, "device: the account has " + std::to_string(count) +
                                          " devices, which is its limit (ingest.devices_per_account_max)"};
  }
  ++count;
  known_.insert(device);
  unwritten_.push_back({device, now_ms});
  return {};
}

size_t Devices::count() const {
  const std::shared_lock lock(mu_);
  return known_.size();
}

bool Devices::has_unwritten() const {
  const std::shared_lock lock(mu_);
  return !unwritten_.empty();
}

Result<std::vector<DeviceRecord>> Devices::list() const {
  return database_.with([](Database& db) { return read_rows<DeviceRecord>(db.connection, kSelect, read_row); });
}

Status Devices::remove(const model::Topic& device) {
  return database_.with([&](Database& db) -> Status {
    Result<Statement> remove =
        db.connection.prepare("DELETE FROM devices WHERE account = $1 AND site = $2 AND device = $3");
    if (!remove) return remove.error();
    remove->bind(device.account.text()).bind(device.site.text()).bind(device.device.text());
    if (Status s = remove->finish(); !s) return s;
    if (db.connection.changes() == 0) return Error{Code::not_found, "no device is called " + device.text()};
    return reload(db);
  });
}

Status Devices::reload(Database& db) {
  Result<std::vector<DeviceRecord>> records = read_rows<DeviceRecord>(db.connection, kSelect, read_row);
  if (!records) return records.error();
  // Made aside: admit() runs on I/O threads, which wait for a swap and no longer.
  std::unordered_set<model::Topic> known;
  std::unordered_map<model::AccountId, size_t> counts;
  known.reserve(records->size());
  const auto note = [&](const DeviceRecord& record) {
    if (known.insert(record.topic).second) ++counts[record.topic.account];
  };
  std::for_each(records->begin(), records->end(), note);
  const std::unique_lock lock(mu_);
  std::for_each(unwritten_.begin(), unwritten_.end(), note);
  known_.swap(known);
  count_of_account_.swap(counts);
  return {};
}

Status Devices::write_new(Connection& db, AfterCommit& after) {
  std::vector<DeviceRecord> fresh;
  {
    const std::shared_lock lock(mu_);
    fresh = unwritten_;
  }
  for (const DeviceRecord& record : fresh) {
    if (Status s = insert(db, record); !s) return s;
  }
  after.push_back([this, count = static_cast<ptrdiff_t>(fresh.size())] {
    const std::unique_lock lock(mu_);
    unwritten_.erase(unwritten_.begin(), unwritten_.begin() + count);
  });
  return {};
}

}  // namespace millstream::registry
