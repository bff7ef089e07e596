#include "log/disk_use.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace millstream::log {
namespace {

int64_t gauge(metrics::Registry& registry, const char* name) { return registry.gauge(name, "").value(); }

TEST(DiskUse, IsTheSizeOfAllFilesAndWhatIsLeft) {
  std::string directory = ::testing::TempDir() + "millstream-disk-XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  std::ofstream(directory + "/one") << std::string(1000, 'x');
  std::ofstream(directory + "/two") << std::string(24, 'x');
  metrics::Registry registry;
  DiskUse use(directory, 86'400'000, registry);
  use.measure();
  EXPECT_EQ(gauge(registry, "millstream_log_disk_bytes"), 1024);
  EXPECT_GT(gauge(registry, "millstream_log_disk_free_bytes"), 0);
  EXPECT_EQ(gauge(registry, "millstream_log_retention_seconds"), 86'400);

  std::filesystem::remove_all(directory);
  use.measure();
  EXPECT_EQ(gauge(registry, "millstream_log_disk_bytes"), 1024) << "what cannot be read keeps its figure";
}

}  // namespace
}  // namespace millstream::log
