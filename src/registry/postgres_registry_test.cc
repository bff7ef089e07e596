#include "registry/registry_contract.h"
#include "registry/testing_postgres.h"

namespace millstream::registry {
namespace {

class PostgresBackend {
 public:
  Result<std::unique_ptr<Registry>> open(RegistryOptions options) { return Registry::open(options_, options); }

 private:
  const PostgresOptions options_ = TestPostgres::get().options();
};

TEST(PostgresRegistry, HearsAtOnceOfDevicesThatWereDescribedAndNowAndThenOfThoseThatWereOnlySeen) {
  PostgresBackend backend;
  const auto here = std::move(*backend.open({})), there = std::move(*backend.open({}));
  ASSERT_TRUE(here->refresh(kNow).status.ok());
  ASSERT_TRUE(there->devices().admit(device_topic("a", "seen"), kNow).ok());
  ASSERT_TRUE(there->flush().ok());
  ASSERT_TRUE(here->refresh(kNow).status.ok());  // the first that is due
  EXPECT_EQ(here->devices().count(), 1u);
  ASSERT_TRUE(there->devices().admit(device_topic("a", "another"), kNow).ok());
  ASSERT_TRUE(there->flush().ok());
  ASSERT_TRUE(here->refresh(kNow + 59'999).status.ok());
  EXPECT_EQ(here->devices().count(), 1u);
  ASSERT_TRUE(there->devices().save(device_topic("a", "pump"), {}, kNow, {}).ok());
  ASSERT_TRUE(here->refresh(kNow + 59'999).status.ok());
  EXPECT_EQ(here->devices().count(), 3u);
  ASSERT_TRUE(there->devices().admit(device_topic("a", "last"), kNow).ok());
  ASSERT_TRUE(there->flush().ok());
  ASSERT_TRUE(here->refresh(kNow + 119'998).status.ok());
  EXPECT_EQ(here->devices().count(), 3u);
  ASSERT_TRUE(here->refresh(kNow + 119'999).status.ok());
  EXPECT_EQ(here->devices().count(), 4u);
}

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, RegistryContract, PostgresBackend);

}  // namespace
}  // namespace millstream::registry
