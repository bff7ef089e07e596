#include "api/rule_past.h"

#include <algorithm>
#include <limits>
#include <unordered_map>
#include <utility>

#include "api/query_fields.h"
#include "api/read_series.h"
#include "codec/event_json.h"
#include "log/missing_parts.h"

namespace millstream::api {
namespace {

using model::EventType;
using model::EventTypes;

// Whose events are read together: as many as the log reads apart from all others, each with a site of its own.
constexpr size_t kDevicesAtOnce = (log::kTopicsReadApartMax - 1) / 2;
// What is younger may not be in columns yet, and the log goes through all of that for each device asked for.
constexpr int64_t kUnsealedMs = 20 * 60'000;

Error ended() { return Error{Code::unavailable, "not read to its end"}; }

class RulePast {
 public:
  RulePast(const Context& context, const Backtest& asked, const OnBacktestProgress& on_progress)
      : context_(context),
        asked_(asked),
        on_progress_(on_progress),
        span_{.after = id_before(asked.since_ms), .to = std::min(id_before(asked.until_ms), context.log.last_id())},
        fields_(rules::fields_of(asked.rule)),
        has_bounds_(!rules::may_fire(asked.rule, {}, {})),
        asks_for_tags_(!asked.rule.tags.empty()) {}

  Result<BacktestResult> run() {
    if (Status s = find_devices(); !s) return s.error();
    if (has_bounds_) {
      if (Status s = look_at_newest(); !s) return s.error();
    }
    if (Status s = take_devices(); !s) return s.error();
    BacktestResult result;
    if (Status s = add_previews(result); !s) return s.error();
    log::cut_to(span_, damaged_);
    result.missing = log::joined(std::move(damaged_));
    result.left_out = alerts_.left_out();
    result.counts = counts_;
    result.transitions = std::move(alerts_).first();
    return result;
  }

 private:
  // The bounds of a device's fields, as the columns come.
  class IntoBounds final : public log::SampleSink {
   public:
    IntoBounds(RulePast& past, rules::FieldExtremes& bounds) : past_(past), bounds_(bounds) {}
    void add(std::string_view field, std::span<const model::Sample> samples) override {
      rules::Extremes& bounds = bounds_[std::string(field)];
      for (const model::Sample& sample : samples) bounds.add(sample.value);
      past_.counts_.values += samples.size();
    }
    void add(std::string_view field, const model::SampleSums& sums) override {
      rules::Extremes& bounds = bounds_[std::string(field)];
      bounds.add(sums.min);
      bounds.add(sums.max);
      past_.counts_.values += sums.count;
    }
    bool wants_more() override { return past_.wants_more(); }

   private:
    RulePast& past_;
    rules::FieldExtremes& bounds_;
  };

  // Devices that are read together are done to the part of the stretch that has been gone through.
  bool wants_more(model::EventId through = {}) {
    BacktestProgress now = counts_;
    if (together_ > 0 && through > span_.after) {
      const auto part = static_cast<double>(through.ms - span_.after.ms) /
                        static_cast<double>(std::max<int64_t>(1, span_.to.ms - span_.after.ms));
      now.done += static_cast<size_t>(static_cast<double>(together_) * part);
    }
    ended_ = ended_ || !context_.ready || !on_progress_(now);
    return !ended_;
  }

  // Every device may tell of the same parts.
  void note(const std::vector<log::Missing>& missing) {
    for (const log::Missing& part : missing) {
      if (part.why == log::Missing::Why::damaged) damaged_.push_back(part);
    }
    if (damaged_.size() > 2 * log::kMissingPartsMax) damaged_ = log::joined(std::move(damaged_));
  }

