// api/testing.h: the endpoints over fakes: a log, keys and a client that a test plays.
//
// Thread   the test's own; it runs the loop until the answer
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <latch>
#include <memory>
#include <string>

#include "api/routes.h"
#include "base/limits.h"
#include "model/api_key.h"

namespace millstream::api {

constexpr int64_t kStart = 1'770'000'000'000;

class FakeLog final : public log::EventLog {
 public:
  void add_reader(log::CommitReader&) override {}
  Status start() override { return {}; }
  void stop() override {}
  Status append(std::vector<model::Event> batch, log::AppendDone done) override {
    return on_append(std::move(batch), std::move(done));
  }
  Status append_once(log::Once, std::vector<model::Event>, log::AppendDone) override {
    return Error{Code::unavailable, "a test"};
  }
  Result<log::ReadPage> read(const log::ReadRequest& request) override { return on_read(request); }
  Result<std::vector<log::Missing>> read_samples(const log::SamplesRequest& request, log::SampleSink& sink) override {
    on_read_samples(request, sink);
    return missing;
  }
  model::EventId first_id() const override { return {kStart, 0}; }
  model::EventId last_id() const override { return newest; }
  void save_checkpoint(std::string, log::Checkpoint) override {}
  Result<std::optional<log::Checkpoint>> load_checkpoint(std::string_view) override {
    return std::optional<log::Checkpoint>();
  }
  size_t queued_events() const override { return 0; }
  log::Storage storage() const override { return log::Storage::ok; }

  std::function<Status(std::vector<model::Event>, log::AppendDone)> on_append = [](auto, auto) {
    return Error{Code::unavailable, "a test"};
  };
  std::function<log::ReadPage(const log::ReadRequest&)> on_read = [](const auto&) { return log::ReadPage{}; };
  std::function<void(const log::SamplesRequest&, log::SampleSink&)> on_read_samples = [](const auto&, auto&) {};
  std::vector<log::Missing> missing;  // of samples
  model::EventId newest{kStart, 0};
};

class NoReplay final : public hub::ReplaySource {
 public:
  void read(hub::ReplayRequest, std::function<void(Result<hub::ReplayPage>)>) override {}
  model::EventId last_id() const override { return {kStart, 0}; }
};

// The real one, in a directory that goes with it.
class TemporaryRegistry {
 public:
  TemporaryRegistry() {
    std::string pattern = testing::TempDir() + "api-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    registry_ = std::move(*registry::Registry::open(directory_ + "/data"));
  }
  ~TemporaryRegistry() {
    registry_.reset();
    std::filesystem::remove_all(directory_);
  }
  registry::Registry* operator->() const { return registry_.get(); }
  registry::Registry& operator*() const { return *registry_; }

 private:
  std::string directory_;
  std::unique_ptr<registry::Registry> registry_;
};

// A store that holds the last ticket made.
class OneTicket final : public model::TicketStore {
 public:
  Status add(const model::TicketRecord& made, int64_t) override {
    record = made;
    used = false;
    return {};
  }
  Result<model::TicketRecord> use(std::string_view sha256, bool resuming, int64_t) override {
    if (sha256 != record.sha256 || (used && !resuming)) return Error{Code::unauthenticated, "a test"};
    used = true;
    return record;
  }
  Status renew(uint64_t, const model::Grants&, const std::vector<model::TopicPattern>&, int64_t) override { return {}; }
  Status give_back(std::string_view) override {
    used = false;
    return {};
  }

