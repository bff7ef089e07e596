// api/recorded_change.h: a change of the registry that everyone hears of by the log.
//
// Flow     on a worker thread: apply -> append the event -> wait until it is durable. Refused by the log, it is undone.
// Errors   those of apply and of the log. An undo that fails is logged: the registry has then what nobody was told of.
// Thread   threads that may block
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "log/event_log.h"
#include "model/event.h"

namespace millstream::api {

// Heard by those who may see something under the pattern, and by nobody else: the innermost topic it names.
model::Topic heard_at(const model::TopicPattern& pattern);

// Waits for the disk.
Status append_durably(log::EventLog& log, std::vector<model::Event> events);

struct RecordedChange {
  std::string what;  // is changed, for the operator: "rule hot of account 1"
  std::function<Status()> apply;
  std::function<Status()> undo;
  model::Event event;
};

Status record_change(log::EventLog& log, RecordedChange change);

}  // namespace millstream::api
