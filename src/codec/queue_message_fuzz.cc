// Any bytes as the body of a message of a queue: never a crash, and what is taken can be stored.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "codec/queue_message.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view body(reinterpret_cast<const char*>(bytes), size);
  const auto message = codec::parse_queue_message(body, "q", 1'769'517'296'789);
  if (!message) return 0;
  if (const auto* event = std::get_if<codec::BridgeEvent>(&*message)) {
    MS_CHECK(!event->topic.account.empty());
  } else {
    for (const model::Point& point : std::get<codec::ParsedPoints>(*message).points) MS_CHECK(!point.fields.empty());
  }
  return 0;
}
