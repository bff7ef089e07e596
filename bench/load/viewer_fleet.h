// load/viewer_fleet.h: many plain HTTP/1.1 connections to one event stream, read as fast as they can be.
//
// Flow     open() connects them in waves and waits until each has its head and its first block (the server's hello);
//          after that every ready socket is read once per turn and its telemetry goes to Broadcasts.
// Shapes   a viewer's poller tag is its index (below kViewerTagsEnd); source addresses are spread over 127.0.0.x.
// Limits   one connection is one open file: about 19 900 in one process here.
// Errors   open() fails with the first connection that did not become a stream; later ends only count (Counts::closed).
// Thread   value
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "load/broadcasts.h"
#include "load/response_reader.h"
#include "load/socket.h"
#include "load/sse_scanner.h"

namespace millstream::load {

inline constexpr uint64_t kViewerTagsEnd = uint64_t{1} << 32;

class ViewerFleet {
 public:
  struct Counts {
    int64_t receives = 0;       // recv() calls that gave bytes
    int64_t bytes = 0;          // on the wire, framing included
    int64_t declared_gaps = 0;  // system events of kind gap
    int64_t other_blocks = 0;   // hello, heartbeats, whatever is not telemetry
    int64_t closed = 0;
  };

  // `request` is the whole GET. `broadcasts` may be replaced later, see watch().
  // `opening_max` connections are under way at once while it opens.
  ViewerFleet(Poller& poller, Endpoint to, std::string request, size_t opening_max);

  // Opens until `count` viewers live; call again with more to grow.
  Status open(size_t count);
  // From here on telemetry is checked against `broadcasts`, which must outlive the fleet's reading.
  void watch(Broadcasts& broadcasts);

  // Call with what the poller said of a tag below kViewerTagsEnd.
  void on_ready(uint64_t tag, uint32_t events);

  const Counts& counts() const { return counts_; }
  size_t live() const { return live_; }

 private:
  struct Viewer {
    Socket socket;
    ResponseReader reader;
    SseScanner scanner;
    ViewerPosition position;
    enum class State : uint8_t { connecting, waiting, live, closed } state = State::connecting;
  };

  Status start_one();
  void finish_connect(Viewer& viewer, uint64_t tag);
  void read(Viewer& viewer);
  void take_block(Viewer& viewer, const SseBlock& block, int64_t at_ns);
  void close(Viewer& viewer, std::string why);

  Poller& poller_;
  const Endpoint to_;
  const std::string request_;
  const size_t opening_max_;
  std::vector<Viewer> viewers_;
  std::vector<char> buffer_;
  Broadcasts* broadcasts_ = nullptr;
  size_t live_ = 0;
  Counts counts_;
  std::string first_failure_;
};

}  // namespace millstream::load
