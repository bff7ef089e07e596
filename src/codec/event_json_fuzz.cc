// Any bytes as an event: never a crash, and what is accepted comes out the same when it is written and read again.
#include <cstdint>

#include "base/check.h"
#include "codec/event_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const Result<model::Event> event = codec::parse_event_json(input);
  if (event) {
    std::string written;
    codec::append_event_json(*event, written);
    const Result<model::Event> again = codec::parse_event_json(written);
    MS_CHECK(again.ok());
    std::string twice;
    codec::append_event_json(*again, twice);
    MS_CHECK(written == twice);
    MS_CHECK(event->id == again->id && event->topic == again->topic && event->ts_ms == again->ts_ms);
  }
  (void)codec::decode_telemetry_fields(input);
  (void)codec::decode_telemetry_tags(input);
  if (const auto alert = codec::decode_alert_data(input)) {
    const std::string written = codec::encode_alert_data(*alert);
    const auto again = codec::decode_alert_data(written);
    MS_CHECK(again.ok() && codec::encode_alert_data(*again) == written);
  }
  if (const auto status = codec::decode_device_status_data(input)) {
    const std::string written = codec::encode_device_status_data(*status);
    const auto again = codec::decode_device_status_data(written);
    MS_CHECK(again.ok() && codec::encode_device_status_data(*again) == written);
  }
  if (const auto report = codec::decode_presence_report_data(input); report && *report) {
    const auto again = codec::decode_presence_report_data(codec::encode_presence_report_data(**report));
    MS_CHECK(again.ok() && *again == *report);
  }
  return 0;
}
