// api/progress_stream.h: the answer to one long question as Server-Sent Events: how far it is, then what came of it.
//
// Flow     open() on the loop; say() and finish() from the thread that works; the socket on the loop.
// Shapes   event: progress, event: result, event: error; no ids: such an answer cannot be resumed.
// Limits   progress is left out while the socket has not taken what was said before. A client that does not take the
//          end for kStalledMs is cut off.
// Thread   any, except open(): loop
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "base/byte_sink.h"
#include "http/server.h"

namespace millstream::api {

class ProgressStream final : public ByteSinkOwner, public std::enable_shared_from_this<ProgressStream> {
 public:
  static constexpr int64_t kStalledMs = 30'000;

  // Null: the client has gone. Whoever lets go of it last, it ends on its loop.
  static std::shared_ptr<ProgressStream> open(http::Exchange& exchange);

  bool gone() const { return gone_; }
  // `json`: one line.
  void say(std::string_view event, std::string_view json);
  // The last word, after which nothing can be said.
  void finish(std::string_view event, std::string_view json);

  void on_writable() override { flush(); }
  void on_closed() override { end(); }

 private:
  ProgressStream(net::Loop& loop, std::unique_ptr<ByteSink> sink) : loop_(loop), sink_(std::move(sink)) {}

  void take(std::string block, bool last);
  void flush();
  void end();

  net::Loop& loop_;
  std::atomic<bool> gone_{false};

  // loop-confined
  std::unique_ptr<ByteSink> sink_;
  std::string waiting_;  // what the socket has not taken
  bool last_ = false;
  std::shared_ptr<ProgressStream> self_;  // until the socket has taken the end
};

}  // namespace millstream::api
