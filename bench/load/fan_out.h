// load/fan_out.h: one broadcast experiment: viewers on a stream, publishers on keep-alive connections, one loop.
//
// Flow     open viewers -> run() once to warm up -> mark() -> run() again -> look at what changed since mark().
// Shapes   closed loop: a new event leaves when one of the `in_flight` before it reached every viewer and was answered.
//          Fixed rate: an event is due every 1/rate s, and its latency counts from when it was due, not from when it
//          left.
// Errors   what the server refuses, loses or closes is counted; only opening can fail.
// Thread   value
#pragma once

#include <memory>
#include <random>
#include <string>
#include <vector>

#include "load/broadcasts.h"
#include "load/published_body.h"
#include "load/request_connection.h"
#include "load/resumes.h"
#include "load/socket.h"
#include "load/stalled_readers.h"
#include "load/viewer_fleet.h"

namespace millstream::load {

struct FanOutTarget {
  StreamRequest stream;
  Endpoint publisher;        // where events go; the server itself, but for hubs with a port of their own for it
  std::string publish_path;  // "/api/ingest"
  BodyForm body_form;
};

struct Pace {
  int64_t in_flight = 0;  // closed loop when above 0
  int64_t rate = 0;       // events a second otherwise
};

class FanOut {
 public:
  explicit FanOut(FanOutTarget target);

  // The first `stream.audiences.viewers` of them get events. Call again with more to grow.
  Status open_viewers(size_t count);
  // Beside them, viewers of the same stream that read nothing, until the end.
  Status open_stalled_readers(size_t count);
  // Beside them, from the next run() on.
  void add_resumes(const ResumeShape& shape);
  // Once, after the viewers are there.
  Status open_publishers(size_t connections);

  // Publishes for `ns` at this pace, then reads until every event arrived everywhere, or nothing moved for 10 s.
  void run(const Pace& pace, int64_t ns);
  // Publishes one event and reads until it arrived everywhere.
  void publish_one();
  // Only reads, for `ns`.
  void read_for(int64_t ns);

  ViewerFleet& fleet() { return fleet_; }
  Broadcasts& broadcasts() { return broadcasts_; }
  const Resumes* resumes() const { return resumes_.get(); }
  bool stalled() const { return stalled_; }

 private:
  bool publish(int64_t due_ns);    // false when no connection is free
  Status renew(size_t publisher);  // a new connection for one that is spent
  void turn(int64_t wait_ns);
  bool settled() const;

  const FanOutTarget target_;
  Poller poller_;
  ViewerFleet fleet_;
  std::vector<Socket> stalled_readers_;
  std::unique_ptr<Resumes> resumes_;  // null: none
  Broadcasts broadcasts_{0};
  PublishedBody body_;
  std::minstd_rand random_;  // the next event's device
  std::vector<RequestConnection> publishers_;
  std::vector<uint32_t> carried_;  // the event each publisher has under way
  int64_t progress_ns_ = 0;        // when something was last delivered or answered
  bool stalled_ = false;
};

}  // namespace millstream::load
