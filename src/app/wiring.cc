#include "app/wiring.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

#include "api/context.h"
#include "api/influx_error.h"
#include "api/routes.h"
#include "api/rule_change.h"
#include "app/certificate.h"
#include "app/channel_sender.h"
#include "app/channel_settings.h"
#include "app/checkpoint_copies.h"
#include "app/descriptor_limit.h"
#include "app/embedded_files.h"
#include "app/engine_runner.h"
#include "app/feed_sink.h"
#include "app/http_client.h"
#include "app/influx_history.h"
#include "app/io_thread.h"
#include "app/issuer_keys.h"
#include "app/jwt_settings.h"
#include "app/node_name.h"
#include "app/open_registry.h"
#include "app/sqs_transport.h"
#include "auth/authenticator.h"
#include "auth/password.h"
#include "base/log_line.h"
#include "connect/mqtt_feed.h"
#include "connect/redis_feed.h"
#include "connect/redis_mirror.h"
#include "connect/sqs_feed.h"
#include "history/alert_book.h"
#include "history/latest_values.h"
#include "http/static_files.h"
#include "hub/framed_batch.h"
#include "ingest/validator.h"
#include "log/redis/redis_event_log.h"
#include "log/redis/redis_lease.h"
#include "log/sqlite_event_log.h"
#include "metrics/registry.h"
#include "net/socket.h"
#include "net/tls.h"
#include "notify/notifier.h"
#include "presence/presence_engine.h"
#include "registry/private_file.h"
#include "registry/registry.h"
#include "registry/tickets.h"
#include "rules/rule_engine.h"

namespace millstream::app {
namespace {

constexpr size_t kReaderThreads = 2;
constexpr size_t kReaderJobsMax = 4096;
constexpr size_t kSeriesThreads = 2;
constexpr size_t kSeriesJobsMax = 128;  // each may read the whole log
constexpr size_t kWorkerThreads = 2;
constexpr size_t kWorkerJobsMax = 256;
constexpr size_t kRegistryThreads = 2;  // one for each of its connections
constexpr size_t kRegistryJobsMax = 256;
constexpr size_t kChangeJobsMax = 64;
constexpr size_t kHasherThreadsMax = 2;
constexpr size_t kHasherJobsMax = 32;  // at 25 ms each; beyond, whoever signs in is asked to come back
constexpr size_t kDevicesMax = 1'000'000;
constexpr int64_t kFarewellMs = 1000;  // at the end, for answers under way and the last words of streams

// Frames a committed batch once and hands it to every I/O thread.
class Dispatcher final : public log::CommitReader {
 public:
  explicit Dispatcher(metrics::Registry& metrics)
      : events_in_(metrics.counter("millstream_events_committed_total", "Events made durable and handed to viewers")) {}

  void on_commit(const log::CommittedBatchPtr& batch) override {
    events_in_.add(batch->events.size());
    const auto frames = std::make_shared<const hub::FramedBatch>(batch->events, batch->through, batch->committed_at_us);
    const auto* io_threads = io_threads_.load(std::memory_order_acquire);
    if (!io_threads) return;  // starting: only ticks come, nobody can append yet
    for (const std::unique_ptr<IoThread>& io : *io_threads) {
      io->loop().post([&shard = io->shard(), frames, lost = batch->lost] {
        shard.deliver(frames);
        for (const log::IdRange& ids : lost) shard.declare_lost(ids.after, ids.to);
      });
    }
  }

  // The threads must be complete by then, and outlive the log's thread.
  void deliver_to(const std::vector<std::unique_ptr<IoThread>>& io_threads) { io_threads_ = &io_threads; }

 private:
  std::atomic<const std::vector<std::unique_ptr<IoThread>>*> io_threads_{nullptr};
  metrics::Counter& events_in_;
};

// Hands commits to the mirrors, which keep the batch and not a copy.
class MirrorReader final : public log::CommitReader {
 public:
  explicit MirrorReader(const std::vector<std::unique_ptr<connect::RedisMirror>>& mirrors) : mirrors_(mirrors) {}
  void on_commit(const log::CommittedBatchPtr& batch) override {
    const connect::RedisMirror::Batch events(batch, &batch->events);
    for (const std::unique_ptr<connect::RedisMirror>& mirror : mirrors_) mirror->offer(events);
  }

