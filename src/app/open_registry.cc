#include "app/open_registry.h"

#include <chrono>
#include <thread>

#include "base/clock.h"
#include "base/log_line.h"

namespace millstream::app {
namespace {

using registry::Registry;

constexpr int64_t kAwaitedMs = 8'000;
constexpr std::chrono::milliseconds kBetweenTries{250};

template <class Open>
auto await(const Config& config, const Open& open) {
  const SystemClock clock;
  const int64_t deadline_ms = clock.steady_ms() + kAwaitedMs;
  for (bool told = false;; told = true) {
    auto opened = open();
    const bool away = !opened && opened.error().code == Code::unavailable;
    if (!config.postgres.enabled() || !away || clock.steady_ms() >= deadline_ms) return opened;
    if (!told) log_warning("waiting for PostgreSQL", {{"reason", opened.error().detail}});
    std::this_thread::sleep_for(kBetweenTries);
  }
}

}  // namespace

registry::PostgresOptions postgres_options(const Config& config) {
  return {.url = config.postgres.url,
          .password = config.postgres.password,
          .timeout_ms = config.postgres.timeout_ms,
          .schema = config.postgres.schema};
}

std::string registry_place(const Config& config) {
  if (!config.postgres.enabled()) return config.server.data_directory;
  return "schema " + config.postgres.schema + " of PostgreSQL at " + registry::host_of(config.postgres.url);
}

Result<std::unique_ptr<Registry>> open_registry(const Config& config, registry::RegistryOptions options) {
  return config.postgres.enabled() ? Registry::open(postgres_options(config), options)
                                   : Registry::open(config.server.data_directory, options);
}

Result<std::unique_ptr<registry::Tickets>> open_tickets(const Config& config) {
  return config.postgres.enabled() ? registry::Tickets::open(postgres_options(config))
                                   : registry::Tickets::open(config.server.data_directory);
}

Result<bool> registry_exists(const Config& config) {
  if (config.postgres.enabled()) return Registry::exists(postgres_options(config));
  return Registry::exists(config.server.data_directory);
}

Result<std::unique_ptr<Registry>> open_existing_registry(const Config& config, const char* what) {
  const Result<bool> there = registry_exists(config);
  if (!there) return there.error();
  if (*there) return open_registry(config);
  return Error{Code::not_found, std::string("no ") + what + " are stored in " + registry_place(config) +
                                    "; name the server's own with --config FILE or --data-directory DIR"};
}

Result<std::unique_ptr<Registry>> await_registry(const Config& config, registry::RegistryOptions options) {
  return await(config, [&] { return open_registry(config, options); });
}

Result<bool> await_registry_exists(const Config& config) {
  return await(config, [&] { return registry_exists(config); });
}

}  // namespace millstream::app
