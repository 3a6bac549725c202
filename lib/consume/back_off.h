// SPDX-License-Identifier: Apache-2.0
//
// How long a handler is left alone after it failed.
#ifndef BANYAN_LIB_CONSUME_BACK_OFF_H_
#define BANYAN_LIB_CONSUME_BACK_OFF_H_

#include <algorithm>
#include <cstdint>

#include "absl/time/time.h"
#include "banyan/consumer.h"

namespace banyan::inline v0_1::internal {

// retry.first after the first failure, twice as long after each further one, at most retry.max.
inline absl::Duration BackOff(const Retry& retry, int64_t failures) {
  const auto doublings = std::clamp<int64_t>(failures - 1, 0, 62);
  return std::min(retry.first * (int64_t{1} << doublings), retry.max);
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_BACK_OFF_H_
