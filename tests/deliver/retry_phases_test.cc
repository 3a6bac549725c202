// SPDX-License-Identifier: Apache-2.0
//
// From spec/topics.md 6: the four phases in which subscriptions are retried.
#include <algorithm>
#include <vector>

#include "deliver/retry.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

// The longest before each retry.
std::vector<double> Waits(const RetryPhases& phases) {
  std::vector<double> seconds;
  for (int64_t retry = 1; retry <= phases.retries; ++retry) {
    seconds.push_back(static_cast<double>(LongestWaitNanoseconds(phases, retry)) / 1e9);
  }
  return seconds;
}

constexpr int64_t kSecond = 1'000'000'000;

TEST(RetryPhasesTest, TheDefaultIsThreeTimesTwentySeconds) {
  EXPECT_THAT(Waits({}), ElementsAre(20, 20, 20));
  EXPECT_EQ(LongestTotalWait({}), absl::Minutes(1));
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

// The table's first row, and its sum.
TEST(RetryPhasesTest, WhatAwsRunsIsRetriedForTwentyThreeDays) {
  const std::vector<double> waits = Waits(AwsManagedPhases());
  ASSERT_EQ(waits.size(), 100'015u);
  EXPECT_THAT(std::vector<double>(waits.begin(), waits.begin() + 6), ElementsAre(0, 0, 0, 1, 1, 1));
  EXPECT_TRUE(std::is_sorted(waits.begin(), waits.end()));
  EXPECT_LT(waits[5 + 10 - 2], 20) << "the last but one of the ten that back off";
  EXPECT_EQ(waits[5 + 10 - 1], 20);
  EXPECT_EQ(std::count(waits.begin() + 15, waits.end(), 20), 100'000);
  EXPECT_EQ(LongestTotalWait(AwsManagedPhases()) / absl::Hours(24), 23);
}

TEST(RetryPhasesTest, JitterIsForTheBackoffPhaseAndStaysBetweenItsBounds) {
  const RetryPhases phases = AwsManagedPhases();
  for (const int64_t retry : {1, 2, 3, 4, 5, 6, 16, 17, 50'000, 100'015}) {
    for (const uint64_t random : {uint64_t{0}, ~uint64_t{0}, uint64_t{0x9e3779b97f4a7c15}}) {
      EXPECT_EQ(WaitNanoseconds(phases, retry, random), LongestWaitNanoseconds(phases, retry))
          << retry;
    }
  }
  for (int64_t retry = 7; retry <= 15; ++retry) {
    const int64_t bound = LongestWaitNanoseconds(phases, retry);
    int64_t least = bound, most = 0;
    for (uint64_t i = 0; i < 5'000; ++i) {
      const int64_t wait = WaitNanoseconds(phases, retry, i * 0x9e3779b97f4a7c15u);
      least = std::min(least, wait);
      most = std::max(most, wait);
    }
    EXPECT_GE(least, kSecond) << retry;
    EXPECT_LE(most, bound) << retry;
    EXPECT_LT(least - kSecond, (bound - kSecond) / 10) << retry << ": drawn from the whole";
    EXPECT_GT(most - kSecond, (bound - kSecond) / 10 * 9) << retry;
  }
}

TEST(RetryPhasesTest, AServersTwentySecondsAreTwentySeconds) {
  for (uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(WaitNanoseconds({}, 1 + static_cast<int64_t>(i % 3), i * 0x9e3779b97f4a7c15u),
              20 * kSecond);
  }
}

}  // namespace
}  // namespace banyan::internal
