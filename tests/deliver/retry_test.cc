// SPDX-License-Identifier: Apache-2.0
#include "deliver/retry.h"

#include "banyan/error.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

using ::testing::HasSubstr;

constexpr RetryPolicy kPolicy = {.backoff_first = absl::Milliseconds(100),
                                 .backoff_max = absl::Seconds(1)};

int64_t LongestWait(int64_t retry) {
  int64_t longest = 0;
  for (uint64_t random = 0; random < 5'000; ++random) {
    longest = std::max(longest, BackOffNanoseconds(kPolicy, retry, random * 0x9e3779b97f4a7c15u));
  }
  return longest;
}

TEST(BackOffTest, TheBoundDoublesUpToTheMaximum) {
  const int64_t bounds_ms[] = {100, 200, 400, 800, 1'000, 1'000};
  for (int64_t retry = 1; retry <= 6; ++retry) {
    const int64_t bound = bounds_ms[retry - 1] * 1'000'000;
    EXPECT_LE(LongestWait(retry), bound) << retry;
    EXPECT_GT(LongestWait(retry), bound / 10 * 9) << retry;
  }
}

TEST(BackOffTest, TheHundredThousandthRetryIsAsGoodAsAny) {
  EXPECT_LE(BackOffNanoseconds(kPolicy, 100'015, ~uint64_t{0}), 1'000'000'000);
  EXPECT_GE(BackOffNanoseconds(kPolicy, 100'015, ~uint64_t{0}), 0);
}

TEST(BackOffTest, NoWaitIsPossible) { EXPECT_EQ(BackOffNanoseconds(kPolicy, 3, 0), 0); }

TEST(RetryPolicyTest, DefaultsAndLimitsAreThoseOfTheServices) {
  EXPECT_EQ(DefaultBusRetry().retries_max, 185);
  EXPECT_EQ(DefaultBusRetry().age_max, absl::Hours(24));
  EXPECT_TRUE(
      ValidateRetryPolicy(DefaultBusRetry(), BusRetryLimits(), AwsError::kBusValidation).ok());
  const RetryPolicy most = {.retries_max = 100'015, .age_max = absl::Hours(24) * 23};
  EXPECT_TRUE(ValidateRetryPolicy(most, TopicRetryLimits(), AwsError::kTopicInvalidParameter).ok());
}

TEST(RetryPolicyTest, ARefusalNamesFieldValueAndRange) {
  const absl::Status refused =
      ValidateRetryPolicy({.retries_max = 186}, BusRetryLimits(), AwsError::kBusValidation);
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(FindAwsError(refused)->code, "ValidationException");
  EXPECT_THAT(std::string(refused.message()), HasSubstr("retries_max"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("186"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("between 0 and 185"));
}

TEST(RetryPolicyTest, EveryFieldHasBothEnds) {
  const RetryPolicy bad[] = {
      {.retries_max = -1},
      {.age_max = absl::Seconds(59)},
      {.age_max = absl::Hours(25)},
      {.age_max = absl::InfiniteDuration()},
      {.backoff_first = absl::ZeroDuration()},
      {.backoff_first = absl::Hours(2), .backoff_max = absl::Hours(2)},
      {.backoff_first = absl::Seconds(2), .backoff_max = absl::Seconds(1)},
      {.waiting_max = 0},
      {.waiting_max = 10'000'001},
  };
  for (const RetryPolicy& policy : bad) {
    EXPECT_FALSE(ValidateRetryPolicy(policy, BusRetryLimits(), AwsError::kBusValidation).ok());
  }
}

}  // namespace
}  // namespace banyan::internal
