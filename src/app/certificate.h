// app/certificate.h: where the server's certificate comes from.
//
// Errors   Code::invalid names the file; never says what is in a key.
// Thread   any; blocks
#pragma once

#include <string>
#include <string_view>

#include "app/config.h"
#include "base/clock.h"
#include "base/result.h"

namespace millstream::app {

struct CertificatePem {
  std::string chain;
  std::string key;
};

// Of tls.certificate_file and tls.key_file.
Result<CertificatePem> read_certificate(const Config::Tls& tls);

// Of tls.self_signed: kept as self-signed.pem in the data directory, so that who trusts it need not do so again; made
// when it is not there, is damaged, or ends within 30 days. Its names: this machine's, and what the server listens on.
Result<CertificatePem> self_signed_certificate(const Config& config, const Clock& clock);
std::string self_signed_path(const Config& config);

// Of those who may vouch for another host. Empty: none is asked for. `key`: which setting names the file.
Status check_ca_file(const std::string& path, std::string_view key);

}  // namespace millstream::app
