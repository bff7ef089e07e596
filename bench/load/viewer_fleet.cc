#include "load/viewer_fleet.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace millstream::load {
namespace {

constexpr size_t kConnectionsPerSource = 5000;  // connect() slows down well before the ports of an address are used up
constexpr uint8_t kFirstSource = 2;
constexpr int64_t kOpenStallNs = 15'000'000'000;
constexpr size_t kReceiveBytes = 128 << 10;

std::string path_of(const StreamRequest& request, uint32_t viewer) {
  return request.path.ends_with("topics=") ? request.path + request.audiences.topics(viewer) : request.path;
}

H2Streams::Fields h2_fields(const StreamRequest& request, uint32_t viewer) {
  H2Streams::Fields fields{{":method", "GET"},
                           {":scheme", request.to.tls ? "https" : "http"},
                           {":path", path_of(request, viewer)},
                           {":authority", request.to.authority},
                           {"accept", "text/event-stream"}};
  if (request.gzip) fields.emplace_back("accept-encoding", "gzip");
  return fields;
}

}  // namespace

std::string http1_request(const StreamRequest& request, uint32_t viewer) {
  std::string text = "GET ";
  text.append(path_of(request, viewer)).append(" HTTP/1.1\r\nHost: ").append(request.to.authority);
  text.append("\r\nAccept: text/event-stream\r\n");
  if (request.gzip) text.append("Accept-Encoding: gzip\r\n");
  return text.append(request.extra_headers).append("\r\n");
}

ViewerFleet::ViewerFleet(Poller& poller, StreamRequest request)
    : poller_(poller), request_(std::move(request)), buffer_(kReceiveBytes) {}

Status ViewerFleet::open(size_t count) {
  viewers_.reserve(count);
  int64_t progress_ns = now_ns();
  const size_t opening_viewers_max = request_.opening_max * std::max<uint32_t>(request_.h2_streams, 1);
  while (live_ < count) {
    while (viewers_.size() < count && viewers_.size() - live_ < opening_viewers_max) {
      const size_t viewers = std::min<size_t>(std::max<uint32_t>(request_.h2_streams, 1), count - viewers_.size());
      if (const Status status = start_one(viewers); !status) return status;
    }
    const size_t before = live_;
    for (const epoll_event& event : poller_.wait(100'000'000)) {
      if (event.data.u64 < kViewerTagsEnd) on_ready(event.data.u64, event.events);
    }
    if (counts_.closed > 0) return Error{Code::unavailable, "a viewer could not connect: " + first_failure_};
    if (live_ > before) progress_ns = now_ns();
    if (now_ns() - progress_ns > kOpenStallNs) {
      return Error{Code::unavailable, "only " + std::to_string(live_) + " viewers got their first block"};
    }
  }
  return {};
}

Status ViewerFleet::start_one(size_t viewers) {
  const size_t index = connections_.size();
  const uint8_t source = static_cast<uint8_t>(kFirstSource + index / kConnectionsPerSource);
  Result<Socket> socket = start_connect(request_.to, source);
  if (!socket) return socket.error();
  poller_.add(*socket, EPOLLOUT, index);
  Connection& connection = connections_.emplace_back();
  connection.socket = std::move(*socket);
  connection.first = static_cast<uint32_t>(viewers_.size());
  connection.viewers = static_cast<uint32_t>(viewers);
  for (size_t i = 0; i < viewers; ++i) {
    Viewer& viewer = viewers_.emplace_back();
    if (request_.gzip) viewer.inflater = std::make_unique<Inflater>();
  }
  return {};
}

void ViewerFleet::watch(Broadcasts& broadcasts) {
  broadcasts_ = &broadcasts;
  for (uint32_t i = 0; i < viewers_.size(); ++i) {
    viewers_[i].position = {.audience = request_.audiences.of_viewer(i)};
  }
}

void ViewerFleet::on_ready(uint64_t tag, uint32_t events) {
  Connection& connection = connections_[tag];
  switch (connection.state) {
    case Connection::State::connecting:
      if ((events & EPOLLOUT) != 0) connected(connection, tag);
      break;
    case Connection::State::shaking_hands: shake_hands(connection); break;
    case Connection::State::open: read(connection); break;
    case Connection::State::closed: break;
  }
}

void ViewerFleet::connected(Connection& connection, uint64_t tag) {
  if (const Status status = connect_result(connection.socket); !status) return close(connection, status.error().detail);
  poller_.change(connection.socket, EPOLLIN, tag);
  connection.state = Connection::State::shaking_hands;
  if (request_.to.tls) connection.socket.start_tls(request_.h2_streams > 0 ? "h2" : "");
  shake_hands(connection);
}

