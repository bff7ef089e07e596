#include "app/config.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <set>

#include "app/certificate.h"
#include "app/channel_settings.h"
#include "app/config_rows.h"
#include "app/entry_readers.h"
#include "app/issuer_settings.h"
#include "app/mqtt_settings.h"
#include "app/open_registry.h"
#include "app/redis_settings.h"
#include "app/rule_settings.h"
#include "app/rules_file.h"
#include "app/setting.h"
#include "app/toml_file.h"
#include "auth/authenticator.h"
#include "net/tls.h"

namespace millstream::app {
namespace {

constexpr std::string_view kEnvironmentPrefix = "MILLSTREAM_";
constexpr std::string_view kLocalhost = "localhost:";

const ConfigRow* find_row(const std::string& key) {
  for (const ConfigRow& row : config_rows()) {
    if (row.key.name == key) return &row;
  }
  return nullptr;
}

std::string did_you_mean(const std::string& word, const std::function<std::string(const std::string&)>& spelled) {
  std::vector<std::string> known;
  for (const ConfigRow& row : config_rows()) known.push_back(spelled(row.key.name));
  const std::string near = nearest_word(word, known);
  return near.empty() ? "" : "; did you mean " + near + "?";
}

Status apply(const Setting& setting, ConfigDraft& draft) {
  if (const ConfigRow* row = find_row(setting.key)) return row->set(setting, draft);
  return setting.wrong("unknown key" + did_you_mean(setting.key, [](const std::string& key) { return key; }));
}

Status apply_rules(const TomlFile& toml, ConfigDraft& draft) {
  std::set<std::string> ids;
  for (const TomlFile::Entry& entry : toml.rules) {
    Result<model::Rule> rule = read_rule(entry);
    if (!rule) return rule.error();
    if (!ids.insert(rule->id).second) {
      return Error{Code::invalid, entry.place + ": rules.id: there is another rule \"" + rule->id + "\""};
    }
    draft.config.rules.push_back(std::move(*rule));
  }
  return {};
}

Status apply_file(const std::string& file, const std::map<std::string, std::string>& environment, ConfigDraft& draft) {
  const Result<TomlFile> toml = read_toml_file(file);
  if (!toml) return toml.error();
  for (const Setting& setting : toml->settings) {
    if (Status s = apply(setting, draft); !s) return s;
  }
  Result<std::vector<Config::Issuer>> issuers = read_issuers(toml->issuers);
  if (!issuers) return issuers.error();
  draft.config.issuers = std::move(*issuers);
  Result<std::vector<connect::FeedOptions>> feeds = read_feeds(toml->mqtt);
  if (!feeds) return feeds.error();
  draft.config.feeds = std::move(*feeds);
  Result<std::vector<connect::RedisFeedOptions>> redis_feeds = read_redis_feeds(toml->redis_feeds);
  if (!redis_feeds) return redis_feeds.error();
  draft.config.redis_feeds = std::move(*redis_feeds);
  Result<std::vector<SqsSettings>> sqs = read_sqs(toml->sqs, environment);
  if (!sqs) return sqs.error();
  draft.config.sqs = std::move(*sqs);
  Result<std::vector<ChannelOptions>> channels = read_channels(toml->channels);
  if (!channels) return channels.error();
  draft.config.channels = std::move(*channels);
  return apply_rules(*toml, draft);
}

bool is_for_others(std::string_view variable) {
  for (const std::string_view name : {"MILLSTREAM_TOKEN", "MILLSTREAM_KEY", "MILLSTREAM_CONFIG"}) {
    if (variable == name) return true;
  }
  for (const std::string_view service : {"MILLSTREAM_", "MILLSTREAM_POSTGRES_"}) {
    if (!variable.starts_with(service)) continue;
    const std::string_view rest = variable.substr(service.size());
    if (rest.starts_with("SERVICE_") || rest == "PORT" || rest.starts_with("PORT_")) return true;
  }
  return false;
}

Status apply_environment(const std::map<std::string, std::string>& environment, ConfigDraft& draft) {
  for (const auto& [variable, value] : environment) {
    if (!variable.starts_with(kEnvironmentPrefix) || is_for_others(variable)) continue;
    const auto row = std::find_if(config_rows().begin(), config_rows().end(), [&name = variable](const ConfigRow& r) {
      return environment_name(r.key.name) == name;
    });
    if (row == config_rows().end()) {
      return Error{Code::invalid,
                   "environment: " + variable + ": no such setting" + did_you_mean(variable, environment_name)};
    }
    const Setting setting{row->key.name, "environment " + variable, Setting::Text{value}};
    if (Status s = row->set(setting, draft); !s) return s;
  }
  return {};
}

Status apply_flags(const std::map<std::string, std::string>& flags, ConfigDraft& draft) {
  for (const auto& [key, value] : flags) {
    const Setting setting{key, kCommandLine, Setting::Text{value}};
    const ConfigRow* row = find_row(key);
    if (row && row->key.secret) {
      return setting.wrong("not as a flag, which others on this machine can read; use " + key + "_file or " +
                           environment_name(key));
    }
    if (Status s = apply(setting, draft); !s) return s;
  }
  return {};
}

Status take_secret_files(ConfigDraft& draft) {
  Config& config = draft.config;
  if (Status s = take_secret_file(draft.jwt_secret_file, "auth.jwt_secret", config.auth.jwt_secret); !s) return s;
  if (Status s = take_secret_file(draft.postgres_password_file, "postgres.password", config.postgres.password); !s) {
    return s;
  }
  if (Status s = take_secret_file(draft.influx_password_file, "influx.password", config.influx.password); !s) return s;
  return take_secret_file(draft.influx_token_file, "influx.token", config.influx.token);
}

Status check_influx(const Config::Influx& influx) {
  if (influx.url.empty() || influx.version == Config::Influx::Version::v1) return {};
  if (influx.organization.empty()) return Error{Code::invalid, "influx.organization: version 2 needs it"};
  if (influx.bucket.empty()) return Error{Code::invalid, "influx.bucket: version 2 needs it"};
  if (influx.token.empty()) return Error{Code::invalid, "influx.token_file: version 2 needs a token"};
  return {};
}

Status check_order(const Config& config) {
  if (config.stream.retry_min_ms > config.stream.retry_max_ms) {
    return Error{Code::invalid, "stream.retry_min must not be above stream.retry_max"};
  }
  if (config.presence.stale_after_ms >= config.presence.offline_after_ms) {
    return Error{Code::invalid, "presence.stale_after must be below presence.offline_after"};
  }
  if (config.presence.learn_stale_factor >= config.presence.learn_offline_factor) {
    return Error{Code::invalid, "presence.learn_stale_factor must be below presence.learn_offline_factor"};
  }
  return {};
}

bool is_loopback_v4(const in_addr& address) { return (ntohl(address.s_addr) >> 24) == 127; }

// Looks without leaving a trace: a check must not make a data directory.
Result<bool> has_key_or_user(const Config& config) {
  const Result<bool> there = await_registry_exists(config);
  if (!there || !*there) return there;
  const Result<std::unique_ptr<registry::Registry>> registry = open_registry(config);
  if (!registry) return registry.error();
  const Result<std::vector<model::ApiKeyRecord>> keys = (*registry)->api_keys().list();
  if (!keys) return keys.error();
  const Result<std::vector<model::UserRecord>> users = (*registry)->users().list();
  if (!users) return users.error();
  return std::any_of(keys->begin(), keys->end(), [](const model::ApiKeyRecord& key) { return !key.revoked; }) ||
         std::any_of(users->begin(), users->end(), [](const model::UserRecord& user) { return !user.disabled; });
}

}  // namespace

Result<ListenAddress> parse_listen(std::string_view text) {
  const Error wrong{Code::invalid, "must be address:port, such as 127.0.0.1:8080 or [::1]:8080"};
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  ListenAddress address{host == "localhost" ? "127.0.0.1" : std::string(host), 0, false};
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size()) return wrong;

