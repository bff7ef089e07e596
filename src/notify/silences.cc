#include "notify/silences.h"

#include <algorithm>
#include <functional>

namespace millstream::notify {

using model::Silence;

void Silences::Shelf::add_span(int64_t begin_ms, int64_t end_ms) {
  auto next = spans.upper_bound(begin_ms);
  if (next != spans.begin() && std::prev(next)->second >= begin_ms) --next;
  while (next != spans.end() && next->first <= end_ms) {
    begin_ms = std::min(begin_ms, next->first);
    end_ms = std::max(end_ms, next->second);
    next = spans.erase(next);
  }
  spans.emplace_hint(next, begin_ms, end_ms);
}

bool Silences::Shelf::is_active(int64_t now_ms) const {
  const auto next = spans.upper_bound(now_ms);
  return next != spans.begin() && now_ms < std::prev(next)->second;
}

size_t Silences::shape_of(const Name& name) {
  const auto& [site, device, rule] = name;
  return (site.empty() ? 0 : kSite) | (device.empty() ? 0 : kDevice) | (rule.empty() ? 0 : kRule);
}

std::vector<Silences::Name> Silences::names_of(const Silence& silence) {
  const std::string& site = silence.topic.site.name.text();
  const std::string& device = silence.topic.device.name.text();
  std::vector<Name> names;
  for (const std::string& rule : silence.rules) names.emplace_back(site, device, rule);
  if (names.empty()) names.emplace_back(site, device, "");
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

void Silences::put(Silence silence) {
  std::string id = silence.id;
  const auto [entry, is_new] = by_id_.try_emplace(std::move(id), std::move(silence));
  if (!is_new) return;
  const Silence& kept = entry->second;
  by_end_.emplace(kept.ends_at_ms, kept.id);
  for (Name& name : names_of(kept)) {
    auto& shelves = shelves_[shape_of(name)];
    Shelf& shelf = shelves[std::move(name)];
    shelf.silences.push_back(&kept);
    shelf.add_span(kept.starts_at_ms, kept.ends_at_ms);
  }
}

// What is over is no part of a span that matters; else the others may not fill the whole of it.
void Silences::take_off(Shelf& shelf, const Silence& silence, int64_t now_ms) {
  std::erase(shelf.silences, &silence);
  if (silence.ends_at_ms <= now_ms) {
    while (!shelf.spans.empty() && shelf.spans.begin()->second <= now_ms) shelf.spans.erase(shelf.spans.begin());
    return;
  }
  shelf.spans.clear();
  for (const Silence* other : shelf.silences) shelf.add_span(other->starts_at_ms, other->ends_at_ms);
}

std::optional<Silence> Silences::remove(const std::string& id, int64_t now_ms) {
  const auto found = by_id_.find(id);
  if (found == by_id_.end()) return std::nullopt;
  for (const Name& name : names_of(found->second)) {
    auto& shelves = shelves_[shape_of(name)];
    const auto shelf = shelves.find(name);
    take_off(shelf->second, found->second, now_ms);
    if (shelf->second.silences.empty()) shelves.erase(shelf);
  }
  by_end_.erase({found->second.ends_at_ms, found->first});
  Silence removed = std::move(found->second);
  by_id_.erase(found);
  return removed;
}

const Silence* Silences::next_to_end() const { return by_end_.empty() ? nullptr : &by_id_.at(by_end_.begin()->second); }

template <class Test>
bool Silences::any_shelf(const model::Topic& device, std::string_view rule_id, const Test& test) const {
  using View = std::tuple<std::string_view, std::string_view, std::string_view>;
  for (size_t shape = 0; shape < kShapes; ++shape) {
    if (shelves_[shape].empty()) continue;
    const View name((shape & kSite) ? std::string_view(device.site.text()) : std::string_view(),
                    (shape & kDevice) ? std::string_view(device.device.text()) : std::string_view(),
                    (shape & kRule) ? rule_id : std::string_view());
    const auto shelf = shelves_[shape].find(name);
    if (shelf != shelves_[shape].end() && test(shelf->second)) return true;
  }
  return false;
}

bool Silences::is_covered(const model::Topic& device, std::string_view rule_id, int64_t now_ms) const {
  return any_shelf(device, rule_id, [now_ms](const Shelf& shelf) { return shelf.is_active(now_ms); });
}

bool Silences::is_named(const model::Topic& device, std::string_view rule_id) const {
  return any_shelf(device, rule_id, [](const Shelf&) { return true; });
}

}  // namespace millstream::notify
