// app/checkpoint_copies.h: the engines' checkpoints in PostgreSQL, beside those in Redis, which may lose them.
//
// Flow     EngineRunner saves each of its checkpoints here too, and loads the newer of both when it takes over.
// Limits   one save at a time, and one that waits: the newest.
// Errors   a save that fails is logged once until one succeeds; the one before stays.
// Thread   save(): any, does not wait. load(), newest_fence(): block
#pragma once

#include <memory>
#include <optional>

#include "base/guarded.h"
#include "base/work_queue.h"
#include "log/event_log.h"
#include "registry/checkpoints.h"

namespace millstream::app {

class CheckpointCopies {
 public:
  explicit CheckpointCopies(std::unique_ptr<registry::Checkpoints> stored) : stored_(std::move(stored)) {}

  void save(uint64_t fence, const log::Checkpoint& checkpoint);
  Result<std::optional<log::Checkpoint>> load();
  // Every later fence must be above it, even if Redis has forgotten all.
  Result<uint64_t> newest_fence();
  void stop() { saver_.stop(); }  // what waits is saved

 private:
  void save_waiting();

  const std::unique_ptr<registry::Checkpoints> stored_;
  Guarded<std::optional<registry::Checkpoint>> waiting_;
  bool failing_ = false;  // of the saver's thread
  WorkQueue saver_{"ms-checkpoint", 1, 2, WorkQueue::AtStop::run};
};

}  // namespace millstream::app
