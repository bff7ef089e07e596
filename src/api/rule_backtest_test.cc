#include <random>

#include "api/progress_stream.h"
#include "api/rule_past.h"
#include "api/testing.h"
#include "codec/event_json.h"
#include "codec/rule_json.h"
#include "log/sqlite_event_log.h"
#include "log/test_log.h"

namespace millstream::api {
namespace {

constexpr int64_t kSpanMs = 2 * kHourMs;  // of the past that is looked at
const std::string kHot =
    R"({"id":"hot","scope":{"topic":"account:demo"},"when":{"all":[{"field":"T1"}]},"for":"20s","keepFiring":"30s",)"
    R"("levels":[{"severity":"warning","op":">","value":{"attr":"T1_warn","default":70},"clear":65}]})";
const std::string kSilent =
    R"({"id":"quiet","scope":{"topic":"account:demo"},"when":{"all":[{"field":"T1","fn":"avg","window":"1m"}]},)"
    R"("levels":[{"severity":"warning","op":">","value":60},{"severity":"critical","op":">","value":85}],)"
    R"("noData":{"after":"2m","do":"alert"}})";
const std::string kOffline = R"({"id":"gone","scope":{"topic":"account:demo"},"when":{"all":[{"fn":"offline"}]},)"
                             R"("levels":[{"severity":"critical","for":"30s"}]})";

model::Topic topic_of(int device) {
  return *model::Topic::parse("account:demo/site:s/device:d" + std::to_string(device));
}

model::Rule rule_of(const std::string& json) { return *codec::parse_rule(json, *model::AccountId::parse("demo")); }

// A past in a real log, most of it sealed, and a live engine that has seen it.
class RulePastTest : public ApiTest {
 protected:
  RulePastTest() {
    std::string pattern = testing::TempDir() + "past-XXXXXX";
    directory = mkdtemp(pattern.data());
    clock.set_wall_ms(kStart - kSpanMs);
    stored = log::make_sqlite_event_log({.directory = directory,
                                         .sealing = {.age_ms = 0, .events_of_a_device = 50, .events_min = 1},
                                         .sync_commits = false},
                                        clock, metrics);
    stored->add_reader(reader);
    EXPECT_TRUE(stored->start().ok());
    log.on_read = [this](const log::ReadRequest& request) { return *stored->read(request); };
    log.on_read_samples = [this](const log::SamplesRequest& request, log::SampleSink& sink) {
      columns_of.insert(request.topic);
      EXPECT_TRUE(stored->read_samples(request, sink).ok());
    };
  }
  ~RulePastTest() override {
    backtests.stop();
    stored->stop();
    stored.reset();
    std::filesystem::remove_all(directory);
  }

  // Device 0 stays cool, 1 is hot now and then, 2 too and goes silent and offline, 3 says so only of late.
  void live_through(uint64_t seed) {
    std::mt19937_64 random(seed);
    while (clock.wall_ms() < kStart) {
      const int64_t now_ms = clock.wall_ms();
      std::vector<model::Event> batch;
      for (int device = 0; device < 4; ++device) {
        const bool silent = device == 2 && now_ms / 600'000 % 3 == 0;
        if (silent || random() % 3 == 0) continue;
        const bool hot = device != 0 && now_ms / 120'000 % 4 == device && (device != 3 || kStart - now_ms < 600'000);
        const double value = (hot ? 72 : 40) + static_cast<double>(random() % 250) / 10;
        const model::Fields fields = {{"T1", value}, {"state", std::string("on")}};
        model::Event event{.ts_ms = now_ms - static_cast<int64_t>(random() % 3000), .topic = topic_of(device)};
        event.data = codec::encode_telemetry_data(event.topic.device, fields, {});
        batch.push_back(std::move(event));
      }
      if (now_ms % 600'000 < 10'000) batch.push_back(status(now_ms));
      if (!batch.empty()) {
        const auto appended = log::append_and_wait(*stored, std::move(batch));
        ASSERT_TRUE(appended.ok());
        log.newest = appended->last;
      }
      clock.advance_ms(10'000);
    }
    model::Conclusions none;
    for (model::Event& event : reader.events()) latest.step(with_fields(event), event.id.ms, none);
  }

