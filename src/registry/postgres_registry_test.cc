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

INSTANTIATE_TYPED_TEST_SUITE_P(Postgres, RegistryContract, PostgresBackend);

}  // namespace
}  // namespace millstream::registry
