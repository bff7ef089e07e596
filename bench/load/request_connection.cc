#include "load/request_connection.h"

#include <sys/socket.h>

#include <array>
#include <cerrno>

namespace millstream::load {
namespace {
constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kAnswerNs = 60 * kSecondNs;
}  // namespace

std::string post_head(const Endpoint& to, std::string_view path, std::string_view extra_headers, size_t body_bytes) {
  std::string head = "POST ";
  head.append(path).append(" HTTP/1.1\r\nHost: ").append(to.authority).append("\r\n");
  head.append(extra_headers);
  head.append("Content-Length: ").append(std::to_string(body_bytes)).append("\r\n\r\n");
  return head;
}

RequestConnection::RequestConnection(Poller& poller, Socket socket, uint64_t tag)
    : poller_(&poller), socket_(std::move(socket)), tag_(tag), awaited_(EPOLLIN) {
  poller_->add(socket_, awaited_, tag_);
}

void RequestConnection::send(std::string request) {
  request_ = std::move(request);
  sent_ = 0;
  waiting_ = true;
  flush();
}

void RequestConnection::flush() {
  const Result<size_t> taken = send_some(socket_, std::string_view(request_).substr(sent_));
  if (!taken) {
    socket_.close();
    return;
  }
  sent_ += *taken;
  await(sent_ < request_.size() ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void RequestConnection::await(uint32_t events) {
  if (events == awaited_) return;
  awaited_ = events;
  poller_->change(socket_, events, tag_);
}

std::optional<RequestConnection::Answer> RequestConnection::on_ready(uint32_t events) {
  if (!is_open()) return std::nullopt;
  if ((events & EPOLLOUT) != 0 && sent_ < request_.size()) flush();
  if (!is_open() || (events & ~uint32_t{EPOLLOUT}) == 0) return std::nullopt;
  std::array<char, 16384> buffer;
  const ssize_t n = receive(socket_, buffer.data(), buffer.size());
  if (n <= 0) {
    if (n == 0 || (errno != EAGAIN && errno != EINTR)) socket_.close();
    return std::nullopt;
  }
  reader_.feed({buffer.data(), static_cast<size_t>(n)}, [this](std::string_view part) { body_ += part; });
  if (reader_.failed()) socket_.close();
  if (!reader_.done()) return std::nullopt;
  Answer answer{reader_.status(), std::exchange(body_, {})};
  if (reader_.closes()) {
    spent_ = true;
    socket_.close();
  }
  reader_.next_response();
  waiting_ = false;
  return answer;
}

std::string get_head(const Endpoint& from, std::string_view path, std::string_view extra_headers) {
  std::string head = "GET ";
  head.append(path).append(" HTTP/1.1\r\nHost: ").append(from.authority).append("\r\n");
  return head.append(extra_headers).append("\r\n");
}

Result<std::string> ask(RequestConnection& connection, Poller& poller, std::string request) {
  connection.send(std::move(request));
  const int64_t deadline = now_ns() + kAnswerNs;
  while (connection.is_open() && now_ns() < deadline) {
    for (const epoll_event& event : poller.wait(kSecondNs)) {
      std::optional<RequestConnection::Answer> answer = connection.on_ready(event.events);
      if (!answer) continue;
      if (answer->status == 200) return std::move(answer->body);
      return Error{Code::unavailable, "status " + std::to_string(answer->status) + " " + answer->body.substr(0, 200)};
    }
  }
  return Error{Code::unavailable, "no answer"};
}

Result<std::string> get_now(const Endpoint& from, std::string_view path, std::string_view extra_headers) {
  Result<Socket> socket = connect_now(from);
  if (!socket) return socket.error();
  Poller poller;
  RequestConnection connection(poller, std::move(*socket), 0);
  return ask(connection, poller, get_head(from, path, extra_headers));
}

}  // namespace millstream::load
