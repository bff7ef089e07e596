#include "app/checkpoint_copies.h"

#include <utility>

#include "base/log_line.h"

namespace millstream::app {
namespace {

constexpr const char* kName = "engines";

}  // namespace

void CheckpointCopies::save(uint64_t fence, const log::Checkpoint& checkpoint) {
  const bool is_first = waiting_.with([&](std::optional<registry::Checkpoint>& waiting) {
    const bool none = !waiting.has_value();
    waiting = {.fence = static_cast<int64_t>(fence), .at = checkpoint.at, .state = checkpoint.state};
    return none;
  });
  // Else a job is on its way, and takes this one.
  if (is_first) static_cast<void>(saver_.post([this] { save_waiting(); }));
}

void CheckpointCopies::save_waiting() {
  const auto checkpoint = waiting_.with([](auto& waiting) { return std::exchange(waiting, std::nullopt); });
  if (!checkpoint) return;
  const Status saved = stored_->save(kName, checkpoint->fence, checkpoint->at, checkpoint->state);
  if (!saved && !failing_) {
    log_warning("the copy of the engines' checkpoint is not stored; the older one stays",
                {{"reason", saved.error().detail}});
  }
  failing_ = !saved;
}

Result<std::optional<log::Checkpoint>> CheckpointCopies::load() {
  Result<std::optional<registry::Checkpoint>> stored = stored_->load(kName);
  if (!stored) return stored.error();
  if (!*stored) return std::optional<log::Checkpoint>();
  return std::optional<log::Checkpoint>({.at = (*stored)->at, .state = std::move((*stored)->state)});
}

Result<uint64_t> CheckpointCopies::newest_fence() {
  const Result<std::optional<registry::Checkpoint>> stored = stored_->load(kName);
  if (!stored) return stored.error();
  return *stored ? static_cast<uint64_t>((*stored)->fence) : 0;
}

}  // namespace millstream::app
