// redis/testing.h: a real redis-server (or redis-sentinel) for tests, on a free port, in a directory of its own that
// goes with it.
//
// Shapes   Nothing is kept on disk unless the arguments ask for it. Ended by its pid, and with the thread that started
// it
//          at the latest.
// Errors   a server that does not come up fails the test, with what it wrote.
// Thread   one thread at a time
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/unique_fd.h"
#include "net/socket.h"

namespace millstream::redis::testing {

class RedisServer {
 public:
  static constexpr int64_t kStartMs = 20'000;

  explicit RedisServer(std::string program = "redis-server") : program_(std::move(program)) {
    std::string name = std::filesystem::temp_directory_path() / "millstream-redis-XXXXXX";
    directory_ = ::mkdtemp(name.data()) ? name : std::string();
    UniqueFd probe(*net::listen_tcp("127.0.0.1:0"));
    port_ = *net::bound_port(probe.get());
  }
  ~RedisServer() {
    kill9();
    std::error_code ignored;
    if (!directory_.empty()) std::filesystem::remove_all(directory_, ignored);
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  // `args` as on the command line: {"--requirepass", "secret"}; `config`: lines of its configuration file. False: it
  // did not come up.
  bool start(std::vector<std::string> args = {}, const std::string& config = "") {
    args_ = std::move(args);
    std::ofstream(directory_ / "server.conf") << config;
    return launch();
  }
  // As last started, on the same port; stops it first. What was not kept on disk is gone.
  bool restart() {
    stop();
    return launch();
  }
  // SIGTERM: what the arguments say is to be kept is written.
  void stop() { end(SIGTERM); }
  void kill9() { end(SIGKILL); }
  void pause() { signal(SIGSTOP); }
  void resume() { signal(SIGCONT); }

  bool running() const { return pid_ > 0; }
  uint16_t port() const { return port_; }
  std::string url() const { return "redis://127.0.0.1:" + std::to_string(port_); }
  const std::filesystem::path& directory() const { return directory_; }
  // What it wrote since it was started.
  std::string log() const {
    std::ostringstream text;
    text << std::ifstream(directory_ / "log").rdbuf();
    return text.str();
  }

 private:
  std::vector<std::string> command() const {
    std::vector<std::string> words{program_, directory_ / "server.conf"};
    const auto add = [&words](std::string name, std::string value) {
      words.push_back(std::move(name));
      words.push_back(std::move(value));
    };
    add("--port", std::to_string(port_));
    add("--bind", "127.0.0.1");
    add("--dir", directory_);
    add("--logfile", directory_ / "log");
    if (program_ == "redis-server") {
      add("--save", "");
      add("--appendonly", "no");
    }
    words.insert(words.end(), args_.begin(), args_.end());
    return words;
  }

  bool launch() {
    std::filesystem::remove(directory_ / "log");
    std::vector<std::string> words = command();
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::execvp(argv[0], argv.data());
      ::_exit(127);
    }
    if (pid_ > 0 && comes_up()) return true;
    ADD_FAILURE() << program_ << " did not come up: " << log();
    kill9();
    return false;
  }

  bool comes_up() {
    const SystemClock clock;
    const int64_t deadline_ms = clock.steady_ms() + kStartMs;
    while (clock.steady_ms() < deadline_ms) {
      const std::string said = log();
      if (said.find("Ready to accept connections") != said.npos || said.find("Sentinel ID is") != said.npos)
        return true;
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
        pid_ = -1;
        return false;
      }
      ::poll(nullptr, 0, 5);
    }
    return false;
  }

  void signal(int number) {
    if (pid_ > 0) ::kill(pid_, number);
  }
  void end(int number) {
    if (pid_ <= 0) return;
    signal(number);
    signal(SIGCONT);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

  const std::string program_;
  std::filesystem::path directory_;
  uint16_t port_ = 0;
  std::vector<std::string> args_;
  pid_t pid_ = -1;
};

}  // namespace millstream::redis::testing
