// api/recorded_change.h: a change of the registry that everyone hears of by the log.
//
// Flow     on a worker thread: apply -> append the event -> wait until it is durable. Refused by the log, it is undone.
// Errors   those of apply and of the log. An undo that fails is logged: the registry has then what nobody was told of.
// Thread   threads that may block
#pragma once

#include <functional>

#include "base/result.h"
#include "log/event_log.h"
#include "model/event.h"

namespace millstream::api {

struct RecordedChange {
  std::function<Status()> apply;
  std::function<Status()> undo;
  model::Event event;
};

Status record_change(log::EventLog& log, RecordedChange change);

}  // namespace millstream::api
