// base/byte_sink.h: where ready-made bytes go. The hub pushes into one without knowing the transport behind it.
//
// Flow     hub::Session writes; http/streaming_body implements; on_writable/on_closed come back on the same loop.
// Errors   none returned; a dead peer shows as on_closed().
// Thread   loop
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace millstream {

class ByteSinkOwner {
 public:
  virtual void on_writable() = 0;  // room again after a short write
  virtual void on_closed() = 0;    // the peer is gone; no call on the sink after this but its destructor

 protected:
  ~ByteSinkOwner() = default;
};

class ByteSink {
 public:
  virtual ~ByteSink() = default;  // closes at once if close() was not called

  virtual void set_owner(ByteSinkOwner* owner) = 0;

  // Hands over as many bytes as the peer takes now, in order, and says how many. Fewer than offered means: keep the
  // rest and wait for on_writable(). Never calls back from inside.
  virtual size_t write(std::span<const iovec> pieces) = 0;
  // Whether all that was taken is out of the sink's own hands, so that an end can follow it. When not, on_writable()
  // comes.
  virtual bool flushed() const { return true; }
  // How the stream ends: `finished` says so to the peer (HTTP/1.1: the final chunk); otherwise the connection is cut,
  // which is what makes some clients come back. No callbacks after this.
  virtual void close(bool finished) = 0;
};

}  // namespace millstream
