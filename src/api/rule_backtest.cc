// POST /api/rules/test: what a rule would have said of the stored past, before it is put in force.
#include <algorithm>
#include <charconv>

#include "api/credential.h"
#include "api/event_stream.h"
#include "api/grants_json.h"
#include "api/json_body.h"
#include "api/missing.h"
#include "api/offload.h"
#include "api/problem.h"
#include "api/progress_stream.h"
#include "api/query_fields.h"
#include "api/read_series.h"
#include "api/routes.h"
#include "api/rule_past.h"
#include "base/time_text.h"
#include "codec/event_json.h"
#include "codec/rule_json.h"
#include "rules/compiled_rule.h"

namespace millstream::api {
namespace {

constexpr size_t kBodyBytesMax = 64 << 10;
constexpr int64_t kProgressMs = 250;
constexpr http::MediaType kJson{"application", "json"};
constexpr std::string_view kTooMany = "too many rules are being tried; try again";

// ---- the question ----

Error at_rule(const Error& error) {
  return {error.code, (error.detail.starts_with("rule:") ? "" : "rule.") + error.detail};
}

Result<int64_t> read_time(const JsonBody& body, std::string_view name, int64_t otherwise_ms) {
  const auto text = body.text_or_number(name);
  if (!text) return text.error();
  if (!*text) return otherwise_ms;
  const Result<int64_t> time = parse_time(**text);
  if (!time) return Error{Code::invalid, std::string(name) + ": " + time.error().detail};
  return *time;
}

Result<size_t> read_points(const JsonBody& body) {
  const auto text = body.text_or_number("points");
  if (!text) return text.error();
  if (!*text) return kBacktestPointsDefault;
  size_t points = 0;
  const auto [end, error] = std::from_chars((*text)->data(), (*text)->data() + (*text)->size(), points);
  if (error == std::errc() && end == (*text)->data() + (*text)->size() && points >= 1 && points <= kBacktestPointsMax) {
    return points;
  }
  return Error{Code::invalid, "points: a whole number from 1 to " + std::to_string(kBacktestPointsMax)};
}

// One that is in force, by its id.
Result<model::Rule> known_rule(const Context& context, const model::Grants& grants, const std::string& id) {
  const model::RuleRecordPtr record = context.registry.rules().find(grants.account, id);
  if (record && auth::may_read(grants, record->rule.scope)) {
    model::Rule rule = record->rule;
    rule.enabled = true;
    return rule;
  }
  return Error{Code::not_found, "ruleId: no rule of this account has the id \"" + id.substr(0, kNameBytesMax) + "\""};
}

// A draft may say that it is not in force: it is tried all the same.
Result<model::Rule> read_rule(const Context& context, const JsonBody& body, const model::Grants& grants) {
  const auto id = body.text("ruleId");
  if (!id) return id.error();
  if (*id && body.has("rule")) return Error{Code::invalid, "ruleId: there is a rule already; give one of the two"};
  if (*id) return known_rule(context, grants, **id);
  const Result<std::string> json = body.needed_object("rule");
  if (!json) return json.error();
  Result<codec::RuleRequest> asked = codec::parse_rule_request(*json, grants.account);
  if (!asked) return at_rule(asked.error());
  model::Rule& rule = asked->rule;
  if (rule.id.empty()) return Error{Code::invalid, "rule.id: missing"};
  rule.enabled = true;
  if (const auto compiled = rules::compile(rule); !compiled) return at_rule(compiled.error());
  return std::move(asked->rule);
}

// What lies before the retention is gone, and what is to come has not been.
Status read_stretch(const JsonBody& body, const Context& context, Backtest& asked) {
  const int64_t now_ms = context.clock.wall_ms();
  const Result<int64_t> until_ms = read_time(body, "until", now_ms);
  if (!until_ms) return until_ms.error();
  asked.until_ms = std::min(*until_ms, now_ms);
  const Result<int64_t> since_ms = read_time(body, "since", asked.until_ms - kDayMs);
  if (!since_ms) return since_ms.error();
  asked.since_ms = std::max(*since_ms, now_ms - context.retention_ms);
  if (asked.since_ms < asked.until_ms) return {};
  return Error{Code::invalid, "since: not before until, or nothing of it is kept any more"};
}

Result<Backtest> parse_asked(const Context& context, const model::Grants& grants, std::string_view text) {
  JsonBody body;
  if (const Status read = body.read(text, {"rule", "ruleId", "since", "until", "points"}); !read) return read.error();
  Result<model::Rule> rule = read_rule(context, body, grants);
  if (!rule) return rule.error();
  Backtest asked{.rule = std::move(*rule), .patterns = {}, .attributes = {}};
  auto patterns = auth::authorize_read(grants, {.topics = {asked.rule.scope}});
  if (!patterns) return patterns.error();
  asked.patterns = std::move(*patterns);
  if (const Status read = read_stretch(body, context, asked); !read) return read.error();
  const Result<size_t> points = read_points(body);
  if (!points) return points.error();
  asked.points = *points;
  return asked;
}

// ---- the answer ----

void append_time(std::string_view name, int64_t utc_ms, std::string& out) {
  out.append("\"").append(name).append("\":\"");
  append_rfc3339_ms(utc_ms, out);
  out += '"';
}

void append_count(std::string_view name, uint64_t count, std::string& out) {
  out.append(",\"").append(name).append("\":").append(std::to_string(count));
}

template <class Items, class Append>
void append_list(std::string_view name, const Items& items, std::string& out, const Append& append) {
  out.append(",\"").append(name).append("\":[");
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += ',';
    append(items[i]);
  }
  out += ']';
}

void append_transition(const model::Event& event, std::string& out) {
  out += '{';
  append_time("ts", event.ts_ms, out);
  out += ",\"topic\":\"" + event.topic.text() + "\",\"type\":\"alert\",\"data\":" + event.data + '}';
}

void append_limit(std::string_view name, const model::Limit& limit, std::string& out) {
  out.append(",\"").append(name).append("\":");
  if (const auto* range = std::get_if<model::Range>(&limit)) {
    out += '[';
    codec::append_json_number(range->low, out);
    out += ',';
    codec::append_json_number(range->high, out);
    out += ']';
  } else if (const auto* text = std::get_if<std::string>(&limit)) {
    codec::append_json_string(*text, out);
  } else {
    codec::append_json_number(std::get<double>(limit), out);
  }
}

void append_level(const model::Level& level, const rules::Attributes& attributes, std::string& out) {
  out.append("{\"severity\":\"").append(model::severity_name(level.severity)).append("\",\"op\":\"");
  out.append(model::comparison_text(level.op)).append("\"");
  append_limit("value", rules::limit_for(level.value, attributes), out);
  if (level.clear) append_limit("clear", rules::limit_for(*level.clear, attributes), out);
  out += '}';
}

// What the condition's field is compared with, in the device's own numbers.
void append_levels(const Backtest& asked, const BacktestPreview& preview, std::string& out) {
  const model::Condition& condition = asked.rule.when[preview.condition];
  const auto found = asked.attributes.find(preview.device);
  const rules::Attributes attributes = found == asked.attributes.end() ? rules::Attributes() : found->second;
  out.append(",\"fn\":\"").append(model::function_name(condition.fn)).append("\"");
  if (model::is_silence(condition.fn)) return;
  if (!condition.op) {
    return append_list("levels", asked.rule.levels, out,
                       [&](const model::Level& level) { append_level(level, attributes, out); });
  }
  out.append(",\"guard\":{\"op\":\"").append(model::comparison_text(*condition.op)).append("\"");
  append_limit("value", rules::limit_for(condition.value, attributes), out);
  out += '}';
}

void append_preview(const Backtest& asked, const BacktestPreview& preview, std::string& out) {
  out += "{\"topic\":\"" + preview.device.text() + "\",\"field\":";
  codec::append_json_string(asked.rule.when[preview.condition].field, out);
  append_levels(asked, preview, out);
  append_count("stepMs", static_cast<uint64_t>(preview.step_ms), out);
  append_list("buckets", preview.buckets, out, [&](const history::Bucket& bucket) { append_bucket(bucket, out); });
  out += '}';
}

std::string result_json(const Backtest& asked, const BacktestResult& result) {
  std::string out = "{";
  append_time("since", asked.since_ms, out);
  out += ',';
  append_time("until", asked.until_ms, out);
  append_count("devices", result.counts.devices, out);
  append_count("values", result.counts.values, out);
  append_count("alerts", result.counts.alerts, out);
  append_list("transitions", result.transitions, out,
              [&](const model::Event& event) { append_transition(event, out); });
  if (result.left_out > 0) append_count("truncated", result.left_out, out);
  if (const std::string missing = missing_json(result.missing); !missing.empty()) out += ",\"missing\":" + missing;
  append_list("preview", result.previews, out,
              [&](const BacktestPreview& preview) { append_preview(asked, preview, out); });
  return out + '}';
}

std::string progress_json(const BacktestProgress& progress) {
  std::string out = "{\"done\":" + std::to_string(progress.done);
  append_count("of", progress.devices, out);
  append_count("values", progress.values, out);
  append_count("alerts", progress.alerts, out);
  return out + '}';
}

http::Response answer_of(const Backtest& asked, const Result<BacktestResult>& result) {
  if (!result) return problem_at_place(result.error());
  return private_json(200, result_json(asked, *result));
}

// ---- the way between ----

// Not for I/O threads: there may be many.
void add_attributes(const Context& context, Backtest& asked) {
  const registry::Devices& devices = context.registry.devices();
  for (const model::Topic& device : devices.described(asked.rule.scope.account)) {
    const registry::Devices::SettingsPtr settings = devices.settings_of(device);
    if (settings && !settings->attributes.empty()) asked.attributes.emplace(device, settings->attributes);
  }
}

// Held while a back-test waits or runs. Jobs are copied, and so is what holds it.
using Place = std::shared_ptr<hub::StreamPlaces::Place>;

// At once, and then once every kProgressMs.
class NowAndThen {
 public:
  explicit NowAndThen(const Clock& clock) : clock_(clock), due_ms_(clock.steady_ms()) {}
  bool is_due() {
    const int64_t now_ms = clock_.steady_ms();
    if (now_ms < due_ms_) return false;
    due_ms_ = now_ms + kProgressMs;
    return true;
  }

