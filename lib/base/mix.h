// SPDX-License-Identifier: Apache-2.0
//
// Mix64: scrambles 64 bits so that neighbours end up far apart.
#ifndef BANYAN_LIB_BASE_MIX_H_
#define BANYAN_LIB_BASE_MIX_H_

#include <cstdint>

namespace banyan::inline v0_1::internal {

// The output function of splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number
// generators", 2014). A bijection: different inputs never give the same output, so mixing a
// counter gives ids that look random and cannot collide.
constexpr uint64_t Mix64(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// The step of splitmix64: Mix64(seed), Mix64(seed + kMixStep), Mix64(seed + 2 * kMixStep), ...
// pass as random, and two streams with different seeds do not march in step.
inline constexpr uint64_t kMixStep = 0x9e3779b97f4a7c15u;

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_MIX_H_
