// SPDX-License-Identifier: Apache-2.0
#include "base/sip_hash.h"

#include <string>
#include <string_view>

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

// The key of the authors' vectors: the bytes 0, 1, 2, ... 15.
constexpr SipKey kKey = {.low = 0x0706050403020100u, .high = 0x0f0e0d0c0b0a0908u};

// Their texts: the bytes 0, 1, 2, ...
std::string Counting(size_t size) {
  std::string text;
  for (size_t i = 0; i < size; ++i) text.push_back(static_cast<char>(i));
  return text;
}

SipDigest Hash(std::string_view text) { return SipHasher(kKey).Finish(text); }

// From vectors_sip128 of the reference code (github.com/veorq/SipHash), read as two little-endian
// words; the one of 63 bytes is the last of them. OpenSSL's SIPHASH agrees on each.
TEST(SipHash, AnswersTheAuthorsVectors) {
  EXPECT_EQ(Hash(Counting(0)),
            (SipDigest{.low = 0xe6a825ba047f81a3u, .high = 0x930255c71472f66du}));
  EXPECT_EQ(Hash(Counting(1)),
            (SipDigest{.low = 0x44af996bd8c187dau, .high = 0x45fc229b11597634u}));
  EXPECT_EQ(Hash(Counting(2)),
            (SipDigest{.low = 0xc75da4a48d227781u, .high = 0xe4ff0af6de8ba3fcu}));
  EXPECT_EQ(Hash(Counting(15)),
            (SipDigest{.low = 0x11a8b03399e99354u, .high = 0xd9c3cf970fec087eu}));
  EXPECT_EQ(Hash(Counting(63)),
            (SipDigest{.low = 0x4a83502f77d15051u, .high = 0x7cbd3f979a063e50u}));
}

TEST(SipHash, HashesTheSameInPiecesOfWholeWords) {
  for (size_t size = 0; size < 64; ++size) {
    const std::string text = Counting(size);
    for (size_t first = 0; first <= size; first += 8) {
      SipHasher hasher(kKey);
      hasher.AddPadded(std::string_view(text).substr(0, first));
      EXPECT_EQ(hasher.Finish(std::string_view(text).substr(first)), Hash(text))
          << first << " of " << size;
    }
  }
}

TEST(SipHash, PadsWithZeros) {
  SipHasher padded(kKey);
  padded.AddPadded("abc");
  EXPECT_EQ(padded.Finish("rest"), Hash(std::string_view("abc\0\0\0\0\0rest", 12)));

  SipHasher word(kKey);
  word.Add(0x636261);
  EXPECT_EQ(word.Finish("rest"), Hash(std::string_view("abc\0\0\0\0\0rest", 12)));
}

TEST(SipHash, DependsOnEachBitOfTheKey) {
  for (int bit = 0; bit < 64; ++bit) {
    SipKey low = kKey;
    low.low ^= uint64_t{1} << bit;
    EXPECT_NE(SipHasher(low).Finish("text"), Hash("text"));
    SipKey high = kKey;
    high.high ^= uint64_t{1} << bit;
    EXPECT_NE(SipHasher(high).Finish("text"), Hash("text"));
  }
}

}  // namespace
}  // namespace banyan::internal
