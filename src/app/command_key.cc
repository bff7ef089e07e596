#include <cstdio>

#include "app/commands.h"
#include "app/event_text.h"
#include "app/open_registry.h"
#include "app/text_table.h"
#include "auth/authenticator.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "registry/columns.h"

namespace millstream::app {
namespace {

using registry::Registry;

std::string state_text(const model::ApiKeyRecord& key, int64_t now_ms) {
  if (key.revoked) return "revoked";
  if (!key.grants.expires_at_ms) return "valid";
  const std::string at = rfc3339_ms(*key.grants.expires_at_ms);
  return (now_ms < *key.grants.expires_at_ms ? "until " : "expired ") + at;
}

std::vector<std::string> cells(const model::ApiKeyRecord& key, int64_t now_ms) {
  return {key.key_id,
          printable(key.name),
          key.grants.account.text(),
          registry::join(key.grants.sites),
          registry::join(key.grants.devices),
          registry::join(key.grants.roles),
          rfc3339_ms(key.created_at_ms),
          key.used_at_ms ? rfc3339_ms(*key.used_at_ms) : "never",
          state_text(key, now_ms)};
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
  const Result<std::unique_ptr<Registry>> registry = open_registry(config);
  if (!registry) return registry.error();
  const auth::NewApiKey key = auth::make_api_key(options.name, std::move(*grants), now_ms);
  if (Status s = (*registry)->api_keys().add(key.record); !s) return s.error();
  std::printf("%s\n", key.text.c_str());
  std::fprintf(stderr, "Stored in %s. Keep the key: it is shown this once. To end it: millstream key revoke %s\n",
               registry_place(config).c_str(), key.record.key_id.c_str());
  return 0;
}

Result<int> run_key_list(const Config& config) {
  const Result<std::unique_ptr<Registry>> registry = open_existing_registry(config, "keys");
  if (!registry) return registry.error();
  const Result<std::vector<model::ApiKeyRecord>> keys = (*registry)->api_keys().list();
  if (!keys) return keys.error();
  std::vector<std::vector<std::string>> rows = {
      {"ID", "NAME", "ACCOUNT", "SITES", "DEVICES", "ROLES", "CREATED", "LAST USED", "STATE"}};
  const int64_t now_ms = SystemClock().wall_ms();
  for (const model::ApiKeyRecord& key : *keys) rows.push_back(cells(key, now_ms));
  std::fputs(text_table(rows).c_str(), stdout);
  return 0;
}

Result<int> run_key_revoke(const Config& config, const std::string& key_id) {
  const Result<std::unique_ptr<Registry>> registry = open_existing_registry(config, "keys");
  if (!registry) return registry.error();
  if (Status s = (*registry)->api_keys().revoke(key_id); !s) return s.error();
  std::printf("revoked %s; a running server notices within seconds\n", key_id.c_str());
  return 0;
}

Result<int> run_key_rotate(const Config& config, const std::string& key_id, const std::string& overlap) {
  const Result<int64_t> overlap_ms = parse_duration_ms(overlap);
  if (!overlap_ms) return Error{Code::invalid, "--overlap must be a duration such as 24h"};
  const Result<std::unique_ptr<Registry>> registry = open_existing_registry(config, "keys");
  if (!registry) return registry.error();
  const std::shared_ptr<const model::ApiKeyRecord> old = (*registry)->api_keys().find_api_key(key_id);
  if (!old) return Error{Code::not_found, "no key has the id \"" + key_id + "\""};
  const int64_t now_ms = SystemClock().wall_ms();
  if (old->revoked || (old->grants.expires_at_ms && *old->grants.expires_at_ms <= now_ms)) {
    return Error{Code::conflict, "this key has ended; make a new one with millstream key create"};
  }
  const auth::NewApiKey key = auth::make_api_key(old->name, old->grants, now_ms);
  if (Status s = (*registry)->api_keys().add(key.record); !s) return s.error();
  if (Status s = (*registry)->api_keys().end_at(key_id, now_ms + *overlap_ms); !s) return s.error();
  std::printf("%s\n", key.text.c_str());
  std::fprintf(stderr, "Keep the key: it is shown this once. %s, which it replaces, ends in %s.\n", key_id.c_str(),
               duration_text(*overlap_ms).c_str());
  return 0;
}

}  // namespace millstream::app
