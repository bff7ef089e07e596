// GET /api/alerts and /api/alerts/{id}: what is open, and what ended within the retention.
#include <algorithm>
#include <array>

#include "api/alert_view.h"
#include "api/credential.h"
#include "api/listing.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "codec/csv.h"

namespace millstream::api {
namespace {

using history::BookedAlert;
using history::BookedAlertPtr;

constexpr int64_t kAlertsPageDefault = 100;
constexpr int64_t kAlertsPageMax = 1000;

// What may be asked for. An alert may be several of these at once.
struct Condition {
  std::string_view word;
  bool (*holds)(const BookedAlert&);
};
constexpr std::array<Condition, 6> kConditions{{
    {"open", [](const BookedAlert& a) { return a.open(); }},
    {"firing", [](const BookedAlert& a) { return a.open() && !a.stale; }},
    {"stale", [](const BookedAlert& a) { return a.open() && a.stale; }},
    {"acknowledged", [](const BookedAlert& a) { return a.open() && a.alert.ack.has_value(); }},
    {"unacknowledged", [](const BookedAlert& a) { return a.open() && !a.alert.ack; }},
    {"resolved", [](const BookedAlert& a) { return !a.open(); }},
}};

struct Filter {
  std::vector<model::TopicPattern> patterns;
  std::vector<Condition> any_of;  // empty: all
  std::vector<model::Severity> severities;
  model::Severity min_severity = model::Severity::info;
  std::optional<std::string> rule;
  std::optional<int64_t> since_ms;
  std::optional<int64_t> until_ms;
  std::optional<bool> silenced;
  std::optional<model::EventId> cursor;
  bool newest_first = true;
  size_t limit = kAlertsPageDefault;
};

Error not_known(std::string_view parameter, std::string_view word, std::string words) {
  return {Code::invalid, std::string(parameter) + ": \"" + std::string(word.substr(0, 64)) + "\" is none of" + words};
}

Status read_states(const http::Query& query, Filter& filter) {
  for (const std::string_view word : split_list(query.get("state").value_or(""))) {
    const auto known =
        std::find_if(kConditions.begin(), kConditions.end(), [&](const auto& c) { return c.word == word; });
    if (known != kConditions.end()) {
      filter.any_of.push_back(*known);
      continue;
    }
    std::string words;
    for (const Condition& condition : kConditions) words.append(" ").append(condition.word);
    return not_known("state", word, std::move(words));
  }
  return {};
}

Status read_severities(const http::Query& query, Filter& filter) {
  for (const std::string_view word : split_list(query.get("severity").value_or(""))) {
    const auto severity = model::parse_severity(word);
    if (!severity) return not_known("severity", word, " info warning critical");
    filter.severities.push_back(*severity);
  }
  const Result<model::Severity> least = parse_min_severity(query);
  if (!least) return least.error();
  filter.min_severity = *least;
  return {};
}

Status read_times(const http::Query& query, Filter& filter) {
  const auto since = parse_time_field(query, "since");
  if (!since) return since.error();
  const auto until = parse_time_field(query, "until");
  if (!until) return until.error();
  filter.since_ms = *since;
  filter.until_ms = *until;
  return {};
}

Status read_page(const http::Query& query, Filter& filter) {
  const std::string_view order = query.get("order").value_or("desc");
  if (order != "asc" && order != "desc") return Error{Code::invalid, "order: asc or desc"};
  filter.newest_first = order == "desc";
  const auto limit = parse_number(query, "limit", 1, kAlertsPageMax);
  if (!limit) return limit.error();
  filter.limit = static_cast<size_t>(limit->value_or(kAlertsPageDefault));
  if (const auto cursor = query.get("cursor")) {
    filter.cursor = model::EventId::parse(*cursor);
    if (!filter.cursor) return Error{Code::invalid, "cursor: not one that this endpoint gave"};
  }
  return {};
}

Result<Filter> parse_filter(const http::Query& query) {
  Filter filter;
  for (const auto read : {read_states, read_severities, read_times, read_page}) {
    if (const Status s = read(query, filter); !s) return s.error();
  }
  if (const auto rule = query.get("rule")) filter.rule = *rule;
  if (query.get("silenced")) {
    const Result<bool> silenced = parse_flag(query, "silenced");
    if (!silenced) return silenced.error();
    filter.silenced = *silenced;
  }
  return filter;
}

// Open at some moment of the span.
bool within(const Filter& filter, const BookedAlert& alert) {
  const bool too_early =
      filter.since_ms && !alert.open() && alert.alert.ended_at_ms.value_or(alert.ts_ms) < *filter.since_ms;
  return !too_early && !(filter.until_ms && alert.alert.started_at_ms >= *filter.until_ms);
}

bool passes(const Filter& filter, const BookedAlert& alert) {
  const auto& severities = filter.severities;
  const bool severe =
      alert.alert.severity >= filter.min_severity &&
      (severities.empty() || std::find(severities.begin(), severities.end(), alert.alert.severity) != severities.end());
  if (!severe || (filter.rule && *filter.rule != alert.alert.rule_id) || !within(filter, alert)) return false;
  if (!filter.any_of.empty() && std::none_of(filter.any_of.begin(), filter.any_of.end(),
                                             [&](const Condition& condition) { return condition.holds(alert); })) {
    return false;
  }
  return std::any_of(filter.patterns.begin(), filter.patterns.end(),
                     [&](const auto& pattern) { return pattern.matches(alert.topic); });
}

// On an earlier page.
bool was_shown(const Filter& filter, const BookedAlert& alert) {
  if (!filter.cursor) return false;
  return filter.newest_first ? alert.first >= *filter.cursor : alert.first <= *filter.cursor;
}

struct Shown {
  BookedAlertPtr alert;
  std::vector<std::string> silenced;
};
struct Page {
  std::vector<Shown> alerts;
  std::optional<model::EventId> next;
};

Page make_page(const Context& context, const model::AccountId& account, const Filter& filter) {
  std::vector<BookedAlertPtr> all = context.alerts.list(account);
  if (filter.newest_first) std::reverse(all.begin(), all.end());
  const auto silences = context.registry.silences().of(account);
  const int64_t now_ms = context.clock.wall_ms();
  Page page;
  for (BookedAlertPtr& alert : all) {
    if (was_shown(filter, *alert) || !passes(filter, *alert)) continue;
    std::vector<std::string> silenced = silenced_by(*silences, *alert, now_ms);
    if (filter.silenced && *filter.silenced == silenced.empty()) continue;
    if (page.alerts.size() == filter.limit) {
      page.next = page.alerts.back().alert->first;
      break;
    }
    page.alerts.push_back({std::move(alert), std::move(silenced)});
  }
  return page;
}

http::Response page_json(const Page& page) {
  std::string body = "{\"alerts\":[";
  for (const Shown& shown : page.alerts) {
    if (body.back() != '[') body += ',';
    append_alert(*shown.alert, shown.silenced, body);
  }
  body += "],\"next\":";
  body += page.next ? '"' + page.next->text() + '"' : "null";
  return listing(Format::json, body + '}', "alerts");
}

void append_row(const Shown& shown, codec::CsvWriter& out) {
  const BookedAlert& booked = *shown.alert;
  const model::Alert& alert = booked.alert;
  out.text(alert.alert_id).text(alert.rule_id).text(alert.rule_name);
  out.text(booked.topic.device.text()).text(booked.topic.site.text()).text(model::alert_state_name(alert.state));
  out.value(booked.open()).value(booked.open() && booked.stale);
  out.text(model::severity_name(alert.severity)).text(model::severity_name(booked.highest)).text(alert.message);
  out.text(alert.field).number(alert.value).number(alert.threshold).time(alert.started_at_ms);
  alert.ended_at_ms ? out.time(*alert.ended_at_ms) : out.empty();
  out.text(alert.reason);
  if (alert.ack) {
    out.text(alert.ack->by).time(alert.ack->at_ms).text(alert.ack->note);
  } else {
    out.empty().empty().empty();
  }
  std::string silences;
  for (const std::string& id : shown.silenced) silences += (silences.empty() ? "" : " ") + id;
  out.text(silences).text(booked.first.text()).end_row();
}

http::Response page_csv(const Page& page) {
  std::string body =
      "alertId,ruleId,ruleName,device,site,state,open,stale,severity,highestSeverity,message,field,value,threshold,"
      "startedAt,endedAt,reason,ackBy,ackAt,ackNote,silenced,firstEvent\r\n";
  codec::CsvWriter out(body);
  for (const Shown& shown : page.alerts) append_row(shown, out);
  http::Response response = listing(Format::csv, std::move(body), "alerts");
  if (page.next) response.headers.add("X-Next-Cursor", page.next->text());
  return response;
}

void handle_list(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known =
          check_known(request.query, {"state", "severity", "minSeverity", "topic", "topics", "accountId", "siteId",
                                      "deviceId", "rule", "since", "until", "silenced", "limit", "cursor", "order"});
      !known) {
    return exchange->respond(problem(known.error()));
  }
  Result<Reading> reading = authorize_reading(context, request);
  if (!reading) return exchange->respond(problem(reading.error()));
  Result<Filter> filter = parse_filter(request.query);
  if (!filter) return exchange->respond(problem(filter.error()));
  filter->patterns = std::move(reading->patterns);
  respond_from(context.readers, exchange,
               [&context, account = reading->grants.account, filter = std::move(*filter), format = format_of(request)] {
                 const Page page = make_page(context, account, filter);
                 return format == Format::csv ? page_csv(page) : page_json(page);
               });
}

void handle_one(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {}); !known) return exchange->respond(problem(known.error()));
  const Result<model::Grants> grants = grants_of_role(context, request, model::Role::viewer);
  if (!grants) return exchange->respond(problem(grants.error()));
  const Result<BookedAlertPtr> alert = seen_alert(context, *grants, request.captures.front());
  if (!alert) return exchange->respond(problem(alert.error()));
  exchange->respond(http::Response::json(200, whole_alert_json(context, **alert)));
}

}  // namespace

void add_alert_routes(http::Router& router, Context& context) {
  router.add("GET", "/api/alerts", 0, [&context](const http::ExchangePtr& e) { handle_list(context, e); });
  router.add("GET", "/api/alerts/{}", 0, [&context](const http::ExchangePtr& e) { handle_one(context, e); });
}

}  // namespace millstream::api
