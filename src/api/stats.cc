// GET /api/stats: who follows what, and how fast. GET /api/explain: why a stream gets an event, or does not.
// Both speak of the credential's own account only, and are for its operators and admins.
#include <algorithm>
#include <cmath>

#include "api/ask_shards.h"
#include "api/credential.h"
#include "api/problem.h"
#include "api/query_fields.h"
#include "api/routes.h"
#include "base/time_text.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

constexpr int64_t kTopDefault = 20;
constexpr int64_t kTopMax = 1000;

void append_member(std::string_view name, int64_t value, std::string& out) {
  if (out.back() != '{') out += ',';
  codec::append_json_string(name, out);
  out += ':' + std::to_string(value);
}

void append_member(std::string_view name, std::string_view value, std::string& out) {
  if (out.back() != '{') out += ',';
  codec::append_json_string(name, out);
  out += ':';
  codec::append_json_string(value, out);
}

void append_rate(std::string_view name, double value, std::string& out) {
  append_member(name, std::llround(value), out);
}

template <class Items, class Text>
void append_list(std::string_view name, const Items& items, Text&& text, std::string& out) {
  out += ',';
  codec::append_json_string(name, out);
  out += ":[";
  for (const auto& item : items) {
    if (out.back() != '[') out += ',';
    codec::append_json_string(text(item), out);
  }
  out += ']';
}

hub::ShardStats sum_of(const std::vector<hub::ShardStats>& shards) {
  hub::ShardStats all;
  for (const hub::ShardStats& shard : shards) {
    all.streams += shard.streams;
    all.behind += shard.behind;
    all.slow += shard.slow;
    all.groups += shard.groups;
    all.queued_bytes += shard.queued_bytes;
    all.oldest_queue_ms = std::max(all.oldest_queue_ms, shard.oldest_queue_ms);
    all.events_per_second = std::max(all.events_per_second, shard.events_per_second);
    all.deliveries_per_second += shard.deliveries_per_second;
    for (const auto& [pattern, viewers] : shard.fan_out) all.fan_out[pattern] += viewers;
  }
  return all;
}

void append_fan_out(const std::map<std::string, size_t>& fan_out, size_t top, std::string& out) {
  std::vector<std::pair<size_t, std::string_view>> ranked;
  ranked.reserve(fan_out.size());
  for (const auto& [pattern, viewers] : fan_out) ranked.emplace_back(viewers, pattern);
  const size_t count = std::min(top, ranked.size());
  std::partial_sort(ranked.begin(), ranked.begin() + static_cast<ptrdiff_t>(count), ranked.end(),
                    [](const auto& a, const auto& b) { return a.first > b.first || (a.first == b.first && a < b); });
  out += ",\"topics\":" + std::to_string(ranked.size()) + ",\"fanOut\":[";
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    out += '{';
    append_member("topic", ranked[i].second, out);
    append_member("streams", static_cast<int64_t>(ranked[i].first), out);
    out += '}';
  }
  out += ']';
}

// Of the whole server; why it fails names other accounts' data, and stands in the log.
void append_influx(const influx::WriterState& state, std::string& out) {
  out += ",\"influx\":{";
  append_member("state", influx::health_name(state.health), out);
  append_member("written", static_cast<int64_t>(state.written), out);
  append_member("retries", static_cast<int64_t>(state.retries), out);
  append_member("spooledBytes", state.spooled_bytes, out);
  append_member("spooledBatches", state.spooled_batches, out);
  append_member("dropped", static_cast<int64_t>(state.dropped), out);
  append_member("poisoned", static_cast<int64_t>(state.poisoned), out);
  append_member("expired", static_cast<int64_t>(state.expired), out);
  append_member("position", state.position.text(), out);
  if (state.error_age_ms >= 0) append_member("lastErrorAgeMs", state.error_age_ms, out);
  out += ",\"missing\":[";
  for (const influx::Spool::Dropped& range : state.missing) {
    if (out.back() != '[') out += ',';
    out += '{';
    append_member("after", range.after.text(), out);
    append_member("to", range.to.text(), out);
    append_member("events", static_cast<int64_t>(range.lines), out);
    append_member("why", range.why, out);
    out += '}';
  }
  out += "]}";
}

std::string stats_json(const Context& context, const hub::ShardStats& stats, size_t top) {
  std::string out = "{";
  append_member("version", context.version, out);
  append_member("started", rfc3339_ms(context.started_at_ms), out);
  append_member("storage", log::storage_name(context.log.storage()), out);
  append_member("registry", context.registry.is_reachable() ? "ok" : "away", out);
  append_member("streams", static_cast<int64_t>(stats.streams), out);
  append_member("behind", static_cast<int64_t>(stats.behind), out);
  append_member("slow", static_cast<int64_t>(stats.slow), out);
  append_member("groups", static_cast<int64_t>(stats.groups), out);
  append_member("queuedBytes", static_cast<int64_t>(stats.queued_bytes), out);
  append_member("oldestQueueMs", stats.oldest_queue_ms, out);
  append_rate("eventsPerSecond", stats.events_per_second, out);
  append_rate("deliveriesPerSecond", stats.deliveries_per_second, out);
  append_fan_out(stats.fan_out, top, out);
  if (context.influx_state) append_influx(context.influx_state(), out);
  return out + '}';
}

