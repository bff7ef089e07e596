#include "http/accept_encoding.h"

#include "http/ascii.h"

namespace millstream::http {

bool takes_gzip(std::string_view accept_encoding) {
  int named = -1;
  int any = -1;
  for_each_element(accept_encoding, [&](std::string_view element) {
    const size_t semicolon = element.find(';');
    const std::string_view coding = trim(element.substr(0, semicolon));
    std::string_view weight = semicolon == std::string_view::npos ? "" : trim(element.substr(semicolon + 1));
    const bool zero = weight.size() >= 3 && iequals(weight.substr(0, 3), "q=0") &&
                      weight.find_first_not_of("0.", 3) == std::string_view::npos;
    if (iequals(coding, "gzip") || iequals(coding, "x-gzip")) named = zero ? 0 : 1;
    if (coding == "*") any = zero ? 0 : 1;
  });
  return named == 1 || (named == -1 && any == 1);
}

}  // namespace millstream::http
