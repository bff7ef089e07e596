#include <gmock/gmock.h>

#include "api/rule_change.h"
#include "api/testing.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "codec/rule_command.h"
#include "codec/rule_json.h"

namespace millstream::api {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

const model::AccountId kAccount = *model::AccountId::parse("demo");

std::string rule_json(const std::string& more, const std::string& level = R"("op":">","value":70)") {
  return R"({"when":{"all":[{"field":"T1"}]},"levels":[{"severity":"warning",)" + level + "}]" +
         (more.empty() ? "" : "," + more) + "}";
}

model::RuleRecord stored(const std::string& id, const std::string& topic = "account:demo", uint64_t version = 1) {
  model::RuleRecord record;
  record.rule = *codec::parse_rule(
      rule_json(R"("id":")" + id + R"(","scope":{"topic":")" + topic + R"("},"version":)" + std::to_string(version)),
      kAccount);
  record.created_by = record.updated_by = "user:anna";
  record.created_at_ms = record.updated_at_ms = kStart;
  return record;
}

class RulesTest : public ApiTest {
 protected:
  RulesTest() {
    grants.roles = model::Roles().with(model::Role::admin);
    become(grants);
    add_rule_routes(router, context);
    log.on_append = [this](std::vector<model::Event> batch, log::AppendDone done) {
      if (refused) {
        done(*refused);
      } else {
        for (model::Event& event : batch) appended.push_back(std::move(event));
        done(log::AppendReceipt{});
      }
      return Status();
    };
  }

  void limit_to(const std::string& site) {
    grants.sites = {*model::SiteId::parse(site)};
    become(grants);
  }
  void become_role(model::Role role) {
    grants.roles = model::Roles().with(role);
    become(grants);
  }

  // The loop runs once: one a test.
  Answer send(const std::string& method, const std::string& path, const std::string& body = {},
              const std::vector<http::Header>& headers = {}, const std::string& query = {}) {
    http::Request request{.method = method, .path = path, .query = *http::Query::parse(query), .body = body};
    request.headers.add("Authorization", "Bearer " + key);
    for (const http::Header& header : headers) request.headers.add(header.name, header.value);
    const http::Router::Match match = router.find(method, path);
    request.captures = match.captures;
    Answer answer;
    loop.post([&] {
      (*match.handler)(std::make_shared<FakeExchange>(std::move(request), loop, answer, [this] { loop.stop(); }));
    });
    loop.run();
    return answer;
  }
  registry::Rules& rules() { return registry->rules(); }
  codec::RuleCommand told() {
    EXPECT_EQ(appended.size(), 1u);
    const auto command = codec::decode_rule_command(appended.at(0));
    EXPECT_TRUE(command.ok() && *command);
    return **command;
  }

