// log/hour_names.h: what the numbers in an hour file's rows stand for.
//
// Errors   topic_of() and shape_of(): null when there is none or its row fails its check; an error is SQLite's.
// Limits   kNamesCachedMax of each are remembered.
// Thread   one at a time, within a read transaction
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>

#include "base/result.h"
#include "log/chunk.h"
#include "log/sqlite.h"
#include "model/topic.h"

namespace millstream::log {

inline constexpr size_t kNamesCachedMax = 16'384;

struct NumberedTopic {
  model::Topic topic;
  std::string text;
  bool checked = false;  // its own check holds; rows of event have theirs
};

class HourNames final : public ShapeSource {
 public:
  explicit HourNames(Database& database) : database_(database) {}

  Result<const NumberedTopic*> topic_of(int64_t number);  // valid until the next call
  Result<std::shared_ptr<const Shape>> shape_of(int64_t number) override;

 private:
  Database& database_;
  std::unordered_map<int64_t, NumberedTopic> topics_;
  std::unordered_map<int64_t, std::shared_ptr<const Shape>> shapes_;
};

}  // namespace millstream::log
