#include "load/resumes.h"

#include <cerrno>

#include "load/telemetry_batch.h"

namespace millstream::load {
namespace {

constexpr size_t kReceiveBytes = 128 << 10;
constexpr uint8_t kSource = 9;  // not one of the viewers'

}  // namespace

Resumes::Resumes(Poller& poller, Endpoint to, std::string extra_headers, const ResumeShape& shape)
    : poller_(poller),
      to_(std::move(to)),
      extra_headers_(std::move(extra_headers)),
      shape_(shape),
      buffer_(kReceiveBytes) {}

Status Resumes::start() {
  while (clients_.size() < shape_.count && in_flight_ < shape_.in_flight_max) {
    if (const Status status = start_one(); !status) return status;
  }
  return {};
}

Status Resumes::start_one() {
  Result<Socket> socket = start_connect(to_, kSource);
  if (!socket) return socket.error();
  poller_.add(*socket, EPOLLOUT, kResumeTagsBegin + clients_.size());
  clients_.emplace_back().socket = std::move(*socket);
  ++in_flight_;
  return {};
}

void Resumes::on_ready(uint64_t tag, uint32_t events) {
  const size_t index = tag - kResumeTagsBegin;
  Client& client = clients_[index];
  if (client.state == Client::State::gone) return;
  if (client.asked_ns > 0) {
    read(client);
  } else if ((events & EPOLLOUT) != 0) {
    ask(client, index);
  }
}

void Resumes::ask(Client& client, size_t index) {
  if (!connect_result(client.socket)) return leave(client);
  poller_.change(client.socket, EPOLLIN, kResumeTagsBegin + index);
  std::uniform_int_distribution<int64_t> moment(shape_.from_ms, shape_.to_ms);
  const std::string id = std::to_string(moment(random_)) + "-0";
  client.last_id = *packed_id(id);
  const std::string device = batch_device(random_() % shape_.gateways, random_() % shape_.devices_each);
  std::string request = "GET /api/stream?types=telemetry&topics=account:demo/site:bench/device:" + device;
  request.append(" HTTP/1.1\r\nHost: ").append(to_.authority).append("\r\nAccept: text/event-stream\r\n");
  request.append("Last-Event-ID: ").append(id).append("\r\n").append(extra_headers_).append("\r\n");
  client.asked_ns = now_ns();
  const Result<size_t> taken = send_some(client.socket, request);
  if (!taken || *taken != request.size()) leave(client);
}

void Resumes::read(Client& client) {
  const ssize_t n = receive(client.socket, buffer_.data(), buffer_.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return leave(client);
  if (client.state == Client::State::opening) {
    client.state = Client::State::waiting;
    to_first_byte_.add(now_ns() - client.asked_ns);
    if (shape_.stay) --in_flight_;
  }
  client.reader.feed({buffer_.data(), static_cast<size_t>(n)}, [&](std::string_view part) {
    client.scanner.feed(part, [&](const SseBlock& block) { take_block(client, block); });
  });
  if (client.reader.failed() || client.reader.done() || (client.reader.has_head() && client.reader.status() != 200)) {
    return leave(client);
  }
  if (client.state == Client::State::reading && !shape_.stay) leave(client);
}

void Resumes::take_block(Client& client, const SseBlock& block) {
  if (block.event == "system" && block.data.find("\"kind\":\"gap\"") != std::string_view::npos) ++counts_.declared_gaps;
  if (block.event != "telemetry") return;
  ++counts_.events;
  const std::optional<uint64_t> id = packed_id(block.id);
  if (!id || *id <= client.last_id) ++counts_.strange;
  client.last_id = id.value_or(client.last_id);
  if (client.state != Client::State::waiting) return;
  client.state = Client::State::reading;
  ++counts_.reached;
  to_first_event_.add(now_ns() - client.asked_ns);
}

// Whoever leaves before its first event was not served.
void Resumes::leave(Client& client) {
  if (client.state != Client::State::reading) ++counts_.closed;
  if (client.state == Client::State::opening || !shape_.stay) --in_flight_;
  client.state = Client::State::gone;
  client.socket.close();
}

}  // namespace millstream::load
