// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/lookup_key.h -- floor 2: 32 bits by which a value of an event finds the rules that
// may want it.
//
// A key is made of a path, a kind and some bytes, once from the rule and once from the event; equal
// facts give equal keys. Different ones may, too: a hit is a candidate and never an answer, and who
// makes values with equal hashes gets no more than who uses one value twice (I5 of rule_index.h).
#ifndef BANYAN_LIB_PATTERN_LOOKUP_KEY_H_
#define BANYAN_LIB_PATTERN_LOOKUP_KEY_H_

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "absl/numeric/int128.h"
#include "base/mix.h"

namespace banyan::inline v0_1::internal {

enum class KeyKind : uint8_t {
  kText,          // the whole string
  kPrefix,        // its first `length` bytes
  kSuffix,        // its last
  kFoldedText,    // the same three with A-Z made a-z
  kFoldedPrefix,  //
  kFoldedSuffix,  //
  kGram,          // `length` bytes anywhere in it, kGramMax at most
  kAddress,       // the IP address it spells
  kBlock,         // the first `length` bits of that, the family among the bytes
  kNumber,        // the bits of a double
  kNumberText,    // a number no double can stand for
  kLiteral,       // true, false, null
  kPresent,       // any value at all
  kAlways,        // no value is needed: whatever the event holds
  kRange,         // no key: a number is looked up in the path's RangeTree
};
inline constexpr size_t kGramMax = 8;

inline constexpr uint64_t kHashFactor = 0x9fb21c651e98df25u;

// `base`: PathNode::key_base(), which stands for the path and holds a number that nobody outside
// knows, so that nobody can choose values whose keys crowd one end of a table.
inline uint32_t LookupKey(uint64_t base, KeyKind kind, uint64_t length, uint64_t hash) {
  const uint64_t facts = (length << 5) ^ static_cast<uint64_t>(kind);
  return static_cast<uint32_t>(Mix64(hash ^ base ^ (facts * kHashFactor)) >> 32);
}

// The first byte is the lowest, on every machine.
inline uint64_t Load64(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
  return word;
}

// The first n <= 8 bytes, the rest zero. Reads no others.
inline uint64_t LoadUpTo8(const char* bytes, size_t n) {
  if (n == 8) return Load64(bytes);
  if (n >= 4) {
    uint32_t first, last;
    std::memcpy(&first, bytes, 4);
    std::memcpy(&last, bytes + n - 4, 4);
    if constexpr (std::endian::native == std::endian::big) {
      first = __builtin_bswap32(first);
      last = __builtin_bswap32(last);
    }
    return first | (uint64_t{last} << ((n - 4) * 8));
  }
  if (n == 0) return 0;
  // The first, the middle and the last byte: of one to three these are all, and there is no loop.
  const auto byte = [bytes](size_t i) {
    return uint64_t{static_cast<unsigned char>(bytes[i])} << (i * 8);
  };
  return byte(0) | byte(n / 2) | byte(n - 1);
}

inline char FoldAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// The same for eight at once.
inline uint64_t FoldAscii(uint64_t word) {
  constexpr uint64_t kEach = 0x0101010101010101u;
  constexpr uint64_t kHigh = 0x80 * kEach;
  const uint64_t low = word & ~kHigh;
  // The high bit of each byte: it is 'A' or more; it is more than 'Z'. No sum reaches the next
  // byte.
  const uint64_t from_a = low + (0x80 - 'A') * kEach;
  const uint64_t behind_z = low + (0x80 - 'Z' - 1) * kEach;
  return word | ((from_a & ~behind_z & ~word & kHigh) >> 2);
}

inline uint64_t HashStep(uint64_t hash, uint64_t word) {
  return std::rotl(hash ^ word, 29) * kHashFactor;
}

inline uint64_t HashOf(std::string_view text) {
  uint64_t hash = text.size() * kHashFactor;
  const char* bytes = text.data();
  size_t n = text.size();
  for (; n > 8; n -= 8, bytes += 8) hash = HashStep(hash, Load64(bytes));
  return hash ^ LoadUpTo8(bytes, n);  // LookupKey() mixes
}

inline uint64_t FoldedProduct(uint64_t a, uint64_t b) {
  const absl::uint128 product = absl::uint128(a) * b;
  return absl::Uint128High64(product) ^ absl::Uint128Low64(product);
}

// For tables whose chains are walked each time: who does not know the secret cannot make texts
// whose hashes are equal.
inline uint64_t SecretHash(std::string_view text, uint64_t secret) {
  const uint64_t other = secret * kHashFactor;
  uint64_t hash = secret;
  const char* bytes = text.data();
  size_t n = text.size();
  for (; n > 16; n -= 16, bytes += 16) {
    hash = FoldedProduct(Load64(bytes) ^ other, Load64(bytes + 8) ^ hash);
  }
  const size_t half = std::min<size_t>(n, 8);
  const uint64_t low = LoadUpTo8(bytes, half);
  const uint64_t high = LoadUpTo8(bytes + half, n - half);
  return FoldedProduct(other ^ text.size(), FoldedProduct(low ^ other, high ^ hash));
}

// Hashes of a text's beginnings, or of its ends, for lengths that ascend: all of them cost one
// pass. Word by word, from the side where all begin; with A-Z made a-z if that is asked for.
class AffixHashes {
 public:
  AffixHashes(std::string_view text, bool from_end, bool folded)
      : text_(text), from_end_(from_end), folded_(folded) {}

  // Of the first, or last, `length` bytes; not fewer than were asked for before.
  uint64_t Of(size_t length) {
    for (; length - done_ > 8; done_ += 8) hash_ = HashStep(hash_, Word(8));
    return hash_ ^ Word(length - done_);
  }

 private:
  uint64_t Word(size_t size) const {
    const char* at = from_end_ ? text_.data() + text_.size() - done_ - size : text_.data() + done_;
    const uint64_t word = LoadUpTo8(at, size);
    return folded_ ? FoldAscii(word) : word;
  }

  const std::string_view text_;
  const bool from_end_;
  const bool folded_;
  uint64_t hash_ = 0;
  size_t done_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_LOOKUP_KEY_H_
