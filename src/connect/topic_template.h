// connect/topic_template.h: which MQTT topics a feed follows, and where in them account, site and device stand.
//
// Shapes   "plants/{site}/{device}/telemetry": a level is text, "+" (any, not looked at), or {account}, {site} or
// {device},
//          each at most once; what stands in the place of a name is never empty.
// Errors   parse(): Code::invalid in one line: an empty template, "#", a "+" or brace inside a level, an unknown or
// repeated
//          name, a "$" in front (topics of the broker itself, shared subscriptions).
// Thread   value
// Source   MQTT 5.0, 4.7
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millstream::connect {

// What stands in the places of a topic; empty where the template has no such place.
struct TopicPlaces {
  std::string_view account;
  std::string_view site;
  std::string_view device;
};

class TopicTemplate {
 public:
  static Result<TopicTemplate> parse(std::string_view text);

  // As the broker is asked: "plants/+/+/telemetry".
  const std::string& filter() const { return filter_; }
  // The views are into `topic`. None: another topic.
  std::optional<TopicPlaces> match(std::string_view topic) const;
  bool names_account() const { return has(Kind::account); }
  bool names_device() const { return has(Kind::device); }

 private:
  enum class Kind { text, any, account, site, device };
  struct Level {
    Kind kind = Kind::text;
    std::string text;
  };

  static Result<Level> parse_level(std::string_view text);
  bool has(Kind kind) const;

  std::vector<Level> levels_;
  std::string filter_;
};

}  // namespace millstream::connect
