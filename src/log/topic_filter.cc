#include "log/topic_filter.h"

#include <algorithm>
#include <set>
#include <string>

namespace millstream::log {
namespace {

constexpr size_t kEntriesMax = 8;

Status collect(Statement& statement, const std::vector<model::TopicPattern>& patterns, int64_t above, TopicSet& out) {
  while (true) {
    const Result<bool> row = statement.step();
    if (!row) return row.error();
    if (!*row) return {};
    const int64_t number = statement.number(0);
    if (number <= above) continue;
    const Result<model::Topic> topic = model::Topic::parse(statement.bytes(1));
    if (!topic) continue;
    const bool taken =
        std::any_of(patterns.begin(), patterns.end(), [&](const auto& pattern) { return pattern.matches(*topic); });
    if (taken) out.add(number);
  }
}

bool names_one_device(const model::TopicPattern& pattern) { return !pattern.site.any() && !pattern.device.any(); }

// The device, and the inner topics above it, which reach it as well.
std::set<std::string> texts_of(const std::vector<model::TopicPattern>& patterns) {
  std::set<std::string> texts;
  for (const model::TopicPattern& pattern : patterns) {
    texts.insert(model::Topic{pattern.account, {}, {}}.text());
    texts.insert(model::Topic{pattern.account, pattern.site.name, {}}.text());
    texts.insert(model::Topic{pattern.account, pattern.site.name, pattern.device.name}.text());
  }
  return texts;
}

Status add_named(Database& database, const std::vector<model::TopicPattern>& patterns, TopicSet& out) {
  Result<Statement> one = database.prepare("SELECT id, text FROM topic WHERE text = ?1");
  if (!one) return one.error();
  for (const std::string& text : texts_of(patterns)) {
    one->bind_text(1, text);
    const Status added = collect(*one, patterns, 0, out);
    one->reset();
    if (!added) return added;
  }
  return {};
}

// All topics of an account lie side by side in the index on text: "account:a" and "account:a/...".
Status add_accounts(Database& database, const std::vector<model::TopicPattern>& patterns, TopicSet& out) {
  std::set<std::string> accounts;
  for (const model::TopicPattern& pattern : patterns) accounts.insert(model::Topic{pattern.account, {}, {}}.text());
  Result<Statement> under = database.prepare(
      "SELECT id, text FROM topic WHERE text = ?1 UNION ALL"
      " SELECT id, text FROM topic WHERE text >= ?2 AND text < ?3");
  if (!under) return under.error();
  for (const std::string& account : accounts) {
    const std::string begin = account + '/';
    const std::string end = account + static_cast<char>('/' + 1);
    under->bind_text(1, account);
    under->bind_text(2, begin);
    under->bind_text(3, end);
    const Status added = collect(*under, patterns, 0, out);
    under->reset();
    if (!added) return added;
  }
  return {};
}

Status add_since(Database& database, const std::vector<model::TopicPattern>& patterns, int64_t above, TopicSet& out) {
  Result<Statement> later = database.prepare("SELECT id, text FROM topic WHERE id > ?1");
  if (!later) return later.error();
  later->bind(1, above);
  return collect(*later, patterns, above, out);
}

}  // namespace

void TopicSet::add(int64_t number) {
  if (number <= 0 || has(number)) return;
  // A number far beyond what one hour can hold is a damaged one.
  constexpr int64_t kNumberMax = 1 << 26;
  if (number > kNumberMax) return;
  if (static_cast<size_t>(number) >= bits_.size()) bits_.resize(static_cast<size_t>(number) + 1);
  bits_[static_cast<size_t>(number)] = true;
  numbers_.push_back(number);
}

TopicFilters::Entry& TopicFilters::entry_for(const std::vector<model::TopicPattern>& patterns) {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.patterns == patterns; });
  if (found != entries_.end()) {
    std::rotate(entries_.begin(), found, found + 1);
    return entries_.front();
  }
  if (entries_.size() == kEntriesMax) entries_.pop_back();
  entries_.insert(entries_.begin(), Entry{.patterns = patterns, .newest_topic = 0, .topics = {}});
  return entries_.front();
}

Result<const TopicSet*> TopicFilters::find(Database& database, const std::vector<model::TopicPattern>& patterns) {
  const Result<int64_t> newest = database.number("SELECT max(id) FROM topic");
  if (!newest) return newest.error();
  Entry& entry = entry_for(patterns);
  if (entry.newest_topic < *newest) {
    const bool named = std::all_of(patterns.begin(), patterns.end(), names_one_device);
    const Status added = named                     ? add_named(database, patterns, entry.topics)
                         : entry.newest_topic == 0 ? add_accounts(database, patterns, entry.topics)
                                                   : add_since(database, patterns, entry.newest_topic, entry.topics);
    if (!added) {
      entries_.erase(entries_.begin());  // half of an answer must not be taken for all of it
      return added.error();
    }
    entry.newest_topic = *newest;
  }
  return &entry.topics;
}

}  // namespace millstream::log
