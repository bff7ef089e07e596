// http/raw_requests.h: raw requests and what a strict server makes of each, for tests.
//
// Shapes   Each is sent with a sound request ("GET /canary") right behind it: what is refused must not let the canary
//          be answered, what is accepted must leave it where it begins.
// Source   RFC 9112, RFC 9110; the kinds of requests that intermediaries and servers are known to read differently
#pragma once

#include <string>
#include <vector>

namespace millstream::http {

struct RawRequest {
  const char* name;
  std::string raw;
  int status;
  bool closes;            // the connection ends after the answer
  std::string body = {};  // of the answer, where it matters ("/echo" gives back method, path and body)
};

inline std::string canary() { return "GET /canary HTTP/1.1\r\nHost: h\r\n\r\n"; }

inline std::vector<RawRequest> raw_requests() {
  using std::string;
  using namespace std::string_literals;
  const string get = "GET /echo HTTP/1.1\r\nHost: h\r\n";
  const string post = "POST /echo HTTP/1.1\r\nHost: h\r\n";
  const string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  const string end = "\r\n";
  std::vector<RawRequest> all;
  const auto ok = [&](const char* name, string raw, string body = {}) {
    all.push_back({name, std::move(raw), 200, false, std::move(body)});
  };
  const auto bad = [&](const char* name, string raw, int status = 400) {
    all.push_back({name, std::move(raw), status, true});
  };

  // Request line
  ok("plain", get + end, "GET /echo ");
  ok("one empty line before the request", "\r\n" + get + end);
  ok("query", "GET /echo?a=%20b&c HTTP/1.1\r\nHost: h\r\n\r\n");
  ok("escaped path", "GET /%65cho HTTP/1.1\r\nHost: h\r\n\r\n", "GET /echo ");
  ok("absolute target", "GET http://h/echo HTTP/1.1\r\nHost: h\r\n\r\n", "GET /echo ");
  ok("absolute target, other case and scheme", "GET HTTPS://H/echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("two empty lines before the request", "\r\n\r\n" + get + end);
  bad("a bare LF before the request", "\n" + get + end);
  bad("HTTP/0.9", "GET /echo\r\n\r\n");
  bad("no target", "GET HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("two spaces before the target", "GET  /echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("two spaces after the target", "GET /echo  HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("tab for space", "GET\t/echo\tHTTP/1.1\r\nHost: h\r\n\r\n");
  bad("space before the method", " GET /echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("space in the target", "GET /e cho HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("trailing space", "GET /echo HTTP/1.1 \r\nHost: h\r\n\r\n");
  bad("control in the method", "G\x01T /echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("separator in the method", "GE(T /echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("NUL in the target", "GET /ec\0ho HTTP/1.1\r\nHost: h\r\n\r\n"s);
  bad("byte beyond ASCII in the target", "GET /ech\xC3\xB6 HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("fragment", "GET /echo#a HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("dot segment", "GET /a/../echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("escaped dot segment", "GET /%2e%2e/echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("escaped slash", "GET /a%2fecho HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("double slash", "GET //echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("escaped NUL", "GET /echo%00 HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("escaped line break", "GET /echo%0d%0aX HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("bad escape in the path", "GET /echo%zz HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("bad escape in the query", "GET /echo?a=%zz HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("target without a slash", "GET echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("authority target", "CONNECT h:80 HTTP/1.1\r\nHost: h:80\r\n\r\n");
  bad("asterisk for GET", "GET * HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("lower case http", "GET /echo http/1.1\r\nHost: h\r\n\r\n");
  bad("version of one number", "GET /echo HTTP/1\r\nHost: h\r\n\r\n");
  bad("version with a space", "GET /echo HTTP/ 1.1\r\nHost: h\r\n\r\n");
  bad("version of three digits", "GET /echo HTTP/1.10\r\nHost: h\r\n\r\n");
  bad("HTTP/1.2", "GET /echo HTTP/1.2\r\nHost: h\r\n\r\n", 505);
  bad("HTTP/2.0", "GET /echo HTTP/2.0\r\nHost: h\r\n\r\n", 505);
  bad("almost the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n", 505);
  bad("HTTP/9.9", "GET /echo HTTP/9.9\r\nHost: h\r\n\r\n", 505);
  bad("a very long method", string(17, 'M') + " /echo HTTP/1.1\r\nHost: h\r\n\r\n", 501);
  bad("target too long", "GET /" + string(600, 'a') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414);
  bad("target too long, without an end", "GET /" + string(600, 'a'), 414);
  bad("TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\n"s);

  // Host
  ok("host with a port", "GET /echo HTTP/1.1\r\nHost: h.example:8080\r\n\r\n");
  ok("IPv6 host", "GET /echo HTTP/1.1\r\nHost: [::1]:80\r\n\r\n");
  bad("no host", "GET /echo HTTP/1.1\r\n\r\n");
  bad("two hosts", get + "Host: h\r\n\r\n");
  bad("two different hosts", get + "host: i\r\n\r\n");
  bad("empty host", "GET /echo HTTP/1.1\r\nHost:\r\n\r\n");
  bad("host with a path", "GET /echo HTTP/1.1\r\nHost: h/x\r\n\r\n");
  bad("host with a user", "GET /echo HTTP/1.1\r\nHost: u@h\r\n\r\n");
  bad("list of hosts", "GET /echo HTTP/1.1\r\nHost: h, i\r\n\r\n");
  bad("host with a bad port", "GET /echo HTTP/1.1\r\nHost: h:x\r\n\r\n");
  bad("absolute target of another host", "GET http://i/echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("absolute target of another port", "GET http://h:81/echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("absolute target with a user", "GET http://u@h/echo HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("absolute target without a host", "GET http:///echo HTTP/1.1\r\nHost: h\r\n\r\n");

  // Header fields
  ok("field without a value", get + "X:\r\n\r\n");
  ok("spaces and tabs around a value", get + "X: \t a b \t \r\n\r\n");
  ok("bytes beyond ASCII in a value", get + "X: \xC3\xB6\r\n\r\n");
  ok("every token character", get + "!#$%&'*+-.^_`|~09azAZ: x\r\n\r\n");
  bad("space before the colon", get + "X : 1\r\n\r\n");
  bad("tab before the colon", get + "X\t: 1\r\n\r\n");
  bad("space before the colon of Content-Length", post + "Content-Length : 5\r\n\r\nhello");
  bad("no colon", get + "X\r\n\r\n");
  bad("no name", get + ": x\r\n\r\n");
  bad("space in a name", get + "X Y: 1\r\n\r\n");
  bad("byte beyond ASCII in a name", get + "X\xC3\xB6: 1\r\n\r\n");
  bad("NUL in a value", get + "X: a\0b\r\n\r\n"s);
  bad("NUL in a name", get + "X\0: b\r\n\r\n"s);
  bad("control in a value", get + "X: a\x01\r\n\r\n");
  bad("DEL in a value", get + "X: a\x7f\r\n\r\n");
  bad("folded line", get + "X: a\r\n b\r\n\r\n");
  bad("folded line with a tab", get + "X: a\r\n\tb\r\n\r\n");
  bad("folded Content-Length", post + "Content-Length:\r\n 5\r\n\r\nhello");
  bad("space before the first field", "GET /echo HTTP/1.1\r\n Host: h\r\n\r\n");
  bad("bare LF after the request line", "GET /echo HTTP/1.1\nHost: h\r\n\r\n");
  bad("bare LF after a field", get + "X: a\nY: b\r\n\r\n");
  bad("bare LF for the empty line", get + "\n");
  bad("bare LF throughout", "GET /echo HTTP/1.1\nHost: h\n\n");
  bad("bare CR in a value", get + "X: a\rY: b\r\n\r\n");
  bad("CR CR LF", get + "X: a\r\r\n\r\n");
  bad("bare CR in the request line", "GET /echo\rx HTTP/1.1\r\nHost: h\r\n\r\n");
  bad("head too long", get + "X: " + string(3000, 'a') + "\r\n\r\n", 431);
  bad("head too long, without an end", get + "X: " + string(3000, 'a'), 431);
  string many = get;
  for (int i = 0; i < 20; ++i) many += "X: 1\r\n";
  bad("too many fields", many + "\r\n", 431);

  // Content-Length
  ok("a body", post + "Content-Length: 5\r\n\r\nhello", "POST /echo hello");
  ok("an empty body", post + "Content-Length: 0\r\n\r\n", "POST /echo ");
  ok("no length, no body", post + end, "POST /echo ");
  ok("leading zeros", post + "Content-Length: 0005\r\n\r\nhello", "POST /echo hello");
  bad("two equal lengths", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello");
  bad("two different lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello");
  bad("list of lengths", post + "Content-Length: 5, 5\r\n\r\nhello");
  bad("list of different lengths", post + "Content-Length: 5,6\r\n\r\nhello");
  bad("length with a plus", post + "Content-Length: +5\r\n\r\nhello");
  bad("length with a minus", post + "Content-Length: -5\r\n\r\nhello");
  bad("hexadecimal length", post + "Content-Length: 0x5\r\n\r\nhello");
  bad("length with a fraction", post + "Content-Length: 5.0\r\n\r\nhello");
  bad("length with an inner space", post + "Content-Length: 5 5\r\n\r\nhello");
  bad("empty length", post + "Content-Length: \r\n\r\n");
  bad("length in words", post + "Content-Length: five\r\n\r\nhello");
  bad("length beyond 64 bits", post + "Content-Length: 18446744073709551621\r\n\r\nhello");
  bad("length with an underscore", post + "Content_Length: 5\r\n\r\nhello");
  bad("length above the route's limit", post + "Content-Length: 101\r\n\r\n" + string(101, 'a'), 413);
  bad("enormous length", post + "Content-Length: 9999999999999999999\r\n\r\n", 413);
  bad("body where none is taken", get + "Content-Length: 1\r\n\r\nx", 413);

  // Transfer-Encoding
  ok("chunks", chunked + "5\r\nhello\r\n3\r\nabc\r\n0\r\n\r\n", "POST /echo helloabc");
  ok("no chunk but the last", chunked + "0\r\n\r\n", "POST /echo ");
  ok("chunk sizes with leading zeros and capitals", chunked + "00A\r\n0123456789\r\n000\r\n\r\n",
     "POST /echo 0123456789");
  ok("chunk extension", chunked + "5;a=b;c=\"d\"\r\nhello\r\n0;x\r\n\r\n", "POST /echo hello");
  ok("trailers are dropped", chunked + "5\r\nhello\r\n0\r\nX-Trailer: 1\r\n\r\n", "POST /echo hello");
  ok("coding in capitals", post + "transfer-encoding: CHUNKED\r\n\r\n0\r\n\r\n");
  bad("both lengths", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  bad("both lengths, the other way", post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n");
  bad("chunked twice", post + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n");
  bad("chunked in two fields", post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  bad("two codings in two fields", post + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  bad("chunked not last", post + "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n");
  bad("empty coding", post + "Transfer-Encoding:\r\n\r\n");
  bad("coding with a comma behind", post + "Transfer-Encoding: chunked,\r\n\r\n0\r\n\r\n");
  bad("coding with a comma before", post + "Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n");
  bad("gzip before chunked", post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501);
  bad("gzip alone", post + "Transfer-Encoding: gzip\r\n\r\n", 501);
  bad("identity", post + "Transfer-Encoding: identity\r\n\r\n", 501);
  bad("almost chunked", post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", 501);
  bad("chunked in quotes", post + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n", 501);
  bad("chunked with a control", post +
                                    "Transfer-Encoding: \x0b"
                                    "chunked\r\n\r\n0\r\n\r\n");
  bad("coding with an underscore", post + "Transfer_Encoding: chunked\r\n\r\n0\r\n\r\n");
  bad("coding in HTTP/1.0", "POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
  bad("chunked where no body is taken", get + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", 413);

  // Chunks
  bad("chunk size with 0x", chunked + "0x5\r\nhello\r\n0\r\n\r\n");
  bad("chunk size with a plus", chunked + "+5\r\nhello\r\n0\r\n\r\n");
  bad("chunk size with a minus", chunked + "-5\r\nhello\r\n0\r\n\r\n");
  bad("chunk size with a space before", chunked + " 5\r\nhello\r\n0\r\n\r\n");
  bad("chunk size with a space behind", chunked + "5 \r\nhello\r\n0\r\n\r\n");
  bad("chunk size in words", chunked + "five\r\nhello\r\n0\r\n\r\n");
  bad("no chunk size", chunked + "\r\nhello\r\n0\r\n\r\n");
  bad("chunk size beyond 64 bits", chunked + "10000000000000005\r\nhello\r\n0\r\n\r\n");
  bad("bare LF after a chunk size", chunked + "5\nhello\r\n0\r\n\r\n");
  bad("bare LF after a chunk", chunked + "5\r\nhello\n0\r\n\r\n");
  bad("nothing after a chunk", chunked + "5\r\nhello0\r\n\r\n");
  bad("chunk longer than it says", chunked + "4\r\nhello\r\n0\r\n\r\n");
  bad("bare LF in a quoted extension", chunked + "5;a=\"b\nc\"\r\nhello\r\n0\r\n\r\n");
  bad("bare CR in an extension", chunked + "5;a\rb\r\nhello\r\n0\r\n\r\n");
  bad("long extension", chunked + "5;" + string(300, 'a') + "\r\nhello\r\n0\r\n\r\n");
  bad("bare LF after the last chunk", chunked + "0\n\r\n\r\n");
  bad("chunks above the route's limit", chunked + "32\r\n" + string(50, 'a') + "\r\n33\r\n" + string(51, 'a') + "\r\n",
      413);
  bad("one chunk above the route's limit", chunked + "FFFFFFFFFFFFFFFF\r\nhello", 413);
  bad("malformed trailer", chunked + "0\r\nX : 1\r\n\r\n");
  bad("Content-Length in a trailer", chunked + "0\r\nContent-Length: 5\r\n\r\n");
  bad("endless trailers", chunked + "0\r\nX: " + string(3000, 'a'), 431);

  // Methods, versions, expectations, connection
  all.push_back({"unknown path", "GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 404, false});
  all.push_back({"other method", "DELETE /echo HTTP/1.1\r\nHost: h\r\n\r\n", 405, false});
  all.push_back({"method in lower case", "get /echo HTTP/1.1\r\nHost: h\r\n\r\n", 405, false});
  all.push_back({"TRACE", "TRACE /echo HTTP/1.1\r\nHost: h\r\n\r\n", 405, false});
  all.push_back({"OPTIONS", "OPTIONS /echo HTTP/1.1\r\nHost: h\r\n\r\n", 204, false});
  all.push_back({"OPTIONS of the server", "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n", 204, false});
  all.push_back({"OPTIONS of an unknown path", "OPTIONS /nothing HTTP/1.1\r\nHost: h\r\n\r\n", 404, false});
  bad("other method with a body", "PUT /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 405);
  bad("unknown path with a body", "POST /nothing HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello", 404);
  all.push_back({"HTTP/1.0", "GET /echo HTTP/1.0\r\n\r\n", 200, true});
  all.push_back({"HTTP/1.0 asking to stay", "GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, true});
  all.push_back({"HTTP/1.0 with two hosts", "GET /echo HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n", 400, true});
  all.push_back({"asked to close", get + "Connection: close\r\n\r\n", 200, true});
  all.push_back({"asked to close in a list", get + "Connection: x, CLOSE\r\n\r\n", 200, true});
  bad("unknown expectation", post + "Content-Length: 5\r\nExpect: 200-ok\r\n\r\nhello", 417);
  bad("two expectations", post + "Content-Length: 5\r\nExpect: 100-continue\r\nExpect: 100-continue\r\n\r\nhello", 417);
  ok("expectation with the body already here", post + "Content-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
     "POST /echo hello");
  ok("upgrade is not taken up",
     get + "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n");
  return all;
}

}  // namespace millstream::http
