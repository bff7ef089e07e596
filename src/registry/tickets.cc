#include "registry/tickets.h"

#include <filesystem>

#include "base/log_line.h"
#include "registry/columns.h"
#include "registry/private_file.h"

namespace millstream::registry {
namespace {

using model::TicketRecord;

constexpr size_t kSha256Bytes = 32;
constexpr int64_t kCleanEveryMs = 10'000;
constexpr int64_t kSchemaVersion = 2;

constexpr const char* kSchema = R"(
  CREATE TABLE IF NOT EXISTS tickets (  -- in the form of kSchemaVersion
    sha256          BLOB PRIMARY KEY,
    subject         TEXT NOT NULL,
    account         TEXT NOT NULL,
    sites           TEXT NOT NULL,  -- names joined by commas, or *
    devices         TEXT NOT NULL,  -- the same
    roles           TEXT NOT NULL,  -- joined by commas
    expires_at_ms   INTEGER,        -- of the credential
    credential      INTEGER NOT NULL,  -- Grants::credential
    topics          TEXT NOT NULL,  -- patterns joined by commas
    types           INTEGER NOT NULL,
    origin          TEXT NOT NULL,
    first_use_by_ms INTEGER NOT NULL,
    ends_at_ms      INTEGER NOT NULL,
    used            INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  PRAGMA user_version = 2;
)";
constexpr const char* kSelect =
    "SELECT subject, account, sites, devices, roles, expires_at_ms, credential, topics, types, origin, "
    "first_use_by_ms, "
    "ends_at_ms, used FROM tickets WHERE sha256 = ?";

Error refused(const char* why) { return Error{Code::unauthenticated, why}; }

struct Row {
  TicketRecord record;
  bool used = false;
};

Result<Row> find(Connection& db, std::string_view sha256) {
  Result<Statement> select = db.prepare(kSelect);
  if (!select) return select.error();
  const Result<bool> there = select->bind_bytes(sha256).step();
  if (!there) return there.error();
  if (!*there) return refused("no such ticket");
  Row row;
  TicketRecord& record = row.record;
  model::Grants& grants = record.grants;
  record.sha256 = sha256;
  grants.subject = select->bytes(0);
  if (!read_grants(*select, 1, grants) || !split_list(select->bytes(7), record.topics)) {
    return Error{Code::corrupt, "a ticket does not say clearly what it allows"};
  }
  grants.expires_at_ms = select->maybe_number(5);
  grants.credential = static_cast<uint64_t>(select->number(6));
  record.types = model::EventTypes::from_bits(static_cast<uint8_t>(select->number(8)));
  record.origin = select->bytes(9);
  record.first_use_by_ms = select->number(10);
  record.ends_at_ms = select->number(11);
  row.used = select->number(12) != 0;
  return row;
}

Status set_used(Connection& db, std::string_view sha256, bool used) {
  Result<Statement> update = db.prepare("UPDATE tickets SET used = ? WHERE sha256 = ?");
  if (!update) return update.error();
  return update->bind(int64_t{used}).bind_bytes(sha256).finish();
}

}  // namespace

Result<Connection> Tickets::open_file(const std::string& path) {
  if (Status s = make_private_file(path); !s) return s.error();
  Result<Connection> connection = Connection::open(path);
  if (!connection) return connection.error();
  if (Status s = connection->run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF");
      !s) {
    return s.error();
  }
  const Result<int64_t> version = connection->read_number("PRAGMA user_version");
  if (!version) return version.error();
  // Tickets of another version's making are not worth a conversion: whoever has one asks for another.
  if (*version != kSchemaVersion) {
    if (Status s = connection->run("DROP TABLE IF EXISTS tickets"); !s) return s.error();
  }
  if (Status s = connection->run(kSchema); !s) return s.error();
  return connection;
}

Result<std::unique_ptr<Tickets>> Tickets::open(const std::string& directory) {
  const std::string path = directory + "/tickets.db";
  if (Status s = make_private_directory(directory); !s) return s.error();
  Result<Connection> connection = open_file(path);
  if (!connection && connection.error().code == Code::corrupt) {
    log_warning("tickets.db is damaged and begun anew", {{"file", path}, {"reason", connection.error().detail}});
    std::error_code ignored;
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end, ignored);
    connection = open_file(path);
  }
  if (!connection) return Error{connection.error().code, path + ": " + connection.error().detail};
  return std::unique_ptr<Tickets>(new Tickets(std::move(*connection)));
}

Status Tickets::remove_old(Database& open, int64_t now_ms) {
  if (now_ms - open.cleaned_ms < kCleanEveryMs && open.count < kTicketsMax) return {};
  Result<Statement> remove =
      open.connection.prepare("DELETE FROM tickets WHERE ends_at_ms <= ?1 OR (used = 0 AND first_use_by_ms <= ?1)");
  if (!remove) return remove.error();
  if (Status s = remove->bind(now_ms).finish(); !s) return s;
  const Result<int64_t> count = open.connection.read_number("SELECT count(*) FROM tickets");
  if (!count) return count.error();
  open.count = *count;
  open.cleaned_ms = now_ms;
  return {};
}

Status Tickets::add(const TicketRecord& record, int64_t now_ms) {
  const model::Grants& grants = record.grants;
  if (record.sha256.size() != kSha256Bytes || grants.account.empty() || grants.roles.empty() || record.topics.empty()) {
    return Error{Code::invalid, "a ticket needs a hash, an account, a role and a topic"};
  }
  return database_.with([&](Database& open) -> Status {
    if (Status s = remove_old(open, now_ms); !s) return s;
    if (open.count >= kTicketsMax) {
      return Error{Code::unavailable, std::to_string(kTicketsMax) + " tickets are out; try again later"};
    }
    Result<Statement> insert =
        open.connection.prepare("INSERT INTO tickets VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)");
    if (!insert) return insert.error();
    insert->bind_bytes(record.sha256).bind(grants.subject);
    bind_grants(*insert, grants);
    insert->bind(grants.expires_at_ms);
    insert->bind(static_cast<int64_t>(grants.credential))
        .bind(join(record.topics))
        .bind(int64_t{record.types.bits()})
        .bind(record.origin);
    if (Status s = insert->bind(record.first_use_by_ms).bind(record.ends_at_ms).finish(); !s) return s;
    ++open.count;
    return {};
  });
}

Result<TicketRecord> Tickets::use(std::string_view sha256, bool resuming, int64_t now_ms) {
  return database_.with([&](Database& open) -> Result<TicketRecord> {
    Result<Row> row = find(open.connection, sha256);
    if (!row) return row.error();
    if (now_ms >= row->record.ends_at_ms) return refused("the ticket has ended");
    if (row->used) {
      if (!resuming) return refused("the ticket has been used");
      return std::move(row->record);
    }
    if (now_ms >= row->record.first_use_by_ms) return refused("the ticket was not used in time");
    if (Status s = set_used(open.connection, sha256, true); !s) return s.error();
    return std::move(row->record);
  });
}

Status Tickets::give_back(std::string_view sha256) {
  return database_.with([&](Database& open) { return set_used(open.connection, sha256, false); });
}

}  // namespace millstream::registry
