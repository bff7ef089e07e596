// hub/conflation.h: many events of a stretch of the log as few blocks: telemetry merged per device, the rest as it is.
//
// Flow     a group with an interval gives what came since its last flush; a viewer that catches up gives a page.
// Shapes   a merged event is the newest one with the fields of all, and "conflated": how many they were. Other tags are
//          another thing (model/event.h), and are merged apart.
// Limits   telemetry waits for nothing but the end of the stretch; before every other event all that came earlier is
// said,
//          and only the last of these blocks has an id: a viewer cut off in between comes back to before the first.
// Thread   loop
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "hub/run.h"
#include "model/event.h"

namespace millstream::hub {

class Conflation {
 public:
  explicit Conflation(bool unnamed) : unnamed_(unnamed) {}

  // In id order; each event once.
  void add(const FramedBatchPtr& batch, size_t index);
  // What is merged so far goes to the end of run(). Gives back the run, complete.
  Run finish();

 private:
  struct Merged {
    model::Event newest;
    uint64_t count = 0;
  };
  using Thing = std::pair<model::Topic, model::Tags>;

  void write_merged();

  const bool unnamed_;
  Run run_;
  std::map<Thing, Merged> merged_;
};

}  // namespace millstream::hub
