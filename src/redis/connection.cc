#include "redis/connection.h"

#include <netdb.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/freed.h"

namespace millstream::redis {

namespace {

constexpr size_t kReceiveBytes = 64 << 10;

using FoundAddresses = std::unique_ptr<addrinfo, Freed<freeaddrinfo>>;

Error unavailable(std::string what) { return Error{Code::unavailable, std::move(what)}; }
Error late() { return unavailable("no answer in time"); }

Result<FoundAddresses> look_up(const Address& address) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failed = ::getaddrinfo(address.host.c_str(), std::to_string(address.port).c_str(), &hints, &found);
  if (failed != 0) return unavailable(::gai_strerror(failed));
  return FoundAddresses(found);
}

net::SocketAddress socket_address(const addrinfo& found) {
  net::SocketAddress address;
  address.size = found.ai_addrlen;
  std::copy_n(reinterpret_cast<const char*>(found.ai_addr), found.ai_addrlen,
              reinterpret_cast<char*>(&address.storage));
  return address;
}

}  // namespace

Result<std::unique_ptr<Connection>> Connection::open(const Address& address, const net::TlsClientContext* tls,
                                                     const Clock& clock, int wake_fd, int64_t deadline_ms) {
  const Result<FoundAddresses> found = look_up(address);
  if (!found) return found.error();
  Status reached = unavailable("the name has no address");
  for (const addrinfo* one = found->get(); one; one = one->ai_next) {
    std::unique_ptr<Connection> connection(new Connection(clock, wake_fd));
    reached = connection->reach(socket_address(*one), deadline_ms);
    if (reached && tls) reached = connection->shake_hands(*tls, address.host, deadline_ms);
    if (reached) return connection;
  }
  return reached.error();
}

Status Connection::reach(const net::SocketAddress& address, int64_t deadline_ms) {
  Result<int> fd = net::connect_tcp(address);
  if (!fd) return fd.error();
  transport_ = net::Transport(UniqueFd(*fd));
  const Result<bool> decided = wait(POLLOUT, deadline_ms);
  if (!decided) return decided.error();
  if (!*decided) return unavailable("cannot be reached in time");
  if (const int failed = net::socket_error(*fd)) return unavailable(std::generic_category().message(failed));
  net::set_no_delay(*fd);
  return {};
}

Status Connection::shake_hands(const net::TlsClientContext& tls, const std::string& host, int64_t deadline_ms) {
  std::unique_ptr<net::TlsSession> session = tls.connect(transport_.fd(), host);
  if (!session) return unavailable("TLS cannot be set up for this host");
  tls_ = session.get();
  transport_.start_tls(std::move(session));
  while (true) {
    if (const Result<bool> received = receive_some(); !received) return received.error();
    if (tls_->is_established()) return {};
    const Result<bool> ready = wait(POLLIN, deadline_ms);
    if (!ready) return ready.error();
    if (!*ready) return unavailable("no TLS in time");
  }
}

Result<std::vector<Reply>> Connection::exchange(std::string_view bytes, size_t count, int64_t deadline_ms) {
  std::vector<Reply> replies;
  replies.reserve(count);
  while (replies.size() < count) {
    Result<std::optional<Reply>> reply = reader_.next();
    if (!reply) return unavailable(reply.error().detail);
    if (*reply) {
      replies.push_back(std::move(**reply));
      continue;
    }
    if (Status s = send_some(bytes); !s) return s.error();
    if (Status s = receive_or_wait(!bytes.empty(), deadline_ms); !s) return s.error();
  }
  if (!bytes.empty()) return unavailable("answers what was not asked yet");
  return replies;
}

Status Connection::write(std::string_view bytes, int64_t deadline_ms) {
  while (true) {
    if (Status s = send_some(bytes); !s) return s;
    if (bytes.empty() && !transport_.has_unsent()) return {};
    if (Status s = receive_or_wait(true, deadline_ms); !s) return s;
  }
}

Result<std::optional<Reply>> Connection::read_one(int64_t deadline_ms) {
  while (true) {
    Result<std::optional<Reply>> reply = reader_.next();
    if (!reply) return unavailable(reply.error().detail);
    if (*reply) return reply;
    const Result<bool> received = receive_some();
    if (!received) return received.error();
    if (*received) continue;
    const Result<bool> ready = wait(POLLIN, deadline_ms);
    if (!ready) return ready.error();
    if (!*ready) return std::optional<Reply>();
  }
}

bool Connection::is_stale() {
  const Result<bool> received = receive_some();
  return !received || !reader_.is_empty();
}

// Reads what there is; where there is nothing, waits for something or, if `writes`, for room.
Status Connection::receive_or_wait(bool writes, int64_t deadline_ms) {
  if (clock_.steady_ms() >= deadline_ms) return late();
  const Result<bool> received = receive_some();
  if (!received) return received.error();
  if (*received) return {};
  const Result<bool> ready = wait(writes ? POLLIN | POLLOUT : POLLIN, deadline_ms);
  if (!ready) return ready.error();
  return *ready ? Status() : late();
}

Status Connection::send_some(std::string_view& bytes) {
  if (bytes.empty()) return {};
  const iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
  const ssize_t sent = transport_.send({&piece, 1});
  if (sent < 0) return broken();
  bytes.remove_prefix(static_cast<size_t>(sent));
  return {};
}

// Whether something came.
Result<bool> Connection::receive_some() {
  static thread_local std::array<char, kReceiveBytes> buffer;
  transport_.flush();
  const ssize_t got = transport_.receive(buffer.data(), buffer.size());
  if (got == 0) return unavailable("the server closed the connection");
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR)) return false;
  if (got < 0) return broken();
  reader_.feed({buffer.data(), static_cast<size_t>(got)});
  return true;
}

// Whether the socket is ready; false: not until then.
Result<bool> Connection::wait(short events, int64_t deadline_ms) const {
  if (transport_.has_unsent()) events |= POLLOUT;
  std::array<pollfd, 2> watched{pollfd{transport_.fd(), events, 0}, pollfd{wake_fd_, POLLIN, 0}};
  while (true) {
    const int64_t left_ms = std::clamp<int64_t>(deadline_ms - clock_.steady_ms(), 0, 1'000'000);
    const int ready = ::poll(watched.data(), watched.size(), static_cast<int>(left_ms));
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return broken();
    if (watched[1].revents) return unavailable("interrupted");
    if (ready > 0) return true;
    if (clock_.steady_ms() >= deadline_ms) return false;
  }
}

Error Connection::broken() const {
  const std::string system = std::generic_category().message(errno);
  return unavailable(tls_ && !tls_->failure().empty() ? "TLS: " + tls_->failure() : system);
}

}  // namespace millstream::redis
