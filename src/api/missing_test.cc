#include "api/missing.h"

#include <gmock/gmock.h>

#include "api/testing.h"

namespace millstream::api {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

const std::vector<log::Missing> kParts = {
    {.ids = {.to = {2, 0}}, .why = log::Missing::Why::before_log},
    {.ids = {.after = {3, 0}, .to = {5, 1}}},
    {.ids = {.after = {7, 0}, .to = {8, 0}}},
};
const std::string kDamaged =
    R"([{"from":"3-0","to":"5-1","reason":"damaged"},{"from":"7-0","to":"8-0","reason":"damaged"}])";
constexpr const char* kCsv = "text/csv";

TEST(MissingJson, NamesDamagedPartsAndNotTheTimeBeforeTheLog) {
  EXPECT_EQ(missing_json(kParts), kDamaged);
  EXPECT_EQ(missing_json({kParts[0]}), "");
  EXPECT_EQ(missing_json({}), "");
}

class MissingTest : public ApiTest {
 protected:
  MissingTest() {
    model::Conclusions none;
    latest.step({.id = {kStart, 0},
                 .ts_ms = kStart,
                 .topic = *model::Topic::parse("account:demo/site:a/device:d"),
                 .type = model::EventType::telemetry,
                 .data = R"({"deviceId":"d","fields":{"n":1}})",
                 .fields = {{"n", 1.0}}},
                kStart, none);
    log.on_read = [](const auto&) { return log::ReadPage{.events = {}, .scanned_to = {}, .missing = kParts}; };
    log.missing = kParts;
  }
  Answer get(const std::string& path, const std::string& query, const std::string& accept = "*/*") {
    return ask(
        "/api/" + path, query, [](Answer&) {}, accept);
  }
};

TEST_F(MissingTest, APageOfEventsNamesIt) {
  EXPECT_THAT(get("events/backfill", "").text, EndsWith(",\"missing\":" + kDamaged + "}"));
}

TEST_F(MissingTest, APageThatIsReadBackwardsNamesIt) {
  EXPECT_THAT(get("events/backfill", "order=desc").text, EndsWith(",\"missing\":" + kDamaged + "}"));
}

TEST_F(MissingTest, ATableOfEventsHasItInAHeader) {
  EXPECT_EQ(get("events/backfill", "", kCsv).headers.get("X-Missing"), kDamaged);
}

TEST_F(MissingTest, AWholePageSaysNothingOfIt) {
  log.on_read = [](const auto&) { return log::ReadPage{}; };
  EXPECT_EQ(get("events/backfill", "").text, R"({"events":[],"next":null,"last":"1770000000000-0"})");
}

TEST_F(MissingTest, ASeriesNamesIt) {
  EXPECT_THAT(get("series", "deviceId=d").text, EndsWith(",\"truncated\":false,\"missing\":" + kDamaged + "}"));
}

TEST_F(MissingTest, ATableOfASeriesHasItInAHeader) {
  EXPECT_EQ(get("series", "deviceId=d", kCsv).headers.get("X-Missing"), kDamaged);
}

TEST_F(MissingTest, AWholeSeriesSaysNothingOfIt) {
  log.missing.clear();
  EXPECT_THAT(get("series", "deviceId=d").text, Not(HasSubstr("missing")));
}

}  // namespace
}  // namespace millstream::api
