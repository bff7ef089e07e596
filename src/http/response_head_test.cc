#include "http/response_head.h"

#include <gtest/gtest.h>

namespace millstream::http {
namespace {

TEST(DateText, IsTheFixedLengthFormOfTheStandard) {
  DateText date;
  EXPECT_EQ(date.at(784'111'777'000), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(784'111'777'999), "Sun, 06 Nov 1994 08:49:37 GMT");
  EXPECT_EQ(date.at(1'709'210'096'000), "Thu, 29 Feb 2024 12:34:56 GMT");
}

TEST(ResponseHead, AValueCannotEndItsLineAndABadNameIsLeftOut) {
  Response response;
  response.headers.add("X-A", "1\r\nSet-Cookie: x\n\0y");
  response.headers.add("X\r\nEvil", "1");
  response.headers.add("", "1");
  std::string out;
  append_head(response, BodyFraming::length, 0, false, "D", out);
  EXPECT_EQ(out, "HTTP/1.1 200 OK\r\nX-A: 1  Set-Cookie: x \r\nDate: D\r\nContent-Length: 0\r\n\r\n");
}

TEST(ResponseHead, FramingFieldsOfTheHandlerAreReplaced) {
  Response response;
  response.status = 404;
  response.headers.add("content-length", "7");
  response.headers.add("Transfer-Encoding", "gzip");
  response.headers.add("Connection", "upgrade");
  response.headers.add("date", "x");
  std::string out;
  append_head(response, BodyFraming::chunked, 0, true, "D", out);
  EXPECT_EQ(out, "HTTP/1.1 404 Not Found\r\nDate: D\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
}

}  // namespace
}  // namespace millstream::http
