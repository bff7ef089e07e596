// The client against real servers: redis-server and redis-sentinel as Debian has them.
#include "redis/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <fstream>
#include <thread>

#include "base/freed.h"
#include "net/tls.h"
#include "redis/testing.h"

namespace millstream::redis {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RedisServer;

constexpr int64_t kPatienceMs = 20'000;
constexpr int64_t kShortMs = 300;

Options options_of(const RedisServer& server) { return *parse_url(server.url()); }

std::string text_of(const Result<Reply>& reply) { return reply ? reply->text : "failed: " + reply.error().detail; }

TEST(RedisClient, ConnectsWithTheFirstCommandAndStaysConnected) {
  RedisServer server;
  ASSERT_TRUE(server.start());
  Client client(options_of(server));
  EXPECT_FALSE(client.connected());
  EXPECT_EQ(client.connections(), 0u);
  EXPECT_EQ(text_of(client.run({"SET", "k", std::string_view("a\0\r\n", 4)}, kPatienceMs)), "OK");
  EXPECT_EQ(text_of(client.run({"GET", "k"}, kPatienceMs)), std::string("a\0\r\n", 4));
  EXPECT_EQ(text_of(client.run({"CLIENT", "GETNAME"}, kPatienceMs)), "millstream");
  EXPECT_TRUE(client.connected());
  EXPECT_EQ(client.connections(), 1u);
  EXPECT_EQ(client.server(), "127.0.0.1:" + std::to_string(server.port()));
}

TEST(RedisClient, AnErrorOfACommandIsAReplyLikeAnyOther) {
  RedisServer server;
  ASSERT_TRUE(server.start());
  Client client(options_of(server));
  const auto replies = client.run(
      Commands().add({"SET", "k", "v"}).add({"INCR", "k"}).add({"GET", "none"}).add({"DBSIZE"}), kPatienceMs);
  ASSERT_TRUE(replies.ok());
  ASSERT_EQ(replies->size(), 4u);
  EXPECT_TRUE((*replies)[1].is_error());
  EXPECT_FALSE(asked_wrong_server((*replies)[1]));
  EXPECT_TRUE((*replies)[2].is_nil());
  EXPECT_EQ((*replies)[3].number, 1);
  EXPECT_TRUE(client.connected());
}

TEST(RedisClient, APipelineOfAHundredThousandCommandsIsAnsweredInOrder) {
  RedisServer server;
  ASSERT_TRUE(server.start());
  Client client(options_of(server));
  Commands commands;
  for (int i = 0; i < 100'000; ++i) commands.add({"ECHO", std::to_string(i)});
  const auto replies = client.run(commands, kPatienceMs);
  ASSERT_TRUE(replies.ok()) << replies.error().detail;
  ASSERT_EQ(replies->size(), 100'000u);
  for (size_t i = 0; i < replies->size(); ++i) ASSERT_EQ((*replies)[i].text, std::to_string(i));
}

// Redis stops reading from one whose replies it cannot get rid of: whoever writes all before reading waits for ever.
TEST(RedisClient, APipelineLargerThanAllBuffersDoesNotStandStill) {
  RedisServer server;
  ASSERT_TRUE(server.start());
  Client client(options_of(server));
  const std::string value(256 << 10, 'x');
  Commands commands;
  for (int i = 0; i < 400; ++i) commands.add({"ECHO", value});
  const auto replies = client.run(commands, kPatienceMs);
  ASSERT_TRUE(replies.ok()) << replies.error().detail;
  ASSERT_EQ(replies->size(), 400u);
  for (const Reply& reply : *replies) ASSERT_EQ(reply.text, value);
}

TEST(RedisClient, TakesTheDatabaseOfTheUrl) {
  RedisServer server;
  ASSERT_TRUE(server.start());
  Client second(*parse_url(server.url() + "/2"));
  Client first(options_of(server));
  EXPECT_EQ(text_of(second.run({"SET", "k", "two"}, kPatienceMs)), "OK");
  EXPECT_TRUE(first.run({"GET", "k"}, kPatienceMs)->is_nil());
  Client none(*parse_url(server.url() + "/99"));
  const auto refused = none.run({"PING"}, kPatienceMs);
  ASSERT_FALSE(refused.ok());
  EXPECT_THAT(refused.error().detail, HasSubstr("DB index is out of range"));
}

TEST(RedisClient, LogsInAsAUserOfTheAclOrByPasswordAlone) {
  RedisServer server;
  ASSERT_TRUE(server.start({"--requirepass", "pass word"}, "user alice on >s3cr:t@ ~a:* +@all\n"));
  const std::string host = "127.0.0.1:" + std::to_string(server.port());
  Client by_password(*parse_url("redis://:pass%20word@" + host));
  EXPECT_EQ(text_of(by_password.run({"ACL", "WHOAMI"}, kPatienceMs)), "default");
  Client alice(*parse_url("redis://alice:s3cr%3At%40@" + host));
  EXPECT_EQ(text_of(alice.run({"ACL", "WHOAMI"}, kPatienceMs)), "alice");
  EXPECT_THAT(text_of(alice.run({"SET", "b", "1"}, kPatienceMs)), HasSubstr("NOPERM"));
}

TEST(RedisClient, AWrongPasswordIsSaidWithoutThePassword) {
  RedisServer server;
  ASSERT_TRUE(server.start({"--requirepass", "right"}));
  for (const std::string credential : {"alice:hunter2@", ":hunter2@"}) {
    Client client(*parse_url("redis://" + credential + "127.0.0.1:" + std::to_string(server.port())));
    const auto refused = client.run({"PING"}, kPatienceMs);
    ASSERT_FALSE(refused.ok());
    EXPECT_EQ(refused.error().code, Code::unauthenticated);
    EXPECT_THAT(refused.error().detail, AllOf(HasSubstr("WRONGPASS"), Not(HasSubstr("hunter2"))));
    EXPECT_FALSE(client.connected());
  }
  Client nobody(options_of(server));
  EXPECT_EQ(nobody.run({"PING"}, kPatienceMs).error().code, Code::unauthenticated);
}

TEST(RedisClient, NobodyThereIsUnavailable) {
  RedisServer server;  // not started
  Client client(options_of(server));
  const auto failed = client.run({"PING"}, kPatienceMs);
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Code::unavailable);
  EXPECT_THAT(failed.error().detail, HasSubstr("127.0.0.1:" + std::to_string(server.port())));
  ASSERT_TRUE(server.start());
  EXPECT_EQ(text_of(client.run({"PING"}, kPatienceMs)), "PONG");
}

TEST(RedisClient, ARestartWhileIdleCostsNoCommand) {
  RedisServer server;
  ASSERT_TRUE(server.start());
  Client client(options_of(server));
  EXPECT_EQ(text_of(client.run({"PING"}, kPatienceMs)), "PONG");
  ASSERT_TRUE(server.restart());
  EXPECT_EQ(text_of(client.run({"PING"}, kPatienceMs)), "PONG");
  EXPECT_EQ(client.connections(), 2u);
}

TEST(RedisClient, AServerKilledInThePipelineIsUnavailableAndTheNextRunConnectsAgain) {
  RedisServer server;
  ASSERT_TRUE(server.start());
  Client client(options_of(server));
  // The reply to BLPOP cannot come: the pipeline stands behind it when the server goes.
  Commands commands;
  for (int i = 0; i < 1000; ++i) commands.add({"INCR", "n"});
  commands.add({"BLPOP", "nothing", "0"});
  for (int i = 0; i < 1000; ++i) commands.add({"INCR", "n"});
  std::thread killer([&] {
    Client watcher(options_of(server));
    while (text_of(watcher.run({"GET", "n"}, kPatienceMs)) != "1000") continue;
    server.kill9();
  });
  const auto failed = client.run(commands, kPatienceMs);
  killer.join();
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Code::unavailable);
  EXPECT_FALSE(client.connected());
  ASSERT_TRUE(server.restart());
  EXPECT_EQ(text_of(client.run({"PING"}, kPatienceMs)), "PONG");
  EXPECT_EQ(client.connections(), 2u);
}

TEST(RedisClient, AServerThatStandsStillTimesOutAndIsLeft) {
  RedisServer server;
  ASSERT_TRUE(server.start());
  Client client(options_of(server));
  EXPECT_EQ(text_of(client.run({"PING"}, kPatienceMs)), "PONG");
  server.pause();
  const SystemClock clock;
  const int64_t before_ms = clock.steady_ms();
  const auto failed = client.run({"PING"}, kShortMs);
  const int64_t took_ms = clock.steady_ms() - before_ms;
  ASSERT_FALSE(failed.ok());
  EXPECT_EQ(failed.error().code, Code::unavailable);
  EXPECT_THAT(failed.error().detail, HasSubstr("no answer in time"));
  EXPECT_GE(took_ms, kShortMs);
  EXPECT_LT(took_ms, kPatienceMs);
  // The kernel still takes connections for it, and nobody answers there.
  EXPECT_FALSE(client.run({"PING"}, kShortMs).ok());
  EXPECT_FALSE(client.connected());
  server.resume();
  EXPECT_EQ(text_of(client.run({"PING"}, kPatienceMs)), "PONG");
}

TEST(RedisClient, InterruptEndsAWaitAndAllLaterCalls) {
  RedisServer server;
  ASSERT_TRUE(server.start());
  Client client(options_of(server));
  EXPECT_EQ(text_of(client.run({"PING"}, kPatienceMs)), "PONG");
  std::thread other([&] {
    Client watcher(options_of(server));
    while (text_of(watcher.run({"INFO", "clients"}, kPatienceMs)).find("blocked_clients:1") == std::string::npos)
      continue;
    client.interrupt();
  });
  const auto ended = client.run({"BLPOP", "nothing", "0"}, 100 * kPatienceMs);
  other.join();
  ASSERT_FALSE(ended.ok());
  EXPECT_EQ(ended.error().code, Code::unavailable);
  EXPECT_EQ(client.run({"PING"}, kPatienceMs).error().code, Code::unavailable);
  EXPECT_EQ(client.next_message(kPatienceMs).error().code, Code::unavailable);
  EXPECT_EQ(client.connections(), 1u);
}

TEST(RedisClient, MessagesOfASubscriptionComeOneByOneAndSilenceIsNoError) {
  RedisServer server;
  ASSERT_TRUE(server.start());
  Client subscriber(options_of(server));
  Client publisher(options_of(server));
  EXPECT_FALSE(subscriber.next_message(0).ok());  // there is no connection yet
  const auto subscribed = subscriber.run({"SUBSCRIBE", "c"}, kPatienceMs);
  ASSERT_TRUE(subscribed.ok());
  EXPECT_EQ(subscribed->items.at(0).text, "subscribe");
  const auto nothing = subscriber.next_message(0);
  ASSERT_TRUE(nothing.ok());
  EXPECT_FALSE(nothing->has_value());
  for (const std::string_view text : {"one", "two"})
    EXPECT_EQ(publisher.run({"PUBLISH", "c", text}, kPatienceMs)->number, 1);
  for (const std::string_view text : {"one", "two"}) {
    const auto message = subscriber.next_message(kPatienceMs);
    ASSERT_TRUE(message.ok() && message->has_value());
    EXPECT_EQ((*message)->items.at(2).text, text);
  }
  ASSERT_TRUE(subscriber.send(Commands().add({"PING"}), kPatienceMs).ok());
  const auto pong = subscriber.next_message(kPatienceMs);
  ASSERT_TRUE(pong.ok() && pong->has_value());
  EXPECT_EQ((*pong)->items.at(0).text, "pong");
  // What has no reply is not waited for.
  ASSERT_TRUE(publisher.send(Commands().add({"CLIENT", "REPLY", "OFF"}), kPatienceMs).ok());
  const auto silence = publisher.next_message(0);
  ASSERT_TRUE(silence.ok());
  EXPECT_FALSE(silence->has_value());
  server.kill9();
  EXPECT_EQ(subscriber.next_message(kPatienceMs).error().code, Code::unavailable);
  EXPECT_FALSE(subscriber.connected());
}

// make_self_signed() is for servers alone; this certificate says nothing about what it may be used for.
std::string certificate_of_a_client() {
  const std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>> key(EVP_EC_gen("P-256"));
  const std::unique_ptr<X509, Freed<X509_free>> certificate(X509_new());
  X509_NAME* name = X509_get_subject_name(certificate.get());
  const auto* text = reinterpret_cast<const unsigned char*>("client");
  EXPECT_TRUE(
      X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) &&
      X509_set_issuer_name(certificate.get(), name) && X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -300) &&
      X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600) && X509_set_pubkey(certificate.get(), key.get()) &&
      X509_sign(certificate.get(), key.get(), EVP_sha256()) > 0);
  const std::unique_ptr<BIO, Freed<BIO_free_all>> out(BIO_new(BIO_s_mem()));
  PEM_write_bio_PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr);
  PEM_write_bio_X509(out.get(), certificate.get());
  char* pem = nullptr;
  const long size = BIO_get_mem_data(out.get(), &pem);
  return std::string(pem, static_cast<size_t>(size));
}

