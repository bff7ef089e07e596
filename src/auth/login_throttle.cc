#include "auth/login_throttle.h"

#include <algorithm>
#include <vector>

namespace millstream::auth {
namespace {

constexpr int64_t kFirstWaitMs = 1000;
constexpr int kDoublingsMax = 20;

void take_back(auto& table, std::string_view name) {
  const auto found = table.find(std::string(name));
  if (found == table.end()) return;
  found->second.until_ms = 0;
  if (--found->second.count <= 0) table.erase(found);
}

// No name of a user holds a blank.
std::string pair_of(std::string_view user, std::string_view address) {
  return std::string(user) + ' ' + std::string(address);
}

std::string counted_name(const std::unordered_set<std::string>& known, std::string_view user,
                         std::string_view address) {
  std::string pair = pair_of(user, address);
  return known.contains(pair) ? pair : std::string(user);
}

}  // namespace

int64_t LoginThrottle::wait_of(const Table& table, std::string_view name, int64_t now_ms) const {
  const auto found = table.find(std::string(name));
  return found == table.end() ? 0 : std::max<int64_t>(0, found->second.until_ms - now_ms);
}

void LoginThrottle::count(Table& table, std::string_view name, const ThrottleRule& rule, int64_t now_ms) const {
  if (table.size() >= kTrackedMax) make_room(table, now_ms);
  Failures& failures = table[std::string(name)];
  if (now_ms - failures.last_ms >= options_.window_ms) failures = {};
  ++failures.count;
  failures.last_ms = now_ms;
  const int beyond = failures.count - rule.free;
  if (failures.count >= rule.max) {
    failures.until_ms = now_ms + options_.window_ms;
  } else if (beyond > 0) {
    failures.until_ms = now_ms + std::min(options_.window_ms, kFirstWaitMs << std::min(beyond - 1, kDoublingsMax));
  }
}

// A quarter at once, so that a flood of new names does not sort the table for each.
void LoginThrottle::make_room(Table& table, int64_t now_ms) const {
  std::erase_if(table, [&](const auto& entry) { return now_ms - entry.second.last_ms >= options_.window_ms; });
  if (table.size() < kTrackedMax) return;
  std::vector<int64_t> times;
  for (const auto& [name, failures] : table) times.push_back(failures.last_ms);
  const auto quarter = times.begin() + static_cast<ptrdiff_t>(times.size() / 4);
  std::nth_element(times.begin(), quarter, times.end());
  size_t left = times.size() / 4;
  std::erase_if(table, [&](const auto& entry) { return left > 0 && entry.second.last_ms <= *quarter && left--; });
}

int64_t LoginThrottle::begin(std::string_view user, std::string_view address, int64_t now_ms) {
  return tables_.with([&](Tables& tables) {
    const std::string name = counted_name(tables.known, user, address);
    const int64_t wait_ms = std::max(wait_of(tables.users, name, now_ms), wait_of(tables.addresses, address, now_ms));
    if (wait_ms > 0) return wait_ms;
    count(tables.users, name, options_.user, now_ms);
    count(tables.addresses, address, options_.address, now_ms);
    return int64_t{0};
  });
}

void LoginThrottle::succeeded(std::string_view user, std::string_view address) {
  tables_.with([&](Tables& tables) {
    tables.users.erase(counted_name(tables.known, user, address));
    take_back(tables.addresses, address);
    if (tables.known.size() >= kTrackedMax) tables.known.clear();
    tables.known.insert(pair_of(user, address));
  });
}

void LoginThrottle::cancelled(std::string_view user, std::string_view address) {
  tables_.with([&](Tables& tables) {
    take_back(tables.users, counted_name(tables.known, user, address));
    take_back(tables.addresses, address);
  });
}

size_t LoginThrottle::tracked() const {
  return tables_.with([](const Tables& tables) { return tables.users.size() + tables.addresses.size(); });
}

}  // namespace millstream::auth
