#include "auth/jwks.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <simdjson.h>

#include <algorithm>
#include <array>

#include "auth/base64url.h"
#include "base/freed.h"

namespace millstream::auth {
namespace {

using simdjson::dom::element;
using simdjson::dom::object;
using KeyPtr = std::shared_ptr<EVP_PKEY>;

constexpr int kRsaBitsMin = 2048;
constexpr int kRsaBitsMax = 8192;  // more makes every check slow, for everyone
constexpr size_t kP256Bytes = 32;
constexpr size_t kKeyIdBytesMax = 128;

using BigNumber = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using ParameterBuilder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using EcSignature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

const unsigned char* bytes_of(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

std::optional<std::string_view> text_of(const object& key, std::string_view name) {
  std::string_view text;
  if (key.at_key(name).get(text) != simdjson::SUCCESS) return std::nullopt;
  return text;
}

std::optional<std::string> bytes_in(const object& key, std::string_view name) {
  const auto text = text_of(key, name);
  return text && !text->empty() ? decode_base64url(*text) : std::nullopt;
}

BigNumber number_of(std::string_view bytes) {
  return BigNumber(BN_bin2bn(bytes_of(bytes), static_cast<int>(bytes.size()), nullptr));
}

KeyPtr make_key(const char* type, OSSL_PARAM_BLD* builder) {
  const Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* made = nullptr;
  if (!parameters || !context || EVP_PKEY_fromdata_init(context.get()) <= 0) return nullptr;
  if (EVP_PKEY_fromdata(context.get(), &made, EVP_PKEY_PUBLIC_KEY, parameters.get()) <= 0) return nullptr;
  return KeyPtr(made, EVP_PKEY_free);
}

Result<KeyPtr> rsa_key(const object& key) {
  const auto modulus = bytes_in(key, "n");
  const auto exponent = bytes_in(key, "e");
  if (!modulus || !exponent) return Error{Code::invalid, "n and e are to be base64url"};
  const BigNumber n = number_of(*modulus);
  const BigNumber e = number_of(*exponent);
  const int bits = BN_num_bits(n.get());
  if (bits < kRsaBitsMin || bits > kRsaBitsMax) {
    return Error{Code::invalid, "an RSA key of " + std::to_string(bits) + " bits; it is to have " +
                                    std::to_string(kRsaBitsMin) + " to " + std::to_string(kRsaBitsMax)};
  }
  if (!BN_is_odd(e.get()) || BN_is_one(e.get()) || BN_num_bits(e.get()) > 64) {
    return Error{Code::invalid, "e is not the exponent of an RSA key"};
  }
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  KeyPtr made = make_key("RSA", builder.get());
  return made ? Result<KeyPtr>(std::move(made)) : Error{Code::invalid, "not an RSA key"};
}

Result<KeyPtr> ec_key(const object& key) {
  const auto x = bytes_in(key, "x");
  const auto y = bytes_in(key, "y");
  if (!x || !y || x->size() != kP256Bytes || y->size() != kP256Bytes) {
    return Error{Code::invalid, "x and y are to be 32 bytes of base64url"};
  }
  const std::string point = '\4' + *x + *y;  // uncompressed
  const ParameterBuilder builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size());
  KeyPtr made = make_key("EC", builder.get());
  return made ? Result<KeyPtr>(std::move(made)) : Error{Code::invalid, "not a point of P-256"};
}

Result<KeyPtr> ed25519_key(const object& key) {
  const auto x = bytes_in(key, "x");
  EVP_PKEY* made = x ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, bytes_of(*x), x->size()) : nullptr;
  if (!made) return Error{Code::invalid, "x is to be 32 bytes of base64url"};
  return KeyPtr(made, EVP_PKEY_free);
}

// What the key can verify; none: nothing we know.
std::optional<JwtAlgorithm> algorithm_of(const object& key) {
  const std::string_view kind = text_of(key, "kty").value_or("");
  const std::string_view curve = text_of(key, "crv").value_or("");
  const auto named = text_of(key, "alg");
  const auto is = [&](std::string_view algorithm) { return !named || *named == algorithm; };
  if (kind == "RSA" && is("RS256")) return JwtAlgorithm::rs256;
  if (kind == "RSA" && is("PS256")) return JwtAlgorithm::ps256;
  if (kind == "EC" && curve == "P-256" && is("ES256")) return JwtAlgorithm::es256;
  if (kind == "OKP" && curve == "Ed25519" && is("EdDSA")) return JwtAlgorithm::eddsa;
  return std::nullopt;
}

bool is_for_signatures(const object& key) {
  if (const auto use = text_of(key, "use"); use && *use != "sig") return false;
  simdjson::dom::array operations;
  if (key.at_key("key_ops").get(operations) != simdjson::SUCCESS) return true;
  return std::any_of(operations.begin(), operations.end(), [](const element operation) {
    std::string_view text;
    return operation.get(text) == simdjson::SUCCESS && text == "verify";
  });
}

Result<KeyPtr> read_key(const object& key, JwtAlgorithm algorithm) {
  switch (algorithm) {
    case JwtAlgorithm::rs256:
    case JwtAlgorithm::ps256: return rsa_key(key);
    case JwtAlgorithm::es256: return ec_key(key);
    case JwtAlgorithm::eddsa: return ed25519_key(key);
    case JwtAlgorithm::hs256: break;
  }
  return Error{Code::invalid, "not a public key"};
}

// R and S in 32 bytes each, as tokens have it, in the form OpenSSL wants.
std::string der_signature(std::string_view raw) {
  if (raw.size() != 2 * kP256Bytes) return {};
  const EcSignature signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), number_of(raw.substr(0, kP256Bytes)).release(),
                 number_of(raw.substr(kP256Bytes)).release());
  unsigned char* made = nullptr;
  const int size = i2d_ECDSA_SIG(signature.get(), &made);
  std::string der(reinterpret_cast<char*>(made), static_cast<size_t>(std::max(size, 0)));
  OPENSSL_free(made);
  return der;
}

