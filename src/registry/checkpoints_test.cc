#include "registry/checkpoints.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "registry/testing_postgres.h"

namespace millstream::registry {
namespace {

class SqliteBackend {
 public:
  SqliteBackend() {
    std::string pattern = testing::TempDir() + "checkpoints-XXXXXX";
    directory_ = mkdtemp(pattern.data());
  }
  ~SqliteBackend() { std::filesystem::remove_all(directory_); }
  Result<std::unique_ptr<Checkpoints>> open() { return Checkpoints::open(directory_); }

 private:
  std::string directory_;
};

class PostgresBackend {
 public:
  Result<std::unique_ptr<Checkpoints>> open() { return Checkpoints::open(options_); }

 private:
  const PostgresOptions options_ = TestPostgres::get().options();
};

// What all checkpoints must do, whatever database keeps them.
template <class Backend>
class CheckpointsContract : public testing::Test {
 protected:
  std::unique_ptr<Checkpoints> open() {
    auto opened = backend_.open();
    EXPECT_TRUE(opened.ok()) << (opened.ok() ? "" : opened.error().detail);
    return std::move(*opened);
  }
  Backend backend_;
};
using Backends = testing::Types<SqliteBackend, PostgresBackend>;
TYPED_TEST_SUITE(CheckpointsContract, Backends);

TYPED_TEST(CheckpointsContract, WhatWasSavedComesBackToTheByte) {
  const auto checkpoints = this->open();
  EXPECT_FALSE(*checkpoints->load("rules"));
  std::string state(1 << 20, '\0');
  for (size_t i = 0; i < state.size(); ++i) state[i] = static_cast<char>(i * 7);
  const model::EventId at{.ms = 1'770'000'000'000, .seq = 41};
  ASSERT_TRUE(checkpoints->save("rules", 3, at, state).ok());
  ASSERT_TRUE(checkpoints->save("presence", 1, {}, "").ok()) << "an empty state is one";
  const auto other = this->open();
  const auto rules = other->load("rules");
  ASSERT_TRUE(rules.ok() && *rules);
  EXPECT_EQ((*rules)->fence, 3);
  EXPECT_EQ((*rules)->at, at);
  EXPECT_EQ((*rules)->state, state);
  const auto presence = other->load("presence");
  ASSERT_TRUE(presence.ok() && *presence);
  EXPECT_EQ((*presence)->state, "");
}

TYPED_TEST(CheckpointsContract, OfTwoHoldersTheOneWithTheOlderFenceLoses) {
  const auto old_holder = this->open(), new_holder = this->open();
  ASSERT_TRUE(old_holder->save("rules", 7, {.ms = 10, .seq = 0}, "seven").ok());
  ASSERT_TRUE(old_holder->save("rules", 7, {.ms = 11, .seq = 0}, "seven again").ok()) << "its own once more";
  ASSERT_TRUE(new_holder->save("rules", 8, {.ms = 12, .seq = 0}, "eight").ok());
  EXPECT_EQ(old_holder->save("rules", 7, {.ms = 13, .seq = 0}, "late").error().code, Code::conflict);
  EXPECT_EQ((*old_holder->load("rules"))->state, "eight");
  EXPECT_TRUE(old_holder->save("presence", 7, {}, "another engine's").ok());
}

}  // namespace
}  // namespace millstream::registry
