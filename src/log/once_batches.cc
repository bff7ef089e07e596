#include "log/once_batches.h"

#include "base/log_line.h"
#include "log/once_errors.h"

namespace millstream::log {

OnceBatches::OnceBatches(HourFiles& files, size_t keys_max, metrics::Registry& registry)
    : files_(files),
      keys_(keys_max),
      repeated_(registry.counter("millstream_log_repeated_batches_total",
                                 "Batches not stored again, because their key was known")),
      remembered_(registry.gauge("millstream_log_once_keys", "Idempotency keys remembered")) {}

Status OnceBatches::load(int64_t first_hour) {
  for (const HourSpan& span : files_.spans()) {
    if (span.hour < first_hour) continue;
    const Status loaded = files_.read(span.hour, [&](HourReader& reader) -> Status {
      const Result<std::vector<Once::Key>> keys = read_once_keys(reader.database());
      if (!keys) return keys.error();
      for (const Once::Key& key : *keys) keys_.add(span.hour, key);
      return {};
    });
    if (!loaded && loaded.error().code != Code::corrupt) return loaded.error();
    if (!loaded) {
      log_error("DAMAGED HOUR FILE: not all idempotency keys of it are known",
                {{"hour", span.hour}, {"reason", loaded.error().detail}});
    }
  }
  show_size();
  return {};
}

Result<std::optional<StoredOnce>> OnceBatches::find(const Once::Key& key) {
  for (const int64_t hour : keys_.hours_with(key)) {
    std::optional<StoredOnce> stored;
    const Status looked = files_.read(hour, [&](HourReader& reader) -> Status {
      Result<std::optional<StoredOnce>> row = read_once(reader.database(), key);
      if (!row) return row.error();
      stored = std::move(*row);
      return {};
    });
    if (!looked) return looked.error();
    if (stored) return stored;
  }
  return std::optional<StoredOnce>();
}

void OnceBatches::answer(const WaitingAppend& append, Result<AppendReceipt> receipt) const {
  if (append.done) append.done(std::move(receipt));
}

void OnceBatches::answer_stored(const WaitingAppend& append, const Once& stored, AppendReceipt receipt) {
  if (append.once->content != stored.content) {
    return answer(append, key_of_other_content());
  }
  repeated_.add();
  receipt.repeated = stored.answer;
  answer(append, std::move(receipt));
}

bool OnceBatches::is_new(WaitingAppend& append, const Places& places) {
  if (const auto found = places.find(append.once->key); found != places.end()) {
    repeats_.push_back({.of = found->second, .append = std::move(append)});
    return false;
  }
  Result<std::optional<StoredOnce>> stored = find(append.once->key);
  if (stored && !*stored && !append.events.empty()) {
    const Status room = keys_.room_for(append.once->key);
    if (!room) answer(append, room.error());
    return room.ok();
  }
  if (!stored) {
    answer(append, stored.error());
  } else if (*stored) {
    answer_stored(append, (*stored)->once, (*stored)->receipt);
  } else {
    answer(append, nothing_under_key());
  }
  return false;
}

void OnceBatches::take_out(std::vector<WaitingAppend>& appends) {
  Places places;
  std::vector<WaitingAppend> left;
  left.reserve(appends.size());
  for (WaitingAppend& append : appends) {
    if (append.once) {
      if (!is_new(append, places)) continue;
      places.emplace(append.once->key, left.size());
    }
    left.push_back(std::move(append));
  }
  appends = std::move(left);
}

std::vector<OnceRow> OnceBatches::rows(std::span<const WaitingAppend> appends,
                                       std::span<const AppendReceipt> receipts) {
  std::vector<OnceRow> rows;
  for (size_t i = 0; i < appends.size(); ++i) {
    if (!appends[i].once) continue;
    rows.push_back({.once = &*appends[i].once, .first = receipts[i].first, .last = receipts[i].last});
  }
  return rows;
}

void OnceBatches::committed(int64_t hour, std::span<const WaitingAppend> appends,
                            std::span<const AppendReceipt> receipts) {
  for (const WaitingAppend& append : appends) {
    if (append.once) keys_.add(hour, append.once->key);
  }
  for (const Repeat& repeat : repeats_) answer_stored(repeat.append, *appends[repeat.of].once, receipts[repeat.of]);
  repeats_.clear();
  show_size();
}

void OnceBatches::failed(const Error& error) {
  for (const Repeat& repeat : repeats_) answer(repeat.append, error);
  repeats_.clear();
}

void OnceBatches::forget(int64_t hour) {
  keys_.forget(hour);
  show_size();
}

void OnceBatches::forget_before(int64_t hour) {
  keys_.forget_before(hour);
  show_size();
}

void OnceBatches::show_size() { remembered_.set(static_cast<int64_t>(keys_.size())); }

}  // namespace millstream::log
