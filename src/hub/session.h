// hub/session.h: one connected viewer: its place in the log, and what its socket has not taken yet.
//
// Flow     live: the shard writes its group's run straight to the sink. A viewer that is not at the head of the log
//          (resuming, or too slow) is "behind": it reads on from its cursor, out of the ring in memory or out of the
//          log, until it is live again. A slow reader is a resuming reader.
// Shapes   everything up to and including cursor() has been sent, is in pending_, or is not for this viewer.
// Limits   session_queue_bytes_max of pending runs while live, and session_queue_ms_max of having any; beyond, it falls
//          behind and collapses: it is told `slow`, and gets telemetry merged per device, the rest whole, until it is
//          live again. More than slow_lag_ms_max behind: closed, to resume by id.
//          slow_timeout_ms without the socket taking a byte: closed, to resume by id.
//          The opening, which with a snapshot may be megabytes, stands outside the first: it has a deadline instead
//          (kOpeningSlowTimeouts), so that a viewer that sips at it does not hold it for ever.
// Thread   loop
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "base/byte_sink.h"
#include "hub/run.h"
#include "hub/stream_places.h"
#include "model/event_id.h"

namespace millstream::hub {

class Shard;
struct Group;

class Session final : public ByteSinkOwner {
 public:
  Session(Shard& shard, std::unique_ptr<ByteSink> sink, Group& group);

  void on_writable() override;
  void on_closed() override;

 private:
  friend class Shard;
  enum class Place : uint8_t { behind, live };

  struct Pending {
    struct Item {
      RunPtr run;
      size_t slice = 0;   // first slice not taken whole
      size_t offset = 0;  // bytes of that slice already taken
    };
    std::deque<Item> items;
    size_t bytes = 0;
    int64_t since_ms = 0;          // steady: for so long there has been something here
    int64_t progress_at_ms = 0;    // steady: when the socket last took a byte
    int64_t opening_until_ms = 0;  // the first item is the opening, and must be taken by then; 0: it is not
  };

  // Sends, or keeps what the socket does not take. `shared` makes (once per run) the copy that can be kept.
  template <class Shared>
  void push(const Run& run, int64_t now_ms, Shared&& shared);
  void keep(RunPtr run, size_t taken, int64_t now_ms);
  // True when nothing is pending any more.
  bool flush(int64_t now_ms);
  bool has_pending() const { return pending_ != nullptr; }
  // Whether it may not have `more` bytes waiting, or has had some for too long.
  bool is_slow(size_t more, int64_t now_ms) const;

  Shard& shard_;
  std::unique_ptr<ByteSink> sink_;
  Group& group_;
  StreamPlaces::Place kept_place_;
  std::unique_ptr<Pending> pending_;  // null: the socket is keeping up
  model::EventId cursor_;             // kept while behind; a live session stands where its shard stands

  // Place in the timing wheel, and what it waits for (steady ms).
  Session* wheel_previous_ = nullptr;
  Session* wheel_next_ = nullptr;
  int64_t last_sent_ms_ = 0;
  int64_t next_heartbeat_ms_ = 0;
  int64_t expires_ms_ = 0;  // 0: never
  int64_t drain_ms_ = 0;    // 0: not draining
  uint64_t id_ = 0;
  uint64_t holder_ = 0;      // whose it is
  uint64_t credential_ = 0;  // number of the API key or login session it came with
  uint32_t heartbeat_interval_ms_ = 0;
  uint32_t comment_interval_ms_ = 0;
  uint32_t live_index_ = 0;  // in Group::live
  uint32_t wheel_slot_ = 0;
  Place place_ = Place::behind;
  uint8_t storage_told_ = 0;  // Shard::storage_changes_ that it knows of
  bool reading_ = false;      // a page of the log is on its way
  bool first_page_ = false;   // the next page is the first of a resume
  bool runnable_ = false;     // stands in Shard::runnable_
  bool waiting_ = false;      // stands in Shard::waiting_
  bool warned_expiry_ = false;
  bool collapsed_ = false;  // too slow: until it is live again, telemetry comes merged
  bool told_slow_ = false;  // and it knows
  bool started_ = false;    // bytes have been pushed
  bool in_step_ = false;    // with its group's compressor
  bool by_ticket_ = false;  // which one the shard knows
};

template <class Shared>
void Session::push(const Run& run, int64_t now_ms, Shared&& shared) {
  last_sent_ms_ = now_ms;
  if (pending_) {
    keep(shared(), 0, now_ms);
    return;
  }
  const size_t taken = sink_->write(run.slices());
  if (taken < run.bytes()) keep(shared(), taken, now_ms);
}

}  // namespace millstream::hub
