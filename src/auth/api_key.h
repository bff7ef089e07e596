// auth/api_key.h: the text of an API key, "ms_<id>_<secret>", and its check.
//
// Shapes   id: 12 of [a-z0-9], public, names the key in lists and logs. secret: 43 of base64url (256 random bits), kept
//          as its SHA-256 only; being random in full, it needs no slow hash.
// Errors   Code::unauthenticated with the reason, for the log alone.
// Thread   value
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "model/api_key.h"
#include "model/grants.h"

namespace millstream::auth {

inline constexpr std::string_view kApiKeyPrefix = "ms_";

// The public part; nothing: not the form of a key.
std::optional<std::string_view> api_key_id(std::string_view text);
Result<model::Grants> verify_api_key(const model::ApiKeyLookup& keys, std::string_view text, int64_t now_ms);

}  // namespace millstream::auth
