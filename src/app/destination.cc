#include "app/destination.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstring>

namespace millstream::app {
namespace {

struct Block4 {
  uint32_t address;
  int bits;
  Reach reach;
};
constexpr uint32_t v4(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return a << 24 | b << 16 | c << 8 | d; }

// The first that holds the address counts.
constexpr Block4 kBlocks4[] = {
    {v4(0, 0, 0, 0), 8, Reach::refused},        // this network
    {v4(10, 0, 0, 0), 8, Reach::inner},         // private
    {v4(100, 64, 0, 0), 10, Reach::inner},      // shared by a carrier
    {v4(127, 0, 0, 0), 8, Reach::inner},        // loopback
    {v4(169, 254, 0, 0), 16, Reach::refused},   // link-local, metadata services
    {v4(172, 16, 0, 0), 12, Reach::inner},      // private
    {v4(192, 0, 0, 0), 24, Reach::refused},     // protocol assignments
    {v4(192, 0, 2, 0), 24, Reach::refused},     // documentation
    {v4(192, 88, 99, 0), 24, Reach::refused},   // 6to4 relays
    {v4(192, 168, 0, 0), 16, Reach::inner},     // private
    {v4(198, 18, 0, 0), 15, Reach::inner},      // benchmarks
    {v4(198, 51, 100, 0), 24, Reach::refused},  // documentation
    {v4(203, 0, 113, 0), 24, Reach::refused},   // documentation
    {v4(224, 0, 0, 0), 3, Reach::refused},      // multicast, reserved, broadcast
};

Reach reach_of_v4(uint32_t address) {
  for (const Block4& block : kBlocks4) {
    if ((address ^ block.address) >> (32 - block.bits) == 0) return block.reach;
  }
  return Reach::global;
}

using Bytes16 = std::array<uint8_t, 16>;

uint32_t v4_at(const Bytes16& a, size_t from) { return v4(a[from], a[from + 1], a[from + 2], a[from + 3]); }

bool begins(const Bytes16& address, std::initializer_list<uint8_t> prefix) {
  size_t i = 0;
  for (const uint8_t byte : prefix) {
    if (address[i++] != byte) return false;
  }
  return true;
}

Reach reach_of_v6(const Bytes16& a) {
  if (begins(a, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff})) return reach_of_v4(v4_at(a, 12));     // v4-mapped
  if (begins(a, {0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0})) return reach_of_v4(v4_at(a, 12));  // NAT64
  if (begins(a, {0x20, 0x02})) return reach_of_v4(v4_at(a, 2));                                    // 6to4
  if (begins(a, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1})) return Reach::inner;            // loopback
  if ((a[0] & 0xfe) == 0xfc) return Reach::inner;                                                  // unique local
  if (begins(a, {0x20, 0x01, 0x0d, 0xb8})) return Reach::refused;                                  // documentation
  if (begins(a, {0x20, 0x01}) && a[2] < 2) return Reach::refused;  // protocol assignments, Teredo among them
  // Outside 2000::/3 nothing is global: unspecified, v4-compatible, link-local, site-local, multicast, discard.
  return (a[0] & 0xe0) == 0x20 ? Reach::global : Reach::refused;
}

}  // namespace

Reach reach_of(const sockaddr& address) {
  if (address.sa_family == AF_INET) {
    sockaddr_in in;
    std::memcpy(&in, &address, sizeof in);
    return reach_of_v4(ntohl(in.sin_addr.s_addr));
  }
  if (address.sa_family != AF_INET6) return Reach::refused;
  sockaddr_in6 in6;
  std::memcpy(&in6, &address, sizeof in6);
  Bytes16 bytes;
  std::memcpy(bytes.data(), &in6.sin6_addr, bytes.size());
  return reach_of_v6(bytes);
}

std::optional<Reach> reach_of_literal(const std::string& host) {
  sockaddr_in in{};
  if (inet_pton(AF_INET, host.c_str(), &in.sin_addr) == 1) return reach_of_v4(ntohl(in.sin_addr.s_addr));
  if (!host.starts_with('[') || !host.ends_with(']')) return std::nullopt;
  std::string inside = host.substr(1, host.size() - 2);
  inside = inside.substr(0, inside.find('%'));
  Bytes16 bytes;
  if (inet_pton(AF_INET6, inside.c_str(), bytes.data()) != 1) return std::nullopt;
  return reach_of_v6(bytes);
}

}  // namespace millstream::app
