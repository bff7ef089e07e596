#include "app/mail_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

namespace millstream::app {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const MailEnvelope kEnvelope{"millstream@example.com", {"ops@example.com", "night@example.com"}};

model::Notification notification(const std::string& message) {
  model::Notification n;
  n.id = "1770000030000.1";
  n.topic = *model::Topic::parse("account:acme");
  n.channel = "mail";
  n.group_key = "acme/mail/0a1b2c3d:{}";
  n.firing_count = 1;
  model::NotifiedAlert notified;
  notified.device = *model::Topic::parse("account:acme/site:north/device:oven");
  notified.alert.device = notified.device.device;
  notified.alert.rule_name = "Over temperature";
  notified.alert.message = message;
  notified.alert.started_at_ms = 1'770'000'000'000;
  n.alerts.push_back(notified);
  return n;
}

std::string decoded_body(const std::string& message) {
  std::string lines = message.substr(message.find("\r\n\r\n") + 4);
  std::erase_if(lines, [](char c) { return c == '\r' || c == '\n'; });
  std::string out(lines.size(), '\0');
  const int size =
      EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                      reinterpret_cast<const unsigned char*>(lines.data()), static_cast<int>(lines.size()));
  out.resize(size < 0 ? 0 : static_cast<size_t>(size));
  return out;
}

TEST(MailMessage, HasTheHeadersOfAMailAndItsText) {
  const std::string mail =
      mail_message(notification("oven has 85 °C"), kEnvelope, "https://ms.example", 1'770'000'031'000);
  EXPECT_THAT(mail, StartsWith("From: Millstream <millstream@example.com>\r\n"
                               "To: ops@example.com,\r\n night@example.com\r\n"
                               "Subject: =?UTF-8?B?W0ZJUklORzoxXSBvdmVuIGhhcyA4NSDCsEM=?=\r\n"
                               "Date: Mon, 02 Feb 2026 02:40:31 +0000\r\n"
                               "Message-ID: <1770000030000.1.acme@example.com>\r\n"));
  EXPECT_THAT(mail, HasSubstr("\r\nAuto-Submitted: auto-generated\r\n"));
  const std::string body = decoded_body(mail);
  EXPECT_THAT(body,
              StartsWith("FIRING:1\n\nFIRING    oven has 85 °C\n  severity: warning\n  rule: Over temperature\n"));
  EXPECT_THAT(body, HasSubstr("  device: north / oven\n  since: 2026-02-02T02:40:00.000Z\n"));
  EXPECT_THAT(body, HasSubstr("https://ms.example\n"));
}

TEST(MailMessage, NothingInAnAlertAddsAHeaderOrEndsALine) {
  const std::string mail =
      mail_message(notification("x\r\nBcc: all@example.com\r\n\r\n.\r\nQUIT"), kEnvelope, "", 1'770'000'031'000);
  EXPECT_THAT(mail, Not(HasSubstr("\nBcc:")));
  EXPECT_THAT(mail, Not(HasSubstr("\n.")));
  const std::string head = mail.substr(0, mail.find("\r\n\r\n"));
  EXPECT_THAT(head, HasSubstr("Subject: [FIRING:1] x  Bcc: all@example.com    .  QUIT\r\n"));
  EXPECT_THAT(head, EndsWith("Content-Transfer-Encoding: base64"));
}

TEST(MailMessage, LinesAreShortEnoughForSmtp) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += "ü";
  const std::string mail = mail_message(notification(text), kEnvelope, "", 0);
  for (size_t at = 0; at < mail.size();) {
    const size_t end = mail.find("\r\n", at);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - at, 100u);
    at = end + 2;
  }
}

TEST(MailMessage, EncodedWordsEndBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "€";
  const std::string header = encoded_header("a" + text);
  EXPECT_THAT(header, HasSubstr("?=\r\n =?UTF-8?B?"));
  for (size_t at = 0; (at = header.find("?B?", at)) != std::string::npos;) {
    at += 3;
    const size_t end = header.find("?=", at);
    EXPECT_LE(end - at, 60u);
  }
  EXPECT_EQ(encoded_header("plain"), "plain");
  EXPECT_THAT(encoded_header("=?UTF-8?B?eA==?="), StartsWith("=?UTF-8?B?PT9V")) << "said, not interpreted";
}

TEST(MailMessage, ManyAlertsAreCounted) {
  model::Notification n = notification("hot");
  for (int i = 0; i < 99; ++i) n.alerts.push_back(n.alerts.front());
  n.truncated = 5;
  n.firing_count = 105;
  const std::string mail = mail_message(n, kEnvelope, "", 0);
  EXPECT_THAT(decoded_body(mail), HasSubstr("and 55 more\n"));
  EXPECT_THAT(mail, HasSubstr("Subject: [FIRING:105] acme (info)\r\n"));
}

}  // namespace
}  // namespace millstream::app