  model::Event status(int64_t now_ms) {
    const auto presence = now_ms / 600'000 % 3 == 0 ? model::Presence::offline : model::Presence::online;
    return {.ts_ms = now_ms,
            .topic = topic_of(2),
            .type = model::EventType::device_status,
            .data = codec::encode_device_status_data({topic_of(2).device, presence, "timeout", now_ms})};
  }

  static model::Event with_fields(model::Event event) {
    if (event.type == model::EventType::telemetry) event.fields = *codec::decode_telemetry_fields(event.data);
    return event;
  }

  // What an engine that was live said of it, when the rule came into force at `since_ms`.
  std::vector<std::string> live_alerts(const Backtest& asked) {
    rules::RuleEngine live({.rules = {asked.rule}, .attributes = asked.attributes});
    model::Conclusions concluded;
    for (const model::Event& event : reader.events()) {
      if (event.id.ms < asked.since_ms || event.id.ms >= asked.until_ms) continue;
      live.advance(event.id.ms, concluded);
      live.step(with_fields(event), event.id.ms, concluded);
    }
    live.advance(asked.until_ms, concluded);
    return sorted_texts(concluded);
  }

  static std::vector<std::string> sorted_texts(const std::vector<model::Event>& events) {
    std::vector<std::string> texts;
    for (const model::Event& event : events) {
      texts.push_back(event.topic.text() + " " + std::to_string(event.ts_ms) + " " + event.data);
    }
    std::sort(texts.begin(), texts.end());
    return texts;
  }

  Backtest over(const std::string& rule, int64_t since_ms = kStart - kSpanMs, int64_t until_ms = kStart) {
    return {.rule = rule_of(rule),
            .patterns = {*model::TopicPattern::parse("account:demo")},
            .attributes = {{topic_of(1), {{"T1_warn", 80}}}},
            .since_ms = since_ms,
            .until_ms = until_ms,
            .points = 20};
  }
  BacktestResult run(const Backtest& asked) {
    Result<BacktestResult> result = run_backtest(context, asked, [](const BacktestProgress&) { return true; });
    EXPECT_TRUE(result.ok()) << result.error().detail;
    return result ? std::move(*result) : BacktestResult();
  }

