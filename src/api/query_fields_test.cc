#include "api/query_fields.h"

#include <gtest/gtest.h>

namespace millstream::api {
namespace {

const model::AccountId kOwn = *model::AccountId::parse("1");

http::Query query(std::string_view text) { return *http::Query::parse(text); }

TEST(QueryFields, UnknownParametersAreRefusedByName) {
  const Status s = check_known(query("topic=a&tpyes=alert"), {"topic", "types"});
  ASSERT_FALSE(s.ok());
  EXPECT_NE(s.error().detail.find("tpyes"), std::string::npos);
  EXPECT_TRUE(check_known(query("topic=a"), {"topic"}).ok());
}

TEST(QueryFields, AParameterGivenTwiceIsRefusedByName) {
  for (const char* text : {"topics=a&topics=b", "types=alert&topics=a&topics=a", "topics=a&x=1&topics="}) {
    for (const Status& s :
         {check_once(query(text), {"topic", "topics"}), check_known(query(text), {"topics", "types", "x"})}) {
      ASSERT_FALSE(s.ok()) << text;
      EXPECT_EQ(s.error().code, Code::invalid);
      EXPECT_TRUE(s.error().detail.starts_with("topics: ")) << s.error().detail;
    }
  }
  EXPECT_TRUE(check_once(query("topic=a&topics=b&other=1&other=2"), {"topic", "topics"}).ok());
}

TEST(QueryFields, TopicsAreParsedAndABadOneIsNamed) {
  const auto good =
      parse_selection(query("topics=account:1/site:2,account:1/site:*/device:x&siteId=s&deviceId=d&accountId=1"), kOwn);
  ASSERT_TRUE(good.ok());
  EXPECT_EQ(good->topics.size(), 2u);
  EXPECT_EQ(good->site.text(), "s");
  for (const char* bad : {"topics=", "topics=foo", "topics=account:1/device:2", "topics=account:1//", "siteId=a%2fb",
                          "deviceId=*", "accountId="}) {
    EXPECT_FALSE(parse_selection(query(bad), kOwn).ok()) << bad;
  }
}

TEST(QueryFields, AnyAccountMeansTheOwnOne) {
  EXPECT_EQ(parse_selection(query("topics=account:*"), kOwn)->topics.at(0).text(), "account:1/site:*/device:*");
  EXPECT_EQ(parse_selection(query("topics=account:*/site:2"), kOwn)->topics.at(0).text(), "account:1/site:2/device:*");
  EXPECT_FALSE(parse_selection(query("topics=account:*x"), kOwn).ok());
}

TEST(QueryFields, PositionsAreIdsOrTimes) {
  EXPECT_EQ(**parse_position(query("since=1769517296789-4"), "since"), (model::EventId{1769517296789, 4}));
  const auto time = parse_position(query("since=2026-01-27T12:34:56.789Z"), "since");
  EXPECT_EQ(**time, (model::EventId{1769517296788, model::EventId::kSeqMax}));
  EXPECT_EQ(**parse_position(query("since=1769517296789"), "since"), **time);
  EXPECT_FALSE(*parse_position(query(""), "since"));
  EXPECT_FALSE(parse_position(query("since=yesterday"), "since").ok());
  EXPECT_FALSE(parse_position(query("since=-5-1"), "since").ok());
}

TEST(QueryFields, NumbersBeyondTheMaximumAre422AndNameIt) {
  EXPECT_EQ(**parse_number(query("limit=7"), "limit", 1, 10), 7);
  const auto above = parse_number(query("limit=11"), "limit", 1, 10);
  ASSERT_FALSE(above.ok());
  EXPECT_EQ(above.error().code, Code::unprocessable);
  EXPECT_NE(above.error().detail.find("10"), std::string::npos);
  EXPECT_EQ(parse_number(query("limit=99999999999999999999"), "limit", 1, 10).error().code, Code::unprocessable);
  for (const char* bad : {"limit=", "limit=0", "limit=-1", "limit=1.5", "limit=1x", "limit= 1"}) {
    EXPECT_FALSE(parse_number(query(bad), "limit", 1, 10).ok()) << bad;
  }
}

TEST(QueryFields, TypesAndFlags) {
  EXPECT_TRUE(parse_types(query(""))->is_all());
  EXPECT_EQ(*parse_types(query("types=alert,system")),
            model::EventTypes::none().with(model::EventType::alert).with(model::EventType::system));
  EXPECT_FALSE(parse_types(query("types=alerts")).ok());
  EXPECT_FALSE(parse_types(query("types=")).ok());
  EXPECT_TRUE(*parse_flag(query("unnamed=1"), "unnamed"));
  EXPECT_FALSE(*parse_flag(query(""), "unnamed"));
  EXPECT_FALSE(parse_flag(query("unnamed=maybe"), "unnamed").ok());
}

}  // namespace
}  // namespace millstream::api
