// redis/connection.h: one connected socket to a Redis, under a deadline: commands out, replies in.
//
// Flow     open() -> exchange(), or write() and read_one(), again and again.
// Errors   Code::unavailable; the connection is of no use after any error, that of a timeout included.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/tls_client.h"
#include "net/transport.h"
#include "redis/options.h"
#include "redis/resp.h"

namespace millstream::redis {

class Connection {
 public:
  // Tries the resolver's addresses in turn. `tls` null: in the clear. `wake_fd`: readable once the owner wants no more.
  static Result<std::unique_ptr<Connection>> open(const Address& address, const net::TlsClientContext* tls,
                                                  const Clock& clock, int wake_fd, int64_t deadline_ms);

  // `count` replies, read while the bytes are still being written.
  Result<std::vector<Reply>> exchange(std::string_view bytes, size_t count, int64_t deadline_ms);
  Status write(std::string_view bytes, int64_t deadline_ms);
  // Nothing: nothing came until then, and the connection is as good as before.
  Result<std::optional<Reply>> read_one(int64_t deadline_ms);
  // The peer has closed, or said something nobody asked for.
  bool is_stale();

 private:
  Connection(const Clock& clock, int wake_fd) : clock_(clock), wake_fd_(wake_fd) {}

  Status reach(const net::SocketAddress& address, int64_t deadline_ms);
  Status shake_hands(const net::TlsClientContext& tls, const std::string& host, int64_t deadline_ms);
  Result<bool> wait(short events, int64_t deadline_ms) const;
  Status receive_or_wait(bool writes, int64_t deadline_ms);
  Status send_some(std::string_view& bytes);
  Result<bool> receive_some();
  Error broken() const;

  const Clock& clock_;
  const int wake_fd_;
  net::Transport transport_{UniqueFd()};
  const net::TlsSession* tls_ = nullptr;  // of transport_
  ReplyReader reader_;
};

}  // namespace millstream::redis
