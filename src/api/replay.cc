// GET /api/replay: a span of the past as a stream, with its pauses, at a chosen speed.
#include <algorithm>
#include <charconv>

#include "api/credential.h"
#include "api/event_stream.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/replays.h"
#include "api/routes.h"
#include "hub/blocks.h"

namespace millstream::api {
namespace {

constexpr double kSpeedMin = 0.1;
constexpr double kSpeedMax = 1000;

struct Asked {
  ReplaySpan span;
  bool ended = false;  // it comes back after the end
};

Result<std::optional<double>> parse_speed(const http::Query& query) {
  const std::string_view text = query.get("speed").value_or("1");
  if (text == "max") return std::optional<double>();
  double speed = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), speed);
  if (error != std::errc() || end != text.data() + text.size() || !(speed >= kSpeedMin)) {
    return Error{Code::invalid, "speed: a number from 0.1 to 1000, or max"};
  }
  if (speed > kSpeedMax) return Error{Code::unprocessable, "speed: at most 1000, or max"};
  return std::optional(speed);
}

Status parse_wishes(const http::Query& query, ReplaySpan& span) {
  const Result<model::EventTypes> types = parse_types(query);
  if (!types) return types.error();
  span.types = *types;
  const Result<model::Severity> min_severity = parse_min_severity(query);
  if (!min_severity) return min_severity.error();
  span.min_severity = *min_severity;
  Result<hub::FieldNames> fields = parse_field_names(query);
  if (!fields) return fields.error();
  span.view.fields = std::move(*fields);
  const Result<bool> unnamed = parse_flag(query, "unnamed");
  if (!unnamed) return unnamed.error();
  span.view.unnamed = *unnamed;
  const Result<std::optional<double>> speed = parse_speed(query);
  if (!speed) return speed.error();
  span.speed = *speed;
  return {};
}

// `newest`: the past ends there.
Result<Asked> parse_asked(const http::Request& request, model::EventId newest) {
  Asked asked;
  ReplaySpan& span = asked.span;
  if (const Status wishes = parse_wishes(request.query, span); !wishes) return wishes.error();
  const auto since = parse_position(request.query, "since");
  if (!since) return since.error();
  if (!*since) return Error{Code::invalid, "since: required"};
  const auto until = parse_position(request.query, "until");
  if (!until) return until.error();
  if (*until && **until < **since) return Error{Code::invalid, "until: before since"};
  span.since = span.after = **since;
  span.until = std::max(span.since, std::min(until->value_or(newest), newest));
  const auto cursor = last_event_id(request);
  if (!cursor) return asked;
  // One that is not of this log tells nothing: the replay begins anew.
  const auto told = model::EventId::parse(*cursor);
  if (told && *told > span.since) {
    span.after = *told;
    span.resumed = true;
  }
  asked.ended = *cursor == hub::kReplayEnded || span.after >= span.until;
  return asked;
}

// 204 is what an EventSource does not come back from.
void answer_ended(const http::ExchangePtr& exchange) {
  http::Response done{.status = 204, .headers = {}, .body = {}};
  done.headers.add("Cache-Control", "no-store");
  exchange->respond(std::move(done));
}

void open_replay(Context& context, const http::ExchangePtr& exchange, const model::Grants& grants, ReplaySpan span) {
  const bool unnamed = span.view.unnamed;
  if (turned_away(context, exchange, unnamed)) return;
  auto place = context.stream_places.take(grants.account.text(), grants.subject);
  if (!place) {
    count_refusal(context, "streams");
    return turn_away(context, exchange, "overloaded", unnamed);
  }
  std::unique_ptr<ByteSink> sink = exchange->start_stream(stream_head());
  if (sink) context.at(exchange->loop()).replays->open(std::move(span), std::move(sink), std::move(*place));
}

// On a reader thread. What cannot be read is not known to be nothing.
bool is_anything_left(const Context& context, const ReplaySpan& span) {
  log::ReadRequest read{
      .after = span.after, .until = span.until, .patterns = span.patterns, .types = span.types, .events_max = 1};
  while (context.ready) {
    const Result<log::ReadPage> page = context.log.read(read);
    if (!page || !page->events.empty() || !page->missing.empty()) return true;
    if (!page->more) return false;
    read.after = page->scanned_to;
  }
  return true;
}

// A viewer that comes back may have been told all there is, and must not come back again.
void resume_replay(Context& context, const http::ExchangePtr& exchange, model::Grants grants, ReplaySpan span) {
  const bool unnamed = span.view.unnamed;
  if (turned_away(context, exchange, unnamed)) return;
  auto job = [&context, exchange = exchange, grants = std::move(grants), span = std::move(span)]() mutable {
    const bool left = is_anything_left(context, span);
    net::Loop& loop = exchange->loop();
    loop.post(
        [&context, exchange = std::move(exchange), grants = std::move(grants), span = std::move(span), left]() mutable {
          // A key revoked meanwhile has been ended on this loop already: nobody would end this replay.
          if (!context.authenticator.still_holds(grants)) return exchange->respond(problem(auth::refused_credential()));
          if (!left) return answer_ended(exchange);
          open_replay(context, exchange, grants, std::move(span));
        });
  };
  if (!context.readers.post(std::move(job))) turn_away(context, exchange, "overloaded", unnamed);
}

void handle_replay(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(
          request.query, {"topics", "topic", "accountId", "siteId", "deviceId", "types", "since", "until", "speed",
                          "lastEventId", "last_event_id", "Last-Event-ID", "fields", "minSeverity", "unnamed"});
      !known) {
    return exchange->respond(problem(known.error()));
  }
  Result<Reading> reading = authorize_reading(context, request);
  if (!reading) return exchange->respond(problem(reading.error()));
  if (!context.authenticator.still_holds(reading->grants)) {
    return exchange->respond(problem(auth::refused_credential()));
  }
  Result<Asked> asked = parse_asked(request, context.log.last_id());
  if (!asked) return exchange->respond(problem(asked.error()));
  if (asked->ended) return answer_ended(exchange);
  if (request.method == "HEAD") return exchange->respond(stream_head());
  ReplaySpan& span = asked->span;
  span.patterns = std::move(reading->patterns);
  span.expires_at_ms = reading->grants.expires_at_ms;
  span.credential = reading->grants.credential;
  if (span.resumed) return resume_replay(context, exchange, std::move(reading->grants), std::move(span));
  open_replay(context, exchange, reading->grants, std::move(span));
}

}  // namespace

void add_replay_routes(http::Router& router, Context& context) {
  router.add("GET", "/api/replay", 0, [&context](const http::ExchangePtr& e) { handle_replay(context, e); });
}

}  // namespace millstream::api
