// Any bytes as a topic, a pattern or an id: what is accepted is written back the same, and a topic matches itself.
#include <cstdint>

#include "base/check.h"
#include "model/event_id.h"
#include "model/topic.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream::model;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const auto topic = Topic::parse(input);
  const auto pattern = TopicPattern::parse(input);
  if (topic) {
    MS_CHECK(topic->text() == input);
    MS_CHECK(pattern.ok() && pattern->matches(*topic));
  }
  if (pattern) {
    const auto again = TopicPattern::parse(pattern->text());
    MS_CHECK(again.ok() && *again == *pattern);
  }
  if (const auto id = EventId::parse(input)) {
    MS_CHECK(id->text() == input && EventId::from_packed(id->packed()) == *id);
  }
  return 0;
}
