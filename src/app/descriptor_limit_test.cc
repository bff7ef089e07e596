#include "app/descriptor_limit.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace millstream::app {
namespace {

TEST(DescriptorLimit, SoftLimitIsRaisedToTheHardOne) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low{.rlim_cur = 512, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &low), 0);
  EXPECT_GE(raise_descriptor_limit(), 512);
  rlimit after{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST(DescriptorLimit, ConnectionsLeaveRoomForStorage) {
  EXPECT_EQ(connections_within(100'000, 2, 19'000), 19'000);
  EXPECT_EQ(connections_within(1024, 2, 19'000), (1024 - kStorageDescriptors) / 2);
  EXPECT_EQ(connections_within(100, 2, 19'000), 1);
}

TEST(DescriptorLimit, SomeConnectionsAreLeftForRequests) {
  EXPECT_EQ(connections_for_streams(19'744), 19'644u);
  EXPECT_EQ(connections_for_streams(100), 95u);
  EXPECT_EQ(connections_for_streams(1), 1u);
}

}  // namespace
}  // namespace millstream::app
