// log/topic_filter.h: which of an hour file's topics a set of patterns takes, worked out once per file.
//
// Thread   one reader connection
#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "log/sqlite.h"
#include "model/topic.h"

namespace millstream::log {

// Topic numbers count from 1, without holes worth mentioning: a bit each.
class TopicSet {
 public:
  void add(int64_t number);
  bool has(int64_t number) const {
    return number >= 0 && static_cast<size_t>(number) < bits_.size() && bits_[static_cast<size_t>(number)];
  }
  const std::vector<int64_t>& numbers() const { return numbers_; }  // in the order found

 private:
  std::vector<bool> bits_;
  std::vector<int64_t> numbers_;
};

class TopicFilters {
 public:
  // The topics that any of `patterns` takes; valid until the next call. Precondition: a read transaction is open.
  Result<const TopicSet*> find(Database& database, const std::vector<model::TopicPattern>& patterns);

 private:
  struct Entry {
    std::vector<model::TopicPattern> patterns;
    int64_t newest_topic = 0;  // topics up to this number have been looked at
    TopicSet topics;
  };
  Entry& entry_for(const std::vector<model::TopicPattern>& patterns);

  std::vector<Entry> entries_;  // latest used first
};

}  // namespace millstream::log
