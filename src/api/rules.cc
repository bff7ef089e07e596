// /api/rules: alert rules. Whoever may read sees those that look at something of theirs; admins make and change them.
#include <algorithm>

#include "api/credential.h"
#include "api/entity_tag.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "api/rule_change.h"
#include "auth/authorize.h"
#include "base/time_text.h"
#include "codec/event_json.h"
#include "codec/rule_json.h"
#include "rules/compiled_rule.h"

namespace millstream::api {
namespace {

using model::RuleRecord;
using model::RuleRecordPtr;

constexpr size_t kMadeIdBytesMax = 48;  // leaves room for a number

// ---- answers ----

void append_saved(const char* member, int64_t at_ms, const std::string& by, std::string& out) {
  out.append(",\"").append(member).append("At\":\"");
  append_rfc3339_ms(at_ms, out);
  out.append("\",\"").append(member).append("By\":");
  codec::append_json_string(by, out);
}

void append_status(const Context& context, const model::Rule& rule, std::string& out) {
  const auto status = context.rule_board.status(rule.scope.account, rule.id);
  out += ",\"status\":";
  if (!status) {
    out += "null";
    return;
  }
  out += "{\"devices\":" + std::to_string(status->devices) + ",\"pending\":" + std::to_string(status->pending) +
         ",\"firing\":" + std::to_string(status->firing) + ",\"limited\":" + (status->limited ? "true" : "false") + '}';
}

void append_rule(const Context& context, const RuleRecord& record, std::string& out) {
  out += codec::encode_rule(record.rule);
  out.pop_back();
  out.append(",\"source\":\"").append(model::rule_source_name(record.source)) += '"';
  if (record.source == model::RuleSource::api) {
    append_saved("created", record.created_at_ms, record.created_by, out);
    append_saved("updated", record.updated_at_ms, record.updated_by, out);
  }
  append_status(context, record.rule, out);
  out += '}';
}

http::Response rule_response(const Context& context, int status, const RuleRecord& record) {
  std::string body;
  append_rule(context, record, body);
  http::Response response = http::Response::json(status, std::move(body));
  response.headers.add("ETag", entity_tag(record.rule.version));
  response.headers.add("Cache-Control", "no-store");
  if (status == 201) response.headers.add("Location", "/api/rules/" + record.rule.id);
  return response;
}

Error no_rule(std::string_view id) {
  return {Code::not_found, "no rule has the id \"" + std::string(id.substr(0, kNameBytesMax)) + "\""};
}

Error of_file(const RuleRecord& record) {
  const bool file = record.source == model::RuleSource::file;
  return {Code::conflict, "rule \"" + record.rule.id + "\" stands in " +
                              (file ? "the file that alerts.rules_file names" : "the configuration ([[rules]])") +
                              ", and is changed there"};
}

Error taken(const RuleRecord& record) {
  if (record.source != model::RuleSource::api) return of_file(record);
  return {Code::conflict, "there is a rule \"" + record.rule.id + "\" already"};
}

// ---- reading ----

struct Filter {
  std::vector<model::TopicPattern> patterns;
  std::optional<bool> enabled;

