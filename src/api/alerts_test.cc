#include <algorithm>
#include <chrono>
#include <deque>
#include <future>
#include <memory>
#include <thread>

#include "api/recorded_change.h"
#include "api/testing.h"
#include "codec/event_json.h"
#include "codec/silence_json.h"
#include "rules/rule_engine.h"
#include "rules/testing.h"

namespace millstream::api {
namespace {

using model::Event;
using model::EventId;

// The endpoints with the book and the rule engine over a log that a test can stop, refuse and hold back conclusions in.
class AlertsTest : public ApiTest {
 protected:
  AlertsTest() : thread_([this] { loop.run(); }) {
    add_alert_routes(router, context);
    add_alert_command_routes(router, context);
    add_silence_routes(router, context);
    add_publish_routes(router, context);
    grants.roles = model::Roles().with(model::Role::operator_).with(model::Role::publish);
    become(grants);
    log.on_append = [this](std::vector<Event> batch, const log::AppendDone& done) {
      return append(std::move(batch), done);
    };
  }
  ~AlertsTest() override {
    alerts.end_waiting();
    workers.stop();
    readers.stop();
    loop.stop();
    thread_.join();
  }

  Answer ask(const std::string& method, const std::string& path, const std::string& body = {},
             const std::string& query = {}) {
    http::Request request{.method = method, .path = path, .query = *http::Query::parse(query)};
    request.headers.add("Authorization", "Bearer " + key);
    request.body = body;
    http::Router::Match match = router.find(method, path);
    request.captures = match.captures;
    Answer& answer = answers_.emplace_back();
    const auto whole = std::make_shared<std::promise<void>>();
    loop.post([this, &answer, whole, request = std::move(request), handler = match.handler]() mutable {
      (*handler)(std::make_shared<FakeExchange>(std::move(request), loop, answer, [whole] { whole->set_value(); }));
    });
    whole->get_future().wait();
    return answer;
  }

  // A value of the pump at the hall, and what the rule makes of it.
  void measure(double value) {
    Event event{.ts_ms = ++now_ms_, .topic = pump_, .type = model::EventType::telemetry};
    event.fields = {{"T1", value}};
    event.data = codec::encode_telemetry_data(pump_.device, event.fields, {});
    commit(std::move(event));
  }
  std::string open_alert() {
    measure(80);
    return alerts.list(grants.account).back()->alert.alert_id;
  }
  // What waits for the engines' thread comes round.
  void let_conclusions_come() {
    std::lock_guard lock(mu_);
    hold_conclusions_ = false;
    for (Event& event : std::exchange(held_, {})) commit_locked(std::move(event));
  }
  std::future<Answer> ask_meanwhile(const std::string& path) {
    hold_conclusions_ = true;
    auto answer = std::async(std::launch::async, [this, path] { return ask("POST", path); });
    while (events_of(model::EventType::system) == 0) std::this_thread::yield();
    return answer;
  }

  Event commit(Event event) {
    std::lock_guard lock(mu_);
    return commit_locked(std::move(event));
  }
  Event commit_locked(Event event) {
    event.id = {++now_ms_, 0};
    events_.push_back(event);
    model::Conclusions out;
    rules_.step(event, event.id.ms, out);
    alerts.step(event, event.id.ms, out);
    for (Event& conclusion : out) {
      conclusion.conclusion = ++conclusions_;
      if (hold_conclusions_) {
        held_.push_back(conclusion);
      } else {
        commit_locked(conclusion);
      }
    }
    return event;
  }
  Status append(std::vector<Event> batch, const log::AppendDone& done) {
    if (refuse_at_once_) return *refuse_at_once_;
    if (refuse_) {
      done(*refuse_);
      return {};
    }
    log::AppendReceipt receipt;
    for (Event& event : batch) receipt.first = receipt.last = commit(std::move(event)).id;
    done(receipt);
    return {};
  }
  size_t events_of(model::EventType type) {
    std::lock_guard lock(mu_);
    return static_cast<size_t>(
        std::count_if(events_.begin(), events_.end(), [&](const Event& e) { return e.type == type; }));
  }

  model::Topic pump_ = *model::Topic::parse("account:demo/site:hall/device:pump");
  bool hold_conclusions_ = false;
  std::optional<Error> refuse_, refuse_at_once_;
  std::vector<Event> held_;

