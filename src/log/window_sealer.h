// log/window_sealer.h: closes windows of telemetry, a little at a time beside the commits.
//
// Flow     when enough has gathered in an hour file's blocks, or they have grown old, or their hour is over, a thread
// of
//          its own makes chunks of them; the log's thread stores these in slices between commits, makes them count with
//          one small row, and then removes the blocks, a few at a time; an hour that is over gives the room they took
//          back to the disk. Cut off anywhere, it begins that window again.
// Limits   kSliceBytes a slice. A window: WindowLimits.
// Errors   a disk that is full is tried again after kRetryMs; a file with a damaged block keeps its blocks.
// Thread   log, but for what make_window_chunks() does
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <set>
#include <vector>

#include "base/guarded.h"
#include "base/work_queue.h"
#include "log/hour_file.h"
#include "log/hour_files.h"
#include "log/hour_writer.h"
#include "log/window_chunks.h"
#include "metrics/registry.h"

namespace millstream::log {

inline constexpr size_t kSliceBytes = 256 << 10;
inline constexpr int64_t kRetryMs = 1000;

struct SealingOptions {
  WindowLimits window;
  int64_t age_ms = 10 * 60'000;     // no event waits longer
  size_t events_of_a_device = 120;  // enough for a chunk that compresses well
  size_t events_min = 20'000;       // fewer are not worth a window before they grow old
};

// An hour file that is still open for writing.
struct SealableHour {
  HourWriter& writer;
  bool over = false;  // nothing more will be committed to it
};

class WindowSealer {
 public:
  WindowSealer(SealingOptions options, HourFiles& files, metrics::Registry& metrics);
  ~WindowSealer() { stop(); }

  // One step: at most one slice. An error is a disk that cannot be written for another reason than being full.
  Status step(const std::vector<SealableHour>& hours, int64_t now_ms, int64_t steady_ms);
  // More steps would have something to do at once.
  bool busy() const { return busy_; }
  // Everything of this hour is in chunks, or never will be.
  bool finished(const HourWriter& writer) const;
  void stop();  // joins; what is half-done is begun again after the next start

 private:
  struct Made {
    int64_t hour = 0;
    Result<WindowChunks> window;
  };
  struct Storing {
    int64_t hour = 0;
    WindowChunks window;
    size_t stored = 0;
  };
  bool is_due(const SealableHour& hour, int64_t now_ms) const;
  void begin(int64_t hour);
  void give_up(int64_t hour, const Error& error);
  void take_made(int64_t steady_ms);
  Status store_slice(HourWriter& writer);

  const SealingOptions options_;
  HourFiles& files_;
  metrics::Gauge& unsealed_;
  metrics::Counter& sealed_events_;
  metrics::Counter& sealed_bytes_;
  metrics::Counter& unsealable_;

  WorkQueue thread_;
  Guarded<std::optional<Made>> made_;
  // log-thread-confined
  bool making_ = false;
  bool busy_ = false;
  std::optional<Storing> storing_;
  std::set<int64_t> damaged_;  // hours that keep their blocks
  int64_t not_before_ms_ = 0;  // steady
};

}  // namespace millstream::log
