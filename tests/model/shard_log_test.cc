// SPDX-License-Identifier: Apache-2.0
//
// The protocol of the shard log in every way the memory model allows: a few scenarios, each small
// enough to be exhausted, pass; and each order that is made weaker breaks one of them.
#include <iostream>
#include <string>
#include <vector>

#include "explorer.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shard_log_model.h"
#include "sites.h"

namespace banyan::model {
namespace {

struct Scenario {
  std::string name;
  Shape shape;
  void (*threads)(World* w, ShardLogModel* log);
};

#ifdef BANYAN_SANITIZER
constexpr bool kExhausts = false;  // what sanitizers look for shows in a part of the runs, too
constexpr int64_t kRunsMax = 2'000;
#else
constexpr bool kExhausts = true;
constexpr int64_t kRunsMax = 5'000'000;  // no scenario has so many
#endif

Outcome Explore(const Scenario& scenario, const Orders& orders, int64_t runs_max = kRunsMax) {
  const Program program = [&](World* w) {
    ShardLogModel& log = w->Make<ShardLogModel>(w, orders, scenario.shape);
    scenario.threads(w, &log);
    w->Finally(log.CheckTheEnd());
  };
  return Explorer::Explore(program, runs_max);
}

const std::vector<Scenario>& Scenarios() {
  static const auto& scenarios = *new std::vector<Scenario>{
      {"TwoWritersAndAReaderInOneSegment",
       {.slots = 2},
       [](World* w, ShardLogModel* log) {
         w->Spawn("writer 1", log->Appends({11}));
         w->Spawn("writer 2", log->Appends({21}));
         w->Spawn("reader", log->Reads(0, 2, 9));
       }},
      {"AWriterAcrossATurnoverAndAReader",
       {.slots = 1},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer", log->Appends({2}));
         w->Spawn("reader", log->Reads(0, 2, 9));
       }},
      {"TwoWritersAtATurnover",
       {.segments_max = 3, .slots = 1},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer 1", log->Appends({11}));
         w->Spawn("writer 2", log->Appends({21}));
       }},
      {"SegmentsAreUsedAgainBesideAReader",
       {.segments_max = 2, .slots = 1},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer", log->Appends({2, 3}));
         w->Spawn("reader", log->Reads(0, 1, 9));
       }},
      {"ASegmentIsUsedAgainUnderASlowWriter",
       {.segments_max = 2, .slots = 1},
       [](World* w, ShardLogModel* log) {
         w->Spawn("writer", log->Appends({11, 12, 13}));
         w->Spawn("slow writer", log->Appends({21}));
       }},
      {"TheRingGoesRoundBesideAReader",
       {.segments_max = 3, .slots = 1, .ring = 2},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->AppendsAndHoldsTheFirst({1, 2}));
         w->Spawn("writer", log->Appends({3}));
         w->Spawn("reader", log->Reads(0, 1, 9));
       }},
      {"TheRingGoesOnBesideAReader",
       {.segments_max = 3, .slots = 1, .ring = 2, .rounds = 1},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->AppendsAndHoldsTheFirst({1, 2}));
         w->Spawn("writer", log->Appends({3, 4}));
         w->Spawn("reader", log->Reads(1, 1, 9));
       }},
      {"ATrimmerGivesMemoryBack",
       {.segments_max = 2, .slots = 1, .retained_from = 2},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1, 2}));
         w->Spawn("trimmer", log->Trims());
         w->Spawn("reader", log->Reads(0, 2, 9));
       }},
      {"ATrimmerBesideAWriter",
       {.segments_max = 2, .slots = 2, .retained_from = 20},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer", log->AppendsThenReads({2, 21}));
         w->Spawn("trimmer", log->Trims());
       }},
      {"CloseBesideAWriterAndAReader",
       {.slots = 2, .sealed = true},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer", log->Appends({2}));
         w->Spawn("reader", log->Reads(0, 1, 9));
         w->Spawn("closer", log->Closes());
       }},
      {"SealBesideAWriterAndAReader",
       {.slots = 2, .sealed = true},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer", log->Appends({2}));
         w->Spawn("reader", log->Reads(0, 1, 9));
         w->Spawn("sealer", log->Seals());
       }},
      {"ASleeperBesideAWriter",
       {.slots = 2, .watched = true, .sealed = true},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer", log->Appends({2}));
         w->Spawn("sleeper", log->Sleeps(1));
       }},
      {"ASleeperBesideTwoWriters",
       {.slots = 3, .watched = true, .sealed = true},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer 1", log->Appends({11}));
         w->Spawn("writer 2", log->Appends({21}));
         w->Spawn("sleeper", log->Sleeps(1));
       }},
      {"ASleeperBesideATurnover",
       {.slots = 1, .watched = true, .sealed = true},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer", log->Appends({2}));
         w->Spawn("sleeper", log->Sleeps(1));
       }},
      {"ASleeperBesideTheFirstRecord",
       {.slots = 1, .watched = true, .sealed = true},
       [](World* w, ShardLogModel* log) {
         w->Spawn("writer", log->Appends({1}));
         w->Spawn("sleeper", log->Sleeps(0));
       }},
      {"ASleeperBesideASealer",
       {.slots = 2, .watched = true, .sealed = true},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("sealer", log->Seals());
         w->Spawn("sleeper", log->Sleeps(1));
       }},
      {"ASleeperBesideAWriterAndASealer",
       {.slots = 2, .watched = true, .sealed = true},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer", log->Appends({2}));
         w->Spawn("sealer", log->Seals());
         w->Spawn("sleeper", log->Sleeps(1));
       }},
      {"ASleeperBesideACloser",
       {.slots = 2, .watched = true, .sealed = true},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("closer", log->Closes());
         w->Spawn("sleeper", log->Sleeps(0));
       }},
      {"ASleeperBesideAWriterAndACloser",
       {.slots = 2, .watched = true, .sealed = true},
       [](World* w, ShardLogModel* log) {
         w->Initially(log->Appends({1}));
         w->Spawn("writer", log->Appends({2}));
         w->Spawn("closer", log->Closes());
         w->Spawn("sleeper", log->Sleeps(1));
       }},
  };
  return scenarios;
}

