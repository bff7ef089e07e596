// millstream user: those who sign in with a name and a password. A running server notices within seconds.
#include <termios.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "app/commands.h"
#include "app/open_registry.h"
#include "app/secret_file.h"
#include "app/text_table.h"
#include "auth/password.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "registry/columns.h"

namespace millstream::app {
namespace {

using registry::Registry;

// The terminal does not show what is typed, for as long as this lives.
class Hidden {
 public:
  Hidden() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios quiet = before_;
    quiet.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    changed_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet) == 0;
  }
  ~Hidden() {
    if (changed_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Hidden(const Hidden&) = delete;
  Hidden& operator=(const Hidden&) = delete;

 private:
  termios before_{};
  bool changed_ = false;
};

Result<std::string> ask(const char* what) {
  std::fprintf(stderr, "%s: ", what);
  std::string line;
  {
    const Hidden hidden;
    if (!std::getline(std::cin, line)) return Error{Code::invalid, "no password was given"};
  }
  std::fprintf(stderr, "\n");
  return line;
}

// From a file, a pipe, or twice from the keyboard; never from the command line, which others can read.
Result<std::string> read_password(const std::string& file) {
  if (!file.empty()) return read_secret_file(file);
  if (!isatty(STDIN_FILENO)) {
    std::string line;
    if (!std::getline(std::cin, line)) return Error{Code::invalid, "no password on standard input"};
    return line;
  }
  Result<std::string> first = ask("password");
  if (!first) return first;
  const Result<std::string> second = ask("once more");
  if (!second) return second;
  if (*first != *second) return Error{Code::invalid, "the two are not the same"};
  return first;
}

Result<std::string> read_new_hash(const std::string& file, const std::string& user) {
  const Result<std::string> password = read_password(file);
  if (!password) return password;
  if (const Status good = auth::check_password(*password, user); !good) return good.error();
  return auth::hash_password(*password);
}

}  // namespace

Result<int> run_user_add(const Config& config, const UserAddOptions& options) {
  model::UserRecord user;
  Result<model::Grants> grants = parse_grants(options.grants);
  if (!grants) return grants.error();
  if (!model::may_be_added(options.name)) {
    return Error{Code::invalid, "\"" + options.name + "\": " + model::kUserNameRule};
  }
  const Result<std::unique_ptr<Registry>> registry = open_registry(config);
  if (!registry) return registry.error();
  if ((*registry)->users().find(options.name)) {
    return Error{Code::conflict,
                 "there is a user \"" + options.name + "\" already; millstream user passwd changes the password"};
  }
  Result<std::string> hash = read_new_hash(options.password_file, options.name);
  if (!hash) return hash.error();
  user.name = options.name;
  user.password_hash = std::move(*hash);
  user.grants = std::move(*grants);
  user.created_at_ms = SystemClock().wall_ms();
  if (const Status added = (*registry)->users().add(user); !added) return added.error();
  std::printf("added %s to account %s in %s\n", user.name.c_str(), user.grants.account.text().c_str(),
              registry_place(config).c_str());
  return 0;
}

Result<int> run_user_passwd(const Config& config, const UserAddOptions& options) {
  const Result<std::unique_ptr<Registry>> registry = open_existing_registry(config, "users");
  if (!registry) return registry.error();
  if (!(*registry)->users().find(options.name)) {
    return Error{Code::not_found, "no user is called \"" + options.name + "\""};
  }
  const Result<std::string> hash = read_new_hash(options.password_file, options.name);
  if (!hash) return hash.error();
  if (const Status set = (*registry)->users().set_password(options.name, *hash); !set) return set.error();
  std::printf("%s has a new password; a running server ends the sessions until now within seconds\n",
              options.name.c_str());
  return 0;
}

Result<int> run_user_list(const Config& config) {
  const Result<std::unique_ptr<Registry>> registry = open_existing_registry(config, "users");
  if (!registry) return registry.error();
  const Result<std::vector<model::UserRecord>> users = (*registry)->users().list();
  if (!users) return users.error();
  std::vector<std::vector<std::string>> rows = {{"NAME", "ACCOUNT", "SITES", "DEVICES", "ROLES", "CREATED", "STATE"}};
  for (const model::UserRecord& user : *users) {
    rows.push_back({user.name, user.grants.account.text(), registry::join(user.grants.sites),
                    registry::join(user.grants.devices), registry::join(user.grants.roles),
                    rfc3339_ms(user.created_at_ms), user.disabled ? "disabled" : "enabled"});
  }
  std::fputs(text_table(rows).c_str(), stdout);
  return 0;
}

Result<int> run_user_disable(const Config& config, const std::string& name, bool disabled) {
  const Result<std::unique_ptr<Registry>> registry = open_existing_registry(config, "users");
  if (!registry) return registry.error();
  if (const Status set = (*registry)->users().set_disabled(name, disabled); !set) return set.error();
  std::printf(disabled ? "disabled %s; a running server ends the sessions within seconds\n" : "enabled %s\n",
              name.c_str());
  return 0;
}

}  // namespace millstream::app
