#include "auth/cookie.h"

#include <gtest/gtest.h>

namespace millstream::auth {
namespace {

TEST(SessionCookie, IsFoundAmongOthersByItsWholeName) {
  const SessionCookie plain(false);
  EXPECT_EQ(plain.find("millstream=abc"), "abc");
  EXPECT_EQ(plain.find("a=b; millstream=abc;c=d"), "abc");
  EXPECT_EQ(plain.find("  millstream=a=b  "), "a=b");
  for (const char* none : {"", ";", "=", "millstream", "xmillstream=abc", "millstream2=abc", "__Host-millstream=abc",
                           "Millstream=abc", "a=millstream=abc"}) {
    EXPECT_FALSE(plain.find(none)) << none;
  }
  const SessionCookie secure(true);
  EXPECT_EQ(secure.find("millstream=planted; __Host-millstream=abc"), "abc");
}

TEST(SessionCookie, OfTwoNeitherIsTaken) {
  const SessionCookie plain(false);
  EXPECT_EQ(plain.find("millstream=abc; millstream=def"), "");
  EXPECT_FALSE(session_sha256(""));
}

TEST(SessionCookie, IsForThisHostAloneAndNotForScripts) {
  const std::string set = SessionCookie(true).set("abc", 3'600'000);
  EXPECT_EQ(set, "__Host-millstream=abc; Path=/; Max-Age=3600; HttpOnly; SameSite=Lax; Secure");
  EXPECT_EQ(set.find("Domain"), std::string::npos) << "__Host- forbids it";
  EXPECT_EQ(SessionCookie(false).set("abc", 1000), "millstream=abc; Path=/; Max-Age=1; HttpOnly; SameSite=Lax");
  EXPECT_EQ(SessionCookie(false).forget(), "millstream=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
}

TEST(SessionText, HasOneSpellingAndIsKnownByItsHash) {
  const std::string text = make_session_text();
  EXPECT_EQ(text.size(), 47u);
  EXPECT_NE(text, make_session_text());
  const auto sha256 = session_sha256(text);
  ASSERT_TRUE(sha256);
  EXPECT_EQ(sha256->size(), 32u);
  EXPECT_FALSE(session_sha256(text + "A"));
  EXPECT_FALSE(session_sha256(text.substr(0, 46)));
  EXPECT_FALSE(session_sha256("mt_" + text.substr(4)));
  EXPECT_FALSE(session_sha256(text.substr(4)));
}

}  // namespace
}  // namespace millstream::auth
