#include "api/entity_tag.h"

#include <gtest/gtest.h>

namespace millstream::api {
namespace {

Result<Preconditions> asked(const std::string& header, const std::string& value) {
  http::Request request;
  request.headers.add(header, value);
  return Preconditions::of(request);
}

TEST(EntityTag, IfMatchWantsOneOfItsVersions) {
  for (const char* value : {"\"3\"", " \"1\" , \"3\"", "W/\"1\", \"3\"", "*"}) {
    const auto conditions = asked("If-Match", value);
    ASSERT_TRUE(conditions.ok()) << value;
    EXPECT_TRUE(conditions->has_if_match());
    EXPECT_EQ(conditions->failed(3), "") << value;
    EXPECT_EQ(conditions->failed(std::nullopt), "If-Match") << value;
  }
  EXPECT_EQ(asked("If-Match", "\"1\", \"4\"")->failed(3), "If-Match");
  EXPECT_EQ(Preconditions::of({})->failed(3), "");
  EXPECT_EQ(Preconditions::of({})->failed(std::nullopt), "");
}

// RFC 9110 13.1.1: a weak tag may stand for content that is not quite the same.
TEST(EntityTag, AWeakTagIsNoMatchForIfMatch) {
  const auto conditions = asked("If-Match", "W/\"3\"");
  ASSERT_TRUE(conditions.ok());
  EXPECT_TRUE(conditions->has_if_match());
  EXPECT_EQ(conditions->failed(3), "If-Match");
}

TEST(EntityTag, IfNoneMatchWantsNoneOfThem) {
  EXPECT_EQ(asked("If-None-Match", "*")->failed(std::nullopt), "");
  EXPECT_EQ(asked("If-None-Match", "W/\"3\"")->failed(3), "If-None-Match");
  EXPECT_EQ(asked("If-None-Match", "*")->failed(1), "If-None-Match");
  EXPECT_EQ(asked("if-none-match", "\"2\"")->failed(1), "");
}

TEST(EntityTag, WhatIsNoVersionIsRefusedByName) {
  for (const char* value :
       {"3", "\"\"", "\"x\"", "\"3", "\"-3\"", "\"99999999999999999999\"", "W/3", "*, \"3\"", "\"3\" \"4\""}) {
    const auto conditions = asked("If-Match", value);
    ASSERT_FALSE(conditions.ok()) << value;
    EXPECT_EQ(conditions.error().detail.substr(0, 10), "If-Match: ") << value;
  }
  EXPECT_EQ(entity_tag(12), "\"12\"");
}

}  // namespace
}  // namespace millstream::api
