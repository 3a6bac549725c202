// SPDX-License-Identifier: Apache-2.0
//
// What a stopping broker needs of its gates: guests, parked threads, and passes beside others.
#include <gtest/gtest.h>

#include "banyan/testing/simulated_runtime.h"
#include "base/gate.h"

namespace banyan {
namespace {

using internal::Gate;

TEST(GatesTest, AGuestGetsInThoughTheGateIsClosed) {
  Gate gate;
  gate.Close();
  EXPECT_FALSE(gate.Enter());
  {
    const Gate::Guest guest(gate);
    EXPECT_TRUE(gate.Enter());
    EXPECT_TRUE(gate.ThisThreadIsGuest());
  }
  EXPECT_FALSE(gate.Enter());
  EXPECT_FALSE(gate.ThisThreadIsGuest());
}

TEST(GatesTest, AGuestOfOneGateIsNoGuestOfAnother) {
  Gate mine;
  Gate other;
  other.Close();
  const Gate::Guest guest(mine);
  EXPECT_FALSE(other.Enter());
}

TEST(GatesTest, TheParkedAreNotWaitedFor) {
  Gate gate;
  Gate tasks;
  const Gate::Pass handler = tasks.Enter();
  const Gate::Guest guest(gate);
  EXPECT_EQ(tasks.Inside(), 1);
  {
    const Gate::Parked parked(gate, tasks);
    EXPECT_EQ(tasks.Inside(), 0);
    const Gate::Parked again(gate, tasks);
    EXPECT_EQ(tasks.Inside(), 0) << "one pass parks once";
  }
  EXPECT_EQ(tasks.Inside(), 1);
}

TEST(GatesTest, AThreadInNoHandlerParksNothing) {
  Gate gate;
  Gate tasks;
  const Gate::Pass somebody = tasks.Enter();
  const Gate::Parked parked(gate, tasks);
  EXPECT_EQ(tasks.Inside(), 1);
}

TEST(GatesTest, APassBesideIsWaitedForLikeAnyOther) {
  testing::SimulatedRuntime runtime;
  Gate gate;
  gate.Close();
  {
    const Gate::Pass beside = gate.EnterBeside();
    EXPECT_TRUE(beside);
    EXPECT_FALSE(gate.AwaitDrained(runtime, runtime.Uptime() + absl::Seconds(1)));
  }
  EXPECT_TRUE(gate.AwaitDrained(runtime, runtime.Uptime() + absl::Seconds(1)));
}

TEST(GatesTest, DeparturesAreSeenOnceAGateIsWatched) {
  testing::SimulatedRuntime runtime;
  Gate gate;
  gate.Watch();
  EXPECT_TRUE(gate.Enter()) << "a watched gate is open";
  const uint64_t seen = gate.Departures();
  EXPECT_FALSE(gate.AwaitDeparture(runtime, seen, runtime.Uptime() + absl::Seconds(1)));
  runtime.Post([&] { static_cast<void>(gate.Enter()); });
  EXPECT_TRUE(gate.AwaitDeparture(runtime, seen, absl::InfiniteDuration()));
}

}  // namespace
}  // namespace banyan
