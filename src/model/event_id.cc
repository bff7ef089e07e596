#include "model/event_id.h"

#include <charconv>

namespace millstream::model {
namespace {

template <class N>
bool parse_digits(std::string_view text, N& out) {
  if (text.empty() || (text.size() > 1 && text[0] == '0') || text[0] == '-') return false;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

std::optional<EventId> EventId::parse(std::string_view text) {
  const size_t dash = text.find('-');
  if (dash == std::string_view::npos) return std::nullopt;
  EventId id;
  if (!parse_digits(text.substr(0, dash), id.ms) || !parse_digits(text.substr(dash + 1), id.seq)) return std::nullopt;
  if (id.ms > kMsMax || id.seq > kSeqMax) return std::nullopt;
  return id;
}

void EventId::append_text(std::string& out) const {
  char buffer[32];
  char* end = std::to_chars(buffer, buffer + 20, ms).ptr;
  *end++ = '-';
  end = std::to_chars(end, buffer + sizeof buffer, seq).ptr;
  out.append(buffer, end);
}

std::string EventId::text() const {
  std::string out;
  append_text(out);
  return out;
}

}  // namespace millstream::model
