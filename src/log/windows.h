// log/windows.h: closed windows of an hour file, decoded whole, for readers that go through many devices at once.
//
// Flow     such a reader turns page after page through one window: the last few stay decoded, shared by all readers.
// Limits   kWindowsCachedMax windows and kWindowsBytesMax bytes in all; a window in use lives on.
// Thread   WindowCache: any
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <vector>

#include "log/chunk.h"

namespace millstream::log {

inline constexpr size_t kWindowsCachedMax = 4;
inline constexpr size_t kWindowsBytesMax = 64 << 20;

struct Window {
  struct Place {
    int64_t id = 0;  // packed
    uint32_t chunk = 0;
    uint32_t event = 0;  // in the chunk
  };
  struct Damage {
    model::EventId first;
    model::EventId last;
    size_t events = 0;
  };
  std::vector<std::unique_ptr<Chunk>> chunks;
  std::vector<int64_t> topics;  // of each chunk
  std::vector<Place> places;    // by id
  std::vector<Damage> damaged;  // chunks that could not be read
  size_t bytes = 0;

  void add(int64_t topic, std::unique_ptr<Chunk> chunk);
  void order();  // after the last add()
};
using WindowPtr = std::shared_ptr<const Window>;

struct WindowKey {
  uint64_t file = 0;  // HourFiles' serial
  int64_t through = 0;
  bool operator==(const WindowKey&) const = default;
};

class WindowCache {
 public:
  WindowPtr find(const WindowKey& key);  // null: not here
  void keep(const WindowKey& key, WindowPtr window);

 private:
  struct Entry {
    WindowKey key;
    WindowPtr window;
  };
  std::mutex mu_;
  std::list<Entry> entries_;  // guarded by mu_; latest used first
};

}  // namespace millstream::log
