#include "auth/cookie.h"

#include "auth/random_text.h"

namespace millstream::auth {
namespace {

constexpr std::string_view kPrefix = "mls_";

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<std::string_view> SessionCookie::find(std::string_view header) const {
  std::optional<std::string_view> found;
  while (!header.empty()) {
    const size_t end = header.find(';');
    const std::string_view pair = trimmed(header.substr(0, end));
    header.remove_prefix(end == std::string_view::npos ? header.size() : end + 1);
    const size_t equals = pair.find('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != name()) continue;
    if (found) return std::string_view();
    found = pair.substr(equals + 1);
  }
  return found;
}

std::string SessionCookie::set(std::string_view value, int64_t lasts_ms) const {
  return std::string(name()) + "=" + std::string(value) + "; Path=/; Max-Age=" + std::to_string(lasts_ms / 1000) +
         "; HttpOnly; SameSite=Lax" + (secure_ ? "; Secure" : "");
}

std::string SessionCookie::forget() const { return set("", 0); }

std::string make_session_text() { return random_text(kPrefix); }

std::optional<std::string> session_sha256(std::string_view text) { return random_text_sha256(text, kPrefix); }

}  // namespace millstream::auth
