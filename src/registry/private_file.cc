#include "registry/private_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace millstream::registry {
namespace {
Error system_error(const std::string& what) { return Error{Code::internal, what + ": " + std::strerror(errno)}; }
}  // namespace

Status make_private_directory(const std::string& directory) {
  std::error_code error;
  const std::filesystem::path parent = std::filesystem::absolute(directory, error).parent_path();
  std::filesystem::create_directories(parent, error);
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) return system_error("cannot make " + directory);
  return {};
}

Status make_private_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return system_error("cannot open " + path);
  const bool ok = ::fchmod(fd, 0600) == 0;
  Status status;
  if (!ok) status = system_error("cannot make private " + path);
  ::close(fd);
  return status;
}

}  // namespace millstream::registry
