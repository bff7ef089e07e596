#include "rules/baseline.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace millstream::rules {
namespace {

using model::Direction;
using model::Function;

constexpr double kScale = 1.4826;

double one_side(Direction direction, double distance) {
  switch (direction) {
    case Direction::both: return std::abs(distance);
    case Direction::up: return std::max(0.0, distance);
    case Direction::down: return std::max(0.0, -distance);
  }
  return 0;
}

double median(const std::vector<double>& sorted) {
  const size_t half = sorted.size() / 2;
  return sorted.size() % 2 == 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

// How many times the spread. Whatever differs from what never changed is beyond all bounds.
double in_spreads(double distance, double spread) {
  if (distance == 0) return 0;
  return spread > 0 ? distance / spread : std::copysign(std::numeric_limits<double>::max(), distance);
}

}  // namespace

std::optional<double> Baseline::judge(Function fn, const model::BaselineSettings& settings, double value, int64_t ms) {
  std::optional<double> judged;
  if (fn == Function::ewma) {
    learn(fn, settings, value, ms);
    if (seen_ >= settings.warmup) judged = mean_;
    return judged;
  }
  if (seen_ >= settings.warmup) {
    const double centre = fn == Function::mad ? median(sorted_) : mean_;
    const double spread = fn == Function::mad ? kScale * absolute_deviation(centre) : std::sqrt(variance_);
    const bool small = std::abs(value - centre) < settings.min_deviation;
    judged = small ? 0 : one_side(settings.direction, in_spreads(value - centre, spread));
  }
  learn(fn, settings, value, ms);
  return judged;
}

// The median of the distances from the median, by going outwards from it on both sides.
double Baseline::absolute_deviation(double centre) const {
  size_t right = static_cast<size_t>(std::lower_bound(sorted_.begin(), sorted_.end(), centre) - sorted_.begin());
  size_t left = right;
  const size_t half = sorted_.size() / 2;
  double last = 0, before = 0;
  for (size_t taken = 0; taken <= half; ++taken) {
    const double below = left > 0 ? centre - sorted_[left - 1] : std::numeric_limits<double>::infinity();
    const double above = right < sorted_.size() ? sorted_[right] - centre : std::numeric_limits<double>::infinity();
    before = last;
    last = std::min(below, above);
    below <= above ? --left : ++right;
  }
  return sorted_.size() % 2 == 1 ? last : (before + last) / 2;
}

void Baseline::learn(Function fn, const model::BaselineSettings& settings, double value, int64_t ms) {
  ++seen_;
  if (fn == Function::mad) {
    if (values_.size() < kMadValues) {
      values_.push_back(value);
    } else {
      sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), values_[next_]));
      values_[next_] = value;
      next_ = (next_ + 1) % kMadValues;
    }
    sorted_.insert(std::upper_bound(sorted_.begin(), sorted_.end(), value), value);
    return;
  }
  if (seen_ == 1) {
    mean_ = value;
  } else {
    const double kept = std::exp2(-static_cast<double>(std::max<int64_t>(ms - newest_ms_, 0)) /
                                  static_cast<double>(settings.half_life_ms));
    // Until there is more to go by, the plain mean.
    const double weight = std::max(1 - kept, 1 / static_cast<double>(seen_));
    const double distance = value - mean_;
    const double variance = (1 - weight) * (variance_ + weight * distance * distance);
    // One whose square no double can hold would stay in the variance for ever: it is judged, and teaches nothing.
    if (std::isfinite(variance)) {
      mean_ += weight * distance;
      variance_ = variance;
    }
  }
  newest_ms_ = ms;
}

void Baseline::save(model::StateWriter& writer) const {
  writer.number(seen_).number(newest_ms_).real(mean_).real(variance_).number(values_.size()).number(next_);
  for (const double value : values_) writer.real(value);
}

bool Baseline::load(model::StateReader& reader) {
  *this = {};
  seen_ = static_cast<uint64_t>(reader.number());
  newest_ms_ = reader.number();
  mean_ = reader.real();
  variance_ = reader.real();
  const int64_t count = reader.number();
  next_ = static_cast<size_t>(reader.number());
  if (count < 0 || count > static_cast<int64_t>(kMadValues) || next_ >= kMadValues) return false;
  for (int64_t i = 0; i < count && reader.ok(); ++i) values_.push_back(reader.real());
  sorted_ = values_;
  std::sort(sorted_.begin(), sorted_.end());
  return reader.ok();
}

}  // namespace millstream::rules
