// http/accept.h: which of two media types a client would rather have.
//
// Thread   value
// Source   RFC 9110 12.5.1
#pragma once

#include <string_view>

namespace millstream::http {

struct MediaType {
  std::string_view type;     // "text"
  std::string_view subtype;  // "csv"
};

// True when the weight of `other` is higher than that of `usual`, or is the same but asked for more closely ("text/csv,
// */*"). The closest range says the weight; parameters but the weight are passed over, and so is a range with a weight
// that is none. `accept` empty: anything will do.
bool prefers(std::string_view accept, MediaType other, MediaType usual);

}  // namespace millstream::http
