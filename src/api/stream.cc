// GET /api/stream: events as they happen, over Server-Sent Events.
#include "api/ask_shards.h"
#include "api/credential.h"
#include "api/event_stream.h"
#include "api/latest_events.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "api/ticket.h"
#include "auth/ticket.h"
#include "base/log_line.h"
#include "base/time_text.h"
#include "http/accept_encoding.h"
#include "hub/blocks.h"
#include "model/api_key.h"

#include <algorithm>

namespace millstream::api {
namespace {

constexpr size_t kPaddingBytes = 2048;
constexpr int64_t kHeartbeatSecondsMax = 60;
constexpr int64_t kIntervalMsMin = 100;
constexpr int64_t kIntervalMsMax = 60'000;
constexpr int64_t kIntervalMsDefault = 1000;

struct Parameters {
  hub::SessionRequest session;
  bool snapshot = false;
};

// The cursor beats since=: the browser's own reconnect repeats the old URL.
Result<hub::Start> parse_start(const http::Request& request, int64_t now_ms) {
  const std::optional<std::string_view> cursor = last_event_id(request);
  if (cursor == hub::kSnapshotAgain) return hub::Start{};
  if (cursor && !cursor->empty()) {
    const auto id = model::EventId::parse(*cursor);
    if (!id) return hub::Start{.from = hub::Start::From::unknown, .id = {}};
    return hub::Start{.from = hub::Start::From::id, .id = *id};
  }
  const auto since = parse_position(request.query, "since");
  if (!since) return since.error();
  if (!*since || (*since)->ms >= now_ms) return hub::Start{};
  return hub::Start{.from = hub::Start::From::id, .id = **since};
}

// Devices without any of the fields keep their status.
void keep_fields(const hub::FieldNames& names, history::LatestSnapshot& latest) {
  if (names.empty()) return;
  for (history::LatestDevice& device : latest.devices) {
    std::erase_if(device.fields,
                  [&](const auto& field) { return !std::binary_search(names.begin(), names.end(), field.first); });
  }
}

// 0: each event at once.
Result<int64_t> parse_interval(const http::Query& query) {
  const std::string_view mode = query.get("mode").value_or("all");
  if (mode != "all" && mode != "latest") return Error{Code::invalid, "mode: all or latest"};
  const auto interval = parse_number(query, "interval", kIntervalMsMin, kIntervalMsMax);
  if (!interval) return interval.error();
  if (mode == "latest") return interval->value_or(kIntervalMsDefault);
  if (*interval) return Error{Code::invalid, "interval: goes with mode=latest"};
  return 0;
}

Result<Parameters> parse_parameters(const http::Request& request, int64_t now_ms) {
  if (Status s =
          check_once(request.query, {"topics", "topic", "accountId", "siteId", "deviceId", "types", "since",
                                     "lastEventId", "last_event_id", "Last-Event-ID", "snapshot", "mode", "interval",
                                     "fields", "minSeverity", "heartbeat", "unnamed", "pad", "ticket"});
      !s)
    return s.error();
  Parameters out;
  const Result<model::EventTypes> types = parse_types(request.query);
  if (!types) return types.error();
  out.session.types = *types;
  const Result<model::Severity> min_severity = parse_min_severity(request.query);
  if (!min_severity) return min_severity.error();
  out.session.min_severity = *min_severity;
  const Result<int64_t> interval_ms = parse_interval(request.query);
  if (!interval_ms) return interval_ms.error();
  out.session.interval_ms = *interval_ms;
  const Result<bool> unnamed = parse_flag(request.query, "unnamed");
  if (!unnamed) return unnamed.error();
  out.session.view.unnamed = *unnamed;
  Result<hub::FieldNames> fields = parse_field_names(request.query);
  if (!fields) return fields.error();
  out.session.view.fields = std::move(*fields);
  const Result<bool> pad = parse_flag(request.query, "pad");
  if (!pad) return pad.error();
  out.session.padding_bytes = *pad ? kPaddingBytes : 0;
  const auto heartbeat = parse_number(request.query, "heartbeat", 1, kHeartbeatSecondsMax);
  if (!heartbeat) return heartbeat.error();
  if (*heartbeat) out.session.heartbeat_ms = **heartbeat * 1000;
  Result<hub::Start> start = parse_start(request, now_ms);
  if (!start) return start.error();
  out.session.start = *start;
  if (const auto snapshot = request.query.get("snapshot"); snapshot && *snapshot != "none") {
    if (*snapshot != "latest") return Error{Code::invalid, "snapshot: latest or none"};
    out.snapshot = out.session.start.from == hub::Start::From::now;
  }
  return out;
}

// A stream that is about to be opened, and for whom.
struct Opening {
  hub::SessionRequest session;
  model::Grants grants;
  std::string ticket;  // hash of the one it uses for the first time; empty: none
};

// Whoever is turned away comes back with the same ticket.
void keep_ticket(Context& context, const Opening& opening) {
  if (opening.ticket.empty()) return;
  const bool posted = context.registry_work.post([&context, ticket = opening.ticket] {
    if (const Status s = context.tickets.give_back(ticket); !s) {
      log_warning("a ticket could not be given back", {{"reason", s.error().detail}});
    }
  });
  if (!posted) log_warning("a ticket could not be given back", {{"reason", "too much work is waiting"}});
}

// A ticket is for one stream: when its viewer has come back, the one it had is not read any more, whatever its socket
// says. The shard that opens it ends its own; of two that open it at once the later one stays.
void end_earlier_streams(Context& context, const net::Loop& here, hub::SessionRequest& session) {
  session.ticket_serial = ++context.ticket_serial;
  for (const Context::Shard& entry : context.shards) {
    if (entry.loop == &here) continue;
    entry.loop->post([shard = entry.shard, ticket = session.ticket, serial = session.ticket_serial] {
      shard->end_ticket(ticket, serial);
    });
  }
}

void open_stream(Context& context, const http::ExchangePtr& exchange, Opening opening) {
  hub::SessionRequest& session = opening.session;
  if (turned_away(context, exchange, session.view.unnamed)) return keep_ticket(context, opening);
  auto place = context.stream_places.take(opening.grants.account.text(), opening.grants.subject);
  if (!place) {
    count_refusal(context, "streams");
    turn_away(context, exchange, "overloaded", session.view.unnamed);
    return keep_ticket(context, opening);
  }
  std::unique_ptr<ByteSink> sink = exchange->start_stream(stream_head(session.gzip));
  if (sink && session.ticket != 0) end_earlier_streams(context, exchange->loop(), session);
  if (sink) context.shard_on(exchange->loop()).open(std::move(session), std::move(sink), std::move(*place));
}

hub::SessionRequest::Snapshot make_snapshot(Context& context, const hub::SessionRequest& request) {
  history::LatestSnapshot latest = context.latest.snapshot(request.patterns, request.types);
  std::erase_if(latest.alerts, [&](const auto& open) { return open.alert.severity < request.min_severity; });
  keep_fields(request.view.fields, latest);
  const std::vector<model::Event> events = latest_events(latest);
  return {.as_of = latest.as_of,
          .blocks = std::make_shared<const std::string>(snapshot_blocks(events, request.view.unnamed)),
          .count = events.size()};
}

void open_with_snapshot(Context& context, const http::ExchangePtr& exchange, Opening opening) {
  const bool unnamed = opening.session.view.unnamed;
  // Asked here too, so that no snapshot is made in vain; open_stream() asks again, as waiting for a reader takes time.
  if (turned_away(context, exchange, unnamed)) return keep_ticket(context, opening);
  const auto waiting = std::make_shared<Opening>(std::move(opening));
  auto job = [&context, exchange = exchange, waiting]() mutable {
    hub::SessionRequest& session = waiting->session;
    session.snapshot = context.snapshots.get(
        hub::group_key(session), [](const auto&) { return true; }, [&] { return make_snapshot(context, session); });
    net::Loop& loop = exchange->loop();
    loop.post([&context, exchange = std::move(exchange), waiting = std::move(waiting)]() mutable {
      // A key revoked meanwhile has been ended on this loop already: nobody would end this stream.
      if (!context.authenticator.still_holds(waiting->grants)) {
        return exchange->respond(problem(auth::refused_credential()));
      }
      open_stream(context, exchange, std::move(*waiting));
    });
  };
  if (context.readers.post(std::move(job))) return;
  turn_away(context, exchange, "overloaded", unnamed);
  keep_ticket(context, *waiting);
}

void open_reading(Context& context, const http::ExchangePtr& exchange, Reading reading, Parameters parameters,
                  std::string ticket) {
  hub::SessionRequest& session = parameters.session;
  session.gzip = context.gzip_streams && http::takes_gzip(exchange->request().headers.get("accept-encoding"));
  session.patterns = std::move(reading.patterns);
  session.expires_at_ms = reading.grants.expires_at_ms;
  session.holder = model::holder_number(reading.grants);
  session.credential = reading.grants.credential;
  Opening opening{std::move(session), std::move(reading.grants), std::move(ticket)};
  if (parameters.snapshot) return open_with_snapshot(context, exchange, std::move(opening));
  open_stream(context, exchange, std::move(opening));
}

// On the loop again, with what the store said of the ticket.
void open_with_ticket(Context& context, const http::ExchangePtr& exchange, const Result<model::TicketRecord>& ticket,
                      Parameters parameters, bool resuming) {
  const http::Request& request = exchange->request();
  const std::string_view origin = request.headers.get("origin");
  // Nobody knows whether it is good: a refusal would end the stream of a browser for good.
  if (!ticket && ticket.error().code == Code::unavailable) {
    return turn_away(context, exchange, "overloaded", parameters.session.view.unnamed);
  }
  const char* why = nullptr;
  if (ticket && !context.authenticator.still_holds(ticket->grants)) why = "its credential is not good any more";
  if (ticket && !origin.empty() && !ticket->origin.empty() && origin != ticket->origin) why = "from another origin";
  if (!ticket || why) {
    log_debug("ticket refused", {{"reason", why ? why : ticket.error().detail}});
    return exchange->respond(problem(auth::refused_credential()));
  }
  Result<Reading> reading = ticket_reading(context, *ticket, request);
  if (!reading) return exchange->respond(problem(reading.error()));
  const Result<model::EventTypes> types = ticket_types(*ticket, request);
  if (!types) return exchange->respond(problem(types.error()));
  parameters.session.types = *types;
  parameters.session.ticket = model::ticket_number(ticket->sha256);
  open_reading(context, exchange, std::move(*reading), std::move(parameters), resuming ? "" : ticket->sha256);
}

// The ticket stands for the credential that an EventSource cannot send. Nothing that can be refused without looking at
// it uses it up.
void handle_ticket(Context& context, const http::ExchangePtr& exchange, std::string_view text) {
  const http::Request& request = exchange->request();
  Result<Parameters> parameters = parse_parameters(request, context.clock.wall_ms());
  if (!parameters) return exchange->respond(problem(parameters.error()));
  if (request.method == "HEAD") return exchange->respond(problem(400, "ticket: only for GET"));
  if (!request.headers.get("authorization").empty()) {
    return exchange->respond(problem(400, "ticket: not together with an Authorization header"));
  }
  const bool unnamed = parameters->session.view.unnamed;
  if (turned_away(context, exchange, unnamed)) return;
  std::optional<std::string> sha256 = auth::ticket_sha256(text);
  if (!sha256) return exchange->respond(problem(auth::refused_credential()));
  const bool resuming = !request.headers.get("last-event-id").empty();
  auto job = [&context, exchange = exchange, sha256 = std::move(*sha256), resuming,
              parameters = std::make_shared<Parameters>(std::move(*parameters))]() mutable {
    const int64_t now_ms = context.clock.wall_ms();
    const Result<model::TicketRecord> ticket = context.tickets.use(sha256, resuming, now_ms);
    // The session or key behind it may have been made at another server a moment ago.
    if (ticket && !context.authenticator.still_holds(ticket->grants)) {
      static_cast<void>(context.registry.read_changes(now_ms));
    }
    net::Loop& loop = exchange->loop();
    loop.post([&context, exchange = std::move(exchange), ticket, parameters = std::move(parameters), resuming] {
      open_with_ticket(context, exchange, ticket, std::move(*parameters), resuming);
    });
  };
  if (!context.registry_work.post(std::move(job))) turn_away(context, exchange, "overloaded", unnamed);
}

void handle_stream(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const auto ticket = request.query.get("ticket")) return handle_ticket(context, exchange, *ticket);
  Result<Reading> reading = authorize_reading(context, request);
  if (!reading) return exchange->respond(problem(reading.error()));
  if (!context.authenticator.still_holds(reading->grants))
    return exchange->respond(problem(auth::refused_credential()));
  Result<Parameters> parameters = parse_parameters(request, context.clock.wall_ms());
  if (!parameters) return exchange->respond(problem(parameters.error()));
  if (request.method == "HEAD") return exchange->respond(stream_head());
  open_reading(context, exchange, std::move(*reading), std::move(*parameters), "");
}

// Whether these grants allow all that a stream follows, and not only a part of it.
bool allows_all(const model::Grants& grants, const std::vector<model::TopicPattern>& patterns) {
  const Result<std::vector<model::TopicPattern>> allowed = auth::authorize_read(grants, {.topics = patterns});
  return allowed && std::all_of(patterns.begin(), patterns.end(), [&](const model::TopicPattern& pattern) {
           return std::any_of(allowed->begin(), allowed->end(),
                              [&](const auto& wider) { return pattern.within(wider); });
         });
}

// What the stream's ticket is good for moves along, or the browser's own reconnects would end with the first
// credential.
void answer_renewal(Context& context, const http::ExchangePtr& exchange, const model::Grants& grants,
                    const hub::Renewed& renewed) {
  using What = hub::Renewed::What;
  if (renewed.what == What::no_such_stream) {
    return exchange->respond(problem(404, "no stream of this holder is open by this id"));
  }
  if (renewed.what == What::allows_less) {
    return exchange->respond(problem(403, "the new credential does not allow all that the stream follows"));
  }
  const std::string until = grants.expires_at_ms ? '"' + rfc3339_ms(*grants.expires_at_ms) + '"' : "null";
  http::Response done = http::Response::json(200, "{\"expiresAt\":" + until + "}");
  if (renewed.ticket == 0) return exchange->respond(std::move(done));
  respond_from(context.registry_work, exchange, [&context, grants, renewed, done = std::move(done)] {
    const int64_t ends_at_ms = ticket_end(grants, context.clock.wall_ms());
    const Status moved = context.tickets.renew(renewed.ticket, grants, renewed.patterns, ends_at_ms);
    return moved ? done : problem(moved.error());
  });
}

void handle_renewal(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  if (const Status known = check_known(request.query, {}); !known) return exchange->respond(problem(known.error()));
  const Result<model::Grants> grants = grants_of(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  if (!context.authenticator.still_holds(*grants)) return exchange->respond(problem(auth::refused_credential()));
  const hub::Renewal renewal{
      .account = grants->account,
      .holder = model::holder_number(*grants),
      .credential = grants->credential,
      .expires_at_ms = grants->expires_at_ms,
      .allows = [grants = *grants](const auto& patterns) { return allows_all(grants, patterns); }};
  const auto answer = [&context, exchange, grants = *grants](const std::vector<hub::Renewed>& shards) {
    const hub::Renewed* best = &shards.front();
    for (const hub::Renewed& each : shards) {
      if (each.what > best->what) best = &each;
    }
    answer_renewal(context, exchange, grants, *best);
  };
  ask_shards<hub::Renewed>(
      context, exchange,
      [stream = request.captures.front(), renewal](hub::Shard& shard) { return shard.renew(stream, renewal); }, answer);
}

}  // namespace

void add_stream_routes(http::Router& router, Context& context) {
  router.add("POST", "/api/stream/{}/renew", 0, [&context](const http::ExchangePtr& e) { handle_renewal(context, e); });
  router.add("GET", "/api/stream", 0, [&context](const http::ExchangePtr& e) { handle_stream(context, e); });
}

}  // namespace millstream::api
