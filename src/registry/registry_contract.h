// registry/registry_contract.h: what every registry must do, whatever database keeps it.
//
// Flow     a Backend opens registries on one and the same store, as several processes do; a test file names it:
//          INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, RegistryContract, SqliteBackend).
// Thread   one
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "codec/rule_json.h"
#include "registry/registry.h"

namespace millstream::registry {

constexpr int64_t kNow = 1'770'000'000'000;
constexpr int64_t kHour = 3'600'000;

inline model::Grants some_grants(const std::string& subject) {
  model::Grants grants;
  grants.subject = subject;
  grants.account = *model::AccountId::parse("123");
  grants.roles = model::Roles().with(model::Role::ingest).with(model::Role::operator_);
  return grants;
}

inline model::ApiKeyRecord key_record(const std::string& id) {
  model::ApiKeyRecord key;
  key.key_id = id;
  key.secret_sha256 = std::string(31, '\0') + "\xff";
  key.grants = some_grants("key:" + id);
  key.name = "line 1, \"north\"";
  key.created_at_ms = kNow;
  return key;
}

inline model::UserRecord user_record(const std::string& name) {
  model::UserRecord user;
  user.name = name;
  user.password_hash = "$argon2id$…";
  user.grants = some_grants("user:" + name);
  user.created_at_ms = kNow;
  return user;
}

inline model::LoginSessionRecord session_record(char letter, const std::string& user, int64_t generation = 1) {
  return {.sha256 = std::string(32, letter),
          .user = user,
          .generation = generation,
          .created_at_ms = kNow,
          .used_at_ms = kNow,
          .expires_at_ms = kNow + 12 * kHour};
}

inline model::Topic device_topic(const std::string& account, const std::string& device) {
  return *model::Topic::parse("account:" + account + "/site:1/device:" + device);
}

inline model::RuleRecord rule_record(const std::string& account, const std::string& id, uint64_t version = 1) {
  model::RuleRecord record;
  record.rule = *codec::parse_rule(R"({"id":")" + id + R"(","name":"a \"name\"","version":)" + std::to_string(version) +
                                       R"(,"when":{"all":[{"field":"T1"}]},)" +
                                       R"("levels":[{"severity":"warning","op":">","value":70}]})",
                                   *model::AccountId::parse(account));
  record.created_at_ms = kNow;
  record.created_by = "user:anna";
  record.updated_at_ms = kNow + static_cast<int64_t>(version);
  record.updated_by = "key:k";
  return record;
}

inline std::vector<std::string> rule_names(const model::RuleRecords& rules) {
  std::vector<std::string> names;
  for (const auto& record : rules) names.push_back(record->rule.id + "@" + std::to_string(record->rule.version));
  return names;
}

inline void expect_same(const model::Grants& a, const model::Grants& b) {
  EXPECT_EQ(a.subject, b.subject);
  EXPECT_EQ(a.account, b.account);
  EXPECT_EQ(a.sites, b.sites);
  EXPECT_EQ(a.devices, b.devices);
  EXPECT_EQ(a.roles, b.roles);
  EXPECT_EQ(a.expires_at_ms, b.expires_at_ms);
}

template <class Backend>
class RegistryContract : public testing::Test {
 protected:
  std::unique_ptr<Registry> open(RegistryOptions options = {}) {
    auto registry = backend_.open(options);
    EXPECT_TRUE(registry.ok()) << (registry.ok() ? "" : registry.error().detail);
    return std::move(*registry);
  }
  Backend backend_;
};
TYPED_TEST_SUITE_P(RegistryContract);

TYPED_TEST_P(RegistryContract, KeysComeBackTheSameAfterReopening) {
  const model::ApiKeyRecord wide = key_record("aaaaaaaaaaaa");
  model::ApiKeyRecord narrow = key_record("bbbbbbbbbbbb");
  narrow.grants.sites = {*model::SiteId::parse("1"), *model::SiteId::parse("2")};
  narrow.grants.devices = {*model::DeviceId::parse("elink-99")};
  narrow.grants.expires_at_ms = kNow + kHour;
  narrow.created_at_ms -= 1;
  {
    const auto registry = this->open();
    ASSERT_TRUE(registry->api_keys().add(wide).ok());
    ASSERT_TRUE(registry->api_keys().add(narrow).ok());
  }
  const auto registry = this->open();
  const auto list = registry->api_keys().list();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2u);
  const model::ApiKeyRecord* const expected[] = {&narrow, &wide};  // in the order they were made
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ((*list)[i].key_id, expected[i]->key_id);
    EXPECT_EQ((*list)[i].secret_sha256, expected[i]->secret_sha256);
    EXPECT_EQ((*list)[i].name, expected[i]->name);
    EXPECT_EQ((*list)[i].created_at_ms, expected[i]->created_at_ms);
    EXPECT_FALSE((*list)[i].revoked);
    expect_same((*list)[i].grants, expected[i]->grants);
    expect_same(registry->api_keys().find_api_key(expected[i]->key_id)->grants, expected[i]->grants);
  }
}

