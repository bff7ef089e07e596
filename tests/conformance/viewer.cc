#include "viewer.h"

#include <sys/socket.h>

#include <array>
#include <utility>

namespace millstream::conformance {
namespace {

constexpr int kReceiveBufferBytes = 32 << 10;  // so that a viewer that does not read is felt soon
constexpr size_t kReadsPerTurn = 8;

std::string_view text_after(std::string_view json, std::string_view name) {
  const size_t at = json.find(name);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = json.substr(at + name.size());
  return rest.substr(0, rest.find('"'));
}

}  // namespace

Viewer::Viewer(const load::Endpoint& server, Wish wish, size_t number)
    : server_(server), wish_(std::move(wish)), number_(number), reader_([this](const auto& m) { take(m); }) {}

void Viewer::connect(load::Poller& poller) {
  Result<load::Socket> socket = load::start_connect(server_, 0);
  if (!socket) return;
  socket_ = std::move(*socket);
  if (number_ % 2 == 0) {
    ::setsockopt(socket_.fd(), SOL_SOCKET, SO_RCVBUF, &kReceiveBufferBytes, sizeof kReceiveBufferBytes);
  }
  asked_ = false;
  response_.next_response();
  reader_.reset();
  poller.add(socket_, EPOLLOUT, number_);
}

void Viewer::on_ready(load::Poller& poller, uint32_t) {
  if (!asked_) {
    asked_ = true;
    std::string request = "GET /api/stream?" + wish_.query + " HTTP/1.1\r\nHost: " + server_.authority +
                          "\r\nAccept: text/event-stream\r\n";
    if (joined_) request += "Last-Event-ID: " + cursor_.text() + "\r\n";
    if (!load::connect_result(socket_) || !load::send_some(socket_, request + "\r\n")) return gone();
    return poller.change(socket_, EPOLLIN, number_);
  }
  std::array<char, 65536> room;
  for (size_t i = 0; i < kReadsPerTurn; ++i) {
    const ssize_t got = ::recv(socket_.fd(), room.data(), room.size(), MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return gone();
    response_.feed({room.data(), static_cast<size_t>(got)}, [this](std::string_view part) { reader_.feed(part); });
    if (response_.failed() || response_.done() || (response_.has_head() && response_.status() != 200)) {
      ++faults_.strange;
      return gone();
    }
    if (static_cast<size_t>(got) < room.size()) return;
  }
}

void Viewer::pause(load::Poller& poller) {
  if (!asked_) return;
  paused_ = true;
  poller.change(socket_, 0, number_);
}

void Viewer::resume(load::Poller& poller) {
  paused_ = false;
  if (connected()) poller.change(socket_, EPOLLIN, number_);
}

void Viewer::cut(bool rudely) {
  const linger now{.l_onoff = 1, .l_linger = 0};
  if (rudely) ::setsockopt(socket_.fd(), SOL_SOCKET, SO_LINGER, &now, sizeof now);
  gone();
}

void Viewer::gone() {
  socket_.close();
  paused_ = false;
  uncommitted_.clear();
  newest_ = cursor_;
  faults_.strange += reader_.oddities() - std::exchange(oddities_before_, reader_.oddities());
}

void Viewer::take(const codec::SseReader::Message& message) {
  std::optional<Seen> seen = parse_seen(message.data);
  if (!seen) return take_system(message);
  ++deliveries_;
  if (seen->id <= newest_) ++faults_.not_in_order;
  if (!wish_.takes(*seen)) ++faults_.strange;
  newest_ = seen->id;
  const model::EventId id = seen->id;
  uncommitted_.push_back(std::move(*seen));
  if (message.last_event_id == id.text()) commit(id);
}

void Viewer::take_system(const codec::SseReader::Message& message) {
  const std::string_view kind = text_after(message.data, "\"kind\":\"");
  if (kind == "hello" && !joined_) {
    joined_ = cursor_ = newest_ = model::EventId::parse(message.last_event_id).value_or(model::EventId());
  } else if (kind == "gap") {
    const auto from = model::EventId::parse(text_after(message.data, "\"from\":\""));
    const auto to = model::EventId::parse(text_after(message.data, "\"to\":\""));
    if (!from || !to) {
      ++faults_.strange;
      return;
    }
    gaps_.push_back({*from, *to});
    newest_ = std::max(newest_, *to);
  } else if (kind == "slow") {
    ++slow_;
  }
}

void Viewer::commit(model::EventId cursor) {
  cursor_ = cursor;
  for (const Seen& seen : uncommitted_) told_.add(seen);
  uncommitted_.clear();
}

}  // namespace millstream::conformance
