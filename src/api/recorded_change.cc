#include "api/recorded_change.h"

#include <future>
#include <memory>
#include <utility>

#include "base/log_line.h"

namespace millstream::api {
namespace {

Status append_durably(log::EventLog& log, model::Event event) {
  const auto answer = std::make_shared<std::promise<Status>>();
  const Status taken = log.append({std::move(event)}, [answer](const Result<log::AppendReceipt>& receipt) {
    answer->set_value(receipt ? Status() : Status(receipt.error()));
  });
  return taken ? answer->get_future().get() : taken;
}

}  // namespace

Status record_change(log::EventLog& log, RecordedChange change) {
  if (Status applied = change.apply(); !applied) return applied;
  Status recorded = append_durably(log, std::move(change.event));
  if (recorded) return recorded;
  if (const Status undone = change.undo(); !undone) {
    log_error("the registry has a change that the log does not know of", {{"reason", undone.error().detail}});
  }
  return recorded;
}

}  // namespace millstream::api
