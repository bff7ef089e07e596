// http/response_head.h: the head of an answer as bytes.
//
// Thread   loop (DateText keeps the last second's text)
// Source   RFC 9110 5.5 (field values), 5.6.7 (dates), 6.6.1
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/message.h"

namespace millstream::http {

// "Sun, 06 Nov 1994 08:49:37 GMT", made once a second.
class DateText {
 public:
  std::string_view at(int64_t wall_ms);

 private:
  int64_t second_ = -1;
  std::string text_;
};

std::string_view reason_phrase(int status);

// Whether a field may be sent as it is said: its name is a token, and not one that the server makes itself.
bool is_sendable(const Header& header);

// How the end of the body is told. `none`: there is no body and no length (204, 304).
enum class BodyFraming { none, length, chunked, until_close };

// Appends the head, empty line included. Content-Length, Transfer-Encoding, Connection and Date are made here; the
// response's own fields of these names are left out. Control characters in values become spaces, so that no value can
// end a line; a field whose name is not a token is left out.
void append_head(const Response& response, BodyFraming framing, size_t body_bytes, bool close, std::string_view date,
                 std::string& out);

}  // namespace millstream::http
