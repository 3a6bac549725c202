// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 6: the four phases in which HTTP endpoints are retried.
#include <vector>

#include "deliver/retry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

std::vector<double> Waits(const RetryPhases& phases) {
  std::vector<double> seconds;
  for (int64_t retry = 1; retry <= phases.retries; ++retry) {
    seconds.push_back(static_cast<double>(WaitNanoseconds(phases, retry)) / 1e9);
  }
  return seconds;
}

TEST(RetryPhasesTest, TheDefaultIsThreeTimesTwentySeconds) {
  EXPECT_THAT(Waits({}), ElementsAre(20, 20, 20));
  EXPECT_EQ(TotalWait({}), absl::Minutes(1));
}

TEST(RetryPhasesTest, PhasesComeOneAfterTheOther) {
  EXPECT_THAT(Waits({.retries = 9,
                     .no_delay = 2,
                     .min_delay = 1,
                     .max_delay = 2,
                     .delay_min = absl::Seconds(5),
                     .delay_max = absl::Seconds(20)}),
              ElementsAre(0, 0, 5, 5, 10, 15, 20, 20, 20));
}

TEST(RetryPhasesTest, EachFunctionGrowsInItsOwnWay) {
  RetryPhases phases = {
      .retries = 5, .delay_min = absl::Seconds(1), .delay_max = absl::Seconds(16)};
  EXPECT_THAT(Waits(phases), ElementsAre(1, 4.75, 8.5, 12.25, 16));
  phases.backoff = BackoffFunction::kArithmetic;
  EXPECT_THAT(Waits(phases), ElementsAre(1, 2.5, 5.5, 10, 16)) << "steps of 1, 2, 3, 4 times 1.5";
  phases.backoff = BackoffFunction::kGeometric;
  EXPECT_THAT(Waits(phases), ElementsAre(1, 2, 4, 8, 16));
  phases.backoff = BackoffFunction::kExponential;
  EXPECT_THAT(Waits(phases), ElementsAre(1, 2, 4, 8, 16)) << "steps of 1, 2, 4, 8";
}

TEST(RetryPhasesTest, EveryFunctionBeginsAtTheLeastAndEndsAtTheMost) {
  for (const BackoffFunction function :
       {BackoffFunction::kLinear, BackoffFunction::kArithmetic, BackoffFunction::kGeometric,
        BackoffFunction::kExponential}) {
    const std::vector<double> waits = Waits({.retries = 100,
                                             .delay_min = absl::Seconds(3),
                                             .delay_max = absl::Seconds(30),
                                             .backoff = function});
    EXPECT_EQ(waits.front(), 3);
    EXPECT_EQ(waits.back(), 30);
    EXPECT_TRUE(std::is_sorted(waits.begin(), waits.end()));
  }
}

TEST(RetryPhasesTest, OneRetryInTheBackoffPhaseWaitsTheLeast) {
  for (const BackoffFunction function :
       {BackoffFunction::kLinear, BackoffFunction::kArithmetic, BackoffFunction::kGeometric,
        BackoffFunction::kExponential}) {
    EXPECT_THAT(Waits({.retries = 1,
                       .delay_min = absl::Seconds(3),
                       .delay_max = absl::Seconds(30),
                       .backoff = function}),
                Each(3));
  }
}

}  // namespace
}  // namespace banyan::internal
