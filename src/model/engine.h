// model/engine.h: the seam of everything that draws conclusions from events: rules, presence, latest values.
//
// Flow     app/engine_runner reads the log in id order and calls, for every event, advance(event.id.ms) and then
//          step(event, event.id.ms); between events it calls advance(now). What an engine puts into `out` is appended
//          to the log and comes round the same way.
// Rules    An engine reads no clock, does no I/O and keeps no hidden state: the same calls give the same conclusions.
//          Replaying the log from a checkpoint therefore repeats history exactly; the runner drops what the log
//          already holds. `now` never goes back. advance(now) must draw each timer's conclusion as of the timer's own
//          deadline, so that the result does not depend on how often advance is called.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "model/state_text.h"

namespace millstream::model {

// Events to append; id and conclusion number are left zero.
using Conclusions = std::vector<Event>;

class Engine {
 public:
  virtual ~Engine() = default;

  virtual std::string_view name() const = 0;  // names its part of a checkpoint
  virtual void step(const Event& event, int64_t now_ms, Conclusions& out) = 0;
  virtual void advance(int64_t now_ms, Conclusions& out) = 0;
  // Nobody was listening from `from_ms` to `now_ms` (the server was down): silence in that span is ours, not the
  // devices'.
  virtual void resume(int64_t from_ms, int64_t now_ms) = 0;

  // The whole state, in a form load() of this or a later version reads.
  virtual void save_to(StateWriter& out) const = 0;
  std::string save() const {
    return state_text([this](StateWriter& out) { save_to(out); });
  }
  virtual Status load(std::string_view state) = 0;
};

}  // namespace millstream::model
