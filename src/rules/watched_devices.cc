#include "rules/watched_devices.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace millstream::rules {
namespace {

Error unreadable() { return Error{Code::corrupt, "rules: the saved state cannot be read"}; }

bool worth_saving(const Instance& instance) { return instance.newest_ms != Instance::kNever; }

}  // namespace

bool WatchedDevices::Deadline::operator<(const Deadline& other) const {
  if (ms != other.ms) return ms < other.ms;
  if (const auto order = *device->topic <=> *other.device->topic; order != 0) return order < 0;
  return instance->rule < other.instance->rule;
}

WatchedDevices::Device& WatchedDevices::device(const model::Topic& topic) {
  const auto [entry, added] = devices_.try_emplace(topic);
  if (added) entry->second.topic = &entry->first;
  return entry->second;
}

WatchedDevices::Device* WatchedDevices::find(const model::Topic& topic) {
  const auto found = devices_.find(topic);
  return found == devices_.end() ? nullptr : &found->second;
}

std::vector<Instance>& WatchedDevices::instances(Device& device, uint32_t field_number) {
  const auto place = std::lower_bound(device.fields.begin(), device.fields.end(), field_number,
                                      [](const WatchedField& field, uint32_t n) { return field.number < n; });
  if (place != device.fields.end() && place->number == field_number) return place->instances;
  WatchedField field{field_number, {}};
  for (const uint32_t rule : rules_.watching(field_number, *device.topic)) {
    field.instances.emplace_back().rule = rule;
  }
  return device.fields.insert(place, std::move(field))->instances;
}

std::vector<WatchedDevices::Device*> WatchedDevices::by_topic() {
  std::vector<Device*> devices;
  devices.reserve(devices_.size());
  for (auto& [topic, device] : devices_) devices.push_back(&device);
  std::sort(devices.begin(), devices.end(), [](const Device* a, const Device* b) { return *a->topic < *b->topic; });
  return devices;
}

void WatchedDevices::unset_deadline(const Device& device, Instance& instance) {
  if (instance.phase == Phase::pending) deadlines_.erase({instance.deadline_ms, &device, &instance});
}

void WatchedDevices::set_deadline(const Device& device, Instance& instance) {
  if (instance.phase == Phase::pending) deadlines_.insert({instance.deadline_ms, &device, &instance});
}

void WatchedDevices::postpone(int64_t ms) {
  std::set<Deadline> later;
  for (Deadline deadline : deadlines_) {
    deadline.instance->first_breach_ms += ms;
    deadline.ms = deadline.instance->deadline_ms += ms;
    later.insert(later.end(), deadline);
  }
  deadlines_ = std::move(later);
}

void WatchedDevices::forget_idle_since(int64_t ms) {
  const auto idle = [&](const WatchedField& field) {
    return std::all_of(field.instances.begin(), field.instances.end(), [&](const Instance& instance) {
      return instance.phase == Phase::ok && instance.newest_ms < ms - rules_[instance.rule].max_lateness_ms;
    });
  };
  for (auto entry = devices_.begin(); entry != devices_.end();) {
    std::erase_if(entry->second.fields, idle);
    entry = entry->second.fields.empty() ? devices_.erase(entry) : std::next(entry);
  }
}

void WatchedDevices::save(model::StateWriter& writer) const {
  writer.number(devices_.size());
  std::string text;
  for (const auto& [topic, device] : devices_) {
    text.clear();
    topic.append_text(text);
    size_t count = 0;
    for (const WatchedField& field : device.fields) {
      count += static_cast<size_t>(std::count_if(field.instances.begin(), field.instances.end(), worth_saving));
    }
    writer.text(text).number(count);
    for (const WatchedField& field : device.fields) {
      for (const Instance& i : field.instances) {
        if (!worth_saving(i)) continue;
        writer.number(i.rule).number(static_cast<int>(i.phase)).number(i.silent ? 1 : 0).number(i.alerts_at_start);
        writer.number(i.newest_ms).number(i.first_breach_ms).number(i.deadline_ms).number(i.started_at_ms);
        writer.real(i.value);
      }
    }
  }
}

Status WatchedDevices::load(model::StateReader& reader) {
  const int64_t devices = reader.number();
  for (int64_t i = 0; i < devices && reader.ok(); ++i) {
    const Result<model::Topic> topic = model::Topic::parse(reader.text());
    const int64_t count = reader.number();
    if (!topic || find(*topic) != nullptr) return unreadable();
    Device& added = device(*topic);
    for (int64_t n = 0; n < count && reader.ok(); ++n) {
      if (Status s = load_instance(added, reader); !s) return s;
    }
  }
  if (!reader.ok()) return unreadable();
  return {};
}

Status WatchedDevices::load_instance(Device& device, model::StateReader& reader) {
  Instance loaded;
  const int64_t rule = reader.number();
  const int64_t phase = reader.number();
  loaded.silent = reader.number() != 0;
  loaded.alerts_at_start = static_cast<uint32_t>(reader.number());
  loaded.newest_ms = reader.number();
  loaded.first_breach_ms = reader.number();
  loaded.deadline_ms = reader.number();
  loaded.started_at_ms = reader.number();
  loaded.value = reader.real();
  if (!reader.ok() || rule < 0 || rule >= static_cast<int64_t>(rules_.rules().size()) || phase < 0 || phase > 2) {
    return unreadable();
  }
  loaded.rule = static_cast<uint32_t>(rule);
  loaded.phase = static_cast<Phase>(phase);
  const std::optional<uint32_t> field = rules_.field_number(rules_[loaded.rule].field);
  if (!field) return unreadable();
  for (Instance& instance : instances(device, *field)) {
    if (instance.rule != loaded.rule) continue;
    if (worth_saving(instance)) return unreadable();  // named twice
    instance = loaded;
    set_deadline(device, instance);
    return {};
  }
  return unreadable();
}

}  // namespace millstream::rules
