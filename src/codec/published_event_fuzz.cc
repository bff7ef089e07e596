// Any bytes as an event to publish: never a crash, and what is accepted is an event that viewers can read, speaks with
// nobody else's voice, and comes out the same when it is published again.
#include <cstdint>

#include "base/check.h"
#include "base/limits.h"
#include "codec/event_json.h"
#include "codec/published_event.h"
#include "model/system_kind.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const auto published = codec::parse_published_event({reinterpret_cast<const char*>(bytes), size});
  if (!published) return 0;
  model::Event event{.id = {1, 1},
                     .ts_ms = published->ts_ms.value_or(1),
                     .topic = published->topic,
                     .type = published->type,
                     .data = published->data};
  MS_CHECK(event.data.size() <= kEventBytesMax && event.data.find('\n') == std::string::npos);
  std::string json;
  codec::append_event_json(event, json);
  const Result<model::Event> read = codec::parse_event_json(json);
  MS_CHECK(read.ok() && read->topic == event.topic && read->type == event.type && read->ts_ms == event.ts_ms);
  MS_CHECK(read->data == event.data);
  if (event.type == model::EventType::alert) {
    const Result<model::Alert> alert = codec::decode_alert_data(event.data);
    MS_CHECK(alert.ok() && alert->device == event.topic.device && !alert->device.empty());
    MS_CHECK(alert->alert_id.find(':') != std::string::npos && alert->rule_id.find(':') != std::string::npos);
  } else {
    MS_CHECK(event.type == model::EventType::system);
    for (const std::string_view kind : model::kStreamKinds) {
      MS_CHECK(event.data.find("\"kind\":\"" + std::string(kind) + '"') != 1);
    }
  }
  const auto again = codec::parse_published_event(json.replace(0, json.find("\"ts\""), "{"));
  MS_CHECK(again.ok() && again->data == event.data && again->topic == event.topic);
  return 0;
}
