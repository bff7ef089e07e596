#include "load/fan_out.h"

#include <algorithm>

namespace millstream::load {
namespace {

constexpr int64_t kStallNs = 10'000'000'000;
constexpr int64_t kTurnNs = 50'000'000;

}  // namespace

FanOut::FanOut(FanOutTarget target)
    : target_(std::move(target)), fleet_(poller_, target_.stream), body_(target_.body_form) {}

Status FanOut::open_viewers(size_t count) { return fleet_.open(count); }

Status FanOut::open_stalled_readers(size_t count) {
  Result<std::vector<Socket>> opened =
      load::open_stalled_readers(target_.stream.to, http1_request(target_.stream, 0), count);
  if (!opened) return opened.error();
  stalled_readers_ = std::move(*opened);
  return {};
}

void FanOut::add_resumes(const ResumeShape& shape) {
  resumes_ = std::make_unique<Resumes>(poller_, target_.stream.to, target_.stream.extra_headers, shape);
}

Status FanOut::open_publishers(size_t connections) {
  const Audiences& audiences = target_.stream.audiences;
  broadcasts_ = Broadcasts(std::min(static_cast<uint32_t>(fleet_.live()), audiences.viewers), audiences.count);
  fleet_.watch(broadcasts_);
  for (size_t i = 0; i < connections; ++i) {
    Result<Socket> socket = connect_now(target_.publisher);
    if (!socket) return socket.error();
    publishers_.emplace_back(poller_, std::move(*socket), kViewerTagsEnd + i);
  }
  carried_.resize(connections);
  return {};
}

void FanOut::run(const Pace& pace, int64_t ns) {
  const int64_t begin_ns = now_ns();
  const int64_t end_ns = begin_ns + ns;
  int64_t due_ns = begin_ns;
  progress_ns_ = begin_ns;
  stalled_ = false;
  while (!stalled_) {
    const int64_t at_ns = now_ns();
    int64_t wait_ns = kTurnNs;
    if (at_ns >= end_ns) {
      if (settled()) return;
    } else if (pace.in_flight > 0) {
      while (broadcasts_.in_flight() < pace.in_flight && publish(now_ns())) {
      }
    } else {
      const int64_t interval_ns = 1'000'000'000 / pace.rate;
      while (due_ns <= at_ns && publish(due_ns)) due_ns += interval_ns;
      wait_ns = std::clamp<int64_t>(due_ns - now_ns(), 0, kTurnNs);
    }
    turn(wait_ns);
    stalled_ = now_ns() - progress_ns_ > kStallNs;
  }
}

void FanOut::publish_one() {
  progress_ns_ = now_ns();
  stalled_ = !publish(progress_ns_);
  while (!stalled_ && !settled()) {
    turn(kTurnNs);
    stalled_ = now_ns() - progress_ns_ > kStallNs;
  }
}

void FanOut::read_for(int64_t ns) {
  const int64_t end_ns = now_ns() + ns;
  while (now_ns() < end_ns) turn(kTurnNs);
}

bool FanOut::publish(int64_t due_ns) {
  for (size_t i = 0; i < publishers_.size(); ++i) {
    if (publishers_[i].is_spent() && !renew(i)) continue;
    if (!publishers_[i].is_idle()) continue;
    const Audiences& audiences = target_.stream.audiences;
    const uint32_t device = static_cast<uint32_t>(random_() % audiences.devices());
    const uint32_t n = broadcasts_.published(due_ns, audiences.of_device(device));
    const std::string body = body_.next(n, device);
    carried_[i] = n;
    publishers_[i].send(post_head(target_.publisher, target_.publish_path, target_.stream.extra_headers, body.size()) +
                        body);
    return true;
  }
  return false;
}

Status FanOut::renew(size_t publisher) {
  Result<Socket> socket = connect_now(target_.publisher);
  if (!socket) return socket.error();
  publishers_[publisher] = RequestConnection(poller_, std::move(*socket), kViewerTagsEnd + publisher);
  return {};
}

void FanOut::turn(int64_t wait_ns) {
  const int64_t deliveries_before = broadcasts_.counts().deliveries;
  if (resumes_) static_cast<void>(resumes_->start());
  for (const epoll_event& event : poller_.wait(wait_ns)) {
    const uint64_t tag = event.data.u64;
    if (tag >= kResumeTagsBegin) {
      resumes_->on_ready(tag, event.events);
      continue;
    }
    if (tag < kViewerTagsEnd) {
      fleet_.on_ready(tag, event.events);
      continue;
    }
    const size_t publisher = tag - kViewerTagsEnd;
    const auto answer = publishers_[publisher].on_ready(event.events);
    if (!answer) continue;
    progress_ns_ = now_ns();
    if (answer->status / 100 != 2) broadcasts_.refused(carried_[publisher]);
  }
  if (broadcasts_.counts().deliveries > deliveries_before) progress_ns_ = now_ns();
}

bool FanOut::settled() const {
  return broadcasts_.in_flight() == 0 && std::all_of(publishers_.begin(), publishers_.end(), [](const auto& publisher) {
           return publisher.is_idle() || !publisher.is_open();
         });
}

}  // namespace millstream::load
