// http/request_parser.h: bytes of a connection -> requests. Knows no socket.
//
// Flow     feed() until `head`; the caller finds the route and says limit_body(); feed() on until `done`; take the
//          request; reset() for the next one.
// Limits   ServerLimits for the head, trailers and chunk lines; limit_body() for the body.
// Errors   Step::refused, with refusal(). The connection is of no use after that: where the next request starts is
//          unknown.
// Thread   value
// Source   RFC 9112. Field and chunk syntax is Boost.Beast's; head_scan and head_rules add what it lets pass.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "http/head_rules.h"
#include "http/limits.h"
#include "http/message.h"

namespace millstream::http {

class RequestParser {
 public:
  enum class Step { more, head, done, refused };

  explicit RequestParser(const ServerLimits& limits);  // which must outlive it
  ~RequestParser();

  // Looks at `bytes`, which start where the last call stopped, and says in `used` how many it took. Those it did not
  // take must be offered again, together with what follows them.
  Step feed(std::string_view bytes, size_t& used);
  // After `head`, once. False: the client has already announced more.
  [[nodiscard]] bool limit_body(size_t body_bytes_max);
  void reset();

  // From `head` on:
  Request& request();
  bool keep_alive() const;  // the client would send another request here
  int version() const;      // 10 or 11
  bool has_body() const;
  std::optional<uint64_t> content_length() const;
  bool expects_continue() const;
  // After `refused`:
  const Refusal& refusal() const;
  bool head_known() const;  // the refusal came after `head`, so request() says what was asked

 private:
  struct Impl;
  Step refuse(int status, std::string_view detail);
  Step feed_head(std::string_view bytes, size_t& used);
  Step parse_head(std::string_view text);
  Step feed_body(std::string_view bytes, size_t& used);

  std::unique_ptr<Impl> impl_;
};

}  // namespace millstream::http
