// base/check.h: MS_CHECK, for invariants of ours. A broken one ends the process with a line that names the place;
// input from outside must never reach one.
#pragma once

namespace millstream {

[[noreturn]] void check_failed(const char* expression, const char* file, int line);

}  // namespace millstream

#define MS_CHECK(expression) \
  ((expression) ? static_cast<void>(0) : ::millstream::check_failed(#expression, __FILE__, __LINE__))

#ifdef NDEBUG
#define MS_DCHECK(expression) static_cast<void>(0)
#else
#define MS_DCHECK(expression) MS_CHECK(expression)
#endif
