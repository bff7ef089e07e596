// model/grants.h: what a credential allows.
//
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/topic.h"

namespace millstream::model {

enum class Role : uint8_t { viewer, operator_, admin, ingest, publish };
inline constexpr int kRoles = 5;

constexpr std::string_view role_name(Role role) {
  constexpr std::string_view names[] = {"viewer", "operator", "admin", "ingest", "publish"};
  return names[static_cast<size_t>(role)];
}

constexpr std::optional<Role> parse_role(std::string_view text) {
  for (int i = 0; i < kRoles; ++i) {
    if (role_name(static_cast<Role>(i)) == text) return static_cast<Role>(i);
  }
  return std::nullopt;
}

class Roles {
 public:
  constexpr Roles() = default;
  constexpr Roles with(Role role) const { return Roles(bits_ | (1u << static_cast<unsigned>(role))); }
  constexpr bool has(Role role) const { return (bits_ >> static_cast<unsigned>(role)) & 1u; }
  constexpr bool empty() const { return bits_ == 0; }
  constexpr auto operator<=>(const Roles&) const = default;

 private:
  constexpr explicit Roles(unsigned bits) : bits_(static_cast<uint8_t>(bits)) {}
  uint8_t bits_ = 0;
};

struct Grants {
  std::string subject;            // who, for logs and counters: "key:k3f9", "user:anna"; never a secret
  AccountId account;              // never empty; only ever taken from the credential
  std::vector<SiteId> sites;      // empty: every site of the account
  std::vector<DeviceId> devices;  // empty: every device of those sites
  Roles roles;
  std::optional<int64_t> expires_at_ms;  // as the credential says; a stream ends then
  uint64_t credential = 0;               // number of the API key or login session that gave them; 0: neither
};

}  // namespace millstream::model
