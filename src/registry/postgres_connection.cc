#include "registry/postgres_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <unordered_map>

#include "base/clock.h"
#include "base/log_line.h"
#include "base/time_text.h"

namespace millstream::registry {
namespace {

constexpr int64_t kRestMs = 1'000;
constexpr int kAttemptsMax = 5;  // of a transaction that the server wants tried again

struct Finish {
  void operator()(PGconn* connection) const { PQfinish(connection); }
};
struct Clear {
  void operator()(PGresult* result) const { PQclear(result); }
};
struct FreeParts {
  void operator()(PQconninfoOption* parts) const { PQconninfoFree(parts); }
};
using ConnPtr = std::unique_ptr<PGconn, Finish>;
using ResultPtr = std::unique_ptr<PGresult, Clear>;
using PartsPtr = std::unique_ptr<PQconninfoOption, FreeParts>;

// ---- URLs ----

PartsPtr parts_of(const std::string& url) {
  if (!url.starts_with("postgresql://") && !url.starts_with("postgres://")) return nullptr;
  char* why = nullptr;  // quotes what it does not understand, which may be the password
  PartsPtr parts(PQconninfoParse(url.c_str(), &why));
  PQfreemem(why);
  return parts;
}

std::string part(const PartsPtr& parts, std::string_view name) {
  for (const PQconninfoOption* each = parts.get(); each && each->keyword; ++each) {
    if (name == each->keyword && each->val) return each->val;
  }
  return {};
}

std::vector<std::string> split(const std::string& list) {
  std::vector<std::string> items(1);
  for (const char c : list) {
    if (c == ',') {
      items.emplace_back();
    } else {
      items.back() += c;
    }
  }
  return items;
}

// libpq turns to the next host only when the one before has refused, not when it is silent: each gets its share of the
// time here.
struct Host {
  std::string name;
  std::string address;
  std::string port;
};
std::vector<Host> hosts_of(const std::string& url) {
  const PartsPtr parts = parts_of(url);
  const std::vector<std::string> names = split(part(parts, "host")), addresses = split(part(parts, "hostaddr")),
                                 ports = split(part(parts, "port"));
  std::vector<Host> hosts;
  for (size_t i = 0; i < std::max(names.size(), addresses.size()); ++i) {
    const auto at = [i](const std::vector<std::string>& items) { return i < items.size() ? items[i] : std::string(); };
    hosts.push_back({at(names), at(addresses), ports.size() == 1 ? ports.front() : at(ports)});
  }
  return hosts;
}

// ---- words and codes ----

std::string one_line(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
  std::string line;
  for (const char c : text) line.append(c == '\n' ? "; " : std::string(1, c == '\t' ? ' ' : c));
  return line;
}

// What a SQLSTATE means to whoever asked.
Code code_of(std::string_view state) {
  constexpr std::string_view kAway[] = {"08", "57", "53", "55", "40"};  // connection, operator, resources, locks, retry
  if (state == "53100") return Code::storage_full;
  if (state == "25006") return Code::unavailable;  // read only: a standby now
  if (state.starts_with("XX00") && state != "XX000") return Code::corrupt;
  if (state.starts_with("23")) return Code::conflict;
  if (state.starts_with("22")) return Code::invalid;
  if (std::any_of(std::begin(kAway), std::end(kAway), [&](auto kind) { return state.starts_with(kind); })) {
    return Code::unavailable;
  }
  return Code::internal;
}

bool asks_for_another_try(std::string_view state) { return state == "40001" || state == "40P01"; }

// A value on its way: numbers as text, so that the server chooses their width; the rest as its bytes.
struct Value {
  std::optional<std::string> text;
  bool binary = false;
};

int64_t whole_number(const char* bytes, int size) {
  uint64_t number = 0;
  for (int i = 0; i < size; ++i) number = number << 8 | static_cast<unsigned char>(bytes[i]);
  if (size == 4) return static_cast<int32_t>(number);
  if (size == 2) return static_cast<int16_t>(number);
  return static_cast<int64_t>(number);
}

// ---- the connection ----

class PostgresConnection final : public Connection {
 public:
  explicit PostgresConnection(PostgresOptions options) : options_(std::move(options)), hosts_(hosts_of(options_.url)) {}

