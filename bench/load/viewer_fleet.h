// load/viewer_fleet.h: many viewers of one event stream, read as fast as they can be: over HTTP/1.1, a connection each,
// or over HTTP/2, many on one; in the clear or under TLS; compressed or not.
//
// Flow     open() connects them in waves and waits until each has its head and its first block (the server's hello);
//          after that every ready socket is read once per turn and its telemetry goes to Broadcasts.
// Shapes   a connection's poller tag is its index (below kViewerTagsEnd); source addresses are spread over 127.0.0.x.
// Limits   one connection is one open file: about 19 900 in one process here.
// Errors   open() fails with the first viewer that did not get a stream; later ends only count (Counts::closed).
// Thread   value
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "load/audiences.h"
#include "load/broadcasts.h"
#include "load/h2_streams.h"
#include "load/inflater.h"
#include "load/response_reader.h"
#include "load/socket.h"
#include "load/sse_scanner.h"

namespace millstream::load {

// What every viewer asks, and how.
struct StreamRequest {
  Endpoint to;
  std::string path;  // one that ends in "topics=" is completed with what the viewer watches
  Audiences audiences = {};
  std::string extra_headers;  // each line ending in CR LF
  bool gzip = false;
  uint32_t h2_streams = 0;   // viewers on one HTTP/2 connection; 0: HTTP/1.1
  size_t opening_max = 256;  // connections under way at once while it opens
};
// The whole GET, as HTTP/1.1 has it.
std::string http1_request(const StreamRequest& request, uint32_t viewer);

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

  // `broadcasts` may be replaced later, see watch().
  ViewerFleet(Poller& poller, StreamRequest request);

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
    std::unique_ptr<Inflater> inflater;  // null: not compressed
    SseScanner scanner;
    ViewerPosition position;
    enum class State : uint8_t { waiting, live, closed } state = State::waiting;
  };
  struct Connection {
    Socket socket;
    ResponseReader reader;          // of HTTP/1.1
    std::unique_ptr<H2Streams> h2;  // null: HTTP/1.1
    uint32_t first = 0;             // its viewers: first ... first + viewers - 1
    uint32_t viewers = 0;
    enum class State : uint8_t { connecting, shaking_hands, open, closed } state = State::connecting;
  };

  Status start_one(size_t viewers);
  void connected(Connection& connection, uint64_t tag);
  void shake_hands(Connection& connection);
  void ask(Connection& connection);
  void read(Connection& connection);
  void read_http1(Connection& connection, std::string_view bytes);
  void make_h2(Connection& connection);
  void send(Connection& connection, const std::string& bytes);
  void take_body(Viewer& viewer, std::string_view bytes);
  void take_block(Viewer& viewer, const SseBlock& block);
  void close(Connection& connection, const std::string& why);
  void close(Viewer& viewer, const std::string& why);

  Poller& poller_;
  const StreamRequest request_;
  std::vector<Connection> connections_;
  std::vector<Viewer> viewers_;
  int64_t read_at_ns_ = 0;  // when the bytes now read came
  std::vector<char> buffer_;
  Broadcasts* broadcasts_ = nullptr;
  size_t live_ = 0;
  Counts counts_;
  std::string first_failure_;
};

}  // namespace millstream::load
