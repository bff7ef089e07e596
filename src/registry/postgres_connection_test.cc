#include "registry/postgres_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "registry/registry.h"
#include "registry/schema.h"
#include "registry/sqlite_connection.h"
#include "registry/testing_postgres.h"
#include "registry/tickets.h"

namespace millstream::registry {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(PostgresUrl, IsOneAndIsNeverQuotedWhenItIsNot) {
  for (const char* good : {"postgresql://u@h:5432/d?sslmode=require", "postgres://u:p@h/d", "postgresql://a:1,b:2/d",
                           "postgresql:///d?host=/run/postgresql"}) {
    EXPECT_TRUE(check_postgres_url(good).ok()) << good;
  }
  for (const char* wrong : {"", "host=h password=hunter2", "http://u:hunter2@h/d", "postgresql://u:hunter2%zz@h/d",
                            "postgresql://u:hunter2@h/d?nonsense=1", "postgresql://u:hunter2@a:1,b:2,c/d?port=1,2"}) {
    const Status checked = check_postgres_url(wrong);
    ASSERT_FALSE(checked.ok()) << wrong;
    EXPECT_THAT(checked.error().detail, Not(HasSubstr("hunter2")));
  }
  EXPECT_TRUE(has_password("postgresql://u:p@h/d"));
  EXPECT_TRUE(has_password("postgresql://u@h/d?password=p"));
  EXPECT_FALSE(has_password("postgresql://u@h/d"));
  EXPECT_EQ(host_of("postgresql://u:hunter2@a:1,b:2/d"), "a:1,b:2/d");
}

TEST(PostgresUrl, ASchemaNeedsNoQuotes) {
  for (const char* good : {"millstream", "_m2", "m_1"}) EXPECT_TRUE(is_schema_name(good)) << good;
  for (const char* wrong : {"", "M", "2m", "a b", "a;drop", "a\"", "pg_x", "ä"})
    EXPECT_FALSE(is_schema_name(wrong)) << wrong;
  EXPECT_FALSE(is_schema_name(std::string(64, 'a')));
}

class PostgresTest : public testing::Test {
 protected:
  PostgresTest() {
    // A test before this one may have ended halfway.
    TestPostgres::get().go_on();
  }
  TestPostgres& server_ = TestPostgres::get();
  PostgresOptions options_ = server_.options();
};

TEST_F(PostgresTest, ValuesOfEveryKindComeBackTheSame) {
  const ConnectionPtr db = make_postgres_connection(options_);
  ASSERT_TRUE(db->run("CREATE TEMPORARY TABLE t (a BIGINT, b TEXT, c BYTEA, d BIGINT)").ok());
  const std::string bytes("\0\xff'\\\n", 5);
  Result<Statement> insert = db->prepare("INSERT INTO t VALUES ($1, $2, $3, $4)");
  ASSERT_TRUE(insert->bind(INT64_MIN).bind("it's ä \\").bind_bytes(bytes).bind(std::optional<int64_t>()).finish().ok());
  EXPECT_EQ(db->changes(), 1);
  Result<Statement> row = db->prepare("SELECT a, b, c, d, 7::smallint, -8::integer, true FROM t");
  ASSERT_TRUE(*row->step());
  EXPECT_EQ(row->number(0), INT64_MIN);
  EXPECT_EQ(row->bytes(1), "it's ä \\");
  EXPECT_EQ(row->bytes(2), bytes);
  EXPECT_EQ(row->maybe_number(3), std::nullopt);
  EXPECT_EQ(row->number(4), 7);
  EXPECT_EQ(row->number(5), -8);
  EXPECT_EQ(row->number(6), 1);
  EXPECT_FALSE(*row->step());
  Result<Statement> zero = db->prepare("INSERT INTO t (b) VALUES ($1)");
  EXPECT_EQ(zero->bind(std::string_view("a\0b", 3)).finish().error().code, Code::invalid) << "no text of PostgreSQL's";
  EXPECT_TRUE(db->run("SELECT 1").ok()) << "and the connection goes on";
}

// ---- the schema ----

using Columns = std::vector<std::string>;

Columns columns_of(Connection& db, const char* sql) {
  const auto rows = read_rows<std::string>(db, sql, [](const Statement& row) -> Result<std::string> {
    return row.bytes(0) + "." + row.bytes(1) + " " + row.bytes(2) + " " + std::to_string(row.number(3)) + " " +
           std::to_string(row.number(4));
  });
  EXPECT_TRUE(rows.ok()) << rows.error().detail;
  return *rows;
}

TEST_F(PostgresTest, HasTheTablesAndColumnsThatSqliteHas) {
  std::string directory = testing::TempDir() + "schema-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  ASSERT_TRUE(Registry::open(directory).ok() && Tickets::open(directory).ok());
  constexpr const char* kOfSqlite =
      "SELECT t.name, c.name, CASE c.type WHEN 'INTEGER' THEN 'bigint' WHEN 'BLOB' THEN 'bytea' ELSE lower(c.type) "
      "END, c.\"notnull\", c.pk FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table' "
      "AND t.name NOT LIKE 'sqlite%' ORDER BY 1, 2";
  Columns sqlite;
  for (const char* file : {"/registry.db", "/tickets.db"}) {
    const Result<ConnectionPtr> db = open_sqlite(directory + file);
    const Columns of_file = columns_of(**db, kOfSqlite);
    sqlite.insert(sqlite.end(), of_file.begin(), of_file.end());
  }
  std::filesystem::remove_all(directory);

  const ConnectionPtr db = make_postgres_connection(options_);
  ASSERT_TRUE(make_postgres_schema(*db, options_.schema).ok());
  const Columns postgres = columns_of(
      *db,
      "SELECT c.table_name::text, c.column_name::text, c.data_type::text, CASE c.is_nullable WHEN 'NO' THEN 1 ELSE 0 "
      "END, coalesce((SELECT k.ordinal_position FROM information_schema.key_column_usage k WHERE k.table_schema = "
      "c.table_schema AND k.table_name = c.table_name AND k.column_name = c.column_name), 0)::bigint "
      "FROM information_schema.columns c WHERE c.table_schema = current_schema() "
      "AND c.table_name NOT IN ('changes', 'schema_versions') ORDER BY c.table_name COLLATE \"C\", c.column_name "
      "COLLATE \"C\"");
  EXPECT_GT(sqlite.size(), 60u);
  EXPECT_THAT(postgres, testing::UnorderedElementsAreArray(sqlite));
}

TEST_F(PostgresTest, OfServersThatStartAtOnceOneMakesTheTables) {
  std::atomic<int> good = 0;
  std::vector<std::thread> servers;
  for (int i = 0; i < 4; ++i) {
    servers.emplace_back([&] {
      const auto registry = Registry::open(options_);
      EXPECT_TRUE(registry.ok()) << registry.error().detail;
      good += registry.ok() ? 1 : 0;
    });
  }
  for (std::thread& each : servers) each.join();
  EXPECT_EQ(good, 4);
}

TEST_F(PostgresTest, ASchemaOfANewerVersionIsRefused) {
  ASSERT_TRUE(Registry::open(options_).ok());
  server_.run("UPDATE " + options_.schema + ".schema_versions SET version = 99 WHERE part = 'registry'");
  const auto opened = Registry::open(options_);
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::invalid);
  EXPECT_THAT(opened.error().detail, HasSubstr("newer millstream"));
}

