#include "load/ingest_load.h"

#include <algorithm>
#include <charconv>

#include "load/event_ids.h"

namespace millstream::load {
namespace {

constexpr int64_t kSecondNs = 1'000'000'000;
constexpr int64_t kStallNs = 10 * kSecondNs;
constexpr int64_t kWaitNs = 50'000'000;

// What JSON answers say, "accepted":N; of a 201, 202 and 204 everything was taken.
int64_t accepted_events(const RequestConnection::Answer& answer, int64_t sent) {
  if (answer.status >= 201 && answer.status <= 204) return sent;
  constexpr std::string_view kKey = "\"accepted\":";
  const size_t at = answer.body.find(kKey);
  int64_t n = 0;
  if (answer.status == 200 && at != std::string::npos) {
    std::from_chars(answer.body.data() + at + kKey.size(), answer.body.data() + answer.body.size(), n);
  }
  return n;
}

}  // namespace

Status IngestLoad::open(const std::function<std::unique_ptr<BatchSource>(size_t)>& source_of) {
  for (size_t i = 0; i < shape_.connections; ++i) {
    Result<Socket> socket = connect_now(target_.server);
    if (!socket) return socket.error();
    gateways_.push_back({RequestConnection(poller_, std::move(*socket), i), source_of(i)});
  }
  return {};
}

bool IngestLoad::run(int64_t ns) {
  int64_t progress_ns = now_ns();
  const int64_t end_ns = progress_ns + ns;
  set_due_times(progress_ns);
  for (;;) {
    const int64_t at_ns = now_ns();
    int64_t wait_ns = kWaitNs;
    if (at_ns < end_ns && !sent_all()) {
      wait_ns = std::clamp<int64_t>(send_due(at_ns) - at_ns, 0, kWaitNs);
    } else if (all_idle()) {
      return true;
    }
    for (const epoll_event& event : poller_.wait(wait_ns)) {
      if (take_answer(gateways_[event.data.u64], event.events)) progress_ns = now_ns();
    }
    if (all_idle()) progress_ns = now_ns();
    if (now_ns() - progress_ns > kStallNs) return false;
  }
}

// Of the closed loop every time is over at once.
void IngestLoad::set_due_times(int64_t from_ns) {
  for (size_t i = 0; i < gateways_.size(); ++i) {
    const int64_t turn_ns = shape_.events_per_second == 0
                                ? 0
                                : static_cast<int64_t>(i * shape_.events) * kSecondNs / shape_.events_per_second;
    gateways_[i].due_ns = from_ns + turn_ns;
  }
}

// Gives back when the next batch of an idle connection falls due.
int64_t IngestLoad::send_due(int64_t at_ns) {
  int64_t next_ns = at_ns + kWaitNs;
  for (Gateway& gateway : gateways_) {
    if (!gateway.connection.is_idle() || gateway.exhausted) continue;
    if (gateway.due_ns <= at_ns) {
      send_next(gateway);
    } else {
      next_ns = std::min(next_ns, gateway.due_ns);
    }
  }
  return next_ns;
}

void IngestLoad::send_next(Gateway& gateway) {
  const std::string_view body = gateway.batches->next(utc_ms());
  if (body.empty()) {
    gateway.exhausted = true;
    return;
  }
  counts_.body_bytes += static_cast<int64_t>(body.size());
  std::string request = post_head(target_.server, shape_.path, target_.extra_headers, body.size());
  request += body;
  counts_.sent += static_cast<int64_t>(shape_.events);
  if (shape_.events_per_second == 0) {
    gateway.sent_due_ns = now_ns();
  } else {
    gateway.sent_due_ns = gateway.due_ns;
    gateway.due_ns += static_cast<int64_t>(shape_.connections * shape_.events) * kSecondNs / shape_.events_per_second;
  }
  gateway.connection.send(std::move(request));
}

bool IngestLoad::take_answer(Gateway& gateway, uint32_t events) {
  const auto answer = gateway.connection.on_ready(events);
  if (!answer) return false;
  acks_.add(now_ns() - gateway.sent_due_ns);
  const int64_t sent = static_cast<int64_t>(shape_.events);
  const int64_t accepted = accepted_events(*answer, sent);
  ++counts_.requests;
  counts_.accepted += accepted;
  counts_.rejected += sent - accepted;
  if (accepted < sent && first_complaint_.empty()) {
    first_complaint_ = std::to_string(answer->status) + " " + answer->body.substr(0, 200);
  }
  return true;
}

bool IngestLoad::sent_all() const {
  return (shape_.events_in_all > 0 && counts_.sent >= shape_.events_in_all) ||
         std::all_of(gateways_.begin(), gateways_.end(), [](const Gateway& g) { return g.exhausted; });
}

bool IngestLoad::all_idle() const {
  return std::all_of(gateways_.begin(), gateways_.end(),
                     [](const Gateway& g) { return g.connection.is_idle() || !g.connection.is_open(); });
}

int64_t IngestLoad::closed() const {
  return std::count_if(gateways_.begin(), gateways_.end(), [](const Gateway& g) { return !g.connection.is_open(); });
}

}  // namespace millstream::load
