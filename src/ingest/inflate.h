// ingest/inflate.h: gzip bodies, opened under a limit.
//
// Errors   Code::invalid "body: not gzip" for bytes that are none or are cut short;
//          Code::too_large naming the limit, found before the memory is used.
// Thread   any
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millstream::ingest {

// Several gzip members one behind the other are one body, as RFC 1952 says.
Result<std::string> inflate_gzip(std::string_view compressed, size_t bytes_max);

// What the body says of its own size after inflation: the last member's, modulo 4 GiB. Only the sender's word.
size_t announced_size(std::string_view compressed);

}  // namespace millstream::ingest