  in_addr v4{};
  in6_addr v6{};
  if (!bracketed && inet_pton(AF_INET, address.host.c_str(), &v4) == 1) {
    address.loopback = is_loopback_v4(v4);
    return address;
  }
  if (!bracketed || inet_pton(AF_INET6, address.host.c_str(), &v6) != 1) return wrong;
  address.loopback = IN6_IS_ADDR_LOOPBACK(&v6);
  return address;
}

const std::vector<ConfigKey>& config_keys() {
  static const std::vector<ConfigKey> keys = [] {
    std::vector<ConfigKey> all;
    for (const ConfigRow& row : config_rows()) all.push_back(row.key);
    return all;
  }();
  return keys;
}

std::string environment_name(const std::string& key) {
  std::string name(kEnvironmentPrefix);
  for (const char c : key) name += c == '.' ? '_' : static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  return name;
}

Result<std::vector<model::Rule>> read_rules_of_file(const Config& config) {
  const std::string& file = config.alerts.rules_file;
  if (file.empty()) return std::vector<model::Rule>();
  Result<std::vector<model::Rule>> rules = read_rules_file(file);
  if (!rules) return rules;
  std::set<std::pair<model::AccountId, std::string>> ids;
  for (const model::Rule& rule : config.rules) ids.emplace(rule.scope.account, rule.id);
  for (const model::Rule& rule : *rules) {
    if (ids.emplace(rule.scope.account, rule.id).second) continue;
    return Error{Code::invalid,
                 file + ": there is another rule \"" + rule.id + "\" of account \"" + rule.scope.account.text() + "\""};
  }
  if (Status s = check_channels_of(*rules, config.channels); !s)
    return Error{Code::invalid, file + ": " + s.error().detail};
  return rules;
}

