// auth/cookie.h: the session cookie: finding it in a request, and the text that sets it.
//
// Shapes   value: "mls_" and 43 letters of base64url (256 random bits), of which only the SHA-256 is kept. Under HTTPS
// the
//          name has the prefix "__Host-", which browsers bind to this very host and to Secure; in the clear it has
//          none.
// Thread   value
// Source   RFC 6265bis (cookies, prefixes)
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millstream::auth {

class SessionCookie {
 public:
  explicit SessionCookie(bool secure) : secure_(secure) {}

  std::string_view name() const { return secure_ ? "__Host-millstream" : "millstream"; }
  // The value out of a Cookie header; of two of that name neither: one of them was planted. Nothing: not there.
  std::optional<std::string_view> find(std::string_view cookie_header) const;
  // The Set-Cookie that keeps it for so long, and the one that makes the browser forget it.
  std::string set(std::string_view value, int64_t lasts_ms) const;
  std::string forget() const;

 private:
  const bool secure_;
};

std::string make_session_text();
// What the store knows it by; none: not the form of one.
std::optional<std::string> session_sha256(std::string_view text);

}  // namespace millstream::auth
