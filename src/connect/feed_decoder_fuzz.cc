// Any topic and any payload: never a crash, and what is taken has the names the topic gave. Several messages go to one
// decoder, each with its length in front, so that births, data and deaths of Sparkplug B follow on from each other.
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "connect/feed_decoder.h"

namespace {

using namespace millstream;
using namespace millstream::connect;

FeedOptions options() {
  FeedOptions made;
  made.account = *model::AccountId::parse("a");
  made.accounts = {*model::AccountId::parse("b")};
  made.topics = {*TopicTemplate::parse("t/{site}/{device}"), *TopicTemplate::parse("u/{account}/+/{site}")};
  made.status_topics = {*TopicTemplate::parse("s/{site}/{device}")};
  made.sparkplug_groups = {"g"};
  return made;
}

constexpr std::string_view kTopics[] = {"t/s/d",
                                        "u/b/x/s",
                                        "s/s/d",
                                        "spBv1.0/g/NBIRTH/e",
                                        "spBv1.0/g/NDATA/e",
                                        "spBv1.0/g/NDEATH/e",
                                        "spBv1.0/g/DBIRTH/e/d",
                                        "spBv1.0/g/DDATA/e/d",
                                        "spBv1.0/g/DDEATH/e/d"};

void check_intake(const Intake& intake) {
  MS_CHECK(intake.account.text() == "a" || intake.account.text() == "b");
  for (const model::Point& point : intake.points.points) MS_CHECK(!point.fields.empty());
  for (const Report& report : intake.reports) MS_CHECK(!report.said.device.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  static const FeedOptions feed = options();
  FeedDecoder decoder(feed);
  std::string_view rest(reinterpret_cast<const char*>(bytes), size);
  int64_t now_ms = 1'769'517'296'789;
  while (rest.size() >= 3) {
    const auto at = [&](size_t i) { return static_cast<size_t>(static_cast<unsigned char>(rest[i])); };
    const size_t which = at(0) & 0x7f;
    const bool retained = (at(0) & 0x80) != 0;
    const size_t length = at(1) | at(2) << 8;
    rest.remove_prefix(3);
    const std::string_view message = rest.substr(0, length);
    rest.remove_prefix(message.size());
    const size_t split = message.find('\n');
    if (which < std::size(kTopics)) {
      check_intake(decoder.decode({kTopics[which], message, retained}, now_ms));
    } else if (split != std::string_view::npos) {
      check_intake(decoder.decode({message.substr(0, split), message.substr(split + 1), retained}, now_ms));
      (void)TopicTemplate::parse(message.substr(0, split));
    }
    now_ms += 5'000;
  }
  return 0;
}
