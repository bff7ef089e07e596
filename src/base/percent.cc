#include "base/percent.h"

#include <charconv>

namespace millstream {

bool append_percent_decoded(std::string_view text, bool plus_is_space, std::string& out) {
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_space) {
      c = ' ';
    } else if (c == '%') {
      const std::string_view digits = text.substr(i + 1, 2);
      unsigned char byte = 0;
      const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
      if (failed != std::errc() || end != digits.data() + 2) return false;
      c = static_cast<char>(byte);
      i += 2;
    }
    if (c == '\0') return false;
    out += c;
  }
  return true;
}

}  // namespace millstream
