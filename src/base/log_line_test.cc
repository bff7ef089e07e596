#include "base/log_line.h"

#include <gtest/gtest.h>

namespace millstream {
namespace {

constexpr int64_t kNow = 1769517296789;

std::string text_line(std::string_view message, std::initializer_list<LogField> fields) {
  return log_line_text(LogFormat::text, kNow, LogLevel::info, message, fields);
}
std::string json_line(std::string_view message, std::initializer_list<LogField> fields) {
  return log_line_text(LogFormat::json, kNow, LogLevel::warning, message, fields);
}

TEST(LogLine, TextIsLogfmt) {
  EXPECT_EQ(text_line("listening", {{"port", 8080}, {"host", "127.0.0.1"}, {"node", "a b"}}),
            "time=2026-01-27T12:34:56.789Z level=info msg=listening port=8080 host=127.0.0.1 node=\"a b\"\n");
}

TEST(LogLine, JsonIsOneObject) {
  EXPECT_EQ(json_line("slow \"disk\"", {{"file", "C:\\log"}}),
            "{\"time\":\"2026-01-27T12:34:56.789Z\",\"level\":\"warning\",\"msg\":\"slow \\\"disk\\\"\","
            "\"file\":\"C:\\\\log\"}\n");
}

TEST(LogLine, SecretsAreNeverPrinted) {
  for (const char* key : {"token", "stream_ticket", "api_key", "Secret", "password", "Authorization", "Set-Cookie"}) {
    for (const std::string& line : {text_line("m", {{key, "hunter2"}}), json_line("m", {{key, "hunter2"}})}) {
      EXPECT_EQ(line.find("hunter2"), std::string::npos) << line;
      EXPECT_NE(line.find("[redacted]"), std::string::npos) << line;
    }
  }
}

TEST(LogLine, IdsAndCountsOfSecretsArePrinted) {
  EXPECT_NE(text_line("m", {{"key_id", "k3f9"}}).find("key_id=k3f9"), std::string::npos);
  EXPECT_NE(text_line("m", {{"ticket_count", 3}}).find("ticket_count=3"), std::string::npos);
}

TEST(LogLine, NoValueCanForgeALineOrAField) {
  const std::string line = text_line("m\nlevel=error", {{"path", "/x\r\ny level=error \x1b[31m\xC2\x9b \xE2\x80\xA8"}});
  EXPECT_EQ(line,
            "time=2026-01-27T12:34:56.789Z level=info msg=\"m\\nlevel=error\" "
            "path=\"/x\\u000d\\ny level=error \\u001b[31m\\u009b \\u2028\"\n");
  EXPECT_EQ(text_line("m", {{"a b=c", "1"}}), "time=2026-01-27T12:34:56.789Z level=info msg=m a_b_c=1\n");
  const std::string json = json_line("m\n", {{"path", "\"}\n{"}});
  EXPECT_EQ(json.find('\n'), json.size() - 1);
  EXPECT_NE(json.find("\\\"}\\n{"), std::string::npos);
}

TEST(LogLine, BytesThatAreNotUtf8AreReplaced) {
  EXPECT_NE(text_line("m", {{"name", "a\xFFz"}}).find("name=\"a\xEF\xBF\xBDz\""), std::string::npos);
  EXPECT_NE(text_line("m", {{"name", "\xE2\x82"}}).find("name=\"\xEF\xBF\xBD\xEF\xBF\xBD\""), std::string::npos);
  EXPECT_NE(text_line("m", {{"name", "Київ"}}).find("name=\"Київ\""), std::string::npos);
}

TEST(LogLine, EmptyValuesAreQuoted) {
  EXPECT_NE(text_line("m", {{"name", ""}}).find("name=\"\"\n"), std::string::npos);
}

TEST(LogLine, LinesBelowTheLevelAreDropped) {
  configure_log(LogLevel::warning, LogFormat::text);
  testing::internal::CaptureStderr();
  log_info("quiet");
  log_warning("loud", {{"n", 1}});
  const std::string written = testing::internal::GetCapturedStderr();
  configure_log(LogLevel::info, LogFormat::text);
  EXPECT_EQ(written.find("quiet"), std::string::npos);
  EXPECT_TRUE(written.ends_with("level=warning msg=loud n=1\n")) << written;
}

}  // namespace
}  // namespace millstream
