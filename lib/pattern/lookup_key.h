// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/lookup_key.h -- floor 2: 64 bits by which a value of an event finds the rules that may
// want it.
//
// A key is made of a path, a kind and some bytes, once from the rule and once from the event; equal
// facts give equal keys. Different ones may, too: a hit is a candidate and never an answer, and
// who makes texts with equal hashes gets no more than who uses one text twice.
#ifndef BANYAN_LIB_PATTERN_LOOKUP_KEY_H_
#define BANYAN_LIB_PATTERN_LOOKUP_KEY_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

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
  kName,          // no value: a child's name below the path
};
inline constexpr size_t kGramMax = 8;

inline constexpr uint64_t kHashFactor = 0x9fb21c651e98df25u;

// `base`: PathNode::key_base(), which stands for the path and holds a number that nobody outside
// knows, so that nobody can choose values whose keys crowd one end of a table.
inline uint64_t LookupKey(uint64_t base, KeyKind kind, uint64_t length, uint64_t hash) {
  const uint64_t facts = (length << 5) ^ static_cast<uint64_t>(kind);
  return Mix64(hash ^ base ^ (facts * kHashFactor));
}

inline uint64_t Load64(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, sizeof(word));
  return word;
}

// The first n <= 8 bytes, the rest zero. Reads no others.
inline uint64_t LoadUpTo8(const char* bytes, size_t n) {
  if (n == 8) return Load64(bytes);
  uint64_t word = 0;
  if (n >= 4) {
    uint32_t first, last;
    std::memcpy(&first, bytes, 4);
    std::memcpy(&last, bytes + n - 4, 4);
    return first | (uint64_t{last} << ((n - 4) * 8));
  }
  for (size_t i = 0; i < n; ++i) word |= uint64_t{static_cast<unsigned char>(bytes[i])} << (i * 8);
  return word;
}

inline uint64_t HashOf(std::string_view text) {
  uint64_t hash = text.size() * kHashFactor;
  const char* bytes = text.data();
  size_t n = text.size();
  for (; n > 8; n -= 8, bytes += 8) hash = std::rotl(hash ^ Load64(bytes), 29) * kHashFactor;
  return hash ^ LoadUpTo8(bytes, n);  // LookupKey() mixes
}

// A hash that grows byte by byte, so that all prefixes of a value cost one pass. Suffixes are taken
// from the end.
class RollingHash {
 public:
  uint64_t value() const { return value_; }
  void Add(char byte) { value_ = value_ * kHashFactor + static_cast<unsigned char>(byte) + 1; }

 private:
  uint64_t value_ = 0;
};

inline char FoldAscii(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_LOOKUP_KEY_H_
