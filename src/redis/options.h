// redis/options.h: which Redis, and who we are there; all of it, or as much as a URL says.
//
// Thread   value
// Source   the URL schemes "redis" and "rediss" as registered with IANA; "redis+sentinel" as clients commonly write it
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millstream::redis {

struct Address {
  std::string host;  // a name or an IP address, without brackets
  uint16_t port = 0;
};

struct Options {
  std::vector<Address> servers;
  std::string sentinel_master;  // empty: `servers` are Redis itself, and the first that is a master is taken
  std::string user;             // empty: the default user
  std::string password;         // empty: no AUTH
  std::string sentinel_user;
  std::string sentinel_password;
  bool tls = false;              // to the sentinels too
  std::string ca_file;           // PEM: who alone may vouch for the server; empty: those the system trusts
  std::string certificate_file;  // PEM: our own, where the server asks for one (as Redis does by default)
  std::string key_file;
  int database = 0;
  int64_t connect_timeout_ms = 1000;
};

// redis://[user[:password]@]host[:6379][/database], rediss:// with TLS, and
// redis+sentinel://[user[:password]@]host[:26379][,host[:port]...]/master[/database], rediss+sentinel:// with TLS.
// User and password are percent-encoded. "redis://:password@host" is the default user; "redis://user@host" leaves the
// password to be given elsewhere. Code::invalid says what is wrong where, and shows nothing of the user or password.
Result<Options> parse_url(std::string_view url);
// "host:6379", "[::1]:6379".
std::string address_text(const Address& address);

}  // namespace millstream::redis
