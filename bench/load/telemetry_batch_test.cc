#include "load/telemetry_batch.h"

#include <gtest/gtest.h>

#include <string>

namespace millstream::load {
namespace {

TEST(TelemetryBatches, JsonBodyIsAnArrayOfEventsWithTheTimeAsked) {
  TelemetryBatches batches(BodyFormat::json, 3, 2, 2);
  const std::string body(batches.next(1769517296789));
  EXPECT_TRUE(body.starts_with(R"([{"deviceId":"g3-0","siteId":"bench","ts":1769517296789,"fields":{"f0":)")) << body;
  EXPECT_NE(body.find(R"(}},{"deviceId":"g3-1","siteId":"bench","ts":1769517296789,"fields":{"f0":)"),
            std::string::npos);
  EXPECT_TRUE(body.ends_with("}}]")) << body;
}

TEST(TelemetryBatches, LineBodyHasOneLineAnEvent) {
  TelemetryBatches batches(BodyFormat::line, 3, 2, 1);
  const std::string body(batches.next(1769517296789));
  EXPECT_TRUE(body.starts_with("telemetry,device=g3-0,site=bench f0=")) << body;
  EXPECT_NE(body.find(" 1769517296789\ntelemetry,device=g3-1,site=bench f0="), std::string::npos) << body;
  EXPECT_TRUE(body.ends_with(" 1769517296789\n")) << body;
}

TEST(TelemetryBatches, ValuesChangeFromBodyToBody) {
  TelemetryBatches batches(BodyFormat::json, 0, 1, 10);
  const std::string first(batches.next(1769517296789));
  EXPECT_NE(batches.next(1769517296789), first);
}

}  // namespace
}  // namespace millstream::load
