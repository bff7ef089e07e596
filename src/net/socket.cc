#include "net/socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <system_error>

namespace millstream::net {

namespace {

constexpr size_t kPiecesPerSendMax = 1024;  // IOV_MAX on Linux

struct HostPort {
  std::string host;
  std::string_view port;
};

std::optional<HostPort> split_address(std::string_view address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  std::string_view host = address.substr(0, colon);
  if (host.size() >= 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    if (host.find(':') == std::string_view::npos) return std::nullopt;
  } else if (host.find(':') != std::string_view::npos) {
    return std::nullopt;  // IPv6 without brackets: where the port begins is a guess
  }
  if (host == "localhost") host = "127.0.0.1";
  return HostPort{std::string(host), address.substr(colon + 1)};
}

bool set_host(const std::string& host, uint16_t port, SocketAddress& out) {
  auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    out.size = sizeof(sockaddr_in);
    return true;
  }
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
  if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    out.size = sizeof(sockaddr_in6);
    return true;
  }
  return false;
}

Error system_error(std::string_view what, std::string_view address) {
  return Error{Code::unavailable,
               std::string(what) + " " + std::string(address) + ": " + std::generic_category().message(errno)};
}

bool set_int(int fd, int level, int option, int value) {
  return ::setsockopt(fd, level, option, &value, sizeof(value)) == 0;
}

}  // namespace

Result<SocketAddress> parse_address(std::string_view address) {
  const auto refuse = [&](std::string_view why) {
    return Error{Code::invalid, "address \"" + std::string(address) + "\": " + std::string(why)};
  };
  const std::optional<HostPort> parts = split_address(address);
  if (!parts) return refuse("not host:port");
  uint16_t port = 0;
  const char* end = parts->port.data() + parts->port.size();
  const auto [rest, failed] = std::from_chars(parts->port.data(), end, port);
  if (failed != std::errc() || rest != end) return refuse("the port is not a number from 0 to 65535");
  SocketAddress out;
  if (!set_host(parts->host, port, out)) return refuse("the host is not an IP address");
  return out;
}

std::string host_text(const SocketAddress& address) {
  char text[INET6_ADDRSTRLEN] = {};
  if (address.storage.ss_family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address.storage);
    ::inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
  } else if (address.storage.ss_family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address.storage);
    if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
      ::inet_ntop(AF_INET, &v6->sin6_addr.s6_addr[12], text, sizeof(text));
    } else {
      ::inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    }
  }
  return text;
}

bool is_loopback(std::string_view address) {
  SocketAddress parsed;
  const std::optional<HostPort> parts = split_address(address);
  const std::string host = address == "localhost" ? "127.0.0.1" : std::string(address);
  if (!(parts && set_host(parts->host, 0, parsed)) && !set_host(host, 0, parsed)) return false;
  if (parsed.storage.ss_family == AF_INET6) {
    const in6_addr& v6 = reinterpret_cast<const sockaddr_in6*>(&parsed.storage)->sin6_addr;
    return IN6_IS_ADDR_LOOPBACK(&v6) || (IN6_IS_ADDR_V4MAPPED(&v6) && v6.s6_addr[12] == 127);
  }
  return (ntohl(reinterpret_cast<const sockaddr_in*>(&parsed.storage)->sin_addr.s_addr) >> 24) == 127;
}

Result<int> listen_tcp(std::string_view address, ListenOptions options) {
  const Result<SocketAddress> parsed = parse_address(address);
  if (!parsed) return parsed.error();
  UniqueFd fd(::socket(parsed->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("cannot listen on", address);
  bool ready = set_int(fd.get(), SOL_SOCKET, SO_REUSEADDR, 1);
  if (options.reuse_port) ready = ready && set_int(fd.get(), SOL_SOCKET, SO_REUSEPORT, 1);
  if (parsed->storage.ss_family == AF_INET6) ready = ready && set_int(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, 0);
  ready = ready && set_no_delay(fd.get()) && ::bind(fd.get(), parsed->get(), parsed->size) == 0 &&
          ::listen(fd.get(), options.backlog) == 0;
  if (!ready) return system_error("cannot listen on", address);
  return fd.release();
}

Result<uint16_t> bound_port(int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (::getsockname(fd, address.get(), &address.size) != 0) return system_error("no port of", "socket");
  if (address.storage.ss_family == AF_INET6) {
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&address.storage)->sin6_port);
  }
  return ntohs(reinterpret_cast<const sockaddr_in*>(&address.storage)->sin_port);
}

Result<int> connect_tcp(const SocketAddress& address) {
  UniqueFd fd(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return system_error("cannot connect to", host_text(address));
  if (::connect(fd.get(), address.get(), address.size) != 0 && errno != EINPROGRESS) {
    return system_error("cannot connect to", host_text(address));
  }
  set_no_delay(fd.get());
  return fd.release();
}

int socket_error(int fd) {
  int error = 0;
  socklen_t size = sizeof(error);
  return ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 ? error : errno;
}

bool set_no_delay(int fd) { return set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1); }

bool set_user_timeout_ms(int fd, int64_t timeout_ms) {
  return set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, static_cast<int>(timeout_ms));
}

bool set_unsent_bytes_max(int fd, int bytes) { return set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, bytes); }

bool set_send_buffer_bytes(int fd, int bytes) { return set_int(fd, SOL_SOCKET, SO_SNDBUF, bytes); }

ssize_t send_some(int fd, std::span<const iovec> pieces) {
  ssize_t sent;
  do {
    if (pieces.size() == 1) {
      sent = ::send(fd, pieces[0].iov_base, pieces[0].iov_len, MSG_NOSIGNAL | MSG_DONTWAIT);
    } else {
      msghdr message{};
      message.msg_iov = const_cast<iovec*>(pieces.data());
      message.msg_iovlen = std::min(pieces.size(), kPiecesPerSendMax);
      sent = ::sendmsg(fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  } while (sent < 0 && errno == EINTR);
  if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return 0;
  return sent;
}

int64_t discard_input(int fd) { return ::recv(fd, nullptr, size_t{1} << 30, MSG_TRUNC | MSG_DONTWAIT); }

}  // namespace millstream::net
