// net/tls_client.h: the client's side of TLS 1.2 and 1.3: who is trusted, and that it is the host that was asked for.
//
// Flow     make() once; connect() for each connected socket; receive() on the session shakes hands.
// Errors   Code::invalid names the file that cannot be used. A server that is not trusted: TlsSession::failure().
// Thread   any
// Source   RFC 5280, RFC 6125, RFC 6066 3 (SNI)
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "net/tls.h"

namespace millstream::net {

struct TlsClientOptions {
  std::string ca_file;           // PEM: who alone may vouch for the server; empty: those the system trusts
  std::string certificate_file;  // PEM: our own, where the server asks for one
  std::string key_file;
};

class TlsClientContext {
 public:
  static Result<std::unique_ptr<TlsClientContext>> make(const TlsClientOptions& options);

  // `host`: a name or an IP address, which the certificate has to be for. Null: out of memory.
  std::unique_ptr<TlsSession> connect(int fd, const std::string& host) const;

 private:
  explicit TlsClientContext(std::shared_ptr<ssl_ctx_st> ssl) : ssl_(std::move(ssl)) {}

  const std::shared_ptr<ssl_ctx_st> ssl_;
};

}  // namespace millstream::net
