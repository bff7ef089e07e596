#include "redis/options.h"

#include <algorithm>
#include <charconv>

#include "base/percent.h"

namespace millstream::redis {

namespace {

constexpr uint16_t kRedisPort = 6379;
constexpr uint16_t kSentinelPort = 26379;

Error wrong(std::string what) { return Error{Code::invalid, "the URL of Redis: " + std::move(what)}; }

template <class N>
bool parse_number(std::string_view digits, N& out) {
  const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), out);
  return failed == std::errc() && end == digits.data() + digits.size();
}

// What comes before `mark`, taken off `text`; all of it where there is none.
std::string_view take_until(std::string_view& text, char mark) {
  const size_t at = std::min(text.find(mark), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(std::min(at + 1, text.size()));
  return part;
}

Status parse_scheme(std::string_view scheme, bool& sentinel, Options& out) {
  sentinel = scheme == "redis+sentinel" || scheme == "rediss+sentinel";
  out.tls = scheme.starts_with("rediss");
  if (sentinel || scheme == "redis" || scheme == "rediss") return {};
  return wrong("begins with none of redis://, rediss://, redis+sentinel://, rediss+sentinel://");
}

Status parse_credentials(std::string_view text, Options& out) {
  const std::string_view user = take_until(text, ':');
  if (!append_percent_decoded(user, false, out.user)) return wrong("the user is not percent-encoded as it should be");
  if (!append_percent_decoded(text, false, out.password)) {
    return wrong("the password is not percent-encoded as it should be");
  }
  return {};
}

Result<Address> parse_host(std::string_view text, uint16_t port) {
  Address address;
  address.port = port;
  std::string_view rest = text;
  if (text.starts_with('[')) {
    rest.remove_prefix(1);
    address.host = take_until(rest, ']');
    if (address.host.size() + 2 > text.size() || (!rest.empty() && rest.front() != ':')) {
      return wrong("\"" + std::string(text) + "\": not [IPv6 address]:port");
    }
    if (!rest.empty()) rest.remove_prefix(1);
  } else {
    address.host = take_until(rest, ':');
  }
  if (address.host.empty()) return wrong("a host is missing");
  const bool has_port = text.back() == ':' || !rest.empty();
  if (has_port && (!parse_number(rest, address.port) || address.port == 0)) {
    return wrong("\"" + std::string(text) + "\": the port is not a number from 1 to 65535");
  }
  return address;
}

Status parse_hosts(std::string_view text, bool sentinel, Options& out) {
  if (text.empty()) return wrong("a host is missing");
  if (!sentinel && text.find(',') != text.npos) {
    return wrong("several hosts are for redis+sentinel://, where each is a sentinel");
  }
  while (!text.empty()) {
    const bool more = text.find(',') != text.npos;
    Result<Address> address = parse_host(take_until(text, ','), sentinel ? kSentinelPort : kRedisPort);
    if (!address) return address.error();
    out.servers.push_back(std::move(*address));
    if (more && text.empty()) return wrong("a host is missing");
  }
  return {};
}

Status parse_path(std::string_view path, bool sentinel, Options& out) {
  if (sentinel && !append_percent_decoded(take_until(path, '/'), false, out.sentinel_master)) {
    return wrong("the name of the master is not percent-encoded as it should be");
  }
  if (sentinel && out.sentinel_master.empty()) {
    return wrong("no name of a master after the hosts, as in redis+sentinel://host/mymaster");
  }
  if (path.empty()) return {};
  if (!parse_number(path, out.database) || out.database < 0) {
    return wrong("\"/" + std::string(path) + "\": the database is not a number");
  }
  return {};
}

}  // namespace

Result<Options> parse_url(std::string_view url) {
  Options options;
  bool sentinel = false;
  const size_t colon = url.find("://");
  if (Status s = parse_scheme(url.substr(0, colon == url.npos ? 0 : colon), sentinel, options); !s) return s.error();
  std::string_view rest = url.substr(colon + 3);
  // The last '@': whoever left one unencoded in a password is not to see half of it taken for a host, and printed.
  if (const size_t at = rest.rfind('@'); at != rest.npos) {
    if (Status s = parse_credentials(rest.substr(0, at), options); !s) return s.error();
    rest.remove_prefix(at + 1);
  }
  if (rest.find_first_of("?#") != rest.npos) return wrong("no ?parameters and no #fragment are known");
  if (Status s = parse_hosts(take_until(rest, '/'), sentinel, options); !s) return s.error();
  if (Status s = parse_path(rest, sentinel, options); !s) return s.error();
  return options;
}

std::string address_text(const Address& address) {
  const bool v6 = address.host.find(':') != std::string::npos;
  return (v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(address.port);
}

}  // namespace millstream::redis
