#include "net/socket.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>

namespace millstream::net {
namespace {

TEST(Socket, AddressesAreHostAndPortAndNothingElse) {
  EXPECT_TRUE(parse_address("127.0.0.1:80"));
  EXPECT_TRUE(parse_address("[::1]:0"));
  EXPECT_TRUE(parse_address("localhost:65535"));
  for (const char* bad : {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536", "127.0.0.1:-1", "::1:80",
                          "[127.0.0.1]:80", "example.org:80", ":80", "[::1]80", "127.0.0.1:80 "}) {
    const Result<SocketAddress> parsed = parse_address(bad);
    ASSERT_FALSE(parsed) << bad;
    EXPECT_EQ(parsed.error().code, Code::invalid);
    EXPECT_NE(parsed.error().detail.find(std::string("\"") + bad + "\""), std::string::npos);
  }
}

TEST(Socket, LoopbackAddressesAreTold) {
  for (const char* near :
       {"127.0.0.1:80", "127.9.9.9", "[::1]:80", "::1", "localhost:1", "localhost", "[::ffff:127.0.0.1]:80"}) {
    EXPECT_TRUE(is_loopback(near)) << near;
  }
  for (const char* far : {"0.0.0.0:80", "[::]:80", "10.0.0.1", "128.0.0.1:80", "", "localhost.example.org:80"}) {
    EXPECT_FALSE(is_loopback(far)) << far;
  }
}

void expect_connects(const char* address, const char* peer) {
  Result<int> listener = listen_tcp(address);
  ASSERT_TRUE(listener) << listener.error().detail;
  const UniqueFd listening(*listener);
  const Result<uint16_t> port = bound_port(listening.get());
  ASSERT_TRUE(port);
  ASSERT_NE(*port, 0);
  Result<SocketAddress> target = parse_address(std::string(peer) + ":" + std::to_string(*port));
  ASSERT_TRUE(target);
  Result<int> connecting = connect_tcp(*target);
  ASSERT_TRUE(connecting);
  const UniqueFd client(*connecting);
  pollfd wait{client.get(), POLLOUT, 0};
  ASSERT_EQ(::poll(&wait, 1, 5000), 1);
  EXPECT_EQ(socket_error(client.get()), 0);
  pollfd wait_accept{listening.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&wait_accept, 1, 5000), 1);
  SocketAddress from;
  from.size = sizeof(from.storage);
  const UniqueFd accepted(::accept4(listening.get(), from.get(), &from.size, SOCK_NONBLOCK));
  ASSERT_TRUE(accepted);
  EXPECT_EQ("[" + host_text(from) + "]", peer[0] == '[' ? std::string(peer) : "[" + std::string(peer) + "]");
}

TEST(Socket, ListensOnIPv4OnAFreePort) { expect_connects("127.0.0.1:0", "127.0.0.1"); }

TEST(Socket, ListensOnIPv6AndTakesIPv4ThereToo) {
  if (!listen_tcp("[::1]:0")) GTEST_SKIP() << "this machine has no IPv6";
  expect_connects("[::1]:0", "[::1]");
  expect_connects("[::]:0", "127.0.0.1");
}

TEST(Socket, TwoLoopsMayListenOnOnePortOnlyWhenBothAskForIt) {
  Result<int> first = listen_tcp("127.0.0.1:0", {.reuse_port = true});
  ASSERT_TRUE(first);
  const UniqueFd held(*first);
  const std::string address = "127.0.0.1:" + std::to_string(*bound_port(held.get()));
  Result<int> second = listen_tcp(address, {.reuse_port = true});
  ASSERT_TRUE(second);
  const UniqueFd held_too(*second);
  const Result<int> third = listen_tcp(address);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().code, Code::unavailable);
  EXPECT_NE(third.error().detail.find(address), std::string::npos);
}

TEST(Socket, ARefusedConnectionIsAnErrorOnceDecided) {
  Result<int> listener = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(listener);
  UniqueFd listening(*listener);
  const std::string address = "127.0.0.1:" + std::to_string(*bound_port(listening.get()));
  listening.reset();
  Result<int> connecting = connect_tcp(*parse_address(address));
  if (!connecting) return;  // decided at once
  const UniqueFd client(*connecting);
  pollfd wait{client.get(), POLLOUT, 0};
  ASSERT_EQ(::poll(&wait, 1, 5000), 1);
  EXPECT_EQ(socket_error(client.get()), ECONNREFUSED);
}

TEST(Socket, AcceptedSocketsInheritTheListenersOptions) {
  Result<int> listener = listen_tcp("127.0.0.1:0");
  ASSERT_TRUE(listener);
  const UniqueFd listening(*listener);
  ASSERT_TRUE(set_user_timeout_ms(listening.get(), 12'345));
  Result<int> connecting = connect_tcp(*parse_address("127.0.0.1:" + std::to_string(*bound_port(listening.get()))));
  ASSERT_TRUE(connecting);
  const UniqueFd client(*connecting);
  pollfd wait{listening.get(), POLLIN, 0};
  ASSERT_EQ(::poll(&wait, 1, 5000), 1);
  const UniqueFd accepted(::accept4(listening.get(), nullptr, nullptr, 0));
  int value = 0;
  socklen_t size = sizeof(value);
  ASSERT_EQ(::getsockopt(accepted.get(), IPPROTO_TCP, TCP_USER_TIMEOUT, &value, &size), 0);
  EXPECT_EQ(value, 12'345);
  ASSERT_EQ(::getsockopt(accepted.get(), IPPROTO_TCP, TCP_NODELAY, &value, &size), 0);
  EXPECT_EQ(value, 1);
}

}  // namespace
}  // namespace millstream::net