Result<Config> load_settings(const std::string& file, const std::map<std::string, std::string>& environment,
                             const std::map<std::string, std::string>& flags) {
  ConfigDraft draft;
  if (!file.empty()) {
    if (Status s = apply_file(file, environment, draft); !s) return s.error();
  }
  if (Status s = apply_environment(environment, draft); !s) return s.error();
  if (Status s = apply_flags(flags, draft); !s) return s.error();
  if (Status s = take_secret_files(draft); !s) return s.error();
  if (Status s = check_order(draft.config); !s) return s.error();
  // The one name that everyone means the same by; sockets are opened by number.
  std::string& listen = draft.config.server.listen;
  if (listen.starts_with(kLocalhost)) listen.replace(0, kLocalhost.size(), "127.0.0.1:");
  return std::move(draft.config);
}

Result<Config> load_config(const std::string& file, const std::map<std::string, std::string>& environment,
                           const std::map<std::string, std::string>& flags) {
  Result<Config> config = load_settings(file, environment, flags);
  if (!config) return config;
  Result<std::vector<model::Rule>> of_file = read_rules_of_file(*config);
  if (!of_file) return of_file.error();
  config->alerts.rules_of_file = std::move(*of_file);
  return config;
}

namespace {
Status check_tls(const Config::Tls& tls) {
  if (tls.self_signed && !tls.certificate_file.empty()) {
    return Error{Code::invalid, "tls.self_signed and tls.certificate_file are two ways to HTTPS; choose one"};
  }
  if (tls.certificate_file.empty() != tls.key_file.empty()) {
    return Error{Code::invalid, "tls.certificate_file and tls.key_file go together"};
  }
  if (tls.certificate_file.empty()) return {};
  const Result<CertificatePem> pem = read_certificate(tls);
  if (!pem) return pem.error();
  const auto made = net::TlsContext::make(pem->chain, pem->key);
  if (!made) return Error{Code::invalid, tls.certificate_file + ": " + made.error().detail};
  return {};
}
}  // namespace

Status check_config(const Config& config) {
  if (!config.redis.url.empty() && config.postgres.url.empty() && !config.auth.development) {
    return Error{
        Code::invalid,
        "redis.url is for several instances, and they must share their keys, users and rules: set postgres.url "
        "too (or, to try things out, auth.development = true)"};
  }
  if (Status s = check_issuers(config); !s) return s;
  if (Status s = check_feeds(config.feeds); !s) return s;
  if (Status s = check_redis_feeds(config.redis_feeds); !s) return s;
  if (Status s = check_sqs(config.sqs); !s) return s;
  if (Status s = check_channels(config.channels, config.rules); !s) return s;
  if (Status s = check_influx(config.influx); !s) return s;
  if (Status s = auth::check_jwt_options({config.auth.jwt_secret, "", ""}); !s) return s;
  const Result<ListenAddress> listen = parse_listen(config.server.listen);
  if (!listen) return Error{Code::invalid, "server.listen: " + listen.error().detail};
  if (Status s = check_tls(config.tls); !s) return s;
  if (config.auth.development) {
    if (!listen->loopback) {
      return Error{Code::invalid,
                   "auth.development lets everyone in, so server.listen must be a loopback address, not " +
                       config.server.listen};
    }
    if (!model::is_name(config.auth.development_account)) {
      return Error{Code::invalid, "auth.development_account is not a name"};
    }
    return {};
  }
  if (!config.auth.jwt_secret.empty() || !issuer_sources(config).empty()) return {};
  const Result<bool> anyone = has_key_or_user(config);
  if (!anyone) return anyone.error();
  if (*anyone) return {};
  return Error{Code::invalid,
               "nobody could sign in: set auth.jwt_secret_file, auth.jwks_file or [[issuers]], make a key with "
               "`millstream key create` or a user with `millstream user add`, or, to try things out, "
               "auth.development = true"};
}

}  // namespace millstream::app
