// app/secret_file.h: a secret kept in a file.
//
// Errors   Code::invalid: not a regular file, readable by others than its owner, empty, or larger than 64 KiB. Says the
//          path, never the content.
// Thread   any; blocks
#pragma once

#include <string>

#include "base/result.h"

namespace millstream::app {

// Without the line break that editors put at the end.
Result<std::string> read_secret_file(const std::string& path);

}  // namespace millstream::app
