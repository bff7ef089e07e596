#include "app/interrupt.h"

#include <poll.h>

#include <algorithm>

namespace millstream::app {
namespace {

// A signal handler can reach nothing else.
volatile std::sig_atomic_t interrupted = 0;

void on_signal(int) { interrupted = 1; }

}  // namespace

Interrupt::Interrupt() {
  interrupted = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;  // without SA_RESTART: waiting calls return
  sigaction(SIGINT, &action, &old_int_);
  sigaction(SIGTERM, &action, &old_term_);
}

Interrupt::~Interrupt() {
  sigaction(SIGINT, &old_int_, nullptr);
  sigaction(SIGTERM, &old_term_, nullptr);
}

bool Interrupt::came() const { return interrupted != 0; }

void Interrupt::wait(int64_t ms) const {
  // In slices, for the signal that comes between the question and the wait.
  constexpr int64_t kSliceMs = 200;
  for (; ms > 0 && !came(); ms -= kSliceMs) ::poll(nullptr, 0, static_cast<int>(std::min(ms, kSliceMs)));
}

}  // namespace millstream::app
