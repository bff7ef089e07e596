#include <algorithm>
#include <array>
#include <cstdio>

#include "app/commands.h"
#include "app/event_text.h"
#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "registry/columns.h"
#include "registry/registry.h"

namespace millstream::app {
namespace {

using registry::Registry;

std::string state_text(const model::ApiKeyRecord& key, int64_t now_ms) {
  if (key.revoked) return "revoked";
  if (!key.grants.expires_at_ms) return "valid";
  const std::string at = rfc3339_ms(*key.grants.expires_at_ms);
  return (now_ms < *key.grants.expires_at_ms ? "until " : "expired ") + at;
}

using Cells = std::array<std::string, 8>;

Cells cells(const model::ApiKeyRecord& key, int64_t now_ms) {
  return {key.key_id,
          printable(key.name),
          key.grants.account.text(),
          registry::join(key.grants.sites),
          registry::join(key.grants.devices),
          registry::join(key.grants.roles),
          rfc3339_ms(key.created_at_ms),
          state_text(key, now_ms)};
}

void print_table(const std::vector<Cells>& rows) {
  std::array<size_t, std::tuple_size_v<Cells>> widths{};
  for (const Cells& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  for (const Cells& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    std::printf("%s\n", line.substr(0, line.find_last_not_of(' ') + 1).c_str());
  }
}

// A directory without keys is more likely the wrong one than an empty one.
Result<std::unique_ptr<Registry>> open_existing(const Config& config) {
  const std::string& directory = config.server.data_directory;
  if (!Registry::exists(directory)) {
    return Error{Code::not_found, "no keys are stored in " + directory +
                                      "; name the server's own with --config FILE or --data-directory DIR"};
  }
  return Registry::open(directory);
}

}  // namespace

Result<int> run_key_create(const Config& config, const KeyCreateOptions& options) {
  Result<model::Grants> grants = parse_grants(options.grants);
  if (!grants) return grants.error();
  const int64_t now_ms = SystemClock().wall_ms();
  if (!options.ttl.empty()) {
    const Result<int64_t> ttl_ms = parse_duration_ms(options.ttl);
    if (!ttl_ms || *ttl_ms < 1000) return Error{Code::invalid, "--ttl must be a duration such as 90d, at least 1s"};
    grants->expires_at_ms = now_ms + *ttl_ms;
  }
  const Result<std::unique_ptr<Registry>> registry = Registry::open(config.server.data_directory);
  if (!registry) return registry.error();
  const auth::NewApiKey key = auth::make_api_key(options.name, std::move(*grants), now_ms);
  if (Status s = (*registry)->add_api_key(key.record); !s) return s.error();
  std::printf("%s\n", key.text.c_str());
  std::fprintf(stderr, "Stored in %s. Keep the key: it is shown this once. To end it: millstream key revoke %s\n",
               config.server.data_directory.c_str(), key.record.key_id.c_str());
  return 0;
}

Result<int> run_key_list(const Config& config) {
  const Result<std::unique_ptr<Registry>> registry = open_existing(config);
  if (!registry) return registry.error();
  const Result<std::vector<model::ApiKeyRecord>> keys = (*registry)->list_api_keys();
  if (!keys) return keys.error();
  std::vector<Cells> rows = {{"ID", "NAME", "ACCOUNT", "SITES", "DEVICES", "ROLES", "CREATED", "STATE"}};
  const int64_t now_ms = SystemClock().wall_ms();
  for (const model::ApiKeyRecord& key : *keys) rows.push_back(cells(key, now_ms));
  print_table(rows);
  return 0;
}

Result<int> run_key_revoke(const Config& config, const std::string& key_id) {
  const Result<std::unique_ptr<Registry>> registry = open_existing(config);
  if (!registry) return registry.error();
  if (Status s = (*registry)->revoke_api_key(key_id); !s) return s.error();
  std::printf("revoked %s; a running server notices within seconds\n", key_id.c_str());
  return 0;
}

}  // namespace millstream::app
