#include "app/jwt_settings.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace millstream::app {

auth::JwtOptions jwt_options(const Config::Auth& auth) {
  return {.hs256_secret = auth.jwt_secret,
          .issuer = auth.jwt_issuer,
          .audience = auth.jwt_audience,
          .leeway_ms = auth.leeway_ms,
          .claims = {.account = auth.account_claim,
                     .sites = auth.sites_claim,
                     .devices = auth.devices_claim,
                     .roles = auth.roles_claim}};
}

Result<KeySetPtr> JwksFile::read() {
  read_identity_ = identity();
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0)
    return Error{Code::invalid, "cannot read " + path_ + ": " + std::strerror(errno)};
  if (!S_ISREG(info.st_mode)) return Error{Code::invalid, path_ + " is not a regular file"};
  if ((info.st_mode & 022) != 0) {
    return Error{Code::invalid, path_ + " can be written by others than its owner; chmod 644 it"};
  }
  std::ifstream file(path_, std::ios::binary);
  std::string text(auth::KeySet::kBytesMax + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || !file.is_open()) return Error{Code::invalid, "cannot read " + path_ + ": " + std::strerror(errno)};
  text.resize(static_cast<size_t>(file.gcount()));
  Result<auth::KeySet> keys = auth::KeySet::parse(text);
  if (!keys) return Error{Code::invalid, path_ + ": " + keys.error().detail};
  return KeySetPtr(std::make_shared<const auth::KeySet>(std::move(*keys)));
}

std::optional<Result<KeySetPtr>> JwksFile::read_if_changed() {
  if (path_.empty() || identity() == read_identity_) return std::nullopt;
  return read();
}

std::string JwksFile::identity() const {
  struct stat info {};
  if (::stat(path_.c_str(), &info) != 0) return {};
  return std::to_string(info.st_ino) + "/" + std::to_string(info.st_size) + "/" + std::to_string(info.st_mtim.tv_sec) +
         "." + std::to_string(info.st_mtim.tv_nsec);
}

}  // namespace millstream::app
