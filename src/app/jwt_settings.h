// app/jwt_settings.h: what the configuration says about tokens, and the file of public keys, read again when it
// changes.
//
// Errors   Code::invalid naming the file: not there, writable by others than its owner, not a usable key set.
// Thread   value; reading blocks
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "app/config.h"
#include "auth/authenticator.h"
#include "auth/jwks.h"

namespace millstream::app {

auth::JwtOptions jwt_options(const Config::Auth& auth);

using KeySetPtr = std::shared_ptr<const auth::KeySet>;

class JwksFile {
 public:
  explicit JwksFile(std::string path) : path_(std::move(path)) {}

  Result<KeySetPtr> read();
  // None: the file is the one that was last read, well or not.
  std::optional<Result<KeySetPtr>> read_if_changed();
  const std::string& path() const { return path_; }

 private:
  std::string identity() const;  // inode, size and time of the file

  const std::string path_;
  std::string read_identity_;
};

}  // namespace millstream::app