  std::optional<Error> refused;  // by the log
  std::vector<model::Event> appended;
};

TEST_F(RulesTest, ARuleThatIsMadeIsStoredToldAndGivenBack) {
  const Answer answer =
      send("POST", "/api/rules", rule_json(R"("name":"Over temperature!","scope":{"topic":"account:demo/site:hall"})"));
  EXPECT_EQ(answer.status, 201) << answer.text;
  EXPECT_EQ(answer.headers.get("Location"), "/api/rules/over-temperature");
  EXPECT_EQ(answer.headers.get("ETag"), "\"1\"");
  EXPECT_THAT(answer.text,
              AllOf(HasSubstr(R"({"id":"over-temperature","name":"Over temperature!","enabled":true,"version":1,)"),
                    HasSubstr(R"("source":"api","createdAt":"2026-02-02T02:40:00.000Z","createdBy":"key:)"),
                    HasSubstr(R"("updatedAt":"2026-02-02T02:40:00.000Z")"), HasSubstr(R"("status":null})")));
  ASSERT_TRUE(rules().find(kAccount, "over-temperature"));
  EXPECT_EQ(appended.at(0).topic.text(), "account:demo/site:hall");
  EXPECT_EQ(appended.at(0).type, model::EventType::system);
  const auto saved = std::get<codec::SaveRule>(told());
  EXPECT_EQ(saved.rule, rules().find(kAccount, "over-temperature")->rule);
  EXPECT_EQ(saved.by, "key:" + key_id);
}

TEST_F(RulesTest, AnIdThatIsMadeIsOneThatIsFree) {
  ASSERT_TRUE(rules().add(stored("hot")).ok() && rules().add(stored("hot-2")).ok());
  EXPECT_EQ(send("POST", "/api/rules", rule_json(R"("name":" HOT ")")).headers.get("Location"), "/api/rules/hot-3");
}

TEST_F(RulesTest, ANameWithoutLettersOfAnIdGetsOneAllTheSame) {
  EXPECT_EQ(send("POST", "/api/rules", rule_json(R"("name":"Перегрів")")).headers.get("Location"), "/api/rules/rule");
}

TEST_F(RulesTest, AnIdThatIsTakenIsAConflict) {
  ASSERT_TRUE(rules().add(stored("hot")).ok());
  const Answer answer = send("POST", "/api/rules", rule_json(R"("id":"hot")"));
  EXPECT_EQ(answer.status, 409);
  EXPECT_THAT(answer.text, HasSubstr("there is a rule \\\"hot\\\" already"));
  EXPECT_TRUE(appended.empty());
}

TEST_F(RulesTest, WhatIsWrongIsNamedWithItsPlace) {
  const Answer answer = send("POST", "/api/rules", rule_json(R"("id":"r")", R"("op":"=>","value":70)"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.text, HasSubstr(R"("detail":"levels[0].op: not one of > >= < <= == != in outside")"));
  EXPECT_THAT(answer.text,
              HasSubstr(R"("errors":[{"path":"levels[0].op","reason":"not one of > >= < <= == != in outside"}])"));
}

TEST_F(RulesTest, WhatIsNotUtf8IsNotSentBackAsItCame) {
  const Answer answer = send("GET", "/api/rules/\xff");
  EXPECT_EQ(answer.status, 404);
  EXPECT_THAT(answer.text, HasSubstr("no rule has the id \\\"\xEF\xBF\xBD\\\""));
}

TEST_F(RulesTest, ANameThatIsShortenedIsUtf8AllTheSame) {
  const Answer answer = send("POST", "/api/rules", rule_json('"' + std::string(kNameBytesMax - 1, 'a') + R"(é":1)"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_TRUE(is_utf8(answer.text)) << answer.text;
}

TEST_F(RulesTest, WhatOnlyTheEngineCanTellIsRefusedToo) {
  const Answer answer =
      send("POST", "/api/rules", rule_json(R"("id":"r","schedule":{"tz":"Mars/Olympus","active":[{"days":"mon"}]})"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.text, HasSubstr(R"("errors":[{"path":"schedule.tz")"));
}

TEST_F(RulesTest, WithNeitherIdNorNameThereIsNoRule) {
  const Answer answer = send("POST", "/api/rules", rule_json(""));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.text, HasSubstr("id: missing, and there is no name to make one of"));
}

TEST_F(RulesTest, OnlyAdminsMakeRules) {
  become_role(model::Role::operator_);
  EXPECT_EQ(send("POST", "/api/rules", rule_json(R"("id":"r")")).status, 403);
}

TEST_F(RulesTest, AnAdminOfASiteMakesNoneForTheWholeAccount) {
  limit_to("hall");
  const Answer answer = send("POST", "/api/rules", rule_json(R"("id":"r")"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_THAT(answer.text, HasSubstr(R"("path":"scope.topic")"));
}

TEST_F(RulesTest, AnotherAccountsDevicesAreOutOfReach) {
  const Answer answer = send("POST", "/api/rules", rule_json(R"("id":"r","scope":{"topic":"account:other"})"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.text, HasSubstr("scope.topic: account:demo is yours, and no other"));
}

TEST_F(RulesTest, WhatTheLogRefusesIsNotStored) {
  refused = Error{Code::storage_full, "no room"};
  EXPECT_EQ(send("POST", "/api/rules", rule_json(R"("id":"r")")).status, 507);
  EXPECT_FALSE(rules().find(kAccount, "r"));
}

TEST_F(RulesTest, AChangeThatTheLogRefusesIsTakenBack) {
  ASSERT_TRUE(rules().add(stored("hot")).ok());
  refused = Error{Code::unavailable, "stopping"};
  EXPECT_EQ(send("PUT", "/api/rules/hot", rule_json(R"("name":"other")")).status, 503);
  EXPECT_EQ(rules().find(kAccount, "hot")->rule, stored("hot").rule);
}

TEST_F(RulesTest, ARuleThatTheLogDoesNotHearTheEndOfStays) {
  ASSERT_TRUE(rules().add(stored("hot", "account:demo", 5)).ok());
  refused = Error{Code::unavailable, "stopping"};
  EXPECT_EQ(send("DELETE", "/api/rules/hot").status, 503);
  ASSERT_TRUE(rules().find(kAccount, "hot"));
  EXPECT_EQ(rules().find(kAccount, "hot")->rule.version, 5u);
}

TEST_F(RulesTest, APutReplacesTheVersionThatWasLookedAt) {
  ASSERT_TRUE(rules().add(stored("hot", "account:demo", 4)).ok());
  clock.advance_ms(5000);
  const Answer answer =
      send("PUT", "/api/rules/hot", rule_json(R"("id":"hot","version":4,"for":"30s")"), {{"If-Match", "\"4\""}});
  EXPECT_EQ(answer.status, 200) << answer.text;
  EXPECT_EQ(answer.headers.get("ETag"), "\"5\"");
  EXPECT_THAT(answer.text,
              AllOf(HasSubstr(R"("version":5)"), HasSubstr(R"("for":"30s")"), HasSubstr(R"("createdBy":"user:anna")"),
                    HasSubstr(R"("updatedAt":"2026-02-02T02:40:05.000Z","updatedBy":"key:)")));
  EXPECT_EQ(std::get<codec::SaveRule>(told()).rule.version, 5u);
}

TEST_F(RulesTest, WhatAnAnswerSaidCanBeSentBack) {
  ASSERT_TRUE(rules().add(stored("hot")).ok());
  const std::string given =
      rule_json(R"("id":"hot","version":1,"source":"api","createdAt":"2026-02-02T02:40:00.000Z","createdBy":"x",)"
                R"("updatedAt":"2026-02-02T02:40:00.000Z","updatedBy":"x","status":{"devices":1})");
  EXPECT_EQ(send("PUT", "/api/rules/hot", given).status, 200);
}

TEST_F(RulesTest, AnotherVersionFailsIfMatch) {
  ASSERT_TRUE(rules().add(stored("hot", "account:demo", 4)).ok());
  const Answer answer = send("PUT", "/api/rules/hot", rule_json(""), {{"If-Match", "\"3\""}});
  EXPECT_EQ(answer.status, 412);
  EXPECT_THAT(answer.text, HasSubstr("If-Match: the rule is at version 4"));
  EXPECT_TRUE(appended.empty());
}

TEST_F(RulesTest, AnotherVersionInTheBodyIsAConflict) {
  ASSERT_TRUE(rules().add(stored("hot", "account:demo", 4)).ok());
  EXPECT_EQ(send("PUT", "/api/rules/hot", rule_json(R"("version":3)")).status, 409);
}

TEST_F(RulesTest, APutMakesWhatIsNotThere) {
  const Answer answer = send("PUT", "/api/rules/hot", rule_json(""), {{"If-None-Match", "*"}});
  EXPECT_EQ(answer.status, 201) << answer.text;
  EXPECT_EQ(rules().find(kAccount, "hot")->rule.name, "hot");
}

TEST_F(RulesTest, IfNoneMatchKeepsWhatIsThere) {
  ASSERT_TRUE(rules().add(stored("hot")).ok());
  EXPECT_EQ(send("PUT", "/api/rules/hot", rule_json(""), {{"If-None-Match", "*"}}).status, 412);
}

TEST_F(RulesTest, WhatSomeoneElseHasDeletedIsNotMadeAnewByAChange) {
  EXPECT_EQ(send("PUT", "/api/rules/hot", rule_json(R"("version":3)")).status, 409);
  EXPECT_FALSE(rules().find(kAccount, "hot"));
}

TEST_F(RulesTest, IfMatchOfWhatIsNotThereFails) {
  EXPECT_EQ(send("PUT", "/api/rules/hot", rule_json(""), {{"If-Match", "*"}}).status, 412);
}

TEST_F(RulesTest, ARuleKeepsItsId) {
  const Answer answer = send("PUT", "/api/rules/hot", rule_json(R"("id":"cold")"));
  EXPECT_EQ(answer.status, 400);
  EXPECT_THAT(answer.text, HasSubstr(R"("path":"id")"));
}

TEST_F(RulesTest, AnAdminOfASiteChangesNoRuleOfTheWholeAccount) {
  ASSERT_TRUE(rules().add(stored("hot")).ok());
  limit_to("hall");
  EXPECT_EQ(send("PUT", "/api/rules/hot", rule_json(R"("scope":{"topic":"account:demo/site:hall"})")).status, 403);
}

TEST_F(RulesTest, ARuleOfAFileIsChangedThere) {
  model::RuleRecord given = stored("hot");
  given.source = model::RuleSource::file;
  rules().give({std::make_shared<const model::RuleRecord>(given)});
  const Answer answer = send("PUT", "/api/rules/hot", rule_json(""));
  EXPECT_EQ(answer.status, 409);
  EXPECT_THAT(answer.text, HasSubstr("alerts.rules_file"));
}

TEST_F(RulesTest, ARuleOfTheConfigurationIsNotDeleted) {
  model::RuleRecord given = stored("hot");
  given.source = model::RuleSource::config;
  rules().give({std::make_shared<const model::RuleRecord>(given)});
  const Answer answer = send("DELETE", "/api/rules/hot");
  EXPECT_EQ(answer.status, 409);
  EXPECT_THAT(answer.text, HasSubstr("[[rules]]"));
}

TEST_F(RulesTest, ADeletedRuleIsGoneAndToldOf) {
  ASSERT_TRUE(rules().add(stored("hot", "account:demo/site:hall/device:oven", 2)).ok());
  EXPECT_EQ(send("DELETE", "/api/rules/hot", "", {{"If-Match", "\"2\""}}).status, 204);
  EXPECT_FALSE(rules().find(kAccount, "hot"));
  EXPECT_EQ(std::get<codec::DeleteRule>(told()).rule_id, "hot");
  EXPECT_EQ(appended.at(0).topic.text(), "account:demo/site:hall/device:oven");
}

TEST_F(RulesTest, ADeletionOfAnotherVersionFails) {
  ASSERT_TRUE(rules().add(stored("hot", "account:demo", 2)).ok());
  EXPECT_EQ(send("DELETE", "/api/rules/hot", "", {{"If-Match", "\"1\""}}).status, 412);
  EXPECT_TRUE(rules().find(kAccount, "hot"));
}

TEST_F(RulesTest, WhatOneMayNotSeeIsNotThereToDelete) {
  ASSERT_TRUE(rules().add(stored("hot", "account:demo/site:yard")).ok());
  limit_to("hall");
  EXPECT_EQ(send("DELETE", "/api/rules/hot").status, 404);
  EXPECT_TRUE(rules().find(kAccount, "hot"));
}

TEST_F(RulesTest, AViewerSeesTheRulesThatLookAtSomethingOfTheirs) {
  for (const auto& [id, topic] : {std::pair{"all", "account:demo"},
                                  {"hall", "account:demo/site:hall"},
                                  {"yard", "account:demo/site:yard"},
                                  {"oven", "account:demo/site:*/device:oven"}}) {
    ASSERT_TRUE(rules().add(stored(id, topic)).ok());
  }
  grants.roles = model::Roles().with(model::Role::viewer);
  limit_to("hall");
  const Answer answer = send("GET", "/api/rules");
  EXPECT_EQ(answer.status, 200) << answer.text;
  EXPECT_THAT(answer.text, AllOf(HasSubstr(R"("id":"all")"), HasSubstr(R"("id":"hall")"), HasSubstr(R"("id":"oven")"),
                                 Not(HasSubstr("yard"))));
}

TEST_F(RulesTest, AListMayBeOfATopicAndOfThoseThatAreEnabled) {
  model::RuleRecord off = stored("off", "account:demo/site:hall");
  off.rule.enabled = false;
  ASSERT_TRUE(rules().add(off).ok() && rules().add(stored("on", "account:demo/site:hall")).ok());
  ASSERT_TRUE(rules().add(stored("yard", "account:demo/site:yard")).ok());
  const Answer answer = send("GET", "/api/rules", "", {}, "enabled=false&topic=account:demo/site:hall");
  EXPECT_EQ(answer.status, 200) << answer.text;
  EXPECT_THAT(answer.text, AllOf(HasSubstr(R"("id":"off")"), Not(HasSubstr(R"("id":"on")")), Not(HasSubstr("yard"))));
}

TEST_F(RulesTest, AnUnknownFilterIsRefused) { EXPECT_EQ(send("GET", "/api/rules", "", {}, "enabledd=1").status, 400); }

TEST_F(RulesTest, ARuleShowsWhatItIsDoing) {
  ASSERT_TRUE(rules().add(stored("hot", "account:demo", 3)).ok());
  const auto tally = std::make_shared<rules::RuleTally>();
  tally->add(rules::Phase::ok, 2);
  tally->add(rules::Phase::recovering, 1);
  rule_board.put({kAccount, "hot"}, tally);
  become_role(model::Role::viewer);
  const Answer answer = send("GET", "/api/rules/hot");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.get("ETag"), "\"3\"");
  EXPECT_THAT(answer.text, HasSubstr(R"("status":{"devices":3,"pending":0,"firing":1,"limited":false})"));
}

TEST_F(RulesTest, AnotherAccountsRuleIsNotThere) {
  ASSERT_TRUE(rules().add(stored("hot")).ok());
  grants.account = *model::AccountId::parse("other");
  become(grants);
  EXPECT_EQ(send("GET", "/api/rules/hot").status, 404);
}

TEST_F(RulesTest, ADeviceThatOnlyWritesReadsNone) {
  ASSERT_TRUE(rules().add(stored("hot")).ok());
  become_role(model::Role::ingest);
  EXPECT_EQ(send("GET", "/api/rules/hot").status, 403);
}

TEST_F(RulesTest, RulesOfFilesAreReplacedByWhatDiffers) {
  const auto given = [](const std::string& id, uint64_t version) {
    model::RuleRecord record = stored(id, "account:demo", version);
    record.source = model::RuleSource::file;
    return std::make_shared<const model::RuleRecord>(record);
  };
  ASSERT_TRUE(rules().add(stored("behind", "account:demo", 9)).ok());
  rules().give({given("same", 1), given("changes", 1), given("goes", 1), given("behind", 1)});
  const auto changed = replace_given_rules(context, {given("same", 1), given("changes", 2), given("comes", 1)});
  ASSERT_TRUE(changed.ok());
  std::vector<std::string> words;
  for (const model::Event& event : appended) {
    const auto command = **codec::decode_rule_command(event);
    const auto* saved = std::get_if<codec::SaveRule>(&command);
    words.push_back(saved ? saved->rule.id + "@" + std::to_string(saved->rule.version)
                          : "-" + std::get<codec::DeleteRule>(command).rule_id);
  }
  EXPECT_EQ(words, (std::vector<std::string>{"behind@9", "changes@2", "comes@1", "-goes"}));
  EXPECT_EQ(*changed, 4u);
  refused = Error{Code::unavailable, "a test"};
  EXPECT_FALSE(replace_given_rules(context, {}).ok());
  EXPECT_EQ(rules().given().size(), 3u) << "as before";
}

}  // namespace
}  // namespace millstream::api