  Status find_devices() {
    const history::LatestSnapshot latest = context_.latest.snapshot(
        asked_.patterns, EventTypes::none().with(EventType::telemetry).with(EventType::device_status));
    for (const history::LatestDevice& device : latest.devices) {
      if (device.topic.is_device()) devices_.push_back(device.topic);
    }
    counts_.devices = devices_.size();
    if (devices_.size() <= kBacktestDevicesMax) return {};
    return Error{Code::unprocessable, "rule.scope.topic: covers " + std::to_string(devices_.size()) +
                                          " devices; over the past at most " + std::to_string(kBacktestDevicesMax)};
  }

  const rules::Attributes& attributes_of(const model::Topic& device) const {
    static const rules::Attributes kNone;
    const auto found = asked_.attributes.find(device);
    return found == asked_.attributes.end() ? kNone : found->second;
  }

  // In id order.
  Status each_event(log::ReadRequest read, const log::TakeEvent& take) {
    read.until = span_.to;
    while (read.after < span_.to) {
      if (!wants_more(read.after)) return ended();
      Result<log::ReadPage> page = context_.log.read_each(read, take);
      if (!page) return page.error();
      note(page->missing);
      if (!page->more) return {};
      read.after = page->scanned_to;
    }
    return {};
  }

  Status look_at_newest() {
    newest_ = std::max(span_.after, id_before(context_.clock.wall_ms() - kUnsealedMs));
    log::ReadRequest read{.after = newest_,
                          .patterns = asked_.patterns,
                          .types = EventTypes::none().with(EventType::telemetry),
                          .fields = fields_};
    return each_event(std::move(read), [&](const model::Event& event) {
      rules::FieldExtremes& bounds = newest_bounds_[event.topic];
      for (const model::Field& field : event.fields) {
        ++counts_.values;
        if (const auto number = model::as_number(field.value)) bounds[field.name].add(*number);
      }
    });
  }

  Result<bool> may_fire(const model::Topic& device) {
    rules::FieldExtremes bounds;
    if (const auto newest = newest_bounds_.find(device); newest != newest_bounds_.end()) bounds = newest->second;
    const model::EventId to = std::min(span_.to, newest_);
    if (span_.after < to) {
      IntoBounds sink(*this, bounds);
      // Whatever time a value has, it counts: one bucket for all.
      const int64_t end_ms = asked_.until_ms + kFutureMsMax + 1;
      const auto missing = context_.log.read_samples({.topic = device,
                                                      .fields = fields_,
                                                      .start_ms = 0,
                                                      .end_ms = end_ms,
                                                      .bucket_ms = end_ms,
                                                      .ids = {.after = span_.after, .to = to}},
                                                     sink);
      if (!missing) return missing.error();
      if (ended_) return ended();
      note(*missing);
    }
    return rules::may_fire(asked_.rule, attributes_of(device), bounds);
  }

  // Those that are passed over are done at once, the others when kDevicesAtOnce of them are together.
  Status take_devices() {
    std::vector<model::Topic> waiting;
    for (const model::Topic& device : devices_) {
      if (!wants_more()) return ended();
      const Result<bool> may = has_bounds_ ? may_fire(device) : Result<bool>(true);
      if (!may) return may.error();
      if (!*may) {
        ++counts_.done;
        continue;
      }
      waiting.push_back(device);
      if (waiting.size() < kDevicesAtOnce) continue;
      if (Status s = take_together(waiting); !s) return s;
      waiting.clear();
    }
    return waiting.empty() ? Status() : take_together(waiting);
  }

  // What is not telemetry, or is damaged, has none.
  void decode_fields(model::Event& event) const {
    if (event.type != EventType::telemetry) return;
    Result<model::Fields> fields = codec::decode_telemetry_fields(event.data, fields_);
    if (fields) event.fields = std::move(*fields);
  }

  struct DevicePast {
    DevicePast(const model::Rule& rule, const model::Topic& device, const rules::Attributes& attributes)
        : test(rule, device, attributes) {}
    rules::DeviceBacktest test;
    int64_t at_ms = std::numeric_limits<int64_t>::min();  // of PastAlerts
  };
  using DevicePasts = std::unordered_map<model::Topic, DevicePast>;