TYPED_TEST_P(RegistryContract, TheSameKeyTwiceIsAConflictAndHalfAKeyIsNotStored) {
  const auto registry = this->open();
  ASSERT_TRUE(registry->api_keys().add(key_record("aaaaaaaaaaaa")).ok());
  EXPECT_EQ(registry->api_keys().add(key_record("aaaaaaaaaaaa")).error().code, Code::conflict);
  model::ApiKeyRecord no_secret = key_record("bbbbbbbbbbbb");
  no_secret.secret_sha256.clear();
  model::ApiKeyRecord no_account = key_record("cccccccccccc");
  no_account.grants.account = {};
  model::ApiKeyRecord no_role = key_record("dddddddddddd");
  no_role.grants.roles = {};
  for (const auto& key : {no_secret, no_account, no_role}) EXPECT_FALSE(registry->api_keys().add(key).ok());
  EXPECT_EQ(registry->api_keys().list()->size(), 1u);
}

TYPED_TEST_P(RegistryContract, ARevokedKeyStaysListedAndIsMarked) {
  const auto registry = this->open();
  ASSERT_TRUE(registry->api_keys().add(key_record("aaaaaaaaaaaa")).ok());
  ASSERT_TRUE(registry->api_keys().revoke("aaaaaaaaaaaa").ok());
  EXPECT_TRUE(registry->api_keys().find_api_key("aaaaaaaaaaaa")->revoked);
  EXPECT_TRUE(registry->api_keys().list()->at(0).revoked);
  EXPECT_EQ(registry->api_keys().revoke("zzzzzzzzzzzz").error().code, Code::not_found);
}

TYPED_TEST_P(RegistryContract, AKeyMayBeEndedSoonerButNotLater) {
  const auto registry = this->open();
  ASSERT_TRUE(registry->api_keys().add(key_record("aaaaaaaaaaaa")).ok());
  ASSERT_TRUE(registry->api_keys().end_at("aaaaaaaaaaaa", kNow + kHour).ok());
  ASSERT_TRUE(registry->api_keys().end_at("aaaaaaaaaaaa", kNow + 2 * kHour).ok());
  EXPECT_EQ(registry->api_keys().find_api_key("aaaaaaaaaaaa")->grants.expires_at_ms, kNow + kHour);
  EXPECT_EQ(registry->api_keys().end_at("zzzzzzzzzzzz", kNow).error().code, Code::not_found);
}

TYPED_TEST_P(RegistryContract, ChangesOfAnotherProcessAreSeenAndWhatEndedIsNamedOnce) {
  const auto server = this->open();
  const auto command_line = this->open();
  for (const char* id : {"aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"}) {
    ASSERT_TRUE(command_line->api_keys().add(key_record(id)).ok());
  }
  EXPECT_FALSE(server->api_keys().find_api_key("aaaaaaaaaaaa"));
  EXPECT_TRUE(server->refresh(kNow).ended.empty());
  EXPECT_TRUE(server->api_keys().find_api_key("aaaaaaaaaaaa"));
  ASSERT_TRUE(command_line->api_keys().revoke("aaaaaaaaaaaa").ok());
  ASSERT_TRUE(command_line->api_keys().end_at("bbbbbbbbbbbb", kNow + 10).ok());
  // A change of one's own in between does not make it forget what another has ended.
  ASSERT_TRUE(server->api_keys().add(key_record("dddddddddddd")).ok());
  EXPECT_THAT(server->refresh(kNow + 10).ended, testing::UnorderedElementsAre(model::api_key_number("aaaaaaaaaaaa"),
                                                                              model::api_key_number("bbbbbbbbbbbb")));
  EXPECT_TRUE(server->refresh(kNow + 20).ended.empty());
}

TYPED_TEST_P(RegistryContract, AKeyThatIsEndedInThePastIsToldAllTheSame) {
  const auto server = this->open();
  ASSERT_TRUE(server->api_keys().add(key_record("aaaaaaaaaaaa")).ok());
  EXPECT_TRUE(server->refresh(kNow + 100).ended.empty());
  const auto command_line = this->open();
  ASSERT_TRUE(command_line->api_keys().end_at("aaaaaaaaaaaa", kNow + 50).ok());  // begun before, written after
  EXPECT_EQ(server->refresh(kNow + 200).ended, std::vector<uint64_t>{model::api_key_number("aaaaaaaaaaaa")});
  EXPECT_TRUE(server->refresh(kNow + 300).ended.empty());
}

TYPED_TEST_P(RegistryContract, AUserHasSoManySessionsAndTheLongestIdleGivesWay) {
  const auto registry = this->open({.login_sessions = {.sessions_per_user_max = 2}});
  ASSERT_TRUE(registry->users().add(user_record("anna")).ok());
  ASSERT_TRUE(registry->users().add(user_record("bob")).ok());
  LoginSessions& sessions = registry->login_sessions();
  ASSERT_TRUE(sessions.add(session_record('b', "bob")).ok());
  ASSERT_TRUE(sessions.add(session_record('1', "anna")).ok());
  ASSERT_TRUE(sessions.add(session_record('2', "anna")).ok());
  ASSERT_TRUE(sessions.use_login_session(std::string(32, '1'), kNow + 1));
  ASSERT_TRUE(sessions.add(session_record('3', "anna")).ok());
  EXPECT_FALSE(sessions.use_login_session(std::string(32, '2'), kNow + 2));
  EXPECT_EQ(registry->refresh(kNow + 2).ended,
            std::vector<uint64_t>{model::login_session_number(std::string(32, '2'))});
  for (const char kept : {'1', '3', 'b'})
    EXPECT_TRUE(sessions.use_login_session(std::string(32, kept), kNow + 2)) << kept;
}

