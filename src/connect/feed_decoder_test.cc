#include "connect/feed_decoder.h"

#include <gtest/gtest.h>

namespace millstream::connect {
namespace {

constexpr int64_t kNowMs = 1'769'517'296'789;

FeedOptions feed() {
  FeedOptions options;
  options.name = "f";
  options.account = *model::AccountId::parse("acme");
  options.accounts = {*model::AccountId::parse("one")};
  options.topics = {*TopicTemplate::parse("p/{site}/{device}/t"), *TopicTemplate::parse("g/{site}"),
                    *TopicTemplate::parse("a/{account}/{device}")};
  options.status_topics = {*TopicTemplate::parse("p/{site}/{device}/status"), *TopicTemplate::parse("s/{device}")};
  options.sparkplug_groups = {"plant"};
  return options;
}

struct Decoding {
  FeedOptions options = feed();
  FeedDecoder decoder{options};

  Intake of(std::string_view topic, std::string_view payload, bool retained = false) {
    return decoder.decode({topic, payload, retained}, kNowMs);
  }
};

size_t count(const Intake& intake, Refusal why) { return intake.refused[static_cast<size_t>(why)]; }

TEST(FeedDecoder, PayloadTellsByItselfWhetherItIsJsonOrLineProtocol) {
  Decoding decoding;
  for (const char* payload : {" {\"x\": 1}", "telemetry x=1", "[{\"fields\": {\"x\": 1}, \"deviceId\": \"d\"}]"}) {
    const Intake intake = decoding.of("p/s/d/t", payload);
    ASSERT_EQ(intake.points.points.size(), 1u) << payload;
    EXPECT_EQ(intake.points.points[0].site + "/" + intake.points.points[0].device, "s/d");
    EXPECT_EQ(intake.points.points[0].fields[0].name, "x");
  }
  decoding.options.payload = PayloadFormat::json;
  EXPECT_EQ(count(decoding.of("p/s/d/t", "telemetry x=1"), Refusal::malformed), 1u);
  decoding.options.payload = PayloadFormat::line_protocol;
  EXPECT_EQ(decoding.of("p/s/d/t", "{\"x\": 1}").points.rejected_count, 1u);
}

TEST(FeedDecoder, TopicIsNotOverruledByThePayload) {
  Decoding decoding;
  const Intake intake = decoding.of("p/s/d/t", R"([{"deviceId":"d","fields":{"x":1}},{"deviceId":"e","fields":{"x":1}},
                                 {"deviceId":"d","siteId":"other","fields":{"x":1}}])");
  EXPECT_EQ(intake.points.points.size(), 1u);
  EXPECT_EQ(count(intake, Refusal::name), 2u);
  EXPECT_EQ(decoding.of("p/s/d/t", "cpu,host=e x=1").points.points.size(), 0u);
  // Where the topic leaves the device open the payload names it.
  EXPECT_EQ(decoding.of("g/s", "cpu,host=e x=1").points.points.at(0).device, "e");
}

TEST(FeedDecoder, OnlyListedAccountsAreReachedByTopic) {
  Decoding decoding;
  EXPECT_EQ(decoding.of("a/one/d", "{\"x\":1}").account.text(), "one");
  EXPECT_EQ(decoding.of("p/s/d/t", "{\"x\":1}").account.text(), "acme");
  const Intake other = decoding.of("a/acme/d", "{\"x\":1}");
  EXPECT_EQ(count(other, Refusal::account), 1u);
  EXPECT_TRUE(other.points.points.empty());
  EXPECT_EQ(count(decoding.of("a//d", "{\"x\":1}"), Refusal::topic), 1u);
}

TEST(FeedDecoder, StatusIsAWordAndNothingElse) {
  Decoding decoding;
  const Intake offline = decoding.of("p/s/d/status", " offline\n");
  ASSERT_EQ(offline.reports.size(), 1u);
  EXPECT_EQ(offline.reports[0].site.text(), "s");
  EXPECT_EQ(offline.reports[0].said,
            (model::PresenceReport{*model::DeviceId::parse("d"), model::Presence::offline, "last_will"}));
  const Intake online = decoding.of("s/d", "online", true);
  ASSERT_EQ(online.reports.size(), 1u);
  EXPECT_TRUE(online.reports[0].site.empty());
  EXPECT_EQ(online.reports[0].said.reason, "reported");
  EXPECT_EQ(count(decoding.of("s/d", "Online"), Refusal::status), 1u);
  EXPECT_EQ(count(decoding.of("s/d d", "online"), Refusal::name), 1u);
}

TEST(FeedDecoder, RetainedPointsCountOnlyWithATimeOfTheirOwn) {
  Decoding decoding;
  EXPECT_EQ(count(decoding.of("p/s/d/t", "{\"x\":1}", true), Refusal::undated), 1u);
  EXPECT_EQ(decoding.of("p/s/d/t", "{\"ts\":1769517290000,\"values\":{\"x\":1}}", true).points.points.size(), 1u);
}

TEST(FeedDecoder, OtherTopicsEmptyAndHugePayloadsAreLeftOut) {
  Decoding decoding;
  EXPECT_EQ(count(decoding.of("q/s/d", "{}"), Refusal::topic), 1u);
  EXPECT_EQ(count(decoding.of("p/s/d/t", std::string((1 << 20) + 1, ' ')), Refusal::too_large), 1u);
  const Intake empty = decoding.of("p/s/d/t", "");
  EXPECT_TRUE(empty.points.points.empty() && empty.first_refusal.empty());
  EXPECT_EQ(count(decoding.of("spBv1.0/plant/NDATA/e", "\xff\xff"), Refusal::malformed), 1u);
  EXPECT_EQ(count(decoding.of("spBv1.0/plant/NDATA/a.b", "x"), Refusal::topic), 1u);
  EXPECT_TRUE(decoding.of("spBv1.0/plant/NCMD/e", "x").first_refusal.empty());
}

}  // namespace
}  // namespace millstream::connect
