// conformance/viewer.h: one client of the stream that reads strictly, keeps accounts of what it was told, and
// misbehaves on request: it stops reading, leaves with or without a word, and comes back with its last id.
//
// Flow     connect() -> on_ready() as the poller says; pause()/resume()/cut() from outside.
// Shapes   what was told after the last id a block carried is not counted when the viewer is cut: it comes again.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "codec/sse_frame.h"
#include "load/response_reader.h"
#include "load/socket.h"
#include "truth.h"

namespace millstream::conformance {

struct Faults {
  uint64_t not_in_order = 0;  // an id not above the one before it
  uint64_t strange = 0;       // bytes the standard would silently ignore, wrong chunks, a status other than 200
};

class Viewer {
 public:
  Viewer(const load::Endpoint& server, Wish wish, size_t number);
  Viewer(const Viewer&) = delete;
  Viewer& operator=(const Viewer&) = delete;

  void connect(load::Poller& poller);
  void on_ready(load::Poller& poller, uint32_t events);
  void pause(load::Poller& poller);
  void resume(load::Poller& poller);
  void cut(bool rudely);  // rudely: with a reset

  bool connected() const { return socket_.is_open(); }
  int64_t retry_ms() const { return reader_.retry_ms().value_or(1000); }  // as the server asked
  bool paused() const { return paused_; }
  bool begun() const { return joined_.has_value(); }
  const Wish& wish() const { return wish_; }
  // What it was told and will not be told again, over which stretch, and what was declared missing in it.
  const Told& told() const { return told_; }
  Stretch stretch() const { return {*joined_, cursor_}; }
  const std::vector<Stretch>& gaps() const { return gaps_; }
  uint64_t slow() const { return slow_; }  // how often it was told that its telemetry comes merged
  uint64_t deliveries() const { return deliveries_; }
  const Faults& faults() const { return faults_; }

 private:
  void take(const codec::SseReader::Message& message);
  void take_system(const codec::SseReader::Message& message);
  void commit(model::EventId cursor);
  void gone();

  const load::Endpoint& server_;
  const Wish wish_;
  const size_t number_;
  load::Socket socket_;
  bool asked_ = false;
  bool paused_ = false;
  load::ResponseReader response_;
  codec::SseReader reader_;
  size_t oddities_before_ = 0;
  std::optional<model::EventId> joined_;
  model::EventId cursor_;
  model::EventId newest_;  // told last, committed or not
  std::vector<Seen> uncommitted_;
  Told told_;
  std::vector<Stretch> gaps_;
  uint64_t slow_ = 0;
  uint64_t deliveries_ = 0;
  Faults faults_;
};

}  // namespace millstream::conformance
