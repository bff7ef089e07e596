#include "app/channel_transfer.h"

#include <gtest/gtest.h>

namespace millstream::app {
namespace {

// printf '1770000031.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
TEST(ChannelTransfer, SignsTheTimeAndTheBody) {
  EXPECT_EQ(webhook_signature("0123456789abcdef", 1'770'000'031, "{\"a\":1}"),
            "t=1770000031,v1=dc77b69c8e13b9a45906f63da9c1c90aaee97ae45066939db5f312c2f8e37a0d");
}

}  // namespace
}  // namespace millstream::app
