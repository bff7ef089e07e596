#include "load/socket.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
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
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return Error{Code::invalid, "url: must begin with http://"};
  url.remove_prefix(kScheme.size());
  if (url.ends_with('/')) url.remove_suffix(1);
  return parse_address(url);
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

Result<Socket> start_connect(const Endpoint& to, uint8_t source) {
  Socket socket(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return system_error("socket");
  set_flag(socket, IPPROTO_TCP, TCP_NODELAY);
  if (source > 0) {
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
  return socket;
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

Result<size_t> send_some(const Socket& socket, std::string_view bytes) {
  size_t taken = 0;
  while (taken < bytes.size()) {
    const ssize_t n = ::send(socket.fd(), bytes.data() + taken, bytes.size() - taken, MSG_NOSIGNAL);
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
