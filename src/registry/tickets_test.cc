#include "registry/tickets.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "model/api_key.h"
#include "registry/sqlite_connection.h"
#include "registry/testing_postgres.h"

namespace millstream::registry {
namespace {

using model::TicketRecord;

constexpr int64_t kNow = 1'770'000'000'000;

TicketRecord ticket(char letter) {
  TicketRecord record;
  record.sha256 = std::string(32, letter);
  record.grants.subject = "key:abcdefghijkl";
  record.grants.account = *model::AccountId::parse("a");
  record.grants.sites = {*model::SiteId::parse("north"), *model::SiteId::parse("south")};
  record.grants.roles = model::Roles().with(model::Role::viewer);
  record.grants.expires_at_ms = kNow + 3'600'000;
  record.grants.credential = uint64_t{3} << 62 | 5;
  record.topics = {*model::TopicPattern::parse("account:a/site:north"),
                   *model::TopicPattern::parse("account:a/site:south/device:pump")};
  record.types = model::EventTypes::none().with(model::EventType::alert);
  record.origin = "https://a.example";
  record.first_use_by_ms = kNow + 30'000;
  record.ends_at_ms = kNow + 3'660'000;
  return record;
}

class SqliteBackend {
 public:
  SqliteBackend() {
    std::string pattern = testing::TempDir() + "tickets-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~SqliteBackend() { std::filesystem::remove_all(directory_); }
  Result<std::unique_ptr<Tickets>> open(TicketLimits limits) { return Tickets::open(directory_, limits); }
  Result<ConnectionPtr> connect() { return open_sqlite(file()); }
  std::string file() const { return directory_ + "/tickets.db"; }

 private:
  std::string directory_;
};

class PostgresBackend {
 public:
  Result<std::unique_ptr<Tickets>> open(TicketLimits limits) { return Tickets::open(options_, limits); }
  Result<ConnectionPtr> connect() { return make_postgres_connection(options_); }

