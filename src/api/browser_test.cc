#include "api/browser.h"

#include <gtest/gtest.h>

#include <map>

namespace millstream::api {
namespace {

using Fields = std::map<std::string, std::string>;

http::Request request(std::string method, const Fields& fields) {
  http::Request made{.method = std::move(method), .path = "/api/x"};
  made.headers.add("Host", "dash.example:8080");
  for (const auto& [name, value] : fields) made.headers.add(name, value);
  return made;
}

const std::vector<std::string> kAllowed = {"https://app.example"};

TEST(CheckPage, LetsThisServersPagesAndThoseAllowedIn) {
  for (const char* method : {"GET", "POST", "DELETE"}) {
    for (const Fields& fields :
         {Fields{{"Sec-Fetch-Site", "same-origin"}}, Fields{{"Sec-Fetch-Site", "none"}},
          Fields{{"Origin", "http://dash.example:8080"}}, Fields{{"Origin", "https://DASH.example:8080"}},
          Fields{{"Origin", "https://behind-a-proxy"}, {"Sec-Fetch-Site", "same-origin"}},
          Fields{{"Origin", "https://app.example"}, {"Sec-Fetch-Site", "cross-site"}}}) {
      EXPECT_TRUE(check_page(request(method, fields), kAllowed, true).ok()) << method;
    }
  }
}

TEST(CheckPage, TurnsOtherPagesAway) {
  for (const char* method : {"GET", "POST", "DELETE"}) {
    for (const Fields& fields :
         {Fields{{"Origin", "https://evil.example"}}, Fields{{"Origin", "null"}},
          Fields{{"Sec-Fetch-Site", "cross-site"}}, Fields{{"Sec-Fetch-Site", "same-site"}},
          Fields{{"Origin", "http://dash.example:8080"}, {"Sec-Fetch-Site", "cross-site"}},
          Fields{{"Origin", "http://dash.example"}}, Fields{{"Origin", "http://dash.example:8080.evil.example"}},
          Fields{{"Origin", "https://app.example.evil"}}, Fields{{"Origin", "http://app.example"}}}) {
      const Status checked = check_page(request(method, fields), kAllowed, false);
      ASSERT_FALSE(checked.ok()) << method << " " << fields.begin()->second;
      EXPECT_EQ(checked.error().code, Code::forbidden);
    }
  }
}

TEST(CheckPage, WhoSaysNothingMayReadButOnlyChangeWhereNoCookieIsAtStake) {
  EXPECT_TRUE(check_page(request("GET", {}), {}, true).ok());
  EXPECT_TRUE(check_page(request("HEAD", {}), {}, true).ok());
  EXPECT_FALSE(check_page(request("POST", {}), {}, true).ok());
  EXPECT_TRUE(check_page(request("POST", {}), {}, false).ok());
}

TEST(CheckPage, ALinkFromElsewhereMayBeFollowed) {
  const Fields link{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Mode", "navigate"}};
  EXPECT_TRUE(check_page(request("GET", link), {}, true).ok());
  EXPECT_FALSE(check_page(request("POST", link), {}, true).ok());
}

TEST(CheckLocalHost, OnlyNamesOfThisMachineWillDo) {
  const auto checked = [](const std::string& host) {
    http::Request made{.method = "GET", .path = "/"};
    made.headers.add("Host", host);
    return check_local_host(made).ok();
  };
  for (const char* local :
       {"localhost", "LOCALHOST:8080", "127.0.0.1:8080", "127.9.9.9", "[::1]:8080", "demo.localhost:1"}) {
    EXPECT_TRUE(checked(local)) << local;
  }
  for (const char* other : {"", "evil.example", "localhost.evil.example", "127.0.0.1.evil.example:8080", "[::2]",
                            "10.0.0.1", "evillocalhost", ".localhost"}) {
    EXPECT_FALSE(checked(other)) << other;
  }
}

std::string client_of(const std::vector<std::string>& proxies, const std::string& peer,
                      const std::vector<std::string>& forwarded) {
  http::Request made{.method = "POST", .path = "/api/login"};
  made.peer = peer;
  for (const std::string& value : forwarded) made.headers.add("X-Forwarded-For", value);
  return TrustedProxies::parse(proxies)->client_of(made);
}

TEST(TrustedProxies, OnlyThoseAreBelievedAndOnlyWhatTheyAdded) {
  EXPECT_EQ(client_of({}, "9.9.9.9", {"1.1.1.1"}), "9.9.9.9");
  EXPECT_EQ(client_of({"10.0.0.0/8"}, "9.9.9.9", {"1.1.1.1"}), "9.9.9.9") << "not a proxy of ours";
  EXPECT_EQ(client_of({"10.0.0.0/8"}, "10.1.2.3", {"1.1.1.1"}), "1.1.1.1");
  EXPECT_EQ(client_of({"10.0.0.0/8"}, "10.1.2.3", {"6.6.6.6, 1.1.1.1"}), "1.1.1.1") << "the first is made up";
  EXPECT_EQ(client_of({"10.0.0.0/8"}, "10.1.2.3", {"6.6.6.6", "1.1.1.1, 10.9.9.9"}), "1.1.1.1");
  EXPECT_EQ(client_of({"10.0.0.0/8"}, "10.1.2.3", {"1.1.1.1, no address"}), "10.1.2.3");
  EXPECT_EQ(client_of({"10.0.0.0/8"}, "10.1.2.3", {}), "10.1.2.3");
  EXPECT_EQ(client_of({"::1", "127.0.0.1"}, "::1", {"2001:db8::5"}), "2001:db8::5");
  EXPECT_EQ(client_of({"10.0.0.0/9"}, "10.200.0.1", {"1.1.1.1"}), "10.200.0.1") << "outside the network";
  EXPECT_EQ(client_of({"10.0.0.0/8"}, "::ffff:10.1.2.3", {"1.1.1.1"}), "1.1.1.1");
}

TEST(TrustedProxies, WhatIsNoNetworkIsRefused) {
  for (const char* wrong :
       {"", "host", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/x", "10.0.0/8", "::1/129", "1.2.3.4/"}) {
    EXPECT_FALSE(TrustedProxies::parse({wrong}).ok()) << wrong;
  }
}

TEST(AddressBlock, OneCustomerIsOne) {
  EXPECT_EQ(address_block("1.2.3.4"), "1.2.3.4");
  EXPECT_EQ(address_block("2001:db8:1:2::1"), address_block("2001:db8:1:2:ffff::9"));
  EXPECT_NE(address_block("2001:db8:1:2::1"), address_block("2001:db8:1:3::1"));
  EXPECT_NE(address_block("::ffff:1.2.3.4"), address_block("::ffff:1.2.3.5"));
}

}  // namespace
}  // namespace millstream::api
