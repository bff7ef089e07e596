#include "load/telemetry_batch.h"

#include <algorithm>
#include <random>

namespace millstream::load {
namespace {

constexpr size_t kBodies = 16;
constexpr std::string_view kNoTime = "0000000000000";

void append_tenths(int tenths, std::string& out) {
  out.append(std::to_string(tenths / 10)).append(".").append(std::to_string(tenths % 10));
}

}  // namespace

std::string batch_device(size_t gateway, size_t device) {
  return "g" + std::to_string(gateway) + "-" + std::to_string(device);
}

TelemetryBatches::TelemetryBatches(BodyFormat format, size_t gateway, size_t events, size_t fields) : format_(format) {
  std::vector<std::vector<int>> tenths(events, std::vector<int>(fields));
  std::minstd_rand random(static_cast<unsigned>(gateway) + 1);
  for (auto& device : tenths) {
    for (int& value : device) value = 100 + static_cast<int>(random() % 900);
  }
  for (size_t i = 0; i < kBodies; ++i) {
    bodies_.push_back(make_body(gateway, events, tenths));
    for (auto& device : tenths) {
      for (int& value : device) value += static_cast<int>(random() % 7) - 3;
    }
  }
}

TelemetryBatches::Body TelemetryBatches::make_body(size_t gateway, size_t events,
                                                   std::vector<std::vector<int>>& tenths) {
  Body body;
  if (format_ == BodyFormat::json) body.text += '[';
  for (size_t i = 0; i < events; ++i) {
    if (format_ == BodyFormat::json && i > 0) body.text += ',';
    append_event(batch_device(gateway, i), tenths[i], body);
  }
  if (format_ == BodyFormat::json) body.text += ']';
  return body;
}

void TelemetryBatches::append_event(const std::string& device, const std::vector<int>& tenths, Body& body) const {
  std::string& out = body.text;
  const bool json = format_ == BodyFormat::json;
  if (json) {
    out.append(R"({"deviceId":")").append(device).append(R"(","siteId":"bench","ts":)");
    body.times.push_back(out.size());
    out.append(kNoTime).append(R"(,"fields":{)");
  } else {
    out.append("telemetry,device=").append(device).append(",site=bench ");
  }
  for (size_t f = 0; f < tenths.size(); ++f) {
    if (f > 0) out += ',';
    out.append(json ? "\"f" : "f").append(std::to_string(f)).append(json ? "\":" : "=");
    append_tenths(tenths[f], out);
  }
  if (json) {
    out += "}}";
  } else {
    out += ' ';
    body.times.push_back(out.size());
    out.append(kNoTime).append("\n");
  }
}

std::string_view TelemetryBatches::next(int64_t now_ms) {
  Body& body = bodies_[turn_++ % bodies_.size()];
  last_ts_ms_ = std::max(last_ts_ms_ + 1, now_ms);
  const std::string text = std::to_string(last_ts_ms_);
  for (const size_t at : body.times) body.text.replace(at, kNoTime.size(), text);
  return body.text;
}

}  // namespace millstream::load