void ExpectHoldsEverywhere(const Orders& orders) {
  for (const Scenario& scenario : Scenarios()) {
    const Outcome outcome = Explore(scenario, orders);
    std::cout << scenario.name << ": " << outcome.states << " states in " << outcome.runs
              << " runs\n";
    EXPECT_TRUE(outcome.complete || !kExhausts) << scenario.name;
    EXPECT_EQ(outcome.failure, "") << scenario.name << "\n" << outcome.trace;
  }
}

// What goes wrong in some scenario; empty if nothing does. Looks everywhere a little before it
// looks anywhere thoroughly.
std::string WhatGoesWrong(const Orders& orders) {
  for (const int64_t runs_max : {int64_t{300}, int64_t{30'000}, kRunsMax}) {
    for (const Scenario& scenario : Scenarios()) {
      const Outcome outcome = Explore(scenario, orders, runs_max);
      if (!outcome.failure.empty()) return outcome.failure + " (" + scenario.name + ")";
    }
  }
  return "";
}

TEST(ShardLogProtocol, HoldsInEveryScenario) { ExpectHoldsEverywhere(Orders()); }

TEST(ShardLogProtocol, BreaksWhereAnOrderIsWeaker) {
  for (const SiteInfo& site : Sites()) {
    if (!site.covered.empty()) continue;
    for (const Order weaker : site.weaker) {
      Orders orders;
      orders.Set(site.site, weaker);
      const std::string wrong = WhatGoesWrong(orders);
      EXPECT_NE(wrong, "") << site.tag << " as " << ToString(weaker) << " breaks nothing";
      std::cout << site.tag << " as " << ToString(weaker) << ": " << wrong << "\n";
    }
  }
}

// All of them at once, which says more than one by one. Of `unlink` and `entry base` one must stay.
TEST(ShardLogProtocol, HoldsWithoutTheOrdersThatOthersCover) {
  Orders orders;
  for (const SiteInfo& site : Sites()) {
    if (!site.covered.empty()) orders.Set(site.site, Order::kRelaxed);
  }
  orders.Set(Site::kUnlink, Order::kRelease);
  ExpectHoldsEverywhere(orders);
}

// A reader that is refused a pin reads the 0 relaxed, so when it looks again it may still find the
// ring as it was: until the unlinking has reached it, which is a matter of time, not of order. With
// an acquire it would find first_ moved, and `unlink` would be needed.
TEST(ShardLogProtocol, ARefusedPinSaysNothingAboutTheNextRound) {
  for (Scenario scenario : Scenarios()) {
    if (scenario.name != "SegmentsAreUsedAgainBesideAReader") continue;
    scenario.shape.rounds = 1;
    scenario.shape.refused_pins_count = true;
    EXPECT_THAT(Explore(scenario, Orders()).failure, ::testing::HasSubstr("F2"));

    scenario.shape.refused_pin = Order::kAcquire;
    EXPECT_EQ(Explore(scenario, Orders()).failure, "");

    Orders orders;
    orders.Set(Site::kUnlink, Order::kRelaxed);
    EXPECT_THAT(Explore(scenario, orders).failure, ::testing::HasSubstr("F2"));
  }
}

TEST(ShardLogProtocol, BreaksWithoutBothUnlinkAndEntryBase) {
  for (const Site base : {Site::kEntryBaseStore, Site::kEntryBaseLoad}) {
    Orders orders;
    orders.Set(Site::kUnlink, Order::kRelaxed);
    orders.Set(base, Order::kRelaxed);
    EXPECT_THAT(WhatGoesWrong(orders), ::testing::HasSubstr("F2"));
  }
}

}  // namespace
}  // namespace banyan::model
