// Any bytes as a token: never a crash, never accepted. Then the same bytes as claims under a good signature: never a
// crash, and whatever is accepted keeps the promises of Grants. With an issuer in the list, so that iss is looked up.
#include <cstdint>
#include <cstdlib>

#include "auth/authenticator.h"
#include "auth/base64url.h"
#include "auth/digest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace millstream;
  const std::string_view input(reinterpret_cast<const char*>(bytes), size);
  const auth::JwtOptions options{"0123456789abcdef0123456789abcdef", "", "", 60'000};
  constexpr int64_t kNowMs = 1'769'517'296'789;

  const auth::Issuers issuers(std::vector<auth::Issuer>{{"https://id.example", "millstream"}});

  if (auth::verify_jwt(options, input, kNowMs, &issuers)) std::abort();

  std::string token = auth::encode_base64url(R"({"alg":"HS256"})") + "." + auth::encode_base64url(input);
  token += "." + auth::encode_base64url(auth::hmac_sha256(options.hs256_secret, token));
  const Result<model::Grants> grants = auth::verify_jwt(options, token, kNowMs, &issuers);
  if (!grants) return 0;
  if (grants->account.empty() || grants->roles.empty() || !grants->expires_at_ms) std::abort();
  if (*grants->expires_at_ms + options.leeway_ms <= kNowMs) std::abort();
  return 0;
}
