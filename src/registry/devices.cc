#include "registry/devices.h"

#include <algorithm>
#include <iterator>
#include <mutex>

#include "base/log_line.h"
#include "codec/device_settings_json.h"

namespace millstream::registry {
namespace {

// Of new ones in one transaction, so that others who write do not wait for a whole fleet.
constexpr size_t kWrittenAtOnceMax = 1'000;
constexpr const char* kSelect =
    "SELECT account, site, device, created_at_ms, settings FROM devices ORDER BY account, site, device";
constexpr const char* kSelectOne =
    "SELECT account, site, device, created_at_ms, settings FROM devices "
    "WHERE account = $1 AND site = $2 AND device = $3";

Result<DeviceRecord> read_row(const Statement& row) {
  Result<model::AccountId> account = model::AccountId::parse(row.bytes(0));
  Result<model::SiteId> site = model::SiteId::parse(row.bytes(1));
  Result<model::DeviceId> device = model::DeviceId::parse(row.bytes(2));
  if (!account || !site || !device) return Error{Code::corrupt, "registry: a device without a proper name"};
  DeviceRecord record{{std::move(*account), std::move(*site), std::move(*device)}, row.number(3)};
  const std::string json = row.bytes(4);
  if (json.empty()) return record;
  Result<model::DeviceSettings> settings = codec::parse_device_settings(json, record.topic.device);
  if (!settings) return Error{Code::corrupt, "registry: " + record.topic.text() + ": " + settings.error().detail};
  record.settings = std::move(*settings);
  return record;
}

Statement& bind_topic(Statement& statement, const model::Topic& topic) {
  return statement.bind(topic.account.text()).bind(topic.site.text()).bind(topic.device.text());
}

// `first_level`: 0 with its account and site, 2 when they are there.
Status insert(Connection& db, const DeviceRecord& record, size_t first_level = 0) {
  const model::Topic& topic = record.topic;
  const std::string* const names[] = {&topic.account.text(), &topic.site.text(), &topic.device.text()};
  constexpr const char* statements[] = {
      "INSERT INTO accounts (account, created_at_ms) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      "INSERT INTO sites (account, site, created_at_ms) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
      "INSERT INTO devices (account, site, device, created_at_ms) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"};
  for (size_t level = first_level; level < std::size(statements); ++level) {
    Result<Statement> statement = db.prepare(statements[level]);
    if (!statement) return statement.error();
    for (size_t i = 0; i <= level; ++i) statement->bind(std::string_view(*names[i]));
    if (Status s = statement->bind(record.created_at_ms).finish(); !s) return s;
  }
  return {};
}

Status update_settings(Connection& db, const DeviceRecord& record) {
  if (!record.settings) {
    Result<Statement> clear =
        db.prepare("UPDATE devices SET settings = NULL WHERE account = $1 AND site = $2 AND device = $3");
    return clear ? bind_topic(*clear, record.topic).finish() : Status(clear.error());
  }
  Result<Statement> update =
      db.prepare("UPDATE devices SET settings = $1 WHERE account = $2 AND site = $3 AND device = $4");
  if (!update) return update.error();
  update->bind(codec::encode_device_settings(*record.settings));
  return bind_topic(*update, record.topic).finish();
}

model::Topic parent_topic(const model::Topic& device, const model::DeviceSettings& settings) {
  return {device.account, device.site, settings.parent};
}

Devices::SettingsPtr shared(const std::optional<model::DeviceSettings>& settings) {
  return settings ? std::make_shared<const model::DeviceSettings>(*settings) : nullptr;
}

}  // namespace

// ---- in memory ----

void Devices::Known::add(const model::Topic& device) {
  if (devices.insert(device).second) ++count_of_account[device.account];
}

void Devices::Known::drop(const model::Topic& device) {
  set(device, nullptr);
  if (devices.erase(device) > 0) --count_of_account[device.account];
}

void Devices::Known::set(const model::Topic& device, SettingsPtr now) {
  const auto before = settings.find(device);
  if (before != settings.end()) {
    count_child(device, *before->second, -1);
    settings.erase(before);
  }
  if (!now) return;
  count_child(device, *now, 1);
  settings.emplace(device, std::move(now));
}

void Devices::Known::count_child(const model::Topic& device, const model::DeviceSettings& of, int change) {
  if (of.parent.empty()) return;
  const auto entry = children.try_emplace(parent_topic(device, of)).first;
  entry->second += static_cast<size_t>(change);
  if (entry->second == 0) children.erase(entry);
}

Status Devices::admit(const model::Topic& device, int64_t now_ms) {
  {
    const std::shared_lock lock(mu_);
    if (known_.devices.contains(device)) return {};
  }
  const std::unique_lock lock(mu_);
  if (known_.devices.contains(device)) return {};
  if (Status s = take_place(device); !s) return s;
  unwritten_.push_back({device, now_ms});
  return {};
}

// Under mu_.
Status Devices::take_place(const model::Topic& device) {
  const size_t count = known_.count_of_account[device.account];
  if (!known_.devices.contains(device) && count >= options_.devices_per_account_max) {
    return Error{Code::unprocessable, "device: the account has " + std::to_string(count) +
                                          " devices, which is its limit (ingest.devices_per_account_max)"};
  }
  known_.add(device);
  return {};
}

size_t Devices::count() const {
  const std::shared_lock lock(mu_);
  return known_.devices.size();
}

bool Devices::has_unwritten() const {
  const std::shared_lock lock(mu_);
  return !unwritten_.empty();
}

Devices::SettingsPtr Devices::settings_of(const model::Topic& device) const {
  const std::shared_lock lock(mu_);
  const auto found = known_.settings.find(device);
  return found == known_.settings.end() ? nullptr : found->second;
}

std::optional<model::Topic> Devices::gateway_of(const model::Topic& device) const {
  const std::shared_lock lock(mu_);
  if (known_.children.empty()) return std::nullopt;
  const auto found = known_.settings.find(device);
  if (found == known_.settings.end() || found->second->parent.empty()) return std::nullopt;
  return parent_topic(device, *found->second);
}

model::SettingsByDevice Devices::settings() const {
  const std::shared_lock lock(mu_);
  model::SettingsByDevice all;
  for (const auto& [topic, settings] : known_.settings) all.emplace(topic, *settings);
  return all;
}

std::vector<model::Topic> Devices::described(const model::AccountId& account) const {
  const std::shared_lock lock(mu_);
  std::vector<model::Topic> found;
  for (const auto& [topic, settings] : known_.settings) {
    if (topic.account == account) found.push_back(topic);
  }
  return found;
}

std::vector<model::Topic> Devices::named(const model::AccountId& account, const model::DeviceId& device) const {
  std::vector<model::Topic> found;
  {
    const std::shared_lock lock(mu_);
    std::copy_if(known_.devices.begin(), known_.devices.end(), std::back_inserter(found),
                 [&](const model::Topic& topic) { return topic.device == device && topic.account == account; });
  }
  std::sort(found.begin(), found.end());
  return found;
}

// ---- on disk ----

Result<std::vector<DeviceRecord>> Devices::list() const {
  return database_.with([](Database& db) { return read_rows<DeviceRecord>(*db.connection, kSelect, read_row); });
}

Status Devices::check_parent(const model::Topic& device, const model::DeviceSettings& settings) const {
  if (settings.parent.empty()) return {};
  const std::string& parent = settings.parent.text();
  if (gateway_of(parent_topic(device, settings))) {
    return Error{Code::unprocessable, "parent: " + parent + " has a gateway itself, and there is one level of them"};
  }
  const std::shared_lock lock(mu_);
  if (!known_.children.contains(device)) return {};
  return Error{Code::unprocessable, "parent: " + device.device.text() + " is a gateway, which has none itself"};
}

Status Devices::write(const DeviceRecord& record) {
  return database_.with([&](Database& db) {
    return db.connection->in_transaction([&]() -> Status {
      if (Status s = insert(*db.connection, record); !s) return s;
      return update_settings(*db.connection, record);
    });
  });
}

Result<std::optional<DeviceRecord>> Devices::read(const model::Topic& device) {
  return database_.with([&](Database& db) -> Result<std::optional<DeviceRecord>> {
    Result<Statement> row = db.connection->prepare(kSelectOne);
    if (!row) return row.error();
    const Result<bool> there = bind_topic(*row, device).step();
    if (!there) return there.error();
    if (!*there) return std::optional<DeviceRecord>();
    Result<DeviceRecord> record = read_row(*row);
    if (!record) return record.error();
    return std::optional(std::move(*record));
  });
}

Status Devices::erase(const model::Topic& device) {
  return database_.with([&](Database& db) -> Status {
    {
      const std::unique_lock lock(mu_);  // within the database's: write_new() counts on its order
      std::erase_if(unwritten_, [&](const DeviceRecord& record) { return record.topic == device; });
    }
    Result<Statement> remove =
        db.connection->prepare("DELETE FROM devices WHERE account = $1 AND site = $2 AND device = $3");
    if (!remove) return remove.error();
    return bind_topic(*remove, device).finish();
  });
}

Status Devices::save(const model::Topic& device, const model::DeviceSettings& settings, int64_t now_ms,
                     const Announce& announce) {
  const std::lock_guard changing(changes_mu_);
  if (Status s = check_parent(device, settings); !s) return s;
  const Result<std::optional<DeviceRecord>> before = read(device);
  if (!before) return before.error();
  {
    const std::unique_lock lock(mu_);
    if (Status s = take_place(device); !s) return s;
  }
  Status saved = write({device, now_ms, settings});
  if (saved && announce) saved = announce();
  if (!saved) {
    take_back(device, *before);
    return saved;
  }
  const std::unique_lock lock(mu_);
  known_.add(device);
  known_.set(device, shared(settings));
  return {};
}

Status Devices::remove(const model::Topic& device, const Announce& announce) {
  const std::lock_guard changing(changes_mu_);
  const Result<std::optional<DeviceRecord>> before = read(device);
  if (!before) return before.error();
  {
    const std::shared_lock lock(mu_);
    if (!*before && !known_.devices.contains(device)) {
      return Error{Code::not_found, "no device is called " + device.device.text()};
    }
  }
  Status removed = erase(device);
  if (removed && announce) removed = announce();
  if (!removed) {
    take_back(device, *before);
    return removed;
  }
  const std::unique_lock lock(mu_);
  known_.drop(device);
  return {};
}

// Also in memory, where a refresh may have brought the change meanwhile. A device that was only noted is noted again
// with its next point.
void Devices::take_back(const model::Topic& device, const std::optional<DeviceRecord>& before) {
  if (const Status back = before ? write(*before) : erase(device); !back) {
    log_error("a device's settings could not be set back to what the engines know; they are in force after a restart",
              {{"device", device.text()}, {"reason", back.error().detail}});
  }
  const std::unique_lock lock(mu_);
  before ? known_.add(device) : known_.drop(device);
  known_.set(device, before ? shared(before->settings) : nullptr);
}

Status Devices::reload(Database& db) {
  Result<std::vector<DeviceRecord>> records = read_rows<DeviceRecord>(*db.connection, kSelect, read_row);
  if (!records) return records.error();
  // Made aside: admit() runs on I/O threads, which wait for a swap and no longer.
  Known known;
  known.devices.reserve(records->size());
  for (const DeviceRecord& record : *records) {
    known.add(record.topic);
    if (record.settings) known.set(record.topic, shared(record.settings));
  }
  const std::unique_lock lock(mu_);
  for (const DeviceRecord& record : unwritten_) known.add(record.topic);
  std::swap(known_, known);
  return {};
}

Status Devices::write_new(Connection& db, AfterCommit& after) {
  std::vector<DeviceRecord> fresh;
  {
    const std::shared_lock lock(mu_);
    const size_t count = std::min(unwritten_.size(), kWrittenAtOnceMax);
    fresh.assign(unwritten_.begin(), unwritten_.begin() + static_cast<ptrdiff_t>(count));
  }
  const DeviceRecord* before = nullptr;
  for (const DeviceRecord& record : fresh) {
    const bool same_site =
        before && before->topic.account == record.topic.account && before->topic.site == record.topic.site;
    if (Status s = insert(db, record, same_site ? 2 : 0); !s) return s;
    before = &record;
  }
  after.push_back([this, count = static_cast<ptrdiff_t>(fresh.size())] {
    const std::unique_lock lock(mu_);
    unwritten_.erase(unwritten_.begin(), unwritten_.begin() + count);
  });
  return {};
}

}  // namespace millstream::registry
