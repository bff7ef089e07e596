// load/telemetry_batch.h: ready-made ingest bodies, whose times are set anew before each sending.
//
// Shapes   B events of F numeric fields, each event from a device of its own (a gateway with B devices). Values walk by
//          a few tenths from body to body, as measured temperatures do. Times are milliseconds, 13 digits, written in
//          place.
// Thread   value
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "load/batch_source.h"

namespace millstream::load {

enum class BodyFormat { json, line };

// "g3-17"
std::string batch_device(size_t gateway, size_t device);

class TelemetryBatches : public BatchSource {
 public:
  // `gateway` names the devices: "g3-0", "g3-1", …
  TelemetryBatches(BodyFormat format, size_t gateway, size_t events, size_t fields);

  // Every event at `now_ms`, or a millisecond after the last body's.
  std::string_view next(int64_t now_ms) override;

 private:
  struct Body {
    std::string text;
    std::vector<size_t> times;  // where each time begins
  };
  Body make_body(size_t gateway, size_t events, std::vector<std::vector<int>>& tenths);
  void append_event(const std::string& device, const std::vector<int>& tenths, Body& body) const;

  BodyFormat format_;
  std::vector<Body> bodies_;
  size_t turn_ = 0;
  int64_t last_ts_ms_ = 0;
};

}  // namespace millstream::load
