#include "http/static_files.h"

#include <gtest/gtest.h>
#include <libdeflate.h>

#include "http/test_client.h"

namespace millstream::http {
namespace {

std::string gzip(std::string_view text) {
  libdeflate_compressor* compressor = libdeflate_alloc_compressor(6);
  std::string out(libdeflate_gzip_compress_bound(compressor, text.size()), '\0');
  out.resize(libdeflate_gzip_compress(compressor, text.data(), text.size(), out.data(), out.size()));
  libdeflate_free_compressor(compressor);
  return out;
}

class StaticFiles : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.router.set_fallback(make_static_handler(files_));
    server_.start();
  }
  Answer get(std::string_view path, std::string_view fields = "") {
    TestClient client = server_.connect();
    client.send("GET " + std::string(path) + " HTTP/1.1\r\nHost: h\r\nConnection: close\r\n" + std::string(fields) +
                "\r\n");
    return client.receive();
  }

  const std::string page_ = "<!doctype html>" + std::string(2000, 'p');
  const std::string script_ = "let a = 1;" + std::string(2000, 's');
  const std::string page_gzip_ = gzip(page_);
  const std::string script_gzip_ = gzip(script_);
  const std::vector<StaticFile> files_{{"/index.html", "text/html; charset=utf-8", page_gzip_, false},
                                       {"/assets/a-1f.js", "text/javascript; charset=utf-8", script_gzip_, true}};
  TestServer server_;
};

TEST_F(StaticFiles, TheRootIsThePageInBothForms) {
  const Answer plain = get("/");
  EXPECT_EQ(plain.status, 200);
  EXPECT_EQ(plain.body, page_);
  EXPECT_EQ(plain.field("Content-Encoding"), "");
  EXPECT_EQ(plain.field("Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(plain.field("Cache-Control"), "no-cache");
  EXPECT_EQ(plain.field("Vary"), "Accept-Encoding");
  const Answer packed = get("/index.html", "Accept-Encoding: br, gzip;q=0.8\r\n");
  EXPECT_EQ(packed.body, page_gzip_);
  EXPECT_EQ(packed.field("Content-Encoding"), "gzip");
  EXPECT_NE(packed.field("ETag"), plain.field("ETag"));
}

TEST_F(StaticFiles, TheClientsWordOnGzipIsTaken) {
  for (const char* takes : {"gzip", "GZIP", "*", "deflate, gzip;q=1.0", "gzip;q=0.001", "identity;q=0, *;q=0.5"}) {
    EXPECT_EQ(get("/", "Accept-Encoding: " + std::string(takes) + "\r\n").field("Content-Encoding"), "gzip") << takes;
  }
  for (const char* takes_not : {"", "br", "gzip;q=0", "gzip; q=0.000", "*;q=0", "*, gzip;q=0", "gzipx"}) {
    EXPECT_EQ(get("/", "Accept-Encoding: " + std::string(takes_not) + "\r\n").field("Content-Encoding"), "")
        << takes_not;
  }
}

TEST_F(StaticFiles, AHashedNameMayBeKeptForEver) {
  const Answer answer = get("/assets/a-1f.js");
  EXPECT_EQ(answer.body, script_);
  EXPECT_EQ(answer.field("Cache-Control"), "public, max-age=31536000, immutable");
}

TEST_F(StaticFiles, AKnownTagIsAnswered304ForItsOwnFormOnly) {
  const std::string tag = get("/").field("ETag");
  ASSERT_GT(tag.size(), 2u);
  for (const std::string& match : {tag, "W/" + tag, "\"other\", " + tag, std::string("*")}) {
    const Answer answer = get("/", "If-None-Match: " + match + "\r\n");
    EXPECT_EQ(answer.status, 304) << match;
    EXPECT_EQ(answer.field("ETag"), tag);
    EXPECT_EQ(answer.field("Cache-Control"), "no-cache");
  }
  EXPECT_EQ(get("/", "If-None-Match: \"other\"\r\n").status, 200);
  EXPECT_EQ(get("/", "Accept-Encoding: gzip\r\nIf-None-Match: " + tag + "\r\n").status, 200);
}

TEST_F(StaticFiles, EveryAnswerForbidsWhatThePageDoesNotNeed) {
  for (const char* path : {"/", "/assets/a-1f.js", "/nothing"}) {
    const Answer answer = get(path);
    EXPECT_EQ(answer.field("Content-Security-Policy"),
              "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
              "base-uri 'none'; frame-ancestors 'none'; form-action 'self'");
    EXPECT_EQ(answer.field("X-Content-Type-Options"), "nosniff");
    EXPECT_EQ(answer.field("Referrer-Policy"), "no-referrer");
    EXPECT_EQ(answer.field("Cross-Origin-Opener-Policy"), "same-origin");
    EXPECT_EQ(answer.field("Cross-Origin-Resource-Policy"), "same-origin");
  }
  EXPECT_EQ(get("/nothing").status, 404);
  EXPECT_EQ(get("/assets/").status, 404);
}

TEST(StaticFilesDeathTest, BytesThatAreNotGzipAreABrokenBuild) {
  std::string broken = gzip("some text that is long enough to have a middle");
  broken[broken.size() / 2] ^= 1;
  const std::vector<StaticFile> files{{"/index.html", "text/html", broken, false}};
  EXPECT_DEATH(make_static_handler(files), "static_files.cc");
}

}  // namespace
}  // namespace millstream::http
