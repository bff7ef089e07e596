#include "app/scratch_directory.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>

namespace millstream::app {

Result<ScratchDirectory> ScratchDirectory::make(const std::string& prefix) {
  std::string path = prefix + "XXXXXX";
  if (!::mkdtemp(path.data())) return Error{Code::internal, "cannot make " + path + ": " + std::strerror(errno)};
  return ScratchDirectory(std::move(path));
}

ScratchDirectory::~ScratchDirectory() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace millstream::app
