#include "http/server.h"

#include <utility>

#include "http/connection.h"
#include "http/h2_connection.h"
#include "http/listener.h"
#include "http/server_state.h"
#include "net/socket.h"

namespace millstream::http {

namespace {

std::array<metrics::Counter*, 5> answer_counters(metrics::Registry& registry) {
  std::array<metrics::Counter*, 5> counters{};
  for (size_t i = 0; i < counters.size(); ++i) {
    counters[i] = &registry.counter("millstream_http_requests_total", "Requests answered, by class of status",
                                    "status=\"" + std::to_string(i + 1) + "xx\"");
  }
  return counters;
}

std::shared_ptr<Tally> make_tally(net::Loop& loop, metrics::Registry& registry) {
  return std::shared_ptr<Tally>(new Tally{
      loop, registry.gauge("millstream_http_connections", "Open client connections, streams included"),
      registry.gauge("millstream_http_streams", "Open streams"),
      registry.gauge("millstream_http2_connections", "Those of millstream_http_connections that speak HTTP/2")});
}

}  // namespace

ServerState::ServerState(net::Loop& l, const Router& r, ServerLimits lim, ServerHooks h, metrics::Registry& registry,
                         std::shared_ptr<BodyBudget> budget)
    : loop(l),
      router(r),
      limits(lim),
      hooks(std::move(h)),
      bodies(budget ? std::move(budget) : std::make_shared<BodyBudget>()),
      answers(answer_counters(registry)),
      accept_errors(registry.counter("millstream_http_accept_errors_total", "Connections that could not be accepted")),
      evicted(registry.counter("millstream_http_evicted_connections_total", "Idle connections closed for new ones")),
      tally(make_tally(l, registry)) {}

Response ServerState::error(std::string_view path, int status, std::string_view detail) const {
  if (hooks.error) return hooks.error(path, status, detail);
  Response response = Response::text(status, std::string(detail) + "\n");
  if (status == 503) response.headers.add("Retry-After", "2");
  return response;
}

void ServerState::count_answer(int status) {
  const size_t index = static_cast<size_t>(status / 100 - 1);
  if (index < answers.size()) answers[index]->add();
}

struct Server::Impl {
  ServerState state;
  std::vector<std::unique_ptr<Listener>> listeners;

  void accepted(net::Transport transport, std::string peer);
  bool make_room();
};

// Ends the connection that has been idle longest. A client expects that of a kept connection and opens another one;
// but not of one on which its next request has already come.
bool Server::Impl::make_room() {
  int looks_left = 16;
  for (Connection* const idle : state.idle) {
    if (looks_left-- == 0) break;
    if (idle->has_input()) continue;
    const std::shared_ptr<Connection> hold = idle->shared_from_this();
    hold->close();
    state.evicted.add();
    return true;
  }
  return false;
}

void Server::Impl::accepted(net::Transport transport, std::string peer) {
  // Without an answer: after a 503 an EventSource never comes back, after a lost connection it does.
  if (state.tally->connections.load(std::memory_order_relaxed) >= state.limits.connections_max && !make_room()) {
    state.accept_errors.add();
    return;
  }
  auto connection = std::make_shared<Connection>(state, std::move(transport), std::move(peer));
  if (!connection->start()) {
    state.accept_errors.add();
    return;
  }
  state.connections.emplace(connection.get(), std::move(connection));
}

Server::Server(net::Loop& loop, const Router& router, ServerLimits limits, ServerHooks hooks,
               metrics::Registry& metrics, std::shared_ptr<BodyBudget> bodies)
    : impl_(new Impl{ServerState(loop, router, limits, std::move(hooks), metrics, std::move(bodies)), {}}) {}

Server::~Server() {
  impl_->listeners.clear();
  while (!impl_->state.connections.empty()) {
    const std::shared_ptr<Connection> connection = impl_->state.connections.begin()->second;
    connection->close();
  }
  while (!impl_->state.h2_connections.empty()) {
    const std::shared_ptr<H2Connection> connection = impl_->state.h2_connections.begin()->second;
    connection->close();
  }
  impl_->state.unflushed.clear();
}

void Server::listen(int fd, std::shared_ptr<const net::TlsContext> tls) {
  // Accepted sockets inherit these from the listening one. A peer that acknowledges nothing for as long as a response
  // may take is dead, streams included.
  net::set_no_delay(fd);
  net::set_user_timeout_ms(fd, impl_->state.limits.write_timeout_ms);
  net::set_unsent_bytes_max(fd, impl_->state.limits.socket_unsent_bytes_max);
  if (impl_->state.limits.socket_send_buffer_bytes > 0) {
    net::set_send_buffer_bytes(fd, impl_->state.limits.socket_send_buffer_bytes);
  }
  auto accepted = [impl = impl_.get(), tls = std::move(tls)](UniqueFd taken, std::string peer) {
    std::unique_ptr<net::TlsSession> session = tls ? tls->accept(taken.get()) : nullptr;
    if (tls && !session) return impl->state.accept_errors.add();
    impl->accepted(net::Transport(std::move(taken), std::move(session)), std::move(peer));
  };
  impl_->listeners.push_back(
      std::make_unique<Listener>(impl_->state.loop, UniqueFd(fd), impl_->state.accept_errors, std::move(accepted)));
}

void Server::stop_listening() {
  impl_->listeners.clear();
  for (const auto& entry : impl_->state.h2_connections) entry.second->refuse_new();
}

void Server::turn_end() {
  // Flushing makes room, and room may make someone write.
  while (!impl_->state.unflushed.empty()) {
    const std::vector<std::shared_ptr<H2Connection>> connections = std::move(impl_->state.unflushed);
    impl_->state.unflushed.clear();
    for (const std::shared_ptr<H2Connection>& connection : connections) connection->flush();
  }
}

void Server::drain() {
  impl_->state.draining = true;
  std::vector<std::shared_ptr<Connection>> all;
  all.reserve(impl_->state.connections.size());
  for (const auto& entry : impl_->state.connections) all.push_back(entry.second);
  for (const auto& connection : all) connection->drain();
  for (const auto& entry : impl_->state.h2_connections) entry.second->drain();
}

size_t Server::connections() const { return impl_->state.tally->connections.load(std::memory_order_relaxed); }

}  // namespace millstream::http
