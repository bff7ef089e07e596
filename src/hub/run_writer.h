// hub/run_writer.h: a stretch of the log as the bytes one group of viewers asked for.
//
// Flow     live turns, flushes of groups with an interval, and viewers that catch up; in id order, each event once.
// Shapes   View::fields: telemetry holds only these, and what has none of them is left out.
//          Merged: telemetry of a device as one event, the newest one with the fields of all, and "conflated": how many
//          they were. Other tags are another thing (model/event.h), and are merged apart.
// Limits   merged telemetry waits for nothing but the end of the stretch; before every other event all that came
//          earlier is said, and only the last of these blocks has an id: a viewer cut off in between comes back to
//          before the first.
// Thread   loop
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "hub/run.h"
#include "model/event.h"

namespace millstream::hub {

using FieldNames = std::vector<std::string>;  // sorted; empty: all

struct View {
  bool unnamed = false;
  FieldNames fields;

  // Adds one event by itself.
  void add(const FramedBatchPtr& batch, size_t index, Run& run) const {
    if (fields.empty()) return run.add(batch, index, unnamed);
    add_projected(batch, index, run);
  }

 private:
  void add_projected(const FramedBatchPtr& batch, size_t index, Run& run) const;
};

class RunWriter {
 public:
  // `view` must outlive the writer.
  RunWriter(const View& view, bool merges) : view_(view), merges_(merges) {}

  void add(const FramedBatchPtr& batch, size_t index);
  size_t bytes() const { return run_.bytes(); }  // what is merged and not yet said does not count
  // Gives back the run, complete.
  Run finish();
  uint64_t merged_away() const { return merged_away_; }  // events that became part of another

 private:
  struct Merged {
    model::Event newest;
    uint64_t count = 0;
  };
  using Thing = std::pair<model::Topic, model::Tags>;

  void write_merged();

  const View& view_;
  const bool merges_;
  Run run_;
  std::map<Thing, Merged> merged_;
  uint64_t merged_away_ = 0;
};

// Keeps only the named ones; says whether any is left. `names` empty: all.
bool keep_fields(const FieldNames& names, model::Fields& fields);

}  // namespace millstream::hub
