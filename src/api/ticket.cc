// POST /api/stream-token: a ticket for one stream, for browsers, whose EventSource sends no Authorization header.
#include "api/ticket.h"

#include <algorithm>

#include "api/grants_json.h"
#include "api/json_body.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "auth/ticket.h"
#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

constexpr size_t kBodyBytesMax = 64 << 10;
constexpr int64_t kFirstUseMs = 30'000;
constexpr int64_t kReconnectsMs = kDayMs;  // so long the browser may come back with it, if its credential lasts

// As one comma list, which is what a query says.
Result<std::string> read_list(const JsonBody& body, std::string_view name) {
  const auto texts = body.texts(name);
  if (!texts) return texts.error();
  std::string list;
  for (const std::string& text : texts->value_or(std::vector<std::string>())) {
    list.append(list.empty() ? "" : ",").append(text);
  }
  return list;
}

http::Query as_query(const TicketRequest& asked) {
  std::vector<std::pair<std::string, std::string>> list;
  if (!asked.topics.empty()) list.emplace_back("topics", asked.topics);
  if (!asked.types.empty()) list.emplace_back("types", asked.types);
  return http::Query(std::move(list));
}

Result<model::TicketRecord> make_record(const Context& context, const model::Grants& grants, const TicketRequest& asked,
                                        std::string_view origin, int64_t now_ms) {
  const http::Query query = as_query(asked);
  const Result<auth::Selection> selection = selection_of(context, query, grants.account);
  if (!selection) return selection.error();
  Result<std::vector<model::TopicPattern>> topics = auth::authorize_read(grants, *selection);
  if (!topics) return topics.error();
  const Result<model::EventTypes> types = parse_types(query);
  if (!types) return types.error();
  const int64_t credential_ends_ms = grants.expires_at_ms.value_or(INT64_MAX);
  return model::TicketRecord{.sha256 = {},
                             .grants = grants,
                             .topics = std::move(*topics),
                             .types = *types,
                             .origin = std::string(origin),
                             .first_use_by_ms = std::min(now_ms + kFirstUseMs, credential_ends_ms),
                             .ends_at_ms = ticket_end(grants, now_ms)};
}

http::Response made(const std::string& text, const model::TicketRecord& record) {
  std::string body = "{\"ticket\":";
  codec::append_json_string(text, body);
  body += ",\"expiresAt\":\"" + rfc3339_ms(record.first_use_by_ms) + "\",\"url\":\"/api/stream?ticket=" + text + "\"}";
  return private_json(200, std::move(body));
}

void handle_ticket_request(Context& context, http::ExchangePtr exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {}); !known) return exchange->respond(problem(known.error()));
  const Result<model::Grants> grants = grants_of(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  if (!context.authenticator.still_holds(*grants)) return exchange->respond(problem(auth::refused_credential()));
  const Result<TicketRequest> asked = parse_ticket_request(request.body);
  if (!asked) return exchange->respond(problem(asked.error()));
  const int64_t now_ms = context.clock.wall_ms();
  Result<model::TicketRecord> record = make_record(context, *grants, *asked, request.headers.get("origin"), now_ms);
  if (!record) return exchange->respond(problem(record.error()));
  respond_from(context.registry_work, std::move(exchange), [&context, record = std::move(*record), now_ms]() mutable {
    const std::string text = auth::make_ticket_text();
    record.sha256 = *auth::ticket_sha256(text);
    const Status added = context.tickets.add(record, now_ms);
    return added ? made(text, record) : problem(added.error());
  });
}

std::optional<http::Response> admit_ticket_request(const Context& context, const http::Request& request) {
  const Result<model::Grants> grants = grants_of(context, request);
  return grants ? std::nullopt : std::optional(problem(grants.error()));
}

}  // namespace

int64_t ticket_end(const model::Grants& grants, int64_t now_ms) {
  return std::min(now_ms + kReconnectsMs, grants.expires_at_ms.value_or(INT64_MAX));
}

Result<TicketRequest> parse_ticket_request(std::string_view body) {
  JsonBody json;
  if (const Status read = json.read(body, {"topics", "types"}); !read) return read.error();
  Result<std::string> topics = read_list(json, "topics");
  if (!topics) return topics.error();
  Result<std::string> types = read_list(json, "types");
  if (!types) return types.error();
  return TicketRequest{std::move(*topics), std::move(*types)};
}

Result<Reading> ticket_reading(const Context& context, const model::TicketRecord& ticket,
                               const http::Request& request) {
  const Result<auth::Selection> selection = selection_of(context, request.query, ticket.grants.account);
  if (!selection) return selection.error();
  const bool selects = !selection->topics.empty() || !selection->account.empty() || !selection->site.empty() ||
                       !selection->device.empty();
  if (!selects) return Reading{ticket.grants, ticket.topics};
  Result<std::vector<model::TopicPattern>> patterns = auth::authorize_read(ticket.grants, *selection);
  if (!patterns) return patterns.error();
  for (const model::TopicPattern& pattern : *patterns) {
    if (std::none_of(ticket.topics.begin(), ticket.topics.end(),
                     [&](const model::TopicPattern& topic) { return pattern.within(topic); })) {
      return Error{Code::forbidden, "\"" + pattern.text() + "\" is not within what the ticket is for"};
    }
  }
  return Reading{ticket.grants, std::move(*patterns)};
}

Result<model::EventTypes> ticket_types(const model::TicketRecord& ticket, const http::Request& request) {
  const Result<model::EventTypes> asked = parse_types(request.query);
  if (!asked || asked->is_all()) return asked ? Result<model::EventTypes>(ticket.types) : asked;
  if ((*asked & ticket.types) != *asked) {
    return Error{Code::forbidden, "types: not within what the ticket is for"};
  }
  return *asked;
}

void add_ticket_routes(http::Router& router, Context& context) {
  router.add(
      "POST", "/api/stream-token", kBodyBytesMax,
      [&context](const http::ExchangePtr& exchange) { handle_ticket_request(context, exchange); },
      [&context](const http::Request& request) { return admit_ticket_request(context, request); });
}

}  // namespace millstream::api
