// app/interrupt.h: Ctrl-C and SIGTERM as something a tool can ask for.
//
// Thread   one at a time in a process: signals are the process's
#pragma once

#include <csignal>
#include <cstdint>

namespace millstream::app {

class Interrupt {
 public:
  Interrupt();   // takes SIGINT and SIGTERM over
  ~Interrupt();  // gives them back
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;

  bool came() const;
  void wait(int64_t ms) const;  // returns at once when it has come or comes

 private:
  struct sigaction old_int_ {};
  struct sigaction old_term_ {};
};

}  // namespace millstream::app
