#include "auth/jwks.h"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <memory>

#include "auth/authenticator.h"
#include "auth/base64url.h"
#include "auth/digest.h"

namespace millstream::auth {
namespace {

constexpr int64_t kNowMs = 1'769'517'296'789;

std::string b64(std::string_view text) { return encode_base64url(text); }

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

std::string set_of(std::initializer_list<std::string> keys) {
  std::string text;
  for (const std::string& key : keys) text += (text.empty() ? "" : ",") + key;
  return "{\"keys\":[" + text + "]}";
}

const std::string kClaims =
    R"({"sub":"anna","accountId":"1","iss":"https://id.example","aud":["x","millstream"],"exp":)" +
    std::to_string(kNowMs / 1000 + 3600) + "}";
JwtOptions options() { return {.issuer = "https://id.example", .audience = "millstream"}; }

class JwksTest : public testing::Test {
 protected:
  static KeySet keys(std::initializer_list<std::string> list) {
    Result<KeySet> set = KeySet::parse(set_of(list));
    EXPECT_TRUE(set.ok()) << (set.ok() ? "" : set.error().detail);
    return std::move(*set);
  }
  static bool takes(const KeySet& set, const std::string& token) {
    return verify_jwt(options(), token, kNowMs, &set).ok();
  }
  static std::string complaint(const std::string& json) {
    const Result<KeySet> set = KeySet::parse(json);
    return set ? "" : set.error().detail;
  }

