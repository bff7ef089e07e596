#include "api/influx_error.h"

#include <gtest/gtest.h>

namespace millstream::api {
namespace {

TEST(InfluxError, TheShapeFollowsThePath) {
  for (const char* path : {"/write", "/query", "/ping"}) {
    const http::Response v1 = error_at(path, 413, "too \"long\"");
    EXPECT_EQ(v1.status, 413) << path;
    EXPECT_EQ(v1.body, "{\"error\":\"too \\\"long\\\"\"}\n") << path;
    EXPECT_EQ(v1.headers.get("X-InfluxDB-Error"), "too \"long\"") << path;
  }
  const http::Response v2 = error_at("/api/v2/write", 413, "too long");
  EXPECT_EQ(v2.body, R"({"code":"request too large","message":"too long"})");
  EXPECT_EQ(v2.headers.get("X-Platform-Error-Code"), "request too large");
  const http::Response v3 = error_at("/api/v3/write_lp", 413, "too long");
  EXPECT_EQ(v3.body, R"({"error":"too long","code":"request too large","message":"too long"})");
  for (const char* path : {"", "/api/ingest", "/write/more", "/api/v2", "/api/v3", "/queries"}) {
    EXPECT_EQ(error_at(path, 413, "too long").headers.get("Content-Type"), "application/problem+json") << path;
  }
}

TEST(InfluxError, WhatTheServerRefusesByItselfHasACodeOfInflux2) {
  const auto code = [](int status) {
    return std::string(influx_v2_error(status, "x").headers.get("X-Platform-Error-Code"));
  };
  EXPECT_EQ(code(400), "invalid");
  EXPECT_EQ(code(404), "not found");
  EXPECT_EQ(code(405), "method not allowed");
  EXPECT_EQ(code(408), "invalid");
  EXPECT_EQ(code(500), "internal error");
  EXPECT_EQ(code(501), "not implemented");
  EXPECT_EQ(code(503), "unavailable");
  EXPECT_EQ(influx_v1_error(503, "x").headers.get("Retry-After"), "2");
}

TEST(InfluxError, ReadersOfEveryVersionFindAMessageInWhatVersion3Answers) {
  const http::Response answer =
      influx_v3_error(400, "partial write", "partial write: line 2\nbad", "[{\"line_number\":2}]");
  EXPECT_EQ(
      answer.body,
      R"({"error":"partial write","code":"invalid","message":"partial write: line 2\nbad","data":[{"line_number":2}]})");
  EXPECT_EQ(answer.headers.get("X-InfluxDB-Error"), "partial write: line 2 bad");
  EXPECT_EQ(answer.headers.get("X-Platform-Error-Code"), "invalid");
  EXPECT_EQ(influx_v3_error(401, "x").headers.get("WWW-Authenticate"), "Basic realm=\"InfluxDB\"");
  EXPECT_EQ(influx_v3_error(429, "x").headers.get("Retry-After"), "2");
  EXPECT_EQ(influx_v3_error(503, "x").headers.get("Retry-After"), "2");
}

}  // namespace
}  // namespace millstream::api
