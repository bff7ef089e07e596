// api/browser.h: where a request really comes from: which page, and which address.
//
// Errors   check_page(): Code::forbidden.
// Thread   value
// Source   OWASP CSRF Prevention Cheat Sheet; W3C Fetch Metadata; RFC 6454 (Origin)
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"

namespace millstream::api {

// For what a browser lets in by itself (a cookie, or development mode): only pages of this server, or of an allowed
// origin, may use that. Whoever knows a token or key may use it from anywhere.
// A browser says so itself (Sec-Fetch-Site), else the page's Origin must be this host's. A request that changes
// something and says neither is refused when `strict`: a browser old enough for that is not to be trusted with it.
Status check_page(const http::Request& request, const std::vector<std::string>& allowed_origins, bool strict);

// For development mode, which asks nobody who they are: the address must be spelled as one of this machine. A page that
// has its own name resolve to this machine (DNS rebinding) is of the same origin, but says that name.
Status check_local_host(const http::Request& request);

// Addresses and networks of proxies that are believed what they say in X-Forwarded-For: "10.0.0.0/8", "::1".
class TrustedProxies {
 public:
  // Code::invalid: not an address or network.
  static Result<TrustedProxies> parse(const std::vector<std::string>& networks);

  // The last address that is not a trusted proxy's.
  std::string client_of(const http::Request& request) const;

 private:
  struct Network {
    std::string bytes;  // 16: IPv4 as IPv6
    int bits = 0;
  };
  bool holds(std::string_view address) const;

  std::vector<Network> networks_;
};

// Who counts as one where failures are counted: an IPv4 address, or the /64 that one IPv6 customer has.
std::string address_block(const std::string& address);

}  // namespace millstream::api
