// A hundred thousand devices, in manual time.
#include <gtest/gtest.h>

#include "presence/presence_engine.h"
#include "presence/testing.h"

namespace millstream::presence {
namespace {

constexpr int64_t kBegin = 1'769'517'296'000;
constexpr size_t kDevices = 100'000;

std::vector<model::Event> points_of(size_t devices) {
  std::vector<model::Event> points(devices);
  for (size_t i = 0; i < devices; ++i) {
    points[i].topic =
        *model::Topic::parse("account:a/site:" + std::to_string(i % 100) + "/device:" + std::to_string(i));
  }
  return points;
}

// One point of each within ten seconds; gives back the moment after.
int64_t hear_all(PresenceEngine& engine, std::vector<model::Event>& points, int64_t begin_ms, Conclusions& out) {
  for (size_t i = 0; i < points.size(); ++i) {
    const int64_t now = begin_ms + static_cast<int64_t>(i * 10'000 / points.size());
    points[i].ts_ms = now;
    engine.advance(now, out);
    engine.step(points[i], now, out);
  }
  return begin_ms + 10'000;
}

TEST(Fleet, EveryOneOfAHundredThousandIsOfflineWithinASecondOfItsTimeout) {
  std::vector<model::Event> points = points_of(kDevices);
  PresenceEngine engine(PresenceOptions{});
  Conclusions out;
  int64_t now = kBegin;
  for (int round = 0; round < 5; ++round) now = hear_all(engine, points, now, out);
  ASSERT_EQ(out.size(), kDevices);
  out.clear();
  size_t offline = 0;
  int64_t worst_ms = 0;
  // The log tells the time ten times a second when nothing happens.
  for (const int64_t end = now + 70'000; now < end; now += 100) {
    engine.advance(now, out);
    for (const model::Event& event : out) {
      const Result<model::DeviceStatus> status = codec::decode_device_status_data(event.data);
      ASSERT_TRUE(status.ok());
      if (status->status != Presence::offline) continue;
      ++offline;
      ASSERT_EQ(event.ts_ms - status->last_seen_ms, 60'000);
      worst_ms = std::max(worst_ms, now - event.ts_ms);
    }
    out.clear();
  }
  EXPECT_EQ(offline, kDevices);
  EXPECT_LE(worst_ms, 1'000);
}

TEST(Fleet, AnHourOfTheServersOwnAbsenceIsNobodysSilence) {
  std::vector<model::Event> points = points_of(kDevices);
  Conclusions out;
  int64_t now = kBegin;
  std::string state;
  {
    PresenceEngine before(PresenceOptions{});
    for (int round = 0; round < 5; ++round) now = hear_all(before, points, now, out);
    state = before.save();
  }
  PresenceEngine engine(PresenceOptions{});
  ASSERT_TRUE(engine.load(state).ok());
  out.clear();
  engine.resume(now, now + 3'600'000);
  now += 3'600'000;
  engine.advance(now, out);
  for (int round = 0; round < 12; ++round) now = hear_all(engine, points, now, out);
  EXPECT_EQ(lines(out), Lines{});
}

}  // namespace
}  // namespace millstream::presence
