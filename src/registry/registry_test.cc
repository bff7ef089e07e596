#include "registry/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "registry/sqlite.h"

namespace millstream::registry {
namespace {

using model::ApiKeyRecord;
using model::Role;

class RegistryTest : public testing::Test {
 protected:
  RegistryTest() {
    std::string pattern = testing::TempDir() + "registry-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~RegistryTest() override { std::filesystem::remove_all(root_); }

  std::string directory() const { return root_ + "/nested/data"; }
  std::string file() const { return directory() + "/registry.db"; }
  std::unique_ptr<Registry> open() {
    auto registry = Registry::open(directory());
    EXPECT_TRUE(registry.ok()) << (registry.ok() ? "" : registry.error().detail);
    return std::move(*registry);
  }
  static mode_t mode_of(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(::stat(path.c_str(), &info), 0) << path;
    return info.st_mode & 07777;
  }

  std::string root_;
};

ApiKeyRecord record(const std::string& id) {
  ApiKeyRecord key;
  key.key_id = id;
  key.secret_sha256 = std::string(31, '\0') + "\xff";
  key.grants.account = model::AccountId::parse("123").value();
  key.grants.subject = "key:" + id;
  key.grants.roles = model::Roles().with(Role::ingest).with(Role::operator_);
  key.name = "line 1, \"north\"";
  key.created_at_ms = 1'769'517'296'789;
  return key;
}

void expect_same(const ApiKeyRecord& a, const ApiKeyRecord& b) {
  EXPECT_EQ(a.key_id, b.key_id);
  EXPECT_EQ(a.secret_sha256, b.secret_sha256);
  EXPECT_EQ(a.name, b.name);
  EXPECT_EQ(a.created_at_ms, b.created_at_ms);
  EXPECT_EQ(a.revoked, b.revoked);
  EXPECT_EQ(a.grants.subject, b.grants.subject);
  EXPECT_EQ(a.grants.account, b.grants.account);
  EXPECT_EQ(a.grants.sites, b.grants.sites);
  EXPECT_EQ(a.grants.devices, b.grants.devices);
  EXPECT_EQ(a.grants.roles, b.grants.roles);
  EXPECT_EQ(a.grants.expires_at_ms, b.grants.expires_at_ms);
}

TEST_F(RegistryTest, KeysComeBackTheSameAfterReopening) {
  ApiKeyRecord wide = record("aaaaaaaaaaaa");
  ApiKeyRecord narrow = record("bbbbbbbbbbbb");
  narrow.grants.sites = {model::SiteId::parse("1").value(), model::SiteId::parse("2").value()};
  narrow.grants.devices = {model::DeviceId::parse("elink-99").value()};
  narrow.grants.expires_at_ms = 1'769'600'000'000;
  narrow.created_at_ms -= 1;
  {
    const auto registry = open();
    ASSERT_TRUE(registry->add_api_key(wide).ok());
    ASSERT_TRUE(registry->add_api_key(narrow).ok());
    expect_same(registry->find_api_key("bbbbbbbbbbbb").value(), narrow);
  }
  const auto registry = open();
  expect_same(registry->find_api_key("aaaaaaaaaaaa").value(), wide);
  const auto list = registry->list_api_keys();
  ASSERT_TRUE(list.ok());
  ASSERT_EQ(list->size(), 2u);
  expect_same((*list)[0], narrow);
  expect_same((*list)[1], wide);
}

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

TEST_F(RegistryTest, TheSameIdTwiceIsAConflict) {
  const auto registry = open();
  ASSERT_TRUE(registry->add_api_key(record("aaaaaaaaaaaa")).ok());
  const Status again = registry->add_api_key(record("aaaaaaaaaaaa"));
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, Code::conflict);
}

TEST_F(RegistryTest, KeysWithoutSecretAccountOrRoleAreNotStored) {
  const auto registry = open();
  ApiKeyRecord no_secret = record("aaaaaaaaaaaa");
  no_secret.secret_sha256.clear();
  ApiKeyRecord no_account = record("bbbbbbbbbbbb");
  no_account.grants.account = {};
  ApiKeyRecord no_role = record("cccccccccccc");
  no_role.grants.roles = {};
  for (const ApiKeyRecord& key : {no_secret, no_account, no_role}) EXPECT_FALSE(registry->add_api_key(key).ok());
  EXPECT_TRUE(registry->list_api_keys().value().empty());
}

TEST_F(RegistryTest, RevokedKeyStaysListedAndIsMarked) {
  const auto registry = open();
  ASSERT_TRUE(registry->add_api_key(record("aaaaaaaaaaaa")).ok());
  ASSERT_TRUE(registry->revoke_api_key("aaaaaaaaaaaa").ok());
  EXPECT_TRUE(registry->find_api_key("aaaaaaaaaaaa")->revoked);
  EXPECT_TRUE(registry->list_api_keys().value().at(0).revoked);
  const Status unknown = registry->revoke_api_key("zzzzzzzzzzzz");
  ASSERT_FALSE(unknown.ok());
  EXPECT_EQ(unknown.error().code, Code::not_found);
}

TEST_F(RegistryTest, RefreshSeesWhatAnotherProcessChanged) {
  const auto server = open();
  const auto command_line = open();
  ASSERT_TRUE(command_line->add_api_key(record("aaaaaaaaaaaa")).ok());
  EXPECT_FALSE(server->find_api_key("aaaaaaaaaaaa"));
  ASSERT_TRUE(server->refresh().ok());
  EXPECT_TRUE(server->find_api_key("aaaaaaaaaaaa"));
  ASSERT_TRUE(command_line->revoke_api_key("aaaaaaaaaaaa").ok());
  ASSERT_TRUE(server->refresh().ok());
  EXPECT_TRUE(server->find_api_key("aaaaaaaaaaaa")->revoked);
}

TEST_F(RegistryTest, RefreshNamesTheKeysThatEndedOnce) {
  const auto server = open();
  const auto command_line = open();
  for (const char* id : {"aaaaaaaaaaaa", "bbbbbbbbbbbb", "cccccccccccc"}) {
    ASSERT_TRUE(command_line->add_api_key(record(id)).ok());
  }
  EXPECT_TRUE(server->refresh().value().empty());
  ASSERT_TRUE(command_line->revoke_api_key("aaaaaaaaaaaa").ok());
  {
    Result<Connection> other = Connection::open(file());
    ASSERT_TRUE(other.ok() && other->run("DELETE FROM api_keys WHERE key_id = 'bbbbbbbbbbbb'").ok());
  }
  EXPECT_THAT(server->refresh().value(), testing::UnorderedElementsAre("aaaaaaaaaaaa", "bbbbbbbbbbbb"));
  EXPECT_TRUE(server->refresh().value().empty());
}

TEST_F(RegistryTest, ARowThatDoesNotSayWhatItAllowsIsRefusedAndTheOldKeysStay) {
  const auto server = open();
  ASSERT_TRUE(server->add_api_key(record("aaaaaaaaaaaa")).ok());
  for (const char* change :
       {"UPDATE api_keys SET sites = ''", "UPDATE api_keys SET sites = '1,'",
        "UPDATE api_keys SET sites = '*', devices = 'a/b'", "UPDATE api_keys SET devices = '*', roles = ''",
        "UPDATE api_keys SET roles = 'root'", "UPDATE api_keys SET roles = 'viewer', account = '*'",
        "UPDATE api_keys SET account = '1', secret_sha256 = x'00'"}) {
    SCOPED_TRACE(change);
    {
      Result<Connection> other = Connection::open(file());
      ASSERT_TRUE(other.ok() && other->run(change).ok());
    }
    const auto refreshed = server->refresh();
    ASSERT_FALSE(refreshed.ok());
    EXPECT_EQ(refreshed.error().code, Code::corrupt);
    EXPECT_TRUE(server->find_api_key("aaaaaaaaaaaa")->grants.roles.has(Role::ingest));
    EXPECT_FALSE(Registry::open(directory()).ok());
  }
}

TEST_F(RegistryTest, FilesThatAreNotOursAreRefused) {
  { const auto registry = open(); }
  {
    Result<Connection> other = Connection::open(file());
    ASSERT_TRUE(other.ok() && other->run("PRAGMA user_version = 99").ok());
  }
  EXPECT_THAT(Registry::open(directory()).error().detail, testing::HasSubstr("newer"));
  std::ofstream(file(), std::ios::trunc) << std::string(4096, 'x');
  const auto broken = Registry::open(directory());
  ASSERT_FALSE(broken.ok());
  EXPECT_EQ(broken.error().code, Code::corrupt);
  std::filesystem::remove(file());
  std::filesystem::create_symlink("/etc/passwd", file());
  EXPECT_FALSE(Registry::open(directory()).ok());
}

TEST_F(RegistryTest, KeysAreFoundWhileOthersWriteAndRefresh) {
  const auto registry = open();
  ASSERT_TRUE(registry->add_api_key(record("aaaaaaaaaaaa")).ok());
  std::atomic<bool> done = false;
  std::atomic<int> missed = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 2; ++i) {
    readers.emplace_back([&] {
      while (!done) missed += registry->find_api_key("aaaaaaaaaaaa") ? 0 : 1;
    });
  }
  const auto other = open();
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(other->add_api_key(record("bbbbbbbbbbb" + std::to_string(i))).ok());
    ASSERT_TRUE(registry->refresh().ok());
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(missed, 0);
  EXPECT_TRUE(registry->find_api_key("bbbbbbbbbbb9"));
}

}  // namespace
}  // namespace millstream::registry
