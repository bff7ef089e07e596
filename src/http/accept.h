// http/accept.h: which media types a client takes, and which of two it would rather have.
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

// With a weight above zero. `accept` empty: anything will do. The closest range says the weight; parameters but the
// weight are passed over, and so is a range with a weight that is none.
bool takes(std::string_view accept, MediaType media);
// The same, and not only by a range such as "text/*".
bool names(std::string_view accept, MediaType media);
// True when the weight of `other` is higher than that of `usual`, or is the same but asked for more closely ("text/csv,
// */*").
bool prefers(std::string_view accept, MediaType other, MediaType usual);

}  // namespace millstream::http
