#include "connect/batch_writer.h"

#include <algorithm>
#include <utility>

namespace millstream::connect {
namespace {

constexpr int64_t kAppendFirstMs = 50;
constexpr int64_t kAppendMaxMs = 2'000;

}  // namespace

BatchWriter::BatchWriter(Sink& sink, uint64_t seed, Refused refused, Pause pause)
    : sink_(sink),
      refused_(std::move(refused)),
      pause_(std::move(pause)),
      backoff_(kAppendFirstMs, kAppendMaxMs, seed) {}

bool BatchWriter::store(const std::vector<model::Event>& events) {
  for (size_t from = 0; from < events.size();) {
    const size_t to = std::min(events.size(), from + kAppendEventsMax);
    const auto begin = events.begin();
    const Status stored =
        append_once({begin + static_cast<std::ptrdiff_t>(from), begin + static_cast<std::ptrdiff_t>(to)});
    if (stored) {
      backoff_.succeeded();
      from = to;
      continue;
    }
    refused_(stored.error());
    if (!pause_(backoff_.next_ms())) return false;
  }
  return true;
}

Status BatchWriter::append_once(std::vector<model::Event> events) {
  const Status queued = sink_.append(std::move(events), [this](Status stored) {
    const std::lock_guard lock(mu_);
    answer_ = std::move(stored);
    answered_.notify_one();
  });
  if (!queued) return queued;
  std::unique_lock lock(mu_);
  answered_.wait(lock, [this] { return answer_.has_value(); });  // the log answers everyone, also when it stops
  return *std::exchange(answer_, std::nullopt);
}

}  // namespace millstream::connect
