#include "model/event_id.h"

#include <gtest/gtest.h>

#include <random>

namespace millstream::model {
namespace {

TEST(EventId, ReadsAndPrintsTheExactForm) {
  const std::optional<EventId> id = EventId::parse("1769517296789-4");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->ms, 1769517296789);
  EXPECT_EQ(id->seq, 4u);
  EXPECT_EQ(id->text(), "1769517296789-4");
  EXPECT_TRUE(EventId::parse("0-0")->is_zero());
}

TEST(EventId, AnythingElseIsNoId) {
  for (const char* text : {"",
                           "-",
                           "1",
                           "1-",
                           "-1",
                           "1--1",
                           "-1-1",
                           "01-1",
                           "1-01",
                           "1-1 ",
                           " 1-1",
                           "+1-1",
                           "1-+1",
                           "1-1-1",
                           "1.0-1",
                           "a-b",
                           "8796093022208-0",
                           "1-1048576",
                           "99999999999999999999-1",
                           "1-99999999999"}) {
    EXPECT_FALSE(EventId::parse(text)) << text;
  }
  EXPECT_TRUE(EventId::parse("8796093022207-1048575"));
}

TEST(EventId, PackingKeepsValueAndOrder) {
  const uint32_t seed = std::random_device{}();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  const auto any_id = [&] {
    return EventId{static_cast<int64_t>(random() % 5), static_cast<uint32_t>(random() % (EventId::kSeqMax + 1))};
  };
  for (int i = 0; i < 10'000; ++i) {
    const EventId a = any_id(), b = any_id();
    ASSERT_EQ(EventId::from_packed(a.packed()), a);
    ASSERT_EQ(EventId::parse(a.text()), a);
    ASSERT_EQ(a < b, a.packed() < b.packed());
  }
  const EventId last{EventId::kMsMax, EventId::kSeqMax};
  EXPECT_EQ(EventId::from_packed(last.packed()), last);
}

}  // namespace
}  // namespace millstream::model
