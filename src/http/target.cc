#include "http/target.h"

#include <algorithm>

#include "base/percent.h"
#include "http/ascii.h"

namespace millstream::http {

namespace {

bool append_segment(std::string_view raw, std::string& path) {
  const size_t start = path.size() + 1;
  path += '/';
  if (!append_percent_decoded(raw, false, path)) return false;
  const std::string_view segment = std::string_view(path).substr(start);
  if (segment == "." || segment == "..") return false;
  return std::none_of(segment.begin(), segment.end(), [](char c) { return c == '/' || is_control(c); });
}

std::optional<std::string> decode_path(std::string_view raw) {
  if (raw.empty() || raw.front() != '/') return std::nullopt;
  std::string path;
  path.reserve(raw.size());
  raw.remove_prefix(1);
  while (true) {
    const size_t slash = raw.find('/');
    const bool last = slash == std::string_view::npos;
    const std::string_view segment = raw.substr(0, slash);
    if (segment.empty() && !last) return std::nullopt;
    if (!append_segment(segment, path)) return std::nullopt;
    if (last) return path;
    raw.remove_prefix(slash + 1);
  }
}

// Cuts "http://host:port" off an absolute target; false when it is neither absolute nor starts with "/".
bool take_authority(std::string_view& raw, std::string_view& authority) {
  if (raw.front() == '/') return true;
  const size_t scheme_end = raw.find("://");
  if (scheme_end == std::string_view::npos) return false;
  const std::string_view scheme = raw.substr(0, scheme_end);
  if (!iequals(scheme, "http") && !iequals(scheme, "https")) return false;
  raw.remove_prefix(scheme_end + 3);
  const size_t end = std::min(raw.find_first_of("/?"), raw.size());
  authority = raw.substr(0, end);
  raw.remove_prefix(end);
  return is_host(authority);
}

bool is_port(std::string_view text) {
  return text.size() <= 5 && std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c); });
}

}  // namespace

std::optional<Target> parse_target(std::string_view method, std::string_view raw) {
  Target target;
  if (raw.empty() || std::any_of(raw.begin(), raw.end(), [](char c) {
        return is_control(c) || c == ' ' || c == '#' || static_cast<unsigned char>(c) >= 0x80;
      })) {
    return std::nullopt;
  }
  if (raw == "*") {
    if (method != "OPTIONS") return std::nullopt;
    target.path = "*";
    return target;
  }
  if (!take_authority(raw, target.authority)) return std::nullopt;
  const size_t question = raw.find('?');
  std::string_view path = raw.substr(0, question);
  if (question != std::string_view::npos) target.query = raw.substr(question + 1);
  if (path.empty() && !target.authority.empty()) path = "/";  // "http://host" means its root
  std::optional<std::string> decoded = decode_path(path);
  if (!decoded) return std::nullopt;
  target.path = std::move(*decoded);
  return target;
}

bool is_host(std::string_view value) {
  if (value.empty()) return false;
  size_t host_end = 0;
  if (value.front() == '[') {
    host_end = value.find(']');
    if (host_end == std::string_view::npos || host_end < 3) return false;
    const std::string_view v6 = value.substr(1, host_end - 1);
    const auto allowed = [](char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; };
    if (!std::all_of(v6.begin(), v6.end(), allowed)) return false;
    ++host_end;
  } else {
    host_end = std::min(value.find(':'), value.size());
    const std::string_view host = value.substr(0, host_end);
    const auto allowed = [](char c) {
      return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') || c == '.' || c == '-' || c == '_';
    };
    if (host.empty() || !std::all_of(host.begin(), host.end(), allowed)) return false;
  }
  const std::string_view rest = value.substr(host_end);
  return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
}

}  // namespace millstream::http
