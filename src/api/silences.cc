// /api/silences: times in which certain alerts notify nobody. The alerts themselves, and the stream, stay as they are.
#include "api/credential.h"
#include "api/grants_json.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/recorded_change.h"
#include "api/routes.h"
#include "auth/random_text.h"
#include "base/log_line.h"
#include "codec/silence_json.h"

namespace millstream::api {
namespace {

using model::Silence;

constexpr std::string_view kIdPrefix = "s-";
constexpr size_t kIdLetters = 6;
constexpr int kIdTries = 4;

std::string silence_json(const Silence& silence, int64_t now_ms) {
  std::string out = codec::encode_silence(silence);
  out.pop_back();
  return out + ",\"active\":" + (silence.is_active(now_ms) ? "true" : "false") + '}';
}

model::Event event_of(const model::TopicPattern& topic, const codec::SilenceCommand& command, int64_t now_ms) {
  return new_event(model::EventType::system, heard_at(topic), codec::encode_silence_command(command), now_ms);
}

std::string what_of(const Silence& silence) {
  return "silence " + silence.id + " of account " + silence.topic.account.text();
}

// One that concerns something the holder may see. Others are not told from those that are not there.
Result<Silence> seen_silence(const Context& context, const model::Grants& grants, const std::string& id) {
  const auto all = context.registry.silences().of(grants.account);
  for (const Silence& silence : *all) {
    if (silence.id == id && auth::may_read(grants, silence.topic)) return silence;
  }
  return Error{Code::not_found, "no silence of this account has the id \"" + id.substr(0, kNameBytesMax) + "\""};
}

void handle_list(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {"active"}); !known) {
    return exchange->respond(problem(known.error()));
  }
  const Result<model::Grants> grants = grants_of_role(context, request, model::Role::viewer);
  if (!grants) return exchange->respond(problem(grants.error()));
  const bool asked = request.query.get("active").has_value();
  const Result<bool> active = parse_flag(request.query, "active");
  if (!active) return exchange->respond(problem(active.error()));
  const int64_t now_ms = context.clock.wall_ms();
  const auto all = context.registry.silences().of(grants->account);
  std::string body = "{\"silences\":[";
  for (const Silence& silence : *all) {
    if (!auth::may_read(*grants, silence.topic) || (asked && silence.is_active(now_ms) != *active)) continue;
    if (body.back() != '[') body += ',';
    body += silence_json(silence, now_ms);
  }
  exchange->respond(private_json(200, body + "]}"));
}

void handle_one(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {}); !known) return exchange->respond(problem(known.error()));
  const Result<model::Grants> grants = grants_of_role(context, request, model::Role::viewer);
  if (!grants) return exchange->respond(problem(grants.error()));
  const Result<Silence> silence = seen_silence(context, *grants, request.captures.front());
  if (!silence) return exchange->respond(problem(silence.error()));
  exchange->respond(private_json(200, silence_json(*silence, context.clock.wall_ms())));
}

http::Response add_silence(Context& context, Silence silence) {
  registry::Silences& silences = context.registry.silences();
  const int64_t now_ms = silence.created_at_ms;
  Status added;
  for (int tries = 0; tries < kIdTries; ++tries) {
    silence.id = std::string(kIdPrefix) + auth::random_name(kIdLetters);
    added = record_change(context.log,
                          {.what = what_of(silence),
                           .apply = [&] { return silences.add(silence, now_ms); },
                           .undo = [&] { return silences.remove(silence.topic.account, silence.id); },
                           .event = event_of(silence.topic, codec::SaveSilence{silence, silence.created_by}, now_ms)});
    if (added || added.error().code != Code::conflict) break;
  }
  if (!added) return problem(added.error());
  log_info("a silence was made", {{"id", silence.id}, {"by", silence.created_by}});
  return private_json(201, silence_json(silence, now_ms));
}

void handle_create(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {}); !known) return exchange->respond(problem(known.error()));
  const Result<model::Grants> grants = grants_of_role(context, request, model::Role::operator_);
  if (!grants) return exchange->respond(problem(grants.error()));
  Result<Silence> asked = codec::parse_new_silence(request.body, grants->account, context.clock.wall_ms());
  if (!asked) return exchange->respond(problem(asked.error()));
  if (const Status may = auth::authorize_silence(*grants, asked->topic); !may) {
    return exchange->respond(problem(may.error()));
  }
  asked->created_by = grants->subject;
  respond_from(context.registry_work, exchange,
               [&context, asked = std::move(*asked)] { return add_silence(context, asked); });
}

http::Response delete_silence(Context& context, const Silence& silence, const std::string& by, int64_t now_ms) {
  registry::Silences& silences = context.registry.silences();
  const Status deleted =
      record_change(context.log, {.what = what_of(silence),
                                  .apply = [&] { return silences.remove(silence.topic.account, silence.id); },
                                  .undo = [&] { return silences.add(silence, now_ms); },
                                  .event = event_of(silence.topic, codec::DeleteSilence{silence.id, by}, now_ms)});
  if (!deleted) return problem(deleted.error());
  log_info("a silence was deleted", {{"id", silence.id}, {"by", by}});
  return http::Response{.status = 204};
}

void handle_delete(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {}); !known) return exchange->respond(problem(known.error()));
  const Result<model::Grants> grants = grants_of_role(context, request, model::Role::operator_);
  if (!grants) return exchange->respond(problem(grants.error()));
  Result<Silence> silence = seen_silence(context, *grants, request.captures.front());
  if (!silence) return exchange->respond(problem(silence.error()));
  if (const Status may = auth::authorize_silence(*grants, silence->topic); !may) {
    return exchange->respond(problem(may.error()));
  }
  respond_from(context.registry_work, exchange,
               [&context, silence = std::move(*silence), by = grants->subject, now_ms = context.clock.wall_ms()] {
                 return delete_silence(context, silence, by, now_ms);
               });
}

}  // namespace

void add_silence_routes(http::Router& router, Context& context) {
  router.add("GET", "/api/silences", 0, [&context](const http::ExchangePtr& e) { handle_list(context, e); });
  router.add(
      "POST", "/api/silences", codec::kSilenceBytesMax,
      [&context](const http::ExchangePtr& e) { handle_create(context, e); },
      [&context](const http::Request& request) -> std::optional<http::Response> {
        const Result<model::Grants> grants = grants_of_role(context, request, model::Role::operator_);
        return grants ? std::nullopt : std::optional(problem(grants.error()));
      });
  router.add("GET", "/api/silences/{}", 0, [&context](const http::ExchangePtr& e) { handle_one(context, e); });
  router.add("DELETE", "/api/silences/{}", 0, [&context](const http::ExchangePtr& e) { handle_delete(context, e); });
}

}  // namespace millstream::api
