#include "codec/field_name.h"

#include <algorithm>

#include "base/utf8.h"

namespace millstream::codec {
namespace {

bool slowly_has_control(std::string_view text) {
  while (!text.empty()) {
    const CodePoint c = first_code_point(text);
    if (c.value < 0x20 || (c.value >= 0x7F && c.value <= 0x9F)) return true;
    text.remove_prefix(std::max<size_t>(c.size, 1));
  }
  return false;
}

}  // namespace

bool has_control_character(std::string_view text) {
  const bool printable_ascii = std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
  return !printable_ascii && slowly_has_control(text);
}

std::string_view cut_text(std::string_view text, size_t bytes_max) {
  if (text.size() <= bytes_max) return text;
  size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::string shortened(std::string_view text, size_t bytes_max) {
  const std::string_view cut = cut_text(text, bytes_max);
  return cut.size() == text.size() ? std::string(text) : std::string(cut) + "…";
}

std::string as_utf8(std::string_view bytes) {
  std::string out;
  out.reserve(bytes.size());
  while (!bytes.empty()) {
    const CodePoint c = first_code_point(bytes);
    out += c.size == 0 ? std::string_view("\xEF\xBF\xBD") : bytes.substr(0, c.size);
    bytes.remove_prefix(std::max<size_t>(c.size, 1));
  }
  return out;
}

}  // namespace millstream::codec
