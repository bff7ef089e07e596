#include "registry/tickets.h"

#include <algorithm>
#include <filesystem>

#include "base/log_line.h"
#include "registry/columns.h"
#include "registry/private_file.h"

namespace millstream::registry {
namespace {

using model::TicketRecord;

constexpr size_t kSha256Bytes = 32;
constexpr int64_t kCleanEveryMs = 10'000;
constexpr int64_t kSchemaVersion = 3;
constexpr int64_t kPartMade = 100;  // a hundredth at once, when an account has all it may have

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
    used            INTEGER NOT NULL,
    number          INTEGER NOT NULL,  -- model::ticket_number()
    touched_at_ms   INTEGER NOT NULL   -- made, or used
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX IF NOT EXISTS tickets_by_end ON tickets (ends_at_ms);
  CREATE INDEX IF NOT EXISTS tickets_by_number ON tickets (number);
  CREATE INDEX IF NOT EXISTS tickets_by_account ON tickets (account, touched_at_ms);
  PRAGMA user_version = 3;
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

}  // namespace

Result<Tickets::Store> Tickets::open_file(const std::string& path) {
  if (Status s = make_private_file(path); !s) return s.error();
  Result<Connection> connection = Connection::open(path);
  if (!connection) return connection.error();
  if (Status s = connection->run("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF");
      !s) {
    return s.error();
  }
  const Result<int64_t> version = connection->read_number("PRAGMA user_version");
  if (!version) return version.error();
  // Nothing is written to a file that is as it should be: a full disk must not keep the server from starting. Tickets
  // of another version's making are not worth a conversion: whoever has one asks for another.
  if (*version != kSchemaVersion) {
    if (Status s = connection->run("DROP TABLE IF EXISTS tickets"); !s) return s.error();
    if (Status s = connection->run(kSchema); !s) return s.error();
  }
  Store store{std::move(*connection), {}, 0, 0};
  using Count = std::pair<std::string, int64_t>;
  const auto counts = read_rows<Count>(store.connection, "SELECT account, count(*) FROM tickets GROUP BY account",
                                       [](const Statement& row) -> Result<Count> {
                                         return Count{row.bytes(0), row.number(1)};
                                       });
  if (!counts) return counts.error();
  for (const auto& [account, count] : *counts) {
    store.of_account[account] = count;
    store.count += count;
  }
  return store;
}

Result<std::unique_ptr<Tickets>> Tickets::open(const std::string& directory, TicketLimits limits) {
  const std::string path = directory + "/tickets.db";
  if (Status s = make_private_directory(directory); !s) return s.error();
  Result<Store> store = open_file(path);
  if (!store && store.error().code == Code::corrupt) {
    log_warning("tickets.db is damaged and begun anew", {{"file", path}, {"reason", store.error().detail}});
    std::error_code ignored;
    for (const char* end : {"", "-wal", "-shm"}) std::filesystem::remove(path + end, ignored);
    store = open_file(path);
  }
  if (!store) return Error{store.error().code, path + ": " + store.error().detail};
  return std::unique_ptr<Tickets>(new Tickets(limits, std::move(*store)));
}

Status Tickets::remove(Store& store, Statement& statement) {
  while (true) {
    const Result<bool> row = statement.step();
    if (!row) return row.error();
    if (!*row) return {};
    --store.count;
    const auto found = store.of_account.find(statement.bytes(0));
    if (found != store.of_account.end() && --found->second == 0) store.of_account.erase(found);
  }
}

Status Tickets::remove_old(Store& store, int64_t now_ms) {
  if (now_ms - store.cleaned_ms < kCleanEveryMs) return {};
  store.cleaned_ms = now_ms;
  Result<Statement> old = store.connection.prepare(
      "DELETE FROM tickets WHERE ends_at_ms <= $1 OR (used = 0 AND first_use_by_ms <= $1) RETURNING account");
  return old ? remove(store, old->bind(now_ms)) : Status(old.error());
}

Status Tickets::make_room(Store& store, const std::string& account) const {
  const auto found = store.of_account.find(account);
  if (found == store.of_account.end() || found->second < limits_.tickets_per_account_max) return {};
  Result<Statement> oldest = store.connection.prepare(
      "DELETE FROM tickets WHERE sha256 IN (SELECT sha256 FROM tickets WHERE account = $1 ORDER BY touched_at_ms LIMIT "
      "$2) "
      "RETURNING account");
  return oldest ? remove(store,
                         oldest->bind(account).bind(std::max<int64_t>(1, limits_.tickets_per_account_max / kPartMade)))
                : Status(oldest.error());
}

Status Tickets::add(const TicketRecord& record, int64_t now_ms) {
  const model::Grants& grants = record.grants;
  if (record.sha256.size() != kSha256Bytes || grants.account.empty() || grants.roles.empty() || record.topics.empty()) {
    return Error{Code::invalid, "a ticket needs a hash, an account, a role and a topic"};
  }
  return store_.with([&](Store& store) -> Status {
    if (Status s = remove_old(store, now_ms); !s) return s;
    if (Status s = make_room(store, grants.account.text()); !s) return s;
    if (store.count >= limits_.tickets_max) {
      return Error{Code::unavailable, std::to_string(limits_.tickets_max) + " tickets are out; try again later"};
    }
    Result<Statement> insert = store.connection.prepare(
        "INSERT INTO tickets (sha256, subject, account, sites, devices, roles, expires_at_ms, credential, topics, "
        "types, "
        "origin, first_use_by_ms, ends_at_ms, used, number, touched_at_ms) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0, $14, $15)");
    if (!insert) return insert.error();
    insert->bind_bytes(record.sha256).bind(grants.subject);
    bind_grants(*insert, grants);
    insert->bind(grants.expires_at_ms).bind(static_cast<int64_t>(grants.credential)).bind(join(record.topics));
    insert->bind(int64_t{record.types.bits()}).bind(record.origin).bind(record.first_use_by_ms).bind(record.ends_at_ms);
    insert->bind(static_cast<int64_t>(model::ticket_number(record.sha256))).bind(now_ms);
    if (Status s = insert->finish(); !s) return s;
    ++store.count;
    ++store.of_account[grants.account.text()];
    return {};
  });
}

Result<TicketRecord> Tickets::use(std::string_view sha256, bool resuming, int64_t now_ms) {
  return store_.with([&](Store& store) -> Result<TicketRecord> {
    Result<Row> row = find(store.connection, sha256);
    if (!row) return row.error();
    if (now_ms >= row->record.ends_at_ms) return refused("the ticket has ended");
    if (row->used && !resuming) return refused("the ticket has been used");
    if (!row->used && now_ms >= row->record.first_use_by_ms) return refused("the ticket was not used in time");
    Result<Statement> update =
        store.connection.prepare("UPDATE tickets SET used = 1, touched_at_ms = $1 WHERE sha256 = $2");
    if (!update) return update.error();
    const Status noted = update->bind(now_ms).bind_bytes(sha256).finish();
    // Of a browser that comes back it would only say when: a full disk must not end its stream for good.
    if (!noted && !(row->used && noted.error().code == Code::storage_full)) return noted.error();
    return std::move(row->record);
  });
}

Status Tickets::renew(uint64_t number, const model::Grants& grants, const std::vector<model::TopicPattern>& topics,
                      int64_t ends_at_ms) {
  return store_.with([&](Store& store) -> Status {
    Result<Statement> update = store.connection.prepare(
        "UPDATE tickets SET subject = $1, account = $2, sites = $3, devices = $4, roles = $5, expires_at_ms = $6, "
        "credential = $7, topics = $8, ends_at_ms = $9 WHERE number = $10 AND account = $2");
    if (!update) return update.error();
    update->bind(grants.subject);
    bind_grants(*update, grants);
    update->bind(grants.expires_at_ms).bind(static_cast<int64_t>(grants.credential)).bind(join(topics));
    return update->bind(ends_at_ms).bind(static_cast<int64_t>(number)).finish();
  });
}

Status Tickets::give_back(std::string_view sha256) {
  return store_.with([&](Store& store) -> Status {
    Result<Statement> update = store.connection.prepare("UPDATE tickets SET used = 0 WHERE sha256 = $1");
    return update ? update->bind_bytes(sha256).finish() : Status(update.error());
  });
}

}  // namespace millstream::registry
