// model/api_key.h: a key of a device or service, as stored: never the secret itself.
//
// Thread   value; ApiKeyLookup: any
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "model/grants.h"

namespace millstream::model {

struct ApiKeyRecord {
  std::string key_id;         // the public part, [a-z0-9]{12}
  std::string secret_sha256;  // 32 bytes
  Grants grants;
  std::string name;  // what the operator called it
  int64_t created_at_ms = 0;
  bool revoked = false;
};

// Finds a key by its id, without blocking.
class ApiKeyLookup {
 public:
  virtual std::optional<ApiKeyRecord> find_api_key(std::string_view key_id) const = 0;

 protected:
  ~ApiKeyLookup() = default;
};

}  // namespace millstream::model
