#include "net/transport.h"

#include <array>

namespace millstream::net {

namespace {
constexpr int kDiscardedRecordsMax = 8;  // in one turn
}

ssize_t Transport::receive(char* out, size_t size) {
  return tls_ ? tls_->receive(out, size) : ::recv(fd_.get(), out, size, MSG_DONTWAIT);
}

int64_t Transport::discard_input() {
  if (!tls_) return net::discard_input(fd_.get());
  static thread_local std::array<char, size_t{16} << 10> dropped;
  int64_t total = 0;
  for (int i = 0; i < kDiscardedRecordsMax; ++i) {
    const ssize_t got = tls_->receive(dropped.data(), dropped.size());
    if (got <= 0) return total > 0 ? total : got;
    total += got;
  }
  return total;
}

void Transport::end_sending() {
  if (tls_) tls_->finish();
  ::shutdown(fd_.get(), SHUT_WR);
}

void Transport::reset() {
  if (fd_ && tls_) tls_->finish();
  tls_.reset();
  fd_.reset();
}

}  // namespace millstream::net