  Status run(const char* sql) override {
    const Result<ResultPtr> done = call([&](PGconn* c) { return PQsendQuery(c, sql); });
    return done ? Status() : Status(done.error());
  }

  Result<Statement> prepare(const char* sql) override;
  int64_t changes() const override { return changes_; }
  Status in_transaction(const std::function<Status()>& f) override;
  bool is_shared() const override { return true; }

  Result<Versions> versions() override {
    using Entry = std::pair<std::string, int64_t>;
    const auto rows =
        read_rows<Entry>(*this, "SELECT name, number FROM changes", [](const Statement& row) -> Result<Entry> {
          return Entry{row.bytes(0), row.number(1)};
        });
    if (!rows) return rows.error();
    return Versions(rows->begin(), rows->end());
  }

  Result<ResultPtr> execute(const char* sql, const std::vector<Value>& values);

 private:
  using Send = std::function<int(PGconn*)>;
  enum class State { none, open, lost };  // of the transaction

  Status connect();
  Status connect_to(const Host& host, int64_t deadline_ms);
  Status be_connected();
  Result<ResultPtr> call(const Send& send);
  Result<ResultPtr> call_connected(const Send& send);
  Result<ResultPtr> exchange(const Send& send, int64_t deadline_ms);
  Status flush(int64_t deadline_ms);
  Result<ResultPtr> collect(int64_t deadline_ms);
  Status judge(const ResultPtr& result);
  Status transact_once(const std::function<Status()>& f);
  bool wait(short events, int64_t deadline_ms) const;
  void drop();
  Error lost();
  Error too_slow();
  Error away(const std::string& why);

  const PostgresOptions options_;
  const std::vector<Host> hosts_;
  const SystemClock clock_;
  ConnPtr connection_;
  std::unordered_map<const char*, std::string> prepared_;  // names, by their SQL
  State transaction_ = State::none;
  bool try_again_ = false;  // the server has asked for it
  int64_t changes_ = 0;
  bool has_answered_ = false;  // ever
  bool is_away_ = false;       // and the log says so
  int64_t resting_until_ms_ = 0;
  std::optional<Error> rest_because_;
};

class PostgresStatement final : public Statement::Adapter {
 public:
  PostgresStatement(PostgresConnection& connection, const char* sql) : connection_(connection), sql_(sql) {}

  void bind_number(std::optional<int64_t> number) override {
    values_.push_back({number ? std::optional(std::to_string(*number)) : std::nullopt, false});
  }
  void bind_text(std::string_view text) override { values_.push_back({std::string(text), true}); }
  void bind_bytes(std::string_view bytes) override { values_.push_back({std::string(bytes), true}); }

  Result<bool> step() override {
    if (!result_) {
      Result<ResultPtr> done = connection_.execute(sql_, values_);
      if (!done) return done.error();
      result_ = std::move(*done);
    } else {
      ++row_;
    }
    return row_ < PQntuples(result_.get());
  }
  std::optional<int64_t> number(int column) const override {
    if (PQgetisnull(result_.get(), row_, column) != 0) return std::nullopt;
    return whole_number(PQgetvalue(result_.get(), row_, column), PQgetlength(result_.get(), row_, column));
  }
  std::string bytes(int column) const override {
    if (PQgetisnull(result_.get(), row_, column) != 0) return {};
    return {PQgetvalue(result_.get(), row_, column), static_cast<size_t>(PQgetlength(result_.get(), row_, column))};
  }