  model::TicketRecord record;
  bool used = false;
};

// What a request was answered with; the first answer ends the loop.
struct Answer {
  bool client_gone = false;
  int status = 0;
  http::Headers headers;
  std::string text;
};

class FakeExchange final : public http::Exchange {
 public:
  // `answered`: called on the loop, once, when the answer begins.
  FakeExchange(http::Request request, net::Loop& loop, Answer& answer, std::function<void()> answered)
      : request_(std::move(request)), loop_(loop), answer_(answer), answered_(std::move(answered)) {}
  const http::Request& request() const override { return request_; }
  http::Request& request() override { return request_; }
  net::Loop& loop() override { return loop_; }
  bool open() const override { return !answer_.client_gone; }
  void respond(http::Response response) override {
    answer_.status = response.status;
    answer_.headers = response.headers;
    answer_.text = response.body;
    answered_();
  }
  std::unique_ptr<ByteSink> start_stream(http::Response head) override {
    answer_.status = head.status;
    answered_();
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
  const std::function<void()> answered_;
};

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() {
    grants.account = *model::AccountId::parse("demo");
    grants.roles = model::Roles().with(model::Role::viewer);
    become(grants);
    context.shards.push_back({&loop, &shard});
    context.ready = true;
    add_stream_routes(router, context);
    add_backfill_routes(router, context);
    add_series_routes(router, context);
    add_backtest_routes(router, context);
    add_stats_routes(router, context);
    add_operation_routes(router, context);
  }

  // Goes on with another key, which allows this.
  void become(const model::Grants& allowed) {
    const auth::NewApiKey made = auth::make_api_key("a test", allowed, kStart);
    EXPECT_TRUE(registry->api_keys().add(made.record).ok());
    key = made.text;
    key_id = made.record.key_id;
  }

  // `meanwhile` happens on the loop, after the question was taken and before a reader thread has a moment for it.
  Answer ask(const std::string& path, const std::string& query, const std::function<void(Answer&)>& meanwhile,
             const std::string& accept = "*/*") {
    http::Request request{.method = "GET", .path = path, .query = *http::Query::parse(query)};
    request.headers.add("Accept", accept);
    return ask(std::move(request), meanwhile);
  }

  Answer ask(http::Request request, const std::function<void(Answer&)>& meanwhile) {
    request.headers.add("Authorization", "Bearer " + key);
    Answer answer;
    const auto go = std::make_shared<std::latch>(1);
    EXPECT_TRUE(readers.post([go] { go->wait(); }));
    loop.post([&] {
      const http::Handler* handler = router.find(request.method, request.path).handler;
      (*handler)(std::make_shared<FakeExchange>(std::move(request), loop, answer, [this] { loop.stop(); }));
      meanwhile(answer);
      go->count_down();
    });
    loop.run();
    return answer;
  }

  ManualClock clock{kStart};
  metrics::Registry metrics;
  FakeLog log;
  NoReplay replay;
  TemporaryRegistry registry;
  std::string key;
  std::string key_id;
  model::Grants grants;
  history::LatestValues latest{kDayMs};
  history::AlertBook alerts{{.retention_ms = kDayMs}};
  rules::RuleBoard rule_board;
  auth::Authenticator authenticator{{}, registry->api_keys(), registry->login_sessions(), clock, std::nullopt};
  OneTicket tickets;
  ingest::Validator validator{{}, metrics};
  notify::Channels channels;
  notify::DeliveryBook deliveries;
  net::Loop loop{clock};
  hub::StreamPlaces stream_places{{.per_credential_max = 3}};
  auth::LoginThrottle login_throttle{{}};
  auth::RateLimits ingest_rates{{}};
  hub::Shard shard{{}, {kStart, 0}, replay, clock, metrics, [] {}};
  WorkQueue workers{"test", 1, 10};
  WorkQueue readers{"test", 1, 10};
  WorkQueue series{"test", 1, 10};
  WorkQueue backtests{"test", 1, kBacktestsWaitingMax};
  Context context{.clock = clock,
                  .metrics = metrics,
                  .log = log,
                  .latest = latest,
                  .alerts = alerts,
                  .rule_board = rule_board,
                  .authenticator = authenticator,
                  .registry = *registry,
                  .tickets = tickets,
                  .validator = validator,
                  .channels = channels,
                  .deliveries = deliveries,
                  .readers = readers,
                  .series = series,
                  .workers = workers,
                  .registry_work = workers,
                  .changes = workers,
                  .hashers = workers,
                  .version = "test",
                  .retention_ms = kDayMs,
                  .stream_places = stream_places,
                  .backtests = backtests,
                  .login_throttle = login_throttle,
                  .ingest_rates = ingest_rates,
                  .trusted_proxies = {},
                  .sessions_max = 1,
                  .shards = {}};
  http::Router router;
};

}  // namespace millstream::api
