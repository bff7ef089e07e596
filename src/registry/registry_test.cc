#include "registry/registry.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "registry/registry_contract.h"
#include "registry/sqlite_connection.h"

namespace millstream::registry {
namespace {

class SqliteBackend {
 public:
  SqliteBackend() {
    std::string pattern = testing::TempDir() + "registry-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~SqliteBackend() { std::filesystem::remove_all(root_); }

  std::string directory() const { return root_ + "/nested/data"; }
  Result<std::unique_ptr<Registry>> open(RegistryOptions options) { return Registry::open(directory(), options); }

 private:
  std::string root_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Sqlite, RegistryContract, SqliteBackend);

class RegistryTest : public testing::Test {
 protected:
  std::string directory() const { return backend_.directory(); }
  std::string file() const { return directory() + "/registry.db"; }
  std::unique_ptr<Registry> open() { return std::move(*backend_.open({})); }
  void change(const std::string& sql) {
    Result<ConnectionPtr> other = open_sqlite(file());
    ASSERT_TRUE(other.ok() && (*other)->run(sql.c_str()).ok()) << sql;
  }
  static mode_t mode_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }

  SqliteBackend backend_;
};

TEST_F(RegistryTest, FilesAreForTheOwnerOnly) {
  const auto registry = open();
  EXPECT_EQ(mode_of(directory()), 0700u);
  EXPECT_EQ(mode_of(file()), 0600u);
}

TEST_F(RegistryTest, AFileThatOthersMayReadIsMadePrivate) {
  { const auto registry = open(); }
  std::filesystem::permissions(file(), std::filesystem::perms::all);
  const auto registry = open();
  EXPECT_EQ(mode_of(file()), 0600u);
}

TEST_F(RegistryTest, AFileOfTheFirstVersionIsBroughtUpToDate) {
  { const auto registry = open(); }
  for (const char* table :
       {"users", "login_sessions", "accounts", "sites", "devices", "silences", "rules", "checkpoints"}) {
    change(std::string("DROP TABLE ") + table);
  }
  change("ALTER TABLE api_keys DROP COLUMN used_at_ms");
  change("ALTER TABLE api_keys DROP COLUMN created_by");
  change("INSERT INTO api_keys VALUES ('aaaaaaaaaaaa', zeroblob(32), '123', '*', '*', 'viewer', 'old', 1, NULL, 0)");
  change("PRAGMA user_version = 1");
  const auto registry = open();
  EXPECT_EQ(registry->api_keys().find_api_key("aaaaaaaaaaaa")->name, "old");
  EXPECT_TRUE(registry->users().add(user_record("anna")).ok());
}

TEST_F(RegistryTest, ARowThatIsNoRuleIsRefusedAndTheOldRulesStay) {
  const auto server = open();
  const model::AccountId account = *model::AccountId::parse("a");
  ASSERT_TRUE(server->rules().add(rule_record("a", "hot")).ok());
  for (const char* sql : {"UPDATE rules SET rule = '{}'", "UPDATE rules SET version = 2",
                          "UPDATE rules SET rule_id = 'cold'", "UPDATE rules SET account = 'a b'"}) {
    SCOPED_TRACE(sql);
    change(sql);
    EXPECT_EQ(server->refresh(kNow).status.error().code, Code::corrupt);
    EXPECT_TRUE(server->rules().find(account, "hot"));
    EXPECT_FALSE(Registry::open(directory()).ok());
    change("DELETE FROM rules");
    ASSERT_TRUE(server->refresh(kNow).status.ok());
    ASSERT_TRUE(server->rules().add(rule_record("a", "hot")).ok());
  }
}

TEST_F(RegistryTest, ARowThatDoesNotSayWhatItAllowsIsRefusedAndTheOldKeysStay) {
  const auto server = open();
  ASSERT_TRUE(server->api_keys().add(key_record("aaaaaaaaaaaa")).ok());
  for (const char* sql :
       {"UPDATE api_keys SET sites = ''", "UPDATE api_keys SET sites = '1,'",
        "UPDATE api_keys SET sites = '*', devices = 'a/b'", "UPDATE api_keys SET devices = '*', roles = ''",
        "UPDATE api_keys SET roles = 'root'", "UPDATE api_keys SET roles = 'viewer', account = '*'",
        "UPDATE api_keys SET account = '1', secret_sha256 = x'00'"}) {
    SCOPED_TRACE(sql);
    change(sql);
    const Status refreshed = server->refresh(kNow).status;
    ASSERT_FALSE(refreshed.ok());
    EXPECT_EQ(refreshed.error().code, Code::corrupt);
    EXPECT_TRUE(server->api_keys().find_api_key("aaaaaaaaaaaa")->grants.roles.has(model::Role::ingest));
    EXPECT_FALSE(Registry::open(directory()).ok());
  }
}

TEST_F(RegistryTest, WhatHasEndedIsToldThoughTheDiskWillNotHaveIt) {
  const auto server = open();
  ASSERT_TRUE(server->users().add(user_record("anna")).ok());
  const model::LoginSessionRecord session = session_record('s', "anna");
  ASSERT_TRUE(server->login_sessions().add(session).ok());
  ASSERT_TRUE(server->devices().admit(device_topic("a", "1"), kNow).ok());
  Result<ConnectionPtr> other = open_sqlite(file());
  ASSERT_TRUE(other.ok() && (*other)->run("BEGIN EXCLUSIVE").ok());
  const Registry::Refreshed refreshed = server->refresh(session.expires_at_ms);
  EXPECT_FALSE(refreshed.status.ok());
  EXPECT_EQ(refreshed.ended, std::vector<uint64_t>{model::login_session_number(session.sha256)});
  ASSERT_TRUE((*other)->run("ROLLBACK").ok());
  EXPECT_TRUE(server->refresh(session.expires_at_ms).status.ok()) << "and is written later";
  EXPECT_EQ((*other)->read_number("SELECT count(*) FROM login_sessions").value(), 0);
  EXPECT_EQ((*other)->read_number("SELECT count(*) FROM devices").value(), 1);
}

TEST_F(RegistryTest, AUserWhoMayDoNothingClearIsRefused) {
  const auto server = open();
  ASSERT_TRUE(server->users().add(user_record("anna")).ok());
  for (const char* sql :
       {"UPDATE users SET roles = ''", "UPDATE users SET roles = 'viewer', account = ''",
        "UPDATE users SET account = '1', sites = ','", "UPDATE users SET sites = '*', name = 'a b'"}) {
    SCOPED_TRACE(sql);
    change(sql);
    EXPECT_EQ(server->refresh(kNow).status.error().code, Code::corrupt);
  }
}

TEST_F(RegistryTest, ASilenceThatCannotBeReadIsRefusedAndTheOldOnesStay) {
  const auto server = open();
  ASSERT_TRUE(server->silences().add(silence_record("a", "s-1", kNow + kHour), kNow).ok());
  for (const char* sql : {"UPDATE silences SET silence = '{}'", "UPDATE silences SET silence = ''",
                          "UPDATE silences SET account = 'b'", "UPDATE silences SET account = '*'"}) {
    SCOPED_TRACE(sql);
    change(sql);
    EXPECT_EQ(server->refresh(kNow).status.error().code, Code::corrupt);
    EXPECT_EQ(server->silences().of(*model::AccountId::parse("a"))->size(), 1u);
  }
}

TEST_F(RegistryTest, FilesThatAreNotOursAreRefused) {
  { const auto registry = open(); }
  change("PRAGMA user_version = 99");
  EXPECT_THAT(Registry::open(directory()).error().detail, testing::HasSubstr("newer"));
  std::ofstream(file(), std::ios::trunc) << std::string(4096, 'x');
  const auto broken = Registry::open(directory());
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code, Code::corrupt);
  std::filesystem::remove(file());
  std::filesystem::create_symlink("/etc/passwd", file());
  EXPECT_FALSE(Registry::open(directory()).ok());
}

}  // namespace
}  // namespace millstream::registry
