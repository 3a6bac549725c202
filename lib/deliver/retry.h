// SPDX-License-Identifier: Apache-2.0
//
// lib/deliver/retry.h -- floor 4: when a failed delivery is tried again.
//
// Exponential back-off with full jitter: before retry n a random time between zero and
// min(backoff_first * 2^(n-1), backoff_max). Full, not "half fixed, half random": targets fail
// together, and only waits that begin at zero spread their return over the whole interval.
// Source  aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter
//
// SNS goes another way, in four phases: those of its table for queues, functions and streams that
// have no RetryPolicy of their own, and those of a DeliveryPolicy (delivery_policy.h) for HTTP
// endpoints. E-mail, text messages and push have a row in the table, too; here they are captured,
// and nothing of that can fail. SNS "applies jittering" and does not say to what. Ours is drawn in
// the back-off phase: full jitter, but never below the phase's least wait. The others are promised
// at fixed distances ("20 seconds apart", "over 23 days"), and keep them; what failed together is
// no longer in step when it has come that far.
// Source  docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
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

// What a rule's target does when it is told nothing (a subscription: AwsManagedPhases()), and the
// most they may be told.
RetryPolicy DefaultBusRetry();
inline RetryLimits TopicRetryLimits() { return {100'015, absl::Hours(23 * 24)}; }
inline RetryLimits BusRetryLimits() { return {185, absl::Hours(24)}; }

// OK, or `error` naming the field, its value and the range it left.
absl::Status ValidateRetryPolicy(const RetryPolicy& policy, const RetryLimits& limits,
                                 AwsError error);

// The wait before retry number `retry` (1, 2, ...), in nanoseconds; `random` is 64 random bits.
int64_t BackOffNanoseconds(const RetryPolicy& policy, int64_t retry, uint64_t random);

// How the waits of the back-off phase grow from the least to the most. AWS names these four and
// draws them; the formulas are ours, of the position x in the phase, from 0 at its first retry to 1
// at its last:
//   linear       by equal steps
//   arithmetic   by steps that grow by equal steps: 1, 2, 3, ...
//   geometric    each wait is the one before it times the same number
//   exponential  by steps of which each is twice the one before it
enum class BackoffFunction { kLinear, kArithmetic, kGeometric, kExponential };

//   retry   1 .. no_delay    at once
//           then min_delay   delay_min after each failure
//           then the others  from delay_min to delay_max
//           last max_delay   delay_max
struct RetryPhases {
  int64_t retries = 3;  // in all
  int64_t no_delay = 0;
  int64_t min_delay = 0;
  int64_t max_delay = 0;
  absl::Duration delay_min = absl::Seconds(20);
  absl::Duration delay_max = absl::Seconds(20);
  BackoffFunction backoff = BackoffFunction::kLinear;

  friend bool operator==(const RetryPhases&, const RetryPhases&) = default;
};

// SNS's way with what AWS runs itself: 3 retries at once, 2 after a second each, 10 from 1 s to
// 20 s, 100,000 every 20 s. That takes 23 days and some hours; the number ends it, no age.
RetryPhases AwsManagedPhases();

// The wait before retry number `retry` (1 to phases.retries), in nanoseconds; `random` is 64 random
// bits. And the longest it can be.
int64_t WaitNanoseconds(const RetryPhases& phases, int64_t retry, uint64_t random);
int64_t LongestWaitNanoseconds(const RetryPhases& phases, int64_t retry);

// Of all retries together, at most.
absl::Duration LongestTotalWait(const RetryPhases& phases);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_DELIVER_RETRY_H_
