// Reads and writes against a real InfluxDB of version 1, started here on free ports, stopped by its pid.
#include "app/influx_history.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <random>
#include <thread>

#include "history/series.h"
#include "influx/history_reader.h"
#include "influx/line_writer.h"
#include "influx/testing.h"
#include "net/socket.h"

namespace millstream::app {
namespace {

using influx::HistorySpan;
using influx::testing::TempDirectory;
using model::Fields;

std::string free_address() {
  const Result<int> fd = net::listen_tcp("127.0.0.1:0", {});
  EXPECT_TRUE(fd.ok());
  const Result<uint16_t> port = net::bound_port(*fd);
  ::close(*fd);
  return "127.0.0.1:" + std::to_string(*port);
}

class Influxd {
 public:
  Influxd() : address_(free_address()) {
    const std::string env[] = {
        "PATH=/usr/bin:/usr/sbin:/usr/local/bin",
        "HOME=" + directory_.path(),
        "INFLUXDB_REPORTING_DISABLED=true",
        "INFLUXDB_BIND_ADDRESS=" + free_address(),
        "INFLUXDB_META_DIR=" + (directory_ / "meta"),
        "INFLUXDB_DATA_DIR=" + (directory_ / "data"),
        "INFLUXDB_DATA_WAL_DIR=" + (directory_ / "wal"),
        "INFLUXDB_HTTP_BIND_ADDRESS=" + address_,
        "INFLUXDB_HTTP_LOG_ENABLED=false",
        "INFLUXDB_MONITOR_STORE_ENABLED=false",
        "INFLUXDB_LOGGING_LEVEL=error",
    };
    std::vector<char*> variables;
    for (const std::string& each : env) variables.push_back(const_cast<char*>(each.c_str()));
    variables.push_back(nullptr);
    char program[] = "influxd", run[] = "run", config[] = "-config", none[] = "/dev/null";
    char* arguments[] = {program, run, config, none, nullptr};
    EXPECT_EQ(::posix_spawnp(&pid_, program, nullptr, nullptr, arguments, variables.data()), 0)
        << "influxd is not installed (./dev setup)";
  }
  ~Influxd() {
    ::kill(pid_, SIGTERM);
    ::waitpid(pid_, nullptr, 0);
  }
  std::string url() const { return "http://" + address_; }

 private:
  TempDirectory directory_;
  std::string address_;
  pid_t pid_ = 0;
};

class InfluxHistoryTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    influxd_ = new Influxd();
    influx::InfluxClient client = make_client();
    for (int i = 0; i < 300 && !client.prepare(nullptr); ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    ASSERT_TRUE(client.prepare(nullptr).ok());
  }
  static void TearDownTestSuite() {
    delete influxd_;
    influxd_ = nullptr;
  }
  static influx::InfluxClient make_client() {
    Config config;
    config.influx.url = influxd_->url() + "/";
    return {influx_client_options(config), make_influx_transport(config.influx)};
  }

  model::Event event(const std::string& device, int64_t offset_ms, Fields fields) const {
    model::Event made;
    made.ts_ms = start_ms_ + offset_ms;
    made.topic = *model::Topic::parse("account:a/site:s/device:" + device);
    made.fields = std::move(fields);
    made.data = codec::encode_telemetry_data(made.topic.device, made.fields, {});
    return made;
  }
  void write(const std::vector<model::Event>& events) {
    std::string lines;
    for (const model::Event& each : events) ASSERT_EQ(influx::append_line(each, lines), 0u);
    const influx::WriteOutcome outcome = client_.write(lines, nullptr);
    ASSERT_EQ(outcome.kind, influx::WriteOutcome::Kind::done) << outcome.reason;
  }
  HistorySpan span(int64_t from_ms, int64_t to_ms) const { return {start_ms_ + from_ms, start_ms_ + to_ms}; }

