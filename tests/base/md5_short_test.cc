// SPDX-License-Identifier: Apache-2.0
#include "base/md5_short.h"

#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "banyan/testing/seed_reporter.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

std::string HexOf(const Md5Digest& digest) {
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// RFC 1321, appendix A.5: those that fit.
TEST(Md5ShortTest, TheRfcsTestSuite) {
  EXPECT_EQ(HexOf(Md5Short("")), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(HexOf(Md5Short("a")), "0cc175b9c0f1b6a831c399e269772661");
  EXPECT_EQ(HexOf(Md5Short("abc")), "900150983cd24fb0d6963f7d28e17f72");
  EXPECT_EQ(HexOf(Md5Short("message digest")), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(HexOf(Md5Short("abcdefghijklmnopqrstuvwxyz")), "c3fcd3d76192e4007dfb496cca67e13b");
}

std::string RandomText(std::mt19937_64& random) {
  std::string text(random() % (kMd5ShortMax + 1), '\0');
  for (char& c : text) c = static_cast<char>(random());
  return text;
}

// The twin is libcrypto's.
TEST(Md5ShortTest, AgreesWithMd5OnRandomTextsOfEverySize) {
  constexpr uint64_t kSeed = 1321;
  const testing::SeedReporter seed(kSeed);
  std::mt19937_64 random(kSeed);
  for (size_t size = 0; size <= kMd5ShortMax; ++size) {
    for (const char c : {'\0', 'x', '\x80', '\xff'}) {
      const std::string text(size, c);
      ASSERT_EQ(Md5Short(text), Md5(text)) << absl::BytesToHexString(text);
    }
  }
  for (int i = 0; i < 100'000; ++i) {
    const std::string text = RandomText(random);
    ASSERT_EQ(Md5Short(text), Md5(text)) << absl::BytesToHexString(text);
  }
}

using LanesFunction = void(absl::Span<const std::string_view>, Md5Digest*);

class Md5LanesTest : public ::testing::TestWithParam<LanesFunction*> {};

TEST_P(Md5LanesTest, EveryLaneAgreesWithMd5HoweverManyAreInUse) {
  constexpr uint64_t kSeed = 256;
  const testing::SeedReporter seed(kSeed);
  std::mt19937_64 random(kSeed);
  constexpr Md5Digest kUntouched = {1, 2, 3};
  for (int i = 0; i < 25'000; ++i) {
    const size_t lanes = random() % (kMd5Lanes + 1);
    std::vector<std::string> texts(lanes);
    for (std::string& text : texts) text = RandomText(random);
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    std::array<Md5Digest, kMd5Lanes> digests;
    digests.fill(kUntouched);
    GetParam()(views, digests.data());
    for (size_t lane = 0; lane < kMd5Lanes; ++lane) {
      ASSERT_EQ(digests[lane], lane < lanes ? Md5(texts[lane]) : kUntouched)
          << "lane " << lane << " of " << lanes;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(OfThisMachineAndOfAny, Md5LanesTest,
                         ::testing::Values(&Md5ShortLanes, &Md5ShortLanesPortable));

TEST(Md5ShortDeathTest, WhatDoesNotFitIntoABlockIsOurMistake) {
  const std::string text(kMd5ShortMax + 1, 'x');
  EXPECT_DEATH(Md5Short(text), "fits into a block");
  const std::vector<std::string_view> one = {text};
  const std::vector<std::string_view> nine(kMd5Lanes + 1, "x");
  std::array<Md5Digest, kMd5Lanes + 1> digests;
  EXPECT_DEATH(Md5ShortLanes(one, digests.data()), "fits into a block");
  EXPECT_DEATH(Md5ShortLanes(nine, digests.data()), "a lane for each text");
}

}  // namespace
}  // namespace banyan::internal