TYPED_TEST_P(RegistryContract, TheLastUseOfAKeyIsKept) {
  {
    const auto registry = this->open();
    ASSERT_TRUE(registry->api_keys().add(key_record("aaaaaaaaaaaa")).ok());
    EXPECT_FALSE(registry->api_keys().list()->at(0).used_at_ms);
    registry->api_keys().note_use("aaaaaaaaaaaa", kNow + 5);
    EXPECT_EQ(registry->api_keys().list()->at(0).used_at_ms, kNow + 5);
    ASSERT_TRUE(registry->api_keys().add(key_record("bbbbbbbbbbbb")).ok());  // reads all again
    EXPECT_EQ(registry->api_keys().list()->at(0).used_at_ms, kNow + 5);
    ASSERT_TRUE(registry->flush().ok());
  }
  EXPECT_EQ(this->open()->api_keys().list()->at(0).used_at_ms, kNow + 5);
}

TYPED_TEST_P(RegistryContract, UsersComeBackTheSameAfterReopening) {
  model::UserRecord narrow = user_record("anna@example.com");
  narrow.grants.sites = {*model::SiteId::parse("1")};
  {
    const auto registry = this->open();
    ASSERT_TRUE(registry->users().add(narrow).ok());
    ASSERT_TRUE(registry->users().add(user_record("bob")).ok());
    EXPECT_EQ(registry->users().add(narrow).error().code, Code::conflict);
    for (const char* wrong : {"", "a b", "a/b", "a,b", "a\n", "ä"}) {
      EXPECT_EQ(registry->users().add(user_record(wrong)).error().code, Code::invalid) << wrong;
    }
  }
  const auto registry = this->open();
  const auto found = registry->users().find("anna@example.com");
  ASSERT_TRUE(found);
  expect_same(found->grants, narrow.grants);
  EXPECT_EQ(found->password_hash, narrow.password_hash);
  EXPECT_EQ(registry->users().list()->size(), 2u);
  EXPECT_FALSE(registry->users().find("ANNA@example.com"));
}

TYPED_TEST_P(RegistryContract, ASessionGivesWhatItsUserMayDoNowUntilItEnds) {
  const auto registry = this->open({.login_sessions = {.idle_ms = kHour}});
  ASSERT_TRUE(registry->users().add(user_record("anna")).ok());
  const model::LoginSessionRecord session = session_record('s', "anna");
  LoginSessions& sessions = registry->login_sessions();
  ASSERT_TRUE(sessions.add(session).ok());
  const auto grants = sessions.use_login_session(session.sha256, kNow + 1);
  ASSERT_TRUE(grants);
  EXPECT_EQ(grants->subject, "user:anna");
  EXPECT_EQ(grants->expires_at_ms, session.expires_at_ms);
  EXPECT_TRUE(model::is_login_session(grants->credential));
  EXPECT_TRUE(sessions.holds_login_session(grants->credential, kNow + 1));
  EXPECT_FALSE(sessions.use_login_session(std::string(32, 'x'), kNow + 1)) << "nobody's";
  for (int64_t now = kNow; now < session.expires_at_ms; now += kHour - 1) {
    EXPECT_TRUE(sessions.use_login_session(session.sha256, now)) << "each use makes it last";
  }
  EXPECT_TRUE(registry->refresh(session.expires_at_ms - 1).ended.empty());
  EXPECT_FALSE(sessions.use_login_session(session.sha256, session.expires_at_ms)) << "however much it is used";
  EXPECT_EQ(registry->refresh(session.expires_at_ms).ended, std::vector<uint64_t>{grants->credential});
  EXPECT_TRUE(registry->refresh(session.expires_at_ms).ended.empty());
}

TYPED_TEST_P(RegistryContract, ASessionThatIsNotUsedEndsUnlessAStreamIsOpen) {
  const auto registry = this->open({.login_sessions = {.idle_ms = kHour}});
  ASSERT_TRUE(registry->users().add(user_record("anna")).ok());
  LoginSessions& sessions = registry->login_sessions();
  const model::LoginSessionRecord idle = session_record('i', "anna");
  const model::LoginSessionRecord streaming = session_record('s', "anna");
  ASSERT_TRUE(sessions.add(idle).ok() && sessions.add(streaming).ok());
  EXPECT_TRUE(sessions.nearly_idle(kNow + kHour / 2).empty());
  EXPECT_EQ(sessions.nearly_idle(kNow + kHour - 1).size(), 2u);
  sessions.touch({model::login_session_number(streaming.sha256), 5}, kNow + kHour - 1);
  EXPECT_FALSE(sessions.use_login_session(idle.sha256, kNow + kHour));
  EXPECT_EQ(registry->refresh(kNow + kHour).ended, std::vector<uint64_t>{model::login_session_number(idle.sha256)});
  EXPECT_TRUE(sessions.use_login_session(streaming.sha256, kNow + kHour));
}

