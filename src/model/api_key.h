// model/api_key.h: a key of a device or service, as stored: never the secret itself.
//
// Thread   value; ApiKeyLookup: any
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "model/grants.h"

namespace millstream::model {

struct ApiKeyRecord {
  std::string key_id;         // the public part, [a-z0-9]{12}
  std::string secret_sha256;  // 32 bytes
  Grants grants;
  std::string name;        // what the operator called it
  std::string created_by;  // subject of whoever made it; empty: the command line
  int64_t created_at_ms = 0;
  std::optional<int64_t> used_at_ms;  // UTC; within a minute or so
  bool revoked = false;
};

// The subject of grants that a key gives, "key:k3f9", and its id again; "" of any other subject.
inline constexpr std::string_view kKeySubjectPrefix = "key:";
inline std::string key_subject(std::string_view key_id) { return std::string(kKeySubjectPrefix).append(key_id); }
constexpr std::string_view key_id_of(std::string_view subject) {
  return subject.starts_with(kKeySubjectPrefix) ? subject.substr(kKeySubjectPrefix.size()) : std::string_view();
}

// A key's id as one number, which is never 0 and never that of a login session: an id is 12 digits of base 36, which is
// below 3 << 62. Streams remember their key by it. Only for ids of that form.
constexpr uint64_t api_key_number(std::string_view key_id) {
  uint64_t number = 1;
  for (const char c : key_id) {
    const bool is_letter = c >= 'a' && c <= 'z';
    number = number * 36 + static_cast<uint64_t>(is_letter ? c - 'a' : c - '0' + 26);
  }
  return number;
}

// Whose a stream is, as one number beside its account.
inline uint64_t holder_number(const Grants& grants) { return std::hash<std::string>{}(grants.subject); }

// Finds a key by its id, without blocking.
class ApiKeyLookup {
 public:
  // Null: there is none. What it points to does not change.
  virtual std::shared_ptr<const ApiKeyRecord> find_api_key(std::string_view key_id) const = 0;
  // It has let someone in.
  virtual void note_use(std::string_view key_id, int64_t now_ms) const = 0;

 protected:
  ~ApiKeyLookup() = default;
};

}  // namespace millstream::model
