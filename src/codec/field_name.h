// codec/field_name.h: what a field or tag may be called.
//
// Shapes   UTF-8 without control characters (U+0000..1F, U+7F..9F), 1 to kFieldNameBytesMax bytes.
// Thread   value
#pragma once

#include <string>
#include <string_view>

namespace millstream::codec {

// Precondition for these three: UTF-8.
bool has_control_character(std::string_view text);
// The beginning of a text, cut between two characters.
std::string_view cut_text(std::string_view text, size_t bytes_max);
// The same for people, with "…" where something is missing.
std::string shortened(std::string_view text, size_t bytes_max);

// Any bytes as UTF-8: what is not becomes U+FFFD.
std::string as_utf8(std::string_view bytes);

}  // namespace millstream::codec
