#include "log/windows.h"

#include <algorithm>

namespace millstream::log {

void Window::add(int64_t topic, std::unique_ptr<Chunk> chunk) {
  const auto number = static_cast<uint32_t>(chunks.size());
  for (size_t i = 0; i < chunk->count(); ++i) {
    places.push_back({.id = chunk->id(i).packed(), .chunk = number, .event = static_cast<uint32_t>(i)});
  }
  bytes += chunk->bytes() + chunk->count() * sizeof(Place);
  chunks.push_back(std::move(chunk));
  topics.push_back(topic);
}

void Window::order() {
  std::sort(places.begin(), places.end(), [](const Place& a, const Place& b) { return a.id < b.id; });
}

WindowPtr WindowCache::find(const WindowKey& key) {
  std::lock_guard lock(mu_);
  const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.key == key; });
  if (found == entries_.end()) return nullptr;
  entries_.splice(entries_.begin(), entries_, found);
  return entries_.front().window;
}

void WindowCache::keep(const WindowKey& key, WindowPtr window) {
  std::list<Entry> dropped;  // outside the lock
  std::lock_guard lock(mu_);
  entries_.push_front({key, std::move(window)});
  size_t bytes = 0;
  size_t kept = 0;
  auto at = entries_.begin();
  for (; at != entries_.end(); ++at) {
    bytes += at->window->bytes;
    if (kept > 0 && (bytes > kWindowsBytesMax || kept >= kWindowsCachedMax)) break;
    ++kept;
  }
  dropped.splice(dropped.begin(), entries_, at, entries_.end());
}

}  // namespace millstream::log
