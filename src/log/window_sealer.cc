#include "log/window_sealer.h"

#include <algorithm>
#include <utility>

#include "base/log_line.h"

namespace millstream::log {

WindowSealer::WindowSealer(SealingOptions options, HourFiles& files, metrics::Registry& metrics)
    : options_(options),
      files_(files),
      unsealed_(metrics.gauge("millstream_log_unsealed_events", "Telemetry events that are not in chunks yet")),
      sealed_events_(metrics.counter("millstream_log_sealed_events_total", "Telemetry events put into chunks")),
      sealed_bytes_(metrics.counter("millstream_log_sealed_bytes_total", "Bytes of chunks stored")),
      unsealable_(metrics.counter("millstream_log_unsealable_hours_total", "Hour files with a damaged block")),
      thread_("log-seal", 1, 1, WorkQueue::AtStop::drop, WorkQueue::Priority::background) {}

void WindowSealer::stop() { thread_.stop(); }

bool WindowSealer::finished(const HourWriter& writer) const {
  if (damaged_.contains(writer.hour())) return true;
  return writer.unsealed().last.is_zero() && !writer.has_sealed_blocks() && !writer.has_free_pages();
}

Status WindowSealer::step(const std::vector<SealableHour>& hours, int64_t now_ms, int64_t steady_ms) {
  size_t unsealed = 0;
  for (const SealableHour& hour : hours) unsealed += hour.writer.unsealed().events;
  unsealed_.set(static_cast<int64_t>(unsealed));
  busy_ = false;
  if (steady_ms < not_before_ms_) return {};
  take_made(steady_ms);
  const auto find = [&hours](auto is_it) {
    const auto found = std::find_if(hours.begin(), hours.end(), is_it);
    return found == hours.end() ? nullptr : &*found;
  };
  const auto has_sealed_blocks = [this](const SealableHour& hour) {
    return hour.writer.has_sealed_blocks() && !damaged_.contains(hour.writer.hour());
  };
  const auto is_too_large = [this](const SealableHour& hour) {
    return hour.over && !damaged_.contains(hour.writer.hour()) && hour.writer.unsealed().last.is_zero() &&
           hour.writer.has_free_pages();
  };
  Status done;
  int64_t at = 0;  // the hour
  if (storing_) {
    at = storing_->hour;
    // The file may be gone meanwhile, for retention or damage, and another one have its name: an id is in one only.
    const SealableHour* into = find([&](const SealableHour& hour) {
      return hour.writer.hour() == storing_->hour && hour.writer.unsealed().first == storing_->window.first;
    });
    if (into) done = store_slice(into->writer);
    if (!into) storing_.reset();
  } else if (const SealableHour* from = find(has_sealed_blocks)) {
    at = from->writer.hour();
    done = from->writer.drop_sealed_blocks();
  } else if (const SealableHour* large = find(is_too_large)) {
    at = large->writer.hour();
    done = large->writer.give_back_pages();
  }
  if (!done && done.error().code == Code::corrupt) {
    give_up(at, done.error());
    return {};
  }
  if (!done) {
    not_before_ms_ = steady_ms + kRetryMs;
    const bool passes = done.error().code == Code::storage_full || done.error().code == Code::unavailable;
    return passes ? Status() : done;
  }
  busy_ = storing_.has_value() || find(has_sealed_blocks) || find(is_too_large);
  if (making_ || busy_) return {};
  const SealableHour* due = find([&](const SealableHour& hour) { return is_due(hour, now_ms); });
  if (due) begin(due->writer.hour());
  return {};
}

bool WindowSealer::is_due(const SealableHour& hour, int64_t now_ms) const {
  const HourWriter::Unsealed& open = hour.writer.unsealed();
  if (open.last.is_zero() || damaged_.contains(hour.writer.hour())) return false;
  if (hour.over || open.events >= options_.window.events_max || open.bytes >= options_.window.bytes_max) return true;
  if (open.events >= options_.events_min && open.events >= options_.events_of_a_device * hour.writer.topics()) {
    return true;
  }
  return now_ms - std::max(open.after, ids_of_hour(hour.writer.hour()).after).ms >= options_.age_ms;
}

void WindowSealer::begin(int64_t hour) {
  making_ = thread_.post([this, hour] {
    Made made{.hour = hour, .window = WindowChunks{}};
    const Status read = files_.read(hour, [&](HourReader& reader) -> Status {
      made.window = make_window_chunks(reader, options_.window);
      return made.window ? Status() : Status(made.window.error());
    });
    if (!read) made.window = read.error();
    made_.with([&](std::optional<Made>& slot) { slot = std::move(made); });
  });
}

// One damaged file is no reason to stop writing the others.
void WindowSealer::give_up(int64_t hour, const Error& error) {
  if (storing_ && storing_->hour == hour) storing_.reset();
  damaged_.insert(hour);
  unsealable_.add();
  log_error("an hour's telemetry cannot be sealed and stays as it is", {{"hour", hour}, {"reason", error.detail}});
}

void WindowSealer::take_made(int64_t steady_ms) {
  std::optional<Made> made = made_.with([](std::optional<Made>& slot) { return std::exchange(slot, std::nullopt); });
  if (!made) return;
  making_ = false;
  if (!made->window && made->window.error().code == Code::corrupt) {
    give_up(made->hour, made->window.error());
  } else if (!made->window) {
    not_before_ms_ = steady_ms + kRetryMs;
    log_warning("telemetry could not be sealed yet", {{"reason", made->window.error().detail}});
  } else if (!made->window->rows.empty()) {
    storing_ = Storing{.hour = made->hour, .window = std::move(*made->window)};
  }
}

Status WindowSealer::store_slice(HourWriter& writer) {
  Storing& work = *storing_;
  const std::vector<ChunkRow>& rows = work.window.rows;
  size_t bytes = 0;
  size_t end = work.stored;
  while (end < rows.size() && bytes < kSliceBytes) {
    bytes += rows[end].data.size() + rows[end].sums.size();
    ++end;
  }
  if (end > work.stored) {
    if (Status s = writer.store_chunks({rows.data() + work.stored, end - work.stored}); !s) return s;
    work.stored = end;
    sealed_bytes_.add(bytes);
    if (end < rows.size()) return {};
  }
  if (Status s =
          writer.close_window({.first = work.window.first, .through = work.window.through, .chunks = rows.size()});
      !s) {
    return s;
  }
  sealed_events_.add(work.window.events);
  storing_.reset();
  return {};
}

}  // namespace millstream::log
