// load/request_connection.h: one keep-alive connection that has at most one request under way.
//
// Errors   is_open() turns false when the server closes or answers what is not HTTP; there is no second try.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "load/response_reader.h"
#include "load/socket.h"

namespace millstream::load {

// "POST <path> HTTP/1.1" with Host, the extra header lines (each ending in CR LF) and Content-Length. Append the body.
std::string post_head(const Endpoint& to, std::string_view path, std::string_view extra_headers, size_t body_bytes);

class RequestConnection {
 public:
  struct Answer {
    int status = 0;
    std::string body;
  };

  RequestConnection(Poller& poller, Socket socket, uint64_t tag);

  bool is_open() const { return socket_.is_open(); }
  // The server has answered, and closes after every answer: make a new one.
  bool is_spent() const { return spent_; }
  bool is_idle() const { return is_open() && !waiting_; }

  // Precondition: is_idle().
  void send(std::string request);
  // Call with what the poller said of this connection; the answer when it is complete.
  std::optional<Answer> on_ready(uint32_t events);

 private:
  void flush();
  void await(uint32_t events);

  Poller* poller_;
  Socket socket_;
  uint64_t tag_;
  uint32_t awaited_ = 0;
  std::string request_;
  size_t sent_ = 0;
  bool waiting_ = false;
  bool spent_ = false;
  ResponseReader reader_;
  std::string body_;
};

// A whole GET request.
std::string get_head(const Endpoint& from, std::string_view path, std::string_view extra_headers);

// Sends and waits for the answer: the body of a 200. The poller knows this connection alone, which is idle.
Result<std::string> ask(RequestConnection& connection, Poller& poller, std::string request);

// One GET on a connection of its own, waiting for the answer; for scraping /metrics before and after a run.
Result<std::string> get_now(const Endpoint& from, std::string_view path, std::string_view extra_headers);

}  // namespace millstream::load
