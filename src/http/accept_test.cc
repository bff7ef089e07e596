#include "http/accept.h"

#include <gtest/gtest.h>

namespace millstream::http {
namespace {

bool wants_csv(std::string_view accept) { return prefers(accept, {"text", "csv"}, {"application", "json"}); }

TEST(Accept, TheHigherWeightWins) {
  EXPECT_TRUE(wants_csv("text/csv"));
  EXPECT_TRUE(wants_csv("text/csv, application/json;q=0.9"));
  EXPECT_TRUE(wants_csv("application/json;q=0.1,text/csv;q=0.2"));
  EXPECT_TRUE(wants_csv("Text/CSV;header=present ; Q=0.5, application/json; q=0.499"));
  EXPECT_FALSE(wants_csv("text/csv;q=0.9, application/json"));
  EXPECT_FALSE(wants_csv("application/json"));
  EXPECT_TRUE(wants_csv("text/*, application/json;q=0.5"));
}

TEST(Accept, NoWishOrTheSameForBothIsTheUsual) {
  EXPECT_FALSE(wants_csv(""));
  EXPECT_FALSE(wants_csv("*/*"));
  EXPECT_FALSE(wants_csv("text/csv, application/json"));
  EXPECT_FALSE(wants_csv("image/png"));
  EXPECT_FALSE(wants_csv("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"));
}

TEST(Accept, OfTheSameWeightTheOneAskedForByNameWins) {
  EXPECT_TRUE(wants_csv("text/csv, */*"));
  EXPECT_FALSE(wants_csv("application/json, */*"));
  EXPECT_TRUE(wants_csv("text/*, */*"));
}

TEST(Accept, TheClosestRangeSaysTheWeight) {
  EXPECT_FALSE(wants_csv("text/*;q=1, text/csv;q=0.1, */*;q=0.5"));
  EXPECT_FALSE(wants_csv("text/csv;q=0, */*"));
  EXPECT_TRUE(wants_csv("application/json;q=0, text/*;q=0.001"));
  EXPECT_FALSE(wants_csv("text/csv;q=0"));
}

TEST(Accept, AWeightOfZeroIsARefusal) {
  const MediaType stream{"text", "event-stream"};
  for (const char* accept : {"text/event-stream", "application/json, Text/Event-Stream;q=0.001"}) {
    EXPECT_TRUE(takes(accept, stream)) << accept;
    EXPECT_TRUE(names(accept, stream)) << accept;
  }
  for (const char* accept : {"", "*/*", "text/*;q=0.5"}) {
    EXPECT_TRUE(takes(accept, stream)) << accept;
    EXPECT_FALSE(names(accept, stream)) << accept;
  }
  for (const char* accept : {"text/event-stream;q=0", "*/*, text/event-stream; q=0.000", "application/json"}) {
    EXPECT_FALSE(takes(accept, stream)) << accept;
    EXPECT_FALSE(names(accept, stream)) << accept;
  }
}

TEST(Accept, WhatIsNotARangeIsPassedOver) {
  EXPECT_FALSE(wants_csv("text/csv;q=2"));
  EXPECT_FALSE(wants_csv("text/csv;q=1.5"));
  EXPECT_FALSE(wants_csv("text/csv;q=0.1234"));
  EXPECT_FALSE(wants_csv("text/csv;q=x"));
  EXPECT_FALSE(wants_csv("text/csv;q="));
  EXPECT_FALSE(wants_csv("csv, ,;,/"));
  EXPECT_FALSE(wants_csv("*/csv"));
}

}  // namespace
}  // namespace millstream::http
