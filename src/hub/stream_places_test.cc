#include "hub/stream_places.h"

#include <gtest/gtest.h>

#include <vector>

namespace millstream::hub {
namespace {

TEST(StreamPlaces, AreCountedPerCredentialAndGivenBack) {
  StreamPlaces places({.per_credential_max = 2});
  auto first = places.take("1", "a");
  auto second = places.take("1", "a");
  EXPECT_TRUE(first && second);
  EXPECT_FALSE(places.take("1", "a"));
  EXPECT_TRUE(places.take("1", "b"));
  EXPECT_TRUE(places.take("2", "a")) << "another account's subject of the same name";
  StreamPlaces::Place moved = std::move(*first);
  first.reset();
  EXPECT_FALSE(places.take("1", "a")) << "it was moved, not given back";
  moved = StreamPlaces::Place();
  EXPECT_TRUE(places.take("1", "a"));
}

TEST(StreamPlaces, AreCountedPerAccountOverAllItsCredentials) {
  StreamPlaces places({.per_credential_max = 2, .per_account_max = 3});
  std::vector<StreamPlaces::Place> taken;
  for (const char* subject : {"a", "a", "b"}) taken.push_back(std::move(*places.take("1", subject)));
  EXPECT_FALSE(places.take("1", "b"));
  EXPECT_FALSE(places.take("1", "c"));
  EXPECT_TRUE(places.take("2", "c"));
  taken.pop_back();
  EXPECT_TRUE(places.take("1", "c"));
}

TEST(StreamPlaces, WithoutALimitTakeNothing) {
  StreamPlaces places({});
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(places.take("1", "a"));
}

}  // namespace
}  // namespace millstream::hub
