#include "registry/checkpoints.h"

#include "registry/private_file.h"
#include "registry/schema.h"
#include "registry/sqlite_connection.h"

namespace millstream::registry {

Result<std::unique_ptr<Checkpoints>> Checkpoints::open(const std::string& directory) {
  const std::string path = directory + "/registry.db";
  if (Status s = make_private_directory(directory); !s) return s.error();
  if (Status s = make_private_file(path); !s) return s.error();
  Result<ConnectionPtr> connection = open_sqlite(path);
  if (!connection) return connection.error();
  if (Status s = make_registry_schema(**connection); !s) return Error{s.error().code, path + ": " + s.error().detail};
  return std::unique_ptr<Checkpoints>(new Checkpoints(std::move(*connection)));
}

Result<std::unique_ptr<Checkpoints>> Checkpoints::open(const PostgresOptions& postgres) {
  ConnectionPtr connection = make_postgres_connection(postgres);
  if (Status s = make_postgres_schema(*connection, postgres.schema); !s) return s.error();
  return std::unique_ptr<Checkpoints>(new Checkpoints(std::move(connection)));
}

Status Checkpoints::save(std::string_view name, int64_t fence, model::EventId at, std::string_view state) {
  return connection_.with([&](const ConnectionPtr& db) -> Status {
    Result<Statement> row = db->prepare(
        "INSERT INTO checkpoints (name, fence, at_ms, at_seq, state) VALUES ($1, $2, $3, $4, $5) "
        "ON CONFLICT (name) DO UPDATE SET fence = excluded.fence, at_ms = excluded.at_ms, at_seq = excluded.at_seq, "
        "state = excluded.state WHERE checkpoints.fence <= excluded.fence");
    if (!row) return row.error();
    row->bind(name).bind(fence).bind(at.ms).bind(static_cast<int64_t>(at.seq));
    if (Status s = row->bind_bytes(state).finish(); !s) return s;
    if (db->changes() > 0) return {};
    return Error{Code::conflict, "checkpoint \"" + std::string(name) + "\": another holder has saved a later one"};
  });
}

Result<std::optional<Checkpoint>> Checkpoints::load(std::string_view name) {
  return connection_.with([&](const ConnectionPtr& db) -> Result<std::optional<Checkpoint>> {
    Result<Statement> row = db->prepare("SELECT fence, at_ms, at_seq, state FROM checkpoints WHERE name = $1");
    if (!row) return row.error();
    const Result<bool> there = row->bind(name).step();
    if (!there) return there.error();
    if (!*there) return std::optional<Checkpoint>();
    Checkpoint checkpoint{.fence = row->number(0), .at = {}, .state = row->bytes(3)};
    checkpoint.at.ms = row->number(1);
    checkpoint.at.seq = static_cast<decltype(checkpoint.at.seq)>(row->number(2));
    return std::optional(std::move(checkpoint));
  });
}

}  // namespace millstream::registry
