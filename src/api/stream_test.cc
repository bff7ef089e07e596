#include <gtest/gtest.h>

#include <latch>

#include "api/routes.h"
#include "model/api_key.h"

namespace millstream::api {
namespace {

constexpr int64_t kStart = 1'770'000'000'000;

class EmptyLog final : public log::EventLog {
 public:
  void add_reader(log::CommitReader&) override {}
  Status start() override { return {}; }
  void stop() override {}
  Status append(std::vector<model::Event>, log::AppendDone) override { return Error{Code::unavailable, "a test"}; }
  Result<log::ReadPage> read(const log::ReadRequest&) override { return log::ReadPage{}; }
  model::EventId first_id() const override { return {kStart, 0}; }
  model::EventId last_id() const override { return {kStart, 0}; }
  void save_checkpoint(std::string, log::Checkpoint) override {}
  Result<std::optional<log::Checkpoint>> load_checkpoint(std::string_view) override {
    return std::optional<log::Checkpoint>();
  }
  size_t queued_events() const override { return 0; }
};

class NoReplay final : public hub::ReplaySource {
 public:
  void read(hub::ReplayRequest, std::function<void(Result<hub::ReplayPage>)>) override {}
  model::EventId last_id() const override { return {kStart, 0}; }
};

class Keys final : public model::ApiKeyLookup {
 public:
  std::optional<model::ApiKeyRecord> find_api_key(std::string_view) const override { return record; }
  model::ApiKeyRecord record;
};

// What a request was answered with; the first answer ends the loop.
struct Answer {
  int status = 0;
  std::string text;
};

class FakeExchange final : public http::Exchange {
 public:
  FakeExchange(http::Request request, net::Loop& loop, Answer& answer)
      : request_(std::move(request)), loop_(loop), answer_(answer) {}
  const http::Request& request() const override { return request_; }
  http::Request& request() override { return request_; }
  net::Loop& loop() override { return loop_; }
  bool open() const override { return true; }
  void respond(http::Response response) override {
    answer_ = {response.status, response.body};
    loop_.stop();
  }
  std::unique_ptr<ByteSink> start_stream(http::Response head) override {
    answer_.status = head.status;
    loop_.stop();
    return std::make_unique<Sink>(answer_.text);
  }

 private:
  class Sink final : public ByteSink {
   public:
    explicit Sink(std::string& text) : text_(text) {}
    void set_owner(ByteSinkOwner*) override {}
    size_t write(std::span<const iovec> pieces) override {
      size_t taken = 0;
      for (const iovec& piece : pieces) {
        text_.append(static_cast<const char*>(piece.iov_base), piece.iov_len);
        taken += piece.iov_len;
      }
      return taken;
    }
    void close(bool) override {}

   private:
    std::string& text_;
  };

  http::Request request_;
  net::Loop& loop_;
  Answer& answer_;
};

class StreamTest : public ::testing::Test {
 protected:
  StreamTest() {
    grants.account = *model::AccountId::parse("demo");
    grants.roles = model::Roles().with(model::Role::viewer);
    const auth::NewApiKey made = auth::make_api_key("a test", grants, kStart);
    keys.record = made.record;
    key = made.text;
    context.shards.push_back({&loop, &shard});
    add_stream_routes(router, context);
  }

  // Asks for a stream; `meanwhile` happens after the question was taken, before a reader thread has a moment for it.
  Answer ask(const std::string& query, const std::function<void()>& meanwhile) {
    http::Request request{.method = "GET", .path = "/api/stream", .query = *http::Query::parse(query)};
    request.headers.add("Authorization", "Bearer " + key);
    Answer answer;
    std::latch go(1);
    EXPECT_TRUE(readers.post([&] { go.wait(); }));
    loop.post([&] {
      const auto exchange = std::make_shared<FakeExchange>(std::move(request), loop, answer);
      (*router.find("GET", "/api/stream").handler)(exchange);
      meanwhile();
      go.count_down();
    });
    loop.run();
    return answer;
  }

  ManualClock clock{kStart};
  metrics::Registry metrics;
  EmptyLog log;
  NoReplay replay;
  Keys keys;
  std::string key;
  model::Grants grants;
  history::LatestValues latest{kDayMs};
  auth::Authenticator authenticator{{}, keys, clock, std::nullopt};
  ingest::Validator validator{{}, metrics};
  net::Loop loop{clock};
  hub::Shard shard{{}, {kStart, 0}, replay, clock, metrics, [] {}};
  WorkQueue workers{"test", 1, 10};
  WorkQueue readers{"test", 1, 10};
  Context context{.clock = clock,
                  .metrics = metrics,
                  .log = log,
                  .latest = latest,
                  .authenticator = authenticator,
                  .validator = validator,
                  .readers = readers,
                  .workers = workers,
                  .version = "test",
                  .sessions_max = 1,
                  .shards = {}};
  http::Router router;
};

const std::string kSnapshot = "snapshot=latest";

TEST_F(StreamTest, ASnapshotIsReadAndTheStreamOpens) {
  const Answer answer = ask(kSnapshot, [] {});
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.text.find("\"kind\":\"snapshot\""), std::string::npos) << answer.text;
  EXPECT_EQ(shard.sessions(), 1u);
}

TEST_F(StreamTest, ADrainThatBeginsWhileTheSnapshotIsReadTurnsTheViewerAway) {
  const Answer answer = ask(kSnapshot, [&] { context.draining = true; });
  EXPECT_NE(answer.text.find("\"kind\":\"draining\""), std::string::npos) << answer.text;
  EXPECT_EQ(shard.sessions(), 0u);
}

TEST_F(StreamTest, TheLastPlaceIsGivenOnceHoweverManyWaitForTheirSnapshot) {
  const Answer answer = ask(kSnapshot, [&] { context.sessions_max = 0; });
  EXPECT_NE(answer.text.find("\"kind\":\"overloaded\""), std::string::npos) << answer.text;
  EXPECT_EQ(shard.sessions(), 0u);
}

TEST_F(StreamTest, AKeyRevokedWhileTheSnapshotIsReadOpensNoStream) {
  const Answer answer = ask(kSnapshot, [&] { keys.record.revoked = true; });
  EXPECT_EQ(answer.status, 401);
  EXPECT_EQ(shard.sessions(), 0u);
}

}  // namespace
}  // namespace millstream::api
