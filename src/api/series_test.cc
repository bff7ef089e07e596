#include "api/testing.h"
#include "codec/event_json.h"

namespace millstream::api {
namespace {

class SeriesTest : public ApiTest {
 protected:
  SeriesTest() {
    model::Event e{.id = {kStart, 0},
                   .ts_ms = kStart,
                   .topic = *model::Topic::parse("account:demo/site:a/device:d"),
                   .type = model::EventType::telemetry,
                   .fields = {{"n", 1.0}}};
    e.data = codec::encode_telemetry_data(e.topic.device, e.fields, {});
    model::Conclusions none;
    latest.step(e, kStart, none);
  }

  // What is read of the log for the hour before `end_ms`.
  log::SamplesRequest read_for(int64_t end_ms) {
    log::SamplesRequest seen;
    log.on_read_samples = [&](const log::SamplesRequest& request, log::SampleSink&) { seen = request; };
    const std::string span = "&start=" + std::to_string(end_ms - kHourMs) + "&end=" + std::to_string(end_ms);
    EXPECT_EQ(ask("/api/series", "deviceId=d" + span, [](Answer&) {}).status, 200);
    return seen;
  }
};

const std::string kPath = "/api/series";

TEST_F(SeriesTest, ReadsToTheEndOfTheLogAsLongAsALatePointMayCome) {
  const log::SamplesRequest read = read_for(kStart - kDayMs / 2);
  EXPECT_LT(read.ids.after.ms, kStart - kDayMs / 2 - kHourMs) << "a device's clock may be ahead";
  EXPECT_GE(read.ids.to, log.last_id());
}

TEST_F(SeriesTest, ReadsNoFurtherThanALatePointMayStand) {
  EXPECT_EQ(read_for(kStart - 2 * kDayMs).ids.to.ms, kStart - kDayMs - 1);
}

TEST_F(SeriesTest, StopsReadingWhenNobodyWaitsForIt) {
  log.on_read_samples = [](const log::SamplesRequest&, log::SampleSink& sink) {
    while (sink.wants_more()) std::this_thread::yield();  // a log without end
  };
  ask(kPath, "deviceId=d", [](Answer& answer) { answer.client_gone = true; });
}

TEST_F(SeriesTest, StopsReadingWhenTheServerStops) {
  log.on_read_samples = [this](const log::SamplesRequest&, log::SampleSink& sink) {
    context.ready = false;
    while (sink.wants_more()) std::this_thread::yield();
  };
  EXPECT_EQ(ask(kPath, "deviceId=d", [](Answer&) {}).status, 503);
}

TEST_F(SeriesTest, ManyChartsAreRefusedAndKeepNoReaderFromItsWork) {
  std::latch started(1), go(1);
  ASSERT_TRUE(series.post([&] {
    started.count_down();
    go.wait();
  }));
  started.wait();
  while (series.post([] {})) {
  }
  const Answer answer = ask(kPath, "deviceId=d", [](Answer&) {});
  EXPECT_EQ(answer.status, 503);
  std::latch read(1);
  ASSERT_TRUE(readers.post([&] { read.count_down(); }));
  read.wait();
  go.count_down();
  series.stop();  // its jobs look at what is ours
}

}  // namespace
}  // namespace millstream::api
