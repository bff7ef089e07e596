#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "app/commands.h"

namespace millstream::app {
namespace {

using testing::HasSubstr;

TEST(Credential, FileBeatsVariablesInTheirOrder) {
  std::string pattern = testing::TempDir() + "credential-XXXXXX";
  const std::string root = mkdtemp(pattern.data());
  const std::string file = root + "/token";
  std::ofstream(file) << "from-file\n";
  ::chmod(file.c_str(), 0600);
  const Environment environment = {{"MILLSTREAM_TOKEN", "from-token"}, {"MILLSTREAM_KEY", "from-key"}};
  EXPECT_EQ(find_credential(file, environment, {"MILLSTREAM_TOKEN"}).value(), "from-file");
  EXPECT_EQ(find_credential("", environment, {"MILLSTREAM_TOKEN", "MILLSTREAM_KEY"}).value(), "from-token");
  EXPECT_EQ(find_credential("", environment, {"MILLSTREAM_KEY"}).value(), "from-key");
  EXPECT_EQ(find_credential("", {}, {"MILLSTREAM_KEY"}).value(), "");
  EXPECT_FALSE(find_credential(root + "/absent", environment, {"MILLSTREAM_TOKEN"}).ok());
  std::filesystem::remove_all(root);
}

TEST(Credential, WhatWouldBreakTheHeaderIsRefusedWithoutBeingShown) {
  for (const char* text : {"a\r\nX: y", "a b", "a\n", "\x01", "\xc3\xa9"}) {
    const auto result = find_credential("", {{"MILLSTREAM_KEY", text}}, {"MILLSTREAM_KEY"});
    ASSERT_FALSE(result.ok());
    EXPECT_EQ(result.error().detail, "MILLSTREAM_KEY does not hold a token or key");
  }
}

TEST(Grants, WordsOfTheCommandLineBecomeGrants) {
  const auto grants = parse_grants({"123", {"1", "2"}, {"elink-99"}, {"viewer", "operator"}});
  ASSERT_TRUE(grants.ok());
  EXPECT_EQ(grants->account.text(), "123");
  EXPECT_EQ(grants->sites.size(), 2u);
  EXPECT_EQ(grants->devices.size(), 1u);
  EXPECT_EQ(grants->roles, model::Roles().with(model::Role::viewer).with(model::Role::operator_));
}

TEST(Grants, BadWordsAreNamedAndNeverWidenTheGrant) {
  const auto error = [](const GrantWords& words) {
    const auto grants = parse_grants(words);
    return grants ? "(no error)" : grants.error().detail;
  };
  EXPECT_THAT(error({"", {}, {}, {"viewer"}}), HasSubstr("--account"));
  EXPECT_THAT(error({"*", {}, {}, {"viewer"}}), HasSubstr("--account"));
  EXPECT_THAT(error({"1", {""}, {}, {"viewer"}}), HasSubstr("--sites \"\""));
  EXPECT_THAT(error({"1", {}, {"a/b"}, {"viewer"}}), HasSubstr("--devices \"a/b\""));
  EXPECT_THAT(error({"1", {}, {}, {"root"}}), HasSubstr("--role \"root\""));
  EXPECT_THAT(error({"1", {}, {}, {}}), HasSubstr("--role is missing"));
}

}  // namespace
}  // namespace millstream::app
