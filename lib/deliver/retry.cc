// SPDX-License-Identifier: Apache-2.0
#include "deliver/retry.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kWaitingMaxCeiling = 10'000'000;

// In the words of the service that is asked.
std::string_view PrefixOf(AwsError error) {
  return error == AwsError::kTopicInvalidParameter ? "Invalid parameter: RetryPolicy: "
                                                   : "Parameter RetryPolicy is not valid. Reason: ";
}

absl::Status CheckRange(AwsError error, std::string_view field, int64_t value, int64_t low,
                        int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Error(error, PrefixOf(error), field, ": Invalid value [", value, "]. Must be between ",
               low, " and ", high);
}

absl::Status CheckRange(AwsError error, std::string_view field, absl::Duration value,
                        absl::Duration low, absl::Duration high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Error(error, PrefixOf(error), field, ": Invalid value [", absl::FormatDuration(value),
               "]. Must be between ", absl::FormatDuration(low), " and ",
               absl::FormatDuration(high));
}

}  // namespace

RetryPolicy DefaultBusRetry() { return {}; }

absl::Status ValidateRetryPolicy(const RetryPolicy& policy, const RetryLimits& limits,
                                 AwsError error) {
  BANYAN_RETURN_IF_ERROR(
      CheckRange(error, "retries_max", policy.retries_max, 0, limits.retries_max));
  BANYAN_RETURN_IF_ERROR(
      CheckRange(error, "age_max", policy.age_max, absl::Minutes(1), limits.age_max));
  BANYAN_RETURN_IF_ERROR(CheckRange(error, "backoff_first", policy.backoff_first,
                                    absl::Milliseconds(1), absl::Hours(1)));
  BANYAN_RETURN_IF_ERROR(
      CheckRange(error, "backoff_max", policy.backoff_max, policy.backoff_first, absl::Hours(1)));
  return CheckRange(error, "waiting_max", policy.waiting_max, 1, kWaitingMaxCeiling);
}

int64_t BackOffNanoseconds(const RetryPolicy& policy, int64_t retry, uint64_t random) {
  const int64_t most = CeilNanoseconds(policy.backoff_max);
  int64_t bound = std::min(CeilNanoseconds(policy.backoff_first), most);
  for (int64_t n = 1; n < retry && bound < most; ++n) bound = std::min(2 * bound, most);
  // The remainder favours small values by less than one part in a million: bound is below 2^42.
  return static_cast<int64_t>(random % static_cast<uint64_t>(bound + 1));
}

namespace {

// How far between the least and the most wait retry number `k` (from 0) of `n` is, 0 to 1. Not
// for geometric growth, which is no sum of steps.
double Progress(BackoffFunction function, double k, double n) {
  const double last = n - 1;
  switch (function) {
    case BackoffFunction::kArithmetic:
      return k * (k + 1) / (last * (last + 1));
    case BackoffFunction::kExponential:
      return (std::exp2(k) - 1) / (std::exp2(last) - 1);
    default:
      return k / last;
  }
}

}  // namespace

RetryPhases AwsManagedPhases() {
  return {.retries = 100'015,
          .no_delay = 3,
          .min_delay = 2,
          .max_delay = 100'000,
          .delay_min = absl::Seconds(1),
          .delay_max = absl::Seconds(20),
          .backoff = BackoffFunction::kExponential};
}

int64_t LongestWaitNanoseconds(const RetryPhases& phases, int64_t retry) {
  if (retry <= phases.no_delay) return 0;
  const int64_t least = CeilNanoseconds(phases.delay_min);
  const int64_t most = CeilNanoseconds(phases.delay_max);
  if (retry <= phases.no_delay + phases.min_delay) return least;
  if (retry > phases.retries - phases.max_delay) return most;

  const int64_t k = retry - phases.no_delay - phases.min_delay - 1;
  const int64_t n = phases.retries - phases.no_delay - phases.min_delay - phases.max_delay;
  if (k == 0 || least == most) return least;
  const double low = static_cast<double>(least), high = static_cast<double>(most);
  const double position = static_cast<double>(k), count = static_cast<double>(n);
  const double wait = phases.backoff == BackoffFunction::kGeometric
                          ? low * std::pow(high / low, position / (count - 1))
                          : low + (high - low) * Progress(phases.backoff, position, count);
  return std::clamp(static_cast<int64_t>(std::llround(wait)), least, most);
}

int64_t WaitNanoseconds(const RetryPhases& phases, int64_t retry, uint64_t random) {
  const int64_t longest = LongestWaitNanoseconds(phases, retry);
  const bool is_backing_off =
      retry > phases.no_delay + phases.min_delay && retry <= phases.retries - phases.max_delay;
  if (!is_backing_off) return longest;
  const int64_t least = CeilNanoseconds(phases.delay_min);
  // The remainder is as good here as in BackOffNanoseconds().
  return least + static_cast<int64_t>(random % static_cast<uint64_t>(longest - least + 1));
}

absl::Duration LongestTotalWait(const RetryPhases& phases) {
  absl::Duration total;
  for (int64_t retry = 1; retry <= phases.retries; ++retry) {
    total += absl::Nanoseconds(LongestWaitNanoseconds(phases, retry));
  }
  return total;
}

}  // namespace banyan::inline v0_1::internal
