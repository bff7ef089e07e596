#include <deque>
#include <future>
#include <thread>

#include "api/testing.h"

namespace millstream::api {
namespace {

class StatsTest : public ApiTest {
 protected:
  StatsTest() : thread_([this] { loop.run(); }) { context.sessions_max = 10; }
  ~StatsTest() override {
    loop.stop();
    thread_.join();
  }

  const Answer& get(const std::string& path, const std::string& query = {}) {
    http::Request request{.method = "GET", .path = path, .query = *http::Query::parse(query)};
    request.headers.add("Authorization", "Bearer " + key);
    Answer& answer = answers_.emplace_back();
    const auto whole = std::make_shared<std::promise<void>>();
    loop.post([&] {
      const auto done = [this, whole] {
        loop.post([whole] { whole->set_value(); });
      };  // behind the first bytes of a stream
      (*router.find("GET", path).handler)(std::make_shared<FakeExchange>(std::move(request), loop, answer, done));
    });
    whole->get_future().wait();
    return answer;
  }
  void become(model::Role role) {
    grants.roles = model::Roles().with(role);
    ApiTest::become(grants);
  }
  // Opens a stream and gives back the id its hello named.
  std::string open(const std::string& query) {
    const std::string& text = get("/api/stream", query).text;
    constexpr std::string_view kName = "\"streamId\":\"";
    const size_t at = text.find(kName) + kName.size();
    return text.substr(at, text.find('"', at) - at);
  }

 private:
  std::deque<Answer> answers_;  // streams write to theirs for as long as they are open
  std::thread thread_;
};

TEST_F(StatsTest, SayWhatWaitsForInfluxDbWhereThereIsOne) {
  become(model::Role::operator_);
  EXPECT_EQ(get("/api/stats").text.find("influx"), std::string::npos);
  EXPECT_EQ(get("/ready").text.find("influx"), std::string::npos);
  context.influx_state = [] {
    return influx::WriterState{.health = influx::WriterState::Health::refused,
                               .spooled_bytes = 12,
                               .spooled_batches = 1,
                               .written = 7,
                               .dropped = 3,
                               .error_age_ms = 50,
                               .position = {9, 1},
                               .missing = {{.lines = 3, .after = {1, 0}, .to = {2, 5}, .why = "size"}}};
  };
  EXPECT_NE(
      get("/api/stats")
          .text.find(
              R"("influx":{"state":"refused","written":7,"retries":0,"spooledBytes":12,"spooledBatches":1,"dropped":3,)"
              R"("poisoned":0,"expired":0,"position":"9-1","lastErrorAgeMs":50,)"
              R"("missing":[{"after":"1-0","to":"2-5","events":3,"why":"size"}]}})"),
      std::string::npos)
      << get("/api/stats").text;
  context.ready = true;
  const Answer& ready = get("/ready");
  EXPECT_EQ(ready.status, 200);
  EXPECT_NE(ready.text.find(R"("influx":"degraded"})"), std::string::npos) << ready.text;
}

TEST_F(StatsTest, CountTheStreamsOfTheAccountByTopic) {
  open("siteId=hall");
  open("siteId=hall");
  open("deviceId=pump-1");
  become(model::Role::operator_);
  const Answer& answer = get("/api/stats", "top=1");
  EXPECT_EQ(answer.status, 200) << answer.text;
  EXPECT_NE(answer.text.find("\"streams\":3,"), std::string::npos) << answer.text;
  EXPECT_NE(answer.text.find(R"("topics":2,"fanOut":[{"topic":"account:demo/site:hall/device:*","streams":2}])"),
            std::string::npos)
      << answer.text;
}

TEST_F(StatsTest, OfOtherAccountsAreNotShown) {
  const std::string stream = open("siteId=hall");
  grants.account = *model::AccountId::parse("other");
  become(model::Role::admin);
  EXPECT_NE(get("/api/stats").text.find("\"streams\":0,"), std::string::npos);
  EXPECT_EQ(get("/api/explain", "topic=account:other/site:hall&stream=" + stream).status, 404);
  EXPECT_EQ(get("/api/explain", "topic=account:demo/site:hall&stream=" + stream).status, 403);
}

TEST_F(StatsTest, AreForThoseWhoOperateTheWholeAccount) {
  EXPECT_EQ(get("/api/stats").status, 403);
  EXPECT_EQ(get("/api/explain", "topic=account:demo&stream=1-1").status, 403);
  grants.sites = {*model::SiteId::parse("hall")};
  become(model::Role::operator_);
  EXPECT_EQ(get("/api/stats").status, 403);
}

TEST_F(StatsTest, AnExplanationSaysWhyAStreamGetsAnEventOrNot) {
  const std::string stream = open("siteId=hall&types=telemetry,alert&minSeverity=warning");
  become(model::Role::operator_);
  const auto explain = [&](const std::string& query) { return get("/api/explain", query + "&stream=" + stream).text; };
  EXPECT_NE(explain("topic=account:demo/site:hall/device:a").find(R"("verdict":"delivered","detail":"at once")"),
            std::string::npos);
  EXPECT_NE(explain("topic=account:demo/site:yard/device:a").find(R"("verdict":"not_subscribed")"), std::string::npos);
  EXPECT_NE(explain("topic=account:demo/site:hall/device:a&type=device_status").find(R"("verdict":"type_not_asked")"),
            std::string::npos);
  EXPECT_NE(explain("topic=account:demo/site:hall/device:a&type=alert").find("at least warning"), std::string::npos);
  EXPECT_NE(explain("topic=hall").find("topic: must be"), std::string::npos);
  EXPECT_EQ(get("/api/explain", "topic=account:demo").status, 400);
}

}  // namespace
}  // namespace millstream::api
