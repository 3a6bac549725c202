// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/byte_map.h -- floor 2: where in a text the next byte of some kind is, for one that
// reads it from front to back.
//
//   text    {"state":"paid","total":120}
//   bits    0100000101000010100000100...     64 bytes at a time, here of quotes
//
// A search from byte to byte, or word to word, has to load where the search before ended, and what
// it loads says where the next begins: the processor waits for memory each time. Here the bytes are
// compared before anybody asks for them, and a search is a shift and a count of zeros.
#ifndef BANYAN_LIB_PATTERN_BYTE_MAP_H_
#define BANYAN_LIB_PATTERN_BYTE_MAP_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace banyan::inline v0_1::internal {

// Sixteen bytes that are compared at once: with SSE2, which every x86-64 has, in one instruction,
// else as two words.
class Bytes16 {
 public:
#if defined(__SSE2__)
  explicit Bytes16(const char* bytes)
      : bytes_(_mm_loadu_si128(reinterpret_cast<const __m128i*>(bytes))) {}
  // Bit i: byte i equals c.
  uint64_t Equal(char c) const { return Bits(_mm_cmpeq_epi8(bytes_, _mm_set1_epi8(c))); }
  // Bit i: byte i with the bits of `set` set equals c.
  uint64_t EqualWith(char set, char c) const {
    return Bits(_mm_cmpeq_epi8(_mm_or_si128(bytes_, _mm_set1_epi8(set)), _mm_set1_epi8(c)));
  }

 private:
  static uint64_t Bits(__m128i marks) { return static_cast<uint32_t>(_mm_movemask_epi8(marks)); }
  __m128i bytes_;
#else
  explicit Bytes16(const char* bytes) {
    std::memcpy(words_, bytes, sizeof(words_));
    if constexpr (std::endian::native == std::endian::big) {
      for (uint64_t& word : words_) word = __builtin_bswap64(word);
    }
  }
  uint64_t Equal(char c) const { return EqualWith(0, c); }
  uint64_t EqualWith(char set, char c) const {
    return Bits(words_[0], set, c) | Bits(words_[1], set, c) << 8;
  }

 private:
  static uint64_t Bits(uint64_t word, char set, char c) {
    constexpr uint64_t kOnes = 0x0101010101010101u;
    constexpr uint64_t kLows = 0x7f7f7f7f7f7f7f7fu;
    const uint64_t x =
        (word | kOnes * static_cast<unsigned char>(set)) ^ (kOnes * static_cast<unsigned char>(c));
    const uint64_t zeros = ~(((x & kLows) + kLows) | x | kLows);  // the high bit of each zero byte
    return ((zeros >> 7) * 0x0102040810204080u) >> 56;
  }
  uint64_t words_[2];
#endif
};

// `kMarks(Bytes16)` answers a bit for each byte of the kind.
template <uint64_t (*kMarks)(const Bytes16&)>
class ByteMap {
 public:
  explicit ByteMap(const char* end) : end_(end) {}

  // The first such byte at or behind `from`. There is one, and `from` never goes back.
  const char* Next(const char* from) {
    auto skip = static_cast<size_t>(from - begin_);
    while (true) {
      if (skip < kBlock) {
        const uint64_t rest = bits_ >> skip;
        if (rest != 0) return begin_ + skip + std::countr_zero(rest);
        from = begin_ + kBlock;
      }
      Load(from);
      skip = 0;
    }
  }

 private:
  static constexpr size_t kBlock = 64;

  void Load(const char* from) {
    char rest[kBlock];
    begin_ = from;
    if (end_ - from < static_cast<std::ptrdiff_t>(kBlock)) {
      std::memset(rest, 0, sizeof(rest));
      std::memcpy(rest, from, static_cast<size_t>(end_ - from));
      from = rest;
    }
    bits_ = kMarks(Bytes16(from)) | kMarks(Bytes16(from + 16)) << 16 |
            kMarks(Bytes16(from + 32)) << 32 | kMarks(Bytes16(from + 48)) << 48;
  }

  const char* const end_;
  const char* begin_ = nullptr;  // of the block
  uint64_t bits_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_BYTE_MAP_H_
