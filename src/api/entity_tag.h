// api/entity_tag.h: a resource's version as its entity tag, and what a request demands of it.
//
// Shapes   "<version>". If-Match compares strongly, and If-None-Match weakly: a tag that something on the way has made
//          weak (W/"3", as proxies do that compress; nothing of ours does) matches none of the first. Whoever is behind
//          such a proxy says the version in the body.
// Errors   Code::invalid naming the header.
// Thread   value
// Source   RFC 9110 8.8.3, 13.1
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "http/message.h"

namespace millstream::api {

std::string entity_tag(uint64_t version);

// If-Match and If-None-Match.
class Preconditions {
 public:
  static Result<Preconditions> of(const http::Request& request);

  // `version`: the resource's; nothing: there is none. The header that is not met; empty: all are.
  std::string_view failed(std::optional<uint64_t> version) const;
  bool has_if_match() const { return if_match_.has_value(); }

 private:
  struct Tags {
    bool any = false;
    std::vector<uint64_t> versions;
    bool take(std::optional<uint64_t> version) const;
  };
  static Result<std::optional<Tags>> tags_of(const http::Request& request, std::string_view header, bool strongly);

  std::optional<Tags> if_match_;
  std::optional<Tags> if_none_match_;
};

}  // namespace millstream::api
