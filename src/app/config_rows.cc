#include "app/config_rows.h"

#include <algorithm>
#include <utility>

#include "api/browser.h"
#include "app/http_client.h"
#include "base/limits.h"
#include "base/time_text.h"
#include "model/topic.h"
#include "redis/client.h"
#include "registry/postgres_connection.h"

namespace millstream::app {
namespace {

constexpr int64_t kSecondMs = 1000;
constexpr int64_t kMinuteMs = 60 * kSecondMs;
constexpr int64_t kKiB = 1 << 10;
constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kGiB = 1 << 30;
constexpr int64_t kTiB = kGiB << 10;
constexpr int64_t kBodiesBytesMin = 32 * kMiB;
static_assert(kBodiesBytesMin >= static_cast<int64_t>(kLineBodyBytesMax), "the largest body must fit");

// What is wrong with a text, or nothing.
using TextCheck = std::function<std::optional<std::string>(const std::string&)>;

// Each builder names the section and the member once: the row reads, checks and stores it, and prints its default.
template <class S, class T, class Read, class Show>
ConfigRow row(std::string name, S Config::*section, T S::*member, Read read, Show show, std::string help) {
  const Config defaults;
  ConfigRow made{{std::move(name), show(defaults.*section.*member), std::move(help), false}, nullptr};
  made.set = [=](const Setting& setting, ConfigDraft& draft) -> Status {
    auto value = read(setting);
    if (!value) return value.error();
    draft.config.*section.*member = static_cast<T>(std::move(*value));
    return {};
  };
  return made;
}

template <class S>
ConfigRow text(std::string name, S Config::*section, std::string S::*member, std::string help,
               TextCheck check = nullptr) {
  const auto read = [check](const Setting& setting) -> Result<std::string> {
    Result<std::string> value = read_text(setting);
    if (!value || !check) return value;
    const std::optional<std::string> wrong = check(*value);
    return wrong ? Result<std::string>(setting.wrong(*wrong)) : std::move(value);
  };
  return row(
      std::move(name), section, member, read, [](const std::string& value) { return value; }, std::move(help));
}

template <class S>
ConfigRow flag(std::string name, S Config::*section, bool S::*member, std::string help) {
  const auto show = [](bool value) { return std::string(value ? "true" : "false"); };
  return row(std::move(name), section, member, read_flag, show, std::move(help));
}

template <class S, class N>
ConfigRow whole(std::string name, S Config::*section, N S::*member, int64_t min, int64_t max, std::string help) {
  const auto read = [=](const Setting& setting) { return read_whole(setting, min, max); };
  return row(
      std::move(name), section, member, read, [](N value) { return std::to_string(value); }, std::move(help));
}

template <class S>
ConfigRow duration(std::string name, S Config::*section, int64_t S::*member, int64_t min, int64_t max,
                   std::string help) {
  const auto read = [=](const Setting& setting) { return read_duration_ms(setting, min, max); };
  return row(std::move(name), section, member, read, duration_text, std::move(help));
}

template <class S>
ConfigRow size(std::string name, S Config::*section, int64_t S::*member, int64_t min, int64_t max, std::string help) {
  const auto read = [=](const Setting& setting) { return read_size_bytes(setting, min, max); };
  return row(std::move(name), section, member, read, size_text, std::move(help));
}

// One of a few words; the first is named by the value 0, and so on.
template <class S, class E>
ConfigRow word(std::string name, S Config::*section, E S::*member, std::vector<std::string> words, std::string help) {
  const auto read = [words](const Setting& setting) -> Result<E> {
    const Result<std::string> given = read_text(setting);
    if (!given) return given.error();
    const auto found = std::find(words.begin(), words.end(), *given);
    if (found != words.end()) return static_cast<E>(found - words.begin());
    std::string all;
    for (const std::string& w : words) all += (all.empty() ? "" : ", ") + w;
    return setting.wrong("must be one of " + all);
  };
  const auto show = [words](E value) { return words[static_cast<size_t>(value)]; };
  return row(std::move(name), section, member, read, show, std::move(help));
}

std::optional<std::string> check_listen(const std::string& value) {
  const Result<ListenAddress> address = parse_listen(value);
  return address ? std::nullopt : std::optional<std::string>(address.error().detail);
}

std::optional<std::string> check_name(const std::string& value) {
  if (model::is_name(value)) return std::nullopt;
  return "must be 1 to 64 of A-Z a-z 0-9 . _ -";
}

std::optional<std::string> check_name_or_empty(const std::string& value) {
  return value.empty() ? std::nullopt : check_name(value);
}

std::optional<std::string> check_not_empty(const std::string& value) {
  if (!value.empty()) return std::nullopt;
  return "must not be empty";
}

std::optional<std::string> check_url_or_empty(const std::string& value) {
  const Status safe = value.empty() ? Status() : check_fetch_url(value);
  return safe ? std::nullopt : std::optional<std::string>(safe.error().detail);
}

std::optional<std::string> check_http_url_or_empty(const std::string& value) {
  if (value.empty()) return std::nullopt;
  const Result<std::string> url = make_url(value, "", {});
  return url ? std::nullopt : std::optional<std::string>(url.error().detail);
}

// As a browser sends it: scheme, host, port, and nothing behind. "*" and "null" would open the door to every page.
bool is_origin(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme)) continue;
    const std::string_view host = text.substr(scheme.size());
    return !host.empty() && host.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789.-:[]") == host.npos;
  }
  return false;
}

