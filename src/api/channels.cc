// GET /api/channels: the channels an account may notify through, and how they do; never where they lead.
// POST /api/channels/{name}/test: says something through one of them, for its admins.
#include <algorithm>

#include "api/credential.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "auth/random_text.h"
#include "codec/event_json.h"
#include "codec/notification_json.h"

namespace millstream::api {
namespace {

constexpr size_t kTestIdBytes = 24;

void append_channel(const notify::Channel& channel, const std::vector<notify::Delivery>& deliveries, std::string& out) {
  const auto is_of = [&](const notify::Delivery& d) { return d.notification->channel == channel.name; };
  const auto pending = std::count_if(deliveries.begin(), deliveries.end(), [&](const notify::Delivery& d) {
    return is_of(d) && !model::is_final(d.result.state);
  });
  // Names hold nothing that needs escaping.
  out += R"({"name":")" + channel.name + R"(","type":")" + channel.type + R"(","shared":)";
  out += channel.account.empty() ? "true" : "false";
  out += ",\"pending\":" + std::to_string(pending);
  // Newest first: what was heard of it last.
  const auto heard = std::find_if(deliveries.begin(), deliveries.end(), [&](const notify::Delivery& d) {
    return is_of(d) && d.result.state != model::DeliveryState::pending;
  });
  if (heard != deliveries.end()) {
    out += ",\"last\":" + codec::encode_delivery(*heard->notification, heard->result, heard->changed_at_ms);
  }
  out += '}';
}

void handle_list(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const Result<model::Grants> grants = operating_grants(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  if (Status s = check_known(request.query, {}); !s) return exchange->respond(problem(s.error()));
  const std::vector<notify::Delivery> deliveries = context.deliveries.list(grants->account);
  std::string body = "{\"channels\":[";
  for (const notify::Channel* channel : context.channels.of(grants->account)) {
    if (body.back() != '[') body += ',';
    append_channel(*channel, deliveries, body);
  }
  exchange->respond(http::Response::json(200, body + "]}"));
}

Result<model::Grants> testing_grants(const Context& context, const http::Request& request) {
  Result<model::Grants> grants = operating_grants(context, request);
  if (!grants) return grants;
  if (const Status admin = auth::authorize_role(*grants, model::Role::admin); !admin) return admin.error();
  return grants;
}

model::Event test_event(const model::Grants& grants, const std::string& channel, int64_t now_ms) {
  model::Notification notification;
  notification.id = auth::random_text("test.").substr(0, kTestIdBytes);
  notification.channel = channel;
  notification.group_key = grants.account.text() + "/" + channel + "/test";
  notification.firing_count = 1;
  notification.is_test = true;
  notification.by = grants.subject;
  return new_event(model::EventType::system, {grants.account, {}, {}}, codec::encode_notification(notification),
                   now_ms);
}

void handle_test(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (Status s = check_known(request.query, {}); !s) return exchange->respond(problem(s.error()));
  const Result<model::Grants> grants = testing_grants(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  const std::string& name = request.captures.front();
  if (context.channels.find(grants->account, name) == nullptr) {
    return exchange->respond(problem(404, "no channel of this account has this name"));
  }
  model::Event event = test_event(*grants, name, context.clock.wall_ms());
  net::Loop& loop = exchange->loop();
  http::Response accepted = http::Response::json(202, event.data);
  const Status queued = context.log.append(
      {std::move(event)}, [exchange, &loop, accepted = std::move(accepted)](const Result<log::AppendReceipt>& receipt) {
        http::Response response = receipt ? accepted : problem(receipt.error());
        loop.post([exchange, response = std::move(response)]() mutable { exchange->respond(std::move(response)); });
      });
  if (!queued) exchange->respond(problem(queued.error()));
}

}  // namespace

void add_channel_routes(http::Router& router, Context& context) {
  router.add("GET", "/api/channels", 0, [&context](const http::ExchangePtr& e) { handle_list(context, e); });
  router.add("POST", "/api/channels/{}/test", 0, [&context](const http::ExchangePtr& e) { handle_test(context, e); });
}

}  // namespace millstream::api
