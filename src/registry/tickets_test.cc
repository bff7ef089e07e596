#include "registry/tickets.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "model/api_key.h"

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

class TicketsTest : public testing::Test {
 protected:
  TicketsTest() {
    std::string pattern = testing::TempDir() + "tickets-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~TicketsTest() override { std::filesystem::remove_all(directory_); }

  std::unique_ptr<Tickets> open(TicketLimits limits = {}) {
    auto opened = Tickets::open(directory_, limits);
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().detail);
    return std::move(*opened);
  }
  std::string directory_;
};

TEST_F(TicketsTest, OneNewUseThenOnlyReconnectsUntilTheEnd) {
  auto tickets = open();
  const TicketRecord made = ticket('a');
  ASSERT_TRUE(tickets->add(made, kNow).ok());
  ASSERT_TRUE(tickets->use(made.sha256, false, kNow + 29'999).ok());
  EXPECT_EQ(tickets->use(made.sha256, false, kNow + 29'999).error().code, Code::unauthenticated);
  EXPECT_TRUE(tickets->use(made.sha256, true, kNow + 3'659'999).ok());
  EXPECT_EQ(tickets->use(made.sha256, true, kNow + 3'660'000).error().code, Code::unauthenticated);
  EXPECT_EQ(tickets->use(std::string(32, 'b'), true, kNow).error().code, Code::unauthenticated);
}

TEST_F(TicketsTest, NotUsedInTimeIsNotUsedAtAll) {
  auto tickets = open();
  ASSERT_TRUE(tickets->add(ticket('a'), kNow).ok());
  for (const bool resuming : {false, true}) {
    EXPECT_FALSE(tickets->use(ticket('a').sha256, resuming, kNow + 30'000).ok()) << resuming;
  }
}

TEST_F(TicketsTest, EverythingItAllowsComesBackAfterARestart) {
  const TicketRecord made = ticket('a');
  ASSERT_TRUE(open()->add(made, kNow).ok());
  ASSERT_TRUE(open()->use(made.sha256, false, kNow).ok());
  const auto used = open()->use(made.sha256, true, kNow);
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

TEST_F(TicketsTest, GivenBackItMayBeUsedOnceMoreInItsTime) {
  auto tickets = open();
  ASSERT_TRUE(tickets->add(ticket('a'), kNow).ok());
  ASSERT_TRUE(tickets->use(ticket('a').sha256, false, kNow).ok());
  ASSERT_TRUE(tickets->give_back(ticket('a').sha256).ok());
  EXPECT_TRUE(tickets->use(ticket('a').sha256, false, kNow).ok());
  EXPECT_FALSE(tickets->use(ticket('a').sha256, false, kNow).ok());
}

TEST_F(TicketsTest, OfAThousandUsesAtOnceExactlyOneWins) {
  auto tickets = open();
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

TEST_F(TicketsTest, WhatRanOutMakesRoom) {
  auto tickets = open();
  TicketRecord unused = ticket('a');
  TicketRecord used = ticket('b');
  ASSERT_TRUE(tickets->add(unused, kNow).ok());
  ASSERT_TRUE(tickets->add(used, kNow).ok());
  ASSERT_TRUE(tickets->use(used.sha256, false, kNow).ok());
  ASSERT_TRUE(tickets->add(ticket('c'), kNow + 60'000).ok());
  Result<Connection> database = Connection::open(directory_ + "/tickets.db");
  ASSERT_TRUE(database.ok());
  EXPECT_EQ(database->read_number("SELECT count(*) FROM tickets").value(), 2) << "the used one, and the new one";
}

TEST_F(TicketsTest, AnAccountThatHasAllItMayHaveLosesThoseLongestNotUsedAndKeepsNobodyElseOut) {
  {
    auto tickets = open({.tickets_per_account_max = 3});
    for (const char letter : {'a', 'b', 'c'}) ASSERT_TRUE(tickets->add(ticket(letter), kNow + letter - 'a').ok());
    ASSERT_TRUE(tickets->use(ticket('a').sha256, false, kNow + 10).ok());
    ASSERT_TRUE(tickets->add(ticket('d'), kNow + 11).ok());
    EXPECT_FALSE(tickets->use(ticket('b').sha256, false, kNow + 12).ok()) << "the one longest not used";
  }
  auto tickets = open({.tickets_max = 4, .tickets_per_account_max = 3});
  ASSERT_TRUE(tickets->add(ticket('e'), kNow + 13).ok()) << "counted after a restart too";
  EXPECT_FALSE(tickets->use(ticket('c').sha256, false, kNow + 14).ok());
  EXPECT_TRUE(tickets->use(ticket('a').sha256, true, kNow + 14).ok());
  TicketRecord other = ticket('o');
  other.grants.account = *model::AccountId::parse("b");
  EXPECT_TRUE(tickets->add(other, kNow + 15).ok()) << "another account's";
  other.sha256 = std::string(32, 'p');
  EXPECT_EQ(tickets->add(other, kNow + 15).error().code, Code::unavailable) << "too many in all";
}

TEST_F(TicketsTest, ARenewedStreamsTicketGoesOnWithTheNewCredential) {
  auto tickets = open();
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

TEST_F(TicketsTest, IncompleteRecordsAreRefused) {
  auto tickets = open();
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

TEST_F(TicketsTest, TheFileIsForItsOwnerOnlyAndADamagedOneIsBegunAnew) {
  ASSERT_TRUE(open()->add(ticket('a'), kNow).ok());
  const std::string path = directory_ + "/tickets.db";
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
