#include "log/hour_names.h"

#include "log/hour_file.h"

namespace millstream::log {

Result<const NumberedTopic*> HourNames::topic_of(int64_t number) {
  if (const auto found = topics_.find(number); found != topics_.end()) return &found->second;
  Result<Statement> one = database_.prepare("SELECT * FROM topic WHERE id = ?1");  // version 1 had no crc
  if (!one) return one.error();
  one->bind(1, number);
  const Result<bool> row = one->step();
  if (!row) return row.error();
  if (!*row) return nullptr;
  std::string text(one->bytes(1));
  Result<model::Topic> topic = model::Topic::parse(text);
  if (!topic) return nullptr;
  if (topics_.size() >= kNamesCachedMax) topics_.clear();
  const bool checked = one->number(2) == name_crc(number, text);
  return &topics_.emplace(number, NumberedTopic{std::move(*topic), std::move(text), checked}).first->second;
}

Result<std::shared_ptr<const Shape>> HourNames::shape_of(int64_t number) {
  if (const auto found = shapes_.find(number); found != shapes_.end()) return found->second;
  Result<Statement> one = database_.prepare("SELECT text, crc FROM shape WHERE id = ?1");
  if (!one) return one.error();
  one->bind(1, number);
  const Result<bool> row = one->step();
  if (!row) return row.error();
  if (!*row || one->number(1) != name_crc(number, one->bytes(0))) return std::shared_ptr<const Shape>();
  if (shapes_.size() >= kNamesCachedMax) shapes_.clear();
  return shapes_.emplace(number, std::make_shared<const Shape>(Shape::parse(one->bytes(0)))).first->second;
}

}  // namespace millstream::log
