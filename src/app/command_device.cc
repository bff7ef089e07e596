// millstream device: which devices are known, and making room where an account has all it may have.
#include <cstdio>

#include "app/commands.h"
#include "app/open_registry.h"
#include "app/text_table.h"
#include "base/time_text.h"

namespace millstream::app {
Result<int> run_device_list(const Config& config, const std::string& account) {
  const Result<std::unique_ptr<registry::Registry>> registry = open_existing_registry(config, "devices");
  if (!registry) return registry.error();
  const Result<std::vector<registry::DeviceRecord>> devices = (*registry)->devices().list();
  if (!devices) return devices.error();
  std::vector<std::vector<std::string>> rows = {{"ACCOUNT", "SITE", "DEVICE", "FIRST SEEN"}};
  for (const registry::DeviceRecord& device : *devices) {
    const model::Topic& topic = device.topic;
    if (!account.empty() && topic.account.text() != account) continue;
    rows.push_back({topic.account.text(), topic.site.text(), topic.device.text(), rfc3339_ms(device.created_at_ms)});
  }
  std::fputs(text_table(rows).c_str(), stdout);
  return 0;
}

Result<int> run_device_remove(const Config& config, const std::string& topic_text) {
  const Result<model::Topic> topic = model::Topic::parse(topic_text);
  if (!topic || !topic->is_device()) {
    return Error{Code::invalid, "\"" + topic_text + "\" is not account:{a}/site:{s}/device:{d}"};
  }
  const Result<std::unique_ptr<registry::Registry>> registry = open_existing_registry(config, "devices");
  if (!registry) return registry.error();
  if (const Status removed = (*registry)->devices().remove(*topic); !removed) return removed.error();
  std::printf(
      "removed %s; it comes back with its next point, and its events stay for as long as all do. A server that runs "
      "goes by the settings it had until it is restarted; DELETE /api/devices/{id} tells it at once\n",
      topic_text.c_str());
  return 0;
}

}  // namespace millstream::app
