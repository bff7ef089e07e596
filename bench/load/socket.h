// load/socket.h: the few socket calls of a load program: non-blocking TCP over loopback, and epoll.
//
// Errors   Code::unavailable with the call and the system's reason.
// Thread   value
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

struct ssl_st;

namespace millstream::load {

struct Endpoint {
  sockaddr_in address{};
  std::string authority;  // "127.0.0.1:8080", for the Host line
  bool tls = false;
};
// "http://127.0.0.1:8080" or "https://…"; IPv4 addresses only.
Result<Endpoint> parse_url(std::string_view url);
// "127.0.0.1:0"
Result<Endpoint> parse_address(std::string_view address);

class Socket {
 public:
  Socket() = default;
  explicit Socket(int fd) : fd_(fd) {}
  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)), tls_(std::move(other.tls_)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(tls_, other.tls_);
    return *this;
  }
  ~Socket() { close(); }

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  void close();

  // TLS from here on, as the client; no certificate is checked. `protocol`: to offer by ALPN, "h2" or "" for none.
  void start_tls(std::string_view protocol);
  // True when there is nothing (more) to shake hands about; false: wait until it is readable.
  Result<bool> shake_hands();

 private:
  friend Result<size_t> send_some(const Socket& socket, std::string_view bytes);
  // As recv(2). Under TLS all there is, as far as it fits.
  ssize_t receive(const Socket& socket, char* out, size_t size);
  friend ssize_t receive(const Socket& socket, char* out, size_t size);

  int fd_ = -1;
  std::shared_ptr<ssl_st> tls_;
};

// Begins a non-blocking connect; the socket is writable when it is done. `source` n > 0 binds to 127.0.0.n if it
// goes to loopback, because more than some ten thousand connections from one address make connect() search long for a
// free port.
Result<Socket> start_connect(const Endpoint& to, uint8_t source);
Status connect_result(const Socket& socket);  // after the first writable
// Blocks while connecting and shaking hands; non-blocking afterwards.
Result<Socket> connect_now(const Endpoint& to);

Result<Socket> listen_on(const Endpoint& at);
uint16_t bound_port(const Socket& socket);
Socket accept_one(const Socket& listener);  // not open when none is waiting

// Sends until done or until the kernel takes no more; the bytes taken, or an error when the peer is gone.
Result<size_t> send_some(const Socket& socket, std::string_view bytes);

class Poller {
 public:
  Poller();
  // `tag` comes back with the readiness.
  void add(const Socket& socket, uint32_t events, uint64_t tag);
  void change(const Socket& socket, uint32_t events, uint64_t tag);
  // Waits at most `ns` (0: not at all). A closed socket leaves by itself.
  std::span<const epoll_event> wait(int64_t ns);

 private:
  Socket epoll_;
  std::vector<epoll_event> ready_;
};

int64_t now_ns();  // monotonic

// Raises the soft limit of open files to the hard one; the limit then in force.
int64_t raise_open_files();

}  // namespace millstream::load