  // Made once, when first asked for: an RSA key takes a while.
  static const Signer& rs() {
    static const Signer made = Signer::rsa("RS256");
    return made;
  }
  static const Signer& ps() {
    static const Signer made = Signer::rsa("PS256");
    return made;
  }
  static const Signer& ec() {
    static const Signer made = Signer::ec();
    return made;
  }
  static const Signer& ed() {
    static const Signer made = Signer::ed();
    return made;
  }
};

TEST_F(JwksTest, EveryAlgorithmVerifiesWhatItsKeySigned) {
  const KeySet set =
      keys({rs().jwk_with_alg("rs"), ps().jwk_with_alg("ps"), ec().jwk_with_alg("ec"), ed().jwk_with_alg("ed")});
  EXPECT_EQ(set.size(), 4u);
  const std::pair<const Signer*, std::string> all[] = {{&rs(), "rs"}, {&ps(), "ps"}, {&ec(), "ec"}, {&ed(), "ed"}};
  for (const auto& [signer, kid] : all) {
    EXPECT_TRUE(takes(set, signer->token(kid, kClaims))) << kid;
    EXPECT_TRUE(takes(set, signer->token("", kClaims))) << kid << ": the only key of its algorithm";
    for (const auto& [other, other_kid] : all) {
      if (other == signer) continue;
      EXPECT_FALSE(takes(set, signer->token(other_kid, kClaims))) << kid << " as " << other_kid;
    }
    const std::string honest = signer->token(kid, kClaims);
    for (const char* lie : {"HS256", "RS256", "PS256", "ES256", "EdDSA", "none", "RS512", "ES256K"}) {
      const std::string lying = signer->token(kid, kClaims, lie);
      if (honest.substr(0, honest.find('.')) == lying.substr(0, lying.find('.'))) continue;
      EXPECT_FALSE(takes(set, lying)) << kid << " as " << lie;
    }
  }
}

TEST_F(JwksTest, AKeyWithoutAlgIsPinnedByItsKind) {
  const KeySet set = keys({rs().jwk("rs"), ec().jwk("ec"), ed().jwk("ed")});
  EXPECT_TRUE(takes(set, rs().token("rs", kClaims)));
  EXPECT_TRUE(takes(set, ec().token("ec", kClaims)));
  EXPECT_TRUE(takes(set, ed().token("ed", kClaims)));
  const KeySet as_ps = keys({ps().jwk("ps")});
  EXPECT_FALSE(takes(as_ps, ps().token("ps", kClaims))) << "an RSA key that does not say PS256 is for RS256";
}

TEST_F(JwksTest, APublicKeyIsNeverAnHmacSecret) {
  const std::string jwk = rs().jwk("rs");
  const KeySet set = keys({jwk});
  const size_t n = jwk.find("\"n\":\"") + 5;
  const std::string modulus = jwk.substr(n, jwk.find('"', n) - n);
  for (const std::string& secret : {jwk, modulus, *decode_base64url(modulus)}) {
    const std::string text = b64(R"({"alg":"HS256","kid":"rs"})") + "." + b64(kClaims);
    EXPECT_FALSE(takes(set, text + "." + b64(hmac_sha256(secret, text))));
  }
}

TEST_F(JwksTest, SignaturesOfNobodyAreRefused) {
  const KeySet set = keys({rs().jwk("rs"), ec().jwk("ec"), ed().jwk("ed")});
  for (const auto& [alg, kid] : {std::pair("RS256", "rs"), std::pair("ES256", "ec"), std::pair("EdDSA", "ed")}) {
    const std::string text = b64(std::string(R"({"alg":")") + alg + R"(","kid":")" + kid + "\"}") + "." + b64(kClaims);
    for (const size_t size : {0, 1, 32, 63, 64, 65, 72, 256, 257}) {
      for (const char fill : {'\0', '\x01', '\xff'}) {
        EXPECT_FALSE(takes(set, text + "." + b64(std::string(size, fill)))) << alg << " " << size;
      }
    }
  }
  const std::string one = ec().token("ec", kClaims);
  const std::string two = ec().token("ec", R"({"accountId":"2"})");
  EXPECT_FALSE(takes(set, one.substr(0, one.rfind('.')) + two.substr(two.rfind('.')))) << "another token's signature";
}

TEST_F(JwksTest, KeyNamesThatAreNoNamesAreRefused) {
  const KeySet set = keys({rs().jwk("rs")});
  for (const std::string& kid : {std::string("../rs"), std::string("rs\\u0000"), std::string("rs' OR 1=1"),
                                 std::string("r s"), std::string(129, 'r')}) {
    EXPECT_FALSE(takes(set, rs().token(kid, kClaims))) << kid;
  }
  for (const char* header :
       {R"({"alg":"RS256","kid":7})", R"({"alg":"RS256","kid":null})", R"({"alg":"RS256","kid":["rs"]})",
        R"({"alg":"RS256","kid":"rs","kid":"rs"})", R"({"alg":["RS256"]})", R"({"alg":"RS256","kid":""})"}) {
    const std::string text = b64(header) + "." + b64(kClaims);
    EXPECT_FALSE(takes(set, text + "." + b64(rs().sign(text)))) << header;
  }
}

TEST_F(JwksTest, KeysInTheHeaderAreNotLookedAt) {
  const KeySet set = keys({ec().jwk("ec")});
  const Signer own = Signer::ec();
  for (const std::string& more : {R"(,"jwk":)" + own.jwk("ec"), std::string(R"(,"jku":"http://127.0.0.1:1/keys")"),
                                  std::string(R"(,"x5u":"http://127.0.0.1:1/x")")}) {
    const std::string text = b64(R"({"alg":"ES256","kid":"ec")" + more + "}") + "." + b64(kClaims);
    EXPECT_FALSE(takes(set, text + "." + b64(own.sign(text)))) << more;
  }
}

TEST_F(JwksTest, WhileKeysChangeBothAreGood) {
  const Signer next = Signer::ec();
  const KeySet both = keys({ec().jwk("2026-01"), next.jwk("2026-02")});
  EXPECT_TRUE(takes(both, ec().token("2026-01", kClaims)));
  EXPECT_TRUE(takes(both, next.token("2026-02", kClaims)));
  EXPECT_FALSE(takes(both, ec().token("", kClaims))) << "which of the two is not said";
  const KeySet after = keys({next.jwk("2026-02")});
  EXPECT_FALSE(takes(after, ec().token("2026-01", kClaims)));
}

TEST_F(JwksTest, KeysForOtherThingsArePassedOver) {
  const KeySet set =
      keys({ec().jwk("ec"), rs().jwk("enc", R"(,"use":"enc")"), rs().jwk("wrap", R"(,"key_ops":["wrapKey"])"),
            rs().jwk("long", R"(,"alg":"RS512")"), R"({"kty":"oct","k":"c2VjcmV0","alg":"HS256"})",
            R"({"kty":"EC","crv":"P-521"})", R"({"kty":"new"})"});
  EXPECT_EQ(set.size(), 1u);
  EXPECT_EQ(set.passed_over(), 6u);
  EXPECT_FALSE(takes(set, rs().token("enc", kClaims)));
}

TEST_F(JwksTest, ASetThatIsNotUnderstoodIsNotUsedInPart) {
  EXPECT_EQ(complaint("{}"), "not a JSON Web Key Set: {\"keys\":[…]}");
  EXPECT_EQ(complaint("[]"), "not a JSON Web Key Set: {\"keys\":[…]}");
  EXPECT_EQ(complaint("{\"keys\":[]}"), "no key for RS256, PS256, ES256 or EdDSA is in the set");
  EXPECT_EQ(complaint(set_of({ec().jwk("a"), "7"})), "keys[1]: not an object");
  EXPECT_EQ(complaint(set_of({ec().jwk("a"), ed().jwk("a")})), "keys[1]: kid \"a\" stands twice");
  EXPECT_EQ(complaint(set_of({ec().jwk("a b")})), "keys[0]: kid is to be 1 to 128 of A-Z a-z 0-9 . _ -");
  EXPECT_EQ(complaint(set_of({Signer::rsa("RS256", 1024).jwk("weak")})),
            "keys[0]: an RSA key of 1024 bits; it is to have 2048 to 8192");
  EXPECT_EQ(complaint(set_of({R"({"kty":"RSA","n":"!","e":"AQAB"})"})), "keys[0]: n and e are to be base64url");
  const std::string good = rs().jwk("rs");
  EXPECT_EQ(complaint(set_of({std::string(good).replace(good.find("AQAB"), 4, "AQAA")})),
            "keys[0]: e is not the exponent of an RSA key");
  const std::string one = b64(std::string(32, '\1'));
  EXPECT_EQ(complaint(set_of({R"({"kty":"EC","crv":"P-256","x":")" + one + R"(","y":")" + one + "\"}"})),
            "keys[0]: not a point of P-256");
  EXPECT_EQ(complaint(set_of({R"({"kty":"OKP","crv":"Ed25519","x":"AA"})"})),
            "keys[0]: x is to be 32 bytes of base64url");
  EXPECT_EQ(complaint(std::string(KeySet::kBytesMax + 1, ' ')), "a key set of more than 256 KiB");
}

TEST_F(JwksTest, TheirTokensMustBeForUs) {
  const KeySet set = keys({ec().jwk("ec")});
  const auto claims = [](const std::string& issuer, const std::string& audience) {
    return R"({"accountId":"1","exp":)" + std::to_string(kNowMs / 1000 + 60) + issuer + audience + "}";
  };
  const std::string iss = R"(,"iss":"https://id.example")";
  const std::string aud = R"(,"aud":"millstream")";
  EXPECT_TRUE(takes(set, ec().token("ec", claims(iss, aud))));
  for (const std::string& wrong :
       {claims("", aud), claims(iss, ""), claims(R"(,"iss":"https://id.example/")", aud),
        claims(iss, R"(,"aud":"other")"), claims(iss, R"(,"aud":["other"])"), claims(iss, R"(,"aud":[])")}) {
    EXPECT_FALSE(takes(set, ec().token("ec", wrong))) << wrong;
  }
}

TEST_F(JwksTest, ClaimsMayHaveOtherNames) {
  const KeySet set = keys({ec().jwk("ec")});
  JwtOptions named = options();
  named.claims = {.account = "https://m.example/tenant", .sites = "plants", .devices = "machines", .roles = "groups"};
  const std::string claims = R"({"iss":"https://id.example","aud":"millstream","https://m.example/tenant":"7",)"
                             R"("plants":["a"],"machines":["b"],"groups":["operator"],"accountId":"8","exp":)" +
                             std::to_string(kNowMs / 1000 + 60) + "}";
  const auto grants = verify_jwt(named, ec().token("ec", claims), kNowMs, &set);
  ASSERT_TRUE(grants.ok()) << grants.error().detail;
  EXPECT_EQ(grants->account.text(), "7");
  EXPECT_EQ(grants->sites.size(), 1u);
  EXPECT_EQ(grants->devices.size(), 1u);
  EXPECT_TRUE(grants->roles.has(model::Role::operator_));
}

}  // namespace
}  // namespace millstream::auth
