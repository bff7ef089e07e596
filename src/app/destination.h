// app/destination.h: whether an address is one that others may make the server connect to.
//
// Flow     asked for every address just before a socket is opened for it, so that a name that resolves to something
// else
//          the next time (DNS rebinding) gets nowhere.
// Shapes   inner: this machine, private and shared networks (RFC 1918, RFC 6598, unique local). refused: what nobody
//          means to send to, even inside: link-local with the metadata services of clouds, multicast, "this network",
//          reserved ranges. IPv4 addresses inside IPv6 ones count as what they are.
// Thread   value
// Source   IANA IPv4 and IPv6 special-purpose address registries (RFC 6890 and its updates)
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace millstream::app {

enum class Reach : uint8_t { global, inner, refused };

Reach reach_of(const sockaddr& address);
// Of a host as it stands in a URL, when that is an address and no name.
std::optional<Reach> reach_of_literal(const std::string& host);
constexpr bool may_reach(Reach reach, bool allow_private) {
  return reach == Reach::global || (reach == Reach::inner && allow_private);
}

}  // namespace millstream::app