class RedisTlsTest : public ::testing::Test {
 protected:
  // Redis with a certificate for this name or address, whose own key it is signed with.
  bool start(const std::string& name, std::vector<std::string> more = {"--tls-auth-clients", "no"}) {
    pem_ = server_.directory() / "own.pem";
    std::ofstream(pem_) << *net::make_self_signed({name});
    std::vector<std::string> args{"--port",
                                  "0",
                                  "--tls-port",
                                  std::to_string(server_.port()),
                                  "--tls-cert-file",
                                  pem_,
                                  "--tls-key-file",
                                  pem_,
                                  "--tls-ca-cert-file",
                                  pem_};
    args.insert(args.end(), more.begin(), more.end());
    return server_.start(args);
  }
  Options options(const std::string& host = "127.0.0.1") const {
    Options made = *parse_url("rediss://" + host + ":" + std::to_string(server_.port()));
    made.ca_file = pem_;
    return made;
  }

  RedisServer server_;
  std::string pem_;
};

TEST_F(RedisTlsTest, SpeaksTlsWithAServerThatIsVouchedFor) {
  ASSERT_TRUE(start("127.0.0.1"));
  Client client(options());
  const std::string value(3 << 20, 'x');
  EXPECT_EQ(text_of(client.run({"ECHO", value}, kPatienceMs)), value);
  Commands commands;
  for (int i = 0; i < 100'000; ++i) commands.add({"ECHO", std::to_string(i)});
  const auto replies = client.run(commands, kPatienceMs);
  ASSERT_TRUE(replies.ok()) << replies.error().detail;
  EXPECT_EQ(replies->back().text, "99999");
}

TEST_F(RedisTlsTest, RefusesOneThatNobodyVouchesForOrThatIsAnother) {
  ASSERT_TRUE(start("other.example"));
  const auto failure = [](Options wanted) { return text_of(Client(std::move(wanted)).run({"PING"}, kPatienceMs)); };
  EXPECT_THAT(failure(options()), AllOf(HasSubstr("TLS"), HasSubstr("IP address mismatch")));
  EXPECT_THAT(failure(options("localhost")), AllOf(HasSubstr("TLS"), HasSubstr("hostname mismatch")));
  Options trusting_the_system = options();
  trusting_the_system.ca_file.clear();
  EXPECT_THAT(failure(trusting_the_system), AllOf(HasSubstr("TLS"), HasSubstr("self-signed")));
  Options in_the_clear = options();
  in_the_clear.tls = false;
  EXPECT_THAT(failure(in_the_clear), HasSubstr("failed: redis"));
  Options no_file = options();
  no_file.ca_file = "/nowhere.pem";
  EXPECT_THAT(failure(no_file), HasSubstr("/nowhere.pem"));
}

TEST_F(RedisTlsTest, ShowsItsOwnCertificateToAServerThatAsks) {
  const std::string own = server_.directory() / "client.pem";
  const std::string trusted = server_.directory() / "trusted.pem";
  std::ofstream(own) << certificate_of_a_client();
  std::ofstream(trusted) << std::ifstream(own).rdbuf();
  ASSERT_TRUE(start("127.0.0.1", {"--tls-auth-clients", "yes", "--tls-ca-cert-file", trusted}));
  EXPECT_THAT(text_of(Client(options()).run({"PING"}, kPatienceMs)), HasSubstr("failed: redis"));
  Options with_own = options();
  with_own.certificate_file = with_own.key_file = own;
  EXPECT_EQ(text_of(Client(with_own).run({"PING"}, kPatienceMs)), "PONG");
  with_own.key_file = pem_;
  EXPECT_THAT(text_of(Client(with_own).run({"PING"}, kPatienceMs)), HasSubstr("no private key of that certificate"));
}

class RedisSentinelTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(first_.start());
    ASSERT_TRUE(second_.start({"--replicaof", "127.0.0.1", std::to_string(first_.port())}));
    ASSERT_TRUE(sentinel_.start({"--sentinel"}, "sentinel monitor m 127.0.0.1 " + std::to_string(first_.port()) +
                                                    " 1\nsentinel down-after-milliseconds m 300\n"));
  }
  Options options() const {
    RedisServer nobody;
    return *parse_url("redis+sentinel://127.0.0.1:" + std::to_string(nobody.port()) +
                      ",127.0.0.1:" + std::to_string(sentinel_.port()) + "/m");
  }
  // Both as the sentinel sees them, or whatever else is asked of it.
  void wait_until_sentinel_knows(std::string_view word, std::string_view of) {
    Client asker(*parse_url(sentinel_.url()));
    const SystemClock clock;
    const int64_t deadline_ms = clock.steady_ms() + kPatienceMs;
    while (clock.steady_ms() < deadline_ms) {
      const auto told = asker.run({"INFO", "sentinel"}, kPatienceMs);
      if (told && told->text.find(std::string(of) + std::string(word)) != std::string::npos) return;
    }
    FAIL() << "the sentinel does not come to know " << of << word;
  }

  RedisServer first_;
  RedisServer second_;
  RedisServer sentinel_{"redis-sentinel"};
};

