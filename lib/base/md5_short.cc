// SPDX-License-Identifier: Apache-2.0
#include "base/md5_short.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace banyan::inline v0_1::internal {
namespace {

// floor(2^32 * abs(sin(i + 1))), as section 3.4 of the RFC has it.
constexpr uint32_t kSines[64] = {
    0xd76aa478, 0xe8c7b756, 0x242070db, 0xc1bdceee, 0xf57c0faf, 0x4787c62a, 0xa8304613, 0xfd469501,
    0x698098d8, 0x8b44f7af, 0xffff5bb1, 0x895cd7be, 0x6b901122, 0xfd987193, 0xa679438e, 0x49b40821,
    0xf61e2562, 0xc040b340, 0x265e5a51, 0xe9b6c7aa, 0xd62f105d, 0x02441453, 0xd8a1e681, 0xe7d3fbc8,
    0x21e1cde6, 0xc33707d6, 0xf4d50d87, 0x455a14ed, 0xa9e3e905, 0xfcefa3f8, 0x676f02d9, 0x8d2a4c8a,
    0xfffa3942, 0x8771f681, 0x6d9d6122, 0xfde5380c, 0xa4beea44, 0x4bdecfa9, 0xf6bb4b60, 0xbebfbc70,
    0x289b7ec6, 0xeaa127fa, 0xd4ef3085, 0x04881d05, 0xd9d4d039, 0xe6db99e5, 0x1fa27cf8, 0xc4ac5665,
    0xf4292244, 0x432aff97, 0xab9423a7, 0xfc93a039, 0x655b59c3, 0x8f0ccc92, 0xffeff47d, 0x85845dd1,
    0x6fa87e4f, 0xfe2ce6e0, 0xa3014314, 0x4e0811a1, 0xf7537e82, 0xbd3af235, 0x2ad7d2bb, 0xeb86d391};

// How far a step of each of the four rounds turns its sum to the left.
constexpr int kTurns[4][4] = {{7, 12, 17, 22}, {5, 9, 14, 20}, {4, 11, 16, 23}, {6, 10, 15, 21}};

// Which of the block's 16 words a step takes: i, 5i + 1, 3i + 5, 7i.
constexpr int kStride[4] = {1, 5, 3, 7};
constexpr int kOffset[4] = {0, 1, 5, 0};

constexpr uint32_t kStart[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};

uint32_t LittleEndian(uint32_t word) {
  if constexpr (std::endian::native == std::endian::big) {
    word = word << 24 | (word & 0xff00) << 8 | (word >> 8 & 0xff00) | word >> 24;
  }
  return word;
}

// Writes those words of a text's block that need not be zero: the text with the byte that ends it,
// and its size in bits. One word is `stride` behind the other. By words and not with memcpy: the
// steps would have to wait until bytes just written can be read as words.
void LoadText(std::string_view text, uint32_t* block, size_t stride) {
  const char* bytes = text.data();
  uint32_t* word = block;
  for (size_t i = 0; i < text.size() / 4; ++i, bytes += 4, word += stride) {
    uint32_t four;
    std::memcpy(&four, bytes, 4);
    *word = LittleEndian(four);
  }
  uint32_t last = 0x80;
  for (size_t i = text.size() % 4; i-- > 0;) last = last << 8 | static_cast<uint8_t>(bytes[i]);
  *word = last;
  block[14 * stride] = static_cast<uint32_t>(text.size()) * 8;
}

void StoreDigest(const uint32_t* state, size_t stride, Md5Digest& digest) {
  for (size_t i = 0; i < 4; ++i) {
    const uint32_t word = LittleEndian(state[i * stride]);
    std::memcpy(digest.data() + 4 * i, &word, 4);
  }
}

#if defined(__GNUC__)
using Lanes [[gnu::vector_size(4 * kMd5Lanes)]] = uint32_t;
#endif

// All steps have to end up in one function, which holds the chains in registers. And each has to be
// said to be for AVX2 itself: g++ splits vectors into what a function may use before it puts one
// function into another. So the steps are there twice, in a namespace each.
namespace portable {
#if defined(__GNUC__)
#define BANYAN_MD5_STEPS [[gnu::always_inline]] inline
#else
#define BANYAN_MD5_STEPS inline
#endif
#include "base/md5_steps.inc"
#undef BANYAN_MD5_STEPS
}  // namespace portable

#if defined(__GNUC__) && defined(__x86_64__)
#define BANYAN_MD5_HAS_AVX2 1
namespace avx2 {
#define BANYAN_MD5_STEPS [[gnu::always_inline, gnu::target("avx2")]] inline
#include "base/md5_steps.inc"
#undef BANYAN_MD5_STEPS
}  // namespace avx2

[[gnu::target("avx2")]] void DigestLanesAvx2(absl::Span<const std::string_view> texts,
                                             Md5Digest* digests) {
  avx2::DigestLanes(texts, digests);
}

bool HasAvx2() {
  static const bool has = __builtin_cpu_supports("avx2") != 0;
  return has;
}
#endif

void CheckLanes(absl::Span<const std::string_view> texts) {
  BANYAN_CHECK(texts.size() <= kMd5Lanes, "there is a lane for each text");
  for (const std::string_view text : texts) {
    BANYAN_CHECK(text.size() <= kMd5ShortMax, "the text fits into a block");
  }
}

}  // namespace

Md5Digest Md5Short(std::string_view bytes) {
  BANYAN_CHECK(bytes.size() <= kMd5ShortMax, "the text fits into a block");
  uint32_t block[16] = {};
  LoadText(bytes, block, 1);
  uint32_t state[4] = {};
  portable::DigestBlock(block, state);
  Md5Digest digest;
  StoreDigest(state, 1, digest);
  return digest;
}

void Md5ShortLanesPortable(absl::Span<const std::string_view> texts, Md5Digest* digests) {
  CheckLanes(texts);
#if defined(__GNUC__)
  portable::DigestLanes(texts, digests);
#else
  for (const std::string_view text : texts) *digests++ = Md5Short(text);
#endif
}

void Md5ShortLanes(absl::Span<const std::string_view> texts, Md5Digest* digests) {
#if defined(BANYAN_MD5_HAS_AVX2)
  if (HasAvx2()) {
    CheckLanes(texts);
    return DigestLanesAvx2(texts, digests);
  }
#endif
  Md5ShortLanesPortable(texts, digests);
}

}  // namespace banyan::inline v0_1::internal
