#include "load/stalled_readers.h"

#include <sys/socket.h>

#include <utility>

namespace millstream::load {
namespace {
constexpr int kReceiveBufferBytes = 4 << 10;  // soon full
}

Result<std::vector<Socket>> open_stalled_readers(const Endpoint& to, const std::string& request, size_t count) {
  std::vector<Socket> all;
  all.reserve(count);
  for (size_t i = 0; i < count; ++i) {
    Result<Socket> socket = connect_now(to);
    if (!socket) return socket.error();
    ::setsockopt(socket->fd(), SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof kReceiveBufferBytes);
    if (const Result<size_t> sent = send_some(*socket, request); !sent) return sent.error();
    all.push_back(std::move(*socket));
  }
  return all;
}

}  // namespace millstream::load
