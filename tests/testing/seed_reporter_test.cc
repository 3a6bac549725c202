// SPDX-License-Identifier: Apache-2.0
#include "banyan/testing/seed_reporter.h"

#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest-spi.h"
#include "gtest/gtest.h"

namespace banyan::testing {
namespace {

TEST(SeedReporterTest, AFailureNamesTheSeedAndWhereItWasSet) {
  ::testing::TestPartResultArray failures;
  {
    const ::testing::ScopedFakeTestPartResultReporter catch_failures(&failures);
    const SimulatedRuntime runtime({.seed = 4711});
    const SeedReporter reporter(runtime);
    EXPECT_EQ(1, 2);
  }
  ASSERT_EQ(failures.size(), 1);
  EXPECT_THAT(failures.GetTestPartResult(0).message(), ::testing::HasSubstr("seed 4711"));
  EXPECT_THAT(failures.GetTestPartResult(0).message(),
              ::testing::HasSubstr("seed_reporter_test.cc"));
}

TEST(SeedReporterTest, AFailureAfterItsLifeDoesNot) {
  ::testing::TestPartResultArray failures;
  {
    const ::testing::ScopedFakeTestPartResultReporter catch_failures(&failures);
    { const SeedReporter reporter(4711); }
    EXPECT_EQ(1, 2);
  }
  ASSERT_EQ(failures.size(), 1);
  EXPECT_THAT(failures.GetTestPartResult(0).message(),
              ::testing::Not(::testing::HasSubstr("seed 4711")));
}

}  // namespace
}  // namespace banyan::testing
