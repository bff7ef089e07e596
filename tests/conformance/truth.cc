#include "truth.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "load/request_connection.h"

namespace millstream::conformance {
namespace {

constexpr std::string_view kDevelopment;  // no credential is asked for

// The text after `name` up to one of `ends`; empty when it is not there.
std::string_view after(std::string_view json, std::string_view name, std::string_view ends) {
  const size_t at = json.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = json.substr(at + name.size());
  return rest.substr(0, rest.find_first_of(ends));
}

template <class Number>
Number number(std::string_view text, Number fallback) {
  Number value = fallback;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

uint64_t mixed(model::EventId id) {  // splitmix64
  uint64_t x = static_cast<uint64_t>(id.packed()) + 0x9e3779b97f4a7c15;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
  x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
  return x ^ (x >> 31);
}

// The objects of the array that follows "events":, one by one.
template <class Take>
void each_event(std::string_view body, Take&& take) {
  size_t at = body.find("\"events\":[") + 10;
  size_t start = at;
  int depth = 0;
  for (bool text = false; at < body.size(); ++at) {
    const char c = body[at];
    if (text) {
      if (c == '\\') ++at;
      text = c != '"' || body[at] == '\\';
    } else if (c == '"') {
      text = true;
    } else if (c == '{' && depth++ == 0) {
      start = at;
    } else if (c == '}' && --depth == 0) {
      take(body.substr(start, at + 1 - start));
    } else if (c == ']' && depth == 0) {
      return;
    }
  }
}

}  // namespace

std::optional<Seen> parse_seen(std::string_view json) {
  constexpr std::string_view kId = "{\"id\":\"";
  if (!json.starts_with(kId)) return std::nullopt;
  const auto id = model::EventId::parse(after(json, kId, "\""));
  if (!id) return std::nullopt;
  Seen seen{.id = *id,
            .site = std::string(after(json, "/site:", "/\"")),
            .device = std::string(after(json, "/device:", "\""))};
  seen.telemetry = after(json, "\"type\":\"", "\"") == "telemetry";
  seen.value = number<int64_t>(after(json, "\"n\":", ",}"), -1);
  seen.stands_for = number<uint64_t>(after(json, "\"conflated\":", ",}"), 1);
  return seen;
}

void Told::add(const Seen& event) {
  if (!event.telemetry) {
    ++others;
    other_ids += mixed(event.id);
    return;
  }
  telemetry += event.stands_for;
  telemetry_ids += mixed(event.id);
  newest[event.device] = event.value;
}

Result<std::vector<Seen>> read_truth(const load::Endpoint& server, model::EventId after_id) {
  std::vector<Seen> truth;
  while (true) {
    const std::string path = "/api/events/backfill?order=asc&limit=5000&since=" + after_id.text();
    const Result<std::string> body = load::get_now(server, path, kDevelopment);
    if (!body) return body.error();
    const size_t before = truth.size();
    each_event(*body, [&](std::string_view json) {
      if (auto seen = parse_seen(json)) truth.push_back(std::move(*seen));
    });
    if (truth.size() == before) return truth;
    after_id = truth.back().id;
  }
}

Told expected(const std::vector<Seen>& truth, const Wish& wish, const Stretch& stretch,
              const std::vector<Stretch>& gaps) {
  Told told;
  for (const Seen& event : truth) {
    if (event.id <= stretch.after || event.id > stretch.until || !wish.takes(event)) continue;
    const auto missing = [&](const Stretch& gap) { return event.id > gap.after && event.id <= gap.until; };
    if (std::none_of(gaps.begin(), gaps.end(), missing)) told.add(event);
  }
  return told;
}

}  // namespace millstream::conformance
