#include "auth/password.h"

#include <gtest/gtest.h>

namespace millstream::auth {
namespace {

TEST(Password, IsVerifiedByItsHashAndNoOther) {
  const std::string hash = *hash_password("correct horse");
  EXPECT_TRUE(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << hash;
  EXPECT_EQ(hash.find("correct"), std::string::npos);
  EXPECT_TRUE(verify_password("correct horse", hash));
  for (const char* wrong : {"", "correct horse ", "Correct horse", "correct hors"}) {
    EXPECT_FALSE(verify_password(wrong, hash)) << wrong;
  }
  EXPECT_NE(*hash_password("correct horse"), hash) << "each has its own salt";
  for (const char* broken : {"", "x", "$argon2id$", "$argon2i$v=19$m=19456,t=2,p=1$AAAA$AAAA"}) {
    EXPECT_FALSE(verify_password("correct horse", broken)) << broken;
  }
  EXPECT_FALSE(verify_nobody("correct horse"));
}

TEST(Password, MustBeLongEnoughTextAndNotTheName) {
  EXPECT_TRUE(check_password("correct horse", "anna").ok());
  EXPECT_TRUE(check_password("пароль-12", "anna").ok());
  for (const std::string& wrong :
       {std::string(), std::string("1234567"), std::string("line\nbreak"), std::string("nul\0nul\0nul", 11),
        std::string("\xff\xfe\xff\xfe\xff\xfe\xff\xfe"), std::string(1025, 'x'), std::string("anna-anna")}) {
    const Status checked = check_password(wrong, "anna-anna");
    ASSERT_FALSE(checked.ok()) << wrong;
    EXPECT_EQ(checked.error().code, Code::invalid);
    EXPECT_TRUE(wrong.empty() || checked.error().detail.find(wrong) == std::string::npos) << "it is a secret";
  }
}

}  // namespace
}  // namespace millstream::auth
