#include "app/serve.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstdio>

#include "app/wiring.h"
#include "base/clock.h"
#include "base/log_line.h"
#include "base/time_text.h"

namespace millstream::app {
namespace {

constexpr int64_t kRefreshMs = 2000;
constexpr int64_t kSharedRefreshMs = 200;  // where other servers change credentials too
constexpr int64_t kDrainPollMs = 50;

// Blocked in every thread (inherited), so that only wait() takes them.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    for (int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set_, signal);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
  }
  // The signal, or 0 after `ms`.
  int wait(int64_t ms) const {
    const timespec timeout{.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1'000'000};
    return std::max(0, sigtimedwait(&set_, nullptr, &timeout));
  }

 private:
  sigset_t set_;
};

bool ends(int signal) { return signal == SIGINT || signal == SIGTERM; }

void serve_until_signal(Server& server, const Signals& signals, const Config& config) {
  const int64_t refresh_ms = config.postgres.enabled() ? kSharedRefreshMs : kRefreshMs;
  while (true) {
    const int signal = signals.wait(refresh_ms);
    if (ends(signal)) return;
    if (signal == SIGHUP) {
      log_info("SIGHUP: credentials, the certificate and the rules file are read again; other settings need a restart");
      server.reload_certificate(config);
      server.reload_rules(config);
    }
    server.refresh();
  }
}

// Viewers leave over drain_ms; a second signal, or the end of that time, does not wait for the rest.
void drain(Server& server, const Signals& signals, int64_t drain_ms) {
  log_info("draining", {{"viewers", server.sessions()}, {"at most", duration_text(drain_ms)}});
  const SystemClock clock;
  const int64_t deadline_ms = clock.steady_ms() + drain_ms;
  server.begin_drain(drain_ms * 4 / 5);
  while (server.sessions() > 0 && clock.steady_ms() < deadline_ms) {
    if (ends(signals.wait(kDrainPollMs))) return;
  }
}

}  // namespace

int run_serve(const Config& config, const std::string& version) {
  const Signals signals;
  Result<std::unique_ptr<Server>> server = Server::start(config, version);
  if (!server) {
    std::fprintf(stderr, "millstream: %s\n", server.error().detail.c_str());
    return 2;
  }
  std::printf("listening on %s\n", (*server)->url().c_str());
  std::fflush(stdout);
  serve_until_signal(**server, signals, config);
  drain(**server, signals, config.server.drain_ms);
  (*server)->stop();
  log_info("stopped");
  return 0;
}

}  // namespace millstream::app
