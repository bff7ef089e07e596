#include "api/grants_body.h"

namespace millstream::api {
namespace {

template <class N>
Status read_names(const JsonBody& body, std::string_view member, std::vector<N>& names) {
  const auto texts = body.texts(member);
  if (!texts) return texts.error();
  if (!*texts) return {};
  if ((*texts)->size() > kGrantNamesMax) {
    return Error{Code::unprocessable, std::string(member) + ": at most " + std::to_string(kGrantNamesMax) + " names"};
  }
  names.clear();
  for (const std::string& text : **texts) {
    Result<N> name = N::parse(text);
    if (!name) return Error{Code::invalid, std::string(member) + ": " + name.error().detail};
    names.push_back(std::move(*name));
  }
  return {};
}

Result<model::Roles> read_roles(const JsonBody& body) {
  const auto texts = body.texts("roles");
  if (!texts) return texts.error();
  if (!*texts) return Error{Code::invalid, "roles: is needed; viewer, operator, admin, ingest or publish"};
  model::Roles roles;
  for (const std::string& text : **texts) {
    const std::optional<model::Role> role = model::parse_role(text);
    if (!role) return Error{Code::invalid, "roles: viewer, operator, admin, ingest or publish"};
    roles = roles.with(*role);
  }
  return roles;
}

}  // namespace

Result<model::Grants> read_given_grants(const JsonBody& body, const model::Grants& holder) {
  model::Grants given;
  given.account = holder.account;
  given.sites = holder.sites;
  given.devices = holder.devices;
  const Result<model::Roles> roles = read_roles(body);
  if (!roles) return roles.error();
  given.roles = *roles;
  if (const Status sites = read_names(body, "sites", given.sites); !sites) return sites.error();
  if (const Status devices = read_names(body, "devices", given.devices); !devices) return devices.error();
  return given;
}

}  // namespace millstream::api
