#include "http/target.h"

#include <gtest/gtest.h>

namespace millstream::http {
namespace {

TEST(Target, PathsAreDecodedSegmentBySegment) {
  EXPECT_EQ(parse_target("GET", "/")->path, "/");
  EXPECT_EQ(parse_target("GET", "/a/b")->path, "/a/b");
  EXPECT_EQ(parse_target("GET", "/a/b/")->path, "/a/b/");
  EXPECT_EQ(parse_target("GET", "/%61%20+")->path, "/a +");
  EXPECT_EQ(parse_target("GET", "/...")->path, "/...");
  const auto target = parse_target("GET", "/a?b=%2F/../c");
  EXPECT_EQ(target->path, "/a");
  EXPECT_EQ(target->query, "b=%2F/../c");
}

TEST(Target, WhatAnotherParserWouldRepairIsRefused) {
  for (const char* bad : {"",
                          "a",
                          "/a//b",
                          "//",
                          "/./a",
                          "/a/..",
                          "/../a",
                          "/%2e%2E/a",
                          "/%2e",
                          "/a%2Fb",
                          "/a%00",
                          "/a%0d",
                          "/a%",
                          "/a%4",
                          "/a%g1",
                          "/a#b",
                          "/a\x80",
                          "*",
                          "?a",
                          "ftp://host/",
                          "host:80",
                          "http:///a",
                          "http://",
                          "http://a b/",
                          "http://user@host/",
                          "http://host:port/"}) {
    EXPECT_FALSE(parse_target("GET", bad)) << bad;
  }
}

TEST(Target, AbsoluteTargetsNameTheirHost) {
  const auto target = parse_target("GET", "HTTP://Example.org:8080/a?b");
  ASSERT_TRUE(target);
  EXPECT_EQ(target->authority, "Example.org:8080");
  EXPECT_EQ(target->path, "/a");
  EXPECT_EQ(target->query, "b");
  EXPECT_EQ(parse_target("GET", "https://h?q")->path, "/");
  EXPECT_EQ(parse_target("OPTIONS", "*")->path, "*");
}

TEST(Host, IsAHostWithAnOptionalPort) {
  for (const char* good : {"a", "a.b-c_d", "1.2.3.4", "a:80", "a:", "[::1]", "[::1]:80", "[::ffff:1.2.3.4]"}) {
    EXPECT_TRUE(is_host(good)) << good;
  }
  for (const char* bad :
       {"", ":80", "a b", "a/b", "a,b", "u@h", "a:b", "a:123456", "[::1", "[]", "[::1]80", "a?b", "a#b", "[::g]"}) {
    EXPECT_FALSE(is_host(bad)) << bad;
  }
}

}  // namespace
}  // namespace millstream::http