void ViewerFleet::shake_hands(Connection& connection) {
  const Result<bool> done = connection.socket.shake_hands();
  if (!done) return close(connection, done.error().detail);
  if (*done) ask(connection);
}

void ViewerFleet::ask(Connection& connection) {
  connection.state = Connection::State::open;
  if (request_.h2_streams == 0) return send(connection, http1_request(request_, connection.first));
  make_h2(connection);
  for (uint32_t i = connection.first; i < connection.first + connection.viewers; ++i) {
    connection.h2->get(h2_fields(request_, i), i);
  }
  send(connection, connection.h2->take_output());
}

void ViewerFleet::make_h2(Connection& connection) {
  connection.h2 = std::make_unique<H2Streams>(
      H2Streams::Events{[this](uint32_t viewer, int status) {
                          if (status != 200) close(viewers_[viewer], "status " + std::to_string(status));
                        },
                        [this](uint32_t viewer, std::string_view bytes) { take_body(viewers_[viewer], bytes); },
                        [this](uint32_t viewer) { close(viewers_[viewer], "stream ended by the server"); }});
}

// Little is ever sent, and the socket always takes it at once.
void ViewerFleet::send(Connection& connection, const std::string& bytes) {
  if (bytes.empty()) return;
  const Result<size_t> taken = send_some(connection.socket, bytes);
  if (!taken || *taken != bytes.size()) close(connection, "request not taken");
}

void ViewerFleet::read(Connection& connection) {
  const ssize_t n = receive(connection.socket, buffer_.data(), buffer_.size());
  if (n <= 0) {
    if (n == 0) return close(connection, "closed by the server");
    if (errno != EAGAIN && errno != EINTR) close(connection, std::strerror(errno));
    return;
  }
  read_at_ns_ = now_ns();
  ++counts_.receives;
  counts_.bytes += n;
  const std::string_view bytes(buffer_.data(), static_cast<size_t>(n));
  if (!connection.h2) return read_http1(connection, bytes);
  if (const Status status = connection.h2->feed(bytes); !status) return close(connection, status.error().detail);
  send(connection, connection.h2->take_output());
}

void ViewerFleet::read_http1(Connection& connection, std::string_view bytes) {
  Viewer& viewer = viewers_[connection.first];
  ResponseReader& reader = connection.reader;
  reader.feed(bytes, [&](std::string_view part) {
    if (reader.status() == 200) take_body(viewer, part);
  });
  if (reader.has_head() && reader.status() != 200) {
    return close(connection, "status " + std::to_string(reader.status()));
  }
  if (reader.failed()) return close(connection, "not HTTP/1.1");
  if (reader.done()) close(connection, "stream ended by the server");
}

void ViewerFleet::take_body(Viewer& viewer, std::string_view bytes) {
  const auto scan = [&](std::string_view text) {
    viewer.scanner.feed(text, [&](const SseBlock& block) { take_block(viewer, block); });
  };
  if (!viewer.inflater) return scan(bytes);
  if (!viewer.inflater->feed(bytes, scan)) close(viewer, "not gzip");
}

void ViewerFleet::take_block(Viewer& viewer, const SseBlock& block) {
  if (viewer.state == Viewer::State::waiting) {
    viewer.state = Viewer::State::live;
    ++live_;
  }
  if (block.event == "telemetry" && broadcasts_ != nullptr) {
    broadcasts_->delivered(viewer.position, block.id, block.data, read_at_ns_);
    return;
  }
  ++counts_.other_blocks;
  if (block.event == "system" && block.data.find("\"kind\":\"gap\"") != std::string_view::npos) ++counts_.declared_gaps;
}

void ViewerFleet::close(Connection& connection, const std::string& why) {
  connection.state = Connection::State::closed;
  connection.socket.close();
  for (uint32_t i = 0; i < connection.viewers; ++i) close(viewers_[connection.first + i], why);
}

void ViewerFleet::close(Viewer& viewer, const std::string& why) {
  if (viewer.state == Viewer::State::closed) return;
  if (viewer.state == Viewer::State::live) {
    --live_;
    if (broadcasts_ != nullptr) broadcasts_->viewer_left(viewer.position);
  }
  viewer.state = Viewer::State::closed;
  if (counts_.closed++ == 0) first_failure_ = why;
}

}  // namespace millstream::load