TEST_F(RedisSentinelTest, FollowsAFailover) {
  wait_until_sentinel_knows("1", "slaves=");
  Client client(options());
  ASSERT_EQ(text_of(client.run({"SET", "k", "v"}, kPatienceMs)), "OK");
  EXPECT_EQ(client.server(), "127.0.0.1:" + std::to_string(first_.port()));
  first_.kill9();
  EXPECT_FALSE(client.run({"GET", "k"}, kPatienceMs).ok());
  wait_until_sentinel_knows(std::to_string(second_.port()), "address=127.0.0.1:");
  const SystemClock clock;
  const int64_t deadline_ms = clock.steady_ms() + kPatienceMs;
  std::string written;
  while (written != "OK" && clock.steady_ms() < deadline_ms)
    written = text_of(client.run({"SET", "k", "w"}, kPatienceMs));
  EXPECT_EQ(written, "OK");
  EXPECT_EQ(client.server(), "127.0.0.1:" + std::to_string(second_.port()));
}

TEST_F(RedisSentinelTest, SaysWhenNobodyKnowsTheMaster) {
  Options unknown = options();
  unknown.sentinel_master = "other";
  EXPECT_THAT(text_of(Client(unknown).run({"PING"}, kPatienceMs)), HasSubstr("knows no such master"));
}

