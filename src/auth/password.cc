#include "auth/password.h"

#include <argon2.h>

#include <algorithm>
#include <array>

#include "auth/digest.h"
#include "base/check.h"
#include "base/utf8.h"

namespace millstream::auth {
namespace {

constexpr uint32_t kMemoryKiB = 19 * 1024;
constexpr uint32_t kPasses = 2;
constexpr uint32_t kLanes = 1;
constexpr size_t kSaltBytes = 16;
constexpr size_t kHashBytes = 32;
constexpr size_t kTextBytesMax = 256;

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

}  // namespace

Status check_password(std::string_view password, std::string_view user) {
  const auto wrong = [](const std::string& why) { return Error{Code::invalid, "password: " + why}; };
  if (password.size() < kPasswordBytesMin) {
    return wrong("at least " + std::to_string(kPasswordBytesMin) + " characters are needed");
  }
  if (password.size() > kPasswordBytesMax) return wrong("at most " + std::to_string(kPasswordBytesMax) + " bytes");
  if (!is_utf8(password) || std::any_of(password.begin(), password.end(), is_control)) {
    return wrong("must be text without control characters");
  }
  if (password == user) return wrong("must not be the user's name");
  return {};
}

Result<std::string> hash_password(std::string_view password) {
  const std::string salt = random_bytes(kSaltBytes);
  std::array<char, kTextBytesMax> text{};
  const int done = argon2id_hash_encoded(kPasses, kMemoryKiB, kLanes, password.data(), password.size(), salt.data(),
                                         salt.size(), kHashBytes, text.data(), text.size());
  if (done != ARGON2_OK) return Error{Code::unavailable, std::string("password: ") + argon2_error_message(done)};
  return std::string(text.data());
}

bool verify_password(std::string_view password, const std::string& hash) {
  return argon2id_verify(hash.c_str(), password.data(), password.size()) == ARGON2_OK;
}

bool verify_nobody(std::string_view password) {
  static const Result<std::string> nobody = hash_password(random_bytes(kSaltBytes));
  MS_CHECK(nobody.ok());  // made at the start
  return verify_password(password, *nobody) && false;
}

}  // namespace millstream::auth
