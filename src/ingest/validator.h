// ingest/validator.h: points as parsed -> telemetry events that may be stored.
//
// Flow     codec/ parses the body; validate() checks names, rights, clocks and limits, and makes one event of all
//          points of one device, timestamp and tags; the caller appends the events to the log.
// Shapes   A bad point is named with its index and reason and does not touch its neighbours.
// Thread   value
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "base/result.h"
#include "codec/telemetry_json.h"
#include "metrics/registry.h"
#include "model/event.h"
#include "model/grants.h"

namespace millstream::ingest {

// Code::invalid: the time of an event lies further ahead than clocks may be, or is older than what is kept.
Status check_time(int64_t ts_ms, int64_t now_ms, int64_t retention_ms);

struct ValidatorOptions {
  std::string default_site = "default";
  std::string default_device;  // empty: a point must name one
  int64_t retention_ms = kDayMs;
};

struct Validated {
  std::vector<model::Event> events;
  size_t points_accepted = 0;
  std::vector<codec::Rejected> rejected;  // by index; at most codec::kRejectedListedMax
  size_t rejected_count = 0;              // all of them
  std::optional<std::string> forbidden;   // why the first one was refused that was refused for lack of rights
};

class Validator {
 public:
  Validator(ValidatorOptions options, metrics::Registry& metrics);

  // Code::unprocessable: the device is one too many.
  using MayWrite = std::function<Status(const model::Topic&)>;
  // Whether one bad point leaves the others as they are, or nothing of the request.
  enum class Keep { good_points, all_or_nothing };
  // `now_ms`: receive time, wall clock. The account is the credential's.
  Validated validate(codec::ParsedPoints parsed, const model::AccountId& account, const MayWrite& may_write,
                     int64_t now_ms, Keep keep = Keep::good_points) const;

 private:
  enum class Reason { malformed, name, device_missing, future, too_old, forbidden, device_limit, too_large };

  const std::string& device_of(const model::Point& point) const;  // empty: not given
  const std::string& site_of(const model::Point& point) const;
  Result<model::Topic> topic_of(const model::Point& point, const model::AccountId& account) const;

  const ValidatorOptions options_;
  const uint64_t hash_seed_;
  metrics::Counter& points_;
  std::vector<metrics::Counter*> rejected_;  // by Reason
};

}  // namespace millstream::ingest
