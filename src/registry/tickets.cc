#include "registry/tickets.h"

#include <filesystem>

#include "base/log_line.h"
#include "model/api_key.h"
#include "registry/columns.h"
#include "registry/private_file.h"

namespace millstream::registry {
namespace {

using model::TicketRecord;

constexpr size_t kSha256Bytes = 32;
constexpr int64_t kCleanEveryMs = 10'000;

constexpr const char* kSchema = R"(
  CREATE TABLE IF NOT EXISTS tickets (
    sha256          BLOB PRIMARY KEY,
    subject         TEXT NOT NULL,
    account         TEXT NOT NULL,
    sites           TEXT NOT NULL,  -- names joined by commas, or *
    devices         TEXT NOT NULL,  -- the same
    roles           TEXT NOT NULL,  -- joined by commas
    expires_at_ms   INTEGER,        -- of the credential
    leeway_ms       INTEGER NOT NULL,
    topics          TEXT NOT NULL,  -- patterns joined by commas
    types           INTEGER NOT NULL,
    origin          TEXT NOT NULL,
    first_use_by_ms INTEGER NOT NULL,
    ends_at_ms      INTEGER NOT NULL,
    used            INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
)";
constexpr const char* kSelect =
    "SELECT subject, account, sites, devices, roles, expires_at_ms, leeway_ms, topics, types, origin, first_use_by_ms, "
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
  Result<model::AccountId> account = model::AccountId::parse(select->bytes(1));
  const bool good = account.ok() && split_names(select->bytes(2), grants.sites) &&
                    split_names(select->bytes(3), grants.devices) && split_roles(select->bytes(4), grants.roles) &&
                    split_list(select->bytes(7), record.topics);
  if (!good) return Error{Code::corrupt, "a ticket does not say clearly what it allows"};
  grants.account = std::move(*account);
  if (!select->is_null(5)) grants.expires_at_ms = select->number(5);
  grants.leeway_ms = select->number(6);
  if (const std::string_view key_id = model::key_id_of(grants.subject); !key_id.empty()) {
    grants.api_key = model::api_key_number(key_id);
  }
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
    insert->bind_bytes(record.sha256).bind(grants.subject).bind(grants.account.text());
    insert->bind(join(grants.sites)).bind(join(grants.devices)).bind(join(grants.roles));
    if (grants.expires_at_ms) {
      insert->bind(*grants.expires_at_ms);
    } else {
      insert->bind_null();
    }
    insert->bind(grants.leeway_ms).bind(join(record.topics)).bind(int64_t{record.types.bits()}).bind(record.origin);
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
