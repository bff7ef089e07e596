// GET /api/stream: events as they happen, over Server-Sent Events.
#include "api/credential.h"
#include "api/latest_events.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "http/accept_encoding.h"

#include <algorithm>

namespace millstream::api {
namespace {

constexpr size_t kPaddingBytes = 2048;
constexpr int64_t kHeartbeatSecondsMax = 60;
constexpr size_t kFieldNamesMax = 64;
constexpr int64_t kIntervalMsMin = 100;
constexpr int64_t kIntervalMsMax = 60'000;
constexpr int64_t kIntervalMsDefault = 1000;

struct Parameters {
  hub::SessionRequest session;
  bool snapshot = false;
};

http::Response stream_head(bool gzip = false) {
  http::Response head;
  head.headers.add("Content-Type", "text/event-stream; charset=utf-8");
  head.headers.add("Cache-Control", "no-store, no-transform");
  head.headers.add("X-Accel-Buffering", "no");
  if (gzip) {
    head.headers.add("Content-Encoding", "gzip");
    head.headers.add("Vary", "Accept-Encoding");
  }
  return head;
}

bool accepts_event_stream(const http::Request& request) {
  const std::string_view accept = request.headers.get("accept");
  return accept.empty() || accept.find("text/event-stream") != std::string_view::npos ||
         accept.find("*/*") != std::string_view::npos || accept.find("text/*") != std::string_view::npos;
}

// Last-Event-ID beats the cursor in the query beats since=: the browser's own reconnect repeats the old URL.
Result<hub::Start> parse_start(const http::Request& request, int64_t now_ms) {
  std::optional<std::string_view> cursor;
  if (const std::string_view header = request.headers.get("last-event-id"); !header.empty()) cursor = header;
  for (std::string_view name : {"lastEventId", "last_event_id", "Last-Event-ID"}) {
    if (!cursor) cursor = request.query.get(name);
  }
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

// What the contract knows but this version does not do yet must not be taken for done.
Status refuse_unsupported(const http::Query& query) {
  if (query.get("ticket")) return Error{Code::invalid, "ticket: not supported by this version"};
  return {};
}

// Which fields of telemetry; none named: all.
Result<hub::FieldNames> parse_fields(const http::Query& query) {
  hub::FieldNames names;
  const auto given = query.get("fields");
  if (!given) return names;
  for (const std::string_view name : split_list(*given)) names.emplace_back(name);
  if (names.empty()) return Error{Code::invalid, "fields: names no field"};
  if (names.size() > kFieldNamesMax) {
    return Error{Code::invalid, "fields: at most " + std::to_string(kFieldNamesMax) + " names"};
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
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
  if (Status s = check_once(request.query, {"topics", "topic", "accountId", "siteId", "deviceId", "types", "since",
                                            "lastEventId", "last_event_id", "Last-Event-ID", "snapshot", "mode",
                                            "interval", "fields", "minSeverity", "heartbeat", "unnamed", "pad"});
      !s)
    return s.error();
  if (Status s = refuse_unsupported(request.query); !s) return s.error();
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
  Result<hub::FieldNames> fields = parse_fields(request.query);
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

// An EventSource never comes back from a status other than 200, so "not now" is said inside a stream.
void turn_away(Context& context, const http::ExchangePtr& exchange, std::string_view kind, bool unnamed) {
  if (!accepts_event_stream(exchange->request())) {
    return exchange->respond(problem(503, std::string(kind) + ": try again later"));
  }
  std::unique_ptr<ByteSink> sink = exchange->start_stream(stream_head());
  if (sink) context.shard_on(exchange->loop()).turn_away(kind, unnamed, std::move(sink));
}

// Whose places a stream takes: subjects of different accounts may have the same name.
std::string credential_of(const model::Grants& grants) { return grants.account.text() + '/' + grants.subject; }

// True when the answer was "not now".
bool turned_away(Context& context, const http::ExchangePtr& exchange, bool unnamed) {
  const Context::Shard& here = context.at(exchange->loop());
  const bool full =
      here.shard->sessions() >= context.sessions_max || here.connections() > context.connections_for_streams;
  if (!context.draining && !full) return false;
  turn_away(context, exchange, context.draining ? "draining" : "overloaded", unnamed);
  return true;
}

void open_stream(Context& context, const http::ExchangePtr& exchange, hub::SessionRequest request,
                 const std::string& credential) {
  if (turned_away(context, exchange, request.view.unnamed)) return;
  auto place = context.stream_places.take(credential);
  if (!place) return turn_away(context, exchange, "overloaded", request.view.unnamed);
  std::unique_ptr<ByteSink> sink = exchange->start_stream(stream_head(request.gzip));
  if (sink) context.shard_on(exchange->loop()).open(std::move(request), std::move(sink), std::move(*place));
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

void open_with_snapshot(Context& context, const http::ExchangePtr& exchange, hub::SessionRequest request) {
  const bool unnamed = request.view.unnamed;
  // Asked here too, so that no snapshot is made in vain; open_stream() asks again, as waiting for a reader takes time.
  if (turned_away(context, exchange, unnamed)) return;
  auto job = [&context, exchange = exchange, request = std::move(request)]() mutable {
    request.snapshot = context.snapshots.get(
        hub::group_key(request), [](const auto&) { return true; }, [&] { return make_snapshot(context, request); });
    net::Loop& loop = exchange->loop();
    loop.post([&context, exchange = std::move(exchange), request = std::move(request)]() mutable {
      // A key revoked meanwhile has been ended on this loop already: nobody would end this stream.
      const Result<model::Grants> grants = grants_of(context, exchange->request());
      if (!grants) return exchange->respond(problem(grants.error()));
      open_stream(context, exchange, std::move(request), credential_of(*grants));
    });
  };
  if (!context.readers.post(std::move(job))) turn_away(context, exchange, "overloaded", unnamed);
}

void handle_stream(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  Result<Reading> reading = authorize_reading(context, request);
  if (!reading) return exchange->respond(problem(reading.error()));
  Result<Parameters> parameters = parse_parameters(request, context.clock.wall_ms());
  if (!parameters) return exchange->respond(problem(parameters.error()));
  if (request.method == "HEAD") return exchange->respond(stream_head());

  hub::SessionRequest& session = parameters->session;
  session.gzip = context.gzip_streams && http::takes_gzip(request.headers.get("accept-encoding"));
  session.patterns = std::move(reading->patterns);
  session.expires_at_ms = reading->grants.expires_at_ms;
  session.leeway_ms = reading->grants.leeway_ms;
  session.api_key = reading->grants.api_key;
  if (parameters->snapshot) return open_with_snapshot(context, exchange, std::move(session));
  open_stream(context, exchange, std::move(session), credential_of(reading->grants));
}

}  // namespace

void add_stream_routes(http::Router& router, Context& context) {
  router.add("GET", "/api/stream", 0, [&context](const http::ExchangePtr& e) { handle_stream(context, e); });
}

}  // namespace millstream::api
