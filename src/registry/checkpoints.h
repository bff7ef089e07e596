// registry/checkpoints.h: how far an engine has come, for whoever goes on in its place.
//
// Flow     Whoever holds the lease saves now and then; the next holder, whose fence is higher, loads and goes on.
// Shapes   name: the engine's. fence: the lease's number, which only rises. at: the last event in the state. The state
//          is the engine's own bytes.
// Errors   save(): Code::conflict when one with a higher fence has been saved: the lease is another's, and nothing
//          is changed. Else as registry/connection.h.
// Thread   any; blocks
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/guarded.h"
#include "model/event_id.h"
#include "registry/connection.h"
#include "registry/postgres_connection.h"

namespace millstream::registry {

struct Checkpoint {
  int64_t fence = 0;
  model::EventId at;
  std::string state;
};

class Checkpoints {
 public:
  // registry.db there. A save is a change of that file: who holds it open as a Registry reads it again.
  static Result<std::unique_ptr<Checkpoints>> open(const std::string& directory);
  static Result<std::unique_ptr<Checkpoints>> open(const PostgresOptions& postgres);

  Status save(std::string_view name, int64_t fence, model::EventId at, std::string_view state);
  Result<std::optional<Checkpoint>> load(std::string_view name);  // nothing: none was saved

 private:
  explicit Checkpoints(ConnectionPtr connection) : connection_(std::move(connection)) {}
  Guarded<ConnectionPtr> connection_;  // its own: a large state must not keep others from the registry
};

}  // namespace millstream::registry
