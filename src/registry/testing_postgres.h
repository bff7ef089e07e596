// registry/testing_postgres.h: a PostgreSQL of one's own, for tests.
//
// Flow     Started once in a test program, the first time it is asked for; stopped with it, however it ends.
// Shapes   Debian's server (package postgresql-15) with its data and its socket in a new directory. It does not run as
//          root: then as the user postgres, which Debian's package made.
// Thread   one
#pragma once

#include <gtest/gtest.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "registry/postgres_connection.h"

namespace millstream::registry {

class TestPostgres {
 public:
  static TestPostgres& get() {
    static TestPostgres server;
    return server;
  }

  // A schema that no other test has.
  PostgresOptions options() {
    return {.url = url(), .password = {}, .timeout_ms = 5'000, .schema = "test_" + std::to_string(++schemas_)};
  }
  std::string url(const std::string& more = "") const {
    return "postgresql://postgres@/postgres?host=" + directory_ + more;
  }
  // All of it: those who serve connections are processes of their own.
  void pause() const { signal_all(SIGSTOP); }
  void go_on() const { signal_all(SIGCONT); }
  void stop() {
    if (server_ <= 0) return;
    go_on();
    ::kill(server_, SIGINT);  // rolls back what is under way, and ends
    ::waitpid(server_, nullptr, 0);
    server_ = 0;
  }
  void start() {
    server_ = spawn({binary("postgres"), "-D", data(), "-k", directory_, "-c", "listen_addresses=", "-c", "fsync=off",
                     "-c", "max_connections=50", "-c", "logging_collector=off"});
    for (int i = 0; i < 1000 && PQping(url().c_str()) != PQPING_OK; ++i) ::poll(nullptr, 0, 10);
  }
  // What an operator types, in no transaction of ours.
  void run(const std::string& sql) const {
    PGconn* connection = PQconnectdb(url().c_str());
    PGresult* result = PQexec(connection, sql.c_str());
    EXPECT_NE(PQresultStatus(result), PGRES_FATAL_ERROR) << PQresultErrorMessage(result);
    PQclear(result);
    PQfinish(connection);
  }

 private:
  TestPostgres() {
    std::string pattern = "/tmp/millstream-postgres-XXXXXX";  // short: a socket's path has 107 bytes
    directory_ = mkdtemp(pattern.data());
    if (const passwd* user = user_to_be()) {
      if (::chown(directory_.c_str(), user->pw_uid, user->pw_gid) != 0) std::perror("chown");
    }
    const pid_t made = spawn({binary("initdb"), "-D", data(), "-U", "postgres", "-A", "trust", "-N", "--no-locale",
                              "-E", "UTF8", "--no-instructions"});
    int status = 1;
    ::waitpid(made, &status, 0);
    if (status != 0) std::fprintf(stderr, "initdb failed: is postgresql-15 installed?\n");
    start();
  }
  ~TestPostgres() {
    stop();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  void signal_all(int signal) const {
    std::ifstream children("/proc/" + std::to_string(server_) + "/task/" + std::to_string(server_) + "/children");
    ::kill(server_, signal);  // it first: it starts no others then
    for (pid_t child = 0; children >> child;) ::kill(child, signal);
  }
  std::string data() const { return directory_ + "/data"; }

  static std::string binary(const std::string& name) {
    for (const char* version : {"15", "16", "17"}) {
      const std::string path = std::string("/usr/lib/postgresql/") + version + "/bin/" + name;
      if (::access(path.c_str(), X_OK) == 0) return path;
    }
    return name;
  }
  static const passwd* user_to_be() { return ::geteuid() == 0 ? ::getpwnam("postgres") : nullptr; }

  static pid_t spawn(const std::vector<std::string>& words) {
    const passwd* user = user_to_be();
    const pid_t child = ::fork();
    if (child != 0) return child;
    if (user && (::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0)) ::_exit(126);
    ::prctl(PR_SET_PDEATHSIG, SIGINT);
    ::setsid();  // a Ctrl-C is for the test
    if (::chdir("/") != 0 || !std::freopen("/dev/null", "w", stdout) || !std::freopen("/dev/null", "w", stderr)) {
      ::_exit(126);
    }
    std::vector<char*> arguments;
    for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments.front(), arguments.data());
    ::_exit(127);
  }

  std::string directory_;
  pid_t server_ = 0;
  int schemas_ = 0;
};

}  // namespace millstream::registry
