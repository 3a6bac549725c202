// SPDX-License-Identifier: Apache-2.0
#include "deliver/retry.h"

#include <algorithm>
#include <string_view>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kWaitingMaxCeiling = 10'000'000;

absl::Status CheckRange(AwsError error, std::string_view field, int64_t value, int64_t low,
                        int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Error(error, "Invalid parameter: RetryPolicy: ", field, ": Invalid value [", value,
               "]. Must be between ", low, " and ", high);
}

absl::Status CheckRange(AwsError error, std::string_view field, absl::Duration value,
                        absl::Duration low, absl::Duration high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return Error(error, "Invalid parameter: RetryPolicy: ", field, ": Invalid value [",
               absl::FormatDuration(value), "]. Must be between ", absl::FormatDuration(low),
               " and ", absl::FormatDuration(high));
}

}  // namespace

// SNS promises a queue or function 100,015 retries over 23 days: three at once, two after a second,
// then from 1 s to 20 s, at last every 20 s. Ours starts with jitter below 1 s instead of at once.
RetryPolicy DefaultTopicRetry() {
  return {.retries_max = 100'015,
          .age_max = absl::Hours(23 * 24),
          .backoff_first = absl::Seconds(1),
          .backoff_max = absl::Seconds(20)};
}

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

}  // namespace banyan::inline v0_1::internal
