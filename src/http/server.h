// http/server.h: an HTTP/1.1 and HTTP/2 server on one loop, in the clear or under TLS: connections, requests, streaming
// bodies.
//
// Flow     accept -> read and parse (Boost.Beast's parser) -> router -> handler -> Exchange::respond or start_stream.
//          A stream leaves the parser for good: its connection keeps only the socket and its owner.
// Limits   ServerLimits, all configurable downwards. Errors of syntax and size are answered here
//          (400, 405 with Allow, 408, 413, 414, 417, 431, 501, 505, and 503 when the bodies held use up the BodyBudget)
//          in a shape that ServerHooks chooses, then closed.
// Thread   loop, except where said. One Server per loop; the router and hooks are shared and const.
// Source   RFC 9110, RFC 9112, RFC 9113
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_sink.h"
#include "http/body_budget.h"
#include "http/limits.h"
#include "http/message.h"
#include "metrics/registry.h"
#include "net/loop.h"
#include "net/tls.h"

namespace millstream::http {

// One request waiting for its answer. Handlers may keep it and answer later, on the same loop. The last reference may
// be dropped on any thread, but not after the loop is destroyed; dropped without an answer, the client gets a 500.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual const Request& request() const = 0;
  virtual Request& request() = 0;  // so that a handler may take the body
  virtual net::Loop& loop() = 0;
  virtual bool open() const = 0;  // false once the client has gone; answering is then a no-op

  // Exactly one of these, once. Content-Length, Date and Connection are added here; HEAD sends no body.
  virtual void respond(Response response) = 0;
  // Sends the head at once with chunked transfer coding and hands over the body. nullptr when the client is gone.
  // The sink takes bytes that are already chunks (codec::FrameExtent); close(true) sends the final chunk.
  virtual std::unique_ptr<ByteSink> start_stream(Response head) = 0;
};
using ExchangePtr = std::shared_ptr<Exchange>;
using Handler = std::function<void(ExchangePtr)>;
// Looks at a request whose body was not read yet. A response refuses it; nothing lets the body be read and the handler
// be called.
using Admit = std::function<std::optional<Response>(const Request&)>;

class Router {
 public:
  // `path` may hold "{}" segments, each taking one non-empty segment. body_bytes_max 0: a body is refused (413).
  // `admit`: asked before a byte of the body is kept, so that a stranger cannot make the server hold one.
  void add(std::string method, std::string path, size_t body_bytes_max, Handler handler, Admit admit = nullptr);
  // In place of the handlers and admissions of the routes added so far, what these make of them.
  void wrap(const std::function<Handler(Handler)>& handlers, const std::function<Admit(Admit)>& admissions);
  // Called for GET and HEAD that no route takes (the page). Not found otherwise.
  void set_fallback(Handler handler);

  struct Match {
    const Handler* handler = nullptr;
    const Admit* admit = nullptr;  // null: everyone may send a body
    size_t body_bytes_max = 0;
    std::vector<std::string> captures;
    std::string allow;  // when the path is known but not the method: "GET, HEAD, OPTIONS"
  };
  Match find(std::string_view method, std::string_view path) const;

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    size_t body_bytes_max;
    Handler handler;
    Admit admit;
  };
  std::vector<Route> routes_;
  Handler fallback_;
};

struct ServerHooks {
  // Makes the body of an error answered by the server itself, in the shape that suits the path (empty: not known).
  // Shared by all servers; must be const-callable.
  std::function<Response(std::string_view path, int status, std::string_view detail)> error;
  // Called before every answer with the request, for CORS and security headers.
  std::function<void(const Request&, Response&)> decorate;
};

class Server {
 public:
  // `bodies`: shared by the servers of a process; without one the server has its own.
  Server(net::Loop& loop, const Router& router, ServerLimits limits, ServerHooks hooks, metrics::Registry& metrics,
         std::shared_ptr<BodyBudget> bodies = nullptr);
  ~Server();

  // Takes a listening socket (non-blocking); ownership passes. `tls` null: in the clear.
  void listen(int fd, std::shared_ptr<const net::TlsContext> tls = nullptr);
  void stop_listening();  // and tells clients of HTTP/2 to open no more streams
  // Call at the end of each of the loop's turns, after everything else that writes: HTTP/2 gathers until then.
  void turn_end();
  // Closes idle connections, lets running requests end; streams are the hub's to end.
  void drain();
  size_t connections() const;  // any thread

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millstream::http
