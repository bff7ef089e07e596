#include "api/query_fields.h"

#include <algorithm>
#include <charconv>

#include "base/limits.h"
#include "base/time_text.h"
#include "http/ascii.h"

namespace millstream::api {
namespace {

Error bad(std::string_view name, std::string_view what) {
  return Error{Code::invalid, std::string(name) + ": " + std::string(what)};
}

template <class N>
Status parse_name(const http::Query& query, std::string_view parameter, N& out) {
  const auto text = query.get(parameter);
  if (!text) return {};
  Result<N> name = N::parse(*text);
  if (!name) return bad(parameter, name.error().detail);
  out = std::move(*name);
  return {};
}

// "account:*" and "account:*/…": everything that I may see, which is within one account.
std::string with_own_account(std::string_view pattern, const model::AccountId& own) {
  constexpr std::string_view any = "account:*";
  const bool names_any = pattern == any || pattern.starts_with(std::string(any) + "/");
  return names_any ? "account:" + own.text() + std::string(pattern.substr(any.size())) : std::string(pattern);
}

}  // namespace

Status check_once(const http::Query& query, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const auto is_it = [&](const auto& parameter) { return parameter.first == name; };
    if (std::count_if(query.list().begin(), query.list().end(), is_it) > 1) return bad(name, "given more than once");
  }
  return {};
}

Status check_known(const http::Query& query, std::initializer_list<std::string_view> known) {
  for (const auto& [name, value] : query.list()) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    std::string names;
    for (std::string_view k : known) names += (names.empty() ? "" : " ") + std::string(k);
    return bad(name.substr(0, 64), "unknown parameter; known are: " + names);
  }
  return check_once(query, known);
}

std::vector<std::string_view> split_list(std::string_view text) {
  std::vector<std::string_view> items;
  while (!text.empty()) {
    const size_t comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    if (!item.empty()) items.push_back(item);
    if (comma == std::string_view::npos) break;
    text.remove_prefix(comma + 1);
  }
  return items;
}

Result<auth::Selection> parse_selection(const http::Query& query, const model::AccountId& own) {
  auth::Selection selection;
  for (std::string_view parameter : {std::string_view("topics"), std::string_view("topic")}) {
    const auto text = query.get(parameter);
    if (!text) continue;
    const std::vector<std::string_view> items = split_list(*text);
    if (items.empty()) return bad(parameter, "empty");
    for (std::string_view item : items) {
      Result<model::TopicPattern> pattern = model::TopicPattern::parse(with_own_account(item, own));
      if (!pattern) return bad(parameter, "\"" + std::string(item.substr(0, 256)) + "\": " + pattern.error().detail);
      selection.topics.push_back(std::move(*pattern));
    }
  }
  if (selection.topics.size() > kPatternsPerRequestMax) {
    return Error{Code::unprocessable, "topics: at most " + std::to_string(kPatternsPerRequestMax)};
  }
  if (Status s = parse_name(query, "accountId", selection.account); !s) return s.error();
  if (Status s = parse_name(query, "siteId", selection.site); !s) return s.error();
  if (Status s = parse_name(query, "deviceId", selection.device); !s) return s.error();
  return selection;
}

Result<model::Severity> parse_min_severity(const http::Query& query) {
  const auto text = query.get("minSeverity");
  if (!text) return model::Severity::info;
  const auto severity = model::parse_severity(*text);
  if (!severity) return bad("minSeverity", "info, warning or critical");
  return *severity;
}

Result<model::EventTypes> parse_types(const http::Query& query) {
  const auto text = query.get("types");
  if (!text) return model::EventTypes::all();
  model::EventTypes types = model::EventTypes::none();
  for (std::string_view item : split_list(*text)) {
    const auto type = model::parse_event_type(item);
    if (!type) {
      return bad("types",
                 "\"" + std::string(item.substr(0, 64)) + "\" is none of telemetry, alert, device_status, system");
    }
    types = types.with(*type);
  }
  if (types.empty()) return bad("types", "empty");
  return types;
}

model::EventId id_before(int64_t utc_ms) {
  const int64_t ms = std::clamp<int64_t>(utc_ms, 1, model::EventId::kMsMax);
  return {ms - 1, model::EventId::kSeqMax};
}

Result<std::optional<model::EventId>> parse_position(const http::Query& query, std::string_view name) {
  const auto text = query.get(name);
  if (!text) return std::optional<model::EventId>();
  if (const auto id = model::EventId::parse(*text)) return std::optional(*id);
  const Result<int64_t> time = parse_time(*text);
  if (!time) return bad(name, "neither an event id, nor RFC 3339, nor epoch milliseconds");
  return std::optional(id_before(*time));
}

Result<std::optional<int64_t>> parse_time_field(const http::Query& query, std::string_view name) {
  const auto text = query.get(name);
  if (!text) return std::optional<int64_t>();
  const Result<int64_t> time = parse_time(*text);
  if (!time) return bad(name, time.error().detail);
  return std::optional(*time);
}

Result<std::optional<int64_t>> parse_number(const http::Query& query, std::string_view name, int64_t min, int64_t max) {
  const auto text = query.get(name);
  if (!text) return std::optional<int64_t>();
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error == std::errc::result_out_of_range || (error == std::errc() && value > max)) {
    return Error{Code::unprocessable, std::string(name) + ": at most " + std::to_string(max)};
  }
  if (error != std::errc() || end != text->data() + text->size()) return bad(name, "not a whole number");
  if (value < min) return bad(name, "at least " + std::to_string(min));
  return std::optional(value);
}

std::string_view media_type(const http::Request& request) {
  const std::string_view type = request.headers.get("content-type");
  return http::trim(type.substr(0, type.find(';')));
}

Result<bool> parse_flag(const http::Query& query, std::string_view name) {
  const auto text = query.get(name);
  if (!text || *text == "0" || *text == "false") return false;
  if (text->empty() || *text == "1" || *text == "true") return true;
  return bad(name, "1 or 0");
}

}  // namespace millstream::api