 private:
  rules::RuleEngine rules_{{{rules::threshold_rule("hot", "account:demo", "T1", model::Comparison::gt, 70)}, {}}};
  std::mutex mu_;
  std::vector<Event> events_;  // guarded by mu_
  int64_t now_ms_ = kStart;
  uint64_t conclusions_ = 0;
  std::deque<Answer> answers_;
  std::thread thread_;
};

TEST_F(AlertsTest, ACommandIsAnsweredWithWhatCameOfIt) {
  const std::string path = "/api/alerts/" + open_alert();
  const Answer acked = ask("POST", path + "/ack", R"({"note":"on my way"})");
  EXPECT_EQ(acked.status, 200) << acked.text;
  EXPECT_NE(acked.text.find(R"("state":"acknowledged")"), std::string::npos) << acked.text;
  EXPECT_NE(acked.text.find(R"("by":"key:)"), std::string::npos) << acked.text;
  EXPECT_EQ(ask("POST", path + "/ack").status, 409);
  EXPECT_EQ(ask("POST", path + "/unack").status, 200);
  EXPECT_EQ(ask("POST", path + "/unack").status, 409);
  EXPECT_EQ(ask("POST", path + "/close", R"({"note":null})").status, 200);
  EXPECT_EQ(ask("POST", path + "/close").status, 409);
  EXPECT_EQ(ask("POST", "/api/alerts/nothing/close").status, 404);
  EXPECT_EQ(events_of(model::EventType::system), 3u) << "what was refused left nothing in the log";
}

TEST_F(AlertsTest, AConclusionThatIsLateIsAccepted) {
  context.alert_wait_ms = 20;
  const std::string path = "/api/alerts/" + open_alert();
  std::future<Answer> answer = ask_meanwhile(path + "/ack");
  while (answer.wait_for(std::chrono::milliseconds(1)) != std::future_status::ready) clock.advance_ms(1);
  const Answer late = answer.get();
  EXPECT_EQ(late.status, 202) << late.text;
  EXPECT_NE(late.text.find(R"("state":"firing")"), std::string::npos) << late.text;
  let_conclusions_come();
  EXPECT_NE(ask("GET", path).text.find(R"("state":"acknowledged")"), std::string::npos);
}

TEST_F(AlertsTest, WhoWaitsIsAnsweredWhenTheServerEnds) {
  context.alert_wait_ms = kHourMs;
  const std::string path = "/api/alerts/" + open_alert();
  std::future<Answer> answer = ask_meanwhile(path + "/ack");
  alerts.end_waiting();
  EXPECT_EQ(answer.get().status, 202);
}

TEST_F(AlertsTest, AnAlertThatEndsBeforeItIsAcknowledgedIsAConflictThatSaysSo) {
  context.alert_wait_ms = kHourMs;
  const std::string path = "/api/alerts/" + open_alert();
  hold_conclusions_ = true;
  measure(60);  // resolved, and nobody has heard of it
  std::future<Answer> answer = ask_meanwhile(path + "/ack");
  let_conclusions_come();
  const Answer ended = answer.get();
  EXPECT_EQ(ended.status, 409) << ended.text;
  EXPECT_NE(ended.text.find("the alert was resolved at 20"), std::string::npos) << ended.text;
}

TEST_F(AlertsTest, ALogThatRefusesACommandIsToldAndNothingHappened) {
  const std::string path = "/api/alerts/" + open_alert();
  refuse_ = Error{Code::storage_full, "no room"};
  EXPECT_EQ(ask("POST", path + "/ack").status, 507);
  refuse_at_once_ = Error{Code::unavailable, "the queue is full"};
  EXPECT_EQ(ask("POST", path + "/close").status, 503);
  EXPECT_NE(ask("GET", path).text.find(R"("timelineCount":1)"), std::string::npos);
}

TEST_F(AlertsTest, ASilenceThatTheLogRefusesIsTakenBackAndADeletedOneComesBack) {
  const std::string body = R"({"topic":"account:demo/site:hall","duration":"1h","comment":"painting"})";
  refuse_ = Error{Code::storage_full, "no room"};
  EXPECT_EQ(ask("POST", "/api/silences", body).status, 507);
  refuse_at_once_ = Error{Code::unavailable, "the queue is full"};
  EXPECT_EQ(ask("POST", "/api/silences", body).status, 503);
  EXPECT_TRUE(registry->silences().of(grants.account)->empty());
  refuse_.reset();
  refuse_at_once_.reset();
  EXPECT_EQ(ask("POST", "/api/silences", body).status, 201);
  const registry::Silences::List made = *registry->silences().of(grants.account);
  ASSERT_EQ(made.size(), 1u);
  refuse_ = Error{Code::storage_full, "no room"};
  EXPECT_EQ(ask("DELETE", "/api/silences/" + made[0].id).status, 507);
  EXPECT_EQ(*registry->silences().of(grants.account), made);
  refuse_.reset();
  EXPECT_EQ(ask("DELETE", "/api/silences/" + made[0].id).status, 204);
  EXPECT_TRUE(registry->silences().of(grants.account)->empty());
  EXPECT_EQ(events_of(model::EventType::system), 2u);
}

TEST_F(AlertsTest, ASilenceShowsOnItsAlertsWhileItHolds) {
  const std::string path = "/api/alerts/" + open_alert();
  EXPECT_EQ(
      ask("POST", "/api/silences", R"({"topic":"account:demo/site:hall","rules":["hot"],"duration":"1h"})").status,
      201);
  const std::string id = registry->silences().of(grants.account)->at(0).id;
  EXPECT_NE(ask("GET", path).text.find("\"silenced\":[\"" + id + "\"]"), std::string::npos);
  EXPECT_NE(ask("GET", "/api/alerts", {}, "silenced=1").text.find(id), std::string::npos);
  clock.advance_ms(kHourMs);
  EXPECT_NE(ask("GET", path).text.find("\"silenced\":[]"), std::string::npos);
  EXPECT_NE(ask("GET", "/api/silences", {}, "active=0").text.find(id), std::string::npos);
}

TEST(RecordedChange, AnUndoThatFailsLeavesTheErrorOfTheLog) {
  FakeLog log;
  int applied = 0, undone = 0;
  const Status status = record_change(log, {.apply = [&] { return ++applied, Status(); },
                                            .undo =
                                                [&] {
                                                  return ++undone, Status(Error{Code::internal, "a test"});
                                                },
                                            .event = {}});
  EXPECT_EQ(status.error().code, Code::unavailable);
  EXPECT_TRUE(applied == 1 && undone == 1);
  const Status not_applied = record_change(log, {.apply =
                                                     [] {
                                                       return Status(Error{Code::conflict, "a test"});
                                                     },
                                                 .undo = [&] { return ++undone, Status(); },
                                                 .event = {}});
  EXPECT_EQ(not_applied.error().code, Code::conflict);
  EXPECT_EQ(undone, 1);
}

}  // namespace
}  // namespace millstream::api
