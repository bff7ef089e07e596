#include "rules/gateways.h"

#include <utility>

namespace millstream::rules {

bool Gateways::put(const model::Topic& device, const model::DeviceId& gateway) {
  const auto before = gateways_.find(device);
  if (before == gateways_.end() ? gateway.empty() : before->second == gateway) return false;
  if (before != gateways_.end()) {
    const auto children = children_.find({device.account, device.site, before->second});
    children->second.erase(device.device);
    if (children->second.empty()) children_.erase(children);
    gateways_.erase(before);
  }
  if (gateway.empty()) return true;
  gateways_.emplace(device, gateway);
  children_[{device.account, device.site, gateway}].insert(device.device);
  return true;
}

std::vector<model::Topic> Gateways::behind(const model::Topic& gateway) const {
  std::vector<model::Topic> topics;
  const auto found = children_.find(gateway);
  if (found == children_.end()) return topics;
  for (const model::DeviceId& device : found->second) topics.push_back({gateway.account, gateway.site, device});
  return topics;
}

std::vector<model::Topic> Gateways::devices() const {
  std::vector<model::Topic> topics;
  for (const auto& [device, gateway] : gateways_) topics.push_back(device);
  return topics;
}

void Gateways::save(model::StateWriter& writer) const {
  writer.number(gateways_.size());
  for (const auto& [device, gateway] : gateways_) writer.text(device.text()).text(gateway.text());
}

bool Gateways::load(model::StateReader& reader) {
  const int64_t devices = reader.number();
  for (int64_t i = 0; i < devices && reader.ok(); ++i) {
    const Result<model::Topic> device = model::Topic::parse(reader.text());
    const Result<model::DeviceId> gateway = model::DeviceId::parse(reader.text());
    if (!device || !device->is_device() || !gateway || !put(*device, *gateway)) return false;
  }
  return reader.ok();
}

}  // namespace millstream::rules