  Status take_together(const std::vector<model::Topic>& devices) {
    DevicePasts pasts;
    log::ReadRequest read{.after = span_.after,
                          .types = EventTypes::none().with(EventType::telemetry).with(EventType::device_status)};
    for (const model::Topic& device : devices) {
      pasts.try_emplace(device, asked_.rule, device, attributes_of(device));
      read.patterns.push_back({device.account, {device.site}, {device.device}});
    }
    if (!asks_for_tags_) read.fields = fields_;
    together_ = devices.size();
    const Status taken = each_event(std::move(read), [&](model::Event& event) {
      const auto past = pasts.find(event.topic);
      if (past != pasts.end()) take(event, past->second);  // else it is of the site or the account
    });
    together_ = 0;
    if (!taken) return taken;
    for (const model::Topic& device : devices) {
      DevicePast& past = pasts.at(device);
      alerts_.add(std::move(past.test).end(asked_.until_ms), past.at_ms);
    }
    counts_.alerts = alerts_.fired();
    counts_.done += devices.size();
    return {};
  }

  void take(model::Event& event, DevicePast& past) {
    if (asks_for_tags_) decode_fields(event);
    if (!has_bounds_) counts_.values += event.fields.size();
    past.test.take(event);
    // A device that goes to and fro for a day brings more than should lie about.
    if (past.test.alerts().size() >= kBacktestTransitionsMax) alerts_.add(past.test.take_alerts(), past.at_ms);
  }

  Status add_previews(BacktestResult& result) {
    std::vector<model::Topic> order(alerts_.devices().begin(), alerts_.devices().end());
    for (const model::Topic& device : devices_) {
      if (order.size() >= kBacktestPreviewsMax) break;
      if (!alerts_.devices().contains(device)) order.push_back(device);
    }
    for (const model::Topic& device : order) {
      if (fields_.empty() || result.previews.size() + fields_.size() > kBacktestPreviewsMax) break;
      if (Status s = add_previews_of(device, result); !s) return s;
    }
    return {};
  }

  Status add_previews_of(const model::Topic& device, BacktestResult& result) {
    const history::SeriesRequest series{
        .fields = fields_, .start_ms = asked_.since_ms, .end_ms = asked_.until_ms, .points = asked_.points};
    Result<history::SeriesBuilder> builder = history::SeriesBuilder::make(series);
    if (!builder) return builder.error();
    const auto missing = read_series(context_, device, series, *builder, [this] { return wants_more(); });
    if (!missing) return missing.error();
    note(*missing);
    history::SeriesResult read = std::move(*builder).result();
    for (auto& [field, buckets] : read.buckets) {
      result.previews.push_back({device, condition_of(field), read.step_ms, std::move(buckets)});
    }
    return {};
  }

  size_t condition_of(const std::string& field) const {
    const auto& when = asked_.rule.when;
    const auto found = std::find_if(when.begin(), when.end(), [&](const auto& c) { return c.field == field; });
    return static_cast<size_t>(found - when.begin());
  }

  const Context& context_;
  const Backtest& asked_;
  const OnBacktestProgress& on_progress_;
  const log::IdRange span_;
  const std::vector<std::string> fields_;
  const bool has_bounds_;     // that tell anything of the rule
  const bool asks_for_tags_;  // which stand in the data
  size_t together_ = 0;       // devices that are being read

  std::vector<model::Topic> devices_;
  model::EventId newest_;  // what came after it has been gone through once for all
  std::unordered_map<model::Topic, rules::FieldExtremes> newest_bounds_;
  rules::PastAlerts alerts_{kBacktestTransitionsMax};
  BacktestProgress counts_;
  std::vector<log::Missing> damaged_;
  bool ended_ = false;
};

}  // namespace

Result<BacktestResult> run_backtest(const Context& context, const Backtest& asked,
                                    const OnBacktestProgress& on_progress) {
  return RulePast(context, asked, on_progress).run();
}

}  // namespace millstream::api
