// The program: reads the command line, runs one command, and turns whatever goes wrong into one clear line and exit
// code 2.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <functional>

#include "app/commands.h"
#include "app/config.h"
#include "app/serve.h"

extern char** environ;

namespace millstream::app {
namespace {

// Ours, and those by which a credential for AWS is usually given.
bool is_read(std::string_view variable) {
  return variable.starts_with("MILLSTREAM_") || variable == "AWS_ACCESS_KEY_ID" ||
         variable == "AWS_SECRET_ACCESS_KEY" || variable == "AWS_SESSION_TOKEN";
}

Environment read_environment() {
  Environment environment;
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (equals == std::string_view::npos || !is_read(text.substr(0, equals))) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

// What the command line said, and the command it chose.
struct CommandLine {
  Environment environment = read_environment();
  std::string config_file;
  std::string data_directory;
  std::string tls;                              // of serve: "self-signed"
  std::map<std::string, std::string> settings;  // --section.key=value of serve
  TokenOptions token;
  KeyCreateOptions key;
  std::string key_id;
  std::string overlap = "24h";  // of key rotate
  UserAddOptions user;
  std::string account;  // of device list
  std::string topic;    // of device remove
  TailOptions tail;
  SimulateOptions simulate;
  BackupOptions backup;
  bool json = false;               // of check-data
  std::vector<std::string> files;  // of rules test
  std::function<Result<int>()> run;

  using Load = decltype(load_config);
  Result<Config> load(Load& how = load_config) const {
    std::map<std::string, std::string> flags = settings;
    if (!data_directory.empty()) flags["server.data_directory"] = data_directory;
    if (tls == "self-signed") flags["tls.self_signed"] = "true";
    return how(config_file, environment, flags);
  }
  // `f` gets the loaded configuration.
  std::function<Result<int>()> with_config(std::function<Result<int>(const Config&)> f) const {
    return with(load_config, std::move(f));
  }
  // The same, for what is of no rule.
  std::function<Result<int>()> with_settings(std::function<Result<int>(const Config&)> f) const {
    return with(load_settings, std::move(f));
  }

 private:
  std::function<Result<int>()> with(Load& how, std::function<Result<int>(const Config&)> f) const {
    return [this, &how, f = std::move(f)]() -> Result<int> {
      const Result<Config> config = load(how);
      if (!config) return config.error();
      return f(*config);
    };
  }
};

void add_grant_options(CLI::App& command, GrantWords& words) {
  command.add_option("--account", words.account, "account it belongs to")->required();
  command.add_option("--sites", words.sites, "only these sites (comma-separated)")->delimiter(',');
  command.add_option("--devices", words.devices, "only these devices (comma-separated)")->delimiter(',');
  command.add_option("--role", words.roles, "viewer, operator, admin, ingest or publish; may be given several times")
      ->delimiter(',');
}

void add_config_option(CLI::App& command, CommandLine& line) {
  command.add_option("--config", line.config_file, "configuration file (TOML); default: MILLSTREAM_CONFIG, else none");
}

void add_data_directory(CLI::App& command, CommandLine& line) {
  command.add_option("--data-directory,--data-dir", line.data_directory,
                     "instead of server.data_directory of the configuration");
}

void add_ca_file(CLI::App& command, std::string& ca_file) {
  command.add_option("--ca-file", ca_file, "PEM file to trust an https server by; default: what the system trusts");
}

Result<int> serve(CommandLine& line) {
  const Result<Config> config = line.load();
  if (!config) return config.error();
  if (Status s = check_config(*config); !s) return s.error();
  configure_log(config->log.level, config->log.format);
  return run_serve(*config, MILLSTREAM_VERSION);
}

// "--server.listen=…" and "--server.listen …". CLI11 knows these options for --help; what it does not know comes here
// too, so that a mistyped one is answered with the nearest.
Status take_settings(const std::vector<std::string>& words, std::map<std::string, std::string>& settings) {
  for (size_t i = 0; i < words.size(); ++i) {
    const std::string& word = words[i];
    if (!word.starts_with("--") || word.find('.') == std::string::npos) {
      return Error{Code::invalid, "serve does not know \"" + word + "\"; see millstream serve --help"};
    }
    const size_t equals = word.find('=');
    const std::string key = word.substr(2, equals == std::string::npos ? equals : equals - 2);
    const bool known = std::any_of(config_keys().begin(), config_keys().end(),
                                   [&](const ConfigKey& known_key) { return known_key.name == key; });
    if (equals != std::string::npos) {
      settings[key] = word.substr(equals + 1);
    } else if (!known || i + 1 < words.size()) {
      settings[key] = known ? words[++i] : "";
    } else {
      return Error{Code::invalid, word + " needs a value"};
    }
  }
  return {};
}

std::string settings_help() {
  std::string text = "Settings (flags win over MILLSTREAM_<SECTION>_<KEY>, those over the file):\n";
  for (const ConfigKey& key : config_keys()) {
    std::string name = key.secret ? "  " + environment_name(key.name) : "  --" + key.name;
    if (!key.default_text.empty()) name += "=" + key.default_text;
    if (name.size() < 46) name.resize(46, ' ');
    text += name + " " + key.help + "\n";
  }
  return text;
}

void add_serve(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("serve", "Run the server");
  command->footer(settings_help() +
                  "\nExamples:\n"
                  "  millstream serve --config examples/demo.toml\n"
                  "  millstream serve --config examples/demo.toml --tls self-signed\n"
                  "  millstream serve --server.listen=0.0.0.0:8080 --auth.jwt_secret_file=/etc/millstream/jwt.secret");
  // With what falls through, CLI11 would refuse settings before take_settings() sees them.
  command->fallthrough(false);
  command->allow_extras();
  add_config_option(*command, line);
  command->add_option("--tls", line.tls, "HTTPS with a certificate made here, for development")
      ->check(CLI::IsMember({"self-signed"}));
  command->callback([&line, command] {
    line.run = [&line, command]() -> Result<int> {
      if (Status s = take_settings(command->remaining(), line.settings); !s) return s.error();
      return serve(line);
    };
  });
}

void add_simulate(CLI::App& app, CommandLine& line) {
  SimulateOptions& options = line.simulate;
  CLI::App* command = app.add_subcommand("simulate", "Send what a small made-up plant would send");
  command->add_option("--url", options.url, "server to send to")->capture_default_str();
  command->add_option("--devices", options.devices, "how many devices")->capture_default_str();
  command->add_option("--sites", options.sites, "in how many sites")->capture_default_str();
  command->add_option("--fields", options.fields, "values in each point")->capture_default_str();
  command->add_option("--interval", options.interval, "time between two points of a device")->capture_default_str();
  command->add_option("--seed", options.seed, "the same seed gives the same plant")->capture_default_str();
  command->add_option("--duration", options.duration, "end after so long; default: Ctrl-C");
  command->add_option("--rate-multiplier", options.rate_multiplier, "so many times as many points")
      ->capture_default_str();
  command->add_option("--key-file", options.credential_file,
                      "file with the API key; default: MILLSTREAM_KEY, else none");
  add_ca_file(*command, options.ca_file);
  command->footer(
      "Examples:\n"
      "  millstream simulate\n"
      "  MILLSTREAM_KEY=ms_… millstream simulate --url https://stream.example --devices 100 --interval 1s");
  command->callback([&line] { line.run = [&line] { return run_simulate(line.simulate, line.environment); }; });
}

void add_tail(CLI::App& app, CommandLine& line) {
  TailOptions& options = line.tail;
  CLI::App* command = app.add_subcommand("tail", "Print events as they happen");
  command->add_option("url", options.url, "server, such as http://127.0.0.1:8080")->required();
  command->add_option("--topics", options.topics, "only these, such as account:1/site:2 (comma-separated)");
  command->add_option("--types", options.types, "only these: telemetry,alert,device_status,system");
  command->add_option("--since", options.since, "start in the past: a time, an event id, or 10m for ten minutes ago");
  command->add_flag("--snapshot", options.snapshot, "begin with the latest values");
  command->add_option("--credential-file,--token-file,--key-file", options.credential_file,
                      "file with the token or key; default: MILLSTREAM_TOKEN or MILLSTREAM_KEY, else none");
  add_ca_file(*command, options.ca_file);
  CLI::Option* json = command->add_flag("--json", options.json, "one JSON object a line (the default into a pipe)");
  command->add_flag("--pretty", options.pretty, "for reading (the default on a terminal)")->excludes(json);
  command->add_option("--count", options.count, "end after so many events (not counting system events)");
  command->footer(
      "It comes back after a broken connection without missing or repeating an event. Ctrl-C ends it.\n\n"
      "Examples:\n"
      "  millstream tail http://127.0.0.1:8080\n"
      "  MILLSTREAM_TOKEN=… millstream tail https://stream.example --types alert --since 24h --json");
  command->callback([&line] { line.run = [&line] { return run_tail(line.tail, line.environment); }; });
}

void add_token(CLI::App& app, CommandLine& line) {
  TokenOptions& options = line.token;
  CLI::App* command = app.add_subcommand("token", "Sign a token (JWT) with the configured secret and print it");
  add_grant_options(*command, options.grants);
  command->add_option("--sub", options.subject, "whose token it is, for the logs")->required();
  command->add_option("--ttl", options.ttl, "how long it is valid")->capture_default_str();
  command->footer(
      "Example:\n"
      "  millstream token --config millstream.toml --account 123 --sub anna --role viewer --ttl 8h");
  command->callback([&line] {
    if (line.token.grants.roles.empty()) line.token.grants.roles = {"viewer"};
    line.run = line.with_settings([&line](const Config& config) { return run_token(config, line.token); });
  });
}

void add_key(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("key", "Make, list, replace and revoke API keys, also while a server runs");
  command->require_subcommand(1);
  command->footer(
      "Examples:\n"
      "  millstream key create --account 123 --name \"line 1\" --role ingest --sites 1,2 --ttl 365d\n"
      "  millstream key list\n"
      "  millstream key rotate k3f9x2a7q0bd --overlap 7d\n"
      "  millstream key revoke k3f9x2a7q0bd");

  CLI::App* create = command->add_subcommand("create", "Make a key and print it, this once");
  add_grant_options(*create, line.key.grants);
  create->add_option("--name", line.key.name, "what it is for, for the list")->required();
  create->add_option("--ttl", line.key.ttl, "how long it is valid; default: until it is revoked");
  add_data_directory(*create, line);
  create->callback([&line] {
    line.run = line.with_settings([&line](const Config& config) { return run_key_create(config, line.key); });
  });

  CLI::App* list = command->add_subcommand("list", "List the keys; their secrets are not kept");
  add_data_directory(*list, line);
  list->callback([&line] { line.run = line.with_settings(run_key_list); });

  CLI::App* revoke = command->add_subcommand("revoke", "End a key for good");
  revoke->add_option("id", line.key_id, "the middle part of ms_<id>_<secret>")->required();
  add_data_directory(*revoke, line);
  revoke->callback([&line] {
    line.run = line.with_settings([&line](const Config& config) { return run_key_revoke(config, line.key_id); });
  });

  CLI::App* rotate = command->add_subcommand("rotate", "Make a key in place of another, which goes on for a while");
  rotate->add_option("id", line.key_id, "the middle part of ms_<id>_<secret>")->required();
  rotate->add_option("--overlap", line.overlap, "how long the old key is still good")->capture_default_str();
  add_data_directory(*rotate, line);
  rotate->callback([&line] {
    line.run =
        line.with_settings([&line](const Config& config) { return run_key_rotate(config, line.key_id, line.overlap); });
  });
}

void add_user(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("user", "Add, list and disable those who sign in with a password");
  command->require_subcommand(1);
  command->footer(
      "The password is asked for, or read from standard input or a file; never from the command line.\n\n"
      "Examples:\n"
      "  millstream user add anna --account 123 --role operator\n"
      "  millstream user passwd anna\n"
      "  millstream user disable anna");
  const auto add_name = [&](CLI::App& to) {
    to.add_option("name", line.user.name, "the user's name, or mail address")->required();
    add_data_directory(to, line);
  };
  const auto add_password_file = [&](CLI::App& to) {
    to.add_option("--password-file", line.user.password_file, "file with the password, readable by its owner only");
  };
  CLI::App* add = command->add_subcommand("add", "Add a user");
  add_name(*add);
  add_grant_options(*add, line.user.grants);
  add_password_file(*add);
  add->callback([&line] {
    if (line.user.grants.roles.empty()) line.user.grants.roles = {"viewer"};
    line.run = line.with_settings([&line](const Config& config) { return run_user_add(config, line.user); });
  });
  CLI::App* passwd = command->add_subcommand("passwd", "Set a new password; who is signed in is signed out");
  add_name(*passwd);
  add_password_file(*passwd);
  passwd->callback([&line] {
    line.run = line.with_settings([&line](const Config& config) { return run_user_passwd(config, line.user); });
  });
  CLI::App* list = command->add_subcommand("list", "List the users");
  add_data_directory(*list, line);
  list->callback([&line] { line.run = line.with_settings(run_user_list); });
  for (const bool disabled : {true, false}) {
    CLI::App* change = command->add_subcommand(
        disabled ? "disable" : "enable",
        disabled ? "Sign a user out and let nobody in by that name" : "Let a disabled user sign in again");
    add_name(*change);
    change->callback([&line, disabled] {
      line.run = line.with_settings(
          [&line, disabled](const Config& config) { return run_user_disable(config, line.user.name, disabled); });
    });
  }
}

void add_device(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("device", "List the devices that are known, and remove some");
  command->require_subcommand(1);
  command->footer("Example:\n  millstream device remove account:123/site:1/device:elink-99");
  CLI::App* list = command->add_subcommand("list", "List the devices");
  list->add_option("--account", line.account, "only this account's");
  add_data_directory(*list, line);
  list->callback([&line] {
    line.run = line.with_settings([&line](const Config& config) { return run_device_list(config, line.account); });
  });
  CLI::App* remove = command->add_subcommand("remove", "Make room for another device of the account");
  remove->add_option("topic", line.topic, "account:{a}/site:{s}/device:{d}")->required();
  add_data_directory(*remove, line);
  remove->callback([&line] {
    line.run = line.with_settings([&line](const Config& config) { return run_device_remove(config, line.topic); });
  });
}

void add_backup(CLI::App& app, CommandLine& line) {
  BackupOptions& options = line.backup;
  CLI::App* backup = app.add_subcommand("backup", "Write everything the server keeps to one file, also while it runs");
  backup->add_option("file", options.file, "where to; - is standard output")->required();
  backup->add_flag("--force", options.force, "write over a file that is there");
  add_data_directory(*backup, line);
  backup->footer(
      "What was acknowledged before it began is in it. Login sessions and tickets are not, nor is the configuration "
      "file.\n"
      "It holds secrets: password hashes, and the key of a self-signed certificate. It needs room for the data twice.\n"
      "The format is tar with zstd: tar --zstd -tvf FILE.\n\n"
      "Examples:\n"
      "  millstream backup --config millstream.toml /backup/millstream-$(date +%F).tar.zst\n"
      "  millstream backup --config millstream.toml - | ssh other 'cat > millstream.tar.zst'");
  backup->callback([&line] {
    line.run = line.with_settings(
        [&line](const Config& config) { return run_backup(config, line.backup, MILLSTREAM_VERSION); });
  });

  CLI::App* restore = app.add_subcommand("restore", "Put a backup into a data directory that no server uses");
  restore->add_option("file", options.file, "what millstream backup wrote; - is standard input")->required();
  restore->add_flag("--force", options.force, "move what is in the directory to before-restore-… in it");
  add_data_directory(*restore, line);
  restore->footer(
      "Everything is checked before anything is put in place. What happened since the backup is declared as missing "
      "to\n"
      "viewers that come back. Everyone signs in again. Keys and users are those of the backup: revoke again what was\n"
      "revoked since. Events older than storage.retention are removed when the server starts.\n\n"
      "Example:\n"
      "  millstream restore /backup/millstream-2026-01-27.tar.zst --data-dir /var/lib/millstream");
  restore->callback([&line] {
    line.run = line.with_settings([&line](const Config& config) { return run_restore(config, line.backup); });
  });
}

void add_check_data(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("check-data", "Look for damage in everything the server keeps");
  command->add_flag("--json", line.json, "one JSON document");
  add_data_directory(*command, line);
  command->footer(
      "Reads only, also while the server runs. One line a file. Exit code 0: all is well; 1: something is damaged;\n"
      "2: it could not be looked at.\n\n"
      "Example:\n"
      "  millstream check-data --config millstream.toml --json | jq '.files[] | select(.sound | not)'");
  command->callback([&line] {
    line.run = line.with_settings([&line](const Config& config) { return run_check_data(config, line.json); });
  });
}

void add_rules(CLI::App& app, CommandLine& line) {
  CLI::App* command = app.add_subcommand("rules", "Try alert rules out, without a server");
  command->require_subcommand(1);
  CLI::App* test =
      command->add_subcommand("test", "Go through scenarios: what comes in, and which alerts it must bring");
  test->add_option("file", line.files, "scenarios, in YAML or JSON; docs/rules.md tells how they are written")
      ->required();
  test->footer(
      "Each is gone through twice, the second time with a restart before every step.\n"
      "Exit code 0: all came as expected; 1: something did not; 2: a file cannot be read.\n\n"
      "Example:\n"
      "  millstream rules test tests/scenarios/*.yaml");
  test->callback([&line] { line.run = [&line] { return run_rules_test(line.files); }; });
}

void add_commands(CLI::App& app, CommandLine& line) {
  app.require_subcommand(1);
  app.fallthrough();
  add_config_option(app, line);
  app.set_help_all_flag("--help-all", "Help for every command");
  app.footer(
      "Try it out:\n"
      "  millstream serve --config examples/demo.toml      (then open http://127.0.0.1:8080)\n"
      "  millstream simulate                               (in a second terminal)\n"
      "  millstream tail http://127.0.0.1:8080             (in a third)");
  add_serve(app, line);
  add_simulate(app, line);
  add_tail(app, line);
  add_token(app, line);
  add_key(app, line);
  add_user(app, line);
  add_device(app, line);
  add_backup(app, line);
  add_check_data(app, line);
  add_rules(app, line);
  app.add_subcommand("check-config", "Say whether the server would start with this configuration")->callback([&line] {
    line.run = line.with_config([&line](const Config& config) { return run_check_config(config, line.config_file); });
  });
  app.add_subcommand("version", "Print the version")->callback([&line] {
    line.run = []() -> Result<int> {
      std::printf("millstream %s\n", MILLSTREAM_VERSION);
      return 0;
    };
  });
}

int fail(const std::string& what) {
  std::fprintf(stderr, "millstream: %s\n", what.c_str());
  return 2;
}

std::string no_command_text(const CLI::App& app) {
  const std::vector<std::string> words = app.remaining();
  std::string text = words.empty() ? "a command is needed" : "unknown command \"" + words.front() + "\"";
  text += "; there are";
  for (const CLI::App* command : app.get_subcommands(nullptr)) text += " " + command->get_name();
  return text + " (millstream --help says more)";
}

int run(int argc, char** argv) {
  CommandLine line;
  if (const auto found = line.environment.find("MILLSTREAM_CONFIG"); found != line.environment.end()) {
    line.config_file = found->second;
  }
  CLI::App app("Millstream: live event streams for device dashboards.", "millstream");
  add_commands(app, line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help
    if (app.get_subcommands().empty()) return fail(no_command_text(app));
    return fail(std::string(error.what()) + " (millstream --help says more)");
  }
  const Result<int> code = line.run();
  return code ? *code : fail(code.error().detail);
}

}  // namespace
}  // namespace millstream::app

int main(int argc, char** argv) {
  try {
    return millstream::app::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "millstream: %s\n", error.what());
    return 2;
  }
}
