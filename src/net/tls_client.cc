#include "net/tls_client.h"

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace millstream::net {

namespace {

Error unusable(std::string what) {
  const unsigned long code = ERR_peek_last_error();
  if (const char* reason = code ? ERR_reason_error_string(code) : nullptr) what += std::string(" (") + reason + ")";
  ERR_clear_error();
  return Error{Code::invalid, std::move(what)};
}

bool is_ip_address(const std::string& host) {
  in6_addr any{};
  return ::inet_pton(AF_INET, host.c_str(), &any) == 1 || ::inet_pton(AF_INET6, host.c_str(), &any) == 1;
}

// RFC 6066 3: an address is no server name.
bool expect_host(SSL* ssl, const std::string& host) {
  if (is_ip_address(host)) return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host.c_str()) == 1;
  SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  // SSL_set_tlsext_host_name() is a macro with an old-style cast.
  return SSL_set1_host(ssl, host.c_str()) == 1 &&
         SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, const_cast<char*>(host.c_str())) == 1;
}

}  // namespace

Result<std::unique_ptr<TlsClientContext>> TlsClientContext::make(const TlsClientOptions& options) {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> ssl(SSL_CTX_new(TLS_client_method()), SSL_CTX_free);
  if (!ssl || SSL_CTX_set_min_proto_version(ssl.get(), TLS1_2_VERSION) != 1) return unusable("TLS cannot be set up");
  SSL_CTX_set_options(ssl.get(), SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_IGNORE_UNEXPECTED_EOF);
  SSL_CTX_set_verify(ssl.get(), SSL_VERIFY_PEER, nullptr);
  const bool trusts = options.ca_file.empty()
                          ? SSL_CTX_set_default_verify_paths(ssl.get()) == 1
                          : SSL_CTX_load_verify_locations(ssl.get(), options.ca_file.c_str(), nullptr) == 1;
  if (!trusts) return unusable("no certificates to trust in \"" + options.ca_file + "\"");
  const std::string& own = options.certificate_file;
  const std::string& key = options.key_file;
  if (own.empty() && key.empty()) return std::unique_ptr<TlsClientContext>(new TlsClientContext(ssl));
  if (SSL_CTX_use_certificate_chain_file(ssl.get(), own.c_str()) != 1) {
    return unusable("no certificate in PEM form in \"" + own + "\"");
  }
  if (SSL_CTX_use_PrivateKey_file(ssl.get(), key.c_str(), SSL_FILETYPE_PEM) != 1) {
    return unusable("no private key of that certificate in \"" + key + "\"");
  }
  return std::unique_ptr<TlsClientContext>(new TlsClientContext(ssl));
}

std::unique_ptr<TlsSession> TlsClientContext::connect(int fd, const std::string& host) const {
  SSL* ssl = SSL_new(ssl_.get());  // keeps the context for itself
  if (!ssl) return nullptr;
  if (!expect_host(ssl, host)) {
    SSL_free(ssl);
    return nullptr;
  }
  return std::make_unique<TlsSession>(ssl, fd, TlsSession::Side::client);
}

}  // namespace millstream::net
