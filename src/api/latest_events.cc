#include "api/latest_events.h"

#include "codec/event_json.h"
#include "codec/sse_frame.h"

namespace millstream::api {
namespace {

model::Event telemetry_event(const history::LatestDevice& device) {
  model::Fields fields;
  fields.reserve(device.fields.size());
  for (const auto& [name, field] : device.fields) fields.push_back({name, field.value});
  model::Event event{
      .id = device.telemetry, .ts_ms = device.ts_ms, .topic = device.topic, .type = model::EventType::telemetry};
  event.data = codec::encode_telemetry_data(device.topic.device, fields, device.tags);
  return event;
}

}  // namespace

std::vector<model::Event> latest_events(const history::LatestSnapshot& snapshot) {
  std::vector<model::Event> events;
  for (const history::LatestDevice& device : snapshot.devices) {
    if (!device.fields.empty()) events.push_back(telemetry_event(device));
    if (device.status) {
      model::Event event{.id = device.status_event,
                         .ts_ms = device.status_event.ms,
                         .topic = device.topic,
                         .type = model::EventType::device_status};
      event.data = codec::encode_device_status_data(*device.status);
      events.push_back(std::move(event));
    }
  }
  for (const history::OpenAlert& open : snapshot.alerts) {
    model::Event event{.id = open.event, .ts_ms = open.ts_ms, .topic = open.topic, .type = model::EventType::alert};
    event.data = codec::encode_alert_data(open.alert);
    events.push_back(std::move(event));
  }
  return events;
}

std::string snapshot_blocks(const std::vector<model::Event>& events, bool unnamed) {
  std::string out;
  std::string json;
  for (const model::Event& event : events) {
    json.clear();
    codec::append_event_json(event, json);
    json.back() = ',';
    json += "\"snapshot\":true}";
    const std::string_view name = unnamed ? std::string_view() : model::event_type_name(event.type);
    codec::append_block({.retry_ms = {}, .id = {}, .event = name, .data = json}, out);
  }
  return out;
}

}  // namespace millstream::api
