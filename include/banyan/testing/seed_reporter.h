// SPDX-License-Identifier: Apache-2.0
//
// SeedReporter: while it lives, every GoogleTest failure of this thread names the seed to replay.
//
//   SimulatedRuntime runtime({.seed = seed, .shuffle = true});
//   SeedReporter reporter(runtime);
//   EXPECT_EQ(...);  // on failure: "Google Test trace: my_test.cc:12: seed 7"
//
// Works in a fixture, too: as a member after the runtime.
//
// Threads   Made and destroyed on the thread whose failures it explains.
#ifndef BANYAN_TESTING_SEED_REPORTER_H_
#define BANYAN_TESTING_SEED_REPORTER_H_

#include <cstdint>
#include <string>

#include "banyan/testing/simulated_runtime.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1::testing {

class SeedReporter {
 public:
  explicit SeedReporter(uint64_t seed, const char* file = __builtin_FILE(),
                        int line = __builtin_LINE())
      : trace_(file, line, "seed " + std::to_string(seed)) {}

  explicit SeedReporter(const SimulatedRuntime& runtime, const char* file = __builtin_FILE(),
                        int line = __builtin_LINE())
      : SeedReporter(runtime.seed(), file, line) {}

 private:
  ::testing::ScopedTrace trace_;
};

}  // namespace banyan::inline v0_1::testing

#endif  // BANYAN_TESTING_SEED_REPORTER_H_
