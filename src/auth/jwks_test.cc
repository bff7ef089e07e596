#include "auth/jwks.h"

#include <gtest/gtest.h>

#include <memory>

#include "auth/authenticator.h"
#include "auth/digest.h"
#include "auth/test_signer.h"

namespace millstream::auth {
namespace {

constexpr int64_t kNowMs = 1'769'517'296'789;

const std::string kClaims =
    R"({"sub":"anna","accountId":"1","iss":"https://id.example","aud":["x","millstream"],"exp":)" +
    std::to_string(kNowMs / 1000 + 3600) + "}";

// The one issuer that holds these keys.
std::unique_ptr<Issuers> issuer_with(const KeySet& set, ClaimNames claims = {}) {
  std::vector<Issuer> list{{"https://id.example", "millstream", std::move(claims)}};
  auto issuers = std::make_unique<Issuers>(std::move(list));
  issuers->set_keys(0, std::make_shared<const KeySet>(set));
  return issuers;
}

class JwksTest : public testing::Test {
 protected:
  static KeySet keys(std::initializer_list<std::string> list) {
    Result<KeySet> set = KeySet::parse(set_of(list));
    EXPECT_TRUE(set.ok()) << (set.ok() ? "" : set.error().detail);
    return std::move(*set);
  }
  static bool takes(const KeySet& set, const std::string& token) {
    return verify_jwt({}, token, kNowMs, issuer_with(set).get()).ok();
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

TEST_F(JwksTest, TheNamesThatProvidersGiveTheirKeysAreTaken) {
  for (const std::string kid : {
           "-KI3Q9nNR7bRofxmeZoXqbHZGew",                             // Microsoft Entra: base64url
           "FJ86GcF3jTbNLOco4NvZkUCIUmfYCqoqtOQeMfbhNlE",             // Keycloak: base64url
           "6f7254101f56e41cf35c9926de84a2d552b4c6f1",                // Google: hex
           "NjVBRjY5MDlCMUIwNzU4RTA2QzZFMDQ4QzQ2MDAyQjVDNjk1RTM2Qg",  // Auth0: base64
           "abcdefghijklmnopqrsexample+/1234567890ABCDEFG=",          // Amazon Cognito: base64, padded
           "public:hydra.openid.id-token",                            // Ory Hydra
           "urn:ietf:params:oauth:jwk-thumbprint:sha-256:NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",  // RFC 9278
           "2026-01.a_b",
       }) {
    const KeySet set = keys({ec().jwk(kid)});
    EXPECT_TRUE(takes(set, ec().token(kid, kClaims))) << kid;
    EXPECT_FALSE(takes(set, ec().token(kid + "=", kClaims))) << kid << ": compared as it stands, never decoded";
  }
  for (const std::string bad :
       {"", "a b", "a\n", "a\"", "a'", "a\\b", "a%2f", "a?b", "a#b", "a@b", "a*", "\xc3\xa4", "a;b"}) {
    EXPECT_FALSE(is_key_id(bad)) << bad;
  }
  EXPECT_TRUE(is_key_id(std::string(128, 'r')));
  EXPECT_FALSE(is_key_id(std::string(129, 'r')));
  EXPECT_FALSE(is_key_id(std::string("a\0b", 3)));
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
  EXPECT_EQ(complaint(set_of({ec().jwk("a b")})), "keys[0]: kid is to be 1 to 128 of A-Z a-z 0-9 . _ : + / = -");
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
  const ClaimNames names{
      .account = "https://m.example/tenant", .sites = "plants", .devices = "machines", .roles = "groups"};
  const std::string claims = R"({"iss":"https://id.example","aud":"millstream","https://m.example/tenant":"7",)"
                             R"("plants":["a"],"machines":["b"],"groups":["operator"],"accountId":"8","exp":)" +
                             std::to_string(kNowMs / 1000 + 60) + "}";
  const auto grants = verify_jwt({}, ec().token("ec", claims), kNowMs, issuer_with(set, names).get());
  ASSERT_TRUE(grants.ok()) << grants.error().detail;
  EXPECT_EQ(grants->account.text(), "7");
  EXPECT_EQ(grants->sites.size(), 1u);
  EXPECT_EQ(grants->devices.size(), 1u);
  EXPECT_TRUE(grants->roles.has(model::Role::operator_));
}

}  // namespace
}  // namespace millstream::auth
