#include "http/head_rules.h"

#include <algorithm>
#include <charconv>

#include "http/ascii.h"

namespace millstream::http {

namespace {

// What a head says about itself, gathered in one pass over its fields.
struct Said {
  size_t hosts = 0;
  size_t lengths = 0;
  size_t codings = 0;
  size_t expectations = 0;
  bool lookalike = false;
  std::string_view host;
  std::string_view length;
  std::string_view coding;
  std::string_view expectation;
};

Said gather(const Headers& headers) {
  Said said;
  for (const Header& header : headers.list()) {
    const std::string_view name = header.name;
    // Sizes first: almost every field is none of these.
    if (name.size() == 4 && iequals(name, "host")) {
      ++said.hosts;
      said.host = header.value;
    } else if (name.size() == 6 && iequals(name, "expect")) {
      ++said.expectations;
      said.expectation = header.value;
    } else if (name.size() == 14 && iequals(name, "content-length")) {
      ++said.lengths;
      said.length = header.value;
    } else if (name.size() == 17 && iequals(name, "transfer-encoding")) {
      ++said.codings;
      said.coding = header.value;
    } else if ((name.size() == 14 && iequals(name, "content_length")) ||
               (name.size() == 17 && iequals(name, "transfer_encoding"))) {
      said.lookalike = true;  // a gateway that maps "_" to "-" would see a second length
    }
  }
  return said;
}

std::optional<Refusal> check_host(const Said& said, const Target& target, int version) {
  if (said.hosts > 1) return Refusal{400, "more than one Host"};
  if (said.hosts == 0) {
    if (version >= 11) return Refusal{400, "no Host"};
    return std::nullopt;
  }
  if (!is_host(said.host)) return Refusal{400, "Host is not a host with an optional port"};
  if (!target.authority.empty() && !iequals(target.authority, said.host)) {
    return Refusal{400, "the target names another host than Host"};
  }
  return std::nullopt;
}

std::optional<Refusal> check_coding(std::string_view coding) {
  size_t elements = 0;
  size_t chunked = 0;
  for_each_element(coding, [&](std::string_view element) {
    ++elements;
    if (iequals(element, "chunked")) ++chunked;
  });
  if (elements == 0) return Refusal{400, "Transfer-Encoding is empty"};
  if (chunked > 1 ||
      (chunked == 1 && elements > 1 && !iequals(trim(coding.substr(coding.rfind(',') + 1)), "chunked"))) {
    return Refusal{400, "chunked must be the last transfer coding, and once"};
  }
  if (elements > 1 || chunked == 0) return Refusal{501, "the only transfer coding known here is chunked"};
  if (!iequals(coding, "chunked")) return Refusal{400, "Transfer-Encoding is not a clean list"};
  return std::nullopt;
}

std::optional<Refusal> check_length(std::string_view text, std::optional<uint64_t>& out) {
  uint64_t length = 0;
  const bool digits = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c); });
  if (!digits || std::from_chars(text.data(), text.data() + text.size(), length).ec != std::errc()) {
    return Refusal{400, "Content-Length is not a number"};
  }
  out = length;
  return std::nullopt;
}

std::optional<Refusal> check_framing(const Said& said, int version, Framing& framing) {
  if (said.lookalike) return Refusal{400, "a field name looks like Content-Length or Transfer-Encoding and is not"};
  if (said.lengths > 1) return Refusal{400, "more than one Content-Length"};
  if (said.codings > 1) return Refusal{400, "more than one Transfer-Encoding"};
  if (said.lengths && said.codings) return Refusal{400, "both Content-Length and Transfer-Encoding"};
  if (said.codings) {
    if (version < 11) return Refusal{400, "Transfer-Encoding in HTTP/1.0"};
    framing.chunked = true;
    return check_coding(said.coding);
  }
  if (said.lengths) return check_length(said.length, framing.content_length);
  return std::nullopt;
}

}  // namespace

std::optional<Refusal> check_head(const Request& request, const Target& target, int version, Framing& framing) {
  framing = {};
  const Said said = gather(request.headers);
  if (auto refusal = check_host(said, target, version)) return refusal;
  if (auto refusal = check_framing(said, version, framing)) return refusal;
  if (said.expectations && version >= 11) {  // HTTP/1.0 has no interim answers: RFC 9110 has it ignored there
    if (said.expectations > 1 || !iequals(said.expectation, "100-continue")) {
      return Refusal{417, "the only expectation known here is 100-continue"};
    }
    framing.expects_continue = true;
  }
  return std::nullopt;
}

}  // namespace millstream::http