  static Influxd* influxd_;
  influx::InfluxClient client_ = make_client();
  influx::HistoryReader reader_{client_};
  const int64_t start_ms_ = SystemClock().wall_ms() - kHourMs;
};
Influxd* InfluxHistoryTest::influxd_ = nullptr;

TEST_F(InfluxHistoryTest, PreparingAgainChangesTheRetentionAndNothingElse) {
  Config config;
  config.influx.url = influxd_->url();
  config.influx.retention_ms = 2 * kDayMs;
  for (int i = 0; i < 2; ++i) {
    influx::InfluxClient longer(influx_client_options(config), make_influx_transport(config.influx));
    EXPECT_TRUE(longer.prepare(nullptr).ok());
    const auto policies = influx::parse_query_result(*longer.query("SHOW RETENTION POLICIES", nullptr));
    ASSERT_TRUE(policies.ok());
    ASSERT_EQ(policies->at(0).series.at(0).rows.size(), 1u);
    EXPECT_EQ(policies->at(0).series[0].rows[0][1], influx::Cell("48h0m0s"));
  }
}

TEST_F(InfluxHistoryTest, BucketsAreThoseOfTheEmbeddedHistory) {
  const uint64_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  constexpr int64_t kSpanMs = 600'007;
  std::map<int64_t, Fields> by_time;  // a point is known by its time
  for (int i = 0; i < 2'000; ++i) {
    const double value = std::ldexp(static_cast<double>(random() % 2'000'000) - 1e6, -8);
    by_time[static_cast<int64_t>(random() % kSpanMs)] = {{"T1", value}, {"door", random() % 2 == 0}, {"mode", "auto"}};
  }
  std::vector<model::Event> events;
  auto builder = history::SeriesBuilder::make({.start_ms = start_ms_, .end_ms = start_ms_ + kSpanMs, .points = 37});
  ASSERT_TRUE(builder.ok());
  for (const auto& [t, fields] : by_time) {
    events.push_back(event("buckets", t, fields));
    for (const model::Field& field : fields) {
      const model::Sample sample{start_ms_ + t, model::as_number(field.value).value_or(0)};
      if (field.name != "mode") builder->add(field.name, std::span(&sample, 1));
    }
  }
  write(events);
  const int64_t step_ms = builder->step_ms();
  const history::SeriesResult expected = std::move(*builder).result();
  const auto got = reader_.buckets(events[0].topic, {}, span(0, kSpanMs), step_ms);
  ASSERT_TRUE(got.ok()) << got.error().detail;
  ASSERT_EQ(got->size(), 2u);
  for (const auto& [field, buckets] : expected.buckets) {
    const std::vector<model::SampleSums>& sums = got->at(field);
    ASSERT_EQ(sums.size(), buckets.size()) << field;
    for (size_t i = 0; i < buckets.size(); ++i) {
      EXPECT_EQ(sums[i].first_ms, buckets[i].t_ms) << field << i;
      EXPECT_EQ(sums[i].min, buckets[i].min);
      EXPECT_EQ(sums[i].max, buckets[i].max);
      EXPECT_EQ(sums[i].last, buckets[i].last);
      EXPECT_EQ(sums[i].count, buckets[i].count);
      EXPECT_NEAR(sums[i].sum / static_cast<double>(sums[i].count), buckets[i].avg, 1e-9);
    }
  }
  const auto one = reader_.buckets(events[0].topic, {"T1"}, span(0, kSpanMs), step_ms);
  ASSERT_TRUE(one.ok());
  EXPECT_EQ(one->size(), 1u);
}

TEST_F(InfluxHistoryTest, RefusedLinesAreFoundAndTheOthersStored) {
  write({event("kinds", 0, {{"kind", 1.0}})});
  influx::Batch batch;
  const auto add = [&](const model::Event& each) {
    const size_t before = batch.lines.size();
    influx::append_line(each, batch.lines);
    batch.sizes.push_back(static_cast<uint32_t>(batch.lines.size() - before));
  };
  for (int64_t i = 1; i <= 100; ++i) {
    add(event("kinds", i, {{"kind", i % 10 == 0 ? model::FieldValue("x") : model::FieldValue(2.0)}}));
  }
  const influx::WriteLines send = [this](std::string_view lines) { return client_.write(lines, nullptr); };
  const influx::BatchOutcome conflict = influx::write_batch(batch, send);
  EXPECT_EQ(conflict.last.kind, influx::WriteOutcome::Kind::done);
  EXPECT_EQ(conflict.bad.size(), 10u);
  EXPECT_EQ(conflict.requests, 3u);
  const auto stored = reader_.samples(event("kinds", 0, {}).topic, {"kind"}, span(0, 101), 1000);
  ASSERT_TRUE(stored.ok()) << stored.error().detail;
  EXPECT_EQ(stored->at("kind").size(), 91u);

  batch = {};
  add(event("kinds", -5 * kDayMs, {{"kind", 1.0}}));
  add(event("kinds", 200, {{"kind", 1.0}}));
  const influx::BatchOutcome old = influx::write_batch(batch, send);
  EXPECT_EQ(old.last.kind, influx::WriteOutcome::Kind::done);
  EXPECT_EQ(old.expired, 1u);
  EXPECT_TRUE(old.bad.empty());
}

TEST_F(InfluxHistoryTest, SamplesAreTheNewestInTimeOrder) {
  write({event("raw", 1, {{"n", 1.0}}), event("raw", 2, {{"n", 2.0}, {"text", "x"}}), event("raw", 3, {{"n", 3.0}})});
  const auto got = reader_.samples(event("raw", 0, {}).topic, {}, span(0, 10), 2);
  ASSERT_TRUE(got.ok()) << got.error().detail;
  ASSERT_EQ(got->size(), 1u);
  ASSERT_EQ(got->at("n").size(), 2u);
  EXPECT_EQ(got->at("n")[0].t_ms, start_ms_ + 2);
  EXPECT_EQ(got->at("n")[1].value, 3.0);
}

TEST_F(InfluxHistoryTest, LatestHasEachFieldsOwnTime) {
  write({event("now", 1, {{"a", 1.0}, {"b", true}}), event("now", 2, {{"a", 2.0}, {"c", "x"}})});
  const auto got = reader_.latest(event("now", 0, {}).topic, span(0, 10));
  ASSERT_TRUE(got.ok()) << got.error().detail;
  std::map<std::string, std::pair<model::FieldValue, int64_t>> by_name;
  for (const influx::LatestOf& each : *got) by_name[each.field] = {each.value, each.ts_ms - start_ms_};
  EXPECT_EQ(by_name, (decltype(by_name){{"a", {2.0, 2}}, {"b", {true, 1}}, {"c", {"x", 2}}}));
  const auto none = reader_.latest(event("nobody", 0, {}).topic, span(0, 10));
  ASSERT_TRUE(none.ok()) << none.error().detail;
  EXPECT_TRUE(none->empty());
}

TEST_F(InfluxHistoryTest, NamesAndTextsOfAnyKindComeBackAsTheyWere) {
  const std::vector<std::string> names = {"a \"b\"", R"(c\d)",   "it's",   "x; DROP DATABASE millstream",
                                          "e=f,g",   "日本 é 😀", "device", "last_a",
                                          "#",       "--",       "/*"};
  Fields fields;
  for (const std::string& name : names) fields.push_back({name, "text\n'\"\\ of " + name});
  fields.push_back({"n\"1", 1.5});
  write({event("odd", 5, fields)});
  const auto page = reader_.events(*model::TopicPattern::parse("account:a/site:s/device:odd"), span(0, 10), 10);
  ASSERT_TRUE(page.ok()) << page.error().detail;
  ASSERT_EQ(page->events.size(), 1u);
  const auto by_name = [](const model::Field& a, const model::Field& b) { return a.name < b.name; };
  std::sort(fields.begin(), fields.end(), by_name);
  Fields got = page->events[0].fields;
  std::sort(got.begin(), got.end(), by_name);
  EXPECT_EQ(got, fields);
  for (const model::Field& field : fields) {
    if (field.name != "n\"1") continue;
    const auto samples = reader_.samples(page->events[0].topic, {field.name}, span(0, 10), 5);
    ASSERT_TRUE(samples.ok()) << samples.error().detail;
    EXPECT_EQ(samples->at(field.name).size(), 1u);
  }
  const auto latest = reader_.latest(page->events[0].topic, span(0, 10));
  ASSERT_TRUE(latest.ok()) << latest.error().detail;
  EXPECT_EQ(latest->size(), fields.size());
}

TEST_F(InfluxHistoryTest, EventsComePageByPageInTimeOrderAndNoneTwice) {
  std::vector<model::Event> events;
  for (int64_t i = 0; i < 60; ++i) {
    events.push_back(event("page" + std::to_string(i % 20), 100 + i / 20, {{"i", static_cast<double>(i)}}));
  }
  write(events);
  const auto pattern = *model::TopicPattern::parse("account:a/site:s/device:*");
  for (const size_t count : {7, 20, 25, 1000}) {
    std::vector<double> seen;
    HistorySpan rest = span(100, 103);
    while (true) {
      const auto page = reader_.events(pattern, rest, count);
      ASSERT_TRUE(page.ok()) << page.error().detail;
      for (const model::Event& each : page->events) {
        ASSERT_EQ(each.fields.size(), 1u);
        seen.push_back(std::get<double>(each.fields[0].value));
      }
      if (!page->next_ms) break;
      ASSERT_GT(*page->next_ms, rest.start_ms);
      rest.start_ms = *page->next_ms;
    }
    std::vector<double> moments;
    for (const double i : seen) moments.push_back(std::floor(i / 20));
    EXPECT_TRUE(std::is_sorted(moments.begin(), moments.end()));
    std::sort(seen.begin(), seen.end());
    ASSERT_EQ(seen.size(), 60u) << count;
    for (size_t i = 0; i < seen.size(); ++i) EXPECT_EQ(seen[i], static_cast<double>(i));
  }
}

TEST_F(InfluxHistoryTest, SeesNothingOfAnotherAccount) {
  model::Event other = event("shared", 1, {{"secret", 1.0}});
  other.topic = *model::Topic::parse("account:b/site:s/device:shared");
  write({other});
  const auto page = reader_.events(*model::TopicPattern::parse("account:a"), span(0, 2), 100);
  ASSERT_TRUE(page.ok());
  for (const model::Event& each : page->events) EXPECT_EQ(each.topic.account.text(), "a");
  EXPECT_TRUE(reader_.latest(event("shared", 0, {}).topic, span(0, 10))->empty());
}

}  // namespace
}  // namespace millstream::app
