// api/rule_past.h: a rule over what is stored: what it would have said, device by device.
//
// Flow     the newest events, of which the log has no columns yet, are gone through once for all devices. Then, device
//          by device, the bounds of the rule's fields from the columns; where rules::may_fire() within them, the rule's
//          fields of every event of the device, through an engine of its own; some such devices are read together.
//          Charts of some devices at the end.
// Shapes   alert events as the engine makes them, without an id. What people did meanwhile (acknowledged, closed) is
//          left out, and what the server missed while it was down counts as silence.
// Limits   kBacktestDevicesMax: Code::unprocessable. kBacktestTransitionsMax alert events, the first ones;
//          kBacktestPreviewsMax charts.
// Errors   Code::unavailable: ended by `on_progress`.
// Thread   a thread that may block for long
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "api/context.h"
#include "history/series.h"
#include "rules/backtest.h"
#include "rules/rule_engine.h"

namespace millstream::api {

inline constexpr size_t kBacktestDevicesMax = 10'000;
inline constexpr size_t kBacktestTransitionsMax = 1000;
inline constexpr size_t kBacktestPreviewsMax = 8;
inline constexpr size_t kBacktestPointsDefault = 300;
inline constexpr size_t kBacktestPointsMax = 1000;  // of one chart

struct Backtest {
  model::Rule rule;
  std::vector<model::TopicPattern> patterns;              // whose past may be looked at
  decltype(rules::Configuration::attributes) attributes;  // of devices that were described
  int64_t since_ms = 0;                                   // what was received from then on
  int64_t until_ms = 0;                                   // and before that
  size_t points = kBacktestPointsDefault;
};

struct BacktestProgress {
  size_t done = 0;  // devices
  size_t devices = 0;
  uint64_t values = 0;  // looked at
  size_t alerts = 0;    // begun
};
// False: nobody waits for the rest.
using OnBacktestProgress = std::function<bool(const BacktestProgress&)>;

struct BacktestPreview {
  model::Topic device;
  size_t condition = 0;  // the first that looks at the field
  int64_t step_ms = 0;
  std::vector<history::Bucket> buckets;
};

struct BacktestResult {
  BacktestProgress counts;
  std::vector<model::Event> transitions;
  size_t left_out = 0;                    // of them
  std::vector<log::Missing> missing;      // damaged parts
  std::vector<BacktestPreview> previews;  // of devices that had transitions first
};

Result<BacktestResult> run_backtest(const Context& context, const Backtest& asked,
                                    const OnBacktestProgress& on_progress);

}  // namespace millstream::api
