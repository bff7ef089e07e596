#include "app/point_outbox.h"

#include <simdjson.h>

#include <algorithm>

#include "app/event_text.h"
#include "base/limits.h"
#include "codec/event_json.h"

namespace millstream::app {
namespace {

constexpr size_t kBodyBytesMax = kJsonBodyBytesMax / 2;
constexpr size_t kBatchPointsMax = 1000;
constexpr int64_t kFirstRetryMs = 1'000;
constexpr int64_t kLongestRetryMs = 30'000;

void append_point(const model::Point& point, std::string& json) {
  json += "{\"deviceId\":";
  codec::append_json_string(point.device, json);
  json += ",\"siteId\":";
  codec::append_json_string(point.site, json);
  if (point.ts_ms) json += ",\"ts\":" + std::to_string(*point.ts_ms);
  json += ",\"fields\":{";
  for (const model::Field& field : point.fields) {
    if (&field != &point.fields.front()) json += ',';
    codec::append_json_string(field.name, json);
    json += ':';
    codec::append_field_value(field.value, json);
  }
  json += "}}";
}

}  // namespace

void PointOutbox::add(std::vector<model::Point> points) {
  for (model::Point& point : points) waiting_.push_back(std::move(point));
  for (; waiting_.size() > points_max_; ++counts_.dropped) waiting_.pop_front();
}

const std::string& PointOutbox::batch() {
  if (batch_.points > 0) return batch_.body;
  batch_.body = "[";
  while (!waiting_.empty() && batch_.points < kBatchPointsMax && batch_.body.size() < kBodyBytesMax) {
    if (batch_.points > 0) batch_.body += ',';
    append_point(waiting_.front(), batch_.body);
    ++batch_.points;
    batch_.values += waiting_.front().fields.size();
    waiting_.pop_front();
  }
  batch_.body += ']';
  return batch_.body;
}

Result<int64_t> PointOutbox::settle(const Result<HttpAnswer>& answer) {
  const int status = answer ? answer->status : 0;
  if (status == 401 || status == 403) {
    return Error{Code::forbidden,
                 "the server refuses this credential (" + std::to_string(status) + "): " + problem_text(*answer)};
  }
  if (status == 404 || status == 405 || (status >= 300 && status < 400)) {
    return Error{Code::not_found, "no ingest there (" + std::to_string(status) + "); is the address right?"};
  }
  const bool taken = status >= 200 && status < 300;
  if (!taken && (status < 400 || status >= 500 || status == 408 || status == 429)) {
    return retry_wait_ms(answer ? answer->retry_after_ms : std::nullopt);
  }
  const uint64_t rejected_before = counts_.rejected;
  if (taken) {
    take_rejections(*answer);
  } else {
    counts_.rejected += batch_.points;  // sending it again would not help
    if (first_rejection_.empty()) first_rejection_ = problem_text(*answer);
  }
  const size_t rejected = std::min<size_t>(counts_.rejected - rejected_before, batch_.points);
  counts_.points_sent += batch_.points - rejected;
  counts_.values_sent += batch_.values * (batch_.points - rejected) / std::max<size_t>(batch_.points, 1);
  batch_ = {};
  failures_ = 0;
  return 0;
}

// {"accepted":n,"rejected":[{"index":i,"reason":"…"}]}, and "rejectedCount":n when the list is cut.
void PointOutbox::take_rejections(const HttpAnswer& answer) {
  simdjson::dom::parser parser;
  simdjson::dom::element root;
  simdjson::dom::array rejected;
  if (parser.parse(simdjson::padded_string(answer.body)).get(root) != simdjson::SUCCESS) return;
  if (root.at_key("rejected").get(rejected) != simdjson::SUCCESS) return;
  uint64_t count = rejected.size();
  if (root.at_key("rejectedCount").get(count) != simdjson::SUCCESS) count = rejected.size();
  counts_.rejected += count;
  for (const simdjson::dom::element item : rejected) {
    std::string_view reason;
    if (first_rejection_.empty() && item.at_key("reason").get(reason) == simdjson::SUCCESS) {
      first_rejection_ = printable(reason);
    }
  }
}

int64_t PointOutbox::retry_wait_ms(std::optional<int64_t> retry_after_ms) {
  ++counts_.retries;
  const int64_t ceiling = std::min(kFirstRetryMs << std::min(failures_++, 10), kLongestRetryMs);
  const int64_t drawn = ceiling / 2 + static_cast<int64_t>(random_() % static_cast<uint64_t>(ceiling / 2 + 1));
  return std::max(drawn, retry_after_ms.value_or(0));
}

}  // namespace millstream::app