 private:
  const std::vector<std::unique_ptr<connect::RedisMirror>>& mirrors_;
};

model::Grants development_grants(const Config& config) {
  model::Grants grants;
  grants.subject = "development";
  // check_config() has parsed the name.
  grants.account = *model::AccountId::parse(config.auth.development_account);
  grants.roles = model::Roles().with(model::Role::admin);
  return grants;
}

auth::ThrottleOptions throttle_options(const Config::Auth& auth) {
  // The first failures are free of a wait: anyone mistypes.
  const auto rule = [](int64_t free, int64_t max) {
    return auth::ThrottleRule{static_cast<int>(std::min(free, max - 1)), static_cast<int>(max)};
  };
  return {.user = rule(3, auth.login_failures_per_user_max),
          .address = rule(10, auth.login_failures_per_address_max),
          .window_ms = auth.login_window_ms};
}

bool has_secure_cookies(const Config& config) { return config.tls.enabled() || config.auth.secure_cookies; }

// Whether session cookies cross a network that others may read.
bool has_exposed_cookies(const Config& config) {
  const Result<ListenAddress> listen = parse_listen(config.server.listen);
  return !has_secure_cookies(config) && !(listen && listen->loopback);
}

// Exact origins only, and never a wildcard with credentials.
void add_cors(const std::vector<std::string>& origins, const http::Request& request, http::Response& response) {
  const std::string_view origin = request.headers.get("origin");
  if (origins.empty() || origin.empty()) return;
  response.headers.add("Vary", "Origin");
  if (std::find(origins.begin(), origins.end(), origin) == origins.end()) return;
  response.headers.add("Access-Control-Allow-Origin", std::string(origin));
  response.headers.add("Access-Control-Allow-Credentials", "true");
  response.headers.add("Access-Control-Expose-Headers",
                       "ETag, Location, Retry-After, Content-Disposition, X-Next-Cursor, X-Last-Id, X-Missing, "
                       "X-Truncated, Idempotency-Replayed");
  if (request.method != "OPTIONS") return;
  response.headers.add("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS");
  response.headers.add("Access-Control-Allow-Headers",
                       "Authorization, Content-Type, If-Match, If-None-Match, Last-Event-ID, Idempotency-Key");
  response.headers.add("Access-Control-Max-Age", "600");
}

IoThreadOptions io_options(const Config& config) {
  const Config::Stream& stream = config.stream;
  IoThreadOptions options;
  options.replay = {.retention_ms = config.storage.retention_ms,
                    .replay_events_max = static_cast<size_t>(stream.replay_events_max)};
  options.shard = {.node = node_name(),
                   .session_queue_bytes_max = static_cast<size_t>(stream.session_queue_bytes_max),
                   .replay_ring_bytes_max = static_cast<size_t>(stream.replay_ring_bytes_max),
                   .replay_events_max = static_cast<size_t>(stream.replay_events_max),
                   .session_queue_ms_max = stream.session_queue_ms_max,
                   .slow_lag_ms_max = stream.slow_lag_ms_max,
                   .telemetry_per_second_max = stream.telemetry_per_second_max,
                   .slow_timeout_ms = stream.slow_timeout_ms,
                   .comment_interval_ms = stream.comment_interval_ms,
                   .heartbeat_interval_ms = stream.heartbeat_interval_ms,
                   .retry_min_ms = static_cast<int>(stream.retry_min_ms),
                   .retry_max_ms = static_cast<int>(stream.retry_max_ms)};
  options.limits.header_timeout_ms = config.server.header_timeout_ms;
  options.limits.socket_unsent_bytes_max = static_cast<int>(config.server.unsent_bytes_max);
  options.limits.idle_timeout_ms = config.server.idle_timeout_ms;
  options.limits.http2_streams_max = static_cast<uint32_t>(config.server.http2_streams_max);
  options.limits.connections_max = static_cast<size_t>(config.server.connections_max);
  options.hooks.error = api::error_at;
  options.hooks.decorate = [origins = config.server.cors_origins](const http::Request& request,
                                                                  http::Response& response) {
    add_cors(origins, request, response);
    if (!response.headers.has("X-Content-Type-Options")) response.headers.add("X-Content-Type-Options", "nosniff");
  };
  return options;
}

model::RuleRecords given_rules(const std::vector<model::Rule>& config, const std::vector<model::Rule>& file) {
  model::RuleRecords records;
  const auto give = [&](const std::vector<model::Rule>& rules, model::RuleSource source) {
    for (const model::Rule& rule : rules) {
      records.push_back(std::make_shared<const model::RuleRecord>(model::RuleRecord{.rule = rule, .source = source}));
    }
  };
  give(config, model::RuleSource::config);
  give(file, model::RuleSource::file);
  return records;
}

presence::PresenceOptions presence_options(const Config::Presence& presence) {
  return {.stale_after_ms = presence.stale_after_ms,
          .offline_after_ms = presence.offline_after_ms,
          .offline_delay_ms = presence.offline_delay_ms,
          .learn = presence.learn,
          .learn_stale_factor = presence.learn_stale_factor,
          .learn_offline_factor = presence.learn_offline_factor,
          .learn_max_ms = presence.learn_max_ms};
}

log::SqliteEventLogOptions sqlite_log_options(const Config& config) {
  log::SqliteEventLogOptions options;
  options.directory = config.server.data_directory + "/log";
  options.retention_ms = config.storage.retention_ms;
  options.append_queue_events_max = static_cast<size_t>(config.storage.append_queue_events_max);
  options.append_queue_bytes_max = static_cast<size_t>(config.storage.append_queue_bytes_max);
  options.sync_commits = config.storage.sync_commits;
  return options;
}

Result<redis::Options> redis_options(const Config::Redis& redis) {
  Result<redis::Options> options = redis::parse_url(redis.url);
  if (!options) return Error{Code::invalid, "redis.url: " + options.error().detail};
  options->ca_file = redis.ca_file;
  options->certificate_file = redis.certificate_file;
  options->key_file = redis.key_file;
  options->connect_timeout_ms = redis.timeout_ms;
  return options;
}

log::RedisEventLogOptions redis_log_options(const Config& config, const redis::Options& server) {
  return {.server = server,
          .prefix = config.redis.name,
          .retention_ms = config.storage.retention_ms,
          .events_max = static_cast<uint64_t>(config.redis.events_max),
          .bytes_max = static_cast<uint64_t>(config.redis.bytes_max),
          .append_queue_events_max = static_cast<size_t>(config.storage.append_queue_events_max),
          .append_queue_bytes_max = static_cast<size_t>(config.storage.append_queue_bytes_max),
          .timeout_ms = config.redis.timeout_ms,
          .replicas_min = static_cast<int>(config.redis.replicas_min)};
}

int io_thread_count(const Config& config) {
  const int cores = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  return config.server.io_threads > 0 ? static_cast<int>(config.server.io_threads) : cores;
}

// Without descriptors the log cannot open its next file: connections get only what it leaves over.
Config with_room(Config config) {
  const int64_t limit = raise_descriptor_limit();
  const int64_t possible = connections_within(limit, io_thread_count(config), config.server.connections_max);
  if (possible < config.server.connections_max) {
    log_warning("the limit of open files (ulimit -n) allows fewer connections than configured",
                {{"limit", limit}, {"connections_per_io_thread", possible}});
    config.server.connections_max = possible;
  }
  return config;
}

}  // namespace

struct Server::Parts {
  SystemClock clock;
  metrics::Registry metrics;
  std::unique_ptr<registry::Registry> registry;
  std::unique_ptr<registry::Tickets> tickets;
  std::unique_ptr<IssuerKeys> issuer_keys;
  std::unique_ptr<log::EventLog> log;
  log::RedisEventLog* shared_log = nullptr;  // `log`, where several instances share it
  std::unique_ptr<log::RedisLease> lease;    // null: this instance is the only one
  std::unique_ptr<CheckpointCopies> copies;  // null: the log's checkpoints are the only ones
  std::unique_ptr<history::LatestValues> latest;
  std::unique_ptr<history::AlertBook> alerts;
  std::unique_ptr<presence::PresenceEngine> presence;
  std::unique_ptr<rules::RuleEngine> rules;
  notify::Channels channels;
  rules::Limits rule_limits;
  std::unique_ptr<notify::Notifier> notifier;
  std::unique_ptr<EngineRunner> runner;
  std::unique_ptr<InfluxHistory> influx;  // null: telemetry goes to no InfluxDB
  std::unique_ptr<Dispatcher> dispatcher;
  std::unique_ptr<hub::StreamPlaces> stream_places;  // outlives the sessions
  std::unique_ptr<WorkQueue> readers;
  std::unique_ptr<WorkQueue> series;
  std::unique_ptr<WorkQueue> backtests;
  std::unique_ptr<WorkQueue> workers;
  std::unique_ptr<WorkQueue> registry_work;
  std::unique_ptr<WorkQueue> changes;
  std::unique_ptr<WorkQueue> hashers;
  std::unique_ptr<auth::LoginThrottle> login_throttle;
  std::unique_ptr<auth::RateLimits> ingest_rates;
  std::unique_ptr<auth::Authenticator> authenticator;
  std::unique_ptr<ingest::Validator> validator;
  std::unique_ptr<FeedSink> feed_sink;
  std::vector<std::unique_ptr<connect::MqttFeed>> feeds;
  std::vector<std::unique_ptr<connect::RedisFeed>> redis_feeds;
  std::vector<std::unique_ptr<connect::SqsFeed>> sqs_feeds;
  std::vector<std::unique_ptr<connect::RedisMirror>> mirrors;
  std::unique_ptr<MirrorReader> mirror_reader;  // null: there are no mirrors
  std::vector<std::unique_ptr<ChannelSender>> senders;
  std::unique_ptr<api::Context> context;
  http::Router router;
  std::shared_ptr<http::BodyBudget> bodies;
  std::shared_ptr<net::TlsContext> tls;  // null: in the clear
  std::vector<std::unique_ptr<IoThread>> io_threads;
  std::string url;
  Config as_started;
  bool acting = false;  // feeds and senders run
  bool stopped = false;