 private:
  PostgresConnection& connection_;
  const char* sql_;
  std::vector<Value> values_;
  ResultPtr result_;
  int row_ = 0;
};

Result<Statement> PostgresConnection::prepare(const char* sql) {
  return Statement(std::make_unique<PostgresStatement>(*this, sql));
}

Result<ResultPtr> PostgresConnection::execute(const char* sql, const std::vector<Value>& values) {
  // Once, at the beginning: what is prepared goes with the connection.
  if (Status s = be_connected(); !s) return s.error();
  auto known = prepared_.find(sql);
  if (known == prepared_.end()) {
    const std::string name = "s" + std::to_string(prepared_.size());
    const auto made = call_connected([&](PGconn* c) { return PQsendPrepare(c, name.c_str(), sql, 0, nullptr); });
    if (!made) return made.error();
    known = prepared_.emplace(sql, name).first;
  }
  std::vector<const char*> texts;
  std::vector<int> sizes, formats;
  for (const Value& value : values) {
    texts.push_back(value.text ? value.text->c_str() : nullptr);
    sizes.push_back(value.text ? static_cast<int>(value.text->size()) : 0);
    formats.push_back(value.binary ? 1 : 0);
  }
  constexpr int kBinaryRows = 1;
  return call_connected([&, name = known->second](PGconn* c) {
    return PQsendQueryPrepared(c, name.c_str(), static_cast<int>(values.size()), texts.data(), sizes.data(),
                               formats.data(), kBinaryRows);
  });
}

Status PostgresConnection::in_transaction(const std::function<Status()>& f) {
  for (int attempt = 1;; ++attempt) {
    try_again_ = false;
    Status done = transact_once(f);
    transaction_ = State::none;
    if (done || !try_again_ || attempt == kAttemptsMax) return done;
  }
}

Status PostgresConnection::transact_once(const std::function<Status()>& f) {
  const std::string begin =
      "BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('millstream/" + options_.schema + "', 0))";
  if (Status s = be_connected(); !s) return s;
  transaction_ = State::open;
  Status done = run(begin.c_str());
  if (done) done = f();
  if (done) {
    const Result<ResultPtr> committed = call([](PGconn* c) { return PQsendQuery(c, "COMMIT"); });
    if (!committed) done = committed.error();
    // What f passed over has spoiled the transaction all the same.
    if (committed && std::string_view(PQcmdStatus(committed->get())) != "COMMIT") {
      done = Error{Code::internal, "registry: a statement failed, and the transaction with it"};
    }
  }
  if (!done && transaction_ == State::open) static_cast<void>(run("ROLLBACK"));
  return done;
}

// ---- calls ----

Result<ResultPtr> PostgresConnection::call(const Send& send) {
  if (Status s = be_connected(); !s) return s.error();
  return call_connected(send);
}

Result<ResultPtr> PostgresConnection::call_connected(const Send& send) {
  Result<ResultPtr> result = exchange(send, clock_.steady_ms() + options_.timeout_ms);
  if (!result) return result;
  if (Status s = judge(*result); !s) return s.error();
  return result;
}

Result<ResultPtr> PostgresConnection::exchange(const Send& send, int64_t deadline_ms) {
  if (send(connection_.get()) == 0) return lost();
  if (Status s = flush(deadline_ms); !s) return s.error();
  return collect(deadline_ms);
}

Status PostgresConnection::flush(int64_t deadline_ms) {
  while (true) {
    const int left = PQflush(connection_.get());
    if (left == 0) return {};
    if (left < 0) return lost();
    if (!wait(POLLIN | POLLOUT, deadline_ms)) return too_slow();
    if (PQconsumeInput(connection_.get()) == 0) return lost();
  }
}

// All results of one message, of which the first that failed counts, or the last.
Result<ResultPtr> PostgresConnection::collect(int64_t deadline_ms) {
  ResultPtr kept;
  while (true) {
    while (PQisBusy(connection_.get()) != 0) {
      if (!wait(POLLIN, deadline_ms)) return too_slow();
      if (PQconsumeInput(connection_.get()) == 0) return lost();
    }
    ResultPtr next(PQgetResult(connection_.get()));
    if (!next) return kept ? Result<ResultPtr>(std::move(kept)) : Result<ResultPtr>(lost());
    if (!kept || PQresultStatus(kept.get()) != PGRES_FATAL_ERROR) kept = std::move(next);
  }
}

Status PostgresConnection::judge(const ResultPtr& result) {
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
    const std::string_view count = PQcmdTuples(result.get());  // empty of what counts nothing
    changes_ = 0;
    std::from_chars(count.data(), count.data() + count.size(), changes_);
    if (is_away_) log_info("PostgreSQL is back", {{"at", host_of(options_.url)}});
    is_away_ = false;
    has_answered_ = true;
    return {};
  }
  const char* state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  const std::string_view sqlstate = state ? state : "08000";
  if (asks_for_another_try(sqlstate)) try_again_ = true;
  const char* words = PQresultErrorField(result.get(), PG_DIAG_MESSAGE_PRIMARY);
  const std::string why = words ? one_line(words) : one_line(PQresultErrorMessage(result.get()));
  const Code code = code_of(sqlstate);
  // Stopping, or a standby now: whoever is asked next may be another.
  if (PQstatus(connection_.get()) != CONNECTION_OK || sqlstate == "25006" || sqlstate.starts_with("57P")) drop();
  if (code == Code::unavailable && !asks_for_another_try(sqlstate)) return away(why);
  return Error{code, "registry: " + why};
}

bool PostgresConnection::wait(short events, int64_t deadline_ms) const {
  while (true) {
    const int64_t left_ms = deadline_ms - clock_.steady_ms();
    if (left_ms <= 0) return false;
    pollfd socket{PQsocket(connection_.get()), events, 0};
    const int ready = ::poll(&socket, 1, static_cast<int>(left_ms));
    if (ready > 0) return true;
    if (ready < 0 && errno != EINTR) return false;
  }
}

// Not PQcancel(), which would itself wait without an end for a server that is silent: statement_timeout ends there what
// nobody here waits for.
void PostgresConnection::drop() {
  connection_.reset();
  prepared_.clear();
  if (transaction_ == State::open) transaction_ = State::lost;
}

// The whole story for whoever starts it; later for the log, as what is asked of a server may be answered to strangers.
Error PostgresConnection::away(const std::string& why) {
  const std::string whole = "PostgreSQL at " + host_of(options_.url) + ": " + why;
  if (!has_answered_) return {Code::unavailable, whole};
  if (!is_away_) log_warning("PostgreSQL is away", {{"reason", whole}});
  is_away_ = true;
  return {Code::unavailable, "the database of the registry is away; try again"};
}

Error PostgresConnection::lost() {
  const Error error = away(one_line(PQerrorMessage(connection_.get())));
  drop();
  return error;
}

Error PostgresConnection::too_slow() {
  const Error error = away("no answer within " + duration_text(options_.timeout_ms));
  drop();
  resting_until_ms_ = clock_.steady_ms() + kRestMs;
  rest_because_ = error;
  return error;
}

// ---- connecting ----

Status PostgresConnection::be_connected() {
  if (transaction_ == State::lost) return away("the connection was lost");
  if (connection_ && transaction_ == State::none) {
    // It may have been closed while nobody asked for anything.
    pollfd socket{PQsocket(connection_.get()), POLLIN, 0};
    if (::poll(&socket, 1, 0) > 0 &&
        (PQconsumeInput(connection_.get()) == 0 || PQstatus(connection_.get()) != CONNECTION_OK)) {
      drop();
    }
  }
  return connection_ ? Status() : connect();
}

Status PostgresConnection::connect() {
  if (rest_because_ && clock_.steady_ms() < resting_until_ms_) return *rest_because_;
  if (hosts_.empty()) return away("no host");
  Status done;
  for (const Host& host : hosts_) {
    done = connect_to(
        host, clock_.steady_ms() + std::max<int64_t>(1, options_.timeout_ms / static_cast<int64_t>(hosts_.size())));
    if (done) {
      rest_because_.reset();
      return done;
    }
  }
  resting_until_ms_ = clock_.steady_ms() + kRestMs;
  rest_because_ = done.error();
  return done;
}

Status PostgresConnection::connect_to(const Host& host, int64_t deadline_ms) {
  std::vector<const char*> keys{"dbname"}, values{options_.url.c_str()};
  const auto set = [&](const char* key, const std::string& value) {
    if (value.empty()) return;
    keys.push_back(key);
    values.push_back(value.c_str());
  };
  const std::string name = "millstream", encoding = "UTF8", port_default = "5432";
  set("host", host.name);
  set("hostaddr", host.address);
  // An empty one would leave the list of the URL in force.
  set("port", host.port.empty() && hosts_.size() > 1 ? port_default : host.port);
  set("password", options_.password);
  set("fallback_application_name", name);
  set("client_encoding", encoding);
  keys.push_back(nullptr);
  values.push_back(nullptr);
  constexpr int kDatabaseIsUrl = 1;
  connection_.reset(PQconnectStartParams(keys.data(), values.data(), kDatabaseIsUrl));
  if (!connection_) return away("out of memory");
  PQsetNoticeProcessor(
      connection_.get(),
      [](void*, const char* words) {
        log_debug("PostgreSQL says", {{"notice", one_line(words)}});
      },
      nullptr);
  PostgresPollingStatusType next = PGRES_POLLING_WRITING;
  while (next != PGRES_POLLING_OK) {
    if (next == PGRES_POLLING_FAILED || PQstatus(connection_.get()) == CONNECTION_BAD) return lost();
    if (!wait(next == PGRES_POLLING_READING ? POLLIN : POLLOUT, deadline_ms)) return too_slow();
    next = PQconnectPoll(connection_.get());
  }
  PQsetnonblocking(connection_.get(), 1);
  // Before the deadline here, so that the server's own words arrive and the connection stays.
  const std::string limit = std::to_string(std::max<int64_t>(1, options_.timeout_ms * 9 / 10));
  const std::string settings = "SET search_path TO " + options_.schema + "; SET statement_timeout = " + limit +
                               "; SET idle_in_transaction_session_timeout = " +
                               std::to_string(std::max<int64_t>(5'000, 2 * options_.timeout_ms));
  const Result<ResultPtr> set_up = exchange([&](PGconn* c) { return PQsendQuery(c, settings.c_str()); }, deadline_ms);
  if (!set_up) return set_up.error();
  if (Status s = judge(*set_up); !s) {
    drop();
    return s;
  }
  return {};
}

}  // namespace

bool is_schema_name(std::string_view name) {
  constexpr size_t kNameBytesMax = 63;
  const auto is_letter = [](char c) { return c == '_' || (c >= 'a' && c <= 'z'); };
  return !name.empty() && name.size() <= kNameBytesMax && is_letter(name.front()) && !name.starts_with("pg_") &&
         std::all_of(name.begin(), name.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

Status check_postgres_url(const std::string& url) {
  const PartsPtr parts = parts_of(url);
  if (!parts) return Error{Code::invalid, "must be a URL such as postgresql://user@host:5432/database?sslmode=require"};
  const size_t ports = split(part(parts, "port")).size(), hosts = hosts_of(url).size();
  if (ports == 1 || ports == hosts) return {};
  return Error{Code::invalid, "must name one port for all hosts, or one for each"};
}

bool has_password(const std::string& url) { return !part(parts_of(url), "password").empty(); }

std::string host_of(const std::string& url) {
  std::string text;
  for (const Host& host : hosts_of(url)) {
    if (!text.empty()) text += ',';
    text += host.name.empty() ? host.address : host.name;
    if (!host.port.empty()) text += ':' + host.port;
  }
  const std::string database = part(parts_of(url), "dbname");
  return database.empty() ? text : text + '/' + database;
}

ConnectionPtr make_postgres_connection(PostgresOptions options) {
  return std::make_unique<PostgresConnection>(std::move(options));
}

}  // namespace millstream::registry