// A list whose every item `check` finds right.
template <class S>
ConfigRow list(std::string name, S Config::*section, std::vector<std::string> S::*member, TextCheck check,
               std::string help) {
  const auto read = [check](const Setting& setting) -> Result<std::vector<std::string>> {
    Result<std::vector<std::string>> items = read_list(setting);
    if (!items) return items;
    for (const std::string& item : *items) {
      if (const std::optional<std::string> wrong = check(item)) return setting.wrong(*wrong);
    }
    return items;
  };
  return row(
      std::move(name), section, member, read, [](const std::vector<std::string>&) { return std::string(); },
      std::move(help));
}

std::optional<std::string> check_origin(const std::string& text) {
  if (is_origin(text)) return std::nullopt;
  return "\"" + text + "\" is not an origin such as https://host.example";
}

std::optional<std::string> check_network(const std::string& text) {
  const Result<api::TrustedProxies> parsed = api::TrustedProxies::parse({text});
  return parsed ? std::nullopt : std::optional<std::string>(parsed.error().detail);
}

// A text that others must not see: never a flag.
template <class S>
ConfigRow secret(std::string name, S Config::*section, std::string S::*member, std::string help) {
  ConfigRow made = text(std::move(name), section, member, std::move(help), check_not_empty);
  made.key.secret = true;
  return made;
}

// Read when all settings are known.
ConfigRow secret_file(std::string name, std::optional<Setting> ConfigDraft::*file, std::string help) {
  ConfigRow made{{std::move(name), "", std::move(help), false}, nullptr};
  made.set = [file](const Setting& setting, ConfigDraft& draft) -> Status {
    const Result<std::string> path = read_text(setting);
    if (!path) return path.error();
    if (const auto wrong = check_not_empty(*path)) return setting.wrong(*wrong);
    draft.*file = setting;
    return {};
  };
  return made;
}

