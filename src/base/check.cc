#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace millstream {

void check_failed(const char* expression, const char* file, int line) {
  std::fprintf(stderr, "millstream: invariant broken: %s (%s:%d)\n", expression, file, line);
  std::abort();
}

}  // namespace millstream