TEST_F(PostgresTest, WhatAnOperatorChangesByHandIsSeenToo) {
  const auto registry = Registry::open(options_);
  ASSERT_TRUE(registry.ok());
  server_.run("INSERT INTO " + options_.schema + ".users VALUES ('anna', 'hash', 'a', '*', '*', 'viewer', 1, 0, 1)");
  ASSERT_TRUE((*registry)->refresh(1).status.ok());
  EXPECT_TRUE((*registry)->users().find("anna"));
}

// ---- transactions ----

TEST_F(PostgresTest, ATransactionThatTheServerWantsTriedAgainIs) {
  // Serializable, a transaction that waited for the one before it has an old view, and is refused.
  options_.url = server_.url("&options=-c%20default_transaction_isolation%3Dserializable");
  const ConnectionPtr first = make_postgres_connection(options_);
  ASSERT_TRUE(make_postgres_schema(*first, options_.schema).ok());
  ASSERT_TRUE(first->run("INSERT INTO changes (name, number) VALUES ('test', 0)").ok());
  std::atomic<int> runs = 0, failed = 0;
  std::vector<std::thread> writers;
  for (int i = 0; i < 3; ++i) {
    writers.emplace_back([&] {
      const ConnectionPtr db = make_postgres_connection(options_);
      for (int round = 0; round < 20; ++round) {
        const Status done = db->in_transaction([&]() -> Status {
          ++runs;
          const Result<int64_t> number = db->read_number("SELECT number FROM changes WHERE name = 'test'");
          if (!number) return number.error();
          Result<Statement> update = db->prepare("UPDATE changes SET number = $1 WHERE name = 'test'");
          return update->bind(*number + 1).finish();
        });
        if (!done) {
          ++failed;
          EXPECT_EQ(done.error().code, Code::unavailable) << done.error().detail;
        }
      }
    });
  }
  for (std::thread& each : writers) each.join();
  const int64_t number = first->read_number("SELECT number FROM changes WHERE name = 'test'").value();
  EXPECT_EQ(number, 60 - failed) << "what failed was not done, what did not was done once";
  EXPECT_GT(runs, 60) << "some were tried again";
}

