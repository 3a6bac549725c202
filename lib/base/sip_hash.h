// SPDX-License-Identifier: Apache-2.0
//
// SipHash-2-4 with 128 bits of output: a hash under a secret key. Who does not know the key cannot
// make two texts that collide, nor tell the hashes from random numbers.
//
//   SipHasher hasher(key);
//   hasher.Add(group.size());             // whole words first,
//   hasher.AddPadded(group);
//   SipDigest digest = hasher.Finish(id); // then the rest, of any length
//
// Where a collision would be believed rather than checked, this and not a faster hash: those of
// the multiply-and-fold kind have no such claim behind them. Where texts are compared in the end,
// as in a hash map, it is too dear.
//
// Source   Aumasson, Bernstein: "SipHash: a fast short-input PRF", 2012; 128 bits as in the
//          authors' reference code.
// Threads  A value.
#ifndef BANYAN_LIB_BASE_SIP_HASH_H_
#define BANYAN_LIB_BASE_SIP_HASH_H_

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace banyan::inline v0_1::internal {

struct SipKey {
  uint64_t low = 0;
  uint64_t high = 0;
};

struct SipDigest {
  uint64_t low = 0;
  uint64_t high = 0;

  friend bool operator==(const SipDigest&, const SipDigest&) = default;
};

class SipHasher {
 public:
  // The constants are the ASCII of "somepseudorandomlygeneratedbytes"; 0xee asks for 128 bits.
  explicit SipHasher(const SipKey& key)
      : a_(key.low ^ 0x736f6d6570736575u),
        b_(key.high ^ 0x646f72616e646f6du ^ 0xee),
        c_(key.low ^ 0x6c7967656e657261u),
        d_(key.high ^ 0x7465646279746573u) {}

  // Eight bytes, the lowest first.
  void Add(uint64_t word) {
    Absorb(word);
    words_ += 1;
  }

  // The bytes, and zeros up to a whole word. Add the size, too, unless it is fixed.
  void AddPadded(std::string_view bytes) {
    const std::string_view rest = AddWords(bytes);
    if (!rest.empty()) Add(LoadUpTo7(rest));
  }

  // The bytes, and the end. No call may follow.
  SipDigest Finish(std::string_view bytes) {
    const std::string_view rest = AddWords(bytes);
    const uint64_t size = words_ * 8 + rest.size();
    Absorb(LoadUpTo7(rest) | size << 56);
    c_ ^= 0xee;
    for (int i = 0; i < 4; ++i) Round();
    const uint64_t low = a_ ^ b_ ^ c_ ^ d_;
    b_ ^= 0xdd;
    for (int i = 0; i < 4; ++i) Round();
    return {.low = low, .high = a_ ^ b_ ^ c_ ^ d_};
  }

 private:
  static uint64_t LoadUpTo7(std::string_view bytes) {
    uint64_t word = 0;
    for (size_t i = bytes.size(); i-- > 0;) word = word << 8 | static_cast<unsigned char>(bytes[i]);
    return word;
  }

  static uint64_t Load8(const char* bytes) {
    uint64_t word;
    std::memcpy(&word, bytes, 8);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    return word;
  }

  // Answers what is left: fewer than eight bytes.
  std::string_view AddWords(std::string_view bytes) {
    for (; bytes.size() >= 8; bytes.remove_prefix(8)) Add(Load8(bytes.data()));
    return bytes;
  }

  void Absorb(uint64_t word) {
    d_ ^= word;
    Round();
    Round();
    a_ ^= word;
  }

  void Round() {
    a_ += b_;
    c_ += d_;
    b_ = std::rotl(b_, 13) ^ a_;
    d_ = std::rotl(d_, 16) ^ c_;
    a_ = std::rotl(a_, 32);
    c_ += b_;
    a_ += d_;
    b_ = std::rotl(b_, 17) ^ c_;
    d_ = std::rotl(d_, 21) ^ a_;
    c_ = std::rotl(c_, 32);
  }

  uint64_t a_, b_, c_, d_;  // v0 to v3 in the paper
  uint64_t words_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_SIP_HASH_H_
