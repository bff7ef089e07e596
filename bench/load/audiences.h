// load/audiences.h: which devices each viewer watches, and so which viewers an event must reach.
//
// Shapes   `viewers` are dealt out over `count` audiences; each audience has `devices_each` devices that
//          publish. Viewers beyond those are others: each watches `other_devices_each` devices that never publish
//          anything. One audience of one device is a broadcast.
// Thread   value
#pragma once

#include <cstdint>
#include <string>

namespace millstream::load {

inline constexpr uint32_t kNoAudience = UINT32_MAX;

struct Audiences {
  uint32_t count = 1;
  uint32_t devices_each = 1;
  uint32_t viewers = UINT32_MAX;
  uint32_t other_devices_each = 1;

  // kNoAudience: one of the others.
  uint32_t of_viewer(uint32_t viewer) const { return viewer < viewers ? viewer % count : kNoAudience; }
  uint32_t of_device(uint32_t device) const { return device % count; }
  uint32_t devices() const { return count * devices_each; }
  // "account:demo/site:bench/device:bench-0,…"
  std::string topics(uint32_t viewer) const;
};

// "bench-7"
std::string device_name(uint32_t device);

}  // namespace millstream::load
