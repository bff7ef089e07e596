#include <cstdio>

#include "app/commands.h"
#include "app/open_registry.h"

namespace millstream::app {

Result<int> run_check_config(const Config& config, const std::string& file) {
  if (Status s = check_config(config); !s) return s.error();
  if (config.postgres.enabled()) {
    if (const Result<bool> there = registry_exists(config); !there) return there.error();
  }
  if (config.auth.development) {
    std::fprintf(stderr, "warning: auth.development: everyone on this machine is admin of account \"%s\"\n",
                 config.auth.development_account.c_str());
  }
  const size_t rules = config.rules.size() + config.alerts.rules_of_file.size();
  const std::string what = file.empty() ? "the configuration" : file;
  std::printf("%s is good: listens on %s, keeps everything in %s, %zu rule%s", what.c_str(),
              config.server.listen.c_str(), config.server.data_directory.c_str(), rules, rules == 1 ? "" : "s");
  if (config.postgres.enabled()) std::printf(", the registry in %s", registry_place(config).c_str());
  if (!config.feeds.empty()) {
    std::printf(", %zu MQTT feed%s", config.feeds.size(), config.feeds.size() == 1 ? "" : "s");
  }
  if (!config.redis_feeds.empty()) {
    std::printf(", %zu Redis feed%s", config.redis_feeds.size(), config.redis_feeds.size() == 1 ? "" : "s");
  }
  if (!config.sqs.empty()) {
    std::printf(", %zu SQS queue%s", config.sqs.size(), config.sqs.size() == 1 ? "" : "s");
  }
  if (!config.channels.empty()) {
    std::printf(", %zu channel%s", config.channels.size(), config.channels.size() == 1 ? "" : "s");
  }
  std::printf("\n");
  return 0;
}

}  // namespace millstream::app
