#include "notify/notifier.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "notify/testing.h"

namespace millstream::notify {
namespace {

using model::AlertState;
using model::DeliveryState;
using model::NotifyPolicy;
using model::Severity;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Lines = std::vector<std::string>;

Configuration with(std::vector<NotifyPolicy> notify) {
  return {{rule_with("hot", std::move(notify))}, Channels({{"ops", {}, "webhook"}, {"mail", {}, "email"}})};
}
Configuration plain() { return with({policy()}); }

TEST(Notifier, OneGroupIsToldOnceAfterGroupWait) {
  Playground play(plain());
  play.fire("a");
  play.pass(20 * kSecond);
  play.fire("b");
  play.pass(9 * kSecond);
  EXPECT_THAT(play.told(), IsEmpty());
  play.pass(kMinute);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a,b"));
}

TEST(Notifier, AStormIsOneNotification) {
  Playground play(plain());
  for (int i = 0; i < 500; ++i) play.fire("d" + std::to_string(i));
  play.pass(kMinute);
  ASSERT_EQ(play.pending().size(), 1u);
  EXPECT_EQ(play.pending()[0].notification->alerts.size(), 500u);
  EXPECT_EQ(play.pending()[0].notification->firing_count, 500u);
}

TEST(Notifier, WhatDoesNotFitIsCountedAndTheGravestIsToldFirst) {
  Playground play(plain());
  for (size_t i = 0; i < kNotifiedAlertsMax + 7; ++i) play.fire("d" + std::to_string(i));
  play.fire("grave", Severity::critical);
  play.pass(kMinute);
  const auto pending = play.pending();
  ASSERT_EQ(pending.size(), 1u);
  const model::Notification& n = *pending[0].notification;
  EXPECT_EQ(n.alerts.size(), kNotifiedAlertsMax);
  EXPECT_EQ(n.truncated, 8u);
  EXPECT_EQ(n.alerts.front().device.device.text(), "grave");
  EXPECT_EQ(n.severity, Severity::critical);
}

TEST(Notifier, GroupsAreByWhatThePolicySays) {
  Playground play(with({policy({"site", "severity"})}));
  play.alert(device("a", "north"), AlertState::firing);
  play.alert(device("b", "north"), AlertState::firing, Severity::critical);
  play.alert(device("c", "south"), AlertState::firing);
  play.alert(device("d", "south"), AlertState::firing);
  play.pass(kMinute);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a", "+30s firing b", "+30s firing c,d"));
  const auto pending = play.pending();
  EXPECT_EQ(pending[0].notification->group_labels, (model::Tags{{"severity", "warning"}, {"site", "north"}}));
  EXPECT_EQ(pending[0].notification->topic.text(), "account:demo/site:north") << "who sees the site may see its event";
  EXPECT_NE(pending[0].notification->group_key, pending[1].notification->group_key);
}

TEST(Notifier, DevicesOfOneNameAtTwoSitesAreTwoGroups) {
  Playground play(with({policy({"device"})}));
  play.alert(device("a", "north"), AlertState::firing);
  play.alert(device("a", "south"), AlertState::firing);
  play.pass(kMinute);
  EXPECT_EQ(play.told(), (Lines{"+30s firing a", "+30s firing a"}));
}

TEST(Notifier, RulesOfTheSamePolicyShareAGroup) {
  Configuration two = plain();
  two.rules.push_back(rule_with("cold", {policy()}));
  Playground play(two);
  play.fire("a");
  play.rule = "cold";
  play.fire("b");
  play.pass(kMinute);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a,b"));
}

TEST(Notifier, FurtherAlertsWaitForGroupInterval) {
  Playground play(plain());
  play.fire("a");
  play.pass(kMinute);
  play.fire("b");
  play.pass(4 * kMinute);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a"));
  play.pass(kMinute);
  EXPECT_THAT(play.told(), ElementsAre("+330s firing a,b")) << "what is open is told with it";
}

TEST(Notifier, AfterAQuietTimeNewsWaitsForGroupWaitAgain) {
  Playground play(plain());
  play.fire("a");
  play.pass(kHourMs);
  play.told();
  play.fire("b");
  play.pass(kMinute);
  EXPECT_THAT(play.told(), ElementsAre("+3630s firing a,b"));
}

TEST(Notifier, WhatStaysOpenIsRepeated) {
  Playground play(plain());
  play.fire("a");
  play.pass(9 * kHourMs);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a", "+14430s firing a", "+28830s firing a"));
}

TEST(Notifier, TheEndIsToldToThoseWhoWereTold) {
  Playground play(plain());
  play.fire("a");
  play.fire("brief");
  play.pass(10 * kSecond);
  play.resolve("brief");
  play.pass(10 * kMinute);
  play.resolve("a");
  play.pass(5 * kHourMs);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a", "+640s resolved a"));
}

TEST(Notifier, AChannelThatDoesNotWantEndsIsToldNone) {
  NotifyPolicy quiet = policy();
  quiet.resolved = false;
  Playground play(with({quiet}));
  play.fire("a");
  play.pass(10 * kMinute);
  play.resolve("a");
  play.pass(5 * kHourMs);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a"));
}

TEST(Notifier, ResolvedAndFiredAgainBetweenTwoNotificationsIsNoNews) {
  Playground play(plain());
  play.fire("a");
  play.pass(kMinute);
  play.resolve("a");
  play.pass(kSecond);
  play.fire("a");
  play.pass(kHourMs);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a"));
}

TEST(Notifier, LesserAlertsAreLeftOutUntilTheyRise) {
  NotifyPolicy grave = policy();
  grave.min_severity = Severity::critical;
  Playground play(with({grave}));
  play.fire("a");
  play.pass(kHourMs);
  EXPECT_THAT(play.told(), IsEmpty());
  play.alert(device("a"), AlertState::updated, Severity::critical);
  play.pass(kMinute);
  EXPECT_THAT(play.told(), ElementsAre("+3630s firing a"));
  play.alert(device("a"), AlertState::updated, Severity::warning);
  play.pass(10 * kMinute);
  play.resolve("a");
  play.pass(10 * kMinute);
  EXPECT_EQ(play.told().size(), 1u) << "the end of what was told";
}

TEST(Notifier, ARiseIsNewsAndAFallIsNot) {
  Playground play(plain());
  play.fire("a");
  play.pass(10 * kMinute);
  play.told();
  play.alert(device("a"), AlertState::updated, Severity::critical);
  play.pass(10 * kMinute);
  EXPECT_EQ(play.told().size(), 1u);
  play.alert(device("a"), AlertState::updated, Severity::warning);
  play.pass(kHourMs);
  EXPECT_THAT(play.told(), IsEmpty());
}

TEST(Notifier, WhoIsGroupedBySeverityIsToldTheEndOfTheOldOne) {
  Playground play(with({policy({"severity"})}));
  play.fire("a");
  play.pass(10 * kMinute);
  play.told();
  play.alert(device("a"), AlertState::updated, Severity::critical);
  play.pass(10 * kMinute);
  EXPECT_THAT(play.told(), ElementsAre(HasSubstr("firing a"), HasSubstr("resolved a")));
  const auto pending = play.pending();
  EXPECT_EQ(pending[1].notification->alerts[0].alert.severity, Severity::critical);
  EXPECT_EQ(pending[2].notification->alerts[0].alert.severity, Severity::warning);
}

TEST(Notifier, AcknowledgedBeforeItWasToldNotifiesNobody) {
  Playground play(plain());
  play.fire("a");
  play.acknowledge("a");
  play.pass(kHourMs);
  play.resolve("a");
  play.pass(kHourMs);
  EXPECT_THAT(play.told(), IsEmpty());
}

TEST(Notifier, AcknowledgingEndsRepeatsAndTakingItBackBringsThemBack) {
  Playground play(plain());
  play.fire("a");
  play.pass(kHourMs);
  play.acknowledge("a");
  play.pass(10 * kHourMs);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a"));
  play.alert(device("a"), AlertState::unacknowledged);
  play.pass(kMinute);
  EXPECT_EQ(play.told().size(), 1u) << "the repeat that is due";
  play.acknowledge("a");
  play.resolve("a");
  play.pass(kHourMs);
  EXPECT_THAT(play.told(), ElementsAre(HasSubstr("resolved a"))) << "an incident that was opened is closed";
}

TEST(Notifier, AnAcknowledgedAlertThatGetsWorseIsTold) {
  Playground play(plain());
  play.fire("a");
  play.pass(10 * kMinute);
  play.acknowledge("a");
  play.told();
  play.alert(device("a"), AlertState::updated, Severity::critical, [](model::Alert& a) {
    a.ack = model::AlertAck{"anna", 0, ""};
  });
  play.pass(10 * kMinute);
  EXPECT_EQ(play.told().size(), 1u);
}

TEST(Notifier, ASilenceMutesAndItsEndTellsWhatIsStillOpen) {
  Playground play(plain());
  play.silence("s1", 0, 2 * kHourMs);
  play.fire("a");
  play.fire("gone");
  play.pass(kHourMs);
  play.resolve("gone");
  play.pass(kHourMs - kMinute);
  EXPECT_THAT(play.told(), IsEmpty());
  play.pass(2 * kMinute);
  EXPECT_THAT(play.told(), ElementsAre("+7230s firing a"));
}

TEST(Notifier, ASilenceEndsRepeatsUntilItIsOver) {
  Playground play(plain());
  play.fire("a");
  play.pass(kHourMs);
  play.silence("s1", 0, 10 * kHourMs);
  play.pass(9 * kHourMs);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a"));
  play.end_silence("s1");
  play.pass(kMinute);
  EXPECT_EQ(play.told().size(), 1u);
}

TEST(Notifier, AnEndInASilenceIsToldWhenTheSilenceIsOver) {
  Playground play(plain());
  play.fire("a");
  play.pass(kHourMs);
  play.told();
  play.silence("s1", 0, kHourMs);
  play.resolve("a");
  play.pass(59 * kMinute);
  EXPECT_THAT(play.told(), IsEmpty());
  play.pass(2 * kMinute);
  EXPECT_THAT(play.told(), ElementsAre(HasSubstr("resolved a")));
}

TEST(Notifier, TheSilencesThatAreConfiguredCountWhateverTheLogTold) {
  Configuration configured = plain();
  Playground play(configured);
  play.silence("deleted", 0, 10 * kHourMs, "account:demo/site:south");
  model::Silence untold;
  untold.id = "untold";
  untold.topic = *model::TopicPattern::parse("account:demo/site:north");
  untold.starts_at_ms = kStart;
  untold.ends_at_ms = kStart + kHourMs;
  configured.silences.push_back(untold);
  play.resume(kSecond, configured);
  play.fire("a");
  play.alert(device("b", "south"), AlertState::firing);
  play.pass(kMinute);
  EXPECT_THAT(play.told(), ElementsAre(HasSubstr("s firing b")));
  play.pass(kHourMs);
  EXPECT_THAT(play.told(), ElementsAre(HasSubstr("s firing a,b")));
}

TEST(Notifier, ASilenceOfAnotherPlaceOrTimeMutesNothing) {
  Playground play(plain());
  play.silence("elsewhere", 0, kHourMs, "account:demo/site:south");
  play.silence("later", kHourMs, kHourMs);
  play.fire("a");
  play.pass(kMinute);
  EXPECT_EQ(play.told().size(), 1u);
  play.pass(kHourMs);
  play.fire("b");
  play.pass(10 * kMinute);
  EXPECT_THAT(play.told(), IsEmpty()) << "the later one has begun";
}

// A crash may lose the event of a change that the registry has.
TEST(Notifier, SilencesAreThoseOfTheRegistryFromTheStartOn) {
  for (const bool restarts : {false, true}) {
    SCOPED_TRACE(restarts);
    Playground play(plain(), restarts);
    Configuration silenced = plain();
    silenced.silences.push_back(
        {.id = "s1", .topic = *model::TopicPattern::parse("account:demo"), .ends_at_ms = kStart + 10 * kHourMs});
    play.resume(kMinute, silenced);
    play.fire("a");
    play.pass(kHourMs);
    EXPECT_THAT(play.told(), IsEmpty());
    play.resume(kMinute, silenced);
    play.pass(kHourMs);
    EXPECT_THAT(play.told(), IsEmpty());
    play.resume(kMinute, plain());
    play.pass(kMinute);
    EXPECT_THAT(play.told(), ElementsAre(HasSubstr("firing a")));
  }
}

TEST(Notifier, FlappingIsToldOnceAndNotRepeated) {
  Playground play(plain());
  play.fire("a");
  play.pass(10 * kMinute);
  play.told();
  const auto flaps = [](model::Alert& a) {
    a.flapping = true;
    a.reason = "flapping";
  };
  play.alert(device("a"), AlertState::updated, Severity::warning, flaps);
  play.pass(10 * kMinute);
  EXPECT_EQ(play.told().size(), 1u);
  play.pass(10 * kHourMs);
  EXPECT_THAT(play.told(), IsEmpty());
  play.alert(device("a"), AlertState::updated);
  play.pass(10 * kHourMs);
  EXPECT_GE(play.told().size(), 2u) << "and is repeated when it no longer flaps";
}

TEST(Notifier, StaleIsNoEndAndIsSaid) {
  Playground play(plain());
  play.fire("a");
  play.pass(kHourMs);
  play.alert(device("a"), AlertState::stale);
  play.pass(4 * kHourMs);
  EXPECT_THAT(play.told(), ElementsAre("+30s firing a", "+14430s firing a"));
  EXPECT_FALSE(play.pending()[0].notification->alerts[0].stale);
  EXPECT_TRUE(play.pending()[1].notification->alerts[0].stale);
}

TEST(Notifier, PublishedAlertsNotifyNobody) {
  Playground play(plain());
  model::Alert alert;
  alert.alert_id = "x";
  alert.rule_id = "hot";
  alert.device = device("a").device;
  play.log.clear();
  Notifier notifier(plain());
  model::Conclusions out;
  model::Event event{.id = {kStart, 0}, .ts_ms = kStart, .topic = device("a"), .type = model::EventType::alert};
  event.data = codec::encode_alert_data(alert);
  notifier.step(event, kStart, out);
  notifier.advance(kStart + kHourMs, out);
  EXPECT_THAT(out, IsEmpty());
}

TEST(Notifier, HowAnAlertWasToldIsKnownWhenItsRuleGotAnotherName) {
  Playground play(plain());
  const auto as = [](const char* name, const char* team) {
    return [=](model::Alert& alert) { alert.rule_name = name, alert.labels = {{"team", team}}; };
  };
  play.alert(device("a"), AlertState::firing, Severity::warning, as("Hot", "day"));
  play.pass(10 * kMinute);
  EXPECT_EQ(play.pending().back().notification->alerts[0].told_as, std::nullopt);
  play.restart();
  play.alert(device("a"), AlertState::resolved, Severity::warning, as("Too hot", "night"));
  play.pass(10 * kMinute);
  const model::NotifiedAlert& over = play.pending().back().notification->alerts[0];
  EXPECT_EQ(over.alert.rule_name, "Too hot");
  EXPECT_EQ(over.told_as, (model::AlertIdentity{Severity::warning, "Hot", "", {{"team", "day"}}}));
}

TEST(Notifier, ARuleThatIsSavedWithOtherChannelsMovesItsOpenAlerts) {
  Playground play(plain());
  play.fire("a");
  play.pass(10 * kMinute);
  play.told();
  NotifyPolicy faster = policy();
  faster.repeat_ms = kHourMs;
  NotifyPolicy mail = policy();
  mail.channel = "mail";
  play.save_rule(rule_with("hot", {faster, mail}));
  play.pass(kMinute);
  ASSERT_EQ(play.told().size(), 1u) << "ops was told already";
  EXPECT_EQ(play.pending().back().notification->channel, "mail");
  play.save_rule(rule_with("hot", {}));
  play.pass(20 * kHourMs);
  EXPECT_THAT(play.told(), IsEmpty());
}

TEST(Notifier, ARuleThatIsDeletedTellsTheEndOfItsAlerts) {
  Playground play(plain());
  play.fire("a");
  play.pass(10 * kMinute);
  play.told();
  play.delete_rule("hot");
  play.resolve("a");
  play.pass(kMinute);
  EXPECT_THAT(play.told(), ElementsAre(HasSubstr("resolved a")));
}

TEST(Notifier, AfterADownTimeWhatIsDueIsToldOnce) {
  Playground play(plain());
  play.fire("a");
  play.pass(kMinute);
  play.told();
  play.resume(30 * kHourMs, plain());
  play.pass(kMinute);
  EXPECT_EQ(play.told().size(), 1u);
}

TEST(Notifier, AChannelThatIsGoneFailsWhatIsPendingForItAndWhatComes) {
  Playground play(plain());
  play.fire("a");
  play.pass(kMinute);
  Configuration without = plain();
  without.channels = Channels();
  play.resume(kMinute, without);
  play.fire("b");
  play.pass(kHourMs);
  EXPECT_THAT(play.pending(), IsEmpty());
  const auto list = play.book().list(account());
  ASSERT_EQ(list.size(), 2u);
  for (const Delivery& delivery : list) {
    EXPECT_EQ(delivery.result.state, DeliveryState::failed);
    EXPECT_EQ(delivery.result.reason, "unknown_channel");
  }
}

TEST(Notifier, TooMuchThatIsPendingDropsTheOldestAndSaysSo) {
  NotifyPolicy each = policy({"device"});
  Playground play(with({each}));
  for (size_t i = 0; i < kPendingMax + 5; ++i) play.fire("d" + std::to_string(i));
  play.pass(kMinute);
  EXPECT_EQ(play.pending().size(), kPendingMax);
  const auto dropped = std::count_if(play.log.begin(), play.log.end(), [](const model::Event& e) {
    return e.data.find("\"state\":\"dropped\",\"attempts\":0,\"reason\":\"too_many_pending\"") != std::string::npos;
  });
  EXPECT_EQ(dropped, 5);
}

TEST(Notifier, ResultsEndWhatIsPendingAndTheFirstEndCounts) {
  Playground play(plain());
  play.fire("a");
  play.pass(kMinute);
  const model::NotificationPtr told = play.pending().at(0).notification;
  play.result(*told, DeliveryState::retrying, "timeout");
  ASSERT_EQ(play.pending().size(), 1u);
  EXPECT_EQ(play.pending()[0].result.reason, "timeout");
  play.result(*told, DeliveryState::sent);
  play.result(*told, DeliveryState::failed, "answered_400");
  EXPECT_THAT(play.pending(), IsEmpty());
  const auto list = play.book().list(account());
  ASSERT_EQ(list.size(), 1u);
  EXPECT_EQ(list[0].result.state, DeliveryState::sent);
  EXPECT_THAT(list[0].notification->alerts, IsEmpty()) << "what has ended takes no room";
}

TEST(Notifier, ATestIsPendingWithAnAlertOfItsOwn) {
  Playground play(plain());
  model::Notification test;
  test.id = "test.1";
  test.channel = "ops";
  test.group_key = "demo/ops/test";
  test.is_test = true;
  test.by = "anna";
  play.say(codec::encode_notification(test));
  ASSERT_EQ(play.pending().size(), 1u);
  EXPECT_THAT(play.pending()[0].notification->alerts.at(0).alert.message, HasSubstr("asked for by anna"));
  play.restart();
}

// Everything the rest of this file knows, in one go.
void live_through_it(Playground& play) {
  play.silence("s1", 0, 20 * kMinute, "account:demo/site:south");
  play.fire("a");
  play.alert(device("b", "south"), AlertState::firing);
  play.pass(kMinute);
  play.fire("c", Severity::critical);
  play.acknowledge("a");
  play.pass(10 * kMinute);
  play.result(*play.pending().at(0).notification, DeliveryState::retrying, "timeout");
  play.pass(15 * kMinute);
  play.result(*play.pending().at(0).notification, DeliveryState::sent);
  play.alert(device("c"), AlertState::stale, Severity::critical);
  NotifyPolicy mail = policy({"severity"});
  mail.channel = "mail";
  play.save_rule(rule_with("hot", {policy(), mail}));
  play.pass(kHourMs);
  play.alert(device("b", "south"), AlertState::updated, Severity::critical);
  play.alert(device("c"), AlertState::updated, Severity::critical, [](model::Alert& a) { a.flapping = true; });
  play.pass(5 * kHourMs);
  play.resolve("c");
  play.delete_rule("hot");
  play.resolve("a");
  play.pass(kHourMs);
}

TEST(Notifier, ARestartAtAnyStepGivesTheSameLog) {
  Playground straight(plain());
  Playground restarted(plain(), true);
  live_through_it(straight);
  live_through_it(restarted);
  ASSERT_GT(std::count_if(straight.log.begin(), straight.log.end(),
                          [](const auto& e) { return e.data.find("\"kind\":\"notification\"") != std::string::npos; }),
            6);
  ASSERT_EQ(straight.log.size(), restarted.log.size());
  for (size_t i = 0; i < straight.log.size(); ++i) {
    EXPECT_EQ(straight.log[i].data, restarted.log[i].data);
    EXPECT_EQ(straight.log[i].ts_ms, restarted.log[i].ts_ms);
  }
}

TEST(Notifier, AStateThatIsCutShortIsRefusedAndDoesNotCrash) {
  Playground play(plain());
  play.fire("a");
  play.pass(kMinute);
  Notifier notifier(plain());
  model::Conclusions out;
  const std::string state = [&] {
    Notifier one(plain());
    return one.save();
  }();
  for (size_t size = 0; size < state.size(); ++size) EXPECT_FALSE(notifier.load(state.substr(0, size)).ok());
  EXPECT_TRUE(notifier.load(state).ok());
}

TEST(Channels, OnesOwnGoesBeforeOneOfAll) {
  const Channels channels({{"ops", {}, "webhook"}, {"ops", account("a"), "email"}, {"mine", account("b"), "email"}});
  EXPECT_EQ(channels.find(account("a"), "ops")->type, "email");
  EXPECT_EQ(channels.find(account("b"), "ops")->type, "webhook");
  EXPECT_EQ(channels.find(account("a"), "mine"), nullptr);
  EXPECT_EQ(channels.of(account("a")).size(), 1u);
  EXPECT_EQ(channels.of(account("b")).size(), 2u);
  EXPECT_EQ(unknown_channel(channels, account("a"), std::vector<NotifyPolicy>{policy()}), "");
  NotifyPolicy other = policy();
  other.channel = "mine";
  EXPECT_EQ(unknown_channel(channels, account("a"), std::vector<NotifyPolicy>{policy(), other}), "mine");
}

}  // namespace
}  // namespace millstream::notify
