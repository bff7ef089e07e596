// POST /api/events: an alert or a system event from someone other than a device.
#include "api/credential.h"
#include "api/idempotency.h"
#include "api/problem.h"
#include "api/published.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "api/write_points.h"
#include "auth/authorize.h"
#include "base/limits.h"
#include "codec/published_event.h"

namespace millstream::api {
namespace {

// Blanks and escapes of a body are not counted in the event.
constexpr size_t kBodyBytesMax = 2 * kEventBytesMax;

std::optional<http::Response> admit_publish(Context& context, const http::Request& request) {
  // On the head alone, and again when the body is here.
  const Result<model::Grants> grants = grants_of_role(context, request, model::Role::publish);
  if (!grants) return problem(grants.error());
  return refuse_over_quota(context, *grants, [](const Error& error) { return problem(error); });
}

Result<model::Event> event_of(const Context& context, const model::Grants& grants, std::string_view body) {
  Result<codec::PublishedEvent> published = codec::parse_published_event(body);
  if (!published) return published.error();
  if (const Status may = auth::authorize_publish(grants, published->topic); !may) return may.error();
  return admit_published(context, std::move(*published));
}

http::Response accepted(const log::AppendReceipt& receipt) {
  http::Response response = http::Response::json(202, "{\"id\":\"" + receipt.first.text() + "\"}");
  return receipt.repeated ? as_repeated(std::move(response)) : response;
}

void handle_publish(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {}); !known) return exchange->respond(problem(known.error()));
  const Result<model::Grants> grants = grants_of_role(context, request, model::Role::publish);
  if (!grants) return exchange->respond(problem(grants.error()));
  const Result<std::optional<Idempotency>> idempotency = idempotency_of(request, *grants);
  if (!idempotency) return exchange->respond(problem(idempotency.error()));
  context.ingest_rates.take(*grants, 1, context.clock.steady_ms());
  Result<model::Event> event = event_of(context, *grants, request.body);
  if (!event && !*idempotency) return exchange->respond(problem(event.error()));
  // What cannot be stored now may have been before: then the alert was not one too many, and its time not too old.
  std::vector<model::Event> batch;
  if (event) batch.push_back(std::move(*event));
  net::Loop& loop = exchange->loop();
  log::AppendDone done = [exchange, &loop, refused = event ? std::nullopt : std::optional(event.error())](
                             const Result<log::AppendReceipt>& receipt) {
    const bool unknown = refused && !receipt && receipt.error().code == Code::not_found;
    http::Response response = receipt ? accepted(*receipt) : problem(unknown ? *refused : receipt.error());
    loop.post([exchange, response = std::move(response)]() mutable { exchange->respond(std::move(response)); });
  };
  // The answer is made of the receipt, so that none needs to be kept.
  const Status queued =
      *idempotency ? context.log.append_once(once(**idempotency, request.body), std::move(batch), std::move(done))
                   : context.log.append(std::move(batch), std::move(done));
  if (!queued) exchange->respond(problem(queued.error()));
}

}  // namespace

void add_publish_routes(http::Router& router, Context& context) {
  router.add(
      "POST", "/api/events", kBodyBytesMax, [&context](const http::ExchangePtr& e) { handle_publish(context, e); },
      [&context](const http::Request& r) { return admit_publish(context, r); });
}

}  // namespace millstream::api
