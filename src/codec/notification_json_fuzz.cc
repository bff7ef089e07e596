// Any bytes as the data of an event: never a crash, and what is accepted comes out the same when it is read again.
#include <cstdint>

#include "base/check.h"
#include "base/overloaded.h"
#include "codec/notification_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  model::Event event;
  event.topic = *model::Topic::parse("account:demo");
  event.type = model::EventType::system;
  event.data.assign(reinterpret_cast<const char*>(bytes), size);
  const auto read = codec::decode_notification_event(event);
  if (!read || !*read) return 0;
  event.data = std::visit(Overloaded{[](const model::Notification& n) { return codec::encode_notification(n); },
                                     [](const model::DeliveryResult& r) { return codec::encode_delivery_result(r); }},
                          **read);
  const auto again = codec::decode_notification_event(event);
  MS_CHECK(again.ok() && again->has_value() && **again == **read);
  return 0;
}
