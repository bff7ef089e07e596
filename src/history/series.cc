#include "history/series.h"

#include <algorithm>

#include "base/limits.h"

namespace millstream::history {
namespace {

constexpr size_t kRawSlack = 64;  // so that a few points are not sorted again and again

// In time order; of the same moment only the last written stays.
void order_by_time(std::vector<model::Sample>& samples) {
  const auto earlier = [](const model::Sample& a, const model::Sample& b) { return a.t_ms < b.t_ms; };
  if (!std::is_sorted(samples.begin(), samples.end(), earlier)) {
    std::stable_sort(samples.begin(), samples.end(), earlier);
  }
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

SeriesBuilder::Values* SeriesBuilder::values_of(std::string_view field) {
  if (const auto found = values_.find(field); found != values_.end()) return &found->second;
  if (values_.size() >= kSeriesFieldsMax) {
    truncated_ = true;
    return nullptr;
  }
  return &values_[std::string(field)];
}

void SeriesBuilder::add(std::string_view field, std::span<const model::Sample> samples) {
  if (samples.empty()) return;
  Values* values = values_of(field);
  if (!values) return;
  values->samples.insert(values->samples.end(), samples.begin(), samples.end());
  if (request_.raw && values->samples.size() >= 2 * request_.points + kRawSlack) keep_newest(values->samples);
}

void SeriesBuilder::add(std::string_view field, const model::SampleSums& sums) {
  if (Values* values = values_of(field)) values->sums.push_back(sums);
}

// In time order. What is left out is older than `points` others, and will be whatever comes.
void SeriesBuilder::keep_newest(std::vector<model::Sample>& samples) {
  order_by_time(samples);
  if (samples.size() <= request_.points) return;
  samples.erase(samples.begin(), samples.end() - static_cast<ptrdiff_t>(request_.points));
  truncated_ = true;
}

std::vector<Bucket> SeriesBuilder::buckets_of(Values& values) const {
  order_by_time(values.samples);
  std::sort(values.sums.begin(), values.sums.end(),
            [](const model::SampleSums& a, const model::SampleSums& b) { return a.first_ms < b.first_ms; });
  std::vector<Bucket> buckets;
  double sum = 0;
  const auto add = [&](const model::SampleSums& more) {
    const int64_t t_ms = request_.start_ms + (more.first_ms - request_.start_ms) / step_ms_ * step_ms_;
    if (buckets.empty() || buckets.back().t_ms != t_ms) {
      buckets.push_back({.t_ms = t_ms, .min = more.min, .max = more.max});
      sum = 0;
    }
    Bucket& bucket = buckets.back();
    bucket.min = std::min(bucket.min, more.min);
    bucket.max = std::max(bucket.max, more.max);
    bucket.last = more.last;
    bucket.count += more.count;
    sum += more.sum;
    // The sum is rounded (and overflows to infinity): an average stays between the extremes all the same.
    bucket.avg = std::clamp(sum / static_cast<double>(bucket.count), bucket.min, bucket.max);
  };
  auto next = values.sums.begin();
  for (const auto& [t_ms, value] : values.samples) {
    for (; next != values.sums.end() && next->first_ms < t_ms; ++next) add(*next);
    add({.first_ms = t_ms, .last_ms = t_ms, .min = value, .max = value, .sum = value, .last = value, .count = 1});
  }
  for (; next != values.sums.end(); ++next) add(*next);
  return buckets;
}

SeriesResult SeriesBuilder::result() && {
  SeriesResult out{.step_ms = step_ms_};
  for (auto& [name, values] : values_) {
    if (!request_.raw) {
      out.buckets[name] = buckets_of(values);
      continue;
    }
    keep_newest(values.samples);
    std::vector<RawPoint>& raw = out.raw[name];
    for (const auto& [t_ms, value] : values.samples) raw.push_back({t_ms, value});
  }
  out.truncated = truncated_;
  return out;
}

}  // namespace millstream::history
