// Any message of a channel: never a crash, and what is taken keeps to its topic and to the rules of published events.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/limits.h"
#include "codec/bridge_event.h"
#include "codec/event_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view message(reinterpret_cast<const char*>(bytes), size);
  const auto event = codec::parse_bridge_event(message, "bridge", 1'769'517'296'789);
  if (!event) {
    MS_CHECK(!event.error().detail.empty());
    return 0;
  }
  MS_CHECK(event->publisher_id.size() <= codec::kPublisherIdBytesMax);
  if (const auto* points = std::get_if<codec::ParsedPoints>(&event->said)) {
    for (const model::Point& point : points->points) {
      MS_CHECK(point.device == event->topic.device.text() && point.site == event->topic.site.text());
    }
  }
  if (const auto* published = std::get_if<codec::PublishedEvent>(&event->said)) {
    std::string data = published->data;
    MS_CHECK(published->topic == event->topic && data.size() <= kEventBytesMax);
    codec::append_publisher_id(event->publisher_id, data);
    MS_CHECK(data.size() <= kEventBytesMax);
    if (published->type == model::EventType::alert) MS_CHECK(codec::decode_alert_data(data).ok());
  }
  return 0;
}