TYPED_TEST_P(RegistryContract, SessionsOutliveARestartWithTheirLastUse) {
  const RegistryOptions options{.login_sessions = {.idle_ms = kHour}};
  const model::LoginSessionRecord session = session_record('s', "anna");
  {
    const auto registry = this->open(options);
    ASSERT_TRUE(registry->users().add(user_record("anna")).ok());
    ASSERT_TRUE(registry->login_sessions().add(session).ok());
    ASSERT_TRUE(registry->login_sessions().use_login_session(session.sha256, kNow + kHour - 1));
    ASSERT_TRUE(registry->flush().ok());
  }
  {
    const auto registry = this->open(options);
    EXPECT_TRUE(registry->login_sessions().use_login_session(session.sha256, kNow + kHour));
    ASSERT_TRUE(registry->login_sessions().end(session.sha256).ok());
    EXPECT_FALSE(registry->login_sessions().use_login_session(session.sha256, kNow + kHour));
    EXPECT_TRUE(registry->login_sessions().end(session.sha256).ok()) << "twice is no error";
  }
  EXPECT_FALSE(this->open(options)->login_sessions().use_login_session(session.sha256, kNow + kHour));
}

TYPED_TEST_P(RegistryContract, AChangedUserEndsTheSessionsUntilThen) {
  const auto server = this->open();
  const auto command_line = this->open();
  ASSERT_TRUE(command_line->users().add(user_record("anna")).ok());
  ASSERT_TRUE(command_line->users().add(user_record("bob")).ok());
  ASSERT_TRUE(server->refresh(kNow).status.ok());
  ASSERT_TRUE(server->login_sessions().add(session_record('a', "anna")).ok());
  ASSERT_TRUE(server->login_sessions().add(session_record('b', "bob")).ok());
  ASSERT_TRUE(command_line->users().set_password("anna", "$argon2id$another").ok());
  EXPECT_EQ(server->refresh(kNow).ended, std::vector<uint64_t>{model::login_session_number(std::string(32, 'a'))});
  EXPECT_FALSE(server->login_sessions().use_login_session(std::string(32, 'a'), kNow));
  ASSERT_TRUE(server->login_sessions().add(session_record('c', "anna", 2)).ok());
  EXPECT_TRUE(server->login_sessions().use_login_session(std::string(32, 'c'), kNow)) << "with the new password";
  ASSERT_TRUE(command_line->users().set_disabled("bob", true).ok());
  EXPECT_EQ(server->refresh(kNow).ended, std::vector<uint64_t>{model::login_session_number(std::string(32, 'b'))});
  ASSERT_TRUE(command_line->users().set_disabled("bob", false).ok());
  ASSERT_TRUE(server->refresh(kNow).status.ok());
  EXPECT_FALSE(server->login_sessions().use_login_session(std::string(32, 'b'), kNow)) << "what ended stays ended";
  EXPECT_EQ(command_line->users().set_password("eve", "x").error().code, Code::not_found);
  EXPECT_EQ(command_line->users().set_disabled("eve", true).error().code, Code::not_found);
}

TYPED_TEST_P(RegistryContract, ASessionOfAnotherServerIsGoodHereUntilItEndsThere) {
  const auto here = this->open(), there = this->open();
  ASSERT_TRUE(there->users().add(user_record("anna")).ok());
  const model::LoginSessionRecord session = session_record('s', "anna");
  ASSERT_TRUE(there->login_sessions().add(session).ok());
  EXPECT_FALSE(here->login_sessions().use_login_session(session.sha256, kNow));
  ASSERT_TRUE(here->read_changes(kNow).ok());
  EXPECT_TRUE(here->login_sessions().use_login_session(session.sha256, kNow));
  ASSERT_TRUE(there->login_sessions().end(session.sha256).ok());
  EXPECT_EQ(here->refresh(kNow).ended, std::vector<uint64_t>{model::login_session_number(session.sha256)});
  EXPECT_FALSE(here->login_sessions().use_login_session(session.sha256, kNow));
  EXPECT_TRUE(here->refresh(kNow).ended.empty());
}

