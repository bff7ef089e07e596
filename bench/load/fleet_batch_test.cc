#include "load/fleet_batch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "codec/line_protocol.h"

namespace millstream::load {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

constexpr int64_t kStartMs = 1'769'517'296'000;

FleetShare share_of(int devices, int first, int each) {
  app::FleetOptions options;
  options.devices = devices;
  options.start_ms = kStartMs;
  return {std::make_shared<const app::SimulatedFleet>(options), first, each};
}

std::vector<model::Point> parsed(std::string_view body) {
  codec::ParsedPoints result = codec::parse_line_protocol(body, codec::Precision::milliseconds);
  EXPECT_THAT(result.rejected, IsEmpty());
  return std::move(result.points);
}

TEST(FleetBatches, ALineIsReadBackAsThePointItWasMadeOf) {
  const FleetShare share = share_of(8, 0, 8);
  for (int device = 0; device < 8; ++device) {
    const model::Point point = share.fleet->sample(device, kStartMs + 1234);
    std::string line;
    append_line(point, line);
    const std::vector<model::Point> read = parsed(line);
    ASSERT_THAT(read, SizeIs(1));
    EXPECT_EQ(read[0].device, point.device);
    EXPECT_EQ(read[0].site, point.site);
    EXPECT_EQ(read[0].ts_ms, point.ts_ms);
    EXPECT_EQ(read[0].fields, point.fields);
  }
}

// However batches and devices fit each other, and although the clock stands still.
TEST(FleetBatches, NoDeviceHasATimeTwice) {
  struct {
    int devices;
    size_t lines;
  } shapes[] = {{1, 10}, {10, 100}, {10, 10}, {100, 10}, {10, 1}};
  for (const auto& [devices, lines] : shapes) {
    FleetBatches batches(share_of(3 * devices, devices, devices), lines, kStartMs);
    std::set<std::pair<std::string, int64_t>> seen;
    size_t points = 0;
    for (int i = 0; i < 60; ++i) {
      for (const model::Point& point : parsed(batches.next(kStartMs))) {
        seen.insert({point.site + "/" + point.device, *point.ts_ms});
        ++points;
      }
    }
    EXPECT_EQ(points, 60 * lines);
    EXPECT_EQ(seen.size(), points) << devices << " devices, " << lines << " lines";
  }
}

TEST(FleetHistory, TellsEveryDeviceEachIntervalAndThenEnds) {
  FleetHistory history(share_of(20, 5, 10), 5, kStartMs, kStartMs + 3 * kFleetIntervalMs);
  std::vector<model::Point> points;
  for (std::string_view body = history.next(0); !body.empty(); body = history.next(0)) {
    for (model::Point& point : parsed(body)) points.push_back(std::move(point));
  }
  ASSERT_THAT(points, SizeIs(30));
  const FleetShare share = share_of(20, 5, 10);
  for (int i = 0; i < 30; ++i) {
    const model::Point sampled = share.fleet->sample(5 + i % 10, kStartMs + i / 10 * kFleetIntervalMs);
    EXPECT_EQ(points[static_cast<size_t>(i)].device, sampled.device);
    EXPECT_EQ(points[static_cast<size_t>(i)].ts_ms, sampled.ts_ms);
    EXPECT_EQ(points[static_cast<size_t>(i)].fields, sampled.fields);
  }
}

}  // namespace
}  // namespace millstream::load
