#include "redis/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace millstream::redis {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(RedisUrl, NamesAServerAUserAndADatabase) {
  const auto all = parse_url("redis://us%40er:p%3Ass%2F%25@host.example:7000/3");
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(address_text(all->servers.at(0)), "host.example:7000");
  EXPECT_EQ(all->user, "us@er");
  EXPECT_EQ(all->password, "p:ss/%");
  EXPECT_EQ(all->database, 3);
  EXPECT_FALSE(all->tls);
  const auto least = parse_url("rediss://h");
  ASSERT_TRUE(least.ok());
  EXPECT_EQ(address_text(least->servers.at(0)), "h:6379");
  EXPECT_TRUE(least->tls);
  EXPECT_EQ(least->user + least->password + least->sentinel_master, "");
  EXPECT_EQ(parse_url("redis://:secret@h")->password, "secret");
  EXPECT_EQ(parse_url("redis://user@h")->user, "user");  // whose password comes from elsewhere
  EXPECT_EQ(address_text(parse_url("redis://[::1]:7000/")->servers.at(0)), "[::1]:7000");
  EXPECT_EQ(address_text(parse_url("redis://[::1]")->servers.at(0)), "[::1]:6379");
}

TEST(RedisUrl, NamesSentinelsAndTheirMaster) {
  const auto parsed = parse_url("rediss+sentinel://u:p@a:1,b,[::2]:3/my%20master/7");
  ASSERT_TRUE(parsed.ok());
  ASSERT_EQ(parsed->servers.size(), 3u);
  EXPECT_EQ(address_text(parsed->servers[0]), "a:1");
  EXPECT_EQ(address_text(parsed->servers[1]), "b:26379");
  EXPECT_EQ(address_text(parsed->servers[2]), "[::2]:3");
  EXPECT_EQ(parsed->sentinel_master, "my master");
  EXPECT_EQ(parsed->database, 7);
  EXPECT_EQ(parsed->user, "u");
  EXPECT_TRUE(parsed->tls);
}

TEST(RedisUrl, SaysWhatIsWrongAndShowsNoPassword) {
  const std::pair<std::string, std::string> wrong[] = {
      {"", "begins with none of"},
      {"h:6379", "begins with none of"},
      {"http://u:hunter2@h", "begins with none of"},
      {"redis://", "a host is missing"},
      {"redis://u:hunter2@", "a host is missing"},
      {"redis://u:hunter2@:6379", "a host is missing"},
      {"redis://u:hunter2@h:0", "\"h:0\": the port is not"},
      {"redis://u:hunter2@h:", "\"h:\": the port is not"},
      {"redis://u:hunter2@h:65536", "the port is not"},
      {"redis://u:hunter2@h:6379x", "the port is not"},
      {"redis://u:hunter2@[::1", "not [IPv6 address]:port"},
      {"redis://u:hunter2@[::1]6379", "not [IPv6 address]:port"},
      {"redis://u:hunter2@h/x", "\"/x\": the database is not"},
      {"redis://u:hunter2@h/-1", "the database is not"},
      {"redis://u:hunter2@h/1/2", "the database is not"},
      {"redis://u:hunter2@h?ssl=1", "no ?parameters"},
      {"redis://u:hunter2@a,b", "several hosts are for"},
      {"redis://u:hunter2%4@h", "the password is not percent-encoded"},
      {"redis://u%00:hunter2@h", "the user is not percent-encoded"},
      {"redis://u:hunter2@hunter2@h:x", "\"h:x\": the port"},
      {"redis+sentinel://u:hunter2@a", "no name of a master"},
      {"redis+sentinel://u:hunter2@a/", "no name of a master"},
      {"redis+sentinel://u:hunter2@a,/m", "a host is missing"},
      {"redis+sentinel://u:hunter2@,a/m", "a host is missing"},
      {"redis+sentinel://u:hunter2@a/m/x", "the database is not"},
  };
  for (const auto& [url, why] : wrong) {
    const auto parsed = parse_url(url);
    ASSERT_FALSE(parsed.ok()) << url;
    EXPECT_EQ(parsed.error().code, Code::invalid);
    EXPECT_THAT(parsed.error().detail, HasSubstr(why)) << url;
    EXPECT_THAT(parsed.error().detail, Not(HasSubstr("hunter"))) << url;
  }
}

}  // namespace
}  // namespace millstream::redis
