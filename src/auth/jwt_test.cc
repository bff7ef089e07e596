#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "auth/api_key.h"
#include "auth/authenticator.h"
#include "auth/base64url.h"
#include "auth/cookie.h"
#include "auth/digest.h"

namespace millstream::auth {
namespace {

using model::Grants;
using model::Role;

constexpr int64_t kNowMs = 1'769'517'296'789;
constexpr int64_t kNow = kNowMs / 1000;
const std::string kSecret = "0123456789abcdef0123456789abcdef";
constexpr std::string_view kUniform = "credential is missing, malformed, expired or unknown";

class KeysInMemory final : public model::ApiKeyLookup {
 public:
  void note_use(std::string_view, int64_t) const override {}
  std::shared_ptr<const model::ApiKeyRecord> find_api_key(std::string_view key_id) const override {
    const auto found = keys.find(std::string(key_id));
    return found == keys.end() ? nullptr : std::make_shared<model::ApiKeyRecord>(found->second);
  }
  std::map<std::string, model::ApiKeyRecord> keys;
};

JwtOptions options() { return {kSecret, "", "", 60'000}; }

std::string b64(std::string_view text) { return encode_base64url(text); }
std::string with_signature(const std::string& signed_text, const std::string& secret = kSecret) {
  return signed_text + "." + b64(hmac_sha256(secret, signed_text));
}
std::string token_of(std::string_view header, std::string_view claims) {
  return with_signature(b64(header) + "." + b64(claims));
}
constexpr std::string_view kHeader = R"({"alg":"HS256","typ":"JWT"})";
std::string exp_later() { return "\"exp\":" + std::to_string(kNow + 3600); }
std::string claims_with(const std::string& more) {
  return R"({"sub":"anna","accountId":"1",)" + exp_later() + more + "}";
}
std::string claims_token(const std::string& claims) { return token_of(kHeader, claims); }

Grants some_grants() {
  Grants grants;
  grants.subject = "token:anna";
  grants.account = model::AccountId::parse("123").value();
  grants.sites = {model::SiteId::parse("1").value(), model::SiteId::parse("2").value()};
  grants.devices = {model::DeviceId::parse("elink-99").value()};
  grants.roles = model::Roles().with(Role::viewer).with(Role::operator_);
  return grants;
}

// A store in which one session is, of the cookie `text`.
class OneSession final : public model::LoginSessionLookup {
 public:
  std::optional<Grants> use_login_session(std::string_view sha256, int64_t) const override {
    if (sha256 != session_sha256(text)) return std::nullopt;
    Grants grants = some_grants();
    grants.credential = model::login_session_number(sha256);
    return grants;
  }
  bool holds_login_session(uint64_t number, int64_t) const override {
    return number == model::login_session_number(*session_sha256(text));
  }

  std::string text = make_session_text();
};

TEST(Base64url, RoundTripsAndRefusesSecondSpellings) {
  for (const std::string& bytes : {std::string(), std::string("f"), std::string("fo"), std::string("foo"),
                                   std::string("\xff\xfe\x00", 3), std::string(100, '\xab')}) {
    EXPECT_EQ(decode_base64url(encode_base64url(bytes)), bytes);
  }
  EXPECT_EQ(encode_base64url("foobar"), "Zm9vYmFy");
  EXPECT_EQ(decode_base64url("Zg"), "f");
  for (const char* text : {"Zh", "Zg==", "Z", "Zm9=", "Zm9+", "Zm 9", "Zm9vYmF\n"}) {
    EXPECT_FALSE(decode_base64url(text)) << text;
  }
}

TEST(Jwt, VerifiesTheExampleOfTheStandard) {
  // RFC 7515 A.1: an HS256 signature made by others, over a header with a line break in it.
  const std::string key =
      *decode_base64url("AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow");
  const std::string signed_text =
      "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
      "LmNvbS9pc19yb290Ijp0cnVlfQ";
  EXPECT_EQ(b64(hmac_sha256(key, signed_text)), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
  // The signature holds; what stops it is that it names no account. (Two minutes before its exp.)
  const JwtOptions jwt{key, "joe", "", 60'000};
  const auto result = verify_jwt(jwt, signed_text + ".dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", 1'300'819'260'000);
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().detail, "accountId is missing or not a string");
}

TEST(Jwt, SignedGrantsComeBackTheSame) {
  JwtOptions jwt = options();
  jwt.issuer = "https://id.example \"quoted\"";
  jwt.audience = "millstream";
  const Grants grants = some_grants();
  const Result<Grants> back = verify_jwt(jwt, sign_jwt(jwt, grants, kNowMs, kNowMs + 60'000), kNowMs);
  ASSERT_TRUE(back.ok()) << back.error().detail;
  EXPECT_EQ(back->subject, grants.subject);
  EXPECT_EQ(back->account, grants.account);
  EXPECT_EQ(back->sites, grants.sites);
  EXPECT_EQ(back->devices, grants.devices);
  EXPECT_EQ(back->roles, grants.roles);
  EXPECT_EQ(back->expires_at_ms, (kNowMs + 60'000) / 1000 * 1000);
}

TEST(Jwt, RoleIsViewerWhenNoneIsNamed) {
  const Result<Grants> grants = verify_jwt(options(), claims_token(claims_with("")), kNowMs);
  ASSERT_TRUE(grants.ok()) << grants.error().detail;
  EXPECT_EQ(grants->roles, model::Roles().with(Role::viewer));
  EXPECT_EQ(grants->subject, "token:anna");
  EXPECT_TRUE(grants->sites.empty());
}

TEST(Jwt, UnknownClaimsAndHeadersAreIgnored) {
  const std::string token = token_of(R"({"alg":"HS256","kid":"../../x","jku":"http://evil.example/keys"})",
                                     claims_with(R"(,"name":"A","deep":{"a":[{"b":1}]},"aud":["a","b"],"iat":1)"));
  // Depth: claims 1, deep 2, a 3, its object 4.
  EXPECT_TRUE(verify_jwt(options(), token, kNowMs).ok());
}

TEST(Jwt, LeewayBoundsExpAndNbfToTheMillisecond) {
  const auto token = [](const std::string& times) { return claims_token(R"({"accountId":"1",)" + times + "}"); };
  const std::string expired = token("\"exp\":1000");
  EXPECT_TRUE(verify_jwt(options(), expired, 1'000'000 + 59'999).ok());
  EXPECT_FALSE(verify_jwt(options(), expired, 1'000'000 + 60'000).ok());
  const std::string early = token("\"exp\":99999,\"nbf\":2000");
  EXPECT_FALSE(verify_jwt(options(), early, 2'000'000 - 60'001).ok());
  EXPECT_TRUE(verify_jwt(options(), early, 2'000'000 - 60'000).ok());
}

TEST(Jwt, IssuerAndAudienceAreExact) {
  JwtOptions jwt = options();
  jwt.issuer = "https://id.example";
  jwt.audience = "millstream";
  const auto accepts = [&](const std::string& more) {
    return verify_jwt(jwt, claims_token(claims_with(more)), kNowMs).ok();
  };
  EXPECT_TRUE(accepts(R"(,"iss":"https://id.example","aud":"millstream")"));
  EXPECT_TRUE(accepts(R"(,"iss":"https://id.example","aud":["other","millstream"])"));
  EXPECT_FALSE(accepts(R"(,"iss":"https://id.example/","aud":"millstream")"));
  EXPECT_FALSE(accepts(R"(,"iss":["https://id.example"],"aud":"millstream")"));
  EXPECT_FALSE(accepts(R"(,"aud":"millstream")"));
  EXPECT_FALSE(accepts(R"(,"iss":"https://id.example")"));
  EXPECT_FALSE(accepts(R"(,"iss":"https://id.example","aud":["other"])"));
  EXPECT_FALSE(accepts(R"(,"iss":"https://id.example","aud":{"millstream":1})"));
  EXPECT_FALSE(accepts(R"(,"iss":"https://id.example","aud":[["millstream"]])"));
}

TEST(Jwt, WithoutASecretEverythingIsRefused) {
  for (const std::string& secret : {std::string(), std::string("short"), std::string(31, 'x')}) {
    JwtOptions jwt = options();
    jwt.hs256_secret = secret;
    EXPECT_FALSE(verify_jwt(jwt, sign_jwt(jwt, some_grants(), kNowMs, kNowMs + 60'000), kNowMs).ok());
  }
}

TEST(Jwt, SecretsThatMustNotStartAreRefused) {
  const auto check = [](const std::string& secret) { return check_jwt_options({secret, "", "", 0}); };
  EXPECT_TRUE(check("").ok());
  EXPECT_TRUE(check(std::string(32, 'x')).ok());
  EXPECT_FALSE(check(std::string(31, 'x')).ok());
  EXPECT_FALSE(check("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n-----END PUBLIC KEY-----\n").ok());
}

struct Hostile {
  std::string what;
  std::string token;
};

std::string last_byte_changed(std::string text) {
  text.back() = text.back() == 'A' ? 'B' : 'A';
  return text;
}

std::vector<Hostile> hostile_forms() {
  const std::string good = claims_token(claims_with(""));
  const std::string header_and_claims = good.substr(0, good.rfind('.'));
  const std::string signature = good.substr(good.rfind('.') + 1);
  std::string high_bits = good;  // 32 bytes leave two unused bits in the last character
  high_bits.back() = static_cast<char>(high_bits.back() + 1);
  return {
      {"a dot", "."},
      {"two dots", ".."},
      {"one part", "eyJhbGciOiJIUzI1NiJ9"},
      {"no signature, one dot", header_and_claims},
      {"empty signature", header_and_claims + "."},
      {"four parts", good + "." + signature},
      {"five parts, as an encrypted token has", "a.b.c.d.e"},
      {"signature cut", good.substr(0, good.size() - 1)},
      {"signature cut to a whole byte", good.substr(0, good.size() - 3)},
      {"signature changed", last_byte_changed(good)},
      {"signature padded", good + "="},
      {"signature with unused bits set", high_bits},
      {"signature of another token",
       header_and_claims + claims_token(claims_with(R"(,"a":1)")).substr(good.rfind('.'))},
      {"signed with another key", with_signature(header_and_claims, std::string(32, 'x'))},
      {"signed with an empty key", with_signature(header_and_claims, "")},
      {"signature as hex", header_and_claims + "." + std::string(64, 'a')},
      {"space in front", " " + good},
      {"line break behind", good + "\n"},
      {"NUL behind", good + std::string(1, '\0')},
      {"Bearer in front", "Bearer " + good},
      {"claims padded", with_signature(b64(kHeader) + "." + b64(claims_with("")) + "=")},
      {"claims in plain base64", with_signature(b64(kHeader) + "." + b64(claims_with(R"(,"x":"??>>")")) + "+/")},
      {"claims of impossible length", with_signature(b64(kHeader) + "." + std::string(5, 'A'))},
      {"empty claims", with_signature(b64(kHeader) + ".")},
      {"empty header", with_signature("." + b64(claims_with("")))},
      {"header of a mebibyte",
       token_of(R"({"alg":"HS256","x":")" + std::string(1 << 20, 'a') + "\"}", claims_with(""))},
      {"claims of a mebibyte", claims_token(claims_with(R"(,"x":")" + std::string(1 << 20, 'a') + "\""))},
      {"just over 4 KiB", claims_token(claims_with(R"(,"x":")" + std::string(3100, 'a') + "\""))},
      {"not base64 at all", with_signature("{}.{}")},
  };
}

std::vector<Hostile> hostile_headers() {
  const std::vector<std::string> headers = {
      R"({"alg":"none"})",
      R"({"alg":"None"})",
      R"({"alg":"nOnE"})",
      R"({"alg":""})",
      R"({"alg":"hs256"})",
      R"({"alg":"HS384"})",
      R"({"alg":"HS512"})",
      R"({"alg":"RS256"})",
      R"({"alg":"ES256"})",
      R"({"alg":"HS256 "})",
      R"({"alg":"HS256\u0000"})",
      R"({"alg":["HS256"]})",
      R"({"alg":null})",
      R"({"alg":0})",
      R"({})",
      R"({"typ":"JWT"})",
      R"({"alg":"HS256","typ":"JWE"})",
      R"({"alg":"HS256","typ":null})",
      R"({"alg":"HS256","alg":"none"})",
      R"({"alg":"none","alg":"HS256"})",
      R"({"alg":"HS256","\u0061lg":"none"})",
      R"({"alg":"HS256","crit":["exp"]})",
      R"({"alg":"HS256","crit":[]})",
      R"({"alg":"HS256","b64":false})",
      R"(["alg","HS256"])",
      R"("HS256")",
      R"({"alg":"HS256"}{})",
      R"({"alg":"HS256",})",
      R"({'alg':'HS256'})",
      "{\"alg\":\"HS256\",\"x\":\"\xff\"}",
      R"({"alg":"HS256","x":[[[[1]]]]})",
      "\xef\xbb\xbf{\"alg\":\"HS256\"}x",
  };
  std::vector<Hostile> tokens;
  for (const std::string& header : headers) tokens.push_back({"header " + header, token_of(header, claims_with(""))});
  for (const char* header : {R"({"alg":"none"})", R"({"alg":"None"})", R"({"alg":"nOnE"})"}) {
    tokens.push_back({std::string("unsigned ") + header, b64(header) + "." + b64(claims_with("")) + "."});
  }
  return tokens;
}

std::vector<Hostile> hostile_claims() {
  const std::string base = R"({"sub":"anna","accountId":"1",)";
  std::vector<std::string> claims = {
      R"({"sub":"anna","accountId":"1"})",
      "{" + exp_later() + R"(,"sub":"anna"})",
      base + R"("exp":")" + std::to_string(kNow + 3600) + "\"}",
      base + R"("exp":)" + std::to_string(kNow + 3600) + ".5}",
      base + R"("exp":)" + std::to_string(kNow + 3600) + ".0}",
      base + R"("exp":1e10})",
      base + R"("exp":1e400})",
      base + R"("exp":-1})",
      base + R"("exp":-9223372036854775808})",
      base + R"("exp":9223372036854775807})",
      base + R"("exp":18446744073709551615})",
      base + R"("exp":253402300800})",
      base + R"("exp":null})",
      base + R"("exp":true})",
      base + R"("exp":[9999999999]})",
      base + R"("exp":0})",
      base + R"("exp":)" + std::to_string(kNow - 3600) + "}",
      base + R"("exp":1,"exp":9999999999})",
      base + R"("exp":9999999999,"nbf":9999999998})",
      base + R"("exp":9999999999,"nbf":"0"})",
      base + R"("exp":9999999999,"nbf":1.5})",
      base + R"("exp":9999999999,"iat":"now"})",
      R"({"sub":"anna","accountId":1,)" + exp_later() + "}",
      R"({"sub":"anna","accountId":null,)" + exp_later() + "}",
      R"({"sub":"anna","accountId":["1"],)" + exp_later() + "}",
      R"({"sub":"","accountId":"1",)" + exp_later() + "}",
      R"({"sub":7,"accountId":"1",)" + exp_later() + "}",
      R"({"sub":"an\u0000na","accountId":"1",)" + exp_later() + "}",
      R"({"sub":"an\nna","accountId":"1",)" + exp_later() + "}",
      R"({"sub":")" + std::string(129, 'a') + R"(","accountId":"1",)" + exp_later() + "}",
      claims_with(R"(,"accountId":"2")"),
      claims_with(R"(,"x":{"a":1,"a":2})"),
      claims_with(R"(,"x":[[[[1]]]])"),
      claims_with(R"(,"x":)") + std::string(600, '[') + std::string(600, ']'),
      claims_with(R"(,"x":"\ud800")"),
      claims_with("") + "{}",
      "[" + claims_with("") + "]",
      "null",
      "",
  };
  for (const char* account : {"", "*", "1/site:2", "a b", "../1", "1%2f2", "\\u0000", "1\\u0000", "\\u0430"}) {
    claims.push_back(R"({"sub":"anna","accountId":")" + std::string(account) + "\"," + exp_later() + "}");
  }
  claims.push_back(R"({"sub":"anna","accountId":")" + std::string(65, 'a') + "\"," + exp_later() + "}");
  for (const char* key : {"sites", "devices", "roles"}) {
    for (const char* value : {"[]", "\"1\"", "null", "{}", "1", "[1]", "[null]", "[[\"1\"]]", "[\"*\"]", "[\"a/b\"]",
                              "[\"\"]", "[\"good\",\"b\\u0000d\"]"}) {
      claims.push_back(claims_with(",\"" + std::string(key) + "\":" + value));
    }
  }
  for (const char* role : {"root", "Admin", "ADMIN", "admin ", "viewer,admin", "operator_"}) {
    claims.push_back(claims_with(R"(,"roles":["viewer",")" + std::string(role) + "\"]"));
  }
  std::vector<Hostile> tokens;
  for (const std::string& text : claims) tokens.push_back({"claims " + text.substr(0, 200), claims_token(text)});
  return tokens;
}

TEST(Jwt, HostileTokensAreAllRefusedWithOneUniformError) {
  const KeysInMemory keys;
  const OneSession sessions;
  const ManualClock clock(kNowMs);
  const Authenticator authenticator(options(), keys, sessions, clock, std::nullopt);
  ASSERT_TRUE(authenticator.authenticate(claims_token(claims_with(""))).ok()) << "the base of the others must be good";

  size_t tried = 0;
  for (const auto& corpus : {hostile_forms(), hostile_headers(), hostile_claims()}) {
    for (const Hostile& hostile : corpus) {
      ++tried;
      const Result<Grants> result = authenticator.authenticate(hostile.token);
      ASSERT_FALSE(result.ok()) << "accepted: " << hostile.what;
      EXPECT_EQ(result.error().code, Code::unauthenticated) << hostile.what;
      EXPECT_EQ(result.error().detail, kUniform) << hostile.what;
    }
  }
  EXPECT_GE(tried, 120u);
}

TEST(Jwt, NoSingleChangedByteOfATokenIsAccepted) {
  const std::string good = sign_jwt(options(), some_grants(), kNowMs, kNowMs + 60'000);
  for (size_t i = 0; i < good.size(); ++i) {
    for (const int change : {1, 2, 32, 128}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ change);
      ASSERT_FALSE(verify_jwt(options(), bad, kNowMs).ok()) << "byte " << i << " ^ " << change;
    }
  }
}

TEST(ApiKey, NewKeyIsAcceptedAndItsSecretIsNotKept) {
  const NewApiKey made = make_api_key("line 1", some_grants(), kNowMs);
  EXPECT_THAT(made.text, testing::MatchesRegex("ms_[a-z0-9]+_[A-Za-z0-9_-]+"));
  EXPECT_EQ(made.text.size(), 3u + 12 + 1 + 43);
  EXPECT_EQ(made.record.secret_sha256, sha256(made.text.substr(16)));
  EXPECT_EQ(made.record.grants.subject, "key:" + made.record.key_id);
  EXPECT_NE(made.text, make_api_key("line 1", some_grants(), kNowMs).text);

  KeysInMemory keys;
  keys.keys[made.record.key_id] = made.record;
  const Result<Grants> grants = verify_api_key(keys, made.text, kNowMs);
  ASSERT_TRUE(grants.ok()) << grants.error().detail;
  EXPECT_EQ(grants->sites, some_grants().sites);
}

TEST(ApiKey, RevokedExpiredWrongAndUnknownKeysLookAlike) {
  KeysInMemory keys;
  ManualClock clock(kNowMs);
  const auto add = [&](const std::function<void(model::ApiKeyRecord&)>& change) {
    NewApiKey made = make_api_key("k", some_grants(), kNowMs);
    change(made.record);
    keys.keys[made.record.key_id] = made.record;
    return made.text;
  };
  const std::string good = add([](auto&) {});
  const std::string expiring = add([](auto& record) { record.grants.expires_at_ms = kNowMs + 1; });
  std::string other_secret = good;
  other_secret.back() = other_secret.back() == 'A' ? 'Q' : 'A';
  const std::vector<std::string> bad = {
      add([](auto& record) { record.revoked = true; }),
      add([](auto& record) { record.grants.expires_at_ms = kNowMs; }),
      make_api_key("never stored", some_grants(), kNowMs).text,
      other_secret,
      good.substr(0, good.size() - 1),
      good + "A",
      "ms_",
      "ms__",
      "ms_" + std::string(12, 'a') + "_",
      "ms_ABCDEFGHIJKL_" + good.substr(16),
      "MS_" + good.substr(3),
  };
  const OneSession sessions;
  const Authenticator authenticator(options(), keys, sessions, clock, std::nullopt);
  EXPECT_TRUE(authenticator.authenticate(good).ok());
  EXPECT_TRUE(authenticator.authenticate(expiring).ok());
  for (const std::string& text : bad) {
    const auto result = authenticator.authenticate(text);
    ASSERT_FALSE(result.ok()) << text;
    EXPECT_EQ(result.error().detail, kUniform);
  }
  clock.advance_ms(1);
  EXPECT_FALSE(authenticator.authenticate(expiring).ok());
}

TEST(Authenticator, DevelopmentGrantsAreForRequestsWithoutCredentialOnly) {
  const KeysInMemory keys;
  const OneSession sessions;
  const ManualClock clock(kNowMs);
  EXPECT_FALSE(Authenticator(options(), keys, sessions, clock, std::nullopt).authenticate("").ok());
  const Authenticator development(options(), keys, sessions, clock, some_grants());
  EXPECT_EQ(development.authenticate("").value().account.text(), "123");
  EXPECT_FALSE(development.authenticate("nonsense").ok());
  EXPECT_FALSE(development.authenticate("ms_nonsense").ok());
  EXPECT_TRUE(development.authenticate_session("of another server on this host").ok());
}

TEST(Authenticator, ASessionIsGoodUntilItIsNot) {
  const KeysInMemory keys;
  OneSession sessions;
  const ManualClock clock(kNowMs);
  const Authenticator authenticator(options(), keys, sessions, clock, std::nullopt);
  const auto grants = authenticator.authenticate_session(sessions.text);
  ASSERT_TRUE(grants.ok());
  EXPECT_TRUE(authenticator.still_holds(*grants));
  for (const std::string& wrong : {std::string(), std::string("mls_"), sessions.text + "A", make_session_text()}) {
    const auto refused = authenticator.authenticate_session(wrong);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().detail, kUniform);
  }
  EXPECT_FALSE(authenticator.authenticate(sessions.text).ok()) << "it is for cookies alone";
  sessions.text = make_session_text();
  EXPECT_FALSE(authenticator.still_holds(*grants));
}

}  // namespace
}  // namespace millstream::auth
