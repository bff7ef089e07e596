#include "load/fleet_batch.h"

#include <algorithm>
#include <charconv>

namespace millstream::load {
namespace {

constexpr size_t kBodiesMin = 16;
constexpr size_t kTimeDigits = 13;

template <typename Number>
void append_number(Number number, std::string& out) {
  char digits[32];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

// The fleet's texts need no escapes.
void append_value(const model::FieldValue& value, std::string& out) {
  if (const double* d = std::get_if<double>(&value)) {
    append_number(*d, out);
  } else if (const int64_t* i = std::get_if<int64_t>(&value)) {
    append_number(*i, out);
    out += 'i';
  } else if (const bool* b = std::get_if<bool>(&value)) {
    out += *b ? "true" : "false";
  } else {
    out.append("\"").append(std::get<std::string>(value)).append("\"");
  }
}

}  // namespace

void append_line(const model::Point& point, std::string& out) {
  out.append("telemetry,device=").append(point.device).append(",site=").append(point.site);
  char before = ' ';
  for (const model::Field& field : point.fields) {
    out.append(1, before).append(field.name).append("=");
    append_value(field.value, out);
    before = ',';
  }
  out += ' ';
  append_number(*point.ts_ms, out);
  out += '\n';
}

FleetBatches::FleetBatches(const FleetShare& share, size_t lines, int64_t start_ms)
    : lines_(lines), devices_(static_cast<size_t>(share.devices)) {
  const size_t bodies_a_round = std::max<size_t>(devices_ / lines_, 1);
  const size_t rounds = (kBodiesMin + bodies_a_round - 1) / bodies_a_round;
  for (size_t i = 0; i < rounds * bodies_a_round; ++i) bodies_.push_back(make_body(share, i, start_ms));
}

FleetBatches::Body FleetBatches::make_body(const FleetShare& share, size_t index, int64_t start_ms) const {
  Body body;
  for (size_t line = index * lines_; line < (index + 1) * lines_; ++line) {
    const int device = share.first_device + static_cast<int>(line % devices_);
    const int64_t round = static_cast<int64_t>(line / devices_);
    append_line(share.fleet->sample(device, start_ms + round * kFleetIntervalMs), body.text);
    body.times.push_back(body.text.size() - 1 - kTimeDigits);
  }
  return body;
}

std::string_view FleetBatches::next(int64_t now_ms) {
  const size_t first_line = turn_ * lines_;
  const int64_t rounds_a_body = static_cast<int64_t>(std::max<size_t>(lines_ / devices_, 1));
  if (first_line % devices_ == 0) round_ms_ = std::max(round_ms_ + rounds_a_body, now_ms);
  Body& body = bodies_[turn_++ % bodies_.size()];
  for (size_t line = 0; line < lines_; ++line) {
    const int64_t ts_ms = round_ms_ + static_cast<int64_t>(line / devices_);
    char* at = body.text.data() + body.times[line];
    std::to_chars(at, at + kTimeDigits, ts_ms);
  }
  return body.text;
}

FleetHistory::FleetHistory(FleetShare share, size_t lines, int64_t from_ms, int64_t to_ms)
    : share_(std::move(share)), lines_(lines), to_ms_(to_ms), round_ms_(from_ms) {}

std::string_view FleetHistory::next(int64_t) {
  text_.clear();
  for (size_t line = 0; line < lines_ && round_ms_ < to_ms_; ++line) {
    append_line(share_.fleet->sample(share_.first_device + device_, round_ms_), text_);
    if (++device_ == share_.devices) {
      device_ = 0;
      round_ms_ += kFleetIntervalMs;
    }
  }
  return text_;
}

}  // namespace millstream::load
