// SPDX-License-Identifier: Apache-2.0
//
// ValueSummary beside a naive twin: all values, sorted.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "banyan/window.h"
#include "base/mix.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

constexpr double kLargest = std::numeric_limits<double>::max();
constexpr double kSmallest = std::numeric_limits<double>::denorm_min();

class ValueDice {
 public:
  explicit ValueDice(uint64_t seed) : state_(seed) {}
  uint64_t Below(uint64_t bound) {
    state_ += internal::kMixStep;
    return internal::Mix64(state_) % bound;
  }
  double Share() { return static_cast<double>(Below(1'000'000)) / 1e6; }

 private:
  uint64_t state_;
};

double TrueOne(const std::vector<double>& sorted, double percent) {
  return sorted[static_cast<size_t>(percent * static_cast<double>(sorted.size() - 1) / 100)];
}

// Looks at every percentile; `least`: magnitudes below have no bound but this.
void ExpectNear(const ValueSummary& summary, std::vector<double> values, double error,
                double least = 0) {
  std::sort(values.begin(), values.end());
  for (double percent = 0; percent <= 100; percent += 0.5) {
    const double truth = TrueOne(values, percent);
    const double answer = summary.Percentile(percent);
    const double slack = std::abs(truth) * (error + 1e-9);
    EXPECT_NEAR(answer, truth, std::max(slack, least)) << percent << " percent";
  }
  EXPECT_EQ(summary.Percentile(0), values.front());
  EXPECT_EQ(summary.Percentile(100), values.back());
}

TEST(ValueSummaryTest, OfNothingIsNoNumber) {
  const ValueSummary summary;
  EXPECT_EQ(summary.count(), 0);
  EXPECT_EQ(summary.sum(), 0);
  EXPECT_TRUE(std::isnan(summary.min()));
  EXPECT_TRUE(std::isnan(summary.max()));
  EXPECT_TRUE(std::isnan(summary.mean()));
  EXPECT_TRUE(std::isnan(summary.Percentile(50)));
}

