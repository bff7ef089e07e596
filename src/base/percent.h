// base/percent.h: percent-decoding of one component of a URL.
//
// Thread   value
// Source   RFC 3986 2.1
#pragma once

#include <string>
#include <string_view>

namespace millstream {

// Appends the decoded text. False on a bad escape or a decoded NUL. `plus_is_space`: as in forms and queries.
bool append_percent_decoded(std::string_view text, bool plus_is_space, std::string& out);

}  // namespace millstream
