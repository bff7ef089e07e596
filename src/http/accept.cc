#include "http/accept.h"

#include <optional>

#include "http/ascii.h"

namespace millstream::http {
namespace {

// "0", "0.5", "1.000" in thousandths.
std::optional<int> parse_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  if (text.size() > 1 && text[1] != '.') return std::nullopt;
  int weight = text[0] == '1' ? 1000 : 0;
  int unit = 100;
  for (const char c : text.substr(text.size() > 1 ? 2 : 1)) {
    if (!is_digit(c)) return std::nullopt;
    weight += (c - '0') * unit;
    unit /= 10;
  }
  return weight <= 1000 ? std::optional(weight) : std::nullopt;
}

// Of one range; without any: 1.
std::optional<int> weight_of(std::string_view parameters) {
  int weight = 1000;
  while (!parameters.empty()) {
    const size_t semicolon = parameters.find(';');
    const std::string_view parameter = trim(parameters.substr(0, semicolon));
    if (parameter.size() >= 2 && lower(parameter[0]) == 'q' && parameter[1] == '=') {
      const std::optional<int> given = parse_weight(parameter.substr(2));
      if (!given) return std::nullopt;
      weight = *given;
    }
    if (semicolon == std::string_view::npos) break;
    parameters.remove_prefix(semicolon + 1);
  }
  return weight;
}

struct Wish {
  int weight = 0;
  int closeness = 0;  // 0: not at all, 1: */*, 2: text/*, 3: text/csv
};

Wish wish_for(std::string_view accept, const MediaType& media) {
  if (accept.empty()) accept = "*/*";
  Wish wish;
  for_each_element(accept, [&](std::string_view element) {
    const size_t semicolon = element.find(';');
    const std::string_view range = trim(element.substr(0, semicolon));
    const size_t slash = range.find('/');
    if (slash == std::string_view::npos) return;
    const std::string_view type = range.substr(0, slash);
    const std::string_view subtype = range.substr(slash + 1);
    int closeness = 0;
    if (type == "*" && subtype == "*") closeness = 1;
    if (iequals(type, media.type)) closeness = iequals(subtype, media.subtype) ? 3 : subtype == "*" ? 2 : 0;
    if (closeness == 0 || closeness < wish.closeness) return;
    const auto weight = weight_of(semicolon == std::string_view::npos ? "" : element.substr(semicolon + 1));
    if (!weight) return;
    if (closeness > wish.closeness || *weight > wish.weight) wish = {*weight, closeness};
  });
  return wish;
}

}  // namespace

bool takes(std::string_view accept, MediaType media) { return wish_for(accept, media).weight > 0; }

bool names(std::string_view accept, MediaType media) {
  const Wish wish = wish_for(accept, media);
  return wish.weight > 0 && wish.closeness == 3;
}

bool prefers(std::string_view accept, MediaType other, MediaType usual) {
  const Wish one = wish_for(accept, other);
  const Wish two = wish_for(accept, usual);
  if (one.weight != two.weight) return one.weight > two.weight;
  return one.weight > 0 && one.closeness > two.closeness;
}

}  // namespace millstream::http