TYPED_TEST_P(RegistryContract, ASessionThatIsUsedElsewhereIsNotEndedForAllByWhomItIsIdleWith) {
  const RegistryOptions options{.login_sessions = {.idle_ms = kHour}};
  const auto here = this->open(options), there = this->open(options);
  ASSERT_TRUE(there->users().add(user_record("anna")).ok());
  const model::LoginSessionRecord session = session_record('s', "anna");
  ASSERT_TRUE(there->login_sessions().add(session).ok());
  ASSERT_TRUE(here->refresh(kNow).status.ok());
  ASSERT_TRUE(there->login_sessions().use_login_session(session.sha256, kNow + kHour - 1));
  ASSERT_TRUE(there->refresh(kNow + kHour - 1).status.ok());  // a use that late is written at once
  EXPECT_TRUE(here->refresh(kNow + kHour).ended.empty());
  EXPECT_TRUE(here->login_sessions().use_login_session(session.sha256, kNow + kHour));
  const int64_t forgotten_ms = kNow + 3 * kHour;
  EXPECT_EQ(here->refresh(forgotten_ms).ended, std::vector<uint64_t>{model::login_session_number(session.sha256)});
  EXPECT_FALSE(this->open(options)->login_sessions().use_login_session(session.sha256, kNow + kHour + 1))
      << "its row is gone";
}

TYPED_TEST_P(RegistryContract, TheLastAdminStaysThoughTwoServersDisableOneEachAtOnce) {
  const auto here = this->open(), there = this->open();
  for (int round = 0; round < 5; ++round) {
    const std::string a = "a" + std::to_string(round), b = "b" + std::to_string(round);
    for (const std::string& name : {a, b}) {
      model::UserRecord admin = user_record(name);
      admin.grants.account = *model::AccountId::parse(std::to_string(round));
      admin.grants.roles = model::Roles().with(model::Role::admin);
      ASSERT_TRUE(here->users().add(admin).ok());
    }
    std::atomic<int> disabled = 0;
    const auto disable = [&disabled](Registry& registry, const std::string& name) {
      disabled += registry.users().set_disabled(name, true, Users::LastAdmin::stays).ok() ? 1 : 0;
    };
    std::thread first([&] { disable(*here, a); });
    std::thread second([&] { disable(*there, b); });
    first.join();
    second.join();
    EXPECT_EQ(disabled, 1);
  }
}

TYPED_TEST_P(RegistryContract, NoMoreSessionsThanThereMayBe) {
  const auto registry = this->open({.login_sessions = {.sessions_max = 1}});
  ASSERT_TRUE(registry->users().add(user_record("anna")).ok());
  ASSERT_TRUE(registry->login_sessions().add(session_record('a', "anna")).ok());
  EXPECT_EQ(registry->login_sessions().add(session_record('b', "anna")).error().code, Code::unavailable);
}

TYPED_TEST_P(RegistryContract, DevicesAreKnownFromTheirFirstPointUpToTheLimit) {
  const RegistryOptions options{.devices = {.devices_per_account_max = 2}};
  {
    const auto registry = this->open(options);
    Devices& devices = registry->devices();
    EXPECT_TRUE(devices.admit(device_topic("a", "1"), kNow).ok());
    EXPECT_TRUE(devices.admit(device_topic("a", "2"), kNow).ok());
    EXPECT_TRUE(devices.admit(device_topic("a", "1"), kNow).ok()) << "known already";
    EXPECT_EQ(devices.admit(device_topic("a", "3"), kNow).error().code, Code::unprocessable);
    EXPECT_TRUE(devices.admit(device_topic("b", "3"), kNow).ok()) << "another account's";
    ASSERT_TRUE(registry->refresh(kNow).status.ok());
  }
  const auto registry = this->open(options);
  EXPECT_EQ(registry->devices().count(), 3u);
  EXPECT_EQ(registry->devices().list()->at(1).topic, device_topic("a", "2"));
  EXPECT_FALSE(registry->devices().admit(device_topic("a", "3"), kNow).ok());
  ASSERT_TRUE(registry->devices().remove(device_topic("a", "2")).ok());
  EXPECT_TRUE(registry->devices().admit(device_topic("a", "3"), kNow).ok()) << "there is room again";
  EXPECT_EQ(registry->devices().remove(device_topic("a", "2")).error().code, Code::not_found);
}

inline model::Silence silence_record(const std::string& account, const std::string& id, int64_t ends_at_ms) {
  return {.id = id,
          .topic = *model::TopicPattern::parse("account:" + account + "/site:1"),
          .rules = {"hot", "cold"},
          .starts_at_ms = kNow,
          .ends_at_ms = ends_at_ms,
          .comment = "belt \"7\" is being changed",
          .created_by = "user:anna",
          .created_at_ms = kNow};
}

TYPED_TEST_P(RegistryContract, SilencesComeBackTheSameAndOnlyToTheirAccount) {
  const model::Silence silence = silence_record("a", "s-1", kNow + kHour);
  const auto other = this->open();
  {
    const auto registry = this->open();
    ASSERT_TRUE(registry->silences().add(silence, kNow).ok());
    ASSERT_TRUE(registry->silences().add(silence_record("b", "s-1", kNow + kHour), kNow).ok()) << "another account's";
    EXPECT_EQ(registry->silences().add(silence, kNow).error().code, Code::conflict);
  }
  const auto registry = this->open();
  const model::AccountId a = *model::AccountId::parse("a");
  EXPECT_EQ(*registry->silences().of(a), std::vector<model::Silence>{silence});
  EXPECT_TRUE(registry->silences().of(*model::AccountId::parse("c"))->empty());
  EXPECT_EQ(registry->silences().all().size(), 2u);
  EXPECT_TRUE(other->silences().of(a)->empty());
  ASSERT_TRUE(other->refresh(kNow).status.ok());
  EXPECT_EQ(other->silences().of(a)->size(), 1u) << "what another process made";
  const auto held = registry->silences().of(a);
  ASSERT_TRUE(registry->silences().remove(a, "s-1").ok());
  EXPECT_EQ(held->size(), 1u) << "what was handed out stays as it was";
  EXPECT_TRUE(registry->silences().of(a)->empty());
  EXPECT_EQ(registry->silences().of(*model::AccountId::parse("b"))->size(), 1u);
  EXPECT_EQ(registry->silences().remove(a, "s-1").error().code, Code::not_found);
}

