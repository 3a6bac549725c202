// SPDX-License-Identifier: Apache-2.0
//
// The protocol of the shard log in every way the memory model allows: a few scenarios, each small
// enough to be exhausted, pass; and each order that is made weaker breaks one of them.
#include <chrono>
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

Outcome Explore(const Scenario& scenario, const Orders& orders) {
  return Explorer::Explore(
      [&](World* w) {
        ShardLogModel& log = w->Make<ShardLogModel>(w, orders, scenario.shape);
        scenario.threads(w, &log);
        w->Finally(log.CheckTheEnd());
      },
      getenv("RUNS") ? atoi(getenv("RUNS")) : 5000000);
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
  };
  return scenarios;
}

TEST(ShardLogProtocol, HoldsInEveryScenario) {
  for (const Scenario& scenario : Scenarios()) {
    const auto began = std::chrono::steady_clock::now();
    const Outcome outcome = Explore(scenario, Orders());
    std::cout << scenario.name << ": " << outcome.runs << " runs, " << outcome.states << " states "
              << std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count()
              << "\n";
    EXPECT_TRUE(outcome.complete) << scenario.name;
    EXPECT_EQ(outcome.failure, "") << scenario.name << "\n" << outcome.trace;
  }
}

TEST(ShardLogProtocol, EveryOrder) {
  for (const SiteInfo& site : Sites()) {
    for (const Order weaker : site.weaker) {
      Orders orders;
      orders.Set(site.site, weaker);
      for (const Scenario& scenario : Scenarios()) {
        const auto began = std::chrono::steady_clock::now();
        const Outcome outcome = Explore(scenario, orders);
        if (!outcome.passed())
          std::cout
              << site.tag << " " << ToString(weaker) << " in " << scenario.name << ": "
              << outcome.failure << " " << outcome.runs << " "
              << std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count()
              << std::endl;
      }
    }
  }
}

}  // namespace
}  // namespace banyan::model