  std::string directory;
  log::RecordingReader reader;
  std::unique_ptr<log::EventLog> stored;
  std::set<model::Topic> columns_of;  // devices of which columns were read
};

TEST_F(RulePastTest, SaysExactlyWhatTheLiveEngineSaidOfTheSameStretch) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  live_through(seed);
  const std::vector<std::pair<int64_t, int64_t>> stretches = {
      {kStart - kSpanMs, kStart}, {kStart - kHourMs, kStart - 600'000}, {kStart - 900'000, kStart}};
  for (const std::string& rule : {kHot, kSilent, kOffline}) {
    for (const auto& [since_ms, until_ms] : stretches) {
      const Backtest asked = over(rule, since_ms, until_ms);
      const BacktestResult result = run(asked);
      ASSERT_EQ(sorted_texts(result.transitions), live_alerts(asked)) << rule;
      EXPECT_EQ(result.counts.done, 4u);
      EXPECT_TRUE(result.missing.empty());
      if (since_ms == kStart - kSpanMs) EXPECT_GT(result.transitions.size(), 2u) << rule;
    }
  }
}

TEST_F(RulePastTest, ReadsOnlyColumnsOfDevicesOfWhichNoAlertCanCome) {
  live_through(7);
  std::set<std::string> read;
  log.on_read = [&](const log::ReadRequest& request) {
    if (request.types.has(model::EventType::device_status)) {
      for (const model::TopicPattern& pattern : request.patterns) read.insert(pattern.device.name.text());
    }
    return *stored->read(request);
  };
  const BacktestResult result = run(over(kHot));
  EXPECT_EQ(read, (std::set<std::string>{"d1", "d2", "d3"})) << "d3 is hot only where the log has no columns yet";
  EXPECT_EQ(columns_of.size(), 4u);
  EXPECT_GT(result.counts.values, 1000u);
}

TEST_F(RulePastTest, ShowsChartsOfTheDevicesThatHadTransitionsFirst) {
  live_through(7);
  const BacktestResult result = run(over(kHot));
  ASSERT_EQ(result.previews.size(), 4u);
  EXPECT_EQ(result.previews[3].device, topic_of(0)) << "which was never hot";
  for (const BacktestPreview& preview : result.previews) {
    EXPECT_GT(preview.buckets.size(), 10u);
    EXPECT_LE(preview.buckets.size(), 20u);
  }
}

TEST_F(RulePastTest, TellsHowFarItIsAndEndsWhenNobodyWaits) {
  live_through(7);
  std::vector<size_t> done;
  log.on_read = [&](log::ReadRequest request) {
    request.events_max = 200;
    return *stored->read(request);
  };
  const auto until_second = [&](const BacktestProgress& progress) {
    EXPECT_EQ(progress.devices, 4u);
    done.push_back(progress.done);
    return progress.done < 2;
  };
  const Backtest asked = over(kSilent);
  const Result<BacktestResult> result = run_backtest(context, asked, until_second);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, Code::unavailable);
  EXPECT_TRUE(std::is_sorted(done.begin(), done.end()));
  EXPECT_GT(done.size(), 3u) << "while the four are read together";
  EXPECT_EQ(done.back(), 2u) << "and is not asked again";
}

TEST_F(RulePastTest, NamesWhatIsDamagedOnceAndOnlyWithinTheStretch) {
  live_through(7);
  log.missing = {{.ids = {.after = {kStart - kDayMs, 0}, .to = {kStart - kHourMs, 0}}}};
  const Backtest asked = over(kHot);
  const BacktestResult result = run(asked);
  ASSERT_EQ(result.missing.size(), 1u);
  EXPECT_EQ(result.missing[0].ids.after.ms, asked.since_ms - 1);
  EXPECT_EQ(result.missing[0].ids.to, (model::EventId{kStart - kHourMs, 0}));
}

// ---- over HTTP ----

class RuleBacktestTest : public RulePastTest {
 protected:
  Answer try_out(const std::string& body, const std::string& accept = {}) {
    http::Request request{.method = "POST", .path = "/api/rules/test", .body = body};
    if (!accept.empty()) request.headers.add("Accept", accept);
    return ask(std::move(request), [](Answer&) {});
  }
  // The detail of a refusal.
  std::string refused(const std::string& body, int status) {
    const Answer answer = try_out(body);
    EXPECT_EQ(answer.status, status) << answer.text;
    return answer.text;
  }
  static std::string with(std::string text, const std::string& what, const std::string& by) {
    const size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos);
    return text.replace(at, what.size(), by);
  }
};

