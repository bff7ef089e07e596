// model/user.h: someone who signs in with a name and a password, as stored: never the password itself.
//
// Thread   value
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>

#include "model/grants.h"

namespace millstream::model {

inline constexpr std::string_view kUserSubjectPrefix = "user:";

// [A-Za-z0-9._@+-]{1,64}: a name or a mail address; unique in the deployment, not only in its account.
inline bool is_user_name(std::string_view text) {
  constexpr size_t kBytesMax = 64;
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("._@+-").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kBytesMax && std::all_of(text.begin(), text.end(), allowed);
}

// In the words of an error.
inline constexpr const char* kUserNameRule = "a user's name is 1 to 64 of A-Z a-z 0-9 . _ @ + -, and not . or ..";
// What may be one's name from now on: "." and ".." are no part of an address, by which users are managed.
inline bool may_be_added(std::string_view name) { return is_user_name(name) && name != "." && name != ".."; }

struct UserRecord {
  std::string name;
  std::string password_hash;  // Argon2id, as auth/password.h writes it
  Grants grants;              // subject "user:<name>"
  int64_t created_at_ms = 0;
  bool disabled = false;
  int64_t generation = 1;  // one more at each change that ends the sessions until then
};

}  // namespace millstream::model
