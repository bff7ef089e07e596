#include "app/node_name.h"

#include <unistd.h>

#include <array>

namespace millstream::app {

std::string node_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "millstream";
  return name.data();
}

}  // namespace millstream::app
