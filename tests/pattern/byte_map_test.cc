// SPDX-License-Identifier: Apache-2.0
#include "pattern/byte_map.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <random>
#include <string>

#include "gtest/gtest.h"

namespace banyan::inline v0_1::internal {
namespace {

uint64_t Quotes(const Bytes16& bytes) { return bytes.Equal('"'); }
uint64_t Braces(const Bytes16& bytes) { return bytes.EqualWith(0x20, '{'); }

TEST(ByteMapTest, ComparesEachByteWithEachOther) {
  for (int byte = 0; byte < 256; ++byte) {
    for (size_t place = 0; place < 16; ++place) {
      std::string text(16, static_cast<char>(byte ^ 0x80));
      text[place] = static_cast<char>(byte);
      const Bytes16 bytes(text.data());
      EXPECT_EQ(bytes.Equal(static_cast<char>(byte)), uint64_t{1} << place);
      EXPECT_EQ(bytes.Equal(static_cast<char>(byte ^ 1)), 0u);
    }
  }
}

TEST(ByteMapTest, AnIgnoredBitMakesTwoBytesOneKind) {
  const std::string text = "a[b{c[d{eeee;\x5c}\x7f";
  ByteMap<Braces> map(text.data() + text.size());
  size_t at = 0;
  for (const size_t expected : {1u, 3u, 5u, 7u}) {
    at = static_cast<size_t>(map.Next(text.data() + at) - text.data());
    EXPECT_EQ(at, expected);
    ++at;
  }
}

// Steps of all sizes, blocks that end with the text, long gaps; the text lies in memory of just its
// size, so that a sanitizer sees a read behind it.
TEST(ByteMapTest, FindsWhatALoopFinds) {
  std::mt19937 random(20'260'801);
  for (int round = 0; round < 2'000; ++round) {
    const size_t size = 1 + random() % 300;
    const size_t rarity = 1 + random() % 100;
    const auto text = std::make_unique<char[]>(size);
    for (size_t i = 0; i < size; ++i) text[i] = random() % rarity == 0 ? '"' : '#';
    text[size - 1] = '"';
    ByteMap<Quotes> map(text.get() + size);
    for (size_t from = 0; from < size; from += 1 + random() % 90) {
      size_t expected = from;
      while (text[expected] != '"') ++expected;
      ASSERT_EQ(map.Next(text.get() + from) - text.get(), static_cast<std::ptrdiff_t>(expected));
    }
  }
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
