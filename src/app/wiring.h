// app/wiring.h: the whole server, put together by hand: every concrete type is named here once.
//
// Flow     registry -> log -> engines -> I/O threads (loop + hub shard + HTTP server) -> open for business.
// Thread   startup; stop() from the same thread
#pragma once

#include <memory>
#include <string>

#include "app/config.h"
#include "base/result.h"

namespace millstream::app {

class Server {
 public:
  // Opens the data directory, recovers, replays, listens. Nothing is served before this returns.
  static Result<std::unique_ptr<Server>> start(const Config& config, const std::string& version);
  ~Server();  // stop()

  const std::string& url() const;  // "http://127.0.0.1:8080" or https, with the port really bound
  size_t sessions() const;         // viewers connected now
  void refresh();  // credentials changed by another process: streams of revoked keys end; call every few seconds
  // From the files again; open connections keep what they have. A bad one is reported and not used.
  void reload_certificate(const Config& config);
  void reload_rules(const Config& config);  // those of the file; the same
  void begin_drain(int64_t spread_ms);      // not ready, no new connections; viewers are told and leave over spread_ms
  void stop();                              // everything queued is committed, state is saved

 private:
  void keep_sessions_in_use();
  void tell_storage();

  struct Parts;
  explicit Server(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace millstream::app
