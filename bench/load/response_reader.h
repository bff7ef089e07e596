// load/response_reader.h: HTTP/1.1 responses read as they come, any way they are cut.
//
// Flow     feed() the bytes of one recv(); body bytes, freed of chunk framing, go to `body` as they stand in the
// buffer. Shapes   Content-Length or chunked bodies, or one that lasts until the close; 204 and 304 have none. Another
// response may follow on the connection. Errors   failed(): not HTTP/1.1, a wrong chunk size, a head above 16 KiB;
// nothing is read after that. Thread   value
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace millstream::load {

class ResponseReader {
 public:
  // Returns the bytes it took: all, or as far as the end of the response (then done()).
  template <class Body>
  size_t feed(std::string_view bytes, Body&& body);

  void next_response() { *this = ResponseReader(); }

  bool has_head() const { return status_ != 0; }
  int status() const { return status_; }
  const std::string& head() const { return head_; }
  // No other response follows on this connection.
  bool closes() const { return closes_; }
  bool done() const { return state_ == State::done; }
  bool failed() const { return state_ == State::failed; }

 private:
  enum class State : uint8_t { head, sized, chunk_size, chunk, chunk_end, trailer, done, failed };

  size_t take_head(std::string_view bytes);
  void read_head();
  size_t take_line(std::string_view bytes);  // into line_, without CR LF; complete when line_done_
  void read_chunk_size();

  std::string head_;
  std::string line_;
  uint64_t left_ = 0;  // bytes of the body or chunk still to come
  int status_ = 0;
  State state_ = State::head;
  bool line_done_ = false;
  bool closes_ = false;
};

template <class Body>
size_t ResponseReader::feed(std::string_view bytes, Body&& body) {
  size_t taken = 0;
  while (taken < bytes.size() && state_ != State::done && state_ != State::failed) {
    const std::string_view rest = bytes.substr(taken);
    switch (state_) {
      case State::head: taken += take_head(rest); break;
      case State::sized:
      case State::chunk: {
        const std::string_view part = rest.substr(0, left_);
        body(part);
        taken += part.size();
        left_ -= part.size();
        if (left_ == 0) state_ = state_ == State::sized ? State::done : State::chunk_end;
        break;
      }
      default:
        taken += take_line(rest);
        if (line_done_) read_chunk_size();
    }
  }
  return taken;
}

}  // namespace millstream::load
