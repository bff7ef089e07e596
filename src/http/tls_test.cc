// What only TLS has: versions, protocols, certificates, and peers that do not speak it.
#include <gtest/gtest.h>

#include <random>

#include "http/test_client.h"

namespace millstream::http {
namespace {

constexpr std::string_view kGet = "GET /hello HTTP/1.1\r\nHost: h\r\n\r\n";

class TlsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    server_.router.add("GET", "/hello", 0, [](ExchangePtr e) { e->respond(Response::text(200, "hello")); });
    server_.router.add("POST", "/echo", 1 << 20,
                       [](ExchangePtr e) { e->respond(Response::text(200, std::move(e->request().body))); });
    server_.use_tls();
    server_.start();
  }
  void TearDown() override { server_.stop(); }

  std::string hello_from(TestClient& client) {
    client.send(kGet);
    return client.receive().body;
  }

  TestServer server_;
};

TEST_F(TlsTest, SpeaksTls12And13AndNothingOlder) {
  for (const auto& [version, name] : {std::pair{TLS1_2_VERSION, "TLSv1.2"}, std::pair{TLS1_3_VERSION, "TLSv1.3"}}) {
    TestClient client = server_.connect_plain();
    ASSERT_TRUE(client.start_tls(version));
    EXPECT_EQ(client.tls_version(), name);
    EXPECT_EQ(hello_from(client), "hello");
  }
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION}) {
    TestClient client = server_.connect_plain();
    EXPECT_FALSE(client.start_tls(version));
  }
}

TEST_F(TlsTest, RefusesAClientThatWantsAnotherProtocol) {
  TestClient client = server_.connect_plain();
  EXPECT_FALSE(client.start_tls(0, "\x04smtp"));
}

TEST_F(TlsTest, SaysSoToAClientThatSpeaksPlainHttp) {
  TestClient client = server_.connect_plain();
  client.send(kGet);
  const Answer answer = client.receive();
  EXPECT_EQ(answer.status, 400);
  EXPECT_NE(answer.body.find("https://"), std::string::npos);
  EXPECT_TRUE(client.is_closed());
}

TEST_F(TlsTest, ANewCertificateIsForNewConnectionsAndEndsNone) {
  TestClient before = server_.connect();
  EXPECT_EQ(hello_from(before), "hello");
  const std::string renewed = *net::make_self_signed({"localhost"});
  ASSERT_TRUE(server_.tls->replace(renewed, renewed).ok());
  EXPECT_EQ(hello_from(before), "hello");
  TestClient after = server_.connect();
  EXPECT_EQ(hello_from(after), "hello");
  EXPECT_NE(before.certificate_digest(), after.certificate_digest());
}

TEST_F(TlsTest, ABadCertificateIsRefusedAndTheOldOneStays) {
  const std::string own = *net::make_self_signed({"localhost"});
  const std::string other = *net::make_self_signed({"localhost"});
  const std::string only_key = own.substr(0, own.find("-----BEGIN CERTIFICATE"));
  EXPECT_EQ(server_.tls->replace("", own).error().detail.find("no certificate"), 0u);
  EXPECT_EQ(server_.tls->replace(only_key, own).error().detail.find("no certificate"), 0u);
  EXPECT_EQ(server_.tls->replace(own, "junk").error().detail.find("no private key"), 0u);
  EXPECT_EQ(server_.tls->replace(own, other).error().detail.find("the private key does not belong"), 0u);
  TestClient client = server_.connect();
  EXPECT_EQ(hello_from(client), "hello");
}

TEST_F(TlsTest, BodiesOfEverySizePassWhole) {
  TestClient client = server_.connect();
  for (size_t size = 1; size < (1u << 20); size = size * 3 + 1) {
    const std::string body(size, static_cast<char>('a' + size % 26));
    std::thread sender([&] {
      client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n" + body);
    });
    EXPECT_EQ(client.receive().body, body);
    sender.join();
  }
}

TEST_F(TlsTest, RandomBytesNeitherCrashNorStayConnected) {
  std::mt19937 random(7);
  for (int i = 0; i < 300; ++i) {
    std::string bytes(random() % 600 + 1, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (i % 2)
      bytes.replace(0, std::min<size_t>(3, bytes.size()), std::string("\x16\x03\x01", 3));  // a handshake record
    TestClient client = server_.connect_plain();
    client.send(bytes);
    client.finish_sending();
    client.rest();
  }
  EXPECT_TRUE(server_.eventually([&] { return server_.server().connections() == 0; }));
  TestClient client = server_.connect();
  EXPECT_EQ(hello_from(client), "hello");
}

}  // namespace
}  // namespace millstream::http
