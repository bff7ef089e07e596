// load/broadcasts.h: what was published, to which audience, and who got it: the check that nothing is lost, doubled,
// out of order, or given to those it was not for.
//
// Flow     published(n) when event n leaves; refused(n) when the server did not take it; delivered() for each event a
//          viewer reads. The first viewer of an audience to read an id fixes its place in the order; every other one
//          must agree.
// Shapes   event numbers n count from 0 and travel inside the event as the field "n"; ids are "<ms>-<seq>", increasing.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "load/latencies.h"

namespace millstream::load {

// How far one viewer has come in the order of its audience.
struct ViewerPosition {
  uint32_t next = 0;
  uint32_t audience = 0;
};

class Broadcasts {
 public:
  struct Counts {
    int64_t published = 0;
    int64_t refused = 0;
    int64_t deliveries = 0;
    int64_t duplicates = 0;  // an id this viewer had already passed
    int64_t skipped = 0;     // ids others got and this viewer passed over
    int64_t strange = 0;     // not an id, no number, an id that was never published, or an event for another audience
    int64_t expected = 0;    // deliveries of what was published and taken
    // In-order deliveries still missing.
    int64_t missing() const { return expected - deliveries; }
  };

  // The viewers are dealt out over the audiences, as load/audiences.h does it.
  explicit Broadcasts(uint32_t viewers, uint32_t audiences = 1);

  // Returns the number the new event must carry.
  uint32_t published(int64_t at_ns, uint32_t audience = 0);
  void refused(uint32_t n);
  void delivered(ViewerPosition& viewer, std::string_view id, std::string_view data, int64_t at_ns);
  // A closed viewer gets no more: events no longer wait for it.
  void viewer_left(const ViewerPosition& viewer);

  // Events that some viewer still has to get.
  int64_t in_flight() const { return counts_.published - counts_.refused - complete_; }
  const Counts& counts() const { return counts_; }

  // Begin measuring anew; precondition: in_flight() == 0.
  void restart_clock();
  const Latencies& to_each_viewer() const { return to_each_; }
  const Latencies& to_last_viewer() const { return to_last_; }

 private:
  struct Event {
    int64_t published_ns;
    uint32_t audience;
    uint32_t receivers = 0;
    bool taken = true;
  };
  struct Place {
    uint64_t id;
    uint32_t n;
  };
  struct Audience {
    uint32_t viewers = 0;      // at the start
    uint32_t left = 0;         // of these, closed since
    std::vector<Place> order;  // as the ids go
  };
  bool find_place(ViewerPosition& viewer, uint64_t id, std::string_view data);

  std::vector<Event> events_;  // by n
  std::vector<Audience> audiences_;
  int64_t complete_ = 0;
  Counts counts_;
  Latencies to_each_;
  Latencies to_last_;
};

// "1769517296789-4", or "1769517296:4" as nchan writes it -> time << 20 | seq; none when it is not an id.
std::optional<uint64_t> packed_id(std::string_view id);
// The whole number after "n": in an event's JSON; none when there is none.
std::optional<uint32_t> event_number(std::string_view data);

}  // namespace millstream::load
