// app/issuer_settings.h: what the configuration says about those who sign tokens with keys of their own: the
// [[issuers]], and the one that the single settings auth.jwt_issuer, auth.jwt_audience and auth.jwks_file or
// auth.jwks_url make.
//
// Errors   Code::invalid naming the place or the key: an address that is not safe to fetch keys from, both or neither
// of
//          file and address, two issuers of one name, a file that cannot be used. The network is not asked.
// Thread   startup; checking reads files
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "app/config.h"
#include "app/toml_file.h"
#include "auth/issuers.h"
#include "base/result.h"

namespace millstream::app {

// Each address has a thread of its own.
inline constexpr size_t kIssuersMax = 32;

// One [[issuers]] entry.
Result<Config::Issuer> read_issuer(const TomlFile::Entry& entry);
Result<std::vector<Config::Issuer>> read_issuers(const std::vector<TomlFile::Entry>& entries);

Status check_issuers(const Config& config);

// An issuer, and where its keys come from: one of file and url is empty.
struct IssuerSource {
  auth::Issuer issuer;
  std::string jwks_file;
  std::string jwks_url;
  std::string jwks_ca_file;  // empty: those the system trusts
};
// All of them, those claims filled in that an entry leaves to [auth].
std::vector<IssuerSource> issuer_sources(const Config& config);

}  // namespace millstream::app
