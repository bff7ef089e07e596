#include "history/series.h"

#include <algorithm>

#include "base/limits.h"

namespace millstream::history {
namespace {

constexpr size_t kRawSlack = 64;  // so that a few points are not sorted again and again

// In time order; of the same moment only the last written stays.
template <class Sample>
void order_by_time(std::vector<Sample>& samples) {
  std::stable_sort(samples.begin(), samples.end(), [](const Sample& a, const Sample& b) { return a.t_ms < b.t_ms; });
  size_t kept = 0;
  for (size_t i = 0; i < samples.size(); ++i) {
    if (i + 1 < samples.size() && samples[i + 1].t_ms == samples[i].t_ms) continue;
    samples[kept++] = samples[i];
  }
  samples.resize(kept);
}

}  // namespace

Result<SeriesBuilder> SeriesBuilder::make(SeriesRequest request) {
  if (request.end_ms <= request.start_ms) return Error{Code::invalid, "end: not after start"};
  if (request.points == 0) return Error{Code::invalid, "points: at least 1"};
  if (request.points > kSeriesPointsMax) {
    return Error{Code::unprocessable, "points: at most " + std::to_string(kSeriesPointsMax)};
  }
  if (request.fields.size() > kSeriesFieldsMax) {
    return Error{Code::unprocessable, "fields: at most " + std::to_string(kSeriesFieldsMax)};
  }
  return SeriesBuilder(std::move(request));
}

SeriesBuilder::SeriesBuilder(SeriesRequest request) : request_(std::move(request)) {
  const int64_t span = request_.end_ms - request_.start_ms;
  const auto points = static_cast<int64_t>(request_.points);
  step_ms_ = (span + points - 1) / points;
}

void SeriesBuilder::add(const model::Event& event) {
  if (event.type != model::EventType::telemetry) return;
  if (event.ts_ms < request_.start_ms || event.ts_ms >= request_.end_ms) return;
  for (const model::Field& field : event.fields) {
    const std::optional<double> value = model::as_number(field.value);
    if (!value) continue;
    const bool wanted = request_.fields.empty() ||
                        std::find(request_.fields.begin(), request_.fields.end(), field.name) != request_.fields.end();
    if (!wanted) continue;
    if (samples_.size() >= kSeriesFieldsMax && !samples_.contains(field.name)) {
      truncated_ = true;
      continue;
    }
    std::vector<Sample>& samples = samples_[field.name];
    samples.push_back({event.ts_ms, *value});
    if (request_.raw && samples.size() >= 2 * request_.points + kRawSlack) keep_newest(samples);
  }
}

// In time order. What is left out is older than `points` others, and will be whatever comes.
void SeriesBuilder::keep_newest(std::vector<Sample>& samples) {
  order_by_time(samples);
  if (samples.size() <= request_.points) return;
  samples.erase(samples.begin(), samples.end() - static_cast<ptrdiff_t>(request_.points));
  truncated_ = true;
}

SeriesResult SeriesBuilder::result() && {
  SeriesResult out{.step_ms = step_ms_};
  for (auto& [name, samples] : samples_) {
    if (request_.raw) {
      keep_newest(samples);
      std::vector<RawPoint>& raw = out.raw[name];
      for (const Sample& sample : samples) raw.push_back({sample.t_ms, sample.value});
      continue;
    }
    order_by_time(samples);
    std::vector<Bucket>& buckets = out.buckets[name];
    double sum = 0;
    for (const Sample& sample : samples) {
      const int64_t t_ms = request_.start_ms + (sample.t_ms - request_.start_ms) / step_ms_ * step_ms_;
      if (buckets.empty() || buckets.back().t_ms != t_ms) {
        buckets.push_back({.t_ms = t_ms, .min = sample.value, .max = sample.value});
        sum = 0;
      }
      Bucket& bucket = buckets.back();
      bucket.min = std::min(bucket.min, sample.value);
      bucket.max = std::max(bucket.max, sample.value);
      bucket.last = sample.value;
      sum += sample.value;
      // The sum is rounded (and overflows to infinity): an average stays between the extremes all the same.
      bucket.avg = std::clamp(sum / static_cast<double>(++bucket.count), bucket.min, bucket.max);
    }
  }
  out.truncated = truncated_;
  return out;
}

}  // namespace millstream::history
