#include "app/issuer_settings.h"

#include <algorithm>

#include "app/certificate.h"
#include "app/entry_readers.h"
#include "app/entry_rows.h"
#include "app/http_client.h"
#include "app/jwt_settings.h"

namespace millstream::app {
namespace {

using Issuer = Config::Issuer;

constexpr size_t kTextBytesMax = 2048;

Status read_url(const Setting& s, std::string& target) {
  if (Status given = read_given_text(s, kTextBytesMax, target); !given) return given;
  const Status safe = check_fetch_url(target);
  return safe ? Status() : Status(s.wrong(safe.error().detail));
}

Status read_accounts(const Setting& s, Issuer& issuer) {
  const Result<std::vector<std::string>> texts = read_list(s);
  if (!texts) return texts.error();
  if (texts->empty()) return s.wrong("names nothing; leave it out where the issuer may speak for every account");
  for (const std::string& text : *texts) {
    Result<model::AccountId> account = model::AccountId::parse(text);
    if (!account) return s.wrong("\"" + text + "\": " + account.error().detail);
    issuer.accounts.push_back(std::move(*account));
  }
  return {};
}

EntryRow<Issuer> text_row(std::string key, std::string Issuer::*member, bool required = false) {
  return {std::move(key),
          [member](const Setting& s, Issuer& issuer) { return read_given_text(s, kTextBytesMax, issuer.*member); },
          required};
}

const std::vector<EntryRow<Issuer>>& rows() {
  static const std::vector<EntryRow<Issuer>> table = {
      text_row("issuers.issuer", &Issuer::name, true),
      text_row("issuers.audience", &Issuer::audience, true),
      text_row("issuers.jwks_file", &Issuer::jwks_file),
      {"issuers.jwks_url", [](const Setting& s, Issuer& issuer) { return read_url(s, issuer.jwks_url); }},
      text_row("issuers.jwks_ca_file", &Issuer::jwks_ca_file),
      {"issuers.accounts", read_accounts},
      text_row("issuers.account_claim", &Issuer::account_claim),
      text_row("issuers.sites_claim", &Issuer::sites_claim),
      text_row("issuers.devices_claim", &Issuer::devices_claim),
      text_row("issuers.roles_claim", &Issuer::roles_claim),
  };
  return table;
}

bool has_single(const Config::Auth& auth) { return !auth.jwks_file.empty() || !auth.jwks_url.empty(); }

// Whoever serves public keys signs tokens for others too: those for us must say so.
Status check_single(const Config::Auth& auth) {
  if (!auth.jwks_ca_file.empty() && auth.jwks_url.empty()) {
    return Error{Code::invalid, "auth.jwks_ca_file is for auth.jwks_url, which is not set"};
  }
  if (!has_single(auth)) return {};
  const std::string key = auth.jwks_file.empty() ? "auth.jwks_url" : "auth.jwks_file";
  if (!auth.jwks_file.empty() && !auth.jwks_url.empty()) {
    return Error{Code::invalid, "auth.jwks_file and auth.jwks_url are two ways to the same keys; choose one"};
  }
  if (auth.jwt_issuer.empty() || auth.jwt_audience.empty()) {
    return Error{Code::invalid, key + " needs auth.jwt_issuer and auth.jwt_audience"};
  }
  return {};
}

// With a name in both places the secret, or the single keys, would speak for an issuer that has keys of its own.
Status check_names(const Config& config) {
  if (config.issuers.size() > kIssuersMax) {
    return Error{Code::invalid, "more than " + std::to_string(kIssuersMax) + " [[issuers]]"};
  }
  for (const Issuer& issuer : config.issuers) {
    if (issuer.name != config.auth.jwt_issuer) continue;
    return Error{Code::invalid, "auth.jwt_issuer is also one of the [[issuers]], \"" + issuer.name +
                                    "\"; an issuer stands in one place"};
  }
  return {};
}

}  // namespace

Result<Issuer> read_issuer(const TomlFile::Entry& entry) {
  Issuer issuer;
  if (Status s = read_entry(entry, rows(), issuer); !s) return s.error();
  if (issuer.jwks_file.empty() == issuer.jwks_url.empty()) {
    return Error{Code::invalid, entry.place + ": one of issuers.jwks_file and issuers.jwks_url is needed, not both"};
  }
  if (!issuer.jwks_ca_file.empty() && issuer.jwks_url.empty()) {
    return Error{Code::invalid, entry.place + ": issuers.jwks_ca_file is for issuers.jwks_url"};
  }
  return issuer;
}

Result<std::vector<Issuer>> read_issuers(const std::vector<TomlFile::Entry>& entries) {
  std::vector<Issuer> issuers;
  for (const TomlFile::Entry& entry : entries) {
    Result<Issuer> issuer = read_issuer(entry);
    if (!issuer) return issuer.error();
    const bool again =
        std::any_of(issuers.begin(), issuers.end(), [&](const Issuer& before) { return before.name == issuer->name; });
    if (again) {
      return Error{Code::invalid, entry.place + ": issuers.issuer: there is another issuer \"" + issuer->name + "\""};
    }
    issuers.push_back(std::move(*issuer));
  }
  return issuers;
}

Status check_issuers(const Config& config) {
  if (Status s = check_single(config.auth); !s) return s;
  if (Status s = check_names(config); !s) return s;
  for (const IssuerSource& source : issuer_sources(config)) {
    if (Status s = check_ca_file(source.jwks_ca_file, "jwks_ca_file"); !s) return s;
    if (source.jwks_file.empty()) continue;
    if (const Result<KeySetPtr> keys = JwksFile(source.jwks_file).read(); !keys) return keys.error();
  }
  return {};
}

std::vector<IssuerSource> issuer_sources(const Config& config) {
  const Config::Auth& auth = config.auth;
  const auth::ClaimNames claims = jwt_options(auth).claims;
  std::vector<IssuerSource> sources;
  if (has_single(auth)) {
    sources.push_back(
        {{auth.jwt_issuer, auth.jwt_audience, claims, {}}, auth.jwks_file, auth.jwks_url, auth.jwks_ca_file});
  }
  const auto either = [](const std::string& own, const std::string& common) { return own.empty() ? common : own; };
  for (const Issuer& issuer : config.issuers) {
    const auth::ClaimNames own{.account = either(issuer.account_claim, claims.account),
                               .sites = either(issuer.sites_claim, claims.sites),
                               .devices = either(issuer.devices_claim, claims.devices),
                               .roles = either(issuer.roles_claim, claims.roles)};
    sources.push_back(
        {{issuer.name, issuer.audience, own, issuer.accounts}, issuer.jwks_file, issuer.jwks_url, issuer.jwks_ca_file});
  }
  return sources;
}

}  // namespace millstream::app