TEST_F(RedisSentinelTest, LeavesAServerThatHasBecomeAReplica) {
  Options both = options_of(first_);
  both.servers.push_back({"127.0.0.1", second_.port()});
  Client client(both);
  ASSERT_EQ(text_of(client.run({"SET", "k", "v"}, kPatienceMs)), "OK");
  EXPECT_EQ(client.server(), "127.0.0.1:" + std::to_string(first_.port()));
  sentinel_.kill9();
  Client operator_of_first(options_of(first_));
  Client operator_of_second(options_of(second_));
  ASSERT_EQ(text_of(operator_of_second.run({"REPLICAOF", "NO", "ONE"}, kPatienceMs)), "OK");
  ASSERT_EQ(text_of(operator_of_first.run({"REPLICAOF", "127.0.0.1", std::to_string(second_.port())}, kPatienceMs)),
            "OK");
  const auto refused = client.run({"SET", "k", "w"}, kPatienceMs);
  ASSERT_TRUE(refused.ok()) << refused.error().detail;
  EXPECT_TRUE(asked_wrong_server(*refused)) << refused->text;
  EXPECT_FALSE(client.connected());
  EXPECT_EQ(text_of(client.run({"SET", "k", "w"}, kPatienceMs)), "OK");
  EXPECT_EQ(client.server(), "127.0.0.1:" + std::to_string(second_.port()));
}

}  // namespace
}  // namespace millstream::redis