TYPED_TEST_P(RegistryContract, SilencesAreSoManyAndEndedOnesGiveWayAndAreRemovedAfterADay) {
  const auto registry = this->open({.silences = {.silences_per_account_max = 2}});
  const model::AccountId a = *model::AccountId::parse("a");
  const auto add = [&](const char* id, int64_t ends_at_ms, int64_t now_ms) {
    return registry->silences().add(silence_record("a", id, ends_at_ms), now_ms);
  };
  ASSERT_TRUE(add("s-1", kNow + 2 * kHour, kNow).ok());
  ASSERT_TRUE(add("s-2", kNow + kHour, kNow).ok());
  const Status full = add("s-3", kNow + kHour, kNow);
  EXPECT_EQ(full.error().code, Code::unprocessable);
  EXPECT_NE(full.error().detail.find("silences_per_account_max"), std::string::npos) << full.error().detail;
  EXPECT_TRUE(registry->silences().add(silence_record("b", "s-3", kNow + kHour), kNow).ok()) << "another account's";
  ASSERT_TRUE(add("s-3", kNow + 3 * kHour, kNow + kHour).ok()) << "one has ended";
  ASSERT_EQ(registry->silences().of(a)->size(), 2u);
  EXPECT_EQ(registry->silences().of(a)->at(0).id, "s-1");
  EXPECT_EQ(registry->silences().of(a)->at(1).id, "s-3");
  ASSERT_TRUE(registry->refresh(kNow + 26 * kHour).status.ok());
  EXPECT_EQ(registry->silences().of(a)->size(), 2u) << "a day to the hour";
  ASSERT_TRUE(registry->refresh(kNow + 26 * kHour + 1).status.ok());
  ASSERT_EQ(registry->silences().of(a)->size(), 1u);
  EXPECT_EQ(registry->silences().of(a)->at(0).id, "s-3");
}

TYPED_TEST_P(RegistryContract, RulesComeBackTheSameAfterReopeningAndAreTheAccountsOwn) {
  const model::AccountId account = *model::AccountId::parse("a");
  const model::RuleRecord hot = rule_record("a", "hot");
  {
    const auto registry = this->open();
    Rules& rules = registry->rules();
    ASSERT_TRUE(rules.add(hot).ok());
    ASSERT_TRUE(rules.add(rule_record("a", "cold")).ok());
    ASSERT_TRUE(rules.add(rule_record("b", "hot")).ok()) << "another account's";
    EXPECT_EQ(rules.add(hot).error().code, Code::conflict);
  }
  const auto registry = this->open();
  const auto found = registry->rules().find(account, "hot");
  ASSERT_TRUE(found);
  EXPECT_EQ(found->rule, hot.rule);
  EXPECT_EQ(found->source, model::RuleSource::api);
  EXPECT_EQ(found->created_at_ms, hot.created_at_ms);
  EXPECT_EQ(found->created_by, hot.created_by);
  EXPECT_EQ(found->updated_at_ms, hot.updated_at_ms);
  EXPECT_EQ(found->updated_by, hot.updated_by);
  EXPECT_EQ(rule_names(registry->rules().list(account)), (std::vector<std::string>{"cold@1", "hot@1"}));
  EXPECT_EQ(registry->rules().in_force().size(), 3u);
  EXPECT_FALSE(registry->rules().find(account, "warm"));
  EXPECT_TRUE(registry->rules().list(*model::AccountId::parse("c")).empty());
}

TYPED_TEST_P(RegistryContract, ARuleIsReplacedAndRemovedOnlyAtTheVersionThatWasLookedAt) {
  const model::AccountId account = *model::AccountId::parse("a");
  const auto server = this->open();
  const auto other = this->open();
  Rules& rules = server->rules();
  ASSERT_TRUE(rules.add(rule_record("a", "hot")).ok());
  ASSERT_TRUE(rules.replace(rule_record("a", "hot", 2), 1).ok());
  EXPECT_EQ(rules.replace(rule_record("a", "hot", 2), 1).error().code, Code::conflict);
  EXPECT_EQ(rules.find(account, "hot")->rule.version, 2u);
  EXPECT_EQ(rules.replace(rule_record("a", "cold", 2), 1).error().code, Code::conflict) << "not there";
  // Another process was quicker, and this one has not heard of it.
  ASSERT_TRUE(other->refresh(kNow).status.ok());
  ASSERT_TRUE(other->rules().replace(rule_record("a", "hot", 3), 2).ok());
  EXPECT_EQ(rules.replace(rule_record("a", "hot", 3), 2).error().code, Code::conflict);
  EXPECT_EQ(rules.remove(account, "hot", 2).error().code, Code::conflict);
  ASSERT_TRUE(server->refresh(kNow).status.ok());
  EXPECT_EQ(rules.find(account, "hot")->rule.version, 3u);
  ASSERT_TRUE(rules.remove(account, "hot", 3).ok());
  EXPECT_FALSE(rules.find(account, "hot"));
  EXPECT_TRUE(this->open()->rules().list(account).empty());
}

