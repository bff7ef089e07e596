#include "load/audiences.h"

namespace millstream::load {
namespace {

void append_topic(const std::string& device, std::string& topics) {
  if (!topics.empty()) topics += ',';
  topics.append("account:demo/site:bench/device:").append(device);
}

}  // namespace

std::string device_name(uint32_t device) { return "bench-" + std::to_string(device); }

std::string Audiences::topics(uint32_t viewer) const {
  std::string topics;
  const uint32_t audience = of_viewer(viewer);
  if (audience == kNoAudience) {
    const uint32_t first = (viewer - viewers) * other_devices_each;
    for (uint32_t i = 0; i < other_devices_each; ++i) append_topic("o" + std::to_string(first + i), topics);
    return topics;
  }
  for (uint32_t i = 0; i < devices_each; ++i) append_topic(device_name(audience + i * count), topics);
  return topics;
}

}  // namespace millstream::load