 private:
  const PostgresOptions options_ = TestPostgres::get().options();
};

// What all tickets must do, whatever database keeps them.
template <class Backend>
class TicketsContract : public testing::Test {
 protected:
  std::unique_ptr<Tickets> open(TicketLimits limits = {}) {
    auto opened = backend_.open(limits);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().detail);
    return std::move(*opened);
  }
  Backend backend_;
};
using Backends = testing::Types<SqliteBackend, PostgresBackend>;
TYPED_TEST_SUITE(TicketsContract, Backends);

TYPED_TEST(TicketsContract, OneNewUseThenOnlyReconnectsUntilTheEnd) {
  auto tickets = this->open();
  const TicketRecord made = ticket('a');
  ASSERT_TRUE(tickets->add(made, kNow).ok());
  ASSERT_TRUE(tickets->use(made.sha256, false, kNow + 29'999).ok());
  EXPECT_EQ(tickets->use(made.sha256, false, kNow + 29'999).error().code, Code::unauthenticated);
  EXPECT_TRUE(tickets->use(made.sha256, true, kNow + 3'659'999).ok());
  EXPECT_EQ(tickets->use(made.sha256, true, kNow + 3'660'000).error().code, Code::unauthenticated);
  EXPECT_EQ(tickets->use(std::string(32, 'b'), true, kNow).error().code, Code::unauthenticated);
}

TYPED_TEST(TicketsContract, NotUsedInTimeIsNotUsedAtAll) {
  auto tickets = this->open();
  ASSERT_TRUE(tickets->add(ticket('a'), kNow).ok());
  for (const bool resuming : {false, true}) {
    EXPECT_FALSE(tickets->use(ticket('a').sha256, resuming, kNow + 30'000).ok()) << resuming;
  }
}

TYPED_TEST(TicketsContract, EverythingItAllowsComesBackAfterARestart) {
  const TicketRecord made = ticket('a');
  ASSERT_TRUE(this->open()->add(made, kNow).ok());
  ASSERT_TRUE(this->open()->use(made.sha256, false, kNow).ok());
  const auto used = this->open()->use(made.sha256, true, kNow);
  ASSERT_TRUE(used.ok());
  EXPECT_EQ(used->grants.subject, made.grants.subject);
  EXPECT_EQ(used->grants.account, made.grants.account);
  EXPECT_EQ(used->grants.sites, made.grants.sites);
  EXPECT_TRUE(used->grants.devices.empty());
  EXPECT_EQ(used->grants.roles, made.grants.roles);
  EXPECT_EQ(used->grants.expires_at_ms, made.grants.expires_at_ms);
  EXPECT_EQ(used->grants.credential, made.grants.credential);
  EXPECT_EQ(used->topics, made.topics);
  EXPECT_EQ(used->types, made.types);
  EXPECT_EQ(used->origin, made.origin);
}

TYPED_TEST(TicketsContract, GivenBackItMayBeUsedOnceMoreInItsTime) {
  auto tickets = this->open();
  ASSERT_TRUE(tickets->add(ticket('a'), kNow).ok());
  ASSERT_TRUE(tickets->use(ticket('a').sha256, false, kNow).ok());
  ASSERT_TRUE(tickets->give_back(ticket('a').sha256).ok());
  EXPECT_TRUE(tickets->use(ticket('a').sha256, false, kNow).ok());
  EXPECT_FALSE(tickets->use(ticket('a').sha256, false, kNow).ok());
}

TYPED_TEST(TicketsContract, OfAThousandUsesAtOnceExactlyOneWins) {
  auto tickets = this->open();
  for (const char letter : {'a', 'b', 'c'}) {
    ASSERT_TRUE(tickets->add(ticket(letter), kNow).ok());
    std::atomic<int> won{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        for (int use = 0; use < 125; ++use) won += tickets->use(ticket(letter).sha256, false, kNow).ok();
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
  }
}

TYPED_TEST(TicketsContract, WhatRanOutMakesRoom) {
  auto tickets = this->open();
  TicketRecord unused = ticket('a');
  TicketRecord used = ticket('b');
  ASSERT_TRUE(tickets->add(unused, kNow).ok());
  ASSERT_TRUE(tickets->add(used, kNow).ok());
  ASSERT_TRUE(tickets->use(used.sha256, false, kNow).ok());
  ASSERT_TRUE(tickets->add(ticket('c'), kNow + 60'000).ok());
  Result<ConnectionPtr> database = this->backend_.connect();
  ASSERT_TRUE(database.ok());
  EXPECT_EQ((*database)->read_number("SELECT count(*) FROM tickets").value(), 2) << "the used one, and the new one";
}

TYPED_TEST(TicketsContract, AnAccountThatHasAllItMayHaveLosesThoseLongestNotUsedAndKeepsNobodyElseOut) {
  {
    auto tickets = this->open({.tickets_per_account_max = 3});
    for (const char letter : {'a', 'b', 'c'}) ASSERT_TRUE(tickets->add(ticket(letter), kNow + letter - 'a').ok());
    ASSERT_TRUE(tickets->use(ticket('a').sha256, false, kNow + 10).ok());
    ASSERT_TRUE(tickets->add(ticket('d'), kNow + 11).ok());
    EXPECT_FALSE(tickets->use(ticket('b').sha256, false, kNow + 12).ok()) << "the one longest not used";
  }
  auto tickets = this->open({.tickets_max = 4, .tickets_per_account_max = 3});
  ASSERT_TRUE(tickets->add(ticket('e'), kNow + 13).ok()) << "counted after a restart too";
  EXPECT_FALSE(tickets->use(ticket('c').sha256, false, kNow + 14).ok());
  EXPECT_TRUE(tickets->use(ticket('a').sha256, true, kNow + 14).ok());
  TicketRecord other = ticket('o');
  other.grants.account = *model::AccountId::parse("b");
  EXPECT_TRUE(tickets->add(other, kNow + 15).ok()) << "another account's";
  other.sha256 = std::string(32, 'p');
  EXPECT_EQ(tickets->add(other, kNow + 15).error().code, Code::unavailable) << "too many in all";
}

TYPED_TEST(TicketsContract, ARenewedStreamsTicketGoesOnWithTheNewCredential) {
  auto tickets = this->open();
  const TicketRecord made = ticket('a');
  ASSERT_TRUE(tickets->add(made, kNow).ok());
  ASSERT_TRUE(tickets->use(made.sha256, false, kNow).ok());
  model::Grants fresh = made.grants;
  fresh.expires_at_ms = kNow + 7'200'000;
  fresh.credential = 9;
  const std::vector<model::TopicPattern> followed = {*model::TopicPattern::parse("account:a/site:south")};
  ASSERT_TRUE(tickets->renew(model::ticket_number(made.sha256), fresh, followed, kNow + 7'200'000).ok());
  const auto used = tickets->use(made.sha256, true, kNow + 7'000'000);
  ASSERT_TRUE(used.ok());
  EXPECT_EQ(used->grants.expires_at_ms, fresh.expires_at_ms);
  EXPECT_EQ(used->grants.credential, 9u);
  EXPECT_EQ(used->topics, followed);
  EXPECT_FALSE(tickets->use(made.sha256, true, kNow + 7'200'000).ok());
  model::Grants stranger = fresh;
  stranger.account = *model::AccountId::parse("b");
  ASSERT_TRUE(tickets->renew(model::ticket_number(made.sha256), stranger, followed, kNow + 9'000'000).ok());
  EXPECT_EQ(tickets->use(made.sha256, true, kNow + 1)->grants.account.text(), "a") << "never another account's";
  EXPECT_TRUE(tickets->renew(12345, fresh, followed, kNow).ok()) << "none of that number";
}

TYPED_TEST(TicketsContract, IncompleteRecordsAreRefused) {
  auto tickets = this->open();
  TicketRecord no_topic = ticket('a');
  no_topic.topics.clear();
  TicketRecord no_role = ticket('a');
  no_role.grants.roles = {};
  TicketRecord short_hash = ticket('a');
  short_hash.sha256 = "short";
  for (const TicketRecord& wrong : {no_topic, no_role, short_hash}) {
    EXPECT_EQ(tickets->add(wrong, kNow).error().code, Code::invalid);
  }
}

TYPED_TEST(TicketsContract, OfTwoServersThatAreShownOneAtOnceExactlyOneLetsItIn) {
  const auto here = this->open(), there = this->open();
  for (char letter = 'a'; letter < 'k'; ++letter) {
    ASSERT_TRUE(here->add(ticket(letter), kNow).ok());
    std::atomic<int> won{0};
    std::vector<std::thread> threads;
    for (Tickets* const tickets : {here.get(), there.get()}) {
      threads.emplace_back([&, tickets] {
        for (int use = 0; use < 20; ++use) won += tickets->use(ticket(letter).sha256, false, kNow).ok();
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(won, 1);
    EXPECT_TRUE(there->use(ticket(letter).sha256, true, kNow).ok()) << "a reconnect goes to either";
  }
}

TEST(Tickets, TheFileIsForItsOwnerOnlyAndADamagedOneIsBegunAnew) {
  SqliteBackend backend;
  const auto open = [&] { return std::move(*backend.open({})); };
  ASSERT_TRUE(open()->add(ticket('a'), kNow).ok());
  const std::string path = backend.file();
  struct stat info {};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  std::ofstream(path, std::ios::binary) << std::string(8192, 'x');
  auto tickets = open();
  EXPECT_FALSE(tickets->use(ticket('a').sha256, false, kNow).ok());
  EXPECT_TRUE(tickets->add(ticket('a'), kNow).ok());
}

}  // namespace
}  // namespace millstream::registry
