// http/streaming_body.h: what is left of a connection once it has become a stream: a socket and its owner.
//
// Flow     made by Connection::start_stream, which is freed then with its parser and buffers. The hub writes; bytes go
//          to the socket at once or not at all. EPOLLOUT is asked for only after a short write.
// Shapes   about 80 bytes an idle stream on the heap, a pending head or an HTTP/1.0 client's framing aside.
// Errors   a dead or leaving peer shows as on_closed(), from the loop, never from inside write(). A client that shuts
//          down its sending half is leaving.
// Thread   loop
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/byte_sink.h"
#include "http/tally.h"
#include "http/unchunk.h"
#include "net/loop.h"
#include "net/transport.h"

namespace millstream::http {

class StreamingBody final : public ByteSink, public net::Watcher {
 public:
  // `head`: sent at once; what the socket does not take goes before everything else. `chunked` false: an HTTP/1.0
  // client, which gets the payload of the chunks and an end by closing.
  StreamingBody(std::shared_ptr<Tally> tally, net::Transport transport, std::string head, bool chunked);
  ~StreamingBody() override;

  void set_owner(ByteSinkOwner* owner) override;
  size_t write(std::span<const iovec> pieces) override;
  bool flushed() const override { return !head_ && !wants_room_; }
  void close(bool finished) override;

  void on_ready(uint32_t events) override;

 private:
  size_t send_pieces(std::span<const iovec> pieces);
  size_t send_payload(std::span<const iovec> pieces);
  bool send_head();
  void want_room(bool wanted);
  void give_up();
  void peer_gone();
  void shut();

  const std::shared_ptr<Tally> tally_;
  net::Transport transport_;
  bool dead_ = false;        // nothing more can be sent; on_closed() is on its way
  bool wants_room_ = false;  // a write was short: EPOLLOUT is being watched
  bool watched_ = false;
  ByteSinkOwner* owner_ = nullptr;
  std::unique_ptr<std::string> head_;  // what the socket has not taken of it
  std::unique_ptr<Unchunk> unchunk_;   // only for HTTP/1.0
};

}  // namespace millstream::http