TEST_F(PostgresTest, WhatFailsInsideIsRolledBackEvenWhenNobodyLooked) {
  const ConnectionPtr db = make_postgres_connection(options_);
  ASSERT_TRUE(make_postgres_schema(*db, options_.schema).ok());
  constexpr const char* kCount = "SELECT count(*) FROM changes WHERE name = 'x'";
  const Status refused = db->in_transaction([&]() -> Status {
    static_cast<void>(db->run("INSERT INTO changes (name, number) VALUES ('x', 0)"));
    return Error{Code::conflict, "no"};
  });
  EXPECT_EQ(refused.error().code, Code::conflict);
  EXPECT_EQ(db->read_number(kCount).value(), 0);
  const Status spoiled = db->in_transaction([&]() -> Status {
    static_cast<void>(db->run("INSERT INTO changes (name, number) VALUES ('x', 0)"));
    static_cast<void>(db->run("SELECT 1/0"));
    return {};
  });
  EXPECT_FALSE(spoiled.ok());
  EXPECT_EQ(db->read_number(kCount).value(), 0);
}

// ---- when it is away ----

TEST_F(PostgresTest, ASilentServerCostsTheDeadlineOnceAndIsFoundAgain) {
  options_.timeout_ms = 300;
  const auto registry = Registry::open(options_);
  ASSERT_TRUE(registry.ok()) << registry.error().detail;
  const SystemClock clock;
  server_.pause();
  const int64_t began_ms = clock.steady_ms();
  const Status slow = (*registry)->read_changes(1);
  const int64_t waited_ms = clock.steady_ms() - began_ms;
  EXPECT_EQ(slow.error().code, Code::unavailable);
  EXPECT_FALSE((*registry)->is_reachable());
  EXPECT_GE(waited_ms, 299);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE((*registry)->read_changes(1).ok());
  EXPECT_LT(clock.steady_ms() - began_ms, 50 * options_.timeout_ms) << "they do not each wait as long";
  server_.go_on();
  Status back = slow;
  while (!back.ok() && clock.steady_ms() - began_ms < 30'000) {
    back = (*registry)->read_changes(1);
    ::poll(nullptr, 0, 10);
  }
  EXPECT_TRUE(back.ok()) << back.error().detail;
  EXPECT_TRUE((*registry)->is_reachable());
}

TEST_F(PostgresTest, ARestartedServerIsUsedWithTheNextCall) {
  const auto registry = Registry::open(options_);
  ASSERT_TRUE(registry.ok());
  server_.stop();
  const Status away = (*registry)->read_changes(1);
  EXPECT_EQ(away.error().code, Code::unavailable);
  EXPECT_THAT(away.error().detail, Not(HasSubstr("/tmp"))) << "where it is, is nobody's business outside";
  EXPECT_THAT(Registry::open(options_).error().detail, HasSubstr("PostgreSQL at /tmp"));
  server_.start();
  const SystemClock clock;
  const int64_t began_ms = clock.steady_ms();
  Status back = away;
  while (!back.ok() && clock.steady_ms() - began_ms < 30'000) {
    back = (*registry)->read_changes(1);
    ::poll(nullptr, 0, 10);
  }
  EXPECT_TRUE(back.ok()) << back.error().detail;
}

TEST_F(PostgresTest, AConnectionThatWasEndedIsNotTakenForOneInATransaction) {
  const ConnectionPtr db = make_postgres_connection(options_);
  ASSERT_TRUE(make_postgres_schema(*db, options_.schema).ok());
  const Status cut = db->in_transaction([&]() -> Status {
    const int64_t pid = db->read_number("SELECT pg_backend_pid()").value();
    server_.run("SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
    static_cast<void>(db->run("SELECT 1"));
    return db->run("INSERT INTO changes (name, number) VALUES ('half', 0)");  // must not go out alone
  });
  EXPECT_EQ(cut.error().code, Code::unavailable);
  EXPECT_EQ(db->read_number("SELECT count(*) FROM changes WHERE name = 'half'").value(), 0);
}

TEST_F(PostgresTest, NobodyIsThereAndThePasswordIsNotTold) {
  const auto opened = Registry::open(
      PostgresOptions{.url = "postgresql://u:hunter2@127.0.0.1:1/d", .password = "hunter3", .timeout_ms = 2'000});
  ASSERT_FALSE(opened.ok());
  EXPECT_EQ(opened.error().code, Code::unavailable);
  EXPECT_THAT(opened.error().detail, HasSubstr("127.0.0.1:1"));
  EXPECT_THAT(opened.error().detail, Not(HasSubstr("hunter")));
  EXPECT_THAT(opened.error().detail, Not(HasSubstr("\n")));
}

TEST_F(PostgresTest, OfSeveralHostsTheOneThatAnswersIsUsed) {
  const std::string socket = host_of(server_.url()).substr(0, host_of(server_.url()).rfind('/'));
  const ConnectionPtr db = make_postgres_connection(
      {.url = "postgresql://postgres@/postgres?host=127.0.0.1," + socket + "&port=1,5432", .timeout_ms = 4'000});
  EXPECT_EQ(db->read_number("SELECT 1").value(), 1);
}

}  // namespace
}  // namespace millstream::registry
