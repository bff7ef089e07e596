// http/head_rules.h: what a syntactically right request head must also say, so that no two parsers on the way can
// disagree about whom it is for and where its body ends.
//
// Errors   std::nullopt when all is well, else the status and one line for a person.
// Thread   value
// Source   RFC 9112 3.2 (Host), 6.1 and 6.3 (length of the body), RFC 9110 10.1.1 (Expect)
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/message.h"
#include "http/target.h"

namespace millstream::http {

struct Refusal {
  int status = 400;
  std::string_view detail;  // a literal, or as long as the parser lives
};

struct Framing {
  bool chunked = false;
  std::optional<uint64_t> content_length;
  bool expects_continue = false;
};

// Fills `framing`. `version` is 10 or 11.
std::optional<Refusal> check_head(const Request& request, const Target& target, int version, Framing& framing);

}  // namespace millstream::http
