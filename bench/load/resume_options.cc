#include "load/resume_options.h"

namespace millstream::load {

ResumeShape read_resume_shape(Options& options, bool stay) {
  return {.count = static_cast<size_t>(options.number("resumes", stay ? 0 : 1000)),
          .in_flight_max = static_cast<size_t>(options.number("resuming_at_once", stay ? 256 : 1)),
          .stay = stay,
          .gateways = static_cast<size_t>(options.number("gateways", 16)),
          .devices_each = static_cast<size_t>(options.number("gateway_devices", 100)),
          .from_ms = options.number("from_ms", 0),
          .to_ms = options.number("to_ms", 0)};
}

Status check(const ResumeShape& shape) {
  if (shape.gateways < 1 || shape.devices_each < 1)
    return Error{Code::invalid, "--gateways, --gateway_devices: from 1"};
  if (shape.in_flight_max < 1) return Error{Code::invalid, "--resuming_at_once: from 1"};
  if (shape.count > 0 && (shape.from_ms <= 0 || shape.from_ms > shape.to_ms)) {
    return Error{Code::invalid, "--from_ms, --to_ms: the time of the events to resume in"};
  }
  return {};
}

void add_latencies(const Resumes& resumes, JsonLine& line) {
  line.add("first_byte_p50_us", resumes.to_first_byte().percentile_us(0.5));
  line.add("first_byte_p99_us", resumes.to_first_byte().percentile_us(0.99));
  line.add("first_event_p50_us", resumes.to_first_event().percentile_us(0.5));
  line.add("first_event_p99_us", resumes.to_first_event().percentile_us(0.99));
  line.add("replayed_events", resumes.counts().events);
}

}  // namespace millstream::load
