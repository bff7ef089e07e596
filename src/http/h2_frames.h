// http/h2_frames.h: what clients of HTTP/2 send, right and wrong, each with what the server must do about it.
//
// Shapes   sent after the preface and SETTINGS, and followed by a PING. `outcome`: "status 200 @1" an answer,
//          "rst 1 @1" that stream reset with that code, "goaway 1" the connection ended with that code.
// Source   RFC 9113 5.1, 6, 8; codes in section 7
#pragma once

#include "http/h2_test_client.h"

namespace millstream::http {

struct H2Case {
  std::string name;
  std::string bytes;
  std::string outcome;
};

inline std::vector<H2Case> h2_cases() {
  std::vector<H2Case> cases;
  const auto add = [&](std::string name, std::string bytes, std::string outcome) {
    cases.push_back({std::move(name), std::move(bytes), std::move(outcome)});
  };
  const std::string get = h2_headers(1, h2_get("/hello"));
  const std::string block = h2_block(h2_get("/hello"));
  const std::string open = h2_headers(1, h2_get("/length", {}, "POST"), true);
  const auto request = [](H2Fields fields) { return h2_headers(1, fields); };
  const auto with = [](H2Fields more) { return h2_headers(1, h2_get("/hello", std::move(more))); };
  const auto path = [](std::string p) { return h2_headers(1, h2_get(std::move(p))); };
  const auto post = [](H2Fields more, std::string_view body) {
    return h2_headers(1, h2_get("/length", std::move(more), "POST"), true) + h2_frame(0, 1, 1, body);
  };

  // Right ones.
  add("a request", get, "status 200 @1");
  add("two requests", get + h2_headers(3, h2_get("/hello")), "status 200 @1, status 200 @3");
  add("a body", post({}, "abc"), "status 200 @1");
  add("an announced body", post({{"content-length", "3"}}, "abc"), "status 200 @1");
  add("a padded body",
      open + h2_frame(0, 9, 1,
                      std::string("\x02"
                                  "abc\0\0",
                                  6)),
      "status 200 @1");
  add("an empty body", open + h2_frame(0, 1, 1, ""), "status 200 @1");
  add("trailers", open + h2_frame(0, 0, 1, "abc") + h2_headers(1, {{"x", "y"}}), "status 200 @1");
  add("a head in two frames", h2_frame(1, 1, 1, block.substr(0, 20)) + h2_frame(9, 4, 1, block.substr(20)),
      "status 200 @1");
  add("a padded head", h2_frame(1, 13, 1, std::string("\x01") + block + std::string(1, '\0')), "status 200 @1");
  add("a head with priority", h2_frame(1, 37, 1, std::string(4, '\0') + "\x10" + block), "status 200 @1");
  add("PRIORITY", h2_frame(2, 0, 3, std::string(4, '\0') + "\x10") + get, "status 200 @1");
  add("PING", h2_ping("12345678") + get, "status 200 @1");
  add("an unasked PING answer", h2_ping("12345678", 1) + get, "status 200 @1");
  add("an unknown frame", h2_frame(0xbe, 0, 0, "whatever") + get, "status 200 @1");
  add("an unknown setting", h2_settings({{0x99, 7}}) + get, "status 200 @1");
  add("unknown flags", h2_frame(1, 0x85, 1, block), "status 200 @1");
  add("PRIORITY_UPDATE", h2_frame(16, 0, 0, std::string(4, '\0') + "u=1") + get, "status 200 @1");
  add("a reserved bit", h2_frame(1, 5, 0x80000001u, block), "status 200 @1");
  add("cookies in crumbs", with({{"cookie", "a=1"}, {"cookie", "b=2"}}), "status 200 @1");
  add("te: trailers", with({{"te", "trailers"}}), "status 200 @1");
  add("HEAD", request(h2_get("/hello", {}, "HEAD")), "status 200 @1");
  add("OPTIONS", request(h2_get("/hello", {}, "OPTIONS")), "status 204 @1");
  add("OPTIONS *", request(h2_get("*", {}, "OPTIONS")), "status 204 @1");
  add("the same host twice", with({{"host", "h"}}), "status 200 @1");
  add("a stream id far on", h2_headers(0x7fffffff, h2_get("/hello")), "status 200 @2147483647");
  add("100-continue", post({{"expect", "100-continue"}}, "abc"), "status 100 @1, status 200 @1");

  // Requests that are clear and refused.
  add("nothing there", path("/none"), "status 404 @1");
  add("another method", request(h2_get("/hello", {}, "DELETE")), "status 405 @1");
  add("a long method", request(h2_get("/hello", {}, std::string(40, 'A'))), "status 501 @1");
  add("a path with dots", path("/a/../b"), "status 400 @1");
  add("an encoded slash", path("/%2fhello"), "status 400 @1");
  add("a double slash", path("//hello"), "status 400 @1");
  add("a bad escape", path("/%zz"), "status 400 @1");
  add("a bad escape in the query", path("/hello?a=%z"), "status 400 @1");
  add("a fragment", path("/hello#x"), "status 400 @1");
  add("a NUL in the path", path("/hello%00"), "status 400 @1");
  add("another authority than host", with({{"host", "other"}}), "status 400 @1");
  add("two hosts", with({{"host", "h"}, {"host", "h"}}), "rst 1 @1");
  add("a host that is none",
      request({{":method", "GET"}, {":scheme", "http"}, {":path", "/hello"}, {":authority", "a b"}}), "rst 1 @1");
  add("no authority and no host", request({{":method", "GET"}, {":scheme", "http"}, {":path", "/hello"}}), "rst 1 @1");
  add("an unknown expectation", with({{"expect", "cake"}}), "status 417 @1");
  add("a body where none is wanted", h2_headers(1, h2_get("/hello"), true) + h2_frame(0, 1, 1, "abc"), "status 413 @1");
  add("an announced body too long", h2_headers(1, h2_get("/length", {{"content-length", "99999999"}}, "POST"), true),
      "status 413 @1");
  add("a target too long", path("/" + std::string(9000, 'a')), "status 414 @1");
  add("a field too long", with({{"x", std::string(9000, 'a')}, {"y", std::string(7200, 'a')}}), "status 431 @1");
  H2Fields many;
  for (int i = 0; i < 70; ++i) many.emplace_back("x" + std::to_string(i), "y");
  add("too many fields", with(many), "status 431 @1");
  add("CONNECT", request({{":method", "CONNECT"}, {":authority", "h:1"}}), "status 501 @1");

  // Requests that are not clear: the stream ends.
  add("no :method", request({{":scheme", "http"}, {":path", "/hello"}, {":authority", "h"}}), "rst 1 @1");
  add("no :path", request({{":method", "GET"}, {":scheme", "http"}, {":authority", "h"}}), "rst 1 @1");
  add("no :scheme", request({{":method", "GET"}, {":path", "/hello"}, {":authority", "h"}}), "rst 1 @1");
  add("an empty :path", path(""), "rst 1 @1");
  add(":path twice",
      request({{":method", "GET"}, {":path", "/a"}, {":path", "/b"}, {":scheme", "http"}, {":authority", "h"}}),
      "rst 1 @1");
  add("a pseudo field after others",
      request({{":method", "GET"}, {"x", "y"}, {":scheme", "http"}, {":path", "/hello"}, {":authority", "h"}}),
      "rst 1 @1");
  add("an unknown pseudo field", with({{":x", "y"}}), "rst 1 @1");
  add(":status in a request",
      request({{":status", "200"}, {":method", "GET"}, {":scheme", "http"}, {":path", "/hello"}}), "rst 1 @1");
  add("an upper case name", with({{"X-Y", "z"}}), "rst 1 @1");
  add("connection", with({{"connection", "close"}}), "rst 1 @1");
  add("transfer-encoding", with({{"transfer-encoding", "chunked"}}), "rst 1 @1");
  add("keep-alive", with({{"keep-alive", "1"}}), "rst 1 @1");
  add("proxy-connection", with({{"proxy-connection", "x"}}), "rst 1 @1");
  add("upgrade", with({{"upgrade", "h2c"}}), "rst 1 @1");
  add("te: gzip", with({{"te", "gzip"}}), "rst 1 @1");
  add("a line break in a value", with({{"x", "a\r\nb: c"}}), "rst 1 @1");
  add("a NUL in a value", with({{"x", std::string("a\0b", 3)}}), "rst 1 @1");
  add("a space in a name", with({{"x y", "z"}}), "rst 1 @1");
  add("an empty name", with({{"", "z"}}), "rst 1 @1");
  add("content-length that is no number", post({{"content-length", "x"}}, "abc"), "rst 1 @1");
  add("content-length twice", post({{"content-length", "3"}, {"content-length", "3"}}, "abc"), "rst 1 @1");
  add("content-length too small", post({{"content-length", "2"}}, "abc"), "rst 1 @1");
  add("content-length too large", post({{"content-length", "4"}}, "abc"), "rst 1 @1");
  add("content-length and no body", with({{"content-length", "4"}}), "rst 1 @1");
  add("a pseudo field in trailers", open + h2_headers(1, {{":path", "/x"}}), "rst 1 @1");
  add("trailers that do not end", open + h2_frame(1, 4, 1, h2_block({{"x", "y"}})), "rst 1 @1");
  add("window of a stream beyond 2^31", open + h2_window(1, 0x7fffffff), "rst 3 @1");

  // Frames that break the connection.
  add("DATA on stream 0", h2_frame(0, 0, 0, "abc"), "goaway 1");
  add("DATA on an idle stream", h2_frame(0, 0, 5, "abc"), "goaway 1");
  add("DATA after the end", get + h2_frame(0, 0, 1, "abc"), "goaway 5");
  add("HEADERS on stream 0", h2_frame(1, 5, 0, block), "goaway 1");
  add("HEADERS on an even stream", h2_frame(1, 5, 2, block), "goaway 1");
  // Taken for a late frame of a closed stream, and dropped.
  add("HEADERS on an older stream", h2_headers(5, h2_get("/hello")) + h2_headers(3, h2_get("/hello")), "status 200 @5");
  add("padding longer than the frame", h2_frame(1, 13, 1, "\x7f" + block), "goaway 1");
  add("padding longer than the data",
      open + h2_frame(0, 9, 1,
                      "\x7f"
                      "abc"),
      "goaway 1");
  add("a head cut by DATA", h2_frame(1, 1, 1, block.substr(0, 20)) + h2_frame(0, 0, 1, "abc"), "goaway 1");
  add("a head cut by PING", h2_frame(1, 1, 1, block.substr(0, 20)) + h2_ping("12345678"), "goaway 1");
  add("a head cut by another", h2_frame(1, 1, 1, block.substr(0, 20)) + h2_frame(1, 5, 3, block), "goaway 1");
  add("CONTINUATION without a head", h2_frame(9, 4, 1, block), "goaway 1");
  add("CONTINUATION of another stream", h2_frame(1, 1, 1, block.substr(0, 20)) + h2_frame(9, 4, 3, block.substr(20)),
      "goaway 1");
  add("a head that cannot be unpacked", h2_frame(1, 5, 1, "\xff\xff\xff\xff\xff\xff"), "goaway 9");
  add("an index that is not there", h2_frame(1, 5, 1, "\xbe"), "goaway 9");
  add("a head that ends within a field", h2_frame(1, 5, 1, block.substr(0, block.size() - 1)), "goaway 9");
  add("a table larger than agreed", h2_frame(1, 5, 1, "\x3f\xff\xff\x7f" + block), "goaway 9");
  add("SETTINGS on a stream", h2_frame(4, 0, 1, ""), "goaway 1");
  add("SETTINGS of a wrong length", h2_frame(4, 0, 0, "abc"), "goaway 6");
  add("a SETTINGS answer with content", h2_frame(4, 1, 0, "abcdef"), "goaway 6");
  add("ENABLE_PUSH 2", h2_settings({{2, 2}}), "goaway 1");
  add("a window beyond 2^31", h2_settings({{4, 0x80000000u}}), "goaway 3");
  add("a frame size below the least", h2_settings({{5, 100}}), "goaway 1");
  add("a frame size beyond the most", h2_settings({{5, 0x1000000}}), "goaway 1");
  add("PING of a wrong length", h2_frame(6, 0, 0, "abc"), "goaway 6");
  add("PING on a stream", h2_frame(6, 0, 1, "12345678"), "goaway 1");
  add("RST_STREAM on stream 0", h2_reset(0), "goaway 1");
  add("RST_STREAM of an idle stream", h2_reset(7), "goaway 1");
  add("RST_STREAM of a wrong length", open + h2_frame(3, 0, 1, "abc"), "goaway 6");
  add("PRIORITY on stream 0", h2_frame(2, 0, 0, "12345"), "goaway 1");
  add("PRIORITY of a wrong length", h2_frame(2, 0, 1, "123"), "goaway 6");
  add("PUSH_PROMISE from a client", open + h2_frame(5, 4, 1, big_endian(2, 4) + block), "goaway 1");
  add("WINDOW_UPDATE of nothing", h2_window(0, 0), "goaway 1");
  add("WINDOW_UPDATE of nothing on a stream", open + h2_window(1, 0), "goaway 1");
  add("WINDOW_UPDATE of an idle stream", h2_window(9, 1), "goaway 1");
  add("WINDOW_UPDATE of a wrong length", h2_frame(8, 0, 0, "abc"), "goaway 6");
  add("the connection's window beyond 2^31", h2_window(0, 0x7fffffff), "goaway 3");
  add("GOAWAY on a stream", h2_frame(7, 0, 1, std::string(8, '\0')), "goaway 1");
  add("GOAWAY of a wrong length", h2_frame(7, 0, 0, "abc"), "goaway 6");
  add("a frame longer than agreed", h2_frame(0xbe, 0, 0, "", 70000), "goaway 6");
  add("HTTP/1.1 after the preface", "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "goaway 6");
  return cases;
}

}  // namespace millstream::http
