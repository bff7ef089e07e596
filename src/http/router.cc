#include <algorithm>
#include <utility>

#include "base/check.h"
#include "http/server.h"

namespace millstream::http {

namespace {

constexpr std::string_view kCapture = "{}";

std::vector<std::string_view> split_path(std::string_view path) {
  std::vector<std::string_view> segments;
  segments.reserve(8);
  while (!path.empty()) {
    path.remove_prefix(1);  // "/"
    const size_t end = path.find('/');
    segments.push_back(path.substr(0, end));
    path.remove_prefix(std::min(end, path.size()));
  }
  if (segments.size() == 1 && segments[0].empty()) segments.clear();  // the root
  return segments;
}

// From the back: the paths of an API begin alike.
bool matches(const std::vector<std::string>& route, const std::vector<std::string_view>& path) {
  if (route.size() != path.size()) return false;
  for (size_t i = route.size(); i-- > 0;) {
    if (route[i] == kCapture ? path[i].empty() : route[i] != path[i]) return false;
  }
  return true;
}

// A route that is literal where the other first captures is the more particular one.
bool more_particular(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if ((a[i] == kCapture) != (b[i] == kCapture)) return b[i] == kCapture;
  }
  return false;
}

void add_allowed(std::string_view method, std::string& allow) {
  const size_t found = allow.find(method);
  const bool whole = found != std::string::npos && (found == 0 || allow[found - 1] == ' ') &&
                     (found + method.size() == allow.size() || allow[found + method.size()] == ',');
  if (whole) return;
  if (!allow.empty()) allow += ", ";
  allow += method;
}

}  // namespace

void Router::add(std::string method, std::string path, size_t body_bytes_max, Handler handler, Admit admit) {
  MS_CHECK(!path.empty() && path.front() == '/');
  Route route{std::move(method), {}, body_bytes_max, std::move(handler), std::move(admit)};
  for (const std::string_view segment : split_path(path)) route.segments.emplace_back(segment);
  routes_.push_back(std::move(route));
}

void Router::wrap(const std::function<Handler(Handler)>& handlers, const std::function<Admit(Admit)>& admissions) {
  for (Route& route : routes_) {
    route.handler = handlers(std::move(route.handler));
    if (route.admit) route.admit = admissions(std::move(route.admit));
  }
}

void Router::set_fallback(Handler handler) { fallback_ = std::move(handler); }

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match match;
  if (path.empty() || path.front() != '/') return match;
  const std::vector<std::string_view> segments = split_path(path);
  const auto best_for = [&](std::string_view wanted) {
    const Route* best = nullptr;
    for (const Route& route : routes_) {
      if (route.method == wanted && matches(route.segments, segments) &&
          (!best || more_particular(route.segments, best->segments))) {
        best = &route;
      }
    }
    return best;
  };
  const Route* best = best_for(method);
  if (!best && method == "HEAD") best = best_for("GET");  // the connection leaves the body out
  if (best) {
    match.handler = &best->handler;
    if (best->admit) match.admit = &best->admit;
    match.body_bytes_max = best->body_bytes_max;
    for (size_t i = 0; i < segments.size(); ++i) {
      if (best->segments[i] == kCapture) match.captures.emplace_back(segments[i]);
    }
    return match;
  }
  for (const Route& route : routes_) {
    if (!matches(route.segments, segments)) continue;
    add_allowed(route.method, match.allow);
    if (route.method == "GET") add_allowed("HEAD", match.allow);
  }
  if (!match.allow.empty()) {
    add_allowed("OPTIONS", match.allow);
  } else if (fallback_ && (method == "GET" || method == "HEAD")) {
    match.handler = &fallback_;
  }
  return match;
}

}  // namespace millstream::http
