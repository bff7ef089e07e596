// Arbitrary bytes after the preface of HTTP/2, cut in two: requests, bodies, streams of events, resets. Nothing may be
// left behind when the connection ends.
#include <sys/epoll.h>
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "http/h2_connection.h"
#include "http/server_state.h"

namespace {

using namespace millstream;  // NOLINT(google-build-using-namespace)

// Follows a stream as the hub would: writes at once and whenever there is room.
struct Viewer final : ByteSinkOwner {
  std::unique_ptr<ByteSink> sink;
  void on_writable() override { write(); }
  void on_closed() override { sink.reset(); }
  void write() {
    static char chunk[] = "5\r\nhello\r\n";
    const iovec piece{chunk, sizeof(chunk) - 1};
    if (sink) sink->write({&piece, 1});
  }
};

struct Site {
  SystemClock clock;
  net::Loop loop{clock};
  metrics::Registry metrics;
  http::Router router;
  std::vector<std::unique_ptr<Viewer>> viewers;

  Site() {
    router.add("GET", "/", 0, [](const http::ExchangePtr& e) { e->respond(http::Response::text(200, "hello")); });
    router.add("POST", "/", 4096,
               [](const http::ExchangePtr& e) { e->respond(http::Response::text(200, std::move(e->request().body))); });
    router.add("GET", "/stream", 0, [this](const http::ExchangePtr& e) {
      auto viewer = std::make_unique<Viewer>();
      viewer->sink = e->start_stream({});
      if (!viewer->sink) return;
      viewer->sink->set_owner(viewer.get());
      viewer->write();
      viewers.push_back(std::move(viewer));
    });
  }
};

void flush(http::ServerState& state) {
  while (!state.unflushed.empty()) {
    const auto connections = std::move(state.unflushed);
    state.unflushed.clear();
    for (const auto& connection : connections) connection->flush();
  }
}

// A loop of its own each time: exchanges that are dropped go through its inbox.
void run(std::string_view bytes, size_t where, const std::shared_ptr<http::BodyBudget>& bodies) {
  Site site;
  http::ServerState state(site.loop, site.router, {.http2_streams_max = 10}, {}, site.metrics, bodies);
  int pair[2];
  MS_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
  const UniqueFd client(pair[1]);
  {
    auto connection =
        std::make_shared<http::H2Connection>(state, net::Transport(UniqueFd(pair[0])), std::string("fuzz"));
    state.h2_connections.emplace(connection.get(), connection);
    const size_t cut = where % bytes.size();
    MS_CHECK(connection->start(std::string(http::kH2Preface) + std::string(bytes.substr(0, cut))));
    flush(state);
    const std::string rest(bytes.substr(cut));
    if (::send(client.get(), rest.data(), rest.size(), MSG_NOSIGNAL) > 0) connection->on_ready(EPOLLIN);
    flush(state);
    connection->close();
  }
  state.unflushed.clear();
  MS_CHECK(state.h2_connections.empty());
  MS_CHECK(state.tally->connections == 0);
  for (const auto& viewer : site.viewers) MS_CHECK(!viewer->sink);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  const auto bodies = std::make_shared<http::BodyBudget>();
  run({reinterpret_cast<const char*>(data) + 1, size - 1}, data[0], bodies);
  MS_CHECK(bodies->held_bytes() == 0);
  return 0;
}
