#include "http/message.h"

#include <gtest/gtest.h>

namespace millstream::http {
namespace {

TEST(Headers, NamesAreComparedWithoutCaseAndTheFirstValueWins) {
  Headers headers;
  headers.add("Content-Type", "a");
  headers.add("CONTENT-TYPE", "b");
  EXPECT_EQ(headers.get("content-type"), "a");
  EXPECT_TRUE(headers.has("Content-type"));
  EXPECT_FALSE(headers.has("Content-Typ"));
  EXPECT_EQ(headers.get("absent"), "");
}

TEST(Query, PairsAreDecodedInOrder) {
  const auto query = Query::parse("a=1&b=x+y%20z&a=2&empty=&bare&&%3D=%26");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->list().size(), 6u);
  EXPECT_EQ(query->get("a"), "1");
  EXPECT_EQ(query->get("b"), "x y z");
  EXPECT_EQ(query->get("empty"), "");
  EXPECT_EQ(query->get("bare"), "");
  EXPECT_EQ(query->get("="), "&");
  EXPECT_EQ(query->get("absent"), std::nullopt);
}

TEST(Query, BadEscapesAndNulsAreRefused) {
  for (const char* bad : {"a=%", "a=%4", "a=%zz", "a=%00", "%00=a", "a=b%2"}) EXPECT_FALSE(Query::parse(bad)) << bad;
  EXPECT_TRUE(Query::parse(""));
  EXPECT_EQ(Query::parse("a=%C3%A9")->get("a"), "\xC3\xA9");
}

}  // namespace
}  // namespace millstream::http
