// app/influx_history.h: [influx]: the log's telemetry on its way to InfluxDB.
//
// Flow     log -> on_commit() -> influx::HistoryWriter, which reads from the log what it has missed and notes in a
//          checkpoint of the log how far it is.
// Shapes   <data directory>/influx-spool/: what waits for InfluxDB. <data directory>/influx-dead-letters.lp: what it
//          refuses.
// Errors   start(): the spool cannot be opened. Later ones show in state().
// Thread   start(), stop(): startup; start() after the log's. on_commit(): the log's. state(): any
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/config.h"
#include "base/clock.h"
#include "base/result.h"
#include "influx/history_writer.h"
#include "log/event_log.h"
#include "metrics/registry.h"

namespace millstream::app {

// By libcurl; `influx` names the server and the credential.
std::unique_ptr<influx::Transport> make_influx_transport(const Config::Influx& influx);
influx::ClientOptions influx_client_options(const Config& config);

class InfluxHistory final : public log::CommitReader {
 public:
  // Give it to log.add_reader(). Everything named here outlives it. `may_write`: of several instances one writes.
  InfluxHistory(
      const Config& config, log::EventLog& log, const Clock& clock, metrics::Registry& metrics,
      std::function<bool()> may_write = [] { return true; });
  ~InfluxHistory();

  Status start() { return writer_.start(); }
  void stop() { writer_.stop(); }  // before log.stop()
  influx::WriterState state() const { return writer_.state(); }

  void on_commit(const log::CommittedBatchPtr& batch) override;

 private:
  const std::unique_ptr<influx::HistorySource> source_;
  influx::InfluxClient client_;
  influx::HistoryWriter writer_;
};

}  // namespace millstream::app
