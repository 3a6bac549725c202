// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/retry.h -- floor 4: when a failed delivery is tried again.
//
// Exponential back-off with full jitter: before retry n a random time between zero and
// min(backoff_first * 2^(n-1), backoff_max). Full, not "half fixed, half random": targets fail
// together, and only waits that begin at zero spread their return over the whole interval.
// Source  aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter
#ifndef BANYAN_LIB_DELIVER_RETRY_H_
#define BANYAN_LIB_DELIVER_RETRY_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "banyan/error.h"
#include "banyan/target.h"

namespace banyan::inline v0_1::internal {

// How far a service lets a RetryPolicy go.
struct RetryLimits {
  int64_t retries_max;
  absl::Duration age_max;
};

// What a service's targets do when they are told nothing, and the most they may be told.
RetryPolicy DefaultTopicRetry();
RetryPolicy DefaultBusRetry();
inline RetryLimits TopicRetryLimits() { return {100'015, absl::Hours(23 * 24)}; }
inline RetryLimits BusRetryLimits() { return {185, absl::Hours(24)}; }

// OK, or `error` naming the field, its value and the range it left.
absl::Status ValidateRetryPolicy(const RetryPolicy& policy, const RetryLimits& limits,
                                 AwsError error);

// The wait before retry number `retry` (1, 2, ...), in nanoseconds; `random` is 64 random bits.
int64_t BackOffNanoseconds(const RetryPolicy& policy, int64_t retry, uint64_t random);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_DELIVER_RETRY_H_
