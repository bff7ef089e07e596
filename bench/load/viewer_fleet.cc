#include "load/viewer_fleet.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace millstream::load {
namespace {

constexpr size_t kViewersPerSource = 5000;  // connect() slows down well before the ports of one address are used up
constexpr uint8_t kFirstSource = 2;
constexpr int64_t kOpenStallNs = 15'000'000'000;
constexpr size_t kReceiveBytes = 128 << 10;

}  // namespace

ViewerFleet::ViewerFleet(Poller& poller, Endpoint to, std::string request, size_t opening_max)
    : poller_(poller),
      to_(std::move(to)),
      request_(std::move(request)),
      opening_max_(opening_max),
      buffer_(kReceiveBytes) {}

Status ViewerFleet::open(size_t count) {
  viewers_.reserve(count);
  int64_t progress_ns = now_ns();
  while (live_ < count) {
    while (viewers_.size() < count && viewers_.size() - live_ < opening_max_) {
      if (const Status status = start_one(); !status) return status;
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

Status ViewerFleet::start_one() {
  const size_t index = viewers_.size();
  const uint8_t source = static_cast<uint8_t>(kFirstSource + index / kViewersPerSource);
  Result<Socket> socket = start_connect(to_, source);
  if (!socket) return socket.error();
  poller_.add(*socket, EPOLLOUT, index);
  viewers_.emplace_back().socket = std::move(*socket);
  return {};
}

void ViewerFleet::watch(Broadcasts& broadcasts) {
  broadcasts_ = &broadcasts;
  for (Viewer& viewer : viewers_) viewer.position = ViewerPosition();
}

void ViewerFleet::on_ready(uint64_t tag, uint32_t events) {
  Viewer& viewer = viewers_[tag];
  if (viewer.state == Viewer::State::closed) return;
  if (viewer.state == Viewer::State::connecting) {
    if ((events & EPOLLOUT) != 0) finish_connect(viewer, tag);
  } else {
    read(viewer);
  }
}

void ViewerFleet::finish_connect(Viewer& viewer, uint64_t tag) {
  if (const Status status = connect_result(viewer.socket); !status) return close(viewer, status.error().detail);
  // A fresh socket always takes a request of a few hundred bytes at once.
  const Result<size_t> taken = send_some(viewer.socket, request_);
  if (!taken || *taken != request_.size()) return close(viewer, "request not taken");
  viewer.state = Viewer::State::waiting;
  poller_.change(viewer.socket, EPOLLIN, tag);
}

void ViewerFleet::read(Viewer& viewer) {
  const ssize_t n = ::recv(viewer.socket.fd(), buffer_.data(), buffer_.size(), 0);
  if (n <= 0) {
    if (n == 0) return close(viewer, "closed by the server");
    if (errno != EAGAIN && errno != EINTR) close(viewer, std::strerror(errno));
    return;
  }
  const int64_t at_ns = now_ns();
  ++counts_.receives;
  counts_.bytes += n;
  viewer.reader.feed({buffer_.data(), static_cast<size_t>(n)}, [&](std::string_view part) {
    viewer.scanner.feed(part, [&](const SseBlock& block) { take_block(viewer, block, at_ns); });
  });
  if (viewer.reader.has_head() && viewer.reader.status() != 200) {
    return close(viewer, "status " + std::to_string(viewer.reader.status()));
  }
  if (viewer.reader.failed()) return close(viewer, "not HTTP/1.1");
  if (viewer.reader.done()) close(viewer, "stream ended by the server");
}

void ViewerFleet::take_block(Viewer& viewer, const SseBlock& block, int64_t at_ns) {
  if (viewer.state == Viewer::State::waiting) {
    viewer.state = Viewer::State::live;
    ++live_;
  }
  if (block.event == "telemetry" && broadcasts_ != nullptr) {
    broadcasts_->delivered(viewer.position, block.id, block.data, at_ns);
    return;
  }
  ++counts_.other_blocks;
  if (block.event == "system" && block.data.find("\"kind\":\"gap\"") != std::string_view::npos) ++counts_.declared_gaps;
}

void ViewerFleet::close(Viewer& viewer, std::string why) {
  if (viewer.state == Viewer::State::live) {
    --live_;
    if (broadcasts_ != nullptr) broadcasts_->viewer_left();
  }
  viewer.state = Viewer::State::closed;
  viewer.socket.close();
  if (counts_.closed++ == 0) first_failure_ = std::move(why);
}

}  // namespace millstream::load
