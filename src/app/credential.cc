#include <algorithm>

#include "app/commands.h"
#include "app/secret_file.h"

namespace millstream::app {
namespace {

template <class N>
Status parse_names(const char* option, const std::vector<std::string>& texts, std::vector<N>& names) {
  for (const std::string& text : texts) {
    Result<N> name = N::parse(text);
    if (!name) return Error{Code::invalid, std::string(option) + " \"" + text + "\": " + name.error().detail};
    names.push_back(std::move(*name));
  }
  return {};
}

}  // namespace

Result<model::Grants> parse_grants(const GrantWords& words) {
  model::Grants grants;
  Result<model::AccountId> account = model::AccountId::parse(words.account);
  if (!account) return Error{Code::invalid, "--account: " + account.error().detail};
  grants.account = std::move(*account);
  if (Status s = parse_names("--sites", words.sites, grants.sites); !s) return s.error();
  if (Status s = parse_names("--devices", words.devices, grants.devices); !s) return s.error();
  for (const std::string& text : words.roles) {
    const std::optional<model::Role> role = model::parse_role(text);
    if (!role) return Error{Code::invalid, "--role \"" + text + "\": one of viewer, operator, admin, ingest, publish"};
    grants.roles = grants.roles.with(*role);
  }
  if (grants.roles.empty()) return Error{Code::invalid, "--role is missing"};
  return grants;
}

Result<std::string> find_credential(const std::string& file, const Environment& environment,
                                    const std::vector<std::string>& variables) {
  std::string credential;
  std::string place = file;
  if (!file.empty()) {
    Result<std::string> secret = read_secret_file(file);
    if (!secret) return secret.error();
    credential = std::move(*secret);
  }
  for (const std::string& variable : variables) {
    const auto found = environment.find(variable);
    if (!credential.empty() || found == environment.end()) continue;
    credential = found->second;
    place = variable;
  }
  // It becomes a header line; a line break in it would become a second one.
  const auto prints = [](char c) { return c > ' ' && c < 0x7f; };
  if (!std::all_of(credential.begin(), credential.end(), prints)) {
    return Error{Code::invalid, place + " does not hold a token or key"};
  }
  return credential;
}

}  // namespace millstream::app
