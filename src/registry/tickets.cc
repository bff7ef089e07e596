#include "registry/tickets.h"

#include <algorithm>
#include <filesystem>

#include "base/log_line.h"
#include "registry/columns.h"
#include "registry/private_file.h"
#include "registry/schema.h"
#include "registry/sqlite_connection.h"

namespace millstream::registry {
namespace {

using model::TicketRecord;

constexpr size_t kSha256Bytes = 32;
constexpr int64_t kCleanEveryMs = 10'000;
constexpr int64_t kPartMade = 100;  // a hundredth at once, when an account has all it may have

constexpr const char* kColumns =
    "subject, account, sites, devices, roles, expires_at_ms, credential, topics, types, origin, first_use_by_ms, "
    "ends_at_ms, used";

Error refused(const char* why) { return Error{Code::unauthenticated, why}; }

struct Row {
  TicketRecord record;
  bool used = false;
};

// Of a statement that has kColumns.
Result<Row> read_row(const Statement& columns, std::string_view sha256) {
  Row row;
  TicketRecord& record = row.record;
  model::Grants& grants = record.grants;
  record.sha256 = sha256;
  grants.subject = columns.bytes(0);
  if (!read_grants(columns, 1, grants) || !split_list(columns.bytes(7), record.topics)) {
    return Error{Code::corrupt, "a ticket does not say clearly what it allows"};
  }
  grants.expires_at_ms = columns.maybe_number(5);
  grants.credential = static_cast<uint64_t>(columns.number(6));
  record.types = model::EventTypes::from_bits(static_cast<uint8_t>(columns.number(8)));
  record.origin = columns.bytes(9);
  record.first_use_by_ms = columns.number(10);
  record.ends_at_ms = columns.number(11);
  row.used = columns.number(12) != 0;
  return row;
}

Result<std::optional<Row>> find(Connection& db, std::string_view sha256) {
  static const std::string kSelect = std::string("SELECT ") + kColumns + " FROM tickets WHERE sha256 = $1";
  Result<Statement> select = db.prepare(kSelect.c_str());
  if (!select) return select.error();
  const Result<bool> there = select->bind_bytes(sha256).step();
  if (!there) return there.error();
  if (!*there) return std::optional<Row>();
  Result<Row> row = read_row(*select, sha256);
  return row ? Result<std::optional<Row>>(std::move(*row)) : Result<std::optional<Row>>(row.error());
}

// One statement, so that of all servers that are shown a ticket at once one lets it in. Nothing: it is not good.
Result<std::optional<Row>> take(Connection& db, std::string_view sha256, bool resuming, int64_t now_ms) {
  static const std::string kTake =
      std::string(
          "UPDATE tickets SET used = 1, touched_at_ms = $1 WHERE sha256 = $2 AND ends_at_ms > $1 AND "
          "((used = 0 AND first_use_by_ms > $1) OR (used = 1 AND $3 = 1)) RETURNING ") +
      kColumns;
  Result<Statement> update = db.prepare(kTake.c_str());
  if (!update) return update.error();
  const Result<bool> taken = update->bind(now_ms).bind_bytes(sha256).bind(int64_t{resuming}).step();
  if (!taken) return taken.error();
  if (!*taken) return std::optional<Row>();
  Result<Row> row = read_row(*update, sha256);
  if (Status stored = update->finish(); !stored) return stored.error();
  return row ? Result<std::optional<Row>>(std::move(*row)) : Result<std::optional<Row>>(row.error());
}

// For the log.
const char* why_not(const std::optional<Row>& row, int64_t now_ms) {
  if (!row) return "no such ticket";
  if (now_ms >= row->record.ends_at_ms) return "the ticket has ended";
  return row->used ? "the ticket has been used" : "the ticket was not used in time";
}

}  // namespace

Status Tickets::count_all(Store& store) {
  using Count = std::pair<std::string, int64_t>;
  const auto counts = read_rows<Count>(*store.connection, "SELECT account, count(*) FROM tickets GROUP BY account",
                                       [](const Statement& row) -> Result<Count> {
                                         return Count{row.bytes(0), row.number(1)};
                                       });
  if (!counts) return counts.error();
  store.of_account.clear();
  store.count = 0;
  for (const auto& [account, count] : *counts) {
    store.of_account[account] = count;
    store.count += count;
  }
  return {};
}

Result<Tickets::Store> Tickets::open_file(const std::string& path) {
  if (Status s = make_private_file(path); !s) return s.error();
  Result<ConnectionPtr> connection = open_sqlite(path);
  if (!connection) return connection.error();
  if (Status s = make_ticket_schema(**connection); !s) return s.error();
  Store store{std::move(*connection), {}, 0, 0};
  if (Status s = count_all(store); !s) return s.error();
  return store;
}

Result<std::unique_ptr<Tickets>> Tickets::open(const PostgresOptions& postgres, TicketLimits limits) {
  Store store{make_postgres_connection(postgres), {}, 0, 0};
  if (Status s = make_postgres_schema(*store.connection, postgres.schema); !s) return s.error();
  if (Status s = count_all(store); !s) return s.error();
  return std::unique_ptr<Tickets>(new Tickets(limits, std::move(store)));
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
  Result<Statement> old = store.connection->prepare(
      "DELETE FROM tickets WHERE ends_at_ms <= $1 OR (used = 0 AND first_use_by_ms <= $1) RETURNING account");
  if (!old) return old.error();
  if (Status s = remove(store, old->bind(now_ms)); !s) return s;
  return store.connection->is_shared() ? count_all(store) : Status();
}

Status Tickets::make_room(Store& store, const std::string& account) const {
  const auto found = store.of_account.find(account);
  if (found == store.of_account.end() || found->second < limits_.tickets_per_account_max) return {};
  Result<Statement> oldest = store.connection->prepare(
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
    Result<Statement> insert = store.connection->prepare(
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
    Result<std::optional<Row>> taken = take(*store.connection, sha256, resuming, now_ms);
    if (taken && *taken) return std::move((*taken)->record);
    const bool full = !taken && taken.error().code == Code::storage_full;
    if (!taken && !full) return taken.error();
    Result<std::optional<Row>> row = find(*store.connection, sha256);
    if (!row) return row.error();
    if (!full) return refused(why_not(*row, now_ms));
    // Of a browser that comes back it would only say when: a full disk must not end its stream for good.
    const bool comes_back = *row && (*row)->used && resuming && now_ms < (*row)->record.ends_at_ms;
    return comes_back ? Result<TicketRecord>(std::move((*row)->record)) : Result<TicketRecord>(taken.error());
  });
}

Status Tickets::renew(uint64_t number, const model::Grants& grants, const std::vector<model::TopicPattern>& topics,
                      int64_t ends_at_ms) {
  return store_.with([&](Store& store) -> Status {
    Result<Statement> update = store.connection->prepare(
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
    Result<Statement> update = store.connection->prepare("UPDATE tickets SET used = 0 WHERE sha256 = $1");
    return update ? update->bind_bytes(sha256).finish() : Status(update.error());
  });
}

}  // namespace millstream::registry
