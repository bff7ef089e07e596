// app/progress_line.h: how far a long command is, as one line that renews itself on a terminal. Into a file or a pipe:
// nothing.
//
// Errors   advance(): Code::unavailable once Ctrl-C or SIGTERM came, so that the work ends and cleans up.
// Thread   one at a time
#pragma once

#include <cstdint>
#include <string>

#include "app/interrupt.h"
#include "base/clock.h"
#include "base/result.h"

namespace millstream::app {

class ProgressLine {
 public:
  ProgressLine();
  ~ProgressLine();  // takes the line away
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void begin(std::string what, uint64_t bytes_in_all);
  Status advance(uint64_t bytes);

 private:
  void print(int64_t now_ms);

  const bool terminal_;
  Interrupt interrupt_;
  SystemClock clock_;
  std::string what_;
  uint64_t bytes_in_all_ = 0;
  uint64_t bytes_ = 0;
  int64_t next_ms_ = 0;
};

std::string size_text(uint64_t bytes);  // "1.4 GB"

}  // namespace millstream::app