TYPED_TEST_P(RegistryContract, AnAccountHasSoManyRules) {
  const auto registry = this->open({.rules = {.rules_per_account_max = 2}});
  Rules& rules = registry->rules();
  ASSERT_TRUE(rules.add(rule_record("a", "1")).ok() && rules.add(rule_record("a", "2")).ok());
  const Status third = rules.add(rule_record("a", "3"));
  EXPECT_EQ(third.error().code, Code::unprocessable);
  EXPECT_THAT(third.error().detail, testing::HasSubstr("alerts.rules_per_account_max"));
  EXPECT_TRUE(rules.add(rule_record("b", "3")).ok()) << "another account's";
  ASSERT_TRUE(rules.remove(*model::AccountId::parse("a"), "1", 1).ok());
  EXPECT_TRUE(rules.add(rule_record("a", "3")).ok()) << "there is room again";
}

TYPED_TEST_P(RegistryContract, RulesOfFilesGoBeforeThoseOfTheTable) {
  const model::AccountId account = *model::AccountId::parse("a");
  const auto registry = this->open({.rules = {.rules_per_account_max = 1}});
  Rules& rules = registry->rules();
  ASSERT_TRUE(rules.add(rule_record("a", "hot")).ok());
  model::RuleRecord given = rule_record("a", "hot", 7);
  given.source = model::RuleSource::file;
  model::RuleRecord other = rule_record("a", "cold");
  other.source = model::RuleSource::config;
  rules.give({std::make_shared<const model::RuleRecord>(given), std::make_shared<const model::RuleRecord>(other)});
  EXPECT_EQ(rule_names(rules.list(account)), (std::vector<std::string>{"cold@1", "hot@7"}));
  EXPECT_EQ(rules.find(account, "hot")->source, model::RuleSource::file);
  EXPECT_EQ(rules.in_force().size(), 2u);
  EXPECT_EQ(rules.given().size(), 2u);
  EXPECT_EQ(rules.add(rule_record("a", "cold")).error().code, Code::conflict);
  ASSERT_TRUE(registry->refresh(kNow).status.ok());
  EXPECT_EQ(rules.list(account).size(), 2u) << "reading the table anew leaves them";
  rules.give({});
  EXPECT_EQ(rule_names(rules.list(account)), (std::vector<std::string>{"hot@1"}));
}

TYPED_TEST_P(RegistryContract, SettingsOfADeviceComeBackTheSameAndWhatCannotBeAnnouncedIsTakenBack) {
  const model::Topic gateway = device_topic("a", "gw"), pump = device_topic("a", "pump");
  const Devices::Announce refuse = [] { return Status(Error{Code::storage_full, "the disk is full"}); };
  model::DeviceSettings settings;
  settings.name = "Pump \"1\"";
  settings.attributes = {{"T1_warn", 70.5}};
  settings.parent = gateway.device;
  settings.stale_after_ms = 30'000;
  {
    const auto registry = this->open({.devices = {.devices_per_account_max = 2}});
    Devices& devices = registry->devices();
    EXPECT_EQ(devices.save(pump, settings, kNow, refuse).error().code, Code::storage_full);
    EXPECT_EQ(devices.count(), 0u);
    EXPECT_EQ(devices.settings_of(pump), nullptr);
    EXPECT_TRUE(devices.list()->empty());
    int announced = 0;
    const Devices::Announce announce = [&] {
      ++announced;
      return Status();
    };
    ASSERT_TRUE(devices.admit(pump, kNow).ok());
    ASSERT_TRUE(devices.save(pump, settings, kNow + 1, announce).ok());
    ASSERT_TRUE(devices.save(gateway, {}, kNow, announce).ok());
    EXPECT_EQ(announced, 2);
    EXPECT_EQ(devices.save(device_topic("a", "third"), {}, kNow, announce).error().code, Code::unprocessable);
    model::DeviceSettings other = settings;
    other.name.clear();
    EXPECT_FALSE(devices.save(pump, other, kNow, refuse).ok());
    EXPECT_EQ(*devices.settings_of(pump), settings);
    EXPECT_FALSE(devices.remove(gateway, refuse).ok());
    EXPECT_EQ(announced, 2);
    ASSERT_TRUE(registry->refresh(kNow).status.ok());
  }
  const auto registry = this->open();
  Devices& devices = registry->devices();
  EXPECT_EQ(devices.settings(), (model::SettingsByDevice{{gateway, {}}, {pump, settings}}));
  EXPECT_EQ(devices.gateway_of(pump), gateway);
  EXPECT_EQ(devices.gateway_of(gateway), std::nullopt);
  EXPECT_EQ(devices.list()->at(1).settings, settings);
  const auto other = this->open();
  ASSERT_TRUE(other->devices().remove(pump).ok());
  ASSERT_TRUE(registry->refresh(kNow).status.ok());
  EXPECT_EQ(devices.gateway_of(pump), std::nullopt);
  EXPECT_EQ(devices.count(), 1u);
}