ConfigRow redis_url() {
  ConfigRow made = text("redis.url", &Config::redis, &Config::Redis::url,
                        "redis://, rediss:// or redis+sentinel://: the log is there, for several instances. Empty: in "
                        "the data directory");
  const auto set = made.set;
  made.set = [set](const Setting& setting, ConfigDraft& draft) -> Status {
    const Result<std::string> url = read_text(setting);
    if (!url) return url.error();
    if (url->empty()) return set(setting, draft);
    const Result<redis::Options> parsed = redis::parse_url(*url);
    if (!parsed) return setting.wrong(parsed.error().detail);
    const bool is_flag = setting.place == kCommandLine;
    if (is_flag && !(parsed->password.empty() && parsed->sentinel_password.empty())) {
      return setting.wrong("a password on the command line can be read by others: use the file or the environment");
    }
    return set(setting, draft);
  };
  return made;
}

ConfigRow postgres_url() {
  const auto check = [](const std::string& url) -> std::optional<std::string> {
    const Status good = url.empty() ? Status() : registry::check_postgres_url(url);
    return good ? std::nullopt : std::optional(good.error().detail);
  };
  ConfigRow made = text("postgres.url", &Config::postgres, &Config::Postgres::url,
                        "postgresql://user@host:5432/database?sslmode=require: keys, users, devices, silences, rules "
                        "and tickets are there, for several servers. Empty: in the data directory",
                        check);
  made.set = [set = made.set](const Setting& setting, ConfigDraft& draft) -> Status {
    if (Status s = set(setting, draft); !s) return s;
    if (setting.place != kCommandLine || !registry::has_password(draft.config.postgres.url)) return {};
    return setting.wrong(
        "not with the password in it as a flag, which others on this machine can read; use "
        "postgres.password_file");
  };
  return made;
}

std::optional<std::string> check_schema(const std::string& name) {
  if (registry::is_schema_name(name)) return std::nullopt;
  return "must be 1 to 63 of a-z 0-9 _, not beginning with a digit or pg_";
}