void handle_stats(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const Result<model::Grants> grants = operating_grants(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  if (Status s = check_known(request.query, {"top"}); !s) return exchange->respond(problem(s.error()));
  const auto top = parse_number(request.query, "top", 1, kTopMax);
  if (!top) return exchange->respond(problem(top.error()));
  ask_shards<hub::ShardStats>(
      context, exchange, [account = grants->account](const hub::Shard& shard) { return shard.stats(account); },
      [&context, exchange, count = top->value_or(kTopDefault)](const std::vector<hub::ShardStats>& shards) {
        exchange->respond(http::Response::json(200, stats_json(context, sum_of(shards), static_cast<size_t>(count))));
      });
}

struct Question {
  model::Topic topic;
  model::EventType type = model::EventType::telemetry;
  std::string stream;
};

Result<Question> parse_question(const http::Query& query, const model::AccountId& account) {
  if (Status s = check_known(query, {"topic", "type", "stream"}); !s) return s.error();
  Question out;
  const auto topic = model::Topic::parse(query.get("topic").value_or(""));
  if (!topic) return Error{Code::invalid, "topic: must be account:{a}/site:{s}/device:{d}, or an inner topic"};
  if (topic->account != account) return Error{Code::forbidden, "topic: not of this credential's account"};
  out.topic = *topic;
  const auto type = model::parse_event_type(query.get("type").value_or("telemetry"));
  if (!type) return Error{Code::invalid, "type: telemetry, alert, device_status or system"};
  out.type = *type;
  out.stream = std::string(query.get("stream").value_or(""));
  if (out.stream.empty()) return Error{Code::invalid, "stream: the streamId of its hello event"};
  return out;
}

// Whether such an event is for the stream, in a word and a sentence.
std::pair<std::string_view, std::string> verdict(const Question& question, const hub::StreamReport& stream) {
  const auto takes = [&](const model::TopicPattern& pattern) { return pattern.matches(question.topic); };
  if (std::none_of(stream.patterns.begin(), stream.patterns.end(), takes)) {
    return {"not_subscribed", "none of its topics covers " + question.topic.text()};
  }
  if (!stream.types.has(question.type)) {
    return {"type_not_asked", "it asked for other types= than " + std::string(model::event_type_name(question.type))};
  }
  if (stream.slow) return {"delivered", "it does not keep up: telemetry comes later, merged per device"};
  if (!stream.live) return {"delivered", "it is catching up and has not reached the newest events yet"};
  if (question.type == model::EventType::alert && stream.min_severity != model::Severity::info) {
    return {"delivered", "if its severity is at least " + std::string(model::severity_name(stream.min_severity))};
  }
  if (question.type == model::EventType::telemetry && !stream.fields.empty()) {
    return {"delivered", "if it holds one of the stream's fields"};
  }
  return {"delivered", stream.interval_ms > 0 ? "merged, once an interval" : "at once"};
}

std::string explanation_json(const Question& question, const hub::StreamReport& stream) {
  const auto [word, sentence] = verdict(question, stream);
  std::string out = "{";
  append_member("stream", question.stream, out);
  append_member("topic", question.topic.text(), out);
  append_member("type", model::event_type_name(question.type), out);
  append_member("verdict", word, out);
  append_member("detail", sentence, out);
  append_member("state", stream.slow ? "slow" : stream.live ? "live" : "catching_up", out);
  append_member("cursor", stream.cursor.text(), out);
  append_member("head", stream.head.text(), out);
  append_member("queuedBytes", static_cast<int64_t>(stream.queued_bytes), out);
  append_member("intervalMs", stream.interval_ms, out);
  append_member("minSeverity", model::severity_name(stream.min_severity), out);
  append_list(
      "topics", stream.patterns, [](const auto& pattern) { return pattern.text(); }, out);
  append_list(
      "fields", stream.fields, [](const auto& field) { return field; }, out);
  return out + '}';
}

void handle_explain(Context& context, const http::ExchangePtr& exchange) {
  const Result<model::Grants> grants = operating_grants(context, exchange->request());
  if (!grants) return exchange->respond(problem(grants.error()));
  const Result<Question> question = parse_question(exchange->request().query, grants->account);
  if (!question) return exchange->respond(problem(question.error()));
  using Report = std::optional<hub::StreamReport>;
  ask_shards<Report>(
      context, exchange,
      [stream = question->stream, account = grants->account](const hub::Shard& shard) {
        return shard.report(stream, account);
      },
      [exchange, question = *question](const std::vector<Report>& reports) {
        const auto found = std::find_if(reports.begin(), reports.end(), [](const Report& r) { return r.has_value(); });
        if (found == reports.end())
          return exchange->respond(problem(404, "stream: none of this account is open by this id"));
        exchange->respond(http::Response::json(200, explanation_json(question, **found)));
      });
}

}  // namespace

void add_stats_routes(http::Router& router, Context& context) {
  router.add("GET", "/api/stats", 0, [&context](const http::ExchangePtr& e) { handle_stats(context, e); });
  router.add("GET", "/api/explain", 0, [&context](const http::ExchangePtr& e) { handle_explain(context, e); });
}

}  // namespace millstream::api
