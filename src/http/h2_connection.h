// http/h2_connection.h: one client connection that speaks HTTP/2: many requests and streams at once.
//
// Flow     on_ready -> nghttp2 -> H2Stream: request, route, handler; answers and events wait in their streams until the
//          end of the loop's turn (ServerState::unflushed, Server::turn_end), then leave together.
// Limits   ServerLimits as for HTTP/1.1, a request at a time; http2_streams_max at once; budgets for frames that cost
//          the client nothing (kResetsMax, kControlFramesMax), beyond which it gets GOAWAY with ENHANCE_YOUR_CALM.
// Errors   A broken frame ends the connection, a broken request its stream, both as nghttp2 decides.
// Thread   loop
// Source   RFC 9113; CVE-2019-9511 to 9518, CVE-2023-44487
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/server_state.h"
#include "net/loop.h"
#include "net/transport.h"

namespace millstream::http {

class H2Stream;

inline constexpr std::string_view kH2Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

class H2Connection final : public net::Watcher, public std::enable_shared_from_this<H2Connection> {
 public:
  H2Connection(ServerState& state, net::Transport transport, std::string peer);
  ~H2Connection();

  // `bytes`: what has come already, the preface first. False: the loop has no room for it.
  bool start(std::string_view bytes);
  void on_ready(uint32_t events) override;
  void flush();       // at the end of a turn: what has gathered leaves
  void refuse_new();  // tells the client to open no more streams here
  void drain();       // and ends the connection with its last answer; streams are the hub's to end
  void close();       // at once; everyone waiting on a stream is told

  // For its streams.
  ServerState& state() { return state_; }
  nghttp2_session* session() { return session_; }
  const std::string& peer() const { return peer_; }
  // How many bytes of events the client would take now, beside those that wait already.
  size_t room(int32_t stream_id, size_t waiting) const;
  void payload_waits(ptrdiff_t bytes) { payload_waiting_ += bytes; }
  void touch();  // something was submitted: flush() at the end of the turn
  // Makes frames of what the streams have, for that flush(), as far as that may be now.
  void gather();
  void wait_for_room(int32_t stream_id) { waiting_for_room_.push_back(stream_id); }
  // Ends the stream unfinished once the client has had time to read: a reset makes many drop what they have not read.
  void reset_later(int32_t stream_id);

 private:
  struct Callbacks;

  void feed(std::string_view bytes);
  void settle();
  void offer_room();
  void count_frame(const nghttp2_frame_hd& head);
  void keep_calm();
  void set_interest(uint32_t events);
  bool send_waiting();
  void arm();
  void on_timer();
  void arm_resets();
  H2Stream* find(int32_t stream_id);

  ServerState& state_;
  net::Transport transport_;
  const std::string peer_;
  nghttp2_session* session_ = nullptr;
  std::unordered_map<int32_t, std::unique_ptr<H2Stream>> streams_;
  std::vector<std::unique_ptr<H2Stream>> ended_;  // their waiters are told outside of nghttp2
  std::vector<int32_t> waiting_for_room_;
  std::string out_;  // frames for the socket
  ptrdiff_t payload_waiting_ = 0;
  net::Loop::TimerId timer_ = 0;
  struct Reset {
    int64_t due_ms;
    int32_t stream_id;
  };
  std::vector<Reset> resets_due_;  // soonest first
  net::Loop::TimerId reset_timer_ = 0;
  int64_t active_ms_ = 0;    // the last time a frame came or a stream ended
  int64_t progress_ms_ = 0;  // the last time the socket took a byte
  int64_t budget_since_ms_ = 0;
  int resets_ = 0;          // since then
  int control_frames_ = 0;  // since then
  uint32_t interest_ = 0;
  bool unflushed_ = false;
  bool reading_ = false;      // nghttp2 is at work on what came, and must not be asked for frames
  bool broken_ = false;       // nghttp2 cannot go on
  bool socket_full_ = false;  // it has not taken all of out_
  bool closing_ = false;      // after what is queued, the end
  bool draining_ = false;
  bool closed_ = false;
};

}  // namespace millstream::http
