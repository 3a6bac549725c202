// SPDX-License-Identifier: Apache-2.0
#include "base/mix.h"

#include <bit>
#include <cstdint>

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

// The first outputs of splitmix64 seeded with 1234567, as its author's C code prints them.
TEST(MixTest, IsSplitmix64) {
  EXPECT_EQ(Mix64(1234567 + kMixStep), 6457827717110365317u);
  EXPECT_EQ(Mix64(1234567 + 2 * kMixStep), 3203168211198807973u);
  EXPECT_EQ(Mix64(1234567 + 3 * kMixStep), 9817491932198370423u);
}

TEST(MixTest, OneFlippedBitFlipsAboutHalfOfTheOutput) {
  for (int bit = 0; bit < 64; ++bit) {
    int flipped = 0;
    for (uint64_t x = 1; x <= 100; ++x) {
      flipped += std::popcount(Mix64(x) ^ Mix64(x ^ (uint64_t{1} << bit)));
    }
    EXPECT_GT(flipped, 100 * 26) << bit;
    EXPECT_LT(flipped, 100 * 38) << bit;
  }
}

}  // namespace
}  // namespace banyan::internal
