#include "app/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "app/issuer_settings.h"
#include "auth/authenticator.h"
#include "base/time_text.h"
#include "net/tls.h"
#include "registry/registry.h"

namespace millstream::app {
namespace {

using testing::AllOf;
using testing::EndsWith;
using testing::HasSubstr;

const std::string kSecret = "0123456789abcdef0123456789abcdef";

class ConfigTest : public testing::Test {
 protected:
  ConfigTest() {
    std::string pattern = testing::TempDir() + "config-XXXXXX";
    root_ = mkdtemp(pattern.data());
  }
  ~ConfigTest() override { std::filesystem::remove_all(root_); }

  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = root_ + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  Result<Config> load(const std::string& toml, const std::map<std::string, std::string>& environment = {},
                      const std::map<std::string, std::string>& flags = {}) {
    return load_config(write("m.toml", toml), environment, flags);
  }
  // The error's detail without the directory.
  std::string error_of(const Result<Config>& result) {
    if (result.ok()) return "(no error)";
    std::string detail = result.error().detail;
    if (const size_t at = detail.find(root_); at != std::string::npos) detail.erase(at, root_.size() + 1);
    return detail;
  }

  std::string root_;
};

std::string rule_with(const std::string& lines) {
  return "[[rules]]\nid = 'r'\ntopic = 'account:1'\nfield = 'T1'\nop = '>'\nvalue = 70\n" + lines;
}

TEST_F(ConfigTest, ARuleMayNameTheChannelsItNotifies) {
  const Result<Config> config = load(rule_with("notify = ['ops', 'mail']\n"));
  ASSERT_TRUE(config.ok()) << config.error().detail;
  ASSERT_EQ(config->rules[0].notify.size(), 2u);
  EXPECT_EQ(config->rules[0].notify[1].channel, "mail");
  EXPECT_EQ(config->rules[0].notify[1].group_wait_ms, model::NotifyPolicy().group_wait_ms);
  EXPECT_EQ(error_of(load(rule_with("notify = ['o p s']\n"))),
            "m.toml:7: rules.notify: \"o p s\": must be 1 to 64 of A-Z a-z 0-9 . _ -");
}

TEST_F(ConfigTest, WithoutAnythingTheDefaultsHold) {
  const Result<Config> config = load_config("", {}, {});
  ASSERT_TRUE(config.ok());
  EXPECT_EQ(config->server.listen, "127.0.0.1:8080");
  EXPECT_FALSE(config->auth.development);
  EXPECT_TRUE(config->rules.empty());
  EXPECT_TRUE(load("").ok()) << "an empty file is a file without settings";
}

TEST_F(ConfigTest, FlagsWinOverVariablesAndVariablesOverTheFile) {
  const std::string toml = "[server]\nlisten = '127.0.0.1:1'\nio_threads = 1\nconnections_max = 1\n";
  const Result<Config> config =
      load(toml, {{"MILLSTREAM_SERVER_LISTEN", "127.0.0.1:2"}, {"MILLSTREAM_SERVER_IO_THREADS", "2"}},
           {{"server.listen", "127.0.0.1:3"}});
  ASSERT_TRUE(config.ok()) << config.error().detail;
  EXPECT_EQ(config->server.listen, "127.0.0.1:3");
  EXPECT_EQ(config->server.io_threads, 2);
  EXPECT_EQ(config->server.connections_max, 1);
}

TEST_F(ConfigTest, EveryKindOfValueIsReadFromTheFile) {
  const Result<Config> config = load(R"(
    server = { listen = "[::1]:0", drain = "2m", cors_origins = ["https://a.example", "http://b:8080"] }
    [log]
    level = "debug"
    format = "json"
    [auth]
    development = true
    [storage]
    retention = "7d"
    append_queue_bytes_max = "1GiB"
    sync_commits = false
    [stream]
    session_queue_bytes_max = 65536
    replay_ring_bytes_max = "256KiB"
  )");
  ASSERT_TRUE(config.ok()) << config.error().detail;
  EXPECT_EQ(config->server.listen, "[::1]:0");
  EXPECT_EQ(config->server.drain_ms, 120'000);
  EXPECT_THAT(config->server.cors_origins, testing::ElementsAre("https://a.example", "http://b:8080"));
  EXPECT_EQ(config->log.level, LogLevel::debug);
  EXPECT_EQ(config->log.format, LogFormat::json);
  EXPECT_TRUE(config->auth.development);
  EXPECT_EQ(config->storage.retention_ms, 7 * 86'400'000);
  EXPECT_EQ(config->storage.append_queue_bytes_max, 1 << 30);
  EXPECT_FALSE(config->storage.sync_commits);
  EXPECT_EQ(config->stream.session_queue_bytes_max, 65'536);
  EXPECT_EQ(config->stream.replay_ring_bytes_max, 262'144);
}

TEST_F(ConfigTest, TheSameKindsAreReadFromText) {
  const Result<Config> config = load_config("",
                                            {{"MILLSTREAM_SERVER_CORS_ORIGINS", "https://a.example,https://b.example"},
                                             {"MILLSTREAM_AUTH_DEVELOPMENT", "true"},
                                             {"MILLSTREAM_STREAM_REPLAY_RING_BYTES_MAX", "1MiB"}},
                                            {{"server.drain", "500ms"}, {"log.level", "error"}});
  ASSERT_TRUE(config.ok()) << config.error().detail;
  EXPECT_EQ(config->server.cors_origins.size(), 2u);
  EXPECT_TRUE(config->auth.development);
  EXPECT_EQ(config->stream.replay_ring_bytes_max, 1 << 20);
  EXPECT_EQ(config->server.drain_ms, 500);
  EXPECT_EQ(config->log.level, LogLevel::error);
}

TEST_F(ConfigTest, InfluxIsSetUpForEitherVersion) {
  const Result<Config> v1 = load("[influx]\nurl = 'http://127.0.0.1:8086'\nuser = 'u'\nretention = '48h'\n",
                                 {{"MILLSTREAM_INFLUX_PASSWORD", "p"}});
  ASSERT_TRUE(v1.ok()) << v1.error().detail;
  EXPECT_EQ(v1->influx.password, "p");
  EXPECT_EQ(v1->influx.retention_ms, 172'800'000);
  const std::string token = write("token", "t0ken\n");
  const std::string v2 = "[auth]\ndevelopment = true\n[influx]\nurl = 'https://i.example/influx'\nversion = '2'\n";
  const Result<Config> whole = load(v2 + "organization = 'o'\nbucket = 'b'\ntoken_file = '" + token + "'\n");
  ASSERT_TRUE(whole.ok()) << whole.error().detail;
  EXPECT_EQ(whole->influx.token, "t0ken");
  EXPECT_TRUE(check_config(*whole).ok());
  const Result<Config> half = load(v2 + "organization = 'o'\nbucket = 'b'\n");
  ASSERT_TRUE(half.ok()) << half.error().detail;
  EXPECT_EQ(check_config(*half).error().detail, "influx.token_file: version 2 needs a token");
}

TEST_F(ConfigTest, InfluxSecretsAreNoFlagsAndItsUrlHasNone) {
  EXPECT_THAT(error_of(load("", {}, {{"influx.token", "t"}})),
              HasSubstr("use influx.token_file or MILLSTREAM_INFLUX_TOKEN"));
  EXPECT_THAT(error_of(load("[influx]\nurl = 'http://u:p@127.0.0.1:8086'")), HasSubstr("can be read by others"));
  EXPECT_THAT(error_of(load("[influx]\nurl = 'ftp://127.0.0.1'")), HasSubstr("is not a URL"));
  EXPECT_THAT(error_of(load("[influx]\nversion = '3'")), HasSubstr("must be one of 1, 2"));
}

TEST_F(ConfigTest, LocalhostMeansTheLoopbackAddress) {
  EXPECT_EQ(load("[server]\nlisten = 'localhost:9'")->server.listen, "127.0.0.1:9");
}

TEST_F(ConfigTest, InstancesThatShareALogShareTheirRegistryToo) {
  const std::string secret(32, 's');
  const std::map<std::string, std::string> environment = {{"MILLSTREAM_AUTH_JWT_SECRET", secret},
                                                          {"MILLSTREAM_REDIS_URL", "redis://:s3kret@127.0.0.1:6379"}};
  const auto alone = load_config("", environment, {});
  ASSERT_TRUE(alone.ok()) << error_of(alone);
  const Status refused = check_config(*alone);
  ASSERT_FALSE(refused.ok());
  EXPECT_NE(refused.error().detail.find("set postgres.url"), std::string::npos) << refused.error().detail;
  const auto both = load_config("", environment, {{"postgres.url", "postgresql://m@127.0.0.1/m"}});
  ASSERT_TRUE(both.ok()) << error_of(both);
  EXPECT_TRUE(check_config(*both).ok());
  const auto told = load_config("", {}, {{"redis.url", "redis://:s3kret@127.0.0.1:6379"}});
  ASSERT_FALSE(told.ok());
  EXPECT_NE(told.error().detail.find("redis.url"), std::string::npos);
  EXPECT_EQ(told.error().detail.find("s3kret"), std::string::npos) << "no secret in an error";
  EXPECT_FALSE(load_config("", {}, {{"redis.url", "rediss:/nowhere"}}).ok());
}

TEST_F(ConfigTest, EveryKeyCanBeSetFromItsDefaultTextInEveryWay) {
  std::set<std::string> names;
  for (const ConfigKey& key : config_keys()) {
    SCOPED_TRACE(key.name);
    EXPECT_TRUE(names.insert(key.name).second);
    EXPECT_FALSE(key.help.empty());
    const bool is_about_a_secret = key.secret || key.name.ends_with("secret_file") ||
                                   key.name.ends_with("password_file") || key.name.ends_with("token_file");
    const auto by_variable = load_config("", {{environment_name(key.name), key.default_text}}, {});
    EXPECT_EQ(by_variable.ok(), !is_about_a_secret) << "an empty secret is a mistake: " << error_of(by_variable);
    const auto by_flag = load_config("", {}, {{key.name, key.default_text}});
    EXPECT_EQ(by_flag.ok(), !is_about_a_secret) << error_of(by_flag);
  }
  EXPECT_GE(names.size(), 29u);
}

TEST_F(ConfigTest, UnknownKeysAreRefusedNamingPlaceAndNearestKey) {
  EXPECT_EQ(error_of(load("\n[server]\nlisen = 'x'")),
            "m.toml:3: server.lisen: unknown key; did you mean server.listen?");
  EXPECT_EQ(error_of(load("[servers]\nlisten = '127.0.0.1:1'")),
            "m.toml:2: servers.listen: unknown key; did you mean server.listen?");
  EXPECT_EQ(error_of(load("colour = 'blue'")), "m.toml:1: colour: unknown key");
  EXPECT_EQ(error_of(load("", {{"MILLSTREAM_SERVER_LISTN", "x"}})),
            "environment: MILLSTREAM_SERVER_LISTN: no such setting; did you mean MILLSTREAM_SERVER_LISTEN?");
  EXPECT_EQ(error_of(load("", {}, {{"log.levl", "info"}})),
            "command line: log.levl: unknown key; did you mean log.level?");
  EXPECT_EQ(error_of(load(rule_with("treshold = 3"))), "m.toml:7: rules.treshold: unknown key");
  EXPECT_EQ(error_of(load(rule_with("clera = 3"))), "m.toml:7: rules.clera: unknown key; did you mean rules.clear?");
}

TEST_F(ConfigTest, VariablesOfOthersArePassedOver) {
  EXPECT_TRUE(load("", {{"MILLSTREAM_TOKEN", "x"},
                        {"MILLSTREAM_KEY", "x"},
                        {"MILLSTREAM_PORT", "tcp://10.0.0.1:8080"},
                        {"MILLSTREAM_PORT_8080_TCP_ADDR", "10.0.0.1"},
                        {"MILLSTREAM_SERVICE_HOST", "10.0.0.1"},
                        {"MILLSTREAM_POSTGRES_SERVICE_HOST", "10.0.0.1"},
                        {"MILLSTREAM_POSTGRES_PORT", "tcp://10.0.0.1:5432"},
                        {"PATH", "/bin"}})
                  .ok());
}

TEST_F(ConfigTest, WrongValuesAreRefusedNamingFileLineAndKey) {
  const std::pair<const char*, const char*> cases[] = {
      {"[server]\nlisten = 8080", "m.toml:2: server.listen: must be a string"},
      {"[server]\nlisten = 'example.com:80'", "m.toml:2: server.listen: must be address:port"},
      {"[server]\nlisten = '127.0.0.1'", "server.listen: must be address:port"},
      {"[server]\nlisten = '127.0.0.1:65536'", "server.listen: must be address:port"},
      {"[server]\nlisten = '::1:80'", "server.listen: must be address:port"},
      {"[server]\ndata_directory = ''", "server.data_directory: must not be empty"},
      {"[server]\nio_threads = -1", "server.io_threads: must be a whole number from 0 to 256"},
      {"[server]\nio_threads = 1.0", "server.io_threads: must be a whole number"},
      {"[server]\nio_threads = '1'", "server.io_threads: must be a whole number"},
      {"[server]\ndrain = 10", "server.drain: must be a duration"},
      {"[server]\ndrain = '10'", "server.drain: must be a duration"},
      {"[server]\ndrain = '11m'", "from 0s to 10m"},
      {"[server]\ncors_origins = 'https://a.example'", "must be a list of strings"},
      {"[server]\ncors_origins = ['*']", "is not an origin"},
      {"[server]\ncors_origins = ['null']", "is not an origin"},
      {"[server]\ncors_origins = ['https://a.example/']", "is not an origin"},
      {"[server]\ncors_origins = [1]", "no key takes such a value"},
      {"[server]\nlisten = 2026-01-27", "no key takes such a value"},
      {"[log]\nlevel = 'trace'", "must be one of debug, info, warning, error"},
      {"[auth]\ndevelopment = 'true'", "must be true or false"},
      {"[auth]\ndevelopment_account = 'a b'", "m.toml:2: auth.development_account: must be 1 to 64"},
      {"[storage]\nretention = '1s'", "from 1m to 366d"},
      {"[stream]\nsession_queue_bytes_max = '256KB'", "must be a size"},
      {"[stream]\nsession_queue_bytes_max = '9999999999999GiB'", "must be a size"},
      {"[stream]\nretry_min = '9s'\nretry_max = '8s'", "stream.retry_min must not be above"},
      {"[presence]\nstale_after = '1m'\noffline_after = '1m'", "must be below"},
      {"[presence]\nlearn_stale_factor = 5", "presence.learn_stale_factor must be below"},
      {"[server]\nlisten = 'a'\nlisten = 'b'", "m.toml:3: "},
      {"[server\n", "m.toml:1: "},
      {"server = 3", "m.toml:1: server: unknown key"},
  };
  for (const auto& [toml, expected] : cases) EXPECT_THAT(error_of(load(toml)), HasSubstr(expected)) << toml;
  EXPECT_THAT(error_of(load_config(root_ + "/absent.toml", {}, {})), HasSubstr("cannot read the configuration file"));
  EXPECT_THAT(error_of(load_config(root_, {}, {})), HasSubstr("cannot read the configuration file"));
  EXPECT_EQ(error_of(load("", {{"MILLSTREAM_SERVER_IO_THREADS", "two"}})),
            "environment MILLSTREAM_SERVER_IO_THREADS: server.io_threads: must be a whole number from 0 to 256");
}

TEST_F(ConfigTest, ErrorsNeverShowASecret) {
  EXPECT_THAT(error_of(load("[auth]\njwt_secret = ['hunter2']")), testing::Not(HasSubstr("hunter2")));
  EXPECT_THAT(error_of(load("", {}, {{"auth.jwt_secret", "hunter2"}})),
              AllOf(HasSubstr("not as a flag"), testing::Not(HasSubstr("hunter2"))));
}

TEST_F(ConfigTest, RulesAreReadInOrderWithDefaults) {
  const Result<Config> config = load(rule_with("") + R"(
    [[rules]]
    id = "dry"
    name = "Too dry"
    enabled = false
    topic = "account:1/site:2/device:*"
    field = "weather.humidity"
    op = "<="
    value = 20
    clear = 25.5
    for = "1m"
    severity = "critical"
    message = "{{device}}"
    max_lateness = "5s"
  )");
  ASSERT_TRUE(config.ok()) << config.error().detail;
  ASSERT_EQ(config->rules.size(), 2u);
  const model::Rule& first = config->rules[0];
  EXPECT_EQ(first.name, "r");
  EXPECT_TRUE(first.enabled);
  EXPECT_EQ(first.levels.at(0).clear, std::nullopt);
  EXPECT_EQ(first.for_ms, 0);
  EXPECT_EQ(first.levels[0].severity, model::Severity::warning);
  EXPECT_EQ(first.message, model::Rule().message);
  const model::Rule& second = config->rules[1];
  EXPECT_EQ(second.name, "Too dry");
  EXPECT_FALSE(second.enabled);
  EXPECT_EQ(second.scope.text(), "account:1/site:2/device:*");
  EXPECT_EQ(second.when.at(0).field, "weather.humidity");
  EXPECT_EQ(second.levels.at(0).op, model::Comparison::le);
  EXPECT_EQ(second.levels[0].value, model::Limit(20.0));
  EXPECT_EQ(second.levels[0].clear, model::Limit(25.5));
  EXPECT_EQ(second.for_ms, 60'000);
  EXPECT_EQ(second.levels[0].severity, model::Severity::critical);
  EXPECT_EQ(second.message, "{{device}}");
  EXPECT_EQ(second.max_lateness_ms, 5'000);
}

TEST_F(ConfigTest, BadRulesAreRefused) {
  const std::pair<std::string, const char*> cases[] = {
      {rule_with("clear = 71"), "m.toml:1: rules.clear must not be above rules.value"},
      {"[[rules]]\nid='r'\ntopic='account:1'\nfield='T1'\nop='<'\nvalue=70\nclear=69", "must not be below rules.value"},
      {rule_with("") + rule_with(""), "m.toml:7: rules.id: there is another rule \"r\""},
      {"[[rules]]\nid = 'r'", "m.toml:1: rules.topic is missing"},
      {"[[rules]]\nid = 'a/b'", "m.toml:2: rules.id: must be 1 to 64"},
      {"[[rules]]\ntopic = 'account:*'", "rules.topic: not a topic pattern: account"},
      {"[[rules]]\nop = '=='", "rules.op: must be one of >, >=, <, <="},
      {"[[rules]]\nvalue = nan", "rules.value: must be a number"},
      {"[[rules]]\nvalue = inf", "rules.value: must be a number"},
      {"[[rules]]\nvalue = '70'", "rules.value: must be a number"},
      {"[[rules]]\nfor = '2d'", "rules.for: must be a duration"},
      {"[[rules]]\nseverity = 'fatal'", "rules.severity: must be one of info, warning, critical"},
      {"[[rules]]\nfield = ''", "rules.field: must have 1 to 256 bytes"},
      {"rules = 3", "rules: unknown key"},
  };
  for (const auto& [toml, expected] : cases) EXPECT_THAT(error_of(load(toml)), HasSubstr(expected)) << toml;
}

std::string issuer_with(const std::string& lines, const std::string& name = "https://id.example") {
  return "[[issuers]]\nissuer = '" + name + "'\naudience = 'millstream'\n" + lines + "\n";
}

TEST_F(ConfigTest, IssuersAreReadInOrderAndTakeTheClaimsOfAuthWhereTheyNameNone) {
  const Result<Config> config = load("[auth]\naccount_claim = 'tenant'\nroles_claim = 'groups'\n" +
                                         issuer_with("jwks_url = 'https://id.example/keys'") +
                                         issuer_with("jwks_file = 'keys.json'\nroles_claim = 'roles'", "other"),
                                     {{"MILLSTREAM_AUTH_ACCOUNT_CLAIM", "org"}});
  ASSERT_TRUE(config.ok()) << config.error().detail;
  const std::vector<IssuerSource> sources = issuer_sources(*config);
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0].issuer.name, "https://id.example");
  EXPECT_EQ(sources[0].issuer.audience, "millstream");
  EXPECT_EQ(sources[0].jwks_url, "https://id.example/keys");
  EXPECT_EQ(sources[0].issuer.claims.account, "org") << "a variable wins for them too";
  EXPECT_EQ(sources[0].issuer.claims.roles, "groups");
  EXPECT_EQ(sources[0].issuer.claims.sites, "sites");
  EXPECT_EQ(sources[1].issuer.name, "other");
  EXPECT_EQ(sources[1].jwks_file, "keys.json");
  EXPECT_EQ(sources[1].issuer.claims.roles, "roles");
}

TEST_F(ConfigTest, TheSingleSettingsAreOneMoreIssuer) {
  const Result<Config> config =
      load(issuer_with("jwks_url = 'https://id.example/keys'"), {},
           {{"auth.jwks_url", "http://127.0.0.1:1/keys"}, {"auth.jwt_issuer", "own"}, {"auth.jwt_audience", "us"}});
  ASSERT_TRUE(config.ok()) << config.error().detail;
  const std::vector<IssuerSource> sources = issuer_sources(*config);
  ASSERT_EQ(sources.size(), 2u);
  EXPECT_EQ(sources[0].issuer.name, "own");
  EXPECT_EQ(sources[0].jwks_url, "http://127.0.0.1:1/keys");
  EXPECT_TRUE(check_config(*config).ok()) << "without asking the network";
}

TEST_F(ConfigTest, BadIssuersAreRefused) {
  const std::string url = "jwks_url = 'https://id.example/keys'";
  const std::pair<std::string, const char*> cases[] = {
      {"[[issuers]]\naudience = 'm'\n" + url, "m.toml:1: issuers.issuer is missing"},
      {"[[issuers]]\nissuer = 'x'\n" + url, "m.toml:1: issuers.audience is missing"},
      {issuer_with(""), "m.toml:1: one of issuers.jwks_file and issuers.jwks_url is needed, not both"},
      {issuer_with(url + "\njwks_file = 'x'"), "m.toml:1: one of issuers.jwks_file and issuers.jwks_url is needed"},
      {issuer_with("jwks_file = 'x'\njwks_ca_file = 'y'"), "m.toml:1: issuers.jwks_ca_file is for issuers.jwks_url"},
      {issuer_with(url) + issuer_with(url), "m.toml:5: issuers.issuer: there is another issuer \"https://id.example\""},
      {issuer_with("jwks_uri = 'https://id.example/keys'"),
       "m.toml:4: issuers.jwks_uri: unknown key; did you mean issuers.jwks_url?"},
      {issuer_with("jwks_url = 3"), "m.toml:4: issuers.jwks_url: must be a string"},
      {issuer_with("jwks_url = ''"), "m.toml:4: issuers.jwks_url: must have 1 to 2048 bytes"},
      {"[[issuers]]\nissuer = ''", "m.toml:2: issuers.issuer: must have 1 to 2048 bytes"},
      {issuer_with(url + "\nroles_claim = ''"), "m.toml:5: issuers.roles_claim: must have 1 to 2048 bytes"},
      {issuer_with("jwks_url = 'http://id.example/keys'"), "m.toml:4: issuers.jwks_url: must be https://"},
      {"[auth]\njwks_url = 'ftp://127.0.0.1/keys'", "m.toml:2: auth.jwks_url: must be https://"},
      {"[auth]\njwks_refresh = '500ms'",
       "m.toml:2: auth.jwks_refresh: must be a duration such as \"30s\", from 1s to 10m"},
      {"[auth]\njwks_refetch_min = '99ms'", "m.toml:2: auth.jwks_refetch_min: must be a duration"},
      {"issuers = 3", "m.toml:1: issuers: unknown key"},
      {"[issuers]\nissuer = 'x'", "m.toml:2: issuers.issuer: unknown key"},
  };
  for (const auto& [toml, expected] : cases) EXPECT_THAT(error_of(load(toml)), HasSubstr(expected)) << toml;
}

TEST_F(ConfigTest, IssuersThatCannotBeTrustedDoNotStart) {
  const auto complaint = [&](const std::string& toml) {
    const Result<Config> config = load(toml);
    if (!config) return error_of(config);
    const Status checked = check_config(*config);
    return checked ? std::string() : checked.error().detail;
  };
  const std::string auth = "[auth]\njwt_issuer = 'https://id.example'\njwt_audience = 'us'\n";
  const std::string by_url = issuer_with("jwks_url = 'https://id.example/keys'");
  EXPECT_EQ(complaint(by_url), "") << "a way to sign in, and the network is not asked";
  EXPECT_THAT(complaint(auth + by_url), HasSubstr("auth.jwt_issuer is also one of the [[issuers]]"));
  EXPECT_THAT(complaint(auth + "jwks_url = 'https://a/'\njwks_file = 'b'"), HasSubstr("choose one"));
  EXPECT_THAT(complaint(auth + "jwks_ca_file = 'x'"), HasSubstr("auth.jwks_ca_file is for auth.jwks_url"));
  EXPECT_THAT(complaint("[auth]\njwks_url = 'https://a/'"),
              HasSubstr("auth.jwks_url needs auth.jwt_issuer and auth.jwt_audience"));
  EXPECT_THAT(complaint(issuer_with("jwks_file = '" + root_ + "/absent'")), HasSubstr("cannot read"));
  EXPECT_THAT(complaint(issuer_with("jwks_file = '" + write("bad", "{}") + "'")), HasSubstr("not a JSON Web Key Set"));
  for (const std::string& file : {root_ + "/absent", write("no.pem", "nothing"), root_}) {
    EXPECT_THAT(complaint(issuer_with("jwks_url = 'https://id.example/keys'\njwks_ca_file = '" + file + "'")),
                HasSubstr("no certificate can be read"));
  }
  const auto pem = net::make_self_signed({"localhost"});
  ASSERT_TRUE(pem.ok());
  EXPECT_EQ(
      complaint(issuer_with("jwks_url = 'https://id.example/keys'\njwks_ca_file = '" + write("ca.pem", *pem) + "'")),
      "");
  std::string many;
  for (size_t i = 0; i <= kIssuersMax; ++i) {
    many += issuer_with("jwks_url = 'https://id.example/keys'", "issuer-" + std::to_string(i));
  }
  EXPECT_THAT(complaint(many), HasSubstr("more than 32 [[issuers]]"));
}

TEST_F(ConfigTest, SecretIsReadFromAFileOfItsOwnerOnly) {
  const auto with = [&](const std::string& path) { return load("[auth]\njwt_secret_file = '" + path + "'"); };
  const std::string good = write("good", kSecret + "\n");
  ASSERT_TRUE(with(good).ok()) << error_of(with(good));
  EXPECT_EQ(with(good)->auth.jwt_secret, kSecret);
  for (const mode_t mode : {0640, 0604, 0660, 0644}) {
    EXPECT_THAT(error_of(with(write("open", kSecret, mode))), HasSubstr("can be read by others")) << mode;
  }
  EXPECT_THAT(error_of(with(write("empty", "\n"))), EndsWith("is empty"));
  EXPECT_THAT(error_of(with(root_ + "/absent")), HasSubstr("m.toml:2: auth.jwt_secret_file: cannot read"));
  EXPECT_THAT(error_of(with(root_)), HasSubstr("not a regular file"));
  EXPECT_THAT(error_of(load("[auth]\njwt_secret_file = '" + good + "'", {{"MILLSTREAM_AUTH_JWT_SECRET", kSecret}})),
              HasSubstr("keep one of them"));
}

TEST_F(ConfigTest, ThePasswordOfPostgresIsNeverAFlagAndNeverQuoted) {
  const std::string url = "postgresql://u@db.example:5433/m";
  const std::string with_password = "postgresql://u:hunter2@db.example/m";
  const std::string file = write("password", "hunter2\n");
  const Result<Config> good = load("[postgres]\nurl = '" + url + "'\npassword_file = '" + file + "'\ntimeout = '1s'");
  ASSERT_TRUE(good.ok()) << error_of(good);
  EXPECT_TRUE(good->postgres.enabled());
  EXPECT_EQ(good->postgres.password, "hunter2");
  EXPECT_EQ(good->postgres.timeout_ms, 1000);
  EXPECT_EQ(good->postgres.schema, "millstream");
  EXPECT_TRUE(load("", {{"MILLSTREAM_POSTGRES_URL", with_password}}).ok());
  EXPECT_TRUE(load("", {}, {{"postgres.url", url}}).ok());
  const Result<Config> wrong[] = {
      load("", {}, {{"postgres.url", with_password}}), load("", {}, {{"postgres.password", "hunter2"}}),
      load("[postgres]\nurl = 'mysql://u:hunter2@h/d'"), load("[postgres]\nurl = 'postgresql://u:hunter2%@h/d'"),
      load("[postgres]\npassword_file = '" + file + "'", {{"MILLSTREAM_POSTGRES_PASSWORD", "hunter2"}})};
  for (const Result<Config>& each : wrong) {
    EXPECT_THAT(error_of(each), HasSubstr("postgres."));
    EXPECT_THAT(error_of(each), testing::Not(HasSubstr("hunter2")));
  }
  EXPECT_THAT(error_of(load("[postgres]\nschema = 'a-b'")), HasSubstr("m.toml:2: postgres.schema: must be"));
}

TEST_F(ConfigTest, WhatMustNotStartIsRefused) {
  Config config;
  config.server.data_directory = root_ + "/data";
  EXPECT_THAT(check_config(config).error().detail, HasSubstr("nobody could sign in"));
  EXPECT_FALSE(std::filesystem::exists(config.server.data_directory)) << "looking must not make anything";

  config.auth.development = true;
  EXPECT_TRUE(check_config(config).ok());
  for (const char* listen : {"127.8.9.1:80", "[::1]:80"}) {
    config.server.listen = listen;
    EXPECT_TRUE(check_config(config).ok()) << listen;
  }
  for (const char* listen : {"0.0.0.0:80", "[::]:80", "192.168.0.1:80", "128.0.0.1:80", "[::ffff:8.8.8.8]:80"}) {
    config.server.listen = listen;
    EXPECT_FALSE(check_config(config).ok()) << listen;
  }

  config.auth.development = false;
  config.auth.jwt_secret = kSecret;
  EXPECT_TRUE(check_config(config).ok());
  config.auth.jwt_secret = "short";
  EXPECT_THAT(check_config(config).error().detail, HasSubstr("at least 32"));
  config.auth.jwt_secret = "-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA\n";
  EXPECT_THAT(check_config(config).error().detail, HasSubstr("PEM"));
}

TEST_F(ConfigTest, AnApiKeyThatIsNotRevokedIsAWayToSignIn) {
  Config config;
  config.server.data_directory = root_ + "/data";
  auto registry = registry::Registry::open(config.server.data_directory);
  ASSERT_TRUE(registry.ok());
  EXPECT_FALSE(check_config(config).ok());
  model::Grants grants;
  grants.account = model::AccountId::parse("1").value();
  grants.roles = model::Roles().with(model::Role::ingest);
  const auth::NewApiKey key = auth::make_api_key("k", grants, 1);
  ASSERT_TRUE((*registry)->api_keys().add(key.record).ok());
  EXPECT_TRUE(check_config(config).ok());
  ASSERT_TRUE((*registry)->api_keys().revoke(key.record.key_id).ok());
  EXPECT_FALSE(check_config(config).ok());
}

std::string mqtt_with(const std::string& lines, const std::string& url = "mqtt://broker.example") {
  return "[[mqtt]]\nname = 'plant'\nurl = '" + url + "'\n" + lines + "\n";
}

TEST_F(ConfigTest, MqttFeedsAreReadWithWhatIsLeftOutFilledIn) {
  const Result<Config> config =
      load(mqtt_with("account = 'acme'\ntopics = ['p/{site}/{device}/t']", "mqtts://[::1]") +
           "[[mqtt]]\nname = 'b'\nurl = 'mqtt://h:1999'\naccounts = ['x', 'y']\ntopics = ['{account}/{device}']\n"
           "client_id = 'c'\nversion = '3.1.1'\nqos = 0\npayload = 'json'\nstatus_topics = ['{account}/{device}/LWT']\n"
           "online = ['Online']\noffline = ['Offline', '0']\n");
  ASSERT_TRUE(config.ok()) << config.error().detail;
  ASSERT_EQ(config->feeds.size(), 2u);
  const connect::FeedOptions& first = config->feeds[0];
  EXPECT_EQ(first.broker.host, "::1");
  EXPECT_EQ(first.broker.port, 8883);
  EXPECT_TRUE(first.broker.tls && first.broker.version_5);
  EXPECT_EQ(first.broker.client_id, "millstream-plant");
  EXPECT_EQ(first.account.text(), "acme");
  EXPECT_EQ(first.topics[0].filter(), "p/+/+/t");
  EXPECT_EQ(first.qos, 1);
  const connect::FeedOptions& second = config->feeds[1];
  EXPECT_EQ(second.broker.port, 1999);
  EXPECT_FALSE(second.broker.tls || second.broker.version_5);
  EXPECT_EQ(second.accounts.size(), 2u);
  EXPECT_EQ(second.offline_payloads, (std::vector<std::string>{"Offline", "0"}));
  EXPECT_EQ(second.payload, connect::PayloadFormat::json);
}

TEST_F(ConfigTest, MqttFeedThatIsNotClearIsRefusedNamingThePlace) {
  const std::string good = "account = 'a'\ntopics = ['p/{device}']\n";
  const std::string secret = write("password", "x", 0644);
  const std::pair<std::string, std::string> cases[] = {
      {"[[mqtt]]\nname = 'x'", "m.toml:1: mqtt.url is missing"},
      {mqtt_with(good, "http://b"), "m.toml:3: mqtt.url: must be mqtt://host:port or mqtts://host:port"},
      {mqtt_with(good, "mqtt://user:pw@b"), "m.toml:3: mqtt.url: must be mqtt://host:port"},
      {mqtt_with(good, "mqtt://b:0"), "m.toml:3: mqtt.url: must be"},
      {mqtt_with(good, "mqtt://b:1/x"), "m.toml:3: mqtt.url: must be"},
      {mqtt_with(good, "mqtt://[::1"), "m.toml:3: mqtt.url: must be"},
      {mqtt_with("topic = ['p']"), "m.toml:4: mqtt.topic: unknown key; did you mean mqtt.topics?"},
      {mqtt_with("topics = ['p/#']"), "m.toml:4: mqtt.topics: \"p/#\": \"#\": # is not taken"},
      {mqtt_with("account = 'a'"), "m.toml:1: nothing is read"},
      {mqtt_with("topics = ['p/{device}']"), "m.toml:1: mqtt.account is needed"},
      {mqtt_with("account = 'a b'"), "m.toml:4: mqtt.account: a name is"},
      {mqtt_with("account = 'a'\ntopics = ['{account}/{device}']"),
       "m.toml:1: {account} in a topic needs mqtt.accounts"},
      {mqtt_with(good + "accounts = ['a']"), "m.toml:1: mqtt.accounts is for topics with {account}"},
      {mqtt_with("accounts = ['a']\ntopics = ['{account}/{device}', 'p']"), "m.toml:1: mqtt.account is needed"},
      {mqtt_with("account = 'a'\ntopics = ['p/{device}', 'p/{site}']"),
       "m.toml:1: two topics ask the broker for the same, p/+"},
      {mqtt_with(good + "status_topics = ['p/status']"), "m.toml:1: mqtt.status_topics: each must have {device}"},
      {mqtt_with(good + "qos = 2"), "m.toml:6: mqtt.qos: must be a whole number from 0 to 1"},
      {mqtt_with(good + "version = '4'"), "m.toml:6: mqtt.version: must be \"5\" or \"3.1.1\""},
      {mqtt_with(good + "payload = 'xml'"), "m.toml:6: mqtt.payload: must be auto, json or line_protocol"},
      {mqtt_with(good + "offline = ['']"), "m.toml:6: mqtt.offline: \"\": an empty payload clears"},
      {mqtt_with(good + "sparkplug_groups = ['a/b']"), "m.toml:6: mqtt.sparkplug_groups: \"a/b\": a name is"},
      {mqtt_with(good + "ca_file = 'x'"), "m.toml:1: certificates are for mqtts://"},
      {mqtt_with(good + "key_file = 'x'", "mqtts://b"),
       "m.toml:1: mqtt.certificate_file and mqtt.key_file go together"},
      {mqtt_with(good + "password = 'x'"), "m.toml:1: a password needs mqtt.username"},
      {mqtt_with(good + "password_file = '" + secret + "'"),
       "m.toml:6: mqtt.password_file: " + secret + " can be read by others"},
      {mqtt_with(good) + mqtt_with(good), "mqtt.name: there is another feed \"plant\""},
      {mqtt_with(good + "client_id = 'c'") + "[[mqtt]]\nname = 'o'\nurl = 'mqtt://broker.example'\nclient_id = 'c'\n" +
           good,
       "mqtt.client_id: feed \"plant\" has it too"},
  };
  for (const auto& [text, expected] : cases) {
    EXPECT_THAT(error_of(load(text)), HasSubstr(expected)) << text;
  }
}

TEST(ConfigExample, NamesEveryKeyWithItsDefault) {
  const Result<Config> config = load_config(EXAMPLES_DIRECTORY "/millstream.toml", {}, {});
  ASSERT_TRUE(config.ok()) << config.error().detail;
  EXPECT_EQ(config->rules.size(), 1u);

  std::stringstream text;
  text << std::ifstream(EXAMPLES_DIRECTORY "/millstream.toml").rdbuf();
  std::map<std::string, std::string> lines;  // key -> the rest of its line
  std::string section;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with('[')) section = line.substr(1, line.find(']') - 1);
    if (line.starts_with("# ")) line.erase(0, 2);
    const size_t equals = line.find(" = ");
    if (equals != std::string::npos && line.find(' ') == equals)
      lines[section + "." + line.substr(0, equals)] = line.substr(equals + 3);
  }
  for (const ConfigKey& key : config_keys()) {
    ASSERT_TRUE(lines.contains(key.name)) << key.name << " is not in the example";
    const std::string& value = lines[key.name];
    if (key.default_text.empty()) continue;
    const std::string given =
        value.starts_with('"') ? value.substr(1, value.find('"', 1) - 1) : value.substr(0, value.find(' '));
    const Result<int64_t> as_duration = parse_duration_ms(given);
    EXPECT_EQ(as_duration ? duration_text(*as_duration) : given, key.default_text) << key.name;
  }
}

// It is off, as a line that is needed would be somebody else's provider.
// The entry that stands in the example as a comment, and all that belongs to it.
std::string commented_entry(const std::string& name) {
  std::ifstream text(EXAMPLES_DIRECTORY "/millstream.toml");
  std::string toml;
  for (std::string line; std::getline(text, line);) {
    const bool comment = line.starts_with("# ");
    if (!comment && !toml.empty()) break;
    if (line == "# [[" + name + "]]" || (comment && !toml.empty())) toml += line.substr(2) + "\n";
  }
  return toml;
}

TEST_F(ConfigTest, ExampleOfAnIssuerIsOne) {
  const std::string toml = commented_entry("issuers");
  const Result<Config> config = load(toml);
  ASSERT_TRUE(config.ok()) << config.error().detail << "\n" << toml;
  ASSERT_EQ(config->issuers.size(), 1u);
  EXPECT_EQ(config->issuers[0].name, "https://id.example");
}

TEST_F(ConfigTest, ExampleOfAFeedIsOne) {
  std::string toml = commented_entry("mqtt");
  const std::string named = "/etc/millstream/mqtt-password";
  ASSERT_NE(toml.find(named), std::string::npos);
  toml.replace(toml.find(named), named.size(), write("mqtt-password", "x"));
  const Result<Config> config = load(toml);
  ASSERT_TRUE(config.ok()) << config.error().detail << "\n" << toml;
  ASSERT_EQ(config->feeds.size(), 1u);
  EXPECT_EQ(config->feeds[0].name, "plant");
}

TEST_F(ConfigTest, ExampleOfARedisFeedIsOne) {
  std::string toml = commented_entry("redis_feeds");
  const std::string named = "/etc/millstream/redis-password";
  ASSERT_NE(toml.find(named), std::string::npos);
  toml.replace(toml.find(named), named.size(), write("redis-password", "x"));
  const Result<Config> config = load(toml);
  ASSERT_TRUE(config.ok()) << config.error().detail << "\n" << toml;
  ASSERT_EQ(config->redis_feeds.size(), 1u);
  EXPECT_EQ(config->redis_feeds[0].redis.password, "x");
  EXPECT_EQ(config->redis_feeds[0].channel, "stream-events");
  EXPECT_EQ(config->redis_feeds[0].mirror_channel, "millstream-events");
}

std::string redis_with(const std::string& lines, const std::string& name = "nest") {
  return "[[redis_feeds]]\nname = '" + name + "'\nurl = 'redis://:hunter2@h:7000/1'\naccount = 'a'\n" + lines + "\n";
}

TEST_F(ConfigTest, RedisFeedThatIsNotClearIsRefusedNamingThePlaceAndNoPassword) {
  const std::string secret = write("redis-secret", "x");
  const std::pair<std::string, std::string> wrong[] = {
      {"[[redis_feeds]]\nname = 'x'", "m.toml:1: redis_feeds.url is missing"},
      {"[[redis_feeds]]\nname = 'x'\nurl = 'redis://:hunter2@h:x'",
       "m.toml:3: redis_feeds.url: the URL of Redis: \"h:x\""},
      {"[[redis_feeds]]\nname = 'x'\nurl = 'redis://h'", "m.toml:1: redis_feeds.account is missing"},
      {redis_with("chanel = 'c'"), "m.toml:5: redis_feeds.chanel: unknown key; did you mean redis_feeds.channel?"},
      {redis_with("channel = ''"), "m.toml:5: redis_feeds.channel: must have 1 to"},
      {redis_with("ca_file = 'x'"), "m.toml:1: certificates are for rediss://"},
      {redis_with("password_file = '" + secret + "'"), "m.toml:1: a password in redis_feeds.url and in"},
      {redis_with("mirror = 'stream-events'"), "m.toml:1: redis_feeds.mirror: the feed reads that channel itself"},
      {redis_with("") + redis_with(""), "m.toml:6: redis_feeds.name: there is another feed \"nest\""},
      {redis_with("mirror = 'c'") + redis_with("channel = 'c'\nmirror = 'd'", "other"),
       "m.toml:6: redis_feeds.mirror: feed \"nest\" and this one would mirror"},
  };
  for (const auto& [toml, why] : wrong) {
    const Result<Config> config = load(toml);
    ASSERT_FALSE(config.ok()) << toml;
    EXPECT_NE(config.error().detail.find(why), std::string::npos) << config.error().detail << "\n" << why;
    EXPECT_EQ(config.error().detail.find("hunter2"), std::string::npos) << config.error().detail;
  }
  ASSERT_TRUE(load(redis_with("mirror = true")).ok());
  EXPECT_EQ(load(redis_with("mirror = false"))->redis_feeds[0].mirror_channel, "");
}

TEST_F(ConfigTest, ExampleOfAQueueIsOne) {
  std::string toml = commented_entry("sqs");
  const std::string named = "/etc/millstream/sqs-secret";
  ASSERT_NE(toml.find(named), std::string::npos);
  toml.replace(toml.find(named), named.size(), write("sqs-secret", "x"));
  const Result<Config> config = load(toml);
  ASSERT_TRUE(config.ok()) << config.error().detail << "\n" << toml;
  ASSERT_EQ(config->sqs.size(), 1u);
  EXPECT_EQ(config->sqs[0].access.secret_key, "x");
  EXPECT_EQ(config->sqs[0].feed.queue.wait_s, 20);
  EXPECT_EQ(config->sqs[0].feed.queue.visibility_s, 120);
}

std::string sqs_with(const std::string& lines,
                     const std::string& url = "https://sqs.eu-west-1.amazonaws.com/123456789012/plant") {
  return "[[sqs]]\nname = 'q'\nqueue_url = '" + url + "'\naccount = 'a'\n" + lines + "\n";
}
const std::map<std::string, std::string> kAwsVariables = {
    {"AWS_ACCESS_KEY_ID", "AKID"}, {"AWS_SECRET_ACCESS_KEY", "hunter2"}, {"AWS_SESSION_TOKEN", "token"}};

TEST_F(ConfigTest, RegionEndpointAndCredentialOfAQueueFollowFromWhatIsKnown) {
  const Result<Config> config = load(sqs_with(""), kAwsVariables);
  ASSERT_TRUE(config.ok()) << config.error().detail;
  const SqsAccess& access = config->sqs.at(0).access;
  EXPECT_EQ(access.region, "eu-west-1");
  EXPECT_EQ(access.endpoint, "https://sqs.eu-west-1.amazonaws.com/");
  EXPECT_EQ(access.access_key_id, "AKID");
  EXPECT_EQ(access.secret_key, "hunter2");
  EXPECT_EQ(access.session_token, "token");
  const std::string own = "access_key_id = 'OWN'\nsecret_key_file = '" + write("sqs-own", "own") + "'";
  const Result<Config> named = load(sqs_with(own), kAwsVariables);
  ASSERT_TRUE(named.ok()) << named.error().detail;
  EXPECT_EQ(named->sqs.at(0).access.secret_key, "own");
  EXPECT_EQ(named->sqs.at(0).access.session_token, "");
  EXPECT_EQ(load(sqs_with("", "https://sqs.cn-north-1.amazonaws.com.cn/1/q"), kAwsVariables)->sqs.at(0).access.region,
            "cn-north-1");
}

TEST_F(ConfigTest, QueueThatIsNotClearIsRefusedNamingThePlaceAndNoSecret) {
  const std::pair<std::string, std::string> wrong[] = {
      {"[[sqs]]\nname = 'q'", "m.toml:1: sqs.queue_url is missing"},
      {sqs_with("", "queue"), "m.toml:3: sqs.queue_url: \"queue\" is not a URL"},
      {sqs_with("", "https://u:p@h/q"), "m.toml:3: sqs.queue_url: a URL with a user or password"},
      {sqs_with("", "http://127.0.0.1:9324/1/q"), "m.toml:1: sqs.region is missing"},
      {sqs_with("wait = '21s'"), "m.toml:5: sqs.wait: "},
      {sqs_with("visibility = '2500ms'"), "m.toml:5: sqs.visibility: must be whole seconds"},
      {sqs_with("poison = 'keep'"), "m.toml:5: sqs.poison: must be one of leave, delete"},
      {sqs_with("access_key_id = 'A'"), "m.toml:1: sqs.access_key_id and sqs.secret_key_file go together"},
      {sqs_with("region = \"a\\nb\""), "m.toml:1: the credential and sqs.region are visible ASCII"},
      {sqs_with("quue = 'x'"), "m.toml:5: sqs.quue: unknown key"},
      {sqs_with("") + sqs_with(""), "m.toml:6: sqs.name: there is another feed \"q\""},
  };
  for (const auto& [toml, why] : wrong) {
    const Result<Config> config = load(toml, kAwsVariables);
    ASSERT_FALSE(config.ok()) << toml;
    EXPECT_NE(config.error().detail.find(why), std::string::npos) << config.error().detail << "\n" << why;
    EXPECT_EQ(config.error().detail.find("hunter2"), std::string::npos) << config.error().detail;
  }
  const Result<Config> none = load(sqs_with(""));
  ASSERT_TRUE(none.ok()) << none.error().detail;
  const Status checked = check_config(*none);
  ASSERT_FALSE(checked.ok());
  EXPECT_NE(checked.error().detail.find("sqs \"q\": no credential: set sqs.access_key_id"), std::string::npos);
}

TEST(ConfigExample, DemoIsReadyToStart) {
  const Result<Config> config = load_config(EXAMPLES_DIRECTORY "/demo.toml", {}, {});
  ASSERT_TRUE(config.ok()) << config.error().detail;
  EXPECT_TRUE(check_config(*config).ok());
  EXPECT_EQ(config->presence.stale_after_ms, 12'000);
  EXPECT_EQ(config->presence.offline_after_ms, 25'000);
}

TEST(Config, RulesInFullComeFromAFileBesideThoseOfTheConfiguration) {
  const std::string path = ::testing::TempDir() + "rules-" + std::to_string(::getpid()) + ".yaml";
  const auto load_rules = [&](const std::string& yaml) {
    std::ofstream(path) << yaml;
    return load_config("", {}, {{"alerts.rules_file", path}});
  };
  const std::string rule =
      "  scope: {topic: account:1}\n  when: {all: [{field: T1}]}\n"
      "  levels: [{severity: warning, op: '>', value: 70}]\n";
  const auto config = load_rules("- id: a\n" + rule + "- id: b\n" + rule);
  ASSERT_TRUE(config.ok()) << config.error().detail;
  EXPECT_TRUE(config->rules.empty());
  const std::vector<model::Rule>& rules = config->alerts.rules_of_file;
  ASSERT_EQ(rules.size(), 2u);
  EXPECT_EQ(rules[1].id, "b");
  EXPECT_EQ(rules[1].levels[0].value, model::Limit(70.0));
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"- id: a\n" + rule + "- id: a\n" + rule, ": there is another rule \"a\" of account \"1\""},
      {"- id: a\n  when: {}\n", ":1: scope.topic: missing"},
      {"- id: b\n" + rule + "- id: a\n" + rule + "  for: 3\n", ":5: for: a duration"},
      {"- id: a\n" + rule + "  schedule: {tz: Mars/Olympus, active: [{}]}\n", ":1: schedule.tz: no time zone"},
      {"id: a\n", ": not a list of rules"},
      {"- id: [\n", ":2: "},
  };
  for (const auto& [yaml, reason] : cases) {
    const auto wrong = load_rules(yaml);
    ASSERT_FALSE(wrong.ok()) << yaml;
    EXPECT_EQ(wrong.error().detail.substr(0, path.size() + reason.size()), path + reason) << wrong.error().detail;
    // Keys and users are none of its business.
    const auto settings = load_settings("", {}, {{"alerts.rules_file", path}});
    ASSERT_TRUE(settings.ok()) << settings.error().detail;
    EXPECT_EQ(settings->alerts.rules_file, path);
  }
  ::unlink(path.c_str());
  EXPECT_FALSE(load_config("", {}, {{"alerts.rules_file", path}}).ok());
}

}  // namespace
}  // namespace millstream::app
