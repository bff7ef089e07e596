#include "history/alert_book.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "codec/event_json.h"

namespace millstream::history {
namespace {

using codec::AlertAction;
using model::AlertState;
using model::Event;
using model::EventId;

constexpr int64_t kNow = 1'770'000'000'000;
constexpr int64_t kDay = 86'400'000;
const model::AccountId kAccount = *model::AccountId::parse("1");

model::Topic device(const std::string& name, const std::string& account = "1") {
  return *model::Topic::parse("account:" + account + "/site:s/device:" + name);
}

model::Alert alert(const std::string& id, AlertState state, model::Severity severity = model::Severity::warning) {
  return {.alert_id = id,
          .rule_id = "hot",
          .rule_name = "Hot",
          .device = *model::DeviceId::parse("d"),
          .state = state,
          .severity = severity,
          .message = "too hot",
          .field = "T1",
          .value = 71.5,
          .threshold = 70,
          .started_at_ms = kNow};
}

Event event_of(const model::Alert& alert, EventId id, const model::Topic& topic) {
  Event event{.id = id, .ts_ms = id.ms, .topic = topic, .type = model::EventType::alert};
  event.data = codec::encode_alert_data(alert);
  return event;
}

Event command_of(const std::string& id, AlertAction action, EventId at, const model::Topic& topic,
                 const std::string& by = "user:anna", const std::string& note = "") {
  Event event{.id = at, .ts_ms = at.ms, .topic = topic, .type = model::EventType::system};
  event.data = codec::encode_rule_command(codec::AlertCommand{id, action, by, note});
  return event;
}

class AlertBookTest : public ::testing::Test {
 protected:
  void step(const Event& event) {
    concluded.clear();
    book.advance(event.id.ms, concluded);
    book.step(event, event.id.ms, concluded);
  }
  void tell(const std::string& id, AlertState state, EventId at) { step(event_of(alert(id, state), at, device("d"))); }
  // The conclusion of the last step, come round.
  void come_round(EventId at) {
    ASSERT_EQ(concluded.size(), 1u);
    Event event = concluded.front();
    event.id = at;
    event.conclusion = 1;
    step(event);
  }
  const BookedAlert& only() {
    const auto all = book.list(kAccount);
    EXPECT_EQ(all.size(), 1u);
    return *(held = all.at(0));
  }