bool signature_fits(EVP_PKEY* key, JwtAlgorithm algorithm, std::string_view text, std::string_view signature) {
  const std::string der = algorithm == JwtAlgorithm::es256 ? der_signature(signature) : std::string(signature);
  const EVP_MD* const digest = algorithm == JwtAlgorithm::eddsa ? nullptr : EVP_sha256();
  const DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* how = nullptr;
  if (!context || EVP_DigestVerifyInit(context.get(), &how, digest, nullptr, key) <= 0) return false;
  if (algorithm == JwtAlgorithm::ps256 && (EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING) <= 0 ||
                                           EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST) <= 0)) {
    return false;
  }
  return EVP_DigestVerify(context.get(), bytes_of(der), der.size(), bytes_of(text), text.size()) == 1;
}

}  // namespace

std::optional<JwtAlgorithm> parse_jwt_algorithm(std::string_view name) {
  constexpr std::array<std::string_view, 5> kNames{"HS256", "RS256", "PS256", "ES256", "EdDSA"};
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return static_cast<JwtAlgorithm>(found - kNames.begin());
}

bool is_key_id(std::string_view text) {
  const auto fits = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           std::string_view("._:+/=-").find(c) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kKeyIdBytesMax && std::all_of(text.begin(), text.end(), fits);
}

Result<KeySet> KeySet::parse(std::string_view json) {
  if (json.size() > kBytesMax) return Error{Code::invalid, "a key set of more than 256 KiB"};
  simdjson::dom::parser parser;
  simdjson::dom::array list;
  if (parser.parse(json.data(), json.size()).at_key("keys").get(list) != simdjson::SUCCESS) {
    return Error{Code::invalid, "not a JSON Web Key Set: {\"keys\":[…]}"};
  }
  if (list.size() > kKeysMax) return Error{Code::invalid, "a key set of more than 100 keys"};
  KeySet set;
  size_t place = 0;
  for (const element item : list) {
    const auto wrong = [&](const std::string& what) {
      return Error{Code::invalid, "keys[" + std::to_string(place) + "]: " + what};
    };
    object key;
    if (item.get(key) != simdjson::SUCCESS) return wrong("not an object");
    const std::optional<JwtAlgorithm> algorithm = is_for_signatures(key) ? algorithm_of(key) : std::nullopt;
    if (algorithm) {
      const std::string_view id = text_of(key, "kid").value_or("");
      if (!id.empty() && !is_key_id(id)) return wrong("kid is to be 1 to 128 of A-Z a-z 0-9 . _ : + / = -");
      if (!id.empty() && set.holds(id)) return wrong("kid \"" + std::string(id) + "\" stands twice");
      Result<KeyPtr> made = read_key(key, *algorithm);
      if (!made) return wrong(made.error().detail);
      set.keys_.push_back({std::string(id), *algorithm, std::move(*made)});
    } else {
      ++set.passed_over_;
    }
    ++place;
  }
  if (set.keys_.empty()) return Error{Code::invalid, "no key for RS256, PS256, ES256 or EdDSA is in the set"};
  return set;
}

bool KeySet::holds(std::string_view key_id) const {
  return std::any_of(keys_.begin(), keys_.end(), [&](const Key& key) { return key.id == key_id; });
}

Status KeySet::verify(std::string_view key_id, JwtAlgorithm algorithm, std::string_view signed_text,
                      std::string_view signature) const {
  const Key* found = nullptr;
  for (const Key& key : keys_) {
    if (key_id.empty() ? key.algorithm != algorithm : key.id != key_id) continue;
    if (found) return Error{Code::unauthenticated, "no kid, and several keys could be meant"};
    found = &key;
  }
  if (!found) return Error{Code::unauthenticated, "no such key"};
  if (found->algorithm != algorithm) return Error{Code::unauthenticated, "alg is not that of the key"};
  if (!signature_fits(found->key.get(), algorithm, signed_text, signature)) {
    return Error{Code::unauthenticated, "signature does not match"};
  }
  return {};
}

}  // namespace millstream::auth
