// SPDX-License-Identifier: Apache-2.0
//
// Delivery under faults, end to end: topics, FIFO topics and buses deliver to queues that fill and
// are deleted, and to functions that fail, throw and take their time; dead-letter queues come to
// their end, topics too, what was given up is redriven, the wall clock jumps. A model that knows
// only what was accepted judges every step; see delivery_faults_testing.h.
//
// Two thousand seeds and more, in shards that ctest runs beside each other.
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

constexpr uint64_t kShards = 8;
constexpr int kSteps = 150;

class DeliveryFaultsTest : public ::testing::TestWithParam<uint64_t> {
 protected:
  // How many seeds are this shard's, of which `usual` are there usually in all.
  static uint64_t Seeds(uint64_t usual) {
#ifdef BANYAN_SANITIZER
    usual /= 50;
#endif
    const char* factor = std::getenv("BANYAN_TEST_ROUNDS");
    if (factor != nullptr) usual *= std::strtoull(factor, nullptr, 10);
    return std::max<uint64_t>(1, usual / kShards);
  }
  // The seeds of the shards alternate, so that more rounds begin with the same ones.
  static uint64_t Seed(uint64_t number) { return 1 + number * kShards + GetParam(); }

  static void ActAndCheck(World* world) {
    for (int step = 0; step < kSteps && !HasFailure(); ++step) {
      world->Act();
      world->Check();
    }
  }
};

TEST_P(DeliveryFaultsTest, NothingAcceptedIsLostAndNothingIsGivenUpTooSoon) {
  DeliveryStats all;
  const uint64_t seeds = Seeds(2'000);
  for (uint64_t number = 0; number < seeds; ++number) {
    const uint64_t seed = Seed(number);
    const testing::SeedReporter reporter(seed);
    World world(seed);
    ActAndCheck(&world);
    if (!HasFailure()) world.Settle();
    if (HasFailure()) return;
    all += world.Totals();
  }
  // It was worth the while, in a shard that is not too small to tell.
  if (seeds < 20) return;
  const int64_t least = static_cast<int64_t>(seeds);
  EXPECT_GE(all.delivered, 100 * least);
  EXPECT_GE(all.failed_attempts, 100 * least);
  EXPECT_GE(all.dead_lettered, 10 * least);
  EXPECT_GE(all.redelivered, least);
  EXPECT_GE(all.dropped, least);
}

TEST_P(DeliveryFaultsTest, WhatAStopLeavesIsWhatTheBooksSay) {
  for (uint64_t number = 0; number < Seeds(400); ++number) {
    const uint64_t seed = 1'000'000 + Seed(number);
    const testing::SeedReporter reporter(seed);
    World world(seed);
    ActAndCheck(&world);
    world.Stop();
    if (HasFailure()) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Shards, DeliveryFaultsTest, ::testing::Range<uint64_t>(0, kShards));

}  // namespace
}  // namespace banyan