  AlertBook book{{.retention_ms = kDay, .timeline_max = 5, .ended_per_account_max = 3}};
  model::Conclusions concluded;
  BookedAlertPtr held;
};

TEST_F(AlertBookTest, TellsAnAlertFromItsFirstEventToItsLast) {
  step(event_of(alert("hot.s.d.1.1", AlertState::firing), {kNow, 1}, device("d")));
  step(event_of(alert("hot.s.d.1.1", AlertState::updated, model::Severity::critical), {kNow + 5, 0}, device("d")));
  step(event_of(alert("hot.s.d.1.1", AlertState::stale), {kNow + 9, 0}, device("d")));
  EXPECT_TRUE(only().open() && only().stale);
  EXPECT_EQ(only().first, (EventId{kNow, 1}));
  EXPECT_EQ(only().newest, (EventId{kNow + 9, 0}));
  EXPECT_EQ(only().highest, model::Severity::critical);
  model::Alert acknowledged = alert("hot.s.d.1.1", AlertState::acknowledged);
  acknowledged.ack = {"user:anna", kNow + 10, "on my way"};
  step(event_of(acknowledged, {kNow + 10, 0}, device("d")));
  EXPECT_TRUE(only().stale) << "nobody's word brings a device back";
  tell("hot.s.d.1.1", AlertState::resolved, {kNow + 20, 0});
  EXPECT_FALSE(only().open());
  ASSERT_EQ(only().timeline.size(), 5u);
  EXPECT_EQ(only().timeline[3].by, "user:anna");
  EXPECT_EQ(only().timeline[3].note, "on my way");
  EXPECT_EQ(only().timeline[4].state, AlertState::resolved);
  EXPECT_TRUE(only().timeline[4].by.empty()) << "nobody closed it";
}

TEST_F(AlertBookTest, OneIdOnTwoDevicesOrAccountsIsTwoAlerts) {
  for (const model::Topic& topic : {device("a"), device("b"), device("a", "2")}) {
    for (const char* id : {"scada:1", "hot.s.a.1.1"}) {
      static uint32_t seq = 0;
      step(event_of(alert(id, AlertState::firing), {kNow, ++seq}, topic));
    }
  }
  EXPECT_EQ(book.list(kAccount).size(), 4u);
  EXPECT_EQ(book.find(kAccount, "scada:1").size(), 2u);
  EXPECT_EQ(book.find(*model::AccountId::parse("2"), "scada:1").size(), 1u);
  EXPECT_TRUE(book.find(kAccount, "scada:").empty() && book.find(kAccount, "scada:2").empty());
  const EventId first = book.find(kAccount, "scada:1").front()->first;
  ASSERT_EQ(book.find(kAccount, first.text()).size(), 1u) << "the id of the first event is one alert's";
  EXPECT_TRUE(book.find(*model::AccountId::parse("2"), first.text()).empty()) << "and one account's";
}

TEST_F(AlertBookTest, WhoTookAnAckBackIsKnownFromTheCommand) {
  tell("hot.s.d.1.1", AlertState::firing, {kNow, 0});
  step(command_of("hot.s.d.1.1", AlertAction::unack, {kNow + 3, 0}, device("d"), "user:eve", "in vain"));
  step(command_of("hot.s.d.1.1", AlertAction::unack, {kNow + 5, 0}, device("d"), "user:bob", "not mine"));
  EXPECT_TRUE(concluded.empty()) << "that is the rule engine's to conclude";
  tell("hot.s.d.1.1", AlertState::unacknowledged, {kNow + 6, 0});
  EXPECT_TRUE(only().timeline.back().by.empty()) << "of another moment than any command";
  Event event = event_of(alert("hot.s.d.1.1", AlertState::unacknowledged), {kNow + 7, 0}, device("d"));
  event.ts_ms = kNow + 5;
  step(event);
  EXPECT_EQ(only().timeline.back().by, "user:bob");
  EXPECT_EQ(only().timeline.back().note, "not mine");
}

TEST_F(AlertBookTest, CommandsOnAPublishedAlertAreConcludedHere) {
  tell("scada:1", AlertState::firing, {kNow, 0});
  step(command_of("scada:1", AlertAction::ack, {kNow + 10, 0}, device("d"), "user:anna", "seen"));
  ASSERT_EQ(concluded.size(), 1u);
  EXPECT_FALSE(only().alert.ack) << "shown only when it is in the log";
  come_round({kNow + 11, 0});
  EXPECT_EQ(only().alert.ack, (model::AlertAck{"user:anna", kNow + 10, "seen"}));
  EXPECT_EQ(book.ack_of(device("d"), "scada:1"), only().alert.ack);
  tell("scada:1", AlertState::updated, {kNow + 12, 0});
  EXPECT_EQ(only().alert.ack->by, "user:anna") << "its publisher does not repeat it";
  step(command_of("scada:1", AlertAction::unack, {kNow + 20, 0}, device("d"), "user:bob"));
  come_round({kNow + 21, 0});
  EXPECT_FALSE(only().alert.ack || book.ack_of(device("d"), "scada:1"));
  EXPECT_EQ(only().timeline.back().by, "user:bob");
  step(command_of("scada:1", AlertAction::unack, {kNow + 22, 0}, device("d")));
  EXPECT_TRUE(concluded.empty()) << "there is no ack";
  step(command_of("scada:1", AlertAction::close, {kNow + 30, 0}, device("d"), "user:bob", "false alarm"));
  come_round({kNow + 31, 0});
  EXPECT_FALSE(only().open());
  EXPECT_EQ(only().alert.reason, "closed");
  EXPECT_EQ(only().alert.ended_at_ms, kNow + 30);
  EXPECT_EQ(only().timeline.back().by, "user:bob");
  step(command_of("scada:1", AlertAction::close, {kNow + 40, 0}, device("d")));
  EXPECT_TRUE(concluded.empty()) << "it has ended";
}

TEST_F(AlertBookTest, OfTwoWhoCloseAtOnceOneCloses) {
  tell("scada:1", AlertState::firing, {kNow, 0});
  step(command_of("scada:1", AlertAction::close, {kNow + 10, 0}, device("d"), "user:anna"));
  const Event closed = concluded.at(0);
  step(command_of("scada:1", AlertAction::close, {kNow + 10, 1}, device("d"), "user:bob"));
  EXPECT_TRUE(concluded.empty());
  step(command_of("scada:1", AlertAction::close, {kNow + 30'000, 1}, device("d"), "user:bob"));
  EXPECT_EQ(concluded.size(), 1u) << "the first one's conclusion was lost with a checkpoint";
}

TEST_F(AlertBookTest, AnAckThatComesRoundAfterThePublisherEndedTheAlertDoesNotOpenIt) {
  tell("scada:1", AlertState::firing, {kNow, 0});
  step(command_of("scada:1", AlertAction::ack, {kNow + 10, 0}, device("d"), "user:anna"));
  Event acknowledged = concluded.at(0);
  tell("scada:1", AlertState::resolved, {kNow + 11, 0});
  acknowledged.id = {kNow + 12, 0};
  acknowledged.conclusion = 1;
  step(acknowledged);
  come_round({kNow + 13, 0});
  EXPECT_TRUE(concluded.empty());
  EXPECT_FALSE(only().open());
  EXPECT_EQ(only().alert.ack->by, "user:anna");
}

TEST_F(AlertBookTest, APublishedAlertToldAgainAfterItsEndIsOpenAgainWithoutItsAck) {
  step(event_of(alert("scada:1", AlertState::firing, model::Severity::critical), {kNow, 0}, device("d")));
  step(command_of("scada:1", AlertAction::close, {kNow + 10, 0}, device("d")));
  come_round({kNow + 11, 0});
  step(event_of(alert("scada:1", AlertState::firing, model::Severity::info), {kNow + 20, 0}, device("d")));
  EXPECT_TRUE(only().open());
  EXPECT_EQ(only().first, (EventId{kNow, 0}));
  EXPECT_EQ(only().highest, model::Severity::info);
  EXPECT_FALSE(only().alert.ack);
  EXPECT_EQ(only().timeline.size(), 3u);
  book.advance(kNow + 11 + kDay + 1, concluded);
  EXPECT_EQ(book.list(kAccount).size(), 1u);
}

TEST_F(AlertBookTest, ALongTimelineKeepsItsBeginningItsEndAndWhatPeopleDid) {
  tell("hot.s.d.1.1", AlertState::firing, {kNow, 0});
  model::Alert acknowledged = alert("hot.s.d.1.1", AlertState::acknowledged);
  acknowledged.ack = {"user:anna", kNow, ""};
  step(event_of(acknowledged, {kNow, 1}, device("d")));
  for (uint32_t i = 2; i < 20; ++i) tell("hot.s.d.1.1", AlertState::updated, {kNow, i});
  ASSERT_EQ(only().timeline.size(), 5u);
  EXPECT_EQ(only().timeline_dropped, 15u);
  EXPECT_EQ(only().timeline[0].event, (EventId{kNow, 0}));
  EXPECT_EQ(only().timeline[1].by, "user:anna");
  EXPECT_EQ(only().timeline[4].event, (EventId{kNow, 19}));
  for (uint32_t i = 20; i < 40; ++i) step(event_of(acknowledged, {kNow, i}, device("d")));
  EXPECT_EQ(only().timeline.size(), 5u) << "however much they do";
}

TEST_F(AlertBookTest, EndedAlertsAreSoManyThenSoOldAndOpenOnesOfRulesStay) {
  tell("hot.s.d.0.1", AlertState::firing, {kNow, 0});
  tell("scada:0", AlertState::firing, {kNow, 1});
  for (int i = 1; i <= 5; ++i) {
    tell("hot.s.d.1." + std::to_string(i), AlertState::firing, {kNow + i, 0});
    tell("hot.s.d.1." + std::to_string(i), AlertState::resolved, {kNow + i, 1});
  }
  EXPECT_EQ(book.list(kAccount).size(), 5u);
  EXPECT_EQ(book.ended_dropped(), 2u);
  EXPECT_TRUE(book.find(kAccount, "hot.s.d.1.2").empty());
  EXPECT_FALSE(book.find(kAccount, "hot.s.d.1.3").empty());
  book.advance(kNow + kDay + 1, concluded);
  EXPECT_TRUE(book.find(kAccount, "scada:0").empty()) << "the log has forgotten it too";
  EXPECT_EQ(book.list(kAccount).size(), 4u);
  book.advance(kNow + kDay + 4, concluded);
  EXPECT_EQ(book.list(kAccount).size(), 3u);
  book.advance(kNow + kDay + 100, concluded);
  EXPECT_EQ(only().alert.alert_id, "hot.s.d.0.1");
}

TEST_F(AlertBookTest, EndedAlertsOfAnAccountTakeSoMuchMemory) {
  AlertBook small({.retention_ms = kDay, .ended_bytes_per_account_max = 100'000});
  for (uint32_t i = 0; i < 20; ++i) {
    model::Alert large = alert("scada:" + std::to_string(i), AlertState::resolved);
    large.message.assign(30'000, 'x');
    small.step(event_of(large, {kNow, i}, device("d")), kNow, concluded);
  }
  EXPECT_EQ(small.list(kAccount).size(), 3u);
  EXPECT_EQ(small.ended_dropped(), 17u);
}

// ---- waiting ----

struct Told {
  int times = 0;
  BookedAlertPtr alert;
  AlertBook::Told hear() {
    return [this](BookedAlertPtr now) {
      ++times;
      alert = std::move(now);
    };
  }
};

TEST_F(AlertBookTest, WhoWaitsIsToldOnceWhenTheConclusionHasComeRound) {
  tell("scada:1", AlertState::firing, {kNow, 0});
  Told told;
  const Event command = command_of("scada:1", AlertAction::ack, {kNow + 10, 0}, device("d"));
  const AwaitedAlert awaited{kAccount, {kNow, 0}, command.id, AlertAction::ack};
  EXPECT_NE(book.await(awaited, told.hear()), 0u);
  tell("scada:1", AlertState::updated, {kNow + 5, 0});
  step(command);
  EXPECT_EQ(told.times, 0);
  come_round({kNow + 11, 0});
  ASSERT_EQ(told.times, 1);
  EXPECT_TRUE(told.alert->alert.ack && is_concluded(*told.alert, awaited));
  tell("scada:1", AlertState::updated, {kNow + 12, 0});
  EXPECT_EQ(told.times, 1);
  EXPECT_EQ(book.await(awaited, told.hear()), 0u) << "it has come round already";
  EXPECT_EQ(told.times, 2);
}

TEST_F(AlertBookTest, WhoWaitsForAnAlertThatEndsOrIsNotThereIsToldToo) {
  tell("hot.s.d.1.1", AlertState::firing, {kNow, 0});
  const AwaitedAlert awaited{kAccount, {kNow, 0}, {kNow + 10, 0}, AlertAction::ack};
  Told waits, late, stranger, forgotten, last;
  book.await(awaited, waits.hear());
  book.forget(book.await(awaited, forgotten.hear()));
  tell("hot.s.d.1.1", AlertState::resolved, {kNow + 5, 0});
  EXPECT_EQ(waits.times, 1);
  EXPECT_FALSE(waits.alert->open() || is_concluded(*waits.alert, awaited));
  EXPECT_EQ(forgotten.times, 0);
  EXPECT_EQ(book.await(awaited, late.hear()), 0u);
  EXPECT_EQ(late.times, 1);
  AwaitedAlert unknown = awaited;
  unknown.account = *model::AccountId::parse("2");
  book.await(unknown, stranger.hear());
  EXPECT_TRUE(stranger.times == 1 && !stranger.alert);
  tell("hot.s.d.1.2", AlertState::firing, {kNow + 20, 0});
  EXPECT_NE(book.await({kAccount, {kNow + 20, 0}, {kNow + 30, 0}, AlertAction::close}, last.hear()), 0u);
  book.end_waiting();
  EXPECT_TRUE(last.times == 1 && !last.alert);
  EXPECT_EQ(book.await({kAccount, {kNow + 20, 0}, {kNow + 30, 0}, AlertAction::close}, last.hear()), 0u);
  EXPECT_EQ(last.times, 2);
}

// ---- against a naive model, over restarts ----

// All events of a log, and from them by hand what the book should show.
struct NaiveLog {
  std::vector<Event> events;

  static bool is_of(const Event& event, const BookedAlert& shown, model::Alert& out) {
    if (event.type != model::EventType::alert || event.topic != shown.topic) return false;
    out = *codec::decode_alert_data(event.data);
    return out.alert_id == shown.alert.alert_id;
  }
  void check(const BookedAlert& shown) const {
    size_t count = 0;
    bool open = false;
    std::optional<model::AlertAck> ack;
    model::Severity highest = model::Severity::info;
    EventId first, newest;
    model::Alert told;
    for (const Event& event : events) {
      if (!is_of(event, shown, told)) continue;
      if (count++ == 0) first = event.id;
      newest = event.id;
      const bool ends = told.state == AlertState::resolved;
      if (!open && !ends) ack.reset(), highest = model::Severity::info;
      if (event.conclusion > 0) ack = told.ack;  // by the rules or the book, which say all of it
      highest = std::max(highest, told.severity);
      open = !ends;
    }
    ASSERT_GT(count, 0u);
    EXPECT_EQ(shown.first, first);
    EXPECT_EQ(shown.newest, newest);
    EXPECT_EQ(shown.open(), open);
    EXPECT_EQ(shown.alert.ack, ack);
    EXPECT_EQ(shown.highest, highest);
    EXPECT_EQ(shown.timeline.size() + shown.timeline_dropped, count);
  }
  // How many alerts there ever were.
  size_t alerts() const {
    std::set<std::string> keys;
    for (const Event& event : events) {
      if (event.type == model::EventType::alert) {
        keys.insert(event.topic.text() + codec::decode_alert_data(event.data)->alert_id);
      }
    }
    return keys.size();
  }
};

bool same_books(const AlertBook& a, const AlertBook& b) {
  for (const char* name : {"1", "2"}) {
    const auto left = a.list(*model::AccountId::parse(name)), right = b.list(*model::AccountId::parse(name));
    const bool same = std::equal(left.begin(), left.end(), right.begin(), right.end(),
                                 [](const auto& x, const auto& y) { return *x == *y; });
    if (!same) return false;
  }
  return a.save() == b.save();
}

class RandomLog {
 public:
  explicit RandomLog(unsigned seed) : random_(seed) {}
  int pick(int below) { return static_cast<int>(random_() % static_cast<unsigned>(below)); }

  // What happens next: a publisher or a person says something, or the oldest conclusion comes round.
  Event next(std::deque<Event>& unsent) {
    id_ = pick(3) == 0 ? EventId{id_.ms + pick(50), 0} : EventId{id_.ms, id_.seq + 1};
    if (!(last_ < id_)) id_ = {last_.ms, last_.seq + 1};
    last_ = id_;
    const model::Topic topic = device(std::string(1, static_cast<char>('a' + pick(2))), pick(4) == 0 ? "2" : "1");
    const std::string id = "scada:" + std::to_string(pick(3));
    if (!unsent.empty() && pick(2) == 0) {
      Event event = unsent.front();
      unsent.pop_front();
      event.id = id_;
      event.conclusion = ++conclusions_;
      return event;
    }
    if (pick(2) == 0) {
      return command_of(id, static_cast<AlertAction>(pick(3)), id_, topic, "user:" + std::to_string(pick(3)), "n");
    }
    constexpr AlertState kStates[] = {AlertState::firing, AlertState::updated, AlertState::stale, AlertState::resolved};
    return event_of(alert(id, kStates[pick(4)], static_cast<model::Severity>(pick(3))), id_, topic);
  }

 private:
  std::mt19937 random_;
  EventId id_{kNow, 0};
  EventId last_{kNow, 0};
  uint64_t conclusions_ = 0;
};

TEST(AlertBookRandom, IsAFoldOfTheLogAndTheSameWhereverItWasSavedAndLoaded) {
  for (unsigned seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const AlertBookOptions options{.retention_ms = kDay, .timeline_max = 6};
    RandomLog random(seed);
    AlertBook whole(options);
    auto restarted = std::make_unique<AlertBook>(options);
    NaiveLog log;
    std::deque<Event> unsent;
    for (int i = 0; i < 150; ++i) {
      const Event event = random.next(unsent);
      log.events.push_back(event);
      model::Conclusions drawn, drawn_again;
      whole.step(event, event.id.ms, drawn);
      restarted->step(event, event.id.ms, drawn_again);
      ASSERT_EQ(drawn.size(), drawn_again.size());
      for (size_t n = 0; n < drawn.size(); ++n) ASSERT_EQ(drawn[n].data, drawn_again[n].data);
      unsent.insert(unsent.end(), drawn.begin(), drawn.end());
      const std::string state = restarted->save();
      restarted = std::make_unique<AlertBook>(options);
      ASSERT_TRUE(restarted->load(state).ok());
      ASSERT_TRUE(same_books(whole, *restarted)) << "step " << i;
    }
    size_t shown = 0;
    for (const char* account : {"1", "2"}) {
      for (const auto& booked : whole.list(*model::AccountId::parse(account))) {
        log.check(*booked);
        ++shown;
      }
    }
    EXPECT_EQ(shown, log.alerts());
    if (::testing::Test::HasFailure()) break;
  }
}

TEST_F(AlertBookTest, DamagedStateIsRefusedAndNothingChanges) {
  tell("scada:1", AlertState::firing, {kNow, 0});
  step(command_of("scada:1", AlertAction::ack, {kNow + 10, 0}, device("d"), "user:anna", "note"));
  tell("hot.s.d.1.1", AlertState::resolved, {kNow + 11, 0});
  const std::string state = book.save();
  for (size_t cut = 0; cut < state.size(); ++cut) EXPECT_FALSE(book.load(state.substr(0, cut)).ok()) << cut;
  EXPECT_FALSE(book.load(state + "x").ok());
  EXPECT_EQ(book.save(), state);
}

}  // namespace
}  // namespace millstream::history
