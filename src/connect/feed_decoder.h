// connect/feed_decoder.h: one message of a broker -> what it means for this feed.
//
// Flow     a topic of Sparkplug B, else the status topics, else the topics, in their order -> names of account, site
// and
//          device -> the payload as JSON or line protocol.
// Shapes   What the topic names counts: a point that names another site or device is refused, for the broker's rights
// are
//          given by topic. What the topic does not name the point may. A retained point without a time of its own is
//          refused: nobody knows when it was said. An empty payload only clears what the broker retained.
// Limits   kJsonBodyBytesMax a payload.
// Errors   none returned: refusals are in the intake, with a word for the metrics.
// Thread   one thread at a time
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "connect/feed_options.h"
#include "connect/intake.h"
#include "connect/sparkplug_nodes.h"

namespace millstream::connect {

class FeedDecoder {
 public:
  explicit FeedDecoder(const FeedOptions& options) : options_(options) {}

  Intake decode(const Message& message, int64_t now_ms);

 private:
  void take_sparkplug(const Message& message, int64_t now_ms, Intake& out);
  bool take_status(const Message& message, Intake& out) const;
  bool take_points(const Message& message, Intake& out) const;
  bool take_account(std::string_view named, Intake& out) const;

  const FeedOptions& options_;
  SparkplugNodes nodes_;
};

}  // namespace millstream::connect
