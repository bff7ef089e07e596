#include "app/destination.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>

#include <cstring>

namespace millstream::app {
namespace {

// By way of a socket's address, as libcurl hands it over.
Reach reach_of_text(const std::string& text) {
  sockaddr_storage storage{};
  if (text.find(':') == std::string::npos) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    EXPECT_EQ(inet_pton(AF_INET, text.c_str(), &in.sin_addr), 1) << text;
    std::memcpy(&storage, &in, sizeof in);
  } else {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    EXPECT_EQ(inet_pton(AF_INET6, text.c_str(), &in6.sin6_addr), 1) << text;
    std::memcpy(&storage, &in6, sizeof in6);
  }
  return reach_of(reinterpret_cast<const sockaddr&>(storage));
}

TEST(Destination, PublicAddressesAreGlobal) {
  for (const char* text : {"1.1.1.1",          "8.8.8.8",         "9.255.255.255",        "11.0.0.0",
                           "100.63.255.255",   "100.128.0.0",     "126.255.255.255",      "128.0.0.0",
                           "169.253.255.255",  "169.255.0.0",     "172.15.255.255",       "172.32.0.0",
                           "192.167.255.255",  "192.169.0.0",     "198.17.255.255",       "198.20.0.0",
                           "223.255.255.255",  "2606:4700::1111", "2001:4860:4860::8888", "::ffff:8.8.8.8",
                           "64:ff9b::808:808", "2002:808:808::1"}) {
    EXPECT_EQ(reach_of_text(text), Reach::global) << text;
  }
}

TEST(Destination, ThisMachineAndInnerNetworksAreInner) {
  for (const char* text : {"127.0.0.1",
                           "127.255.255.255",
                           "10.0.0.1",
                           "10.255.255.255",
                           "172.16.0.1",
                           "172.31.255.255",
                           "192.168.0.1",
                           "192.168.255.255",
                           "100.64.0.1",
                           "100.127.255.255",
                           "198.18.0.1",
                           "198.19.255.255",
                           "::1",
                           "fc00::1",
                           "fdff::1",
                           "::ffff:127.0.0.1",
                           "::ffff:10.1.2.3",
                           "64:ff9b::7f00:1",
                           "2002:c0a8:1::1",
                           "2002:7f00:1::"}) {
    EXPECT_EQ(reach_of_text(text), Reach::inner) << text;
  }
}

TEST(Destination, WhatNobodyMeansToSendToIsRefusedEvenInside) {
  for (const char* text : {"0.0.0.0",
                           "0.1.2.3",
                           "169.254.169.254",
                           "169.254.0.1",
                           "192.0.0.1",
                           "192.0.2.1",
                           "192.88.99.1",
                           "198.51.100.7",
                           "203.0.113.7",
                           "224.0.0.1",
                           "239.255.255.255",
                           "240.0.0.1",
                           "255.255.255.255",
                           "::",
                           "::127.0.0.1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "ff02::1",
                           "2001:db8::1",
                           "2001::1",
                           "100::1",
                           "::ffff:169.254.169.254",
                           "64:ff9b::a9fe:a9fe",
                           "2002:a9fe:a9fe::1",
                           "::ffff:0.0.0.0",
                           "4000::1"}) {
    EXPECT_EQ(reach_of_text(text), Reach::refused) << text;
  }
}

TEST(Destination, OtherFamiliesAreRefused) {
  sockaddr unix_socket{};
  unix_socket.sa_family = AF_UNIX;
  EXPECT_EQ(reach_of(unix_socket), Reach::refused);
}

TEST(Destination, AllowingPrivateAddressesAllowsNoMetadataService) {
  EXPECT_TRUE(may_reach(Reach::global, false));
  EXPECT_FALSE(may_reach(Reach::inner, false));
  EXPECT_TRUE(may_reach(Reach::inner, true));
  EXPECT_FALSE(may_reach(Reach::refused, true));
}

TEST(Destination, OfAUrlOnlyLiteralsAreJudged) {
  EXPECT_EQ(reach_of_literal("127.0.0.1"), Reach::inner);
  EXPECT_EQ(reach_of_literal("[::1]"), Reach::inner);
  EXPECT_EQ(reach_of_literal("[fe80::1%25eth0]"), Reach::refused);
  EXPECT_EQ(reach_of_literal("localhost"), std::nullopt);
  EXPECT_EQ(reach_of_literal("127.0.0.1.example.com"), std::nullopt);
}

}  // namespace
}  // namespace millstream::app
