#include "hub/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "hub/shard.h"

namespace millstream::hub {

Session::Session(Shard& shard, std::unique_ptr<ByteSink> sink, Group& group)
    : shard_(shard), sink_(std::move(sink)), group_(group) {
  sink_->set_owner(this);
}

void Session::keep(RunPtr run, size_t taken, int64_t now_ms) {
  if (!pending_) {
    pending_ = std::make_unique<Pending>();
    pending_->since_ms = pending_->progress_at_ms = now_ms;
  }
  Pending::Item item{.run = std::move(run)};
  pending_->bytes += item.run->bytes() - taken;
  for (; taken > 0 && taken >= item.run->slices()[item.slice].iov_len; ++item.slice) {
    taken -= item.run->slices()[item.slice].iov_len;
  }
  item.offset = taken;
  pending_->items.push_back(std::move(item));
}

bool Session::is_slow(size_t more, int64_t now_ms) const {
  if (!pending_) return false;
  if (pending_->bytes + more > shard_.options_.session_queue_bytes_max) return true;
  return pending_->opening_until_ms == 0 && now_ms - pending_->since_ms >= shard_.options_.session_queue_ms_max;
}

bool Session::flush(int64_t now_ms) {
  constexpr size_t kSlicesPerWrite = 64;
  if (!pending_) return true;
  while (!pending_->items.empty()) {
    Pending::Item& item = pending_->items.front();
    const std::vector<iovec>& all = item.run->slices();
    std::array<iovec, kSlicesPerWrite> slices;
    const size_t count = std::min(kSlicesPerWrite, all.size() - item.slice);
    std::copy_n(all.begin() + static_cast<ptrdiff_t>(item.slice), count, slices.begin());
    slices[0].iov_base = static_cast<char*>(slices[0].iov_base) + item.offset;
    slices[0].iov_len -= item.offset;
    size_t offered = 0;
    for (size_t i = 0; i < count; ++i) offered += slices[i].iov_len;

    const size_t taken = sink_->write({slices.data(), count});
    if (taken > 0) pending_->progress_at_ms = now_ms;
    pending_->bytes -= taken;
    size_t left = taken + item.offset;
    item.offset = 0;
    for (; item.slice < all.size() && left >= all[item.slice].iov_len; ++item.slice) left -= all[item.slice].iov_len;
    item.offset = left;
    if (item.slice == all.size()) {
      pending_->items.pop_front();
      if (std::exchange(pending_->opening_until_ms, 0) != 0) pending_->since_ms = now_ms;
    }
    if (taken < offered) return false;
  }
  shard_.queue_age_.observe_us((now_ms - pending_->since_ms) * 1000);
  pending_.reset();
  return true;
}

void Session::on_writable() {
  const int64_t now_ms = shard_.clock_.steady_ms();
  if (flush(now_ms) && place_ == Place::behind && !reading_) shard_.make_runnable(*this);
}

void Session::on_closed() { shard_.remove(*this, Shard::End::client); }

}  // namespace millstream::hub
