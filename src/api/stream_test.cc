#include "api/testing.h"

namespace millstream::api {
namespace {

using StreamTest = ApiTest;

const std::string kSnapshot = "snapshot=latest";

TEST_F(StreamTest, ASnapshotIsReadAndTheStreamOpens) {
  const Answer answer = ask("/api/stream", kSnapshot, [](Answer&) {});
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.text.find("\"kind\":\"snapshot\""), std::string::npos) << answer.text;
  EXPECT_EQ(shard.sessions(), 1u);
}

TEST_F(StreamTest, ADrainThatBeginsWhileTheSnapshotIsReadTurnsTheViewerAway) {
  const Answer answer = ask("/api/stream", kSnapshot, [&](Answer&) { context.draining = true; });
  EXPECT_NE(answer.text.find("\"kind\":\"draining\""), std::string::npos) << answer.text;
  EXPECT_EQ(shard.sessions(), 0u);
}

TEST_F(StreamTest, TheLastPlaceIsGivenOnceHoweverManyWaitForTheirSnapshot) {
  const Answer answer = ask("/api/stream", kSnapshot, [&](Answer&) { context.sessions_max = 0; });
  EXPECT_NE(answer.text.find("\"kind\":\"overloaded\""), std::string::npos) << answer.text;
  EXPECT_EQ(shard.sessions(), 0u);
}

TEST_F(StreamTest, TheLastConnectionsAreForRequests) {
  context.connections_for_streams = 10;
  context.shards[0].connections = [] { return size_t{11}; };
  const Answer answer = ask("/api/stream", kSnapshot, [](Answer&) {});
  EXPECT_NE(answer.text.find("\"kind\":\"overloaded\""), std::string::npos) << answer.text;
  EXPECT_EQ(shard.sessions(), 0u);
}

TEST_F(StreamTest, AKeyRevokedWhileTheSnapshotIsReadOpensNoStream) {
  const Answer answer =
      ask("/api/stream", kSnapshot, [&](Answer&) { EXPECT_TRUE(registry->api_keys().revoke(key_id).ok()); });
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(shard.sessions(), 0u);
}

TEST_F(StreamTest, OneCredentialGetsNoMoreStreamsThanItMayHave) {
  std::vector<hub::StreamPlaces::Place> taken;
  const std::string account = grants.account.text();
  while (auto place = stream_places.take(account, model::key_subject(key_id))) taken.push_back(std::move(*place));
  const Answer answer = ask("/api/stream", kSnapshot, [](Answer&) {});
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.text.find("\"kind\":\"overloaded\""), std::string::npos) << answer.text;
  EXPECT_EQ(shard.sessions(), 0u);
}

}  // namespace
}  // namespace millstream::api