  bool takes(const model::Rule& rule) const {
    const auto meets = [&](const model::TopicPattern& pattern) { return pattern.overlaps(rule.scope); };
    return (!enabled || *enabled == rule.enabled) && std::any_of(patterns.begin(), patterns.end(), meets);
  }
};

Result<Filter> parse_filter(const Context& context, const http::Request& request) {
  const http::Query& query = request.query;
  if (const Status s = check_known(query, {"enabled", "topic", "topics", "accountId", "siteId", "deviceId"}); !s) {
    return s.error();
  }
  Result<Reading> reading = authorize_reading(context, request);
  if (!reading) return reading.error();
  Filter filter{std::move(reading->patterns), std::nullopt};
  if (query.get("enabled")) {
    const Result<bool> enabled = parse_flag(query, "enabled");
    if (!enabled) return enabled.error();
    filter.enabled = *enabled;
  }
  return filter;
}

void handle_list(Context& context, const http::ExchangePtr& exchange) {
  Result<Filter> filter = parse_filter(context, exchange->request());
  if (!filter) return exchange->respond(problem(filter.error()));
  respond_from(context.readers, exchange, [&context, filter = std::move(*filter)] {
    std::string body = "{\"rules\":[";
    for (const RuleRecordPtr& record : context.registry.rules().list(filter.patterns.front().account)) {
      if (!filter.takes(record->rule)) continue;
      if (body.back() != '[') body += ',';
      append_rule(context, *record, body);
    }
    http::Response response = http::Response::json(200, body + "]}");
    response.headers.add("Cache-Control", "no-store");
    return response;
  });
}

void handle_get(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {}); !known) return exchange->respond(problem(known.error()));
  const Result<model::Grants> grants = grants_of(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  if (const Status role = auth::authorize_role(*grants, model::Role::viewer); !role) {
    return exchange->respond(problem(role.error()));
  }
  const std::string& id = request.captures.front();
  const RuleRecordPtr record = context.registry.rules().find(grants->account, id);
  if (!record || !auth::may_read(*grants, record->rule.scope)) return exchange->respond(problem(no_rule(id)));
  exchange->respond(rule_response(context, 200, *record));
}

// ---- changing ----

struct Change {
  model::Grants holder;
  Preconditions conditions;
  std::string id;                   // of the path
  model::Rule rule;                 // what it shall be
  std::optional<uint64_t> version;  // of what was looked at, if the body says so
};

// What needs nothing but the request.
Result<Change> parse_change(const Context& context, const http::Request& request) {
  Result<model::Grants> holder = admin_grants(context, request);
  if (!holder) return holder.error();
  Result<Preconditions> conditions = Preconditions::of(request);
  if (!conditions) return conditions.error();
  Change change{std::move(*holder), std::move(*conditions), {}, {}, {}};
  if (!request.captures.empty()) change.id = request.captures.front();
  return change;
}

Status check_channels(const notify::Channels& channels, const model::Rule& rule) {
  for (size_t i = 0; i < rule.notify.size(); ++i) {
    if (channels.find(rule.scope.account, rule.notify[i].channel)) continue;
    return Error{Code::invalid, "notify[" + std::to_string(i) + "].channel: there is no channel of this name"};
  }
  return {};
}

Status read_rule(const Context& context, std::string_view body, Change& change) {
  Result<codec::RuleRequest> asked = codec::parse_rule_request(body, change.holder.account);
  if (!asked) return asked.error();
  change.version = asked->version;
  const auto compiled = rules::compile(asked->rule);
  if (!compiled) return compiled.error();
  if (Status s = check_channels(context.channels, asked->rule); !s) return s;
  change.rule = std::move(asked->rule);
  return {};
}

// "Over temperature, hall 2" -> "over-temperature-hall-2".
std::string id_of(std::string_view name) {
  std::string id;
  for (const char c : name.substr(0, kMadeIdBytesMax)) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    const bool kept = (lower >= 'a' && lower <= 'z') || (lower >= '0' && lower <= '9') || lower == '.' || lower == '_';
    if (kept) {
      id += lower;
    } else if (!id.empty() && id.back() != '-') {
      id += '-';
    }
  }
  while (id.ends_with('-')) id.pop_back();
  return id.empty() ? "rule" : id;
}

std::string free_id(const registry::Rules& rules, const model::AccountId& account, const std::string& name) {
  const std::string first = id_of(name);
  std::string id = first;
  for (int n = 2; rules.find(account, id); ++n) id = first + "-" + std::to_string(n);
  return id;
}

http::Response create(Context& context, Change change) {
  const int64_t now_ms = context.clock.wall_ms();
  const registry::Rules& rules = context.registry.rules();
  model::Rule& rule = change.rule;
  if (rule.id.empty()) rule.id = free_id(rules, change.holder.account, rule.name);
  if (const RuleRecordPtr other = rules.find(change.holder.account, rule.id)) return problem(taken(*other));
  rule.version = 1;
  const RuleRecord record{.rule = std::move(rule),
                          .source = model::RuleSource::api,
                          .created_at_ms = now_ms,
                          .updated_at_ms = now_ms,
                          .created_by = change.holder.subject,
                          .updated_by = change.holder.subject};
  const Status added = add_rule(context, record);
  return added ? rule_response(context, 201, record) : problem(added.error());
}

void handle_create(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  Result<Change> change = parse_change(context, request);
  if (!change) return exchange->respond(problem(change.error()));
  Status read = read_rule(context, request.body, *change);
  if (read && change->rule.id.empty() && change->rule.name.empty()) {
    read = Error{Code::invalid, "id: missing, and there is no name to make one of"};
  }
  if (!read) return exchange->respond(problem_at_place(read.error()));
  if (const Status may = auth::authorize_rule(change->holder, change->rule.scope); !may) {
    return exchange->respond(problem_at_place(may.error()));
  }
  respond_from(context.changes, exchange, [&context, change = std::move(*change)] { return create(context, change); });
}

