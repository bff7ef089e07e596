// registry/private_file.h: files that only their owner may read.
//
// Thread   startup
#pragma once

#include <string>

#include "base/result.h"

namespace millstream::registry {

// The directory is made with mode 0700; one that exists keeps its mode, the operator chose it.
Status make_private_directory(const std::string& directory);
// Mode 0600. Made here, not by SQLite, so that there is no moment in which others may read it. SQLite gives its journal
// the same mode.
Status make_private_file(const std::string& path);

}  // namespace millstream::registry
