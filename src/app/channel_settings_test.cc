#include "app/channel_settings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace millstream::app {
namespace {

using ::testing::HasSubstr;

class ChannelSettings : public testing::Test {
 protected:
  ChannelSettings() {
    std::string pattern = testing::TempDir() + "channels-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~ChannelSettings() override { std::filesystem::remove_all(root_); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = root_ + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  Result<std::vector<ChannelOptions>> read(const std::string& toml) {
    const Result<TomlFile> file = read_toml_file(write("m.toml", toml));
    EXPECT_TRUE(file.ok()) << file.error().detail;
    return read_channels(file->channels);
  }
  std::string error_of(const std::string& toml) {
    const auto channels = read(toml);
    if (channels) return "(no error)";
    std::string detail = channels.error().detail;
    for (size_t at; (at = detail.find(root_)) != std::string::npos;) detail.erase(at, root_.size() + 1);
    return detail;
  }
  std::string error_of_webhook(const std::string& lines) {
    return error_of("[[channels]]\nname = 'ops'\ntype = 'webhook'\n" + lines);
  }
  std::string error_of_mail(const std::string& lines) {
    return error_of("[[channels]]\nname = 'ops'\ntype = 'email'\n" + lines);
  }

  std::string root_;
};

TEST_F(ChannelSettings, AWebhookIsReadWithItsSecret) {
  const std::string secret = write("secret", "0123456789abcdef0123456789abcdef\n");
  const auto channels = read(
      "[[channels]]\nname = 'ops'\naccount = 'acme'\ntype = 'webhook'\n"
      "url = 'https://hooks.example/x'\nretry_max = '1m'\nsecret_file = '" +
      secret + "'\n");
  ASSERT_TRUE(channels.ok()) << channels.error().detail;
  const ChannelOptions& channel = channels->at(0);
  EXPECT_EQ(channel.url, "https://hooks.example/x");
  EXPECT_EQ(channel.secret, "0123456789abcdef0123456789abcdef");
  EXPECT_EQ(channel.retry_max_ms, 60'000);
  EXPECT_EQ(channel_names(*channels).find(*model::AccountId::parse("acme"), "ops")->type, "webhook");
  EXPECT_EQ(channel_names(*channels).find(*model::AccountId::parse("other"), "ops"), nullptr);
}

TEST_F(ChannelSettings, TheUrlItselfMayBeASecret) {
  const std::string file = write("url", "https://hooks.example/services/T0/B0/x\n");
  const auto channels = read("[[channels]]\nname = 'ops'\ntype = 'webhook'\nurl_file = '" + file + "'\n");
  ASSERT_TRUE(channels.ok()) << channels.error().detail;
  EXPECT_EQ(channels->at(0).url, "https://hooks.example/services/T0/B0/x");
  const std::string open = write("open", "https://hooks.example/", 0644);
  EXPECT_EQ(error_of_webhook("url_file = '" + open + "'\n"),
            "m.toml:4: channels.url_file: open can be read by others than its owner; chmod 600 it");
}

TEST_F(ChannelSettings, WhatIsWrongIsNamed) {
  EXPECT_EQ(error_of("[[channels]]\nname = 'ops'\n"), "m.toml:1: channels.type is missing");
  EXPECT_EQ(error_of_webhook(""), "m.toml:1: channels.url or channels.url_file is missing");
  EXPECT_EQ(error_of("[[channels]]\nname = 'ops'\ntype = 'pager'\n"),
            "m.toml:3: channels.type: must be one of webhook, alertmanager, email");
  EXPECT_EQ(error_of_webhook("url = 'ftp://x.example'\n"), "m.toml:1: the URL must be https://… or http://…");
  EXPECT_EQ(error_of_webhook("url = 'https://anna:pw@x.example'\n"), "m.toml:1: the URL must hold no user or password");
  EXPECT_EQ(error_of_webhook("url = 'https://x.example'\nsecret = 'short'\n"),
            "m.toml:1: channels.secret must have at least 16 bytes; `openssl rand -hex 32` makes one");
  EXPECT_EQ(error_of_webhook("url = 'https://x.example'\nsecrett = 'x'\n"),
            "m.toml:5: channels.secrett: unknown key; did you mean channels.secret?");
  EXPECT_EQ(error_of_webhook("url = 'https://x.example'\nto = ['a@b.example']\n"),
            "m.toml:1: channels.from, to and username are for type = \"email\"");
  EXPECT_EQ(error_of_webhook("url = 'https://x.example'\nretry_min = '2m'\nretry_max = '1m'\n"),
            "m.toml:1: channels.retry_min must not be above channels.retry_max");
  EXPECT_THAT(error_of_webhook("url = 'https://x.example'\n[[channels]]\nname = 'ops'\ntype = 'webhook'\n"
                               "url = 'https://y.example'\n"),
              HasSubstr("there is another channel \"ops\""));
}

TEST_F(ChannelSettings, AnInnerAddressMustBeMeant) {
  EXPECT_EQ(error_of_webhook("url = 'http://127.0.0.1:9000/'\n"),
            "m.toml:1: 127.0.0.1 is on this machine or an inner network; if that is meant, set channels.allow_private "
            "= true");
  EXPECT_EQ(error_of_webhook("url = 'http://127.0.0.1:9000/'\nallow_private = true\n"), "(no error)");
  EXPECT_EQ(error_of_webhook("url = 'http://2130706433/'\n").substr(0, 19), "m.toml:1: 127.0.0.1");
  EXPECT_EQ(error_of_webhook("url = 'http://169.254.169.254/latest'\nallow_private = true\n"),
            "m.toml:1: 169.254.169.254 is no address to send to");
}

TEST_F(ChannelSettings, AMailNeedsAddressesAndKeepsItsPassword) {
  const std::string to = "to = ['ops@example.com']\n";
  const std::string from = "from = 'ms@example.com'\n";
  EXPECT_EQ(error_of_mail("url = 'smtp://mail.example:587'\n" + from + to), "(no error)");
  EXPECT_EQ(error_of_mail("url = 'https://mail.example'\n" + from + to),
            "m.toml:1: the URL must be smtp://host:587 or smtps://host");
  EXPECT_EQ(error_of_mail("url = 'smtp://mail.example'\n" + from),
            "m.toml:1: channels.from and channels.to are needed for e-mail");
  for (const char* address : {"ops", "@example.com", "ops@", "a@b@c", "a b@c", "<a@b>", "a@b,c@d", "ü@b"}) {
    EXPECT_THAT(error_of_mail("url = 'smtp://mail.example'\n" + from + "to = ['" + address + "']\n"),
                HasSubstr("is no e-mail address"))
        << address;
  }
  EXPECT_THAT(error_of_mail("url = 'smtp://mail.example'\n" + from + "to = [\"a@b\\r\\nBcc:\"]\n"),
              HasSubstr("is no e-mail address"));
  EXPECT_THAT(error_of_mail("url = 'smtp://mail.example'\nusername = 'ms'\n" + from + to), HasSubstr("go together"));
  const std::string login = "username = 'ms'\npassword = 'secret'\n";
  EXPECT_THAT(error_of_mail("url = 'smtp://mail.example'\nstarttls = 'if_offered'\n" + login + from + to),
              HasSubstr("in the clear"));
  EXPECT_EQ(error_of_mail("url = 'smtp://mail.example'\n" + login + from + to), "(no error)");
}

TEST_F(ChannelSettings, ARuleMayNameNoChannelThatIsNotThere) {
  const auto channels =
      read("[[channels]]\nname = 'ops'\naccount = 'a'\ntype = 'webhook'\nurl = 'https://x.example'\n");
  ASSERT_TRUE(channels.ok());
  model::Rule rule;
  rule.id = "hot";
  rule.scope = *model::TopicPattern::parse("account:a");
  rule.notify.resize(1);
  rule.notify[0].channel = "ops";
  EXPECT_TRUE(check_channels(*channels, {rule}).ok());
  rule.scope = *model::TopicPattern::parse("account:b");
  const Status status = check_channels(*channels, {rule});
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().detail,
            "rule \"hot\" of account \"b\" notifies the channel \"ops\", and there is no [[channels]] of that name for "
            "it");
}

}  // namespace
}  // namespace millstream::app
