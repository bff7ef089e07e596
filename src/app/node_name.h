// app/node_name.h: what this machine calls itself.
//
// Thread   any
#pragma once

#include <string>

namespace millstream::app {

std::string node_name();  // "millstream" when the system does not say

}  // namespace millstream::app
