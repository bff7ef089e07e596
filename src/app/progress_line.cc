#include "app/progress_line.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace millstream::app {
namespace {

constexpr int64_t kEveryMs = 200;
constexpr size_t kBarCells = 30;

}  // namespace

ProgressLine::ProgressLine() : terminal_(::isatty(STDERR_FILENO) != 0) {}

ProgressLine::~ProgressLine() {
  if (terminal_) std::fputs("\r\x1b[K", stderr);
}

void ProgressLine::begin(std::string what, uint64_t bytes_in_all) {
  what_ = std::move(what);
  bytes_in_all_ = bytes_in_all;
  bytes_ = 0;
  next_ms_ = 0;
}

Status ProgressLine::advance(uint64_t bytes) {
  bytes_ += bytes;
  const int64_t now_ms = clock_.steady_ms();
  if (terminal_ && now_ms >= next_ms_) print(now_ms);
  return interrupt_.came() ? Status(Error{Code::unavailable, "interrupted; nothing was changed"}) : Status();
}

void ProgressLine::print(int64_t now_ms) {
  next_ms_ = now_ms + kEveryMs;
  const double part =
      bytes_in_all_ == 0 ? 1 : std::min(1.0, static_cast<double>(bytes_) / static_cast<double>(bytes_in_all_));
  const auto cells = static_cast<size_t>(part * kBarCells);
  std::fprintf(stderr, "\r%s  [%s%s] %3d %%  %s of %s\x1b[K", what_.c_str(), std::string(cells, '#').c_str(),
               std::string(kBarCells - cells, '.').c_str(), static_cast<int>(part * 100), size_text(bytes_).c_str(),
               size_text(bytes_in_all_).c_str());
}

std::string size_text(uint64_t bytes) {
  constexpr std::array<const char*, 5> kUnits = {"bytes", "kB", "MB", "GB", "TB"};
  if (bytes < 1000) return std::to_string(bytes) + " bytes";
  auto size = static_cast<double>(bytes);
  size_t unit = 0;
  for (; size >= 1000 && unit + 1 < kUnits.size(); ++unit) size /= 1000;
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), size < 10 ? "%.1f %s" : "%.0f %s", size, kUnits[unit]);
  return text.data();
}

}  // namespace millstream::app
