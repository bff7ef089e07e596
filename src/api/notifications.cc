// GET /api/notifications: the delivery log: what was told through which channel, and how that went; newest first.
#include "api/credential.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "codec/notification_json.h"

namespace millstream::api {
namespace {

constexpr int64_t kLimitDefault = 100;
constexpr int64_t kLimitMax = 1000;

struct Filter {
  std::optional<int64_t> since_ms;
  std::string channel;                        // empty: of all
  std::optional<model::DeliveryState> state;  // none: in any
  size_t limit = kLimitDefault;

  bool takes(const notify::Delivery& delivery) const {
    const model::Notification& n = *delivery.notification;
    return (!since_ms || n.decided_at_ms >= *since_ms) && (channel.empty() || n.channel == channel) &&
           (!state || delivery.result.state == *state);
  }
};

Result<std::optional<model::DeliveryState>> parse_state(const http::Query& query) {
  const auto text = query.get("state");
  if (!text) return std::optional<model::DeliveryState>();
  std::string words;
  for (size_t i = 0; i < model::kDeliveryStates; ++i) {
    const auto state = static_cast<model::DeliveryState>(i);
    if (model::delivery_state_name(state) == *text) return std::optional(state);
    words.append(i == 0 ? "" : ", ").append(model::delivery_state_name(state));
  }
  return Error{Code::invalid, "state: one of " + words};
}

Result<Filter> parse_filter(const http::Query& query) {
  if (Status s = check_known(query, {"since", "channel", "state", "limit"}); !s) return s.error();
  Filter filter;
  const auto since = parse_time_field(query, "since");
  if (!since) return since.error();
  filter.since_ms = *since;
  filter.channel = std::string(query.get("channel").value_or(""));
  const auto state = parse_state(query);
  if (!state) return state.error();
  filter.state = *state;
  const auto limit = parse_number(query, "limit", 1, kLimitMax);
  if (!limit) return limit.error();
  filter.limit = static_cast<size_t>(limit->value_or(kLimitDefault));
  return filter;
}

void handle_list(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const Result<model::Grants> grants = operating_grants(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  const Result<Filter> filter = parse_filter(request.query);
  if (!filter) return exchange->respond(problem(filter.error()));
  std::string body = "{\"notifications\":[";
  size_t count = 0;
  for (const notify::Delivery& delivery : context.deliveries.list(grants->account)) {
    if (!filter->takes(delivery)) continue;
    if (count == filter->limit) break;
    if (count++ > 0) body += ',';
    body += codec::encode_delivery(*delivery.notification, delivery.result, delivery.changed_at_ms);
  }
  exchange->respond(http::Response::json(200, body + "]}"));
}

}  // namespace

void add_notification_routes(http::Router& router, Context& context) {
  router.add("GET", "/api/notifications", 0, [&context](const http::ExchangePtr& e) { handle_list(context, e); });
}

}  // namespace millstream::api
