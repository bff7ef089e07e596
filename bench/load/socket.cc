#include "load/socket.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <ctime>

namespace millstream::load {
namespace {

Error system_error(std::string_view call) {
  return Error{Code::unavailable, std::string(call) + ": " + std::strerror(errno)};
}

const sockaddr* generic(const sockaddr_in& address) { return reinterpret_cast<const sockaddr*>(&address); }

void set_flag(const Socket& socket, int level, int option) {
  const int on = 1;
  ::setsockopt(socket.fd(), level, option, &on, sizeof on);
}

}  // namespace

Result<Endpoint> parse_url(std::string_view url) {
  constexpr std::string_view kPlain = "http://";
  constexpr std::string_view kTls = "https://";
  const bool tls = url.starts_with(kTls);
  if (!tls && !url.starts_with(kPlain)) return Error{Code::invalid, "url: must begin with http:// or https://"};
  url.remove_prefix(tls ? kTls.size() : kPlain.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  Result<Endpoint> endpoint = parse_address(url);
  if (endpoint) endpoint->tls = tls;
  return endpoint;
}

Result<Endpoint> parse_address(std::string_view address) {
  const Error wrong{Code::invalid, "address: not a.b.c.d:port"};
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  const std::string_view port = address.substr(colon + 1);
  uint16_t number = 0;
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), number);
  if (error != std::errc() || end != port.data() + port.size()) return wrong;
  Endpoint endpoint;
  endpoint.authority = address;
  endpoint.address.sin_family = AF_INET;
  endpoint.address.sin_port = htons(number);
  const std::string host(address.substr(0, colon));
  if (::inet_pton(AF_INET, host.c_str(), &endpoint.address.sin_addr) != 1) return wrong;
  return endpoint;
}

void Socket::close() {
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

namespace {

bool is_loopback(const sockaddr_in& address) {
  return ntohl(address.sin_addr.s_addr) >> IN_CLASSA_NSHIFT == IN_LOOPBACKNET;
}

}  // namespace

Result<Socket> start_connect(const Endpoint& to, uint8_t source) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return system_error("socket");
  set_flag(socket, IPPROTO_TCP, TCP_NODELAY);
  if (source > 0 && is_loopback(to.address)) {
    sockaddr_in from{};
    from.sin_family = AF_INET;
    from.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + source);
    set_flag(socket, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
    if (::bind(socket.fd(), generic(from), sizeof from) != 0) return system_error("bind");
  }
  if (::connect(socket.fd(), generic(to.address), sizeof to.address) != 0 && errno != EINPROGRESS) {
    return system_error("connect");
  }
  return socket;
}

Status connect_result(const Socket& socket) {
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) return {};
  errno = error;
  return system_error("connect");
}

Result<Socket> connect_now(const Endpoint& to) {
  Result<Socket> socket = start_connect(to, 0);
  if (!socket) return socket;
  Poller poller;
  poller.add(*socket, EPOLLOUT, 0);
  if (poller.wait(5'000'000'000).empty()) return Error{Code::unavailable, "connect: no answer in 5 s"};
  if (const Status status = connect_result(*socket); !status) return status.error();
  if (!to.tls) return socket;
  socket->start_tls("");
  poller.change(*socket, EPOLLIN, 0);
  for (;;) {
    const Result<bool> done = socket->shake_hands();
    if (!done) return done.error();
    if (*done) return socket;
    if (poller.wait(5'000'000'000).empty()) return Error{Code::unavailable, "TLS: no answer in 5 s"};
  }
}

void Socket::start_tls(std::string_view protocol) {
  static SSL_CTX* const context = [] {
    SSL_CTX* made = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(made, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
    return made;
  }();
  tls_ = std::shared_ptr<ssl_st>(SSL_new(context), [](ssl_st* ssl) { SSL_free(ssl); });
  SSL_set_fd(tls_.get(), fd_);
  SSL_set_connect_state(tls_.get());
  if (protocol.empty()) return;
  const std::string offer = static_cast<char>(protocol.size()) + std::string(protocol);
  SSL_set_alpn_protos(tls_.get(), reinterpret_cast<const unsigned char*>(offer.data()),
                      static_cast<unsigned>(offer.size()));
}

Result<bool> Socket::shake_hands() {
  if (!tls_) return true;
  const int result = SSL_do_handshake(tls_.get());
  if (result == 1) return true;
  if (SSL_get_error(tls_.get(), result) == SSL_ERROR_WANT_READ) return false;
  return Error{Code::unavailable, "TLS handshake failed"};
}

Result<Socket> listen_on(const Endpoint& at) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return system_error("socket");
  set_flag(socket, SOL_SOCKET, SO_REUSEADDR);
  if (::bind(socket.fd(), generic(at.address), sizeof at.address) != 0) return system_error("bind");
  if (::listen(socket.fd(), SOMAXCONN) != 0) return system_error("listen");
  return socket;
}

uint16_t bound_port(const Socket& socket) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  ::getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

Socket accept_one(const Socket& listener) {
  Socket socket(::accept4(listener.fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.is_open()) set_flag(socket, IPPROTO_TCP, TCP_NODELAY);
  return socket;
}

namespace {

// As recv(2) and send(2) would have it.
ssize_t tls_result(ssl_st* ssl, int result) {
  if (result > 0) return result;
  const int error = SSL_get_error(ssl, result);
  if (error == SSL_ERROR_ZERO_RETURN) return 0;
  errno = error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? EAGAIN : EPROTO;
  return -1;
}

}  // namespace

ssize_t receive(const Socket& socket, char* out, size_t size) {
  if (!socket.tls_) return ::recv(socket.fd(), out, size, 0);
  size_t got = 0;
  while (got < size) {
    const ssize_t n =
        tls_result(socket.tls_.get(), SSL_read(socket.tls_.get(), out + got, static_cast<int>(size - got)));
    if (n <= 0) return got > 0 ? static_cast<ssize_t>(got) : n;
    got += static_cast<size_t>(n);
  }
  return static_cast<ssize_t>(got);
}

Result<size_t> send_some(const Socket& socket, std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size()) {
    const ssize_t n = socket.tls_ ? tls_result(socket.tls_.get(), SSL_write(socket.tls_.get(), bytes.data() + taken,
                                                                            static_cast<int>(bytes.size() - taken)))
                                  : ::send(socket.fd(), bytes.data() + taken, bytes.size() - taken, MSG_NOSIGNAL);
    if (n >= 0) {
      taken += static_cast<size_t>(n);
    } else if (errno == EAGAIN) {
      break;
    } else if (errno != EINTR) {
      return system_error("send");
    }
  }
  return taken;
}

Poller::Poller() : epoll_(::epoll_create1(EPOLL_CLOEXEC)), ready_(512) {}

void Poller::add(const Socket& socket, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  ::epoll_ctl(epoll_.fd(), EPOLL_CTL_ADD, socket.fd(), &event);
}

void Poller::change(const Socket& socket, uint32_t events, uint64_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = tag;
  ::epoll_ctl(epoll_.fd(), EPOLL_CTL_MOD, socket.fd(), &event);
}

std::span<const epoll_event> Poller::wait(int64_t ns) {
  const timespec timeout{ns / 1'000'000'000, ns % 1'000'000'000};
  const int n = ::epoll_pwait2(epoll_.fd(), ready_.data(), static_cast<int>(ready_.size()), &timeout, nullptr);
  return {ready_.data(), static_cast<size_t>(n < 0 ? 0 : n)};
}

int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

int64_t raise_open_files() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return static_cast<int64_t>(limit.rlim_cur);
}

}  // namespace millstream::load
