// http/h2_stream.h: one request of HTTP/2 and its answer, which may be a stream of events.
//
// Flow     fields and body from H2Connection -> handler -> respond() or start_stream(). nghttp2 asks read() for payload
//          when the flow control windows allow; a window the client does not open is a slow reader, of this stream
//          only.
// Thread   loop
#pragma once

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/byte_sink.h"
#include "http/body_budget.h"
#include "http/message.h"
#include "http/unchunk.h"
#include "http/waiting_exchange.h"

namespace millstream::http {

class H2Connection;
class H2Sink;

class H2Stream final : public Answerer {
 public:
  H2Stream(H2Connection& connection, int32_t id, int64_t now_ms);
  ~H2Stream();

  void add_field(std::string_view name, std::string_view value);
  void head_complete(bool body_follows);
  void take_body(std::string_view bytes);
  void body_complete();
  void ended();  // the stream is over: whoever waits on it is told
  // Payload for a DATA frame, as nghttp2's data source.
  ssize_t read(uint8_t* out, size_t max, uint32_t& flags);
  void room_came();
  // The request does not arrive, or the client does not read its answer.
  bool is_late(int64_t now_ms) const;
  void too_late();

  void respond(const Request& request, Response response) override;
  std::unique_ptr<ByteSink> start_stream(const Request& request, Response head) override;
  void abandoned(const Request& request) override;

  // For its sink.
  size_t write(std::span<const iovec> pieces, Unchunk& unchunk);
  void end(bool finished);
  void sink_gone() { sink_ = nullptr; }

 private:
  struct Incoming;
  struct Offer;
  enum class End : uint8_t { open, clean, reset };

  void refuse(int status, std::string_view detail);
  void send(const Request* request, Response response);
  void submit(const Response& response, const Request* request, bool payload);
  void take(std::span<iovec> payload, size_t bytes);
  void payload_leaves(size_t bytes);

  H2Connection& connection_;
  std::unique_ptr<Incoming> incoming_;       // until the handler has it
  std::weak_ptr<WaitingExchange> exchange_;  // while handling
  H2Sink* sink_ = nullptr;
  std::string out_;         // what waits for the client's window, or for nghttp2 to be free
  size_t sent_ = 0;         // of out_
  Offer* offer_ = nullptr;  // during write() only
  int64_t progress_ms_;
  const int32_t id_;
  End end_ = End::open;  // what follows out_
  bool answered_ = false;
  bool has_events_ = false;  // what it sends comes from a sink, within what the client takes
  bool deferred_ = false;    // read() had nothing to give
};

}  // namespace millstream::http
