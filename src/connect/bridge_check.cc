#include "connect/bridge_check.h"

#include <utility>

namespace millstream::connect {
namespace {

Result<std::vector<model::Event>> check(Sink& sink, codec::BridgeEvent event) {
  if (auto* points = std::get_if<codec::ParsedPoints>(&event.said)) {
    Sink::Checked checked = sink.check(std::move(*points), event.topic.account);
    if (checked.refused > 0) return Error{Code::invalid, checked.first_refusal};
    return std::move(checked.events);
  }
  auto* report = std::get_if<model::PresenceReport>(&event.said);
  Result<model::Event> made = report ? sink.check(event.topic.site, std::move(*report), event.topic.account)
                                     : sink.check(std::get<codec::PublishedEvent>(std::move(event.said)));
  if (!made) return made.error();
  std::vector<model::Event> events;
  events.push_back(std::move(*made));
  return events;
}

}  // namespace

Result<std::vector<model::Event>> check_bridge_event(Sink& sink, codec::BridgeEvent event) {
  const std::string publisher_id = event.publisher_id;
  Result<std::vector<model::Event>> events = check(sink, std::move(event));
  if (!events) return events;
  for (model::Event& each : *events) codec::append_publisher_id(publisher_id, each.data);
  return events;
}

}  // namespace millstream::connect