  void warn_of(const Config& config);
  rules::Configuration rule_configuration() const;
  notify::Configuration notify_configuration() const;
  void reconfigure();
  Status open_storage(const Config& config);
  void make_context(const Config& config, const std::string& version);
  void make_io_threads(const Config& config);
  // Of all instances this one reads brokers and channels, and sends notifications.
  bool acts() const { return !lease || runner->draws(); }
  void make_mirrors(const Config& config);
  void make_redis_feeds(const Config& config);
  void stop_redis_feeds();
  void make_sqs_feeds(const Config& config);
  void stop_sqs_feeds();
  void make_feeds(const Config& config);
  void stop_feeds();
  void make_senders(const Config& config);
  void stop_senders();
  Status start_lease();
  void heed_lease();
  Status open_tls(const Config& config);
  Status listen(const Config& config);
  void add_gauges();
};

rules::Configuration Server::Parts::rule_configuration() const {
  rules::Configuration configuration{
      .rules = registry->rules().in_force(), .attributes = {}, .limits = rule_limits, .gateways = {}};
  for (const auto& [device, settings] : registry->devices().settings()) {
    if (!settings.attributes.empty()) configuration.attributes.emplace(device, settings.attributes);
    if (!settings.parent.empty()) configuration.gateways.emplace(device, settings.parent);
  }
  return configuration;
}

notify::Configuration Server::Parts::notify_configuration() const {
  return {registry->rules().in_force(), channels, registry->silences().all()};
}

// What the registry says by now, for engines that take over from those of another instance.
void Server::Parts::reconfigure() {
  presence->configure(registry->devices().settings());
  rules->configure(rule_configuration());
  notifier->configure(notify_configuration());
}

Status Server::Parts::open_storage(const Config& config) {
  // Whatever else is kept elsewhere, what waits for InfluxDB is here.
  if (Status s = registry::make_private_directory(config.server.data_directory); !s) return s;
  const registry::RegistryOptions known{
      .login_sessions = {.idle_ms = config.auth.session_idle_ms},
      .devices = {.devices_per_account_max = static_cast<size_t>(config.ingest.devices_per_account_max)},
      .silences = {.silences_per_account_max = static_cast<size_t>(config.alerts.silences_per_account_max)},
      .rules = {.rules_per_account_max = static_cast<size_t>(config.alerts.rules_per_account_max)}};
  Result<std::unique_ptr<registry::Registry>> opened = await_registry(config, known);
  if (!opened) return opened.error();
  registry = std::move(*opened);
  Result<std::unique_ptr<registry::Tickets>> ticket_file = open_tickets(config);
  if (!ticket_file) return ticket_file.error();
  tickets = std::move(*ticket_file);

  if (!config.redis.url.empty()) {
    const Result<redis::Options> server = redis_options(config.redis);
    if (!server) return server.error();
    auto stream = log::make_redis_event_log(redis_log_options(config, *server), clock, metrics);
    shared_log = stream.get();
    log = std::move(stream);
    lease = std::make_unique<log::RedisLease>(log::RedisLeaseOptions{.server = *server,
                                                                     .prefix = config.redis.name,
                                                                     .node = node_name(),
                                                                     .duration_ms = config.redis.lease_ms,
                                                                     .timeout_ms = config.redis.timeout_ms},
                                              clock, metrics);
  } else {
    log = log::make_sqlite_event_log(sqlite_log_options(config), clock, metrics);
  }

  const auto gateway_of = [&devices = registry->devices()](const model::Topic& device) {
    return devices.gateway_of(device);
  };
  latest = std::make_unique<history::LatestValues>(config.storage.retention_ms, kDevicesMax, gateway_of);
  alerts = std::make_unique<history::AlertBook>(history::AlertBookOptions{.retention_ms = config.storage.retention_ms});
  registry->rules().give(given_rules(config.rules, config.alerts.rules_of_file));
  channels = channel_names(config.channels);
  rule_limits = {.rule_instances_per_account_max = config.alerts.rule_instances_per_account_max,
                 .rule_evaluations_per_second_max = config.alerts.rule_evaluations_per_second_max};
  presence =
      std::make_unique<presence::PresenceEngine>(presence_options(config.presence), registry->devices().settings());
  rules = std::make_unique<rules::RuleEngine>(rule_configuration());
  notifier = std::make_unique<notify::Notifier>(notify_configuration());
  dispatcher = std::make_unique<Dispatcher>(metrics);
  const std::vector<model::Engine*> engines{latest.get(), presence.get(), rules.get(), alerts.get(), notifier.get()};
  EngineRunnerOptions runner_options;
  if (lease) {
    runner_options.shared = SharedLog{.lease = lease.get(),
                                      .hold = [this](std::optional<uint64_t> fence) { shared_log->hold(fence); },
                                      .reconfigure = [this] { reconfigure(); }};
    if (!config.postgres.url.empty()) {
      Result<std::unique_ptr<registry::Checkpoints>> stored = registry::Checkpoints::open(postgres_options(config));
      if (!stored) return stored.error();
      copies = std::make_unique<CheckpointCopies>(std::move(*stored));
      runner_options.shared->save_copy = [this](uint64_t fence, const log::Checkpoint& checkpoint) {
        copies->save(fence, checkpoint);
      };
      runner_options.shared->load_copy = [this] { return copies->load(); };
    }
  }
  runner = std::make_unique<EngineRunner>(*log, engines, clock, metrics, runner_options);
  if (!config.influx.url.empty()) {
    influx = std::make_unique<InfluxHistory>(config, *log, clock, metrics, [this] { return acts(); });
  }
  return {};
}

void Server::Parts::make_context(const Config& config, const std::string& version) {
  // What is read again gives way to what is live.
  const auto reading = [](const char* name, size_t threads, size_t jobs_max) {
    return std::make_unique<WorkQueue>(name, threads, jobs_max, WorkQueue::AtStop::drop,
                                       WorkQueue::Priority::background);
  };
  // At most half the cores: a flood of guesses from everywhere must leave the streams alone.
  const size_t hasher_threads = std::clamp<size_t>(std::thread::hardware_concurrency() / 2, 1, kHasherThreadsMax);
  readers = reading("ms-read", kReaderThreads, kReaderJobsMax);
  series = reading("ms-series", kSeriesThreads, kSeriesJobsMax);
  // Of all that is asked for they take the longest, and so give way to everything.
  backtests = std::make_unique<WorkQueue>("ms-past", 1, api::kBacktestsWaitingMax, WorkQueue::AtStop::drop,
                                          WorkQueue::Priority::last);
  // Parsing can use every core there is: what is live, and the small requests among it, comes first.
  workers = std::make_unique<WorkQueue>("ms-work", kWorkerThreads, kWorkerJobsMax, WorkQueue::AtStop::run,
                                        WorkQueue::Priority::background);
  registry_work = std::make_unique<WorkQueue>("ms-registry", kRegistryThreads, kRegistryJobsMax);
  changes = std::make_unique<WorkQueue>("ms-change", 1, kChangeJobsMax);
  hashers = std::make_unique<WorkQueue>("ms-hash", hasher_threads, kHasherJobsMax, WorkQueue::AtStop::drop,
                                        WorkQueue::Priority::last);
  // Made before anyone asks: the first unknown user must take no longer than the others.
  static_cast<void>(hashers->post([] { auth::verify_nobody({}); }));
  login_throttle = std::make_unique<auth::LoginThrottle>(throttle_options(config.auth));
  ingest_rates = std::make_unique<auth::RateLimits>(
      auth::RateOptions{.per_credential = config.ingest.points_per_second_per_credential_max,
                        .per_account = config.ingest.points_per_second_per_account_max});
  stream_places = std::make_unique<hub::StreamPlaces>(
      hub::StreamPlaceLimits{.per_credential_max = static_cast<size_t>(config.stream.streams_per_credential_max),
                             .per_account_max = static_cast<size_t>(config.stream.streams_per_account_max)});
  std::optional<model::Grants> open;
  if (config.auth.development) open = development_grants(config);
  issuer_keys = std::make_unique<IssuerKeys>(config, clock, metrics);
  authenticator = std::make_unique<auth::Authenticator>(
      jwt_options(config.auth), registry->api_keys(), registry->login_sessions(), clock, open, &issuer_keys->issuers());
  validator =
      std::make_unique<ingest::Validator>(ingest::ValidatorOptions{.default_site = config.ingest.default_site,
                                                                   .default_device = config.ingest.default_device,
                                                                   .retention_ms = config.storage.retention_ms},
                                          metrics);
  std::function<influx::WriterState()> influx_state;
  if (influx) influx_state = [this] { return influx->state(); };
  context.reset(new api::Context{.clock = clock,
                                 .metrics = metrics,
                                 .log = *log,
                                 .latest = *latest,
                                 .alerts = *alerts,
                                 .rule_board = rules->board(),
                                 .authenticator = *authenticator,
                                 .registry = *registry,
                                 .tickets = *tickets,
                                 .validator = *validator,
                                 .channels = channels,
                                 .deliveries = notifier->book(),
                                 .readers = *readers,
                                 .series = *series,
                                 .workers = *workers,
                                 .registry_work = *registry_work,
                                 .changes = *changes,
                                 .hashers = *hashers,
                                 .version = version,
                                 .retention_ms = config.storage.retention_ms,
                                 .started_at_ms = clock.wall_ms(),
                                 .gzip_streams = config.stream.gzip,
                                 .stream_places = *stream_places,
                                 .backtests = *backtests,
                                 .topics_max = static_cast<size_t>(config.stream.topics_max),
                                 .login_throttle = *login_throttle,
                                 .ingest_rates = *ingest_rates,
                                 .session_cookie = auth::SessionCookie(has_secure_cookies(config)),
                                 .session_max_ms = config.auth.session_max_ms,
                                 .influx_state = influx_state,
                                 .allowed_origins = config.server.cors_origins,
                                 // check_config() has parsed them.
                                 .trusted_proxies = *api::TrustedProxies::parse(config.server.trusted_proxies),
                                 .sessions_max = static_cast<size_t>(config.stream.streams_max),
                                 .connections_for_streams = connections_for_streams(config.server.connections_max),
                                 .shards = {}});
  api::add_routes(router, *context);
  const http::Handler files = http::make_static_handler(embedded_files());
  router.add("GET", "/api/openapi.json", 0, files);
  router.set_fallback([files](const http::ExchangePtr& exchange) {
    if (!exchange->request().path.starts_with("/api/")) return files(exchange);
    exchange->respond(api::error_at(exchange->request().path, 404, "nothing is at this path"));
  });
}

void Server::Parts::make_io_threads(const Config& config) {
  const int count = io_thread_count(config);
  bodies = std::make_shared<http::BodyBudget>(static_cast<size_t>(config.server.bodies_bytes_max));
  IoThreadOptions options = io_options(config);
  options.bodies = bodies;
  for (int i = 0; i < count; ++i) {
    IoThreadOptions own = options;
    own.shard.seed = static_cast<uint64_t>(clock.wall_ms()) * 64 + static_cast<uint64_t>(i);
    io_threads.push_back(std::make_unique<IoThread>(own, log->last_id(), *log, *readers, clock, metrics, router));
    IoThread& thread = *io_threads.back();
    context->shards.push_back(
        {&thread.loop(), &thread.shard(), [&thread] { return thread.server().connections(); }, &thread.replays()});
  }
  dispatcher->deliver_to(io_threads);
}

// Before the log starts, which tells its readers of every commit.
void Server::Parts::make_mirrors(const Config& config) {
  for (connect::RedisFeedOptions feed : config.redis_feeds) {
    if (feed.mirror_channel.empty()) continue;
    feed.may_inject = [this] { return acts(); };
    mirrors.push_back(std::make_unique<connect::RedisMirror>(feed, clock, metrics));
    mirrors.back()->start();
  }
  if (mirrors.empty()) return;
  mirror_reader = std::make_unique<MirrorReader>(mirrors);
  log->add_reader(*mirror_reader);
}

// Messages of a channel come to every instance: only the one that acts takes them.
void Server::Parts::make_redis_feeds(const Config& config) {
  // The setting's reader has checked the name.
  feed_sink = std::make_unique<FeedSink>(*context, *model::SiteId::parse(config.ingest.default_site));
  for (connect::RedisFeedOptions feed : config.redis_feeds) {
    feed.may_inject = [this] { return acts(); };
    redis_feeds.push_back(std::make_unique<connect::RedisFeed>(feed, *feed_sink, clock, metrics));
    redis_feeds.back()->start();
  }
}

void Server::Parts::make_feeds(const Config& config) {
  for (const connect::FeedOptions& feed : config.feeds) {
    feeds.push_back(std::make_unique<connect::MqttFeed>(feed, *feed_sink, clock, metrics));
  }
}

void Server::Parts::stop_feeds() {
  for (const auto& feed : feeds) feed->ask_to_stop();
  for (const auto& feed : feeds) feed->stop();
}

void Server::Parts::stop_redis_feeds() {
  for (const auto& feed : redis_feeds) feed->ask_to_stop();
  for (const auto& feed : redis_feeds) feed->stop();
}

// Every instance polls: a queue shares its messages, and what any of them stores is in the log that all share.
void Server::Parts::make_sqs_feeds(const Config& config) {
  for (const SqsSettings& sqs : config.sqs) {
    sqs_feeds.push_back(
        std::make_unique<connect::SqsFeed>(sqs.feed, make_sqs_transport(sqs.access), *feed_sink, clock, metrics));
    sqs_feeds.back()->start();
  }
}

void Server::Parts::stop_sqs_feeds() {
  for (const auto& feed : sqs_feeds) feed->ask_to_stop();
  for (const auto& feed : sqs_feeds) feed->stop();
}

void Server::Parts::make_senders(const Config& config) {
  for (const ChannelOptions& channel : config.channels) {
    senders.push_back(std::make_unique<ChannelSender>(channel, config.alerts.external_url, channels, notifier->book(),
                                                      *log, clock, metrics));
  }
}

void Server::Parts::stop_senders() {
  for (const auto& sender : senders) sender->ask_to_stop();
  for (const auto& sender : senders) sender->stop();
}

Status Server::Parts::start_lease() {
  if (!lease) return {};
  const Result<uint64_t> fence = copies ? copies->newest_fence() : Result<uint64_t>(0);
  if (!fence) return fence.error();
  lease->start(*fence);
  return {};
}

// Brokers are read and notifications sent by the one that draws the conclusions.
void Server::Parts::heed_lease() {
  const bool now = acts();
  if (now == std::exchange(acting, now)) return;
  if (!now) {
    stop_feeds();
    stop_senders();
    feeds.clear();
    senders.clear();
    return;
  }
  make_feeds(as_started);
  for (const auto& feed : feeds) feed->start();
  make_senders(as_started);
  for (const auto& sender : senders) sender->start();
}

Status Server::Parts::open_tls(const Config& config) {
  if (!config.tls.enabled()) return {};
  const Result<CertificatePem> pem =
      config.tls.self_signed ? self_signed_certificate(config, clock) : read_certificate(config.tls);
  if (!pem) return pem.error();
  Result<std::shared_ptr<net::TlsContext>> made = net::TlsContext::make(pem->chain, pem->key);
  if (!made) return Error{Code::invalid, config.tls.certificate_file + ": " + made.error().detail};
  tls = std::move(*made);
  if (config.tls.self_signed) {
    log_warning("self-signed certificate: browsers will ask, programs must be given it",
                {{"file", self_signed_path(config)}});
  }
  return {};
}

// Every I/O thread listens on the same port; the kernel shares the connections out.
Status Server::Parts::listen(const Config& config) {
  std::string address = config.server.listen;
  for (const std::unique_ptr<IoThread>& io : io_threads) {
    const Result<int> fd = net::listen_tcp(address, {.reuse_port = true});
    if (!fd) return fd.error();
    if (url.empty()) {
      const Result<uint16_t> port = net::bound_port(*fd);
      if (!port) return port.error();
      address = address.substr(0, address.rfind(':') + 1) + std::to_string(*port);
      url = (tls ? "https://" : "http://") + address;
    }
    io->server().listen(*fd, tls);
  }
  return {};
}

void Server::Parts::add_gauges() {
  metrics.gauge_from("millstream_log_queue_events", "Events waiting for the log",
                     [this] { return static_cast<int64_t>(log->queued_events()); });
  metrics.gauge_from("millstream_log_storage_full", "1: the last commit found no room on the disk",
                     [this] { return static_cast<int64_t>(log->storage() == log::Storage::full); });
  metrics.gauge_from("millstream_registry_away",
                     "1: the database of the registry did not answer when it was last asked",
                     [this] { return static_cast<int64_t>(!registry->is_reachable()); });
  metrics.gauge_from("millstream_reader_queue_jobs", "Reads of the past waiting for a thread",
                     [this] { return static_cast<int64_t>(readers->depth()); });
  metrics.gauge_from("millstream_http_body_bytes", "Request bodies being received or worked on",
                     [this] { return static_cast<int64_t>(bodies->held_bytes()); });
  metrics.gauge_from("millstream_series_queue_jobs", "Charts waiting for a thread",
                     [this] { return static_cast<int64_t>(series->depth()); });
  metrics.gauge_from("millstream_backtest_queue_jobs", "Rules waiting to be tried over the past",
                     [this] { return static_cast<int64_t>(backtests->depth()); });
  metrics.gauge_from("millstream_worker_queue_jobs", "Large bodies waiting for a thread",
                     [this] { return static_cast<int64_t>(workers->depth()); });
  metrics.gauge_from("millstream_registry_queue_jobs", "Readings and changes of the registry waiting for a thread",
                     [this] { return static_cast<int64_t>(registry_work->depth()); });
  if (tls) {
    metrics.gauge_from("millstream_tls_certificate_expires_seconds", "Unix time at which the certificate ends",
                       [this] { return tls->expires_at_s(); });
  }
  metrics.gauge_from("millstream_alerts_dropped", "Ended alerts left out of the book before their time",
                     [this] { return static_cast<int64_t>(alerts->ended_dropped()); });
  metrics.gauge_from("millstream_rule_events_shed",
                     "Telemetry events whose values rules did not look at: alerts.rule_evaluations_per_second_max",
                     [this] { return rules->board().events_shed(); });
  metrics.gauge_from("millstream_rule_instances_refused",
                     "Times a device could not be watched: alerts.rule_instances_per_account_max",
                     [this] { return rules->board().instances_refused(); });
  metrics.gauge_from("millstream_devices", "Devices heard of within the retention",
                     [this] { return static_cast<int64_t>(latest->device_count()); });
}

// What an operator must not forget is on: a line at the start, and a gauge to alert on.
void Server::Parts::warn_of(const Config& config) {
  metrics.gauge("millstream_insecure_development_mode", "1: everyone is admin, no credential is asked for")
      .set(config.auth.development ? 1 : 0);
  metrics.gauge("millstream_unsynced_commits", "1: events are acknowledged before they are on the disk")
      .set(config.storage.sync_commits ? 0 : 1);
  metrics.gauge("millstream_insecure_cookies", "1: session cookies go in the clear over a network")
      .set(has_exposed_cookies(config) ? 1 : 0);
  metrics.gauge("millstream_insecure_certificate", "1: the certificate is of our own making")
      .set(config.tls.self_signed ? 1 : 0);
  if (has_exposed_cookies(config)) {
    log_warning(
        "HTTP without TLS on an address that is not loopback: whoever is on the network reads passwords, keys and "
        "cookies; set [tls], or auth.secure_cookies behind a proxy that ends TLS");
  }
  if (config.auth.development) {
    log_warning("DEVELOPMENT MODE: every request without a credential is admin of account \"" +
                config.auth.development_account + "\"; never use this with real data");
  }
  for (const connect::FeedOptions& feed : config.feeds) {
    if (feed.broker.password.empty() || feed.broker.tls || net::is_loopback(feed.broker.host)) continue;
    log_warning("the broker's password goes over the network in the clear; use mqtts://", {{"feed", feed.name}});
  }
  for (const connect::RedisFeedOptions& feed : config.redis_feeds) {
    const auto is_near = [](const redis::Address& server) { return net::is_loopback(server.host); };
    const std::vector<redis::Address>& servers = feed.redis.servers;
    if (feed.redis.password.empty() || feed.redis.tls || std::all_of(servers.begin(), servers.end(), is_near)) continue;
    log_warning("the password of Redis goes over the network in the clear; use rediss://", {{"feed", feed.name}});
  }
  for (const SqsSettings& sqs : config.sqs) {
    if (check_fetch_url(sqs.access.endpoint)) continue;
    log_warning("messages of SQS, and the token of a session, go over the network in the clear; use https://",
                {{"feed", sqs.feed.name}});
  }
  const bool has_influx_secret = !config.influx.password.empty() || !config.influx.token.empty();
  if (has_influx_secret && !check_fetch_url(config.influx.url)) {
    log_warning("the credential for InfluxDB goes over the network in the clear; use https://");
  }
  if (!config.storage.sync_commits) {
    log_warning("storage.sync_commits is off: a power cut may take events that were acknowledged");
  }
}

Server::Server(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
Server::~Server() { stop(); }

Result<std::unique_ptr<Server>> Server::start(const Config& asked, const std::string& version) {
  const Config config = with_room(asked);
  auto parts = std::make_unique<Parts>();
  Parts& p = *parts;
  auto server = std::unique_ptr<Server>(new Server(std::move(parts)));
  p.warn_of(config);
  if (Status s = p.open_storage(config); !s) return s.error();
  p.make_context(config, version);
  if (Status s = p.issuer_keys->start(); !s) return s.error();
  p.log->add_reader(*p.dispatcher);
  p.log->add_reader(*p.runner);
  p.make_mirrors(config);
  if (p.influx) p.log->add_reader(*p.influx);
  if (Status s = p.log->start(); !s) return s.error();
  p.make_io_threads(config);
  if (Status s = p.runner->start(); !s) return s.error();
  if (Status s = p.influx ? p.influx->start() : Status(); !s) return s.error();
  if (Status s = p.open_tls(config); !s) return s.error();
  p.add_gauges();
  p.issuer_keys->wait_for_first();
  if (Status s = p.listen(config); !s) return s.error();
  for (const std::unique_ptr<IoThread>& io : p.io_threads) io->run();
  if (Status s = p.start_lease(); !s) return s.error();
  p.make_redis_feeds(config);
  p.make_sqs_feeds(config);
  p.as_started = config;
  p.heed_lease();
  p.context->ready = true;
  log_info("serving", {{"url", p.url},
                       {"version", version},
                       {"io_threads", p.io_threads.size()},
                       {"data", config.server.data_directory}});
  return server;
}

const std::string& Server::url() const { return parts_->url; }

size_t Server::sessions() const {
  size_t count = 0;
  for (const std::unique_ptr<IoThread>& io : parts_->io_threads) count += io->shard().sessions() + io->replays().size();
  return count;
}

void Server::refresh() {
  tell_storage();
  parts_->heed_lease();
  parts_->issuer_keys->refresh_files();
  keep_sessions_in_use();
  const registry::Registry::Refreshed refreshed = parts_->registry->refresh(parts_->clock.wall_ms());
  // After the registry has forgotten them: a stream asked for later is refused, one opened earlier is ended here.
  parts_->context->end_streams(refreshed.ended);
  // That its database is away the registry says itself, once.
  const bool away = !parts_->registry->is_reachable();
  if (!refreshed.status && !away) {
    log_warning("the registry could not be read or written; what is known stays valid",
                {{"reason", refreshed.status.error().detail}});
  }
}

// No event can say it: there is no room to store one.
void Server::tell_storage() {
  const std::string_view storage = log::storage_name(parts_->log->storage());
  for (const std::unique_ptr<IoThread>& io : parts_->io_threads) {
    io->loop().post([&shard = io->shard(), storage] { shard.set_storage(storage); });
  }
}

// An open stream is a use of its login session, though it makes no request.
void Server::keep_sessions_in_use() {
  registry::LoginSessions& sessions = parts_->registry->login_sessions();
  const std::vector<uint64_t> idle = sessions.nearly_idle(parts_->clock.wall_ms());
  if (idle.empty()) return;
  for (const std::unique_ptr<IoThread>& io : parts_->io_threads) {
    io->loop().post([&sessions, &io = *io, &clock = parts_->clock, idle] {
      sessions.touch(io.shard().in_use(idle), clock.wall_ms());
      sessions.touch(io.replays().in_use(idle), clock.wall_ms());
    });
  }
}

void Server::reload_certificate(const Config& config) {
  if (!parts_->tls || config.tls.self_signed) return;
  const Result<CertificatePem> pem = read_certificate(config.tls);
  const Status replaced = pem ? parts_->tls->replace(pem->chain, pem->key) : Status(pem.error());
  if (replaced) return log_info("the certificate was read again", {{"file", config.tls.certificate_file}});
  log_error("the new certificate is not used; the one in use stays",
            {{"file", config.tls.certificate_file}, {"reason", replaced.error().detail}});
}

void Server::reload_rules(const Config& config) {
  if (config.alerts.rules_file.empty()) return;
  Result<std::vector<model::Rule>> of_file = read_rules_of_file(config);
  if (!of_file) {
    return log_error("the rules file is not used; the rules in force stay", {{"reason", of_file.error().detail}});
  }
  const auto job = [this, given = given_rules(config.rules, *of_file), file = config.alerts.rules_file] {
    const Result<size_t> changed = api::replace_given_rules(*parts_->context, given);
    if (changed) return log_info("the rules file was read again", {{"file", file}, {"changed", *changed}});
    log_error("the rules file is not used; the rules in force stay", {{"reason", changed.error().detail}});
  };
  if (!parts_->changes->post(job)) log_error("the rules file is not used: too many changes of rules are waiting");
}

void Server::begin_drain(int64_t spread_ms) {
  parts_->context->draining = true;
  for (const std::unique_ptr<IoThread>& io : parts_->io_threads) {
    io->loop().post([&io = *io, spread_ms] {
      io.server().stop_listening();
      io.shard().drain(spread_ms);
      io.replays().drain(spread_ms);
    });
  }
}

void Server::stop() {
  Parts& p = *parts_;
  if (p.stopped) return;
  p.stopped = true;
  if (p.context) p.context->ready = false;
  p.stop_redis_feeds();
  p.stop_sqs_feeds();
  p.stop_feeds();
  p.stop_senders();
  if (p.workers) p.workers->stop();  // what they parse still reaches the log
  if (p.registry_work) p.registry_work->stop();
  if (p.changes) p.changes->stop();
  if (p.hashers) p.hashers->stop();
  if (p.runner) p.runner->stop();
  if (p.influx) p.influx->stop();
  if (p.log) p.log->stop();
  if (p.copies) p.copies->stop();
  if (p.lease) p.lease->stop();
  for (const auto& mirror : p.mirrors) mirror->stop();
  if (p.alerts) p.alerts->end_waiting();
  if (p.readers) p.readers->stop();  // reads that wait are dropped: nobody loses anything, and they could be thousands
  if (p.series) p.series->stop();
  if (p.backtests) p.backtests->stop();
  for (const std::unique_ptr<IoThread>& io : p.io_threads) {
    io->loop().post([&io = *io] { io.server().drain(); });  // answers that are ready still leave
  }
  const SystemClock clock;
  const int64_t deadline_ms = clock.steady_ms() + kFarewellMs;
  for (const std::unique_ptr<IoThread>& io : p.io_threads) {
    while (io->server().connections() > 0 && clock.steady_ms() < deadline_ms) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  for (const std::unique_ptr<IoThread>& io : p.io_threads) io->join();
  if (p.issuer_keys) p.issuer_keys->stop();
  if (!p.registry) return;
  if (const Status written = p.registry->flush(); !written) {
    log_warning("the last uses of credentials are not on disk", {{"reason", written.error().detail}});
  }
}

}  // namespace millstream::app