TYPED_TEST_P(RegistryContract, AGatewayHasNoneItself) {
  const auto registry = this->open();
  Devices& devices = registry->devices();
  const auto behind = [](const char* parent) {
    model::DeviceSettings settings;
    settings.parent = *model::DeviceId::parse(parent);
    return settings;
  };
  ASSERT_TRUE(devices.save(device_topic("a", "pump"), behind("gw"), kNow, {}).ok());
  EXPECT_EQ(devices.save(device_topic("a", "gw"), behind("root"), kNow, {}).error().detail,
            "parent: gw is a gateway, which has none itself");
  EXPECT_EQ(devices.save(device_topic("a", "valve"), behind("pump"), kNow, {}).error().detail,
            "parent: pump has a gateway itself, and there is one level of them");
  ASSERT_TRUE(devices.save(device_topic("a", "pump"), {}, kNow, {}).ok());
  EXPECT_TRUE(devices.save(device_topic("a", "valve"), behind("pump"), kNow, {}).ok());
  EXPECT_TRUE(devices.save(device_topic("a", "gw"), behind("root"), kNow, {}).ok());
}

TYPED_TEST_P(RegistryContract, KeysAreFoundWhileOthersWriteAndRefresh) {
  const auto registry = this->open();
  ASSERT_TRUE(registry->api_keys().add(key_record("aaaaaaaaaaaa")).ok());
  ASSERT_TRUE(registry->users().add(user_record("anna")).ok());
  ASSERT_TRUE(registry->login_sessions().add(session_record('a', "anna")).ok());
  std::atomic<bool> done = false;
  std::atomic<int> missed = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&, i] {
      for (int round = 0; !done; ++round) {
        missed += registry->api_keys().find_api_key("aaaaaaaaaaaa") ? 0 : 1;
        registry->api_keys().note_use("aaaaaaaaaaaa", kNow + round);
        missed += registry->login_sessions().use_login_session(std::string(32, 'a'), kNow) ? 0 : 1;
        missed += registry->devices().admit(device_topic("a", std::to_string(i * 8 + round % 8)), kNow) ? 0 : 1;
      }
    });
  }
  const auto other = this->open();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(other->api_keys().add(key_record("bbbbbbbbbbb" + std::to_string(i))).ok());
    ASSERT_TRUE(registry->refresh(kNow).status.ok());
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(missed, 0);
  EXPECT_TRUE(registry->api_keys().find_api_key("bbbbbbbbbbb9"));
}

REGISTER_TYPED_TEST_SUITE_P(
    RegistryContract, KeysComeBackTheSameAfterReopening, TheSameKeyTwiceIsAConflictAndHalfAKeyIsNotStored,
    ARevokedKeyStaysListedAndIsMarked, AKeyMayBeEndedSoonerButNotLater,
    ChangesOfAnotherProcessAreSeenAndWhatEndedIsNamedOnce, AKeyThatIsEndedInThePastIsToldAllTheSame,
    AUserHasSoManySessionsAndTheLongestIdleGivesWay, TheLastUseOfAKeyIsKept, UsersComeBackTheSameAfterReopening,
    ASessionGivesWhatItsUserMayDoNowUntilItEnds, ASessionThatIsNotUsedEndsUnlessAStreamIsOpen,
    SessionsOutliveARestartWithTheirLastUse, AChangedUserEndsTheSessionsUntilThen,
    ASessionOfAnotherServerIsGoodHereUntilItEndsThere, ASessionThatIsUsedElsewhereIsNotEndedForAllByWhomItIsIdleWith,
    TheLastAdminStaysThoughTwoServersDisableOneEachAtOnce, NoMoreSessionsThanThereMayBe,
    DevicesAreKnownFromTheirFirstPointUpToTheLimit, SilencesComeBackTheSameAndOnlyToTheirAccount,
    SilencesAreSoManyAndEndedOnesGiveWayAndAreRemovedAfterADay, RulesComeBackTheSameAfterReopeningAndAreTheAccountsOwn,
    ARuleIsReplacedAndRemovedOnlyAtTheVersionThatWasLookedAt, AnAccountHasSoManyRules,
    RulesOfFilesGoBeforeThoseOfTheTable, SettingsOfADeviceComeBackTheSameAndWhatCannotBeAnnouncedIsTakenBack,
    AGatewayHasNoneItself, KeysAreFoundWhileOthersWriteAndRefresh);

}  // namespace millstream::registry
