// SPDX-License-Identifier: Apache-2.0
//
// Delivery under faults, end to end: topics, FIFO topics and buses deliver to queues that fill and
// are deleted, and to functions that fail, throw and take their time; dead-letter queues come to
// their end, topics too, what was given up is redriven, the wall clock jumps. A model that knows
// only what was accepted judges every step; see delivery_faults_testing.h.
//
//   BANYAN_TEST_ROUNDS=n   n times as many seeds
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "banyan/testing/seed_reporter.h"
#include "delivery_faults_testing.h"
#include "gtest/gtest.h"

namespace banyan {
namespace {

uint64_t Seeds(uint64_t usual) {
#ifdef BANYAN_SANITIZER
  usual = std::max<uint64_t>(1, usual / 10);
#endif
  const char* factor = std::getenv("BANYAN_TEST_ROUNDS");
  return factor == nullptr ? usual : usual * std::strtoull(factor, nullptr, 10);
}

constexpr int kSteps = 150;

TEST(DeliveryFaultsTest, NothingAcceptedIsLostAndNothingIsGivenUpTooSoon) {
  DeliveryStats all;
  const uint64_t seeds = Seeds(250);
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    const testing::SeedReporter reporter(seed);
    World world(seed);
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      world.Act();
      world.Check();
    }
    if (!::testing::Test::HasFailure()) world.Settle();
    if (::testing::Test::HasFailure()) return;
    all += world.Totals();
  }
  // It was worth the while.
  const int64_t least = static_cast<int64_t>(seeds);
  EXPECT_GE(all.delivered, 100 * least);
  EXPECT_GE(all.failed_attempts, 100 * least);
  EXPECT_GE(all.dead_lettered, 10 * least);
  EXPECT_GE(all.redelivered, least);
  EXPECT_GE(all.dropped, least);
}

TEST(DeliveryFaultsTest, WhatAStopLeavesIsWhatTheBooksSay) {
  for (uint64_t seed = 1; seed <= Seeds(50); ++seed) {
    const testing::SeedReporter reporter(seed);
    World world(1'000'000 + seed);
    for (int step = 0; step < kSteps && !::testing::Test::HasFailure(); ++step) {
      world.Act();
      world.Check();
    }
    world.Stop();
    if (::testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace banyan
