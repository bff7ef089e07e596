// app/base64.h: bytes as base64, with padding, as mail and Basic authorization want it.
//
// Thread   value
// Source   RFC 4648 4
#pragma once

#include <string>
#include <string_view>

namespace millstream::app {

std::string base64(std::string_view bytes);

}  // namespace millstream::app
