// load/h2_streams.h: the client's half of one HTTP/2 connection that asks for one path many times over.
//
// Flow     get() for each stream; take_output() after that and after every feed(): it has to be sent.
// Shapes   flow control windows are opened so far that they never hold a stream up.
// Errors   feed() fails when the server breaks the protocol.
// Thread   value
// Source   RFC 9113; nghttp2
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

struct nghttp2_session;

namespace millstream::load {

class H2Streams {
 public:
  struct Events {
    std::function<void(uint32_t viewer, int status)> on_head;
    std::function<void(uint32_t viewer, std::string_view bytes)> on_body;
    std::function<void(uint32_t viewer)> on_end;
  };
  using Fields = std::vector<std::pair<std::string, std::string>>;

  explicit H2Streams(Events events);

  void get(const Fields& fields, uint32_t viewer);
  Status feed(std::string_view bytes);
  std::string take_output();

 private:
  friend struct H2Callbacks;

  Events events_;
  std::unique_ptr<nghttp2_session, void (*)(nghttp2_session*)> session_;
};

}  // namespace millstream::load
