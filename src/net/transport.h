// net/transport.h: a connected socket, in the clear or under TLS. Whoever reads and writes need not know which.
//
// Shapes   16 bytes; the session of TLS is on the heap.
// Errors   through errno, as recv(2) and send(2).
// Thread   loop
#pragma once

#include <memory>
#include <span>

#include "base/unique_fd.h"
#include "net/socket.h"
#include "net/tls.h"

namespace millstream::net {

class Transport {
 public:
  explicit Transport(UniqueFd fd, std::unique_ptr<TlsSession> tls = nullptr)
      : fd_(std::move(fd)), tls_(std::move(tls)) {}

  int fd() const { return fd_.get(); }
  explicit operator bool() const { return static_cast<bool>(fd_); }

  ssize_t receive(char* out, size_t size);  // as recv(2)
  // Bytes taken, 0 when the socket is full, -1 on an error.
  ssize_t send(std::span<const iovec> pieces) { return tls_ ? tls_->send(pieces) : send_some(fd_.get(), pieces); }
  // Bytes were taken that are not with the kernel yet: wait for EPOLLOUT and flush().
  bool has_unsent() const { return tls_ && tls_->has_unsent(); }
  bool flush() { return !tls_ || tls_->flush(); }
  // Throws away what the peer has sent. Bytes dropped; 0: the peer has finished; -1: see errno.
  int64_t discard_input();
  void end_sending();  // the peer sees an end; it may still send
  void reset();        // closes; under TLS the peer is told that this is the end

  // From here on under TLS.
  void start_tls(std::unique_ptr<TlsSession> session) { tls_ = std::move(session); }
  // The peer spoke HTTP without TLS. After drop_tls() it can be answered in kind.
  bool heard_plain_http() const { return tls_ && tls_->heard_plain_http(); }
  void drop_tls() { tls_.reset(); }

 private:
  UniqueFd fd_;
  std::unique_ptr<TlsSession> tls_;  // null: in the clear
};

}  // namespace millstream::net
