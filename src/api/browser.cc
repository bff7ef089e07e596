#include "api/browser.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "http/ascii.h"

namespace millstream::api {
namespace {

constexpr size_t kAddressBytes = 16;
constexpr int kMappedBits = 96;  // before an IPv4 address in IPv6

bool changes_nothing(const http::Request& request) { return request.method == "GET" || request.method == "HEAD"; }

// "https://host:port" of this very host. The scheme is not compared: behind a proxy that ends TLS it differs.
bool is_own(std::string_view origin, std::string_view host) {
  const size_t scheme_end = origin.find("://");
  return scheme_end != std::string_view::npos && !host.empty() && http::iequals(origin.substr(scheme_end + 3), host);
}

// As 16 bytes; none: not an address.
std::optional<std::string> address_bytes(std::string_view text) {
  const std::string copy(text);
  in6_addr v6{};
  if (inet_pton(AF_INET6, copy.c_str(), &v6) == 1) {
    return std::string(reinterpret_cast<const char*>(v6.s6_addr), kAddressBytes);
  }
  in_addr v4{};
  if (inet_pton(AF_INET, copy.c_str(), &v4) != 1) return std::nullopt;
  std::string bytes(10, '\0');
  bytes.append(2, '\xff').append(reinterpret_cast<const char*>(&v4.s_addr), sizeof v4.s_addr);
  return bytes;
}

bool same_bits(const std::string& a, const std::string& b, int bits) {
  const auto whole = static_cast<size_t>(bits / 8);
  if (a.compare(0, whole, b, 0, whole) != 0) return false;
  const int rest = bits % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<unsigned char>(0xff << (8 - rest));
  return ((static_cast<unsigned char>(a[whole]) ^ static_cast<unsigned char>(b[whole])) & mask) == 0;
}

}  // namespace

Status check_page(const http::Request& request, const std::vector<std::string>& allowed_origins, bool strict) {
  const std::string_view origin = request.headers.get("origin");
  const std::string_view site = request.headers.get("sec-fetch-site");
  if (std::find(allowed_origins.begin(), allowed_origins.end(), origin) != allowed_origins.end()) return {};
  const Error foreign{Code::forbidden,
                      "a page of another origin may not do this (server.cors_origins lists those that may)"};
  if (!site.empty()) {
    if (site == "same-origin" || site == "none") return {};
    const bool follows_link = changes_nothing(request) && request.headers.get("sec-fetch-mode") == "navigate";
    return follows_link ? Status() : Status(foreign);
  }
  if (!origin.empty()) return is_own(origin, request.headers.get("host")) ? Status() : Status(foreign);
  if (!strict || changes_nothing(request)) return {};
  return Error{Code::forbidden, "with a session cookie, a request that changes something must say its Origin"};
}

Status check_local_host(const http::Request& request) {
  std::string_view host = request.headers.get("host");
  const bool bracketed = host.starts_with('[');
  host = bracketed ? host.substr(1, host.find(']') - 1) : host.substr(0, host.find(':'));
  const bool is_local = http::iequals(host, "localhost") || (host.size() > 10 && host.ends_with(".localhost")) ||
                        host == "::1" || (host.starts_with("127.") && address_bytes(host));
  if (is_local) return {};
  return Error{Code::forbidden, "development mode answers to localhost and 127.0.0.1 alone, not to \"" +
                                    std::string(host.substr(0, 64)) + "\""};
}

Result<TrustedProxies> TrustedProxies::parse(const std::vector<std::string>& networks) {
  TrustedProxies proxies;
  for (const std::string& text : networks) {
    const Error wrong{Code::invalid, "\"" + text + "\" is not an address or network such as 10.0.0.0/8"};
    const size_t slash = text.find('/');
    const bool is_v4 = text.find(':') == std::string::npos;
    const int width = is_v4 ? 32 : 128;
    std::optional<std::string> bytes = address_bytes(text.substr(0, slash));
    int bits = width;
    if (slash != std::string::npos) {
      const auto [end, error] = std::from_chars(text.data() + slash + 1, text.data() + text.size(), bits);
      if (error != std::errc() || end != text.data() + text.size()) return wrong;
    }
    if (!bytes || bits < 0 || bits > width) return wrong;
    proxies.networks_.push_back({std::move(*bytes), is_v4 ? bits + kMappedBits : bits});
  }
  return proxies;
}

bool TrustedProxies::holds(std::string_view address) const {
  const auto bytes = address_bytes(address);
  return bytes && std::any_of(networks_.begin(), networks_.end(),
                              [&](const Network& network) { return same_bits(*bytes, network.bytes, network.bits); });
}

std::string address_block(const std::string& address) {
  const auto bytes = address_bytes(address);
  if (!bytes || same_bits(*bytes, *address_bytes("::ffff:0:0"), kMappedBits)) return address;
  return bytes->substr(0, kAddressBytes / 2);
}

std::string TrustedProxies::client_of(const http::Request& request) const {
  std::string client = request.peer;
  if (networks_.empty() || !holds(client)) return client;
  // Each proxy appends whom it spoke with: only what trusted ones have said counts, from the end.
  std::vector<std::string> chain;
  for (const http::Header& header : request.headers.list()) {
    if (!http::iequals(header.name, "x-forwarded-for")) continue;
    http::for_each_element(header.value, [&](std::string_view element) { chain.emplace_back(element); });
  }
  for (auto hop = chain.rbegin(); hop != chain.rend(); ++hop) {
    if (!address_bytes(*hop)) return client;
    client = *hop;
    if (!holds(client)) return client;
  }
  return client;
}

}  // namespace millstream::api
