#include "load/broadcasts.h"

#include <gtest/gtest.h>

#include <string>

#include "load/audiences.h"

namespace millstream::load {
namespace {

std::string numbered(uint32_t n) { return R"({"data":{"fields":{"n":)" + std::to_string(n) + R"(,"T1":2}}})"; }

TEST(Broadcasts, EventIsInFlightUntilTheLastViewerHasIt) {
  Broadcasts broadcasts(2);
  ViewerPosition first;
  ViewerPosition second;
  const uint32_t n = broadcasts.published(1000);
  EXPECT_EQ(broadcasts.in_flight(), 1);
  broadcasts.delivered(first, "5-0", numbered(n), 3000);
  EXPECT_EQ(broadcasts.in_flight(), 1);
  broadcasts.delivered(second, "5-0", numbered(n), 8000);
  EXPECT_EQ(broadcasts.in_flight(), 0);
  EXPECT_EQ(broadcasts.counts().missing(), 0);
  EXPECT_EQ(broadcasts.to_each_viewer().count(), 2);
  EXPECT_EQ(broadcasts.to_last_viewer().count(), 1);
  EXPECT_DOUBLE_EQ(broadcasts.to_last_viewer().max_us(), 7.0);
}

TEST(Broadcasts, LatencyFollowsTheNumberInTheEventNotTheOrderOfPublishing) {
  Broadcasts broadcasts(1);
  ViewerPosition viewer;
  const uint32_t early = broadcasts.published(0);
  const uint32_t late = broadcasts.published(9000);
  broadcasts.delivered(viewer, "5-0", numbered(late), 10'000);
  EXPECT_DOUBLE_EQ(broadcasts.to_each_viewer().max_us(), 1.0);
  broadcasts.delivered(viewer, "5-1", numbered(early), 10'000);
  EXPECT_DOUBLE_EQ(broadcasts.to_each_viewer().max_us(), 10.0);
  EXPECT_EQ(broadcasts.in_flight(), 0);
}

TEST(Broadcasts, PassedOverEventIsSkippedAndStaysMissing) {
  Broadcasts broadcasts(2);
  ViewerPosition good;
  ViewerPosition bad;
  for (uint32_t i = 0; i < 3; ++i) {
    const uint32_t n = broadcasts.published(0);
    const std::string id = "5-" + std::to_string(i);
    broadcasts.delivered(good, id, numbered(n), 0);
    if (i != 1) broadcasts.delivered(bad, id, numbered(n), 0);
  }
  EXPECT_EQ(broadcasts.counts().skipped, 1);
  EXPECT_EQ(broadcasts.counts().missing(), 1);
  EXPECT_EQ(broadcasts.in_flight(), 1);
}

TEST(Broadcasts, FirstReaderOfANewIdCanAlsoHaveSkippedWhatOthersGot) {
  Broadcasts broadcasts(2);
  ViewerPosition slow;
  ViewerPosition fast;
  const std::string first = numbered(broadcasts.published(0));
  const std::string second = numbered(broadcasts.published(0));
  broadcasts.delivered(fast, "5-0", first, 0);
  broadcasts.delivered(slow, "5-1", second, 0);
  EXPECT_EQ(broadcasts.counts().skipped, 1);
  broadcasts.delivered(fast, "5-1", second, 0);
  EXPECT_EQ(broadcasts.counts().missing(), 1);
}

TEST(Broadcasts, EventNobodyGotIsMissingForEveryViewer) {
  Broadcasts broadcasts(3);
  broadcasts.published(0);
  EXPECT_EQ(broadcasts.counts().missing(), 3);
}

TEST(Broadcasts, RepeatedIdIsADuplicateAndNoDelivery) {
  Broadcasts broadcasts(1);
  ViewerPosition viewer;
  const std::string event = numbered(broadcasts.published(0));
  broadcasts.delivered(viewer, "5-0", event, 0);
  broadcasts.delivered(viewer, "5-0", event, 0);
  EXPECT_EQ(broadcasts.counts().duplicates, 1);
  EXPECT_EQ(broadcasts.counts().deliveries, 1);
}

TEST(Broadcasts, OlderIdAfterANewerOneIsNotADelivery) {
  Broadcasts broadcasts(2);
  ViewerPosition viewer;
  ViewerPosition other;
  const std::string first = numbered(broadcasts.published(0));
  const std::string second = numbered(broadcasts.published(0));
  broadcasts.delivered(other, "5-0", first, 0);
  broadcasts.delivered(other, "5-1", second, 0);
  broadcasts.delivered(viewer, "5-1", second, 0);
  broadcasts.delivered(viewer, "5-0", first, 0);
  EXPECT_EQ(broadcasts.counts().skipped, 1);
  EXPECT_EQ(broadcasts.counts().duplicates, 1);
  EXPECT_EQ(broadcasts.counts().missing(), 1);
}

TEST(Broadcasts, RefusedEventIsNotAwaited) {
  Broadcasts broadcasts(2);
  const uint32_t n = broadcasts.published(0);
  broadcasts.refused(n);
  broadcasts.refused(n);
  EXPECT_EQ(broadcasts.counts().refused, 1);
  EXPECT_EQ(broadcasts.in_flight(), 0);
  EXPECT_EQ(broadcasts.counts().missing(), 0);
}

TEST(Broadcasts, WhatWasNeverPublishedIsStrange) {
  Broadcasts broadcasts(1);
  ViewerPosition viewer;
  broadcasts.published(0);
  broadcasts.delivered(viewer, "5-0", numbered(7), 0);
  broadcasts.delivered(viewer, "5-0", "{}", 0);
  broadcasts.delivered(viewer, "five", numbered(0), 0);
  EXPECT_EQ(broadcasts.counts().strange, 3);
  EXPECT_EQ(broadcasts.counts().deliveries, 0);
}

TEST(Broadcasts, EveryAudienceHasItsOwnEventsInItsOwnOrder) {
  Broadcasts broadcasts(3, 2);  // two viewers in the first audience, one in the second
  ViewerPosition one{.audience = 0};
  ViewerPosition two{.audience = 0};
  ViewerPosition other{.audience = 1};
  const uint32_t n = broadcasts.published(0, 0);
  const uint32_t m = broadcasts.published(0, 1);
  EXPECT_EQ(broadcasts.counts().missing(), 3);
  broadcasts.delivered(one, "5-0", numbered(n), 0);
  broadcasts.delivered(other, "5-1", numbered(m), 0);
  EXPECT_EQ(broadcasts.in_flight(), 1);
  broadcasts.delivered(two, "5-0", numbered(n), 0);
  EXPECT_EQ(broadcasts.in_flight(), 0);
  EXPECT_EQ(broadcasts.counts().missing(), 0);
  EXPECT_EQ(broadcasts.counts().skipped, 0);
}

TEST(Broadcasts, EventForAnotherAudienceIsStrange) {
  Broadcasts broadcasts(2, 2);
  ViewerPosition wrong{.audience = 1};
  ViewerPosition of_none{.audience = kNoAudience};
  const std::string event = numbered(broadcasts.published(0, 0));
  broadcasts.delivered(wrong, "5-0", event, 0);
  broadcasts.delivered(of_none, "5-0", event, 0);
  EXPECT_EQ(broadcasts.counts().strange, 2);
  EXPECT_EQ(broadcasts.counts().missing(), 1);
}

TEST(Broadcasts, ViewerThatLeftIsStillOwedButNoLongerWaitedFor) {
  Broadcasts broadcasts(2);
  ViewerPosition stays;
  ViewerPosition leaves;
  broadcasts.viewer_left(leaves);
  broadcasts.delivered(stays, "5-0", numbered(broadcasts.published(0)), 0);
  EXPECT_EQ(broadcasts.in_flight(), 0);
  EXPECT_EQ(broadcasts.counts().missing(), 1);
}

TEST(Audiences, ViewersAreDealtOutAndOthersWatchWhatIsSilent) {
  const Audiences audiences{.count = 2, .devices_each = 2, .viewers = 3, .other_devices_each = 2};
  EXPECT_EQ(audiences.topics(0), "account:demo/site:bench/device:bench-0,account:demo/site:bench/device:bench-2");
  EXPECT_EQ(audiences.topics(1), "account:demo/site:bench/device:bench-1,account:demo/site:bench/device:bench-3");
  EXPECT_EQ(audiences.topics(2), audiences.topics(0));
  EXPECT_EQ(audiences.topics(4), "account:demo/site:bench/device:o2,account:demo/site:bench/device:o3");
  EXPECT_EQ(audiences.of_viewer(3), kNoAudience);
  EXPECT_EQ(Audiences().topics(9), "account:demo/site:bench/device:bench-0");
}

TEST(PackedId, OnlyMillisecondsDashSequenceIsAnId) {
  EXPECT_EQ(packed_id("1-2"), (uint64_t{1} << 20) + 2);
  EXPECT_LT(*packed_id("1769517296789-1048575"), *packed_id("1769517296790-0"));
  for (const char* wrong : {"", "1", "1-", "-1", "a-1", "1-1048576", "1-1x"}) EXPECT_FALSE(packed_id(wrong)) << wrong;
}

}  // namespace
}  // namespace millstream::load