// 29 percent of 101 values in order: number 29, from 0. A rounding error would answer number 28.
TEST(ValueSummaryTest, AWholeRankIsThatRank) {
  for (int percent = 1; percent < 100; ++percent) {
    ValueSummary summary;
    for (int i = 0; i <= 100; ++i) summary.Add(i < percent ? 1 : 1'000);
    EXPECT_NEAR(summary.Percentile(percent), 1'000, 10) << percent << " percent";
  }
}

TEST(ValueSummaryTest, OfOneValueIsThatValue) {
  ValueSummary summary;
  ASSERT_TRUE(summary.Add(-7.25));
  for (const double percent : {-1.0, 0.0, 50.0, 99.9, 100.0, 1e9}) {
    EXPECT_EQ(summary.Percentile(percent), -7.25);
  }
  EXPECT_EQ(summary.mean(), -7.25);
}

TEST(ValueSummaryTest, PercentilesAreWithinTheirErrorOfTheTrueOnes) {
  constexpr uint64_t kSeeds = 400;
  for (uint64_t seed = 1; seed <= kSeeds && !::testing::Test::HasFailure(); ++seed) {
    const testing::SeedReporter reporter(seed);
    ValueDice dice(seed);
    constexpr double kErrors[] = {0.001, 0.01, 0.03, 0.1};
    const double error = kErrors[dice.Below(4)];
    const double reach = 1 + dice.Share() * 9;  // magnitudes over so many powers of ten
    const uint64_t shape = dice.Below(4);
    ValueSummary summary(error);
    std::vector<double> values;
    double sum = 0;
    for (uint64_t i = 1 + dice.Below(3'000); i > 0; --i) {
      double value = std::pow(10, (dice.Share() - 0.5) * reach);
      if (shape == 1) value = std::round(value);             // many are equal, or 0
      if (shape == 2 && dice.Below(2) == 0) value = -value;  // both signs
      if (shape == 3) value = -value * (dice.Below(5) == 0 ? 0 : 1);
      values.push_back(value);
      sum += value;
      ASSERT_TRUE(summary.Add(value));
    }
    ASSERT_EQ(summary.count(), static_cast<int64_t>(values.size()));
    EXPECT_NEAR(summary.sum(), sum, std::abs(sum) * 1e-9 + 1e-3);
    ExpectNear(summary, values, error, std::pow(10, reach / 2 - 9));
  }
  std::printf("seeds 1 to %d\n", static_cast<int>(kSeeds));
}

TEST(ValueSummaryTest, TheBoundIsMetExactlyAtABucketsEdges) {
  for (const double error : {0.001, 0.01, 0.1}) {
    const double growth = (1 + error) / (1 - error);
    for (int i = -300; i < 300; ++i) {
      const double edge = std::pow(growth, i);
      for (const double value : {std::nextafter(edge, 0), edge, std::nextafter(edge, kLargest)}) {
        ValueSummary summary(error);  // another above and below, or it would be exact
        for (const double v : {value * 1e-6, value, value * 1e6}) summary.Add(v);
        EXPECT_NEAR(summary.Percentile(50), value, value * error * (1 + 1e-9));
      }
    }
  }
}

TEST(ValueSummaryTest, HugeAndTinyNumbersKeepTheirErrorAndTheirSigns) {
  ValueSummary summary;
  const std::vector<double> values = {-kLargest, -1e300, -1, -kSmallest, 0,
                                      kSmallest, 1,      42, 1e300,      kLargest};
  for (const double value : values) ASSERT_TRUE(summary.Add(value));
  ExpectNear(summary, values, 0.01, kSmallest);
  EXPECT_EQ(summary.min(), -kLargest);
  EXPECT_EQ(summary.max(), kLargest);
}

TEST(ValueSummaryTest, WhatIsNoFiniteNumberIsRefused) {
  ValueSummary summary;
  EXPECT_FALSE(summary.Add(std::numeric_limits<double>::infinity()));
  EXPECT_FALSE(summary.Add(-std::numeric_limits<double>::infinity()));
  EXPECT_FALSE(summary.Add(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_EQ(summary.count(), 0);
}

TEST(ValueSummaryTest, SumsMakeUpForRounding) {
  ValueSummary summary;
  for (const double value : {1e100, 1.0, -1e100}) summary.Add(value);
  EXPECT_EQ(summary.sum(), 1);
  ValueSummary tenths;
  for (int i = 0; i < 1'000'000; ++i) tenths.Add(0.1);
  EXPECT_DOUBLE_EQ(tenths.sum(), 100'000);
}

TEST(ValueSummaryTest, ASumBeyondTheRangeIsInfinite) {
  ValueSummary summary;
  for (int i = 0; i < 3; ++i) summary.Add(kLargest);
  EXPECT_EQ(summary.sum(), std::numeric_limits<double>::infinity());
  EXPECT_EQ(summary.Percentile(50), kLargest);
}

// Values of six hundred powers of ten have more buckets than there may be.
TEST(ValueSummaryTest, MemoryIsBoundedAndLargeValuesKeepTheirError) {
  for (const double error : {0.001, 0.01, 0.1}) {
    for (const bool both_signs : {false, true}) {
      ValueSummary summary(error);
      std::vector<double> values;
      ValueDice dice(7);
      for (int i = 0; i < 60'000; ++i) {
        const double value = std::pow(10, dice.Share() * 600 - 300);
        values.push_back(both_signs && dice.Below(2) == 0 ? -value : value);
        summary.Add(values.back());
      }
      EXPECT_LE(static_cast<double>(summary.buckets()), 21 / error);
      std::sort(values.begin(), values.end());
      const double least =
          std::max(std::abs(values.front()), values.back()) * (both_signs ? 1e-9 : 1e-18);
      int64_t above = 0;
      for (double percent = 0; percent <= 100; percent += 0.1) {
        const double truth = TrueOne(values, percent);
        const double answer = summary.Percentile(percent);
        if (std::abs(truth) > least) {
          EXPECT_NEAR(answer, truth, std::abs(truth) * (error + 1e-9));
          ++above;
        } else {
          EXPECT_LE(std::abs(answer), least * (1 + error) * 1.3);
        }
      }
      EXPECT_GT(above, 5);
    }
  }
}

TEST(ValueSummaryTest, TwoMergedAreAsOneOfAllTheirValues) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const testing::SeedReporter reporter(seed);
    ValueDice dice(seed);
    ValueSummary all;
    ValueSummary one;
    ValueSummary other;
    for (uint64_t i = dice.Below(200); i > 0; --i) {
      const double value = std::pow(10, dice.Share() * 6) - 1'000;
      all.Add(value);
      (dice.Below(3) == 0 ? one : other).Add(value);
    }
    one.Merge(other);
    EXPECT_EQ(one.count(), all.count());
    EXPECT_NEAR(one.sum(), all.sum(), 1e-6);
    if (all.count() == 0) continue;
    EXPECT_EQ(one.min(), all.min());
    EXPECT_EQ(one.max(), all.max());
    for (double percent = 0; percent <= 100; percent += 1) {
      EXPECT_EQ(one.Percentile(percent), all.Percentile(percent));
    }
  }
}

TEST(ValueSummaryTest, WithoutPercentilesNothingIsKeptForThem) {
  ValueSummary summary(0);
  for (int i = 1; i <= 100; ++i) summary.Add(i);
  EXPECT_EQ(summary.buckets(), 0u);
  EXPECT_TRUE(std::isnan(summary.Percentile(50)));
  EXPECT_EQ(summary.sum(), 5'050);
}

}  // namespace
}  // namespace banyan
