// rules/window.h: a field's values over the last while, summed up without going through them again.
//
// Flow     add() puts a value in at the back and takes out what has left the window at the front; sums() is at hand.
// Shapes   values lie in panes, each summed up; two stacks of panes give the sum of all in constant time a value, and
//          nothing is ever subtracted, so that no error adds up.
// Limits   kPanes panes: values nearer together than window / kPanes share one, which leaves when its newest value
// does.
//          Values at least that far apart are exact.
// Thread   value
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "model/state_text.h"

namespace millstream::rules {

struct WindowSums {
  uint64_t count = 0;
  double sum = 0;
  double mean = 0;
  double squares = 0;  // of the distances from the mean
  double min = 0;
  double max = 0;
  double first = 0;
  double last = 0;
  double increase = 0;  // of a counter that begins at zero again when it falls
  int64_t first_ms = 0;
  int64_t last_ms = 0;

  static WindowSums of(double value, int64_t ms);
  // Those of what came before `later`, and of that.
  WindowSums followed_by(const WindowSums& later) const;

  double stddev() const { return count < 2 ? 0 : std::sqrt(squares / static_cast<double>(count - 1)); }
  double seconds() const { return static_cast<double>(last_ms - first_ms) / 1000; }
};

class Window {
 public:
  static constexpr int64_t kPanes = 256;

  // Times do not go back. What is older than `window_ms` before `ms` is out.
  void add(double value, int64_t ms, int64_t window_ms);
  WindowSums sums() const;

  void save(model::StateWriter& writer) const;
  bool load(model::StateReader& reader);

 private:
  void drop_until(int64_t ms);

  // The front stack holds, for each of its panes, the sums from there to the stack's end; its top is the oldest.
  std::vector<WindowSums> front_;
  std::vector<WindowSums> front_panes_;
  std::vector<WindowSums> back_;
  WindowSums back_sums_;
};

}  // namespace millstream::rules
