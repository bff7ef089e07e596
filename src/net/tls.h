// net/tls.h: a session of TLS 1.2 or 1.3 on a non-blocking socket, and the server's side of setting it up.
// The client's: net/tls_client.h.
//
// Flow     TlsContext holds the certificate; accept() makes the session of one connection. replace() changes what new
//          connections get; open ones keep theirs.
// Shapes   a session never refuses a record half way: what the socket does not take of it waits here (one record and
//          its overhead, 17 KiB at most), and nothing more is taken until that is gone. So the caller's bytes are
//          either taken or not, as on a plain socket.
// Errors   as recv(2) and send(2), through errno: EAGAIN, EPROTO when the peer does not speak TLS as it should.
// Thread   TlsContext: any; TlsSession: one thread at a time
// Source   RFC 8446, RFC 5246, RFC 7301 (ALPN); ciphers as Mozilla's "intermediate" recommends
#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

struct ssl_st;
struct ssl_ctx_st;

namespace millstream::net {

class TlsSession {
 public:
  enum class Side { server, client };
  TlsSession(ssl_st* ssl, int fd, Side side);  // takes `ssl`; `fd` stays the caller's and must outlive this
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;

  // Bytes in the clear; 0: the peer has finished; -1: see errno. Shakes hands on the way.
  ssize_t receive(char* out, size_t size);
  // Bytes taken, 0 when the socket is full, -1 on an error.
  ssize_t send(std::span<const iovec> pieces);
  bool has_unsent() const { return !unsent_.empty(); }
  bool flush();   // true: nothing waits any more
  void finish();  // tells the peer that nothing follows, as far as the socket takes it
  bool heard_plain_http() const { return heard_plain_http_; }
  bool is_established() const;  // hands are shaken; nothing is sent before
  const std::string& failure() const {
    return failure_;
  }  // why the peer is not spoken with any more, in OpenSSL's words

 private:
  friend struct TlsSocket;
  bool put(std::string_view bytes);
  ssize_t failed(int result);

  ssl_st* const ssl_;
  const int fd_;
  bool broken_ = false;  // the socket has failed, or the peer has broken the protocol
  bool heard_plain_http_ = false;
  std::string failure_;
  std::string unsent_;  // ciphertext
};

class TlsContext {
 public:
  // `chain`: PEM, the server's own certificate first; `key`: PEM, without a pass phrase.
  // Code::invalid says which of the two is wrong, never what is in the key.
  static Result<std::shared_ptr<TlsContext>> make(const std::string& chain, const std::string& key);

  Status replace(const std::string& chain, const std::string& key);
  std::unique_ptr<TlsSession> accept(int fd) const;  // null: out of memory
  int64_t expires_at_s() const;                      // Unix time at which the certificate ends

 private:
  struct Loaded {
    std::shared_ptr<ssl_ctx_st> ssl;
    int64_t expires_at_s = 0;
  };
  static Result<Loaded> load(const std::string& chain, const std::string& key);

  mutable std::mutex mu_;
  Loaded loaded_;  // guarded by mu_
};

// A key and a certificate of its own making for these names ("localhost", "10.0.0.7"), as one PEM text; valid 397 days.
Result<std::string> make_self_signed(const std::vector<std::string>& names);

}  // namespace millstream::net
