// http/target.h: a request target taken apart: path, query, and the authority of an absolute one.
//
// Shapes   The path is decoded segment by segment, after splitting, so that "%2F" can never make a segment of its own.
// Errors   nullopt: the target is refused (400). "." and "..", empty segments (but for one at the end), bad escapes,
//          control characters, fragments and bytes beyond ASCII are never repaired: what another parser on the way
//          would have repaired differently is what request smuggling lives on.
// Thread   value
// Source   RFC 9112 3.2, RFC 3986 3.3
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace millstream::http {

struct Target {
  std::string path;            // decoded, starts with "/"; "*" for "OPTIONS *"
  std::string_view query;      // still encoded, points into the raw target
  std::string_view authority;  // "host[:port]" of an absolute target, else empty
};

std::optional<Target> parse_target(std::string_view method, std::string_view raw);

// A value of Host: "host[:port]" or "[v6][:port]", nothing else.
bool is_host(std::string_view value);

}  // namespace millstream::http
