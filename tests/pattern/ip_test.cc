// SPDX-License-Identifier: Apache-2.0
#include "pattern/ip.h"

#include <string>

#include "gtest/gtest.h"
#include "pattern_testing.h"

namespace banyan::inline v0_1::internal {
namespace {

bool Contains(std::string_view block, std::string_view address) {
  std::string error;
  const std::optional<IpBlock> parsed = IpBlock::Parse(block, &error);
  EXPECT_TRUE(parsed.has_value()) << error;
  const std::optional<IpAddress> ip = ParseIpAddress(address);
  return parsed.has_value() && ip.has_value() && parsed->Contains(*ip);
}

std::string BlockError(std::string_view block) {
  std::string error;
  return IpBlock::Parse(block, &error).has_value() ? "" : error;
}

TEST(IpTest, LeadingZerosAreDecimal) {
  EXPECT_EQ(ParseIpAddress("010.001.2.3"), ParseIpAddress("10.1.2.3"));
  EXPECT_NE(ParseIpAddress("010.1.2.3"), ParseIpAddress("8.1.2.3"));
}

TEST(IpTest, SpellingsOfOneV6AddressAreEqual) {
  const auto address = ParseIpAddress("2001:db8::1");
  ASSERT_TRUE(address.has_value());
  for (const char* spelling : {"2001:0DB8:0:0:0:0:0:1", "2001:db8:0::0:1", "2001:0db8::0001"}) {
    EXPECT_EQ(ParseIpAddress(spelling), address) << spelling;
  }
  EXPECT_TRUE(ParseIpAddress("::").has_value());
  EXPECT_TRUE(ParseIpAddress("1::").has_value());
}

TEST(IpTest, V4InsideV6IsV4) {
  EXPECT_EQ(ParseIpAddress("::ffff:0a01:0203"), ParseIpAddress("10.1.2.3"));
  EXPECT_NE(ParseIpAddress("::0a01:0203"), ParseIpAddress("10.1.2.3"));
}

TEST(IpTest, WhatIsNoAddress) {
  for (const char* text : {"",
                           "hello",
                           "10.1.2",
                           "10.1.2.3.4",
                           "10.1.2.256",
                           "10.1.2.3:80",
                           " 10.1.2.3",
                           "10.1.2.3 ",
                           "10..2.3",
                           "10.1.2.",
                           ".1.2.3",
                           "-1.2.3.4",
                           "+1.2.3.4",
                           "0x0a.1.2.3",
                           "0000000000000010.1.2.3",
                           "1:2:3:4:5:6:7",
                           "1:2:3:4:5:6:7:8:9",
                           "1:2:3:4:5:6:7:8::",
                           "1::2::3",
                           ":::",
                           ":1",
                           "1:",
                           ":1:2:3:4:5:6:7:8",
                           "12345::",
                           "g::",
                           "::ffff:10.1.2.3",
                           "fe80::1%eth0",
                           "[::1]",
                           "12:30"}) {
    EXPECT_EQ(ParseIpAddress(text), std::nullopt) << text;
  }
}

TEST(IpTest, BlocksIgnoreHostBitsAndHoldTheirEnds) {
  EXPECT_TRUE(Contains("10.0.0.77/24", "10.0.0.0"));
  EXPECT_TRUE(Contains("10.0.0.77/24", "10.0.0.255"));
  EXPECT_FALSE(Contains("10.0.0.77/24", "10.0.1.0"));
  EXPECT_TRUE(Contains("10.0.0.4/31", "10.0.0.5"));
  EXPECT_FALSE(Contains("10.0.0.4/31", "10.0.0.6"));
  EXPECT_TRUE(Contains("172.16.0.0/12", "172.31.255.255"));
  EXPECT_FALSE(Contains("172.16.0.0/12", "172.32.0.0"));
  EXPECT_TRUE(Contains("0.0.0.0/0", "255.255.255.255"));
  EXPECT_TRUE(Contains("2001:db8::/33", "2001:db8:7fff::1"));
  EXPECT_FALSE(Contains("2001:db8::/33", "2001:db8:8000::1"));
}

TEST(IpTest, FamiliesDoNotMeet) {
  EXPECT_FALSE(Contains("10.0.0.0/8", "a00::1"));
  EXPECT_FALSE(Contains("a00::/8", "10.1.2.3"));
  EXPECT_FALSE(Contains("::/0", "10.1.2.3"));
  EXPECT_FALSE(Contains("0.0.0.0/0", "::1"));
}

TEST(IpTest, BlockErrorsAreTheServices) {
  EXPECT_EQ(BlockError("10.0.0.0"), "Malformed CIDR, one '/' required");
  EXPECT_EQ(BlockError("10.0.0.0/8/8"), "Malformed CIDR, one '/' required");
  EXPECT_EQ(BlockError("10.0.0.0/x"), "Malformed CIDR, mask bits must be an integer");
  EXPECT_EQ(BlockError("10.0.0.0/99999999999"), "Malformed CIDR, mask bits must be an integer");
  EXPECT_EQ(BlockError("10.0.0.0/+-8"), "Malformed CIDR, mask bits must be an integer");
  EXPECT_EQ(BlockError("10.0.0.0/-1"), "Malformed CIDR, mask bits must not be negative");
  EXPECT_EQ(BlockError("10.0.0.1/32"), "IPv4 mask bits must be < 32");
  EXPECT_EQ(BlockError("::1/128"), "IPv6 mask bits must be < 128");
  EXPECT_EQ(BlockError("10.0.0.256/8"), "Invalid IP address: 10.0.0.256");
  EXPECT_EQ(BlockError("1:2:3/8"), "Invalid IP address: 1:2:3");
  EXPECT_EQ(BlockError("10.xx.0/8"), "Nonstandard IP address: 10.xx.0");
}

TEST(IpTest, AnAddressInAPatternMatchesEverySpellingButNotUnderAnythingButOrExactly) {
  EXPECT_TRUE(Matches(R"({"a":["10.0.0.1"]})", R"({"a":"010.0.0.001"})"));
  EXPECT_TRUE(Matches(R"({"a":[{"anything-but":"10.0.0.1"}]})", R"({"a":"010.0.0.001"})"));
  EXPECT_FALSE(Matches(R"({"a":[{"exactly":"10.0.0.1"}]})", R"({"a":"010.0.0.001"})"));
  EXPECT_FALSE(Matches(R"({"a":[{"cidr":"10.0.0.0/8"}]})", R"({"a":10})"));
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
