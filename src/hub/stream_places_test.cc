#include "hub/stream_places.h"

#include <gtest/gtest.h>

namespace millstream::hub {
namespace {

TEST(StreamPlaces, AreCountedPerCredentialAndGivenBack) {
  StreamPlaces places(2);
  auto first = places.take("a");
  auto second = places.take("a");
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(places.take("a"));
  EXPECT_TRUE(places.take("b"));
  StreamPlaces::Place moved = std::move(*first);
  first.reset();
  EXPECT_FALSE(places.take("a")) << "it was moved, not given back";
  moved = StreamPlaces::Place();
  EXPECT_TRUE(places.take("a"));
}

TEST(StreamPlaces, WithoutALimitTakeNothing) {
  StreamPlaces places(0);
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(places.take("a"));
}

}  // namespace
}  // namespace millstream::hub