std::vector<ConfigRow> make_rows() {
  using C = Config;
  return {
      text("server.listen", &C::server, &C::Server::listen, "address:port; port 0: the kernel's choice", check_listen),
      text("server.data_directory", &C::server, &C::Server::data_directory, "where everything is kept",
           check_not_empty),
      whole("server.io_threads", &C::server, &C::Server::io_threads, 0, 256, "0: one per core"),
      duration("server.drain", &C::server, &C::Server::drain_ms, 0, 10 * kMinuteMs,
               "how long viewers have to leave after SIGTERM"),
      list("server.cors_origins", &C::server, &C::Server::cors_origins, check_origin,
           "web pages of these exact origins may use the API (comma-separated); empty: same origin only"),
      list("server.trusted_proxies", &C::server, &C::Server::trusted_proxies, check_network,
           "addresses and networks (10.0.0.0/8) whose X-Forwarded-For is believed; else the client is who connects"),
      duration("server.header_timeout", &C::server, &C::Server::header_timeout_ms, 100, 10 * kMinuteMs,
               "for the whole head of a request"),
      size("server.unsent_bytes_max", &C::server, &C::Server::unsent_bytes_max, 1, kGiB,
           "what the kernel may hold for a client that does not read; the rest waits in the stream's own queue"),
      duration("server.idle_timeout", &C::server, &C::Server::idle_timeout_ms, 100, kHourMs, "between two requests"),
      whole("server.connections_max", &C::server, &C::Server::connections_max, 1, 1'000'000, "per I/O thread"),
      whole("server.http2_streams_max", &C::server, &C::Server::http2_streams_max, 1, 1'000'000,
            "requests and streams at once on one connection of HTTP/2"),
      size("server.bodies_bytes_max", &C::server, &C::Server::bodies_bytes_max, kBodiesBytesMin, 64 * kGiB,
           "request bodies being received or worked on; beyond, new ones are answered 503"),

      text("alerts.rules_file", &C::alerts, &C::Alerts::rules_file,
           "alert rules in full, YAML or JSON; beside those of [[rules]]. SIGHUP reads it again"),
      whole("alerts.rules_per_account_max", &C::alerts, &C::Alerts::rules_per_account_max, 0, 100'000,
            "rules that an account may make through the API; beyond, 422"),
      whole("alerts.rule_instances_per_account_max", &C::alerts, &C::Alerts::rule_instances_per_account_max, 1,
            100'000'000, "pairs of a rule and a device it watches; beyond, further devices are not watched"),
      whole("alerts.rule_evaluations_per_second_max", &C::alerts, &C::Alerts::rule_evaluations_per_second_max, 1,
            1'000'000'000,
            "of an account: a condition given a value is one, an alert event eight; beyond, its values are not looked "
            "at"),
      whole("alerts.silences_per_account_max", &C::alerts, &C::Alerts::silences_per_account_max, 1, 100'000,
            "silences that an account may have; ended ones give way"),
      text("alerts.external_url", &C::alerts, &C::Alerts::external_url,
           "where people reach the dashboard, for links in notifications; empty: no links",
           [](const std::string& url) -> std::optional<std::string> {
             if (url.empty() || url.starts_with("https://") || url.starts_with("http://")) return std::nullopt;
             return "must be http://… or https://…";
           }),
      text("tls.certificate_file", &C::tls, &C::Tls::certificate_file,
           "PEM: the server's certificate, then its issuers'; HTTPS then. SIGHUP reads it again"),
      text("tls.key_file", &C::tls, &C::Tls::key_file, "PEM: its private key, readable by its owner only"),
      flag("tls.self_signed", &C::tls, &C::Tls::self_signed,
           "HTTPS with a certificate made here, for development; the same as --tls self-signed"),

      postgres_url(),
      secret("postgres.password", &C::postgres, &C::Postgres::password,
             "instead of one in the URL. Prefer postgres.password_file"),
      secret_file("postgres.password_file", &ConfigDraft::postgres_password_file,
                  "file that holds the password, readable by its owner only"),
      duration("postgres.timeout", &C::postgres, &C::Postgres::timeout_ms, 100, kMinuteMs,
               "for each call, connecting included; then it counts as away"),
      text("postgres.schema", &C::postgres, &C::Postgres::schema, "that the tables are in, made if it is not there",
           check_schema),

      word("log.level", &C::log, &C::Log::level, {"debug", "info", "warning", "error"}, "lines below it are dropped"),
      word("log.format", &C::log, &C::Log::format, {"text", "json"}, "how a line looks"),

      flag("auth.development", &C::auth, &C::Auth::development,
           "no sign-in: everyone is admin of auth.development_account; on loopback only"),
      text("auth.development_account", &C::auth, &C::Auth::development_account, "see auth.development", check_name),
      duration("auth.leeway", &C::auth, &C::Auth::leeway_ms, 0, 10 * kMinuteMs,
               "tokens are taken so long before nbf and after exp, as clocks differ; streams end at exp all the same"),
      duration("auth.session_max", &C::auth, &C::Auth::session_max_ms, kSecondMs, 365 * kDayMs,
               "how long a sign-in with user and password lasts"),
      duration("auth.session_idle", &C::auth, &C::Auth::session_idle_ms, 5 * kSecondMs, 365 * kDayMs,
               "and how long without a request or an open stream"),
      flag("auth.secure_cookies", &C::auth, &C::Auth::secure_cookies,
           "session cookies for HTTPS only; on by itself with [tls], set it behind a proxy that ends TLS"),
      whole("auth.login_failures_per_user_max", &C::auth, &C::Auth::login_failures_per_user_max, 1, 1'000'000,
            "wrong passwords for one user in auth.login_window; each waits longer than the one before"),
      whole("auth.login_failures_per_address_max", &C::auth, &C::Auth::login_failures_per_address_max, 1, 1'000'000,
            "the same from one address"),
      duration("auth.login_window", &C::auth, &C::Auth::login_window_ms, kSecondMs, kDayMs,
               "failed sign-ins are forgotten after so long"),
      secret("auth.jwt_secret", &C::auth, &C::Auth::jwt_secret,
             "HS256 secret of at least 32 bytes; not given: no tokens. Prefer auth.jwt_secret_file"),
      secret_file("auth.jwt_secret_file", &ConfigDraft::jwt_secret_file,
                  "file that holds the secret, readable by its owner only"),
      text("auth.jwt_issuer", &C::auth, &C::Auth::jwt_issuer, "what iss must say; empty: not checked"),
      text("auth.jwt_audience", &C::auth, &C::Auth::jwt_audience, "what aud must hold; empty: not checked"),
      text("auth.jwks_file", &C::auth, &C::Auth::jwks_file,
           "JSON Web Key Set: public keys for RS256, PS256, ES256, EdDSA. Read again when it changes"),
      text("auth.jwks_url", &C::auth, &C::Auth::jwks_url,
           "the same from an identity provider; https, or http to a loopback address", check_url_or_empty),
      text("auth.jwks_ca_file", &C::auth, &C::Auth::jwks_ca_file,
           "PEM: who alone may vouch for that provider; empty: those the system trusts"),
      duration("auth.jwks_refresh", &C::auth, &C::Auth::jwks_refresh_ms, kSecondMs, 10 * kMinuteMs,
               "how often public keys are fetched by URL"),
      duration("auth.jwks_refetch_min", &C::auth, &C::Auth::jwks_refetch_min_ms, 100, kHourMs,
               "a token with an unknown key has them fetched at once, but no more often than this"),
      text("auth.account_claim", &C::auth, &C::Auth::account_claim, "the claim that names the account",
           check_not_empty),
      text("auth.sites_claim", &C::auth, &C::Auth::sites_claim, "the claim that lists sites", check_not_empty),
      text("auth.devices_claim", &C::auth, &C::Auth::devices_claim, "the claim that lists devices", check_not_empty),
      text("auth.roles_claim", &C::auth, &C::Auth::roles_claim, "the claim that lists roles", check_not_empty),

      duration("storage.retention", &C::storage, &C::Storage::retention_ms, kMinuteMs, 366 * kDayMs,
               "how long events are kept"),
      whole("storage.append_queue_events_max", &C::storage, &C::Storage::append_queue_events_max, 1, 100'000'000,
            "events of one account waiting for the disk; beyond, its ingest answers 503"),
      size("storage.append_queue_bytes_max", &C::storage, &C::Storage::append_queue_bytes_max, 64 * kKiB, 64 * kGiB,
           "the same in bytes; all accounts together have less than twice as much"),
      flag("storage.sync_commits", &C::storage, &C::Storage::sync_commits,
           "false: acknowledged before it is on the disk; a power cut may take the last seconds with it"),

      redis_url(),
      text("redis.name", &C::redis, &C::Redis::name,
           "of this deployment in Redis: its keys begin with {name}:", check_name),
      text("redis.ca_file", &C::redis, &C::Redis::ca_file,
           "PEM: who alone may vouch for Redis; empty: those the system trusts"),
      text("redis.certificate_file", &C::redis, &C::Redis::certificate_file,
           "PEM: the certificate shown to Redis, where it asks for one"),
      text("redis.key_file", &C::redis, &C::Redis::key_file, "its key"),
      whole("redis.events_max", &C::redis, &C::Redis::events_max, 0, 10'000'000'000,
            "events kept in Redis, newer than storage.retention as they may be; 0: no limit"),
      size("redis.bytes_max", &C::redis, &C::Redis::bytes_max, 0, 16 * kTiB,
           "about what they may take of its memory; 0: no limit"),
      whole("redis.replicas_min", &C::redis, &C::Redis::replicas_min, 0, 100,
            "replicas that must have an event before it is acknowledged"),
      duration("redis.timeout", &C::redis, &C::Redis::timeout_ms, 50, kMinuteMs,
               "how long Redis may take for an answer"),
      duration("redis.lease", &C::redis, &C::Redis::lease_ms, 500, kMinuteMs,
               "one instance draws the conclusions; when it dies another one does so after this time"),
      text("influx.url", &C::influx, &C::Influx::url,
           "InfluxDB that all telemetry is written to as well, such as http://127.0.0.1:8086; empty: none",
           check_http_url_or_empty),
      word("influx.version", &C::influx, &C::Influx::version, {"1", "2"}, "the API it has: /write or /api/v2/write"),
      text("influx.database", &C::influx, &C::Influx::database,
           "version 1: made if it is not there, with a retention policy named millstream", check_not_empty),
      text("influx.organization", &C::influx, &C::Influx::organization, "version 2: its name or id"),
      text("influx.bucket", &C::influx, &C::Influx::bucket, "version 2: its name or id; it has to exist"),
      text("influx.user", &C::influx, &C::Influx::user, "version 1: whom to sign in as; empty: nobody"),
      secret("influx.password", &C::influx, &C::Influx::password, "of influx.user. Prefer influx.password_file"),
      secret_file("influx.password_file", &ConfigDraft::influx_password_file,
                  "file that holds the password, readable by its owner only"),
      secret("influx.token", &C::influx, &C::Influx::token, "version 2: an API token. Prefer influx.token_file"),
      secret_file("influx.token_file", &ConfigDraft::influx_token_file,
                  "file that holds the token, readable by its owner only"),
      text("influx.ca_file", &C::influx, &C::Influx::ca_file,
           "PEM: who alone may vouch for the server; empty: those the system trusts"),
      duration("influx.retention", &C::influx, &C::Influx::retention_ms, 0, 3660 * kDayMs,
               "version 1: how long InfluxDB keeps telemetry, at least an hour; 0: as storage.retention"),
      whole("influx.batch_lines_max", &C::influx, &C::Influx::batch_lines_max, 1, 100'000,
            "events that are sent at once; sooner after a second"),
      size("influx.batch_bytes_max", &C::influx, &C::Influx::batch_bytes_max, kKiB, 16 * kMiB,
           "the same in bytes before compression"),
      duration("influx.timeout", &C::influx, &C::Influx::timeout_ms, 100, 10 * kMinuteMs, "for one request"),
      size("influx.spool_bytes_max", &C::influx, &C::Influx::spool_bytes_max, 64 * kKiB, 1024 * kGiB,
           "on disk while InfluxDB takes nothing; beyond, the oldest is given up"),
      duration("influx.spool_age_max", &C::influx, &C::Influx::spool_age_max_ms, kSecondMs, 366 * kDayMs,
               "and what has waited longer than this"),

      text("ingest.default_site", &C::ingest, &C::Ingest::default_site, "for points that name no site", check_name),
      text("ingest.default_device", &C::ingest, &C::Ingest::default_device,
           "for line protocol without a device or host tag; empty: such lines are refused", check_name_or_empty),
      whole("ingest.devices_per_account_max", &C::ingest, &C::Ingest::devices_per_account_max, 1, 100'000'000,
            "devices an account may have; points of further ones are refused"),
      whole("ingest.points_per_second_per_credential_max", &C::ingest, &C::Ingest::points_per_second_per_credential_max,
            0, 1'000'000'000,
            "points with one key or token subject, 5 s of it at once; beyond, 429 (503 on /write). 0: no limit"),
      whole("ingest.points_per_second_per_account_max", &C::ingest, &C::Ingest::points_per_second_per_account_max, 0,
            1'000'000'000, "the same for an account with all its keys and tokens"),

      size("stream.session_queue_bytes_max", &C::stream, &C::Stream::session_queue_bytes_max, 1, kGiB,
           "what a viewer may have waiting; beyond, its telemetry comes merged per device until it keeps up again"),
      duration("stream.session_queue_max", &C::stream, &C::Stream::session_queue_ms_max, 1, 10 * kMinuteMs,
               "the same, for a viewer that has had something waiting for so long"),
      duration("stream.slow_lag_max", &C::stream, &C::Stream::slow_lag_ms_max, 1, kDayMs,
               "a slow viewer further behind than this is closed, to resume by id"),
      whole("stream.telemetry_per_second_max", &C::stream, &C::Stream::telemetry_per_second_max, 0, 1'000'000,
            "telemetry events to one viewer; beyond, they are merged per device. 0: no limit"),
      flag("stream.gzip", &C::stream, &C::Stream::gzip,
           "compress the streams of viewers that accept gzip, once for all viewers of the same events"),
      whole(
          "stream.streams_max", &C::stream, &C::Stream::streams_max, 1, 10'000'000,
          "streams open at once per I/O thread, many of which may be on one connection of HTTP/2; beyond, a viewer is "
          "told \"overloaded\" and comes back later"),
      whole("stream.streams_per_credential_max", &C::stream, &C::Stream::streams_per_credential_max, 0, 10'000'000,
            "streams open at once with one key, user or token subject; 0: no limit"),
      whole("stream.streams_per_account_max", &C::stream, &C::Stream::streams_per_account_max, 0, 10'000'000,
            "the same for an account with all of them"),
      whole("stream.topics_max", &C::stream, &C::Stream::topics_max, 1, int64_t{kPatternsPerRequestMax},
            "topics that one request may name; beyond, 422"),
      size("stream.replay_ring_bytes_max", &C::stream, &C::Stream::replay_ring_bytes_max, 64 * kKiB, 64 * kGiB,
           "recent events kept in memory for those who reconnect"),
      whole("stream.replay_events_max", &C::stream, &C::Stream::replay_events_max, 1, 10'000'000,
            "events a resuming viewer may be sent; beyond, a gap is declared"),
      duration("stream.slow_timeout", &C::stream, &C::Stream::slow_timeout_ms, 100, 10 * kMinuteMs,
               "a viewer that takes no byte for so long is closed"),
      duration("stream.comment_interval", &C::stream, &C::Stream::comment_interval_ms, 100, 10 * kMinuteMs,
               "a comment line after so much silence"),
      duration("stream.heartbeat_interval", &C::stream, &C::Stream::heartbeat_interval_ms, 100, 10 * kMinuteMs,
               "a system/heartbeat event so often"),
      duration("stream.retry_min", &C::stream, &C::Stream::retry_min_ms, 0, 10 * kMinuteMs,
               "viewers reconnect after a time drawn between this"),
      duration("stream.retry_max", &C::stream, &C::Stream::retry_max_ms, 0, 10 * kMinuteMs, "and this"),

      duration("presence.stale_after", &C::presence, &C::Presence::stale_after_ms, 100, kDayMs,
               "silence after which a device is stale, if nothing else is known of it"),
      duration("presence.offline_after", &C::presence, &C::Presence::offline_after_ms, 100, 7 * kDayMs,
               "silence after which it is offline"),
      duration("presence.offline_delay", &C::presence, &C::Presence::offline_delay_ms, 0, kHourMs,
               "a last will counts after so long, unless the device is heard again before"),
      flag("presence.learn", &C::presence, &C::Presence::learn,
           "give a device that speaks seldom longer, by the median of its last intervals"),
      whole("presence.learn_stale_factor", &C::presence, &C::Presence::learn_stale_factor, 1, 1000,
            "it is stale after so many of its intervals"),
      whole("presence.learn_offline_factor", &C::presence, &C::Presence::learn_offline_factor, 2, 1000,
            "and offline after so many"),
      duration("presence.learn_max", &C::presence, &C::Presence::learn_max_ms, 1000, 7 * kDayMs,
               "but after so long at the latest"),
  };
}

}  // namespace

const std::vector<ConfigRow>& config_rows() {
  static const std::vector<ConfigRow> table = make_rows();
  return table;
}

}  // namespace millstream::app
