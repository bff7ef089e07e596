#include "api/progress_stream.h"

#include <utility>

#include "api/event_stream.h"
#include "codec/sse_frame.h"

namespace millstream::api {

std::shared_ptr<ProgressStream> ProgressStream::open(http::Exchange& exchange) {
  net::Loop& loop = exchange.loop();
  std::unique_ptr<ByteSink> sink = exchange.start_stream(stream_head());
  if (!sink) return nullptr;
  std::shared_ptr<ProgressStream> stream(new ProgressStream(loop, std::move(sink)), [&loop](ProgressStream* last) {
    // A task that is never run is destroyed, and the stream with it.
    loop.post([owned = std::shared_ptr<ProgressStream>(last)] {});
  });
  stream->sink_->set_owner(stream.get());
  return stream;
}

void ProgressStream::say(std::string_view event, std::string_view json) {
  std::string block;
  codec::append_block({.retry_ms = {}, .id = {}, .event = event, .data = json}, block);
  loop_.post([self = shared_from_this(), block = std::move(block)]() mutable { self->take(std::move(block), false); });
}

void ProgressStream::finish(std::string_view event, std::string_view json) {
  std::string block;
  codec::append_block({.retry_ms = {}, .id = {}, .event = event, .data = json}, block);
  loop_.post([self = shared_from_this(), block = std::move(block)]() mutable { self->take(std::move(block), true); });
}

void ProgressStream::take(std::string block, bool last) {
  if (!sink_ || (!last && !waiting_.empty())) return;
  waiting_ += block;
  last_ = last;
  flush();
  if (!last || !sink_) return;
  self_ = shared_from_this();
  loop_.after(kStalledMs, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->end();
  });
}

void ProgressStream::flush() {
  if (!waiting_.empty()) {
    const iovec piece{waiting_.data(), waiting_.size()};
    waiting_.erase(0, sink_->write({&piece, 1}));
  }
  if (!waiting_.empty() || !last_ || !sink_->flushed()) return;
  sink_->close(true);
  end();
}

void ProgressStream::end() {
  gone_ = true;
  const auto self = std::move(self_);
  sink_.reset();
}

}  // namespace millstream::api
