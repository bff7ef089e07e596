// net/socket.h: making and setting up TCP sockets.
//
// Shapes   an address is "host:port" with a numeric host ("127.0.0.1:8080", "[::1]:8080") or "localhost"; no names are
//          looked up, so nothing here waits for DNS.
// Errors   Code::invalid names the address; Code::unavailable says what the system answered.
// Thread   any
// Source   ip(7), tcp(7), ipv6(7)
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/unique_fd.h"

namespace millstream::net {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

Result<SocketAddress> parse_address(std::string_view address);
// Without the port; an IPv4 address mapped into IPv6 is printed as IPv4.
std::string host_text(const SocketAddress& address);
// "127.0.0.1:8080", "127.0.0.1", "[::1]:8080", "::1", "localhost": reachable from this machine only.
bool is_loopback(std::string_view address);

struct ListenOptions {
  bool reuse_port = false;  // several loops listen on one port and the kernel shares the connections out
  int backlog = 4096;
};

// A listening, non-blocking socket; the caller owns the descriptor. Port 0: the system picks one. "[::]:port" also
// takes IPv4 connections.
Result<int> listen_tcp(std::string_view address, ListenOptions options = {});
Result<uint16_t> bound_port(int fd);

// A non-blocking socket that is being connected: writable (or in error) once it is decided.
Result<int> connect_tcp(const SocketAddress& address);
// What became of connecting, or of the last failed operation: 0 or an errno.
int socket_error(int fd);

// Set on a listening socket, accepted ones inherit these. False: refused by the system.
bool set_no_delay(int fd);
bool set_user_timeout_ms(int fd, int64_t timeout_ms);  // unacknowledged bytes this old end the connection
bool set_unsent_bytes_max(int fd, int bytes);          // more than this, not sent yet, the kernel does not take
bool set_send_buffer_bytes(int fd, int bytes);         // the kernel doubles it for its own use

// Bytes the socket takes now, 0 when it is full, -1 on an error (errno).
ssize_t send_some(int fd, std::span<const iovec> pieces);

// Throws away what the peer has sent, without copying it. Bytes dropped; 0: the peer has finished; -1: see errno.
int64_t discard_input(int fd);

}  // namespace millstream::net