// May what is there now be changed, or ended, under these conditions?
Result<RuleRecordPtr> changeable(const Context& context, const Change& change) {
  const RuleRecordPtr record = context.registry.rules().find(change.holder.account, change.id);
  if (!record || !auth::may_read(change.holder, record->rule.scope)) return no_rule(change.id);
  if (record->source != model::RuleSource::api) return of_file(*record);
  if (const Status may = auth::authorize_rule(change.holder, record->rule.scope); !may) return may.error();
  return record;
}

http::Response failed_condition(std::string_view header, std::optional<uint64_t> version) {
  const std::string now = version ? "is at version " + std::to_string(*version) : "is not there";
  return problem(412, std::string(header) + ": the rule " + now);
}

http::Response put_in_place(Context& context, const Change& change, const RuleRecord& before) {
  const uint64_t version = before.rule.version;
  if (change.version && *change.version != version) {
    return problem(409, "version: the rule is at version " + std::to_string(version) + "; look at it again");
  }
  RuleRecord record = before;
  record.rule = change.rule;
  record.rule.version = version + 1;
  record.updated_at_ms = context.clock.wall_ms();
  record.updated_by = change.holder.subject;
  const Status replaced = replace_rule(context, before, record);
  return replaced ? rule_response(context, 200, record) : problem(replaced.error());
}

http::Response put(Context& context, const Change& change) {
  const RuleRecordPtr before = context.registry.rules().find(change.holder.account, change.id);
  if (before && !auth::may_read(change.holder, before->rule.scope)) return problem(taken(*before));
  if (before) {
    const Result<RuleRecordPtr> record = changeable(context, change);
    if (!record) return problem(record.error());
  }
  const auto version = before ? std::optional(before->rule.version) : std::nullopt;
  if (const std::string_view failed = change.conditions.failed(version); !failed.empty()) {
    return failed_condition(failed, version);
  }
  if (before) return put_in_place(context, change, *before);
  if (change.version) return problem(409, "version: the rule is not there any more; leave it out to make it anew");
  return create(context, change);
}

void handle_put(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  Result<Change> change = parse_change(context, request);
  if (!change) return exchange->respond(problem(change.error()));
  Status read = read_rule(context, request.body, *change);
  model::Rule& rule = change->rule;
  if (read && rule.id.empty()) {
    rule.id = change->id;
    if (rule.name.empty()) rule.name = rule.id;
    if (!model::is_name(rule.id)) read = Error{Code::invalid, "id: 1 to 64 of A-Z a-z 0-9 . _ -"};
  } else if (read && rule.id != change->id) {
    read = Error{Code::invalid, "id: not the one of the path; a rule keeps its id"};
  }
  if (!read) return exchange->respond(problem_at_place(read.error()));
  if (const Status may = auth::authorize_rule(change->holder, rule.scope); !may) {
    return exchange->respond(problem_at_place(may.error()));
  }
  respond_from(context.changes, exchange, [&context, change = std::move(*change)] { return put(context, change); });
}

http::Response remove(Context& context, const Change& change) {
  const Result<RuleRecordPtr> record = changeable(context, change);
  if (!record) return problem(record.error());
  const uint64_t version = (*record)->rule.version;
  if (const std::string_view failed = change.conditions.failed(version); !failed.empty()) {
    return failed_condition(failed, version);
  }
  const Status removed = remove_rule(context, **record, change.holder.subject);
  return removed ? http::Response{.status = 204} : problem(removed.error());
}

void handle_delete(Context& context, const http::ExchangePtr& exchange) {
  Result<Change> change = parse_change(context, exchange->request());
  if (!change) return exchange->respond(problem(change.error()));
  respond_from(context.changes, exchange, [&context, change = std::move(*change)] { return remove(context, change); });
}

}  // namespace

void add_rule_routes(http::Router& router, Context& context) {
  const http::Admit admit = admit_admins(context);
  constexpr size_t kBodyBytesMax = codec::kRuleInputBytesMax;
  router.add("GET", "/api/rules", 0, [&context](const http::ExchangePtr& e) { handle_list(context, e); });
  router.add(
      "POST", "/api/rules", kBodyBytesMax, [&context](const http::ExchangePtr& e) { handle_create(context, e); },
      admit);
  router.add("GET", "/api/rules/{}", 0, [&context](const http::ExchangePtr& e) { handle_get(context, e); });
  router.add(
      "PUT", "/api/rules/{}", kBodyBytesMax, [&context](const http::ExchangePtr& e) { handle_put(context, e); }, admit);
  router.add("DELETE", "/api/rules/{}", 0, [&context](const http::ExchangePtr& e) { handle_delete(context, e); });
}

}  // namespace millstream::api
