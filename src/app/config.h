// app/config.h: everything an operator can set, with its default, in one place.
//
// Shapes   TOML file < environment MILLSTREAM_<SECTION>_<KEY> < flags --<section>.<key>=<value>. The words are the same
//          everywhere: [server] listen = …, MILLSTREAM_SERVER_LISTEN, --server.listen.
// Errors   unknown keys, wrong types, values out of range: refused with the file, line and key, exit 2.
// Thread   startup, then const
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "app/channel_options.h"
#include "app/sqs_settings.h"
#include "base/log_line.h"
#include "base/result.h"
#include "connect/feed_options.h"
#include "connect/redis_feed.h"
#include "model/rule.h"
#include "model/topic.h"

namespace millstream::app {

struct Config {
  struct Server {
    std::string listen = "127.0.0.1:8080";  // address:port; "[::1]:8080"; port 0: the kernel's choice
    std::string data_directory = "millstream-data";
    int io_threads = 0;                        // 0: one per core
    int64_t drain_ms = 10'000;                 // "drain" = "10s": how long SIGTERM lets viewers leave
    std::vector<std::string> cors_origins;     // exact origins; empty: same origin only
    std::vector<std::string> trusted_proxies;  // believed in X-Forwarded-For
    int64_t header_timeout_ms = 10'000;
    int64_t idle_timeout_ms = 75'000;
    int64_t unsent_bytes_max = 131'072;      // in the kernel, for one connection
    int64_t connections_max = 20'000;        // per I/O thread
    int64_t http2_streams_max = 1000;        // at once on one connection of HTTP/2
    int64_t bodies_bytes_max = 268'435'456;  // of request bodies being received or worked on, all together
  } server;

  // TLS is on when either way is chosen.
  struct Tls {
    std::string certificate_file;  // PEM: own certificate, then those of its issuers
    std::string key_file;          // PEM, readable by its owner only
    bool self_signed = false;      // a certificate of our own making, kept in the data directory

    bool enabled() const { return self_signed || !certificate_file.empty(); }
  } tls;

  // Where the registry and the tickets are when a URL is given; else in the data directory.
  struct Postgres {
    std::string url;             // postgresql://user@host:port/database?sslmode=…
    std::string password;        // or password_file, or in the URL; never a flag
    int64_t timeout_ms = 2'000;  // of each call
    std::string schema = "millstream";

    bool enabled() const { return !url.empty(); }
  } postgres;

  struct Log {
    LogLevel level = LogLevel::info;
    LogFormat format = LogFormat::text;
  } log;

  struct Auth {
    bool development = false;  // everyone is admin of development_account; loopback only
    std::string development_account = "demo";
    int64_t leeway_ms = 60'000;               // "leeway" = "1m": for clocks that differ
    int64_t session_max_ms = 12 * 3'600'000;  // "session_max" = "12h": then one signs in again
    int64_t session_idle_ms = 30 * 60'000;
    bool secure_cookies = false;                  // under HTTPS always; true: also behind a proxy that ends TLS
    int64_t login_failures_per_user_max = 10;     // in login_window_ms
    int64_t login_failures_per_address_max = 30;  // the same
    int64_t login_window_ms = 15 * 60'000;
    std::string jwt_secret;  // or jwt_secret_file; never a flag (argv is readable by others)
    std::string jwt_issuer;
    std::string jwt_audience;
    std::string jwks_file;  // JSON Web Key Set: who may sign tokens beside the secret
    std::string jwks_url;   // or by URL
    std::string jwks_ca_file;
    int64_t jwks_refresh_ms = 600'000;
    int64_t jwks_refetch_min_ms = 30'000;  // between two fetches that tokens with an unknown key bring about
    std::string account_claim = "accountId";
    std::string sites_claim = "sites";
    std::string devices_claim = "devices";
    std::string roles_claim = "roles";
  } auth;

  struct Storage {
    int64_t retention_ms = 86'400'000;  // "retention" = "24h"
    int64_t append_queue_events_max = 100'000;
    int64_t append_queue_bytes_max = 134'217'728;
    bool sync_commits = true;
  } storage;

  // With a url the log is a Redis stream that several instances share.
  struct Redis {
    std::string url;                  // never with a password as a flag
    std::string name = "millstream";  // of the deployment: several may share a Redis
    std::string ca_file;              // PEM: who alone may vouch for the server; empty: those the system trusts
    std::string certificate_file;     // PEM: our own, where the server asks for one
    std::string key_file;
    int64_t events_max = 0;  // 0: no limit but storage.retention
    int64_t bytes_max = 0;
    int64_t replicas_min = 0;
    int64_t timeout_ms = 1'000;
    int64_t lease_ms = 3'000;
  } redis;

  struct Ingest {
    std::string default_site = "default";  // for points that name none
    std::string default_device;            // for line protocol without device or host tag; empty: rejected
    int64_t devices_per_account_max = 100'000;
    int64_t points_per_second_per_credential_max = 0;  // 0: no limit
    int64_t points_per_second_per_account_max = 0;
  } ingest;

