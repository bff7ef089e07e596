#include "auth/issuers.h"

#include <gtest/gtest.h>

#include "auth/authenticator.h"
#include "auth/test_signer.h"

namespace millstream::auth {
namespace {

constexpr int64_t kNowMs = 1'769'517'296'789;
const std::string kSecret = "0123456789abcdef0123456789abcdef";
const std::string kA = "https://a.example";
const std::string kB = "https://b.example/realms/b";

std::string claims_of(const std::string& issuer, const std::string& audience = "for-a", const std::string& more = "") {
  return R"({"sub":"anna","accountId":"1","iss":")" + issuer + R"(","aud":")" + audience + R"(","exp":)" +
         std::to_string(kNowMs / 1000 + 3600) + more + "}";
}

std::string secret_token(const std::string& issuer, const std::string& audience = "") {
  model::Grants grants;
  grants.subject = "token:anna";
  grants.account = model::AccountId::parse("1").value();
  return sign_jwt({kSecret, issuer, audience}, grants, kNowMs, kNowMs + 60'000);
}

std::shared_ptr<const KeySet> set_with(const std::string& jwk) {
  return std::make_shared<const KeySet>(KeySet::parse(set_of({jwk})).value());
}

// Two issuers, each with a key that it calls "one".
class IssuersTest : public testing::Test {
 protected:
  IssuersTest() {
    issuers_.set_keys(0, set_with(a_.jwk("one")));
    issuers_.set_keys(1, set_with(b_.jwk("one")));
    issuers_.on_unknown_key([this](size_t place) { unknown_.push_back(place); });
  }
  bool takes(const std::string& token, const JwtOptions& options = {}) const {
    return verify_jwt(options, token, kNowMs, &issuers_).ok();
  }

  const Signer a_ = Signer::ec();
  const Signer b_ = Signer::ec();
  Issuers issuers_{{{kA, "for-a"}, {kB, "for-b", {.account = "tenant", .roles = "groups"}}}};
  std::vector<size_t> unknown_;
};

TEST_F(IssuersTest, EachIssuerHasItsOwnKeysAudienceAndNamesOfClaims) {
  EXPECT_TRUE(takes(a_.token("one", claims_of(kA))));
  const auto grants = verify_jwt(
      {}, b_.token("one", claims_of(kB, "for-b", R"(,"tenant":"7","groups":["operator"],"roles":["admin"])")), kNowMs,
      &issuers_);
  ASSERT_TRUE(grants.ok()) << grants.error().detail;
  EXPECT_EQ(grants->account.text(), "7");
  EXPECT_TRUE(grants->roles.has(model::Role::operator_));
  EXPECT_FALSE(grants->roles.has(model::Role::admin));
  EXPECT_FALSE(takes(a_.token("one", claims_of(kA, "for-b"))));
  EXPECT_FALSE(takes(b_.token("one", claims_of(kB, "for-a", R"(,"tenant":"7")"))));
  EXPECT_FALSE(takes(b_.token("one", claims_of(kB, "for-b")))) << "accountId is no claim of this issuer";
}

TEST_F(IssuersTest, AKeyOfOneIssuerNeverVerifiesATokenOfAnotherEvenUnderTheSameName) {
  for (const char* kid : {"one", ""}) {
    EXPECT_TRUE(takes(a_.token(kid, claims_of(kA)))) << kid;
    EXPECT_FALSE(takes(a_.token(kid, claims_of(kB, "for-b", R"(,"tenant":"7")")))) << kid;
    EXPECT_FALSE(takes(b_.token(kid, claims_of(kA)))) << kid;
  }
}

TEST_F(IssuersTest, AnIssuerSpeaksForItsAccountsAlone) {
  Issuers limited({{kA, "for-a", {}, {*model::AccountId::parse("1"), *model::AccountId::parse("2")}}});
  limited.set_keys(0, set_with(a_.jwk("one")));
  const auto takes_account = [&](const std::string& account) {
    std::string claims = claims_of(kA);
    claims.replace(claims.find(R"("accountId":"1")"), 15, R"("accountId":")" + account + '"');
    return verify_jwt({}, a_.token("one", claims), kNowMs, &limited).ok();
  };
  EXPECT_TRUE(takes_account("1"));
  EXPECT_TRUE(takes_account("2"));
  for (const char* other : {"3", "11", "*", ""}) EXPECT_FALSE(takes_account(other)) << other;
}

TEST_F(IssuersTest, TheSameNameWithAnotherIssuerIsSomebodyElse) {
  const auto subject = [&](const std::string& token, const JwtOptions& options = {}) {
    return verify_jwt(options, token, kNowMs, &issuers_)->subject;
  };
  EXPECT_EQ(subject(a_.token("one", claims_of(kA))), "token:" + kA + "|anna");
  EXPECT_EQ(subject(b_.token("one", claims_of(kB, "for-b", R"(,"tenant":"1")"))), "token:" + kB + "|anna");
  EXPECT_EQ(subject(secret_token(""), {kSecret, "", ""}), "token:anna");
}

TEST_F(IssuersTest, AnIssuerIsFoundByTheExactTextAlone) {
  for (const std::string& almost :
       {kA + "/", kA + " ", " " + kA, std::string("HTTPS://a.example"), std::string("https://A.example"), kA + ":443",
        kA + "\\u0000", std::string(""), std::string("https://a"), kA + "?x", kB, std::string("http://a.example")}) {
    EXPECT_FALSE(takes(a_.token("one", claims_of(almost)))) << almost;
  }
  const std::string rest = R"("aud":"for-a","accountId":"1","exp":)" + std::to_string(kNowMs / 1000 + 60) + "}";
  const std::vector<std::string> starts = {"{", R"({"iss":[")" + kA + R"("],)", R"({"iss":null,)", R"({"iss":{"a":1},)",
                                           R"({"iss":")" + kB + R"(","iss":")" + kA + R"(",)"};
  for (const std::string& iss : starts) {
    EXPECT_FALSE(takes(a_.token("one", iss + rest))) << iss;
  }
}

TEST_F(IssuersTest, TheSecretSpeaksForNoIssuerWithKeysOfItsOwn) {
  const JwtOptions anyone{kSecret, "", ""};
  EXPECT_TRUE(takes(secret_token(""), anyone));
  EXPECT_TRUE(takes(secret_token("https://c.example"), anyone));
  EXPECT_FALSE(takes(secret_token(kA, "for-a"), anyone));
  EXPECT_FALSE(takes(secret_token(kB, "for-b"), anyone));
  const JwtOptions one{kSecret, "https://c.example", "for-c"};
  EXPECT_TRUE(takes(secret_token("https://c.example", "for-c"), one));
  EXPECT_FALSE(takes(secret_token("https://c.example", "for-a"), one));
  EXPECT_FALSE(takes(secret_token("", "for-c"), one));
  EXPECT_FALSE(takes(secret_token(kA, "for-c"), one));
  EXPECT_FALSE(takes(secret_token(kA, "for-a"), one));
  EXPECT_FALSE(takes(a_.token("one", claims_of("https://c.example", "for-c")), one)) << "nor do keys for the secret's";
}

TEST_F(IssuersTest, OneIssuerMayHaveTheSecretAndKeysWhenBothAreConfiguredForIt) {
  const JwtOptions both{kSecret, kA, "for-a"};
  EXPECT_TRUE(takes(secret_token(kA, "for-a"), both));
  EXPECT_TRUE(takes(a_.token("one", claims_of(kA)), both));
  EXPECT_FALSE(takes(secret_token(kB, "for-b"), both));
}

TEST_F(IssuersTest, AnUnknownKeyIsReportedForItsIssuerAndRefusedAllTheSame) {
  EXPECT_FALSE(takes(b_.token("two", claims_of(kB, "for-b", R"(,"tenant":"7")"))));
  EXPECT_EQ(unknown_, std::vector<size_t>{1});
  unknown_.clear();
  EXPECT_FALSE(takes(b_.token("one", claims_of(kA)))) << "a known name, not its signature";
  EXPECT_FALSE(takes(b_.token("two", claims_of("https://c.example")))) << "nobody we know";
  EXPECT_FALSE(takes(b_.token("a b", claims_of(kA)))) << "no name of a key";
  EXPECT_FALSE(takes(secret_token(kA), {kSecret, "", ""}));
  EXPECT_TRUE(unknown_.empty());
}

TEST_F(IssuersTest, WithoutKeysEveryTokenOfThatIssuerIsRefusedAndNoOther) {
  EXPECT_EQ(issuers_.key_count(), 2u);
  issuers_.set_keys(0, nullptr);
  EXPECT_EQ(issuers_.key_count(), 1u);
  EXPECT_FALSE(takes(a_.token("one", claims_of(kA))));
  EXPECT_TRUE(takes(b_.token("one", claims_of(kB, "for-b", R"(,"tenant":"7")"))));
  EXPECT_TRUE(unknown_.empty()) << "they are asked for anyway";
  issuers_.set_keys(0, set_with(a_.jwk("one")));
  EXPECT_TRUE(takes(a_.token("one", claims_of(kA))));
}

}  // namespace
}  // namespace millstream::auth
