#include "influx/influx_client.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "influx/testing.h"

namespace millstream::influx {
namespace {

using testing::Database;
using Query = std::vector<std::pair<std::string, std::string>>;

HttpReply answer(std::string body, int status = 200) { return {.status = status, .body = std::move(body)}; }
HttpReply statement_error(const std::string& error) {
  return answer(R"({"results":[{"statement_id":0,"error":")" + error + "\"}]}");
}

TEST(InfluxClient, WritesToVersion1) {
  Database database;
  InfluxClient client({.database = "my db"}, testing::transport_to(database));
  EXPECT_EQ(client.write("telemetry,device=d v=1 5\n", nullptr).kind, WriteOutcome::Kind::done);
  const HttpPost& sent = database.requests.at(0);
  EXPECT_EQ(sent.path, "/write");
  EXPECT_EQ(sent.query, (Query{{"db", "my db"}, {"rp", "millstream"}, {"precision", "ms"}}));
  EXPECT_EQ(sent.headers.at(1), "Content-Encoding: gzip");
  EXPECT_EQ(database.points.size(), 1u);
}

TEST(InfluxClient, WritesToVersion2) {
  Database database;
  InfluxClient client({.version = ClientOptions::Version::v2, .organization = "o", .bucket = "b"},
                      testing::transport_to(database));
  EXPECT_TRUE(client.prepare(nullptr).ok());
  EXPECT_TRUE(database.requests.empty());
  EXPECT_EQ(client.write("telemetry,device=d v=1 5\n", nullptr).kind, WriteOutcome::Kind::done);
  EXPECT_EQ(database.requests.at(0).path, "/api/v2/write");
  EXPECT_EQ(database.requests.at(0).query, (Query{{"org", "o"}, {"bucket", "b"}, {"precision", "ms"}}));
}

TEST(InfluxClient, MakesTheDatabaseWithItsRetention) {
  Database database;
  InfluxClient client({.database = "a\"b", .retention_ms = kDayMs}, testing::transport_to(database));
  EXPECT_TRUE(client.prepare(nullptr).ok());
  ASSERT_EQ(database.requests.size(), 1u);
  EXPECT_EQ(
      database.requests[0].body,
      "q=CREATE%20DATABASE%20%22a%5c%22b%22%20WITH%20DURATION%2086400s%20REPLICATION%201%20SHARD%20DURATION%203600s"
      "%20NAME%20%22millstream%22");
}

TEST(InfluxClient, SetsUpItsOwnPolicyInADatabaseThatIsThere) {
  Database database;
  InfluxClient client({.retention_ms = 60'000}, testing::transport_to(database));
  database.answers = {statement_error("retention policy conflicts with an existing policy"),
                      statement_error("retention policy already exists"), answer(R"({"results":[{}]})")};
  EXPECT_TRUE(client.prepare(nullptr).ok());
  ASSERT_EQ(database.requests.size(), 3u);
  EXPECT_TRUE(database.requests[1].body.starts_with("q=CREATE%20RETENTION%20POLICY")) << database.requests[1].body;
  // No less than InfluxDB takes.
  EXPECT_EQ(database.requests[2].body,
            "q=ALTER%20RETENTION%20POLICY%20%22millstream%22%20ON%20%22millstream%22%20DURATION%203600s%20SHARD%20"
            "DURATION%203600s");
}

TEST(InfluxClient, TellsWhyAQuestionWasNotAnswered) {
  Database database;
  InfluxClient client({.query_bytes_max = 10}, testing::transport_to(database));
  database.answers = {Error{Code::unavailable, "connection refused"},
                      answer(R"({"error":"authorization failed"})", 401), answer(R"({"error":"parsing"})", 400),
                      answer("", 503), answer("12345678901")};
  const Code codes[] = {Code::unavailable, Code::forbidden, Code::unprocessable, Code::unavailable, Code::too_large};
  for (const Code code : codes) {
    const auto asked = client.query("SELECT 1", nullptr);
    ASSERT_FALSE(asked.ok());
    EXPECT_EQ(asked.error().code, code) << asked.error().detail;
  }
}

}  // namespace
}  // namespace millstream::influx
