#include "app/certificate.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <vector>

#include "app/node_name.h"
#include "app/secret_file.h"
#include "base/freed.h"
#include "base/unique_fd.h"
#include "net/tls.h"

namespace millstream::app {
namespace {

using TrustStore = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;

constexpr int64_t kRenewBeforeEndS = 30 * 86'400;

Result<std::string> read_chain(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return Error{Code::invalid, "cannot read " + path + ": " + std::strerror(errno)};
  return std::string(std::istreambuf_iterator<char>(file), {});
}

bool still_good(const std::string& pem, const Clock& clock) {
  const auto context = net::TlsContext::make(pem, pem);
  return context && (*context)->expires_at_s() - kRenewBeforeEndS > clock.wall_ms() / 1000;
}

std::vector<std::string> names_of(const Config& config) {
  std::vector<std::string> names{"localhost", "127.0.0.1", "::1"};
  const Result<ListenAddress> listen = parse_listen(config.server.listen);
  if (listen && !listen->loopback && listen->host != "0.0.0.0" && listen->host != "::") names.push_back(listen->host);
  const std::string node = node_name();
  if (node.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-") == node.npos) {
    names.push_back(node);
  }
  return names;
}

// Whole or not at all: written beside and renamed.
Status write_secret(const std::string& path, const std::string& text) {
  const std::string beside = path + ".new";
  const auto failed = [&] { return Error{Code::invalid, "cannot write " + path + ": " + std::strerror(errno)}; };
  const UniqueFd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file || ::fchmod(file.get(), 0600) != 0) return failed();
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return failed();
  if (::fsync(file.get()) != 0 || ::rename(beside.c_str(), path.c_str()) != 0) return failed();
  return {};
}

}  // namespace

Result<CertificatePem> read_certificate(const Config::Tls& tls) {
  Result<std::string> chain = read_chain(tls.certificate_file);
  if (!chain) return chain.error();
  Result<std::string> key = read_secret_file(tls.key_file);
  if (!key) return key.error();
  return CertificatePem{std::move(*chain), std::move(*key)};
}

std::string self_signed_path(const Config& config) { return config.server.data_directory + "/self-signed.pem"; }

Result<CertificatePem> self_signed_certificate(const Config& config, const Clock& clock) {
  const std::string path = self_signed_path(config);
  const Result<std::string> kept = read_secret_file(path);
  if (kept && still_good(*kept, clock)) return CertificatePem{*kept, *kept};
  const Result<std::string> made = net::make_self_signed(names_of(config));
  if (!made) return made.error();
  if (Status s = write_secret(path, *made); !s) return s.error();
  return CertificatePem{*made, *made};
}

Status check_ca_file(const std::string& path, std::string_view key) {
  if (path.empty()) return {};
  const TrustStore store(X509_STORE_new());
  const bool holds_one = store && X509_STORE_load_file(store.get(), path.c_str()) == 1;
  ERR_clear_error();
  if (holds_one) return {};
  return Error{Code::invalid, path + ": no certificate can be read from it (" + std::string(key) + ")"};
}

}  // namespace millstream::app
