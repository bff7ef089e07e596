#include <gtest/gtest.h>

#include "http/server.h"

namespace millstream::http {
namespace {

// Which of the handlers was found, by calling it.
class Routes : public ::testing::Test {
 protected:
  void add(const char* method, const char* path, size_t body_bytes_max = 0) {
    router_.add(method, path, body_bytes_max,
                [this, name = std::string(method) + " " + path](ExchangePtr) { called_ = name; });
  }
  std::string find(std::string_view method, std::string_view path) {
    match_ = router_.find(method, path);
    called_.clear();
    if (match_.handler) (*match_.handler)(nullptr);
    return called_;
  }

  Router router_;
  Router::Match match_;
  std::string called_;
};

TEST_F(Routes, CapturesTakeOneSegmentThatIsNotEmpty) {
  add("GET", "/api/rules/{}");
  add("POST", "/api/alerts/{}/ack", 100);
  EXPECT_EQ(find("GET", "/api/rules/ovt"), "GET /api/rules/{}");
  EXPECT_EQ(match_.captures, std::vector<std::string>({"ovt"}));
  EXPECT_EQ(find("POST", "/api/alerts/a b/ack"), "POST /api/alerts/{}/ack");
  EXPECT_EQ(match_.captures, std::vector<std::string>({"a b"}));
  EXPECT_EQ(match_.body_bytes_max, 100u);
  EXPECT_EQ(find("GET", "/api/rules/"), "");
  EXPECT_EQ(find("GET", "/api/rules"), "");
  EXPECT_EQ(find("GET", "/api/rules/a/b"), "");
}

TEST_F(Routes, ALiteralSegmentBeatsACaptureWhateverTheOrder) {
  add("POST", "/api/rules/{}");
  add("POST", "/api/rules/test");
  add("POST", "/api/{}/test");
  EXPECT_EQ(find("POST", "/api/rules/test"), "POST /api/rules/test");
  EXPECT_EQ(find("POST", "/api/rules/x"), "POST /api/rules/{}");
  EXPECT_EQ(find("POST", "/api/x/test"), "POST /api/{}/test");
}

TEST_F(Routes, HeadFallsBackToGetUnlessItHasItsOwnRoute) {
  add("GET", "/a");
  add("GET", "/b");
  add("HEAD", "/b");
  EXPECT_EQ(find("HEAD", "/a"), "GET /a");
  EXPECT_EQ(find("HEAD", "/b"), "HEAD /b");
}

TEST_F(Routes, AKnownPathWithAnotherMethodListsWhatIsAllowed) {
  add("GET", "/a/{}");
  add("PUT", "/a/b");
  add("GET", "/a/b");
  router_.set_fallback([this](ExchangePtr) { called_ = "fallback"; });
  EXPECT_EQ(find("DELETE", "/a/b"), "");
  EXPECT_EQ(match_.allow, "GET, HEAD, PUT, OPTIONS");
  EXPECT_EQ(find("OPTIONS", "/a/x"), "");
  EXPECT_EQ(match_.allow, "GET, HEAD, OPTIONS");
  EXPECT_EQ(find("get", "/a/x"), "");
  EXPECT_EQ(match_.allow, "GET, HEAD, OPTIONS");
}

TEST_F(Routes, TheFallbackTakesGetAndHeadOfUnknownPathsOnly) {
  add("POST", "/a");
  add("GET", "/");
  EXPECT_EQ(find("GET", "/x"), "");
  router_.set_fallback([this](ExchangePtr) { called_ = "fallback"; });
  EXPECT_EQ(find("GET", "/x"), "fallback");
  EXPECT_EQ(find("HEAD", "/a/"), "fallback");
  EXPECT_EQ(find("POST", "/x"), "");
  EXPECT_EQ(match_.allow, "");
  EXPECT_EQ(find("GET", "/a"), "");
  EXPECT_EQ(find("GET", "/"), "GET /");
  EXPECT_EQ(find("OPTIONS", "*"), "");
}

}  // namespace
}  // namespace millstream::http
