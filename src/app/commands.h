// app/commands.h: the subcommands of the command line, but serve: their options and what runs them.
//
// Flow     main.cc fills the options; each run_* does the work and gives back the exit code.
// Errors   Result: the one line that main prints before it exits with 2.
// Thread   startup: each blocks until it is done
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "app/config.h"
#include "base/result.h"
#include "model/grants.h"

namespace millstream::app {

using Environment = std::map<std::string, std::string>;

// Who a token or key is for, in the words of the command line.
struct GrantWords {
  std::string account;
  std::vector<std::string> sites;
  std::vector<std::string> devices;
  std::vector<std::string> roles;
};
Result<model::Grants> parse_grants(const GrantWords& words);

// The credential of a tool: from `file` if one is named, else from the first of `variables` that is set; empty when
// there is none. Never from argv.
Result<std::string> find_credential(const std::string& file, const Environment& environment,
                                    const std::vector<std::string>& variables);

struct TokenOptions {
  GrantWords grants;
  std::string subject;
  std::string ttl = "24h";
};
Result<int> run_token(const Config& config, const TokenOptions& options);

struct KeyCreateOptions {
  GrantWords grants;
  std::string name;
  std::string ttl;  // empty: until it is revoked
};
Result<int> run_key_create(const Config& config, const KeyCreateOptions& options);
Result<int> run_key_list(const Config& config);
Result<int> run_key_revoke(const Config& config, const std::string& key_id);
// A new key of the same rights; the old one goes on for `overlap`, a duration.
Result<int> run_key_rotate(const Config& config, const std::string& key_id, const std::string& overlap);

struct UserAddOptions {
  GrantWords grants;
  std::string name;
  std::string password_file;  // empty: from the keyboard or standard input
};
Result<int> run_user_add(const Config& config, const UserAddOptions& options);
Result<int> run_user_passwd(const Config& config, const UserAddOptions& options);  // grants are not used
Result<int> run_user_list(const Config& config);
Result<int> run_user_disable(const Config& config, const std::string& name, bool disabled);

Result<int> run_device_list(const Config& config, const std::string& account);  // empty: of all
Result<int> run_device_remove(const Config& config, const std::string& topic);

// Says what is insecure though allowed, on standard error.
Result<int> run_check_config(const Config& config, const std::string& file);

struct TailOptions {
  std::string url;
  std::string topics;
  std::string types;
  std::string since;  // a time, an event id, or how long ago: "10m"
  bool snapshot = false;
  std::string credential_file;
  std::string ca_file;
  bool json = false;  // neither: pretty on a terminal, JSON into a pipe
  bool pretty = false;
  uint64_t count = 0;  // 0: until interrupted
};
Result<int> run_tail(const TailOptions& options, const Environment& environment);

struct SimulateOptions {
  std::string url = "http://127.0.0.1:8080";
  int devices = 24;
  int sites = 3;
  int fields = 10;
  std::string interval = "5s";
  uint64_t seed = 1;
  std::string duration;  // empty: until interrupted
  double rate_multiplier = 1;
  std::string credential_file;
  std::string ca_file;
};
Result<int> run_simulate(const SimulateOptions& options, const Environment& environment);

struct BackupOptions {
  std::string file;  // "-": standard output, or input
  bool force = false;
};
Result<int> run_backup(const Config& config, const BackupOptions& options, const std::string& version);
Result<int> run_restore(const Config& config, const BackupOptions& options);
// Gives 1 when something is damaged.
Result<int> run_check_data(const Config& config, bool json);

// Scenarios of rules; gives 1 when one came otherwise than it expects.
Result<int> run_rules_test(const std::vector<std::string>& files);

}  // namespace millstream::app