TEST_F(RuleBacktestTest, AnswersWithTransitionsCountsAndCharts) {
  live_through(7);
  const Answer answer = try_out("{\"rule\":" + kHot + ",\"points\":10}");
  ASSERT_EQ(answer.status, 200) << answer.text;
  for (const char* part :
       {R"("until":"2026-02-02T02:40:00.000Z","devices":4,"values":)", R"("transitions":[{"ts":")",
        R"("type":"alert","data":{"alertId":"hot.s.d2.)", R"("preview":[{"topic":"account:demo/site:s/device:d)",
        R"("field":"T1","fn":"last","levels":[{"severity":"warning","op":">","value":70,"clear":65}],"stepMs":)"}) {
    EXPECT_NE(answer.text.find(part), std::string::npos) << part << "\n" << answer.text.substr(0, 2000);
  }
}

TEST_F(RuleBacktestTest, TakesARuleAsAnAnswerGaveIt) {
  live_through(7);
  const std::string given = with(kHot, "{", R"({"source":"api","updatedBy":"anna","status":{"devices":1},)");
  EXPECT_EQ(try_out("{\"rule\":" + given + "}").status, 200);
}

TEST_F(RuleBacktestTest, NeedsTheIdOfARule) {
  EXPECT_NE(refused("{\"rule\":" + with(kHot, R"("id":"hot",)", "") + "}", 400).find("rule.id: missing"),
            std::string::npos);
}

TEST_F(RuleBacktestTest, KeepsToTheDevicesTheCredentialMaySee) {
  live_through(7);
  grants.devices = {*model::DeviceId::parse("d0"), *model::DeviceId::parse("d2")};
  become(grants);
  const Answer answer = try_out("{\"rule\":" + kHot + "}");
  ASSERT_EQ(answer.status, 200) << answer.text;
  EXPECT_NE(answer.text.find("\"devices\":2"), std::string::npos);
  EXPECT_EQ(answer.text.find("device:d1"), std::string::npos);
  EXPECT_EQ(answer.text.find("device:d3"), std::string::npos);
}

TEST_F(RuleBacktestTest, RefusesAScopeOutsideTheCredential) {
  grants.devices = {*model::DeviceId::parse("d0")};
  become(grants);
  refused("{\"rule\":" + with(kHot, "account:demo", "account:demo/site:s/device:d1") + "}", 403);
}

TEST_F(RuleBacktestTest, RefusesACredentialThatMayNotRead) {
  grants.roles = model::Roles().with(model::Role::ingest);
  become(grants);
  refused("{\"rule\":" + kHot + "}", 403);
}

TEST_F(RuleBacktestTest, NamesThePlaceOfWhatIsWrongWithTheRule) {
  const std::string text = refused("{\"rule\":" + with(kHot, "\">\"", "\"above\"") + "}", 400);
  EXPECT_NE(text.find(R"("detail":"rule.levels[0].op: not one of)"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("errors":[{"path":"rule.levels[0].op","reason":"not one of)"), std::string::npos) << text;
}

TEST_F(RuleBacktestTest, NamesATimeZoneThatIsNotKnown) {
  const std::string zone = R"("schedule":{"tz":"Mars/Olympus","active":[{}]},"for")";
  const std::string text = refused("{\"rule\":" + with(kHot, "\"for\"", zone) + "}", 400);
  EXPECT_NE(text.find(R"("path":"rule.schedule.tz")"), std::string::npos) << text;
}

TEST_F(RuleBacktestTest, NeedsARule) { EXPECT_NE(refused("{}", 400).find("rule: is needed"), std::string::npos); }

TEST_F(RuleBacktestTest, RefusesARuleBesideTheIdOfOne) {
  const std::string text = refused("{\"rule\":" + kHot + R"(,"ruleId":"hot"})", 400);
  EXPECT_NE(text.find("ruleId: there is a rule already"), std::string::npos) << text;
}

TEST_F(RuleBacktestTest, TakesNoIdForNone) {
  live_through(7);
  EXPECT_EQ(try_out("{\"rule\":" + kHot + R"(,"ruleId":null})").status, 200);
}

TEST_F(RuleBacktestTest, AStreamThatIsRefusedByItsWeightIsNone) {
  live_through(7);
  EXPECT_EQ(try_out("{\"rule\":" + kHot + "}", "text/event-stream;q=0").headers.get("Content-Type"),
            "application/json");
}

TEST_F(RuleBacktestTest, AStreamIsNoneWhereJsonIsPreferred) {
  live_through(7);
  const Answer answer = try_out("{\"rule\":" + kHot + "}", "application/json, text/event-stream;q=0.5");
  EXPECT_EQ(answer.headers.get("Content-Type"), "application/json");
}

TEST_F(RuleBacktestTest, RefusesAStretchThatEndsBeforeItBegins) {
  const std::string text = refused("{\"rule\":" + kHot + R"(,"since":"2026-02-02T00:00:00Z","until":0})", 400);
  EXPECT_NE(text.find("since: "), std::string::npos) << text;
}

TEST_F(RuleBacktestTest, TriesOneRuleOfAnAccountAtATime) {
  const auto place = context.backtest_places.take("demo", {});
  ASSERT_TRUE(place);
  const Answer answer = try_out("{\"rule\":" + kHot + "}");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.headers.get("retry-after"), "2");
}

