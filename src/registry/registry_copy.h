// registry/registry_copy.h: registry.db copied, or gone through, while others use it.
//
// Shapes   The copy is one transaction's state, without login sessions: one that was ended after the copy was made must
//          not come back to life with it. Their bytes are not in free pages either.
// Errors   Code::not_found: the directory has no registry.db. Code::corrupt: it is damaged.
// Thread   any; blocks for the disk. Whoever wants to write meanwhile waits; the file is small.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace millstream::registry {

// `to` must not be there yet; mode 0600.
Status copy_registry(const std::string& directory, const std::string& to);

// What SQLite finds wrong with it, one line each; empty: nothing.
Result<std::vector<std::string>> check_registry(const std::string& directory);

}  // namespace millstream::registry
