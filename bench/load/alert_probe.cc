#include "load/alert_probe.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

#include "load/event_ids.h"

namespace millstream::load {
namespace {

constexpr int64_t kMsNs = 1'000'000;
constexpr int64_t kGraceNs = 2'000 * kMsNs;
constexpr int64_t kOpeningNs = 5'000 * kMsNs;
constexpr size_t kReceiveBytes = 64 << 10;
constexpr uint64_t kPublisherTag = 0, kStreamTag = 1;
constexpr const char* kPath = "/api/v2/write?bucket=bench&org=bench&precision=ms";

}  // namespace

AlertProbe::AlertProbe(const TargetOptions& target, int64_t interval_ms)
    : target_(target), interval_ns_(interval_ms * kMsNs), buffer_(kReceiveBytes) {}

Status AlertProbe::open() {
  Result<Socket> publisher = connect_now(target_.server);
  if (!publisher) return publisher.error();
  publisher_.emplace(poller_, std::move(*publisher), kPublisherTag);
  Result<Socket> stream = connect_now(target_.server);
  if (!stream) return stream.error();
  stream_ = std::move(*stream);
  poller_.add(stream_, EPOLLIN, kStreamTag);
  const std::string request = get_head(target_.server, "/api/stream?types=alert,system", target_.extra_headers);
  const Result<size_t> taken = send_some(stream_, request);
  if (!taken || *taken != request.size()) return Error{Code::unavailable, "the stream of alerts was not asked for"};
  const int64_t give_up_ns = now_ns() + kOpeningNs;
  while (!greeted_ && now_ns() < give_up_ns) {
    if (!poller_.wait(kMsNs).empty()) read_stream();
  }
  return greeted_ ? Status() : Status(Error{Code::unavailable, "the stream of alerts does not begin"});
}

void AlertProbe::run() {
  int64_t due_ns = now_ns();
  int64_t progress_ns = due_ns;
  while (true) {
    const int64_t at_ns = now_ns();
    if (restart_.exchange(false)) {
      latencies_.clear();
      counts_ = {};
      for (Device& device : devices_) device.due_ns = 0;
    }
    if (finishing_ && (counts_.seen >= counts_.sent || at_ns - progress_ns > kGraceNs)) return;
    if (!finishing_ && due_ns <= at_ns && publisher_->is_idle()) {
      send_next(due_ns);
      due_ns += interval_ns_;
      progress_ns = at_ns;
    }
    if (!publisher_->is_open() || !stream_.is_open()) return;
    const int64_t wait_ns = publisher_->is_idle() && !finishing_ ? due_ns - now_ns() : kMsNs;
    for (const epoll_event& event : poller_.wait(std::clamp<int64_t>(wait_ns, 0, 20 * kMsNs))) {
      if (event.data.u64 == kStreamTag) {
        read_stream();
      } else if (const auto answer = publisher_->on_ready(event.events); answer && answer->status != 204) {
        ++counts_.refused;
      }
    }
  }
}

void AlertProbe::send_next(int64_t due_ns) {
  const size_t index = turn_++ % kDevices;
  Device& device = devices_[index];
  device.over = !device.over;
  device.due_ns = due_ns;
  ++counts_.sent;
  const std::string body = "telemetry,device=probe-" + std::to_string(index) +
                           ",site=bench probe=" + (device.over ? "100 " : "0 ") + std::to_string(utc_ms()) + "\n";
  publisher_->send(post_head(target_.server, kPath, target_.extra_headers, body.size()) + body);
}

void AlertProbe::read_stream() {
  const ssize_t n = receive(stream_, buffer_.data(), buffer_.size());
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return stream_.close();
  reader_.feed({buffer_.data(), static_cast<size_t>(n)},
               [&](std::string_view part) { scanner_.feed(part, [&](const SseBlock& block) { take_block(block); }); });
  if (reader_.failed() || reader_.done() || (reader_.has_head() && reader_.status() != 200)) stream_.close();
}

void AlertProbe::take_block(const SseBlock& block) {
  greeted_ = true;
  if (block.event != "alert") return;
  constexpr std::string_view kDevice = "\"deviceId\":\"probe-";
  const size_t at = block.data.find(kDevice);
  if (at == std::string_view::npos) return;
  size_t index = kDevices;
  const char* const from = block.data.data() + at + kDevice.size();
  std::from_chars(from, block.data.data() + block.data.size(), index);
  if (index >= kDevices || devices_[index].due_ns == 0) return;
  Device& device = devices_[index];
  const std::string_view wanted = device.over ? "\"state\":\"firing\"" : "\"state\":\"resolved\"";
  if (block.data.find(wanted) == std::string_view::npos) return;
  latencies_.add(now_ns() - device.due_ns);
  device.due_ns = 0;
  ++counts_.seen;
}

}  // namespace millstream::load
