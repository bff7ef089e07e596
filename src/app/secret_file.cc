#include "app/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/unique_fd.h"

namespace millstream::app {
namespace {

constexpr size_t kSecretFileBytesMax = 64 << 10;

Status check_mode(const std::string& path, int fd) {
  struct stat info {};
  if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) return Error{Code::invalid, path + " is not a regular file"};
  if ((info.st_mode & 077) == 0) return {};
  return Error{Code::invalid, path + " can be read by others than its owner; chmod 600 it"};
}

}  // namespace

Result<std::string> read_secret_file(const std::string& path) {
  const UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return Error{Code::invalid, "cannot read " + path + ": " + std::strerror(errno)};
  if (Status s = check_mode(path, file.get()); !s) return s.error();

  std::string secret(kSecretFileBytesMax + 1, '\0');
  size_t size = 0;
  while (size < secret.size()) {
    const ssize_t got = ::read(file.get(), secret.data() + size, secret.size() - size);
    if (got < 0) return Error{Code::invalid, "cannot read " + path + ": " + std::strerror(errno)};
    if (got == 0) break;
    size += static_cast<size_t>(got);
  }
  if (size > kSecretFileBytesMax) return Error{Code::invalid, path + " is larger than 64KiB"};
  secret.resize(size);
  while (!secret.empty() && (secret.back() == '\n' || secret.back() == '\r')) secret.pop_back();
  if (secret.empty()) return Error{Code::invalid, path + " is empty"};
  return secret;
}

}  // namespace millstream::app
