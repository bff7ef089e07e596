#include "registry/columns.h"

namespace millstream::registry {

std::string join(const model::Roles& roles) {
  std::string text;
  for (int i = 0; i < model::kRoles; ++i) {
    const auto role = static_cast<model::Role>(i);
    if (roles.has(role)) text.append(text.empty() ? "" : ",").append(model::role_name(role));
  }
  return text;
}

bool each_part(std::string_view text, const std::function<bool(std::string_view)>& f) {
  while (true) {
    const size_t comma = text.find(',');
    if (!f(text.substr(0, comma))) return false;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

bool split_roles(std::string_view text, model::Roles& roles) {
  return each_part(text, [&](std::string_view part) {
    const std::optional<model::Role> role = model::parse_role(part);
    if (role) roles = roles.with(*role);
    return role.has_value();
  });
}

bool read_grants(const Statement& row, int first_column, model::Grants& grants) {
  Result<model::AccountId> account = model::AccountId::parse(row.bytes(first_column));
  if (!account || !split_names(row.bytes(first_column + 1), grants.sites) ||
      !split_names(row.bytes(first_column + 2), grants.devices) ||
      !split_roles(row.bytes(first_column + 3), grants.roles)) {
    return false;
  }
  grants.account = std::move(*account);
  return true;
}

void bind_grants(Statement& statement, const model::Grants& grants) {
  statement.bind(grants.account.text()).bind(join(grants.sites)).bind(join(grants.devices)).bind(join(grants.roles));
}

}  // namespace millstream::registry
