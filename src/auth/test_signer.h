// auth/test_signer.h: for tests: someone with a private key, what others are told of it, and tokens signed with it.
//
// Thread   value
#pragma once

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "auth/base64url.h"

namespace millstream::auth {

inline std::string b64(std::string_view text) { return encode_base64url(text); }

// A private key and what others are told of it.
class Signer {
 public:
  static Signer rsa(const std::string& alg, size_t bits = 2048) {
    return Signer(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", bits), alg);
  }
  static Signer ec(const char* curve = "P-256") {
    return Signer(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", curve), "ES256");
  }
  static Signer ed() { return Signer(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), "EdDSA"); }

  // `more`: further members, beginning with a comma.
  std::string jwk(const std::string& kid, const std::string& more = "") const {
    std::string members;
    if (is("RSA")) {
      members = R"("kty":"RSA","n":")" + number("n") + R"(","e":")" + number("e") + '"';
    } else if (is("EC")) {
      members = R"("kty":"EC","crv":"P-256","x":")" + number("qx") + R"(","y":")" + number("qy") + '"';
    } else {
      unsigned char raw[32];
      size_t size = sizeof raw;
      EXPECT_EQ(EVP_PKEY_get_raw_public_key(key_.get(), raw, &size), 1);
      members = R"("kty":"OKP","crv":"Ed25519","x":")" + b64({reinterpret_cast<char*>(raw), size}) + '"';
    }
    return "{" + members + (kid.empty() ? "" : R"(,"kid":")" + kid + '"') + more + "}";
  }
  std::string jwk_with_alg(const std::string& kid) const { return jwk(kid, R"(,"alg":")" + alg_ + '"'); }

  std::string sign(std::string_view text) const {
    EVP_MD_CTX* context = EVP_MD_CTX_new();
    EVP_PKEY_CTX* how = nullptr;
    EXPECT_EQ(EVP_DigestSignInit(context, &how, alg_ == "EdDSA" ? nullptr : EVP_sha256(), nullptr, key_.get()), 1);
    if (alg_ == "PS256") {
      EVP_PKEY_CTX_set_rsa_padding(how, RSA_PKCS1_PSS_PADDING);
      EVP_PKEY_CTX_set_rsa_pss_saltlen(how, RSA_PSS_SALTLEN_DIGEST);
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
    size_t size = 0;
    EVP_DigestSign(context, nullptr, &size, bytes, text.size());
    std::string signature(size, '\0');
    EXPECT_EQ(EVP_DigestSign(context, reinterpret_cast<unsigned char*>(signature.data()), &size, bytes, text.size()),
              1);
    EVP_MD_CTX_free(context);
    signature.resize(size);
    return alg_ == "ES256" ? raw_of(signature) : signature;
  }
  // A token whose header may lie about the algorithm.
  std::string token(const std::string& kid, const std::string& claims, std::string header_alg = "") const {
    if (header_alg.empty()) header_alg = alg_;
    const std::string head = R"({"alg":")" + header_alg + '"' + (kid.empty() ? "" : R"(,"kid":")" + kid + '"') + "}";
    const std::string text = b64(head) + "." + b64(claims);
    return text + "." + b64(sign(text));
  }

 private:
  Signer(EVP_PKEY* key, std::string alg) : key_(key, EVP_PKEY_free), alg_(std::move(alg)) { EXPECT_NE(key, nullptr); }

  bool is(const char* type) const { return EVP_PKEY_is_a(key_.get(), type) == 1; }
  std::string number(const char* name) const {
    BIGNUM* value = nullptr;
    EXPECT_EQ(EVP_PKEY_get_bn_param(key_.get(), name, &value), 1);
    const int size = is("EC") ? 32 : BN_num_bytes(value);
    std::string bytes(static_cast<size_t>(size), '\0');
    BN_bn2binpad(value, reinterpret_cast<unsigned char*>(bytes.data()), size);
    BN_free(value);
    return b64(bytes);
  }
  static std::string raw_of(const std::string& der) {
    const auto* at = reinterpret_cast<const unsigned char*>(der.data());
    ECDSA_SIG* signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size()));
    std::string raw(64, '\0');
    auto* out = reinterpret_cast<unsigned char*>(raw.data());
    BN_bn2binpad(ECDSA_SIG_get0_r(signature), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(signature), out + 32, 32);
    ECDSA_SIG_free(signature);
    return raw;
  }

  std::shared_ptr<EVP_PKEY> key_;
  std::string alg_;
};

inline std::string set_of(std::initializer_list<std::string> keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : ",") + key;
  return "{\"keys\":[" + text + "]}";
}

}  // namespace millstream::auth
