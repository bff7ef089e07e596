#include "api/recorded_change.h"

#include <future>
#include <memory>
#include <utility>

#include "base/log_line.h"

namespace millstream::api {

model::Topic heard_at(const model::TopicPattern& pattern) {
  model::Topic topic{pattern.account, pattern.site.name, {}};
  if (!pattern.site.any()) topic.device = pattern.device.name;
  return topic;
}

Status append_durably(log::EventLog& log, std::vector<model::Event> events) {
  const auto answer = std::make_shared<std::promise<Status>>();
  const Status taken = log.append(std::move(events), [answer](const Result<log::AppendReceipt>& receipt) {
    answer->set_value(receipt ? Status() : Status(receipt.error()));
  });
  return taken ? answer->get_future().get() : taken;
}

Status record_change(log::EventLog& log, RecordedChange change) {
  if (Status applied = change.apply(); !applied) return applied;
  Status recorded = append_durably(log, {std::move(change.event)});
  if (recorded) return recorded;
  if (const Status undone = change.undo(); !undone) {
    log_error(
        "the registry has a change that was not made and could not be taken back; it counts from the next start on",
        {{"what", change.what}, {"reason", undone.error().detail}});
  }
  return recorded;
}

}  // namespace millstream::api
