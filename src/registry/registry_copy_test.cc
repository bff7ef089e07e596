#include "registry/registry_copy.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "registry/registry.h"
#include "registry/sqlite_connection.h"

namespace millstream::registry {
namespace {

class RegistryCopy : public testing::Test {
 protected:
  RegistryCopy() {
    root_ = testing::TempDir() + "registry-copy-XXXXXX";
    EXPECT_NE(mkdtemp(root_.data()), nullptr);
    EXPECT_TRUE(Registry::open(directory()).ok());
    Result<ConnectionPtr> db = open_sqlite(directory() + "/registry.db");
    EXPECT_TRUE(
        (*db)
            ->run("INSERT INTO api_keys VALUES ('aaaaaaaaaaaa', zeroblob(32), '123', '*', '*', 'viewer', 'kept', 1,"
                  " NULL, 0, NULL, '');"
                  "INSERT INTO login_sessions VALUES (CAST('a-session-hash-of-thirty-two-byte' AS BLOB), 'anna', 1,"
                  " 1, 1, 9e15)")
            .ok());
  }
  ~RegistryCopy() override { std::filesystem::remove_all(root_); }
  std::string directory() const { return root_ + "/data"; }
  static std::string bytes_of(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    return std::string((std::istreambuf_iterator<char>(in)), {});
  }

  std::string root_;
};

TEST_F(RegistryCopy, HasTheKeysAndNoByteOfALoginSession) {
  const std::string copy = root_ + "/copy";
  ASSERT_NE(bytes_of(directory() + "/registry.db").find("a-session-hash"), std::string::npos);
  const Status copied = copy_registry(directory(), copy);
  ASSERT_TRUE(copied.ok()) << copied.error().detail;
  EXPECT_EQ(bytes_of(copy).find("a-session-hash"), std::string::npos);
  struct stat info {};
  ASSERT_EQ(::stat(copy.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0600u);

  std::filesystem::create_directory(root_ + "/restored");
  std::filesystem::rename(copy, root_ + "/restored/registry.db");
  const auto restored = Registry::open(root_ + "/restored");
  ASSERT_TRUE(restored.ok()) << restored.error().detail;
  EXPECT_NE((*restored)->api_keys().find_api_key("aaaaaaaaaaaa"), nullptr);
}

TEST_F(RegistryCopy, WaitsForNobodyWhoOnlyHoldsItOpen) {
  const auto registry = Registry::open(directory());
  ASSERT_TRUE(registry.ok());
  EXPECT_TRUE(copy_registry(directory(), root_ + "/copy").ok());
  EXPECT_TRUE((*registry)->flush().ok());
}

TEST_F(RegistryCopy, DamageIsFoundAndAMissingFileIsNamed) {
  const auto sound = check_registry(directory());
  ASSERT_TRUE(sound.ok());
  EXPECT_TRUE(sound->empty());
  std::filesystem::resize_file(directory() + "/registry.db", 4096);
  const auto damaged = check_registry(directory());
  ASSERT_TRUE(damaged.ok()) << damaged.error().detail;
  EXPECT_FALSE(damaged->empty());
  EXPECT_EQ(check_registry(root_).error().code, Code::not_found);
  EXPECT_EQ(copy_registry(root_, root_ + "/copy").error().code, Code::not_found);
}

}  // namespace
}  // namespace millstream::registry
