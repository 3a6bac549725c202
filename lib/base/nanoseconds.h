// SPDX-License-Identifier: Apache-2.0
//
// Nanoseconds as plain integers: what clocks, deadlines and heaps compare.
#ifndef BANYAN_LIB_BASE_NANOSECONDS_H_
#define BANYAN_LIB_BASE_NANOSECONDS_H_

#include <algorithm>
#include <cstdint>
#include <limits>

#include "absl/time/time.h"

namespace banyan::inline v0_1::internal {

inline constexpr int64_t kNsPerMs = 1'000'000;

// A deadline that does not come.
inline constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

// No clock of ours goes beyond this (146 years): the sum of two such values does not overflow.
inline constexpr int64_t kLatest = kNever / 2;

// Rounds up, so that a deadline kept in nanoseconds is never early. Infinity (and anything beyond
// 292 years) becomes kNever.
inline int64_t CeilNanoseconds(absl::Duration d) {
  return absl::ToInt64Nanoseconds(absl::Ceil(d, absl::Nanoseconds(1)));
}

inline absl::Duration FromNanoseconds(int64_t ns) {
  return ns == kNever ? absl::InfiniteDuration() : absl::Nanoseconds(ns);
}

// a + b, but never past the ends of the range that clocks use.
inline int64_t AddClamped(int64_t a, int64_t b) {
  return std::clamp(a, -kLatest, kLatest) + std::clamp(b, -kLatest, kLatest);
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_NANOSECONDS_H_