TEST_F(RuleBacktestTest, RefusesWhenTooManyWait) {
  std::latch started(1), go(1);
  ASSERT_TRUE(backtests.post([&] {
    started.count_down();
    go.wait();
  }));
  started.wait();
  while (backtests.post([] {})) {
  }
  EXPECT_EQ(try_out("{\"rule\":" + kHot + "}").status, 503);
  go.count_down();
  backtests.stop();  // its jobs look at what is ours
}

// ---- as a stream ----

// A client whose socket takes what it is told to take.
class SlowExchange final : public http::Exchange {
 public:
  explicit SlowExchange(net::Loop& loop) : loop_(loop) {}
  const http::Request& request() const override { return request_; }
  http::Request& request() override { return request_; }
  net::Loop& loop() override { return loop_; }
  bool open() const override { return true; }
  void respond(http::Response) override {}
  std::unique_ptr<ByteSink> start_stream(http::Response) override { return std::make_unique<Sink>(*this); }

  size_t room = 0;
  std::string text;
  bool finished = false;
  ByteSinkOwner* owner = nullptr;

 private:
  class Sink final : public ByteSink {
   public:
    explicit Sink(SlowExchange& client) : client_(client) {}
    void set_owner(ByteSinkOwner* owner) override { client_.owner = owner; }
    size_t write(std::span<const iovec> pieces) override {
      const size_t taken = std::min(pieces[0].iov_len, client_.room);
      client_.text.append(static_cast<const char*>(pieces[0].iov_base), taken);
      client_.room -= taken;
      return taken;
    }
    void close(bool finished) override { client_.finished = finished; }

   private:
    SlowExchange& client_;
  };

  http::Request request_;
  net::Loop& loop_;
};

class ProgressStreamTest : public ::testing::Test {
 protected:
  void run_all() {
    loop.post([this] { loop.stop(); });
    loop.run();
  }
  ManualClock clock{kStart};
  net::Loop loop{clock};
  SlowExchange client{loop};
};

TEST_F(ProgressStreamTest, LeavesProgressOutThatASlowClientHasNotTakenButNeverTheEnd) {
  const auto stream = ProgressStream::open(client);
  client.room = 10;
  for (int i = 0; i < 5; ++i) stream->say("progress", "{\"done\":" + std::to_string(i) + "}");
  stream->finish("result", "{\"alerts\":7}");
  loop.post([this] {
    EXPECT_FALSE(client.finished);
    client.room = 1000;
    client.owner->on_writable();
  });
  run_all();
  EXPECT_TRUE(client.finished);
  EXPECT_NE(client.text.find("event: progress\ndata: {\"done\":0}\n\n"), std::string::npos);
  EXPECT_EQ(client.text.find("{\"done\":1}"), std::string::npos);
  EXPECT_NE(client.text.find("event: result\ndata: {\"alerts\":7}\n\n"), std::string::npos);
}

TEST_F(ProgressStreamTest, KnowsThatItsClientHasGone) {
  const auto stream = ProgressStream::open(client);
  loop.post([this] { client.owner->on_closed(); });
  run_all();
  EXPECT_TRUE(stream->gone());
}

}  // namespace
}  // namespace millstream::api
