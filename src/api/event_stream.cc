#include "api/event_stream.h"

#include <algorithm>

#include "api/problem.h"
#include "api/query_fields.h"
#include "api/replays.h"

namespace millstream::api {
namespace {

constexpr size_t kFieldNamesMax = 64;

}  // namespace

http::Response stream_head(bool gzip) {
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

std::optional<std::string_view> last_event_id(const http::Request& request) {
  if (const std::string_view header = request.headers.get("last-event-id"); !header.empty()) return header;
  for (const std::string_view name : {"lastEventId", "last_event_id", "Last-Event-ID"}) {
    if (const auto given = request.query.get(name)) return given;
  }
  return std::nullopt;
}

Result<hub::FieldNames> parse_field_names(const http::Query& query) {
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

void turn_away(Context& context, const http::ExchangePtr& exchange, std::string_view kind, bool unnamed) {
  if (!http::takes(exchange->request().headers.get("accept"), kEventStream)) {
    return exchange->respond(problem(503, std::string(kind) + ": try again later"));
  }
  std::unique_ptr<ByteSink> sink = exchange->start_stream(stream_head());
  if (sink) context.shard_on(exchange->loop()).turn_away(kind, unnamed, std::move(sink));
}

bool turned_away(Context& context, const http::ExchangePtr& exchange, bool unnamed) {
  const Context::Shard& here = context.at(exchange->loop());
  const size_t viewers = here.shard->sessions() + (here.replays ? here.replays->size() : 0);
  const bool full = viewers >= context.sessions_max || here.connections() > context.connections_for_streams;
  if (!context.draining && !full) return false;
  turn_away(context, exchange, context.draining ? "draining" : "overloaded", unnamed);
  return true;
}

}  // namespace millstream::api
