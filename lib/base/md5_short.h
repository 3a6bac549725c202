// SPDX-License-Identifier: Apache-2.0
//
// MD5 of texts that fit into one block, as partition keys do: alone, or many side by side.
//
// Decision  Our own block function, of the kind one leaves to a library otherwise: a stream hashes
//           a key for each record, and no door of libcrypto is narrow enough. Measured for 16
//           bytes, in one run of bench/placement_bench: 73 ns here; 85 through a bare
//           MD5_Transform, without padding and digest, which is deprecated since OpenSSL 3.0 and
//           left out where that is built without what is deprecated; 120 through EVP, see hash.h.
//           And it has none for several texts: a block is one chain of 64 steps, each waiting for
//           the one before, so that sixteen chains next to each other take three times the time of
//           one: 15 ns a text.
// Machine   Any. Where the compiler has vectors of a fixed size (g++, clang) the chains are the
//           lanes of one, which it spreads over what registers there are; on x86-64 a second copy
//           of the code is for AVX2, and is chosen at run time. Two registers of eight lanes and
//           not one: each step waits for the step before, in which time the other chains go on.
// Threads   Any.
// Source    RFC 1321
#ifndef BANYAN_LIB_BASE_MD5_SHORT_H_
#define BANYAN_LIB_BASE_MD5_SHORT_H_

#include <cstddef>
#include <string_view>

#include "absl/types/span.h"
#include "base/hash.h"

namespace banyan::inline v0_1::internal {

// A block has 64 bytes: the text, one that ends it, and eight for its size.
inline constexpr size_t kMd5ShortMax = 55;

// The same as Md5(bytes), for at most kMd5ShortMax bytes.
Md5Digest Md5Short(std::string_view bytes);

inline constexpr size_t kMd5Lanes = 16;

// Writes the digests of up to kMd5Lanes texts of at most kMd5ShortMax bytes each. Two texts take as
// long as sixteen.
void Md5ShortLanes(absl::Span<const std::string_view> texts, Md5Digest* digests);

// The same without instructions that not every machine has. For tests and benchmarks.
void Md5ShortLanesPortable(absl::Span<const std::string_view> texts, Md5Digest* digests);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_MD5_SHORT_H_