 private:
  const Clock& clock_;
  int64_t due_ms_;
};

void answer_at_once(Context& context, const http::ExchangePtr& exchange, Backtest asked, Place place) {
  respond_from(context.backtests, exchange,
               [&context, asked = std::move(asked), place = std::move(place)](ClientWatch& client) mutable {
                 // To ask wakes the client's I/O thread.
                 NowAndThen ask(context.clock);
                 const auto waits = [&](const BacktestProgress&) { return !ask.is_due() || !client.gone(); };
                 add_attributes(context, asked);
                 const Result<BacktestResult> result = run_backtest(context, asked, waits);
                 place.reset();  // before the answer, after which the next one may be asked for
                 return answer_of(asked, result);
               });
}

void run_told(const Context& context, Backtest& asked, Place& place, ProgressStream& stream) {
  NowAndThen say(context.clock);
  const auto tell = [&](const BacktestProgress& progress) {
    if (say.is_due()) stream.say("progress", progress_json(progress));
    return !stream.gone();
  };
  add_attributes(context, asked);
  const Result<BacktestResult> result = run_backtest(context, asked, tell);
  place.reset();
  if (result) return stream.finish("result", result_json(asked, *result));
  stream.finish("error", problem_at_place(result.error()).body);
}

void tell_progress(Context& context, const http::ExchangePtr& exchange, Backtest asked, Place place) {
  // After the head nothing but 200 can be said.
  if (context.backtests.depth() >= kBacktestsWaitingMax) return exchange->respond(problem(503, kTooMany));
  std::shared_ptr<ProgressStream> stream = ProgressStream::open(*exchange);
  if (!stream) return;
  auto job = [&context, asked = std::move(asked), place = std::move(place), stream]() mutable {
    run_told(context, asked, place, *stream);
  };
  if (!context.backtests.post(std::move(job))) stream->finish("error", problem(503, kTooMany).body);
}

void handle_test(Context& context, const http::ExchangePtr& exchange) {
  const http::Request& request = exchange->request();
  const Result<model::Grants> grants = grants_of(context, request);
  if (!grants) return exchange->respond(problem(grants.error()));
  Result<Backtest> asked = parse_asked(context, *grants, request.body);
  if (!asked) return exchange->respond(problem_at_place(asked.error()));
  std::optional<hub::StreamPlaces::Place> taken = context.backtest_places.take(grants->account.text(), {});
  if (!taken) {
    count_refusal(context, "backtests");
    return exchange->respond(problem(429, "the account already has a rule being tried; one at a time"));
  }
  Place place = std::make_shared<hub::StreamPlaces::Place>(std::move(*taken));
  const std::string_view accept = request.headers.get("accept");
  const bool stream = http::names(accept, kEventStream) && !http::prefers(accept, kJson, kEventStream);
  (stream ? tell_progress : answer_at_once)(context, exchange, std::move(*asked), std::move(place));
}

}  // namespace

void add_backtest_routes(http::Router& router, Context& context) {
  const auto admit = [&context](const http::Request& request) -> std::optional<http::Response> {
    if (const Status known = check_known(request.query, {}); !known) return problem(known.error());
    const Result<model::Grants> grants = grants_of(context, request);
    if (!grants) return problem(grants.error());
    const auto any = auth::authorize_read(*grants, {});
    return any ? std::nullopt : std::optional(problem(any.error()));
  };
  router.add(
      "POST", "/api/rules/test", kBodyBytesMax, [&context](const http::ExchangePtr& e) { handle_test(context, e); },
      admit);
}

}  // namespace millstream::api