  struct Stream {
    int64_t session_queue_bytes_max = 262'144;
    bool gzip = false;                       // for viewers that take it
    int64_t streams_max = 250'000;           // per I/O thread
    int64_t streams_per_credential_max = 0;  // 0: no limit
    int64_t streams_per_account_max = 0;
    int64_t topics_max = 256;                    // that one stream may name
    int64_t replay_ring_bytes_max = 67'108'864;  // per I/O thread index, bytes shared
    int64_t replay_events_max = 100'000;
    int64_t session_queue_ms_max = 10'000;
    int64_t slow_lag_ms_max = 60'000;
    int64_t telemetry_per_second_max = 0;  // 0: no limit
    int64_t slow_timeout_ms = 10'000;      // no byte taken for this long: closed
    int64_t comment_interval_ms = 15'000;
    int64_t heartbeat_interval_ms = 20'000;
    int64_t retry_min_ms = 2'000;
    int64_t retry_max_ms = 10'000;
  } stream;

  struct Presence {
    int64_t stale_after_ms = 15'000;
    int64_t offline_after_ms = 60'000;
    int64_t offline_delay_ms = 5'000;
    bool learn = true;
    int64_t learn_stale_factor = 2;
    int64_t learn_offline_factor = 5;
    int64_t learn_max_ms = 86'400'000;
  } presence;

  // Who signs tokens with keys of its own, beside the one that `auth` names. Empty claims: those of `auth`.
  struct Issuer {
    std::string name;  // "issuer"
    std::string audience;
    std::string jwks_file;  // this or jwks_url
    std::string jwks_url;
    std::string jwks_ca_file;
    std::string account_claim;
    std::string sites_claim;
    std::string devices_claim;
    std::string roles_claim;
    std::vector<model::AccountId> accounts;  // that its tokens may be for; empty: all
  };

  struct Alerts {
    std::string rules_file;
    int64_t silences_per_account_max = 1000;
    std::string external_url;  // of the dashboard, for links in notifications; empty: no links
    std::vector<model::Rule> rules_of_file;
    int64_t rules_per_account_max = 1'000;  // made through the API
    int64_t rule_instances_per_account_max = 1'000'000;
    int64_t rule_evaluations_per_second_max = 1'000'000;  // for each account
  } alerts;

  // Telemetry is written to InfluxDB as well when a URL is given.
  struct Influx {
    enum class Version { v1, v2 };
    std::string url;  // "http://127.0.0.1:8086", also with a path in front of InfluxDB's own
    Version version = Version::v1;
    std::string database = "millstream";
    std::string organization;
    std::string bucket;
    std::string user;
    std::string password;  // or password_file; never a flag
    std::string token;     // or token_file; never a flag
    std::string ca_file;
    int64_t retention_ms = 0;  // 0: storage.retention
    int64_t batch_lines_max = 5'000;
    int64_t batch_bytes_max = 1 << 20;
    int64_t timeout_ms = 10'000;
    int64_t spool_bytes_max = int64_t{1} << 30;
    int64_t spool_age_max_ms = 86'400'000;
  } influx;
  std::vector<model::Rule> rules;           // [[rules]]
  std::vector<Issuer> issuers;              // [[issuers]]
  std::vector<connect::FeedOptions> feeds;  // [[mqtt]]
  std::vector<connect::RedisFeedOptions> redis_feeds;
  std::vector<ChannelOptions> channels;  // [[channels]]
  std::vector<SqsSettings> sqs;
};

// "127.0.0.1:8080", "[::1]:0", "localhost:8080" (which means 127.0.0.1). Names are not looked up.
struct ListenAddress {
  std::string host;  // numeric, without brackets
  uint16_t port = 0;
  bool loopback = false;
};
Result<ListenAddress> parse_listen(std::string_view text);

// One settable key, for --help, docs and the unknown-key check: "server.listen", its default as text, what it means.
struct ConfigKey {
  std::string name;
  std::string default_text;
  std::string help;
  bool secret = false;  // never a flag
};
const std::vector<ConfigKey>& config_keys();
std::string environment_name(const std::string& key);  // "server.listen" -> "MILLSTREAM_SERVER_LISTEN"

// `file` empty: no file. `environment`: the MILLSTREAM_* variables; those of the command line tools (MILLSTREAM_TOKEN,
// MILLSTREAM_KEY, MILLSTREAM_CONFIG) and those Kubernetes makes for services named millstream and millstream-postgres
// are passed over. `flags`: key -> value, already split. Reads auth.jwt_secret_file and postgres.password_file, which
// nobody but its owner may be able to read.
Result<Config> load_config(const std::string& file, const std::map<std::string, std::string>& environment,
                           const std::map<std::string, std::string>& flags);
// The same without the rules of alerts.rules_file: whoever locks out a key must not have to mend a rule first.
Result<Config> load_settings(const std::string& file, const std::map<std::string, std::string>& environment,
                             const std::map<std::string, std::string>& flags);

// Those of alerts.rules_file, as it is now. Errors as read_rules_file() has them; ids are distinct in an account,
// whichever way rules came.
Result<std::vector<model::Rule>> read_rules_of_file(const Config& config);

// What must not start: development mode on an address that is not loopback, no way to sign in at all (no development
// mode, no JWT secret or public keys, no API key or user in the data directory), short secrets.
Status check_config(const Config& config);

}  // namespace millstream::app
