// http/accept_encoding.h: whether a client takes gzip.
//
// Thread   value
// Source   RFC 9110 12.5.3
#pragma once

#include <string_view>

namespace millstream::http {

// Named, or covered by "*", with a weight that is not zero.
bool takes_gzip(std::string_view accept_encoding);

}  // namespace millstream::http
