// SPDX-License-Identifier: Apache-2.0
#include "banyan/testing/simulated_runtime.h"

#include <functional>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "banyan/testing/seed_reporter.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SimulatedRuntimeTest : public ::testing::Test {
 protected:
  // A task that notes its name and the second it ran at.
  Task Note(std::string name) {
    return [this, name = std::move(name)] {
      trace_.push_back(name + "@" + std::to_string(absl::ToInt64Seconds(runtime_.Uptime())));
    };
  }

  SimulatedRuntime runtime_;
  std::vector<std::string> trace_;
};

// ---- Time

TEST_F(SimulatedRuntimeTest, TimeStandsStillUntilItIsMoved) {
  const absl::Time start = absl::FromUnixSeconds(1'767'225'600);
  EXPECT_EQ(runtime_.Uptime(), absl::ZeroDuration());
  EXPECT_EQ(absl::FormatTime(runtime_.Now(), absl::UTCTimeZone()), "2026-01-01T00:00:00+00:00");
  EXPECT_EQ(runtime_.Advance(absl::Hours(1)), 0);
  EXPECT_EQ(runtime_.Uptime(), absl::Hours(1));
  EXPECT_EQ(runtime_.Now(), start + absl::Hours(1));
}

TEST_F(SimulatedRuntimeTest, AWallJumpMovesNoDeadline) {
  runtime_.PostAt(absl::Seconds(1), Note("a"));
  const absl::Time before = runtime_.Now();
  runtime_.JumpWallClock(-absl::Hours(2));
  EXPECT_EQ(runtime_.Now(), before - absl::Hours(2));
  EXPECT_EQ(runtime_.Uptime(), absl::ZeroDuration());
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(trace_, ElementsAre("a@1"));
}

// ---- Advance and RunUntilIdle

TEST_F(SimulatedRuntimeTest, AdvanceRunsWhatFallsDueInTimeOrderEachAtItsTime) {
  runtime_.PostAt(absl::Seconds(3), Note("c"));
  runtime_.PostAt(absl::Seconds(1), Note("a"));
  runtime_.PostAt(absl::Seconds(5), Note("e"));
  runtime_.PostAt(absl::Seconds(1), Note("b"));
  runtime_.PostAt(absl::Seconds(4), Note("d"));
  EXPECT_EQ(runtime_.Advance(absl::Seconds(4)), 4);
  EXPECT_THAT(trace_, ElementsAre("a@1", "b@1", "c@3", "d@4"));
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(4));
  EXPECT_EQ(runtime_.NextDue(), absl::Seconds(5));
}

TEST_F(SimulatedRuntimeTest, TimersPostedByTimersTakeTheirPlace) {
  runtime_.PostAt(absl::Seconds(1), [this] {
    Note("first")();
    runtime_.PostAt(absl::Seconds(2), Note("second"));
    runtime_.PostAt(absl::Seconds(9), Note("too late"));
    runtime_.Post(Note("at once"));
    runtime_.PostAt(absl::ZeroDuration(), Note("overdue"));
  });
  runtime_.PostAt(absl::Seconds(3), Note("third"));
  EXPECT_EQ(runtime_.Advance(absl::Seconds(3)), 5);
  EXPECT_THAT(trace_, ElementsAre("first@1", "at once@1", "overdue@1", "second@2", "third@3"));
}

TEST_F(SimulatedRuntimeTest, RunUntilIdleStopsAtTheFirstFutureTimer) {
  runtime_.Post([this] {
    Note("a")();
    runtime_.Post(Note("b"));
  });
  runtime_.PostAt(absl::Nanoseconds(1), Note("later"));
  EXPECT_EQ(runtime_.RunUntilIdle(), 2);
  EXPECT_THAT(trace_, ElementsAre("a@0", "b@0"));
  EXPECT_EQ(runtime_.Uptime(), absl::ZeroDuration());
  EXPECT_EQ(runtime_.RunUntilIdle(), 0);
}

TEST_F(SimulatedRuntimeTest, NothingRunsInsidePost) {
  runtime_.Post(Note("a"));
  runtime_.PostAt(-absl::InfiniteDuration(), Note("b"));
  EXPECT_THAT(trace_, IsEmpty());
  EXPECT_EQ(runtime_.NextDue(), absl::ZeroDuration());
  EXPECT_EQ(runtime_.RunUntilIdle(), 2);
}

TEST_F(SimulatedRuntimeTest, ATimerForeverAwayNeverRuns) {
  runtime_.PostAt(absl::InfiniteDuration(), Note("never"));
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(runtime_.Advance(absl::Hours(24 * 365 * 100)), 0);
}

TEST_F(SimulatedRuntimeTest, CancelSaysWhetherTheTaskWillEverRun) {
  const TimerId a = runtime_.PostAt(absl::Seconds(1), Note("a"));
  const TimerId b = runtime_.PostAt(absl::Seconds(1), Note("b"));
  EXPECT_TRUE(runtime_.Cancel(a));
  EXPECT_FALSE(runtime_.Cancel(a));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_FALSE(runtime_.Cancel(b));
  EXPECT_THAT(trace_, ElementsAre("b@1"));
}

TEST_F(SimulatedRuntimeTest, OfTwoTimersOfOneInstantTheFirstMayCancelTheSecond) {
  TimerId second = TimerId::kNone;
  bool cancelled = false;
  runtime_.PostAt(absl::Seconds(1), [&] { cancelled = runtime_.Cancel(second); });
  second = runtime_.PostAt(absl::Seconds(1), Note("second"));
  EXPECT_EQ(runtime_.Advance(absl::Seconds(1)), 1);
  EXPECT_TRUE(cancelled);
  EXPECT_THAT(trace_, IsEmpty());
}

TEST_F(SimulatedRuntimeTest, ASimulatedDayOfOneSecondTimersIsExact) {
  int ticks = 0;
  std::function<void()> tick = [&] {
    ++ticks;
    runtime_.PostAt(runtime_.Uptime() + absl::Seconds(1), [&tick] { tick(); });
  };
  runtime_.PostAt(absl::Seconds(1), [&tick] { tick(); });
  EXPECT_EQ(runtime_.Advance(absl::Hours(24)), 86'400);
  EXPECT_EQ(ticks, 86'400);
}

TEST_F(SimulatedRuntimeTest, TasksThatNeverRanDieUnrun) {
  auto owned = std::make_shared<int>(0);
  {
    SimulatedRuntime runtime;
    struct PostsWhenItDies {
      Runtime& runtime;
      std::shared_ptr<int> owned;
      ~PostsWhenItDies() {
        runtime.Post([kept = owned] { FAIL(); });
      }
    };
    runtime.Post([owned] { FAIL(); });
    auto poster = std::make_unique<PostsWhenItDies>(PostsWhenItDies{runtime, owned});
    runtime.PostAt(absl::Hours(1), [poster = std::move(poster)] { FAIL(); });
  }
  EXPECT_EQ(owned.use_count(), 1);
}

// ---- Await

class SimulatedAwaitTest : public SimulatedRuntimeTest {
 protected:
  bool Await(absl::Duration deadline, std::stop_token stop = {}) {
    MutexLock lock(&mu_);
    return runtime_.Await(
        mu_, waiters_, [this] { return count_ > 0; }, deadline, stop);
  }

  Task Give() {
    return [this] {
      MutexLock lock(&mu_);
      ++count_;
      waiters_.WakeOne();
    };
  }

  Mutex mu_;
  WaitList waiters_;
  int count_ = 0;
};

TEST_F(SimulatedAwaitTest, MovesTimeToTheChangeAndNoFurther) {
  runtime_.PostAt(absl::Seconds(5), Give());
  runtime_.PostAt(absl::Seconds(5), Note("same instant, not needed"));
  EXPECT_TRUE(Await(absl::Seconds(20)));
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(5));
  EXPECT_THAT(trace_, IsEmpty());
}

TEST_F(SimulatedAwaitTest, EndsAtItsDeadline) {
  runtime_.PostAt(absl::Seconds(21), Give());
  EXPECT_FALSE(Await(absl::Seconds(20)));
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(20));
}

TEST_F(SimulatedAwaitTest, WhatIsDueAtTheDeadlineStillCounts) {
  runtime_.PostAt(absl::Seconds(20), Give());
  EXPECT_TRUE(Await(absl::Seconds(20)));
}

TEST_F(SimulatedAwaitTest, ADeadlineInThePastRunsNothing) {
  runtime_.Post(Give());
  EXPECT_FALSE(Await(absl::ZeroDuration()));
  EXPECT_EQ(count_, 0);
}

TEST_F(SimulatedAwaitTest, EndsWhenATaskRequestsStop) {
  std::stop_source stop;
  runtime_.PostAt(absl::Seconds(3), [&stop] { stop.request_stop(); });
  EXPECT_FALSE(Await(absl::InfiniteDuration(), stop.get_token()));
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(3));
}

TEST_F(SimulatedAwaitTest, InsideATaskItRunsWhatIsDueOnTop) {
  runtime_.Post([this] {
    EXPECT_TRUE(Await(absl::Seconds(20)));
    Note("outer")();
  });
  runtime_.PostAt(absl::Seconds(2), Note("inner"));
  runtime_.PostAt(absl::Seconds(3), Give());
  EXPECT_EQ(runtime_.Advance(absl::Seconds(1)), 3);
  EXPECT_THAT(trace_, ElementsAre("inner@2", "outer@3"));
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(3));  // the wait took time further than asked
}

using SimulatedRuntimeDeathTest = SimulatedAwaitTest;

TEST_F(SimulatedRuntimeDeathTest, AWaitThatNothingCanEndAborts) {
  EXPECT_DEATH(Await(absl::InfiniteDuration()), "seed 1: Await would wait for ever");
}

TEST_F(SimulatedRuntimeDeathTest, EndlessPingPongAbortsAndNamesTheSeed) {
  EXPECT_DEATH(
      {
        SimulatedRuntime runtime({.seed = 99, .tasks_max = 1000});
        std::function<void()> ping = [&] { runtime.Post([&ping] { ping(); }); };
        ping();
        runtime.RunUntilIdle();
      },
      "seed 99: .*tasks_max");
}

TEST_F(SimulatedRuntimeDeathTest, AnotherThreadMayNotDrive) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(std::thread([this] { runtime_.RunUntilIdle(); }).join(), "another thread");
}

TEST_F(SimulatedRuntimeDeathTest, WaitsNestedWithoutEndAbort) {
  std::function<void()> wait = [&] {
    runtime_.Post([&wait] { wait(); });
    Await(absl::Seconds(1));
  };
  EXPECT_DEATH(wait(), "seed 1: Await is nested");
}

TEST_F(SimulatedRuntimeDeathTest, TimeGoesForwardOnly) {
  EXPECT_DEATH(runtime_.Advance(-absl::Seconds(1)), "not negative");
  EXPECT_DEATH(runtime_.Advance(absl::InfiniteDuration()), "finite");
}

TEST_F(SimulatedRuntimeTest, OtherThreadsMayPost) {
  std::vector<std::thread> posters;
  int ran = 0;  // no atomic: every task runs on this thread
  for (int i = 0; i < 4; ++i) {
    posters.emplace_back([this, &ran] {
      for (int n = 0; n < 250; ++n) runtime_.Post([&ran] { ++ran; });
    });
  }
  for (std::thread& poster : posters) poster.join();
  EXPECT_EQ(runtime_.RunUntilIdle(), 1'000);
  EXPECT_EQ(ran, 1'000);
}

// ---- Seeds

// Four tasks due together, each of which posts another and draws a number.
std::string TraceOf(SimulationOptions options) {
  SimulatedRuntime runtime(options);
  std::string trace;
  for (const char c : {'a', 'b', 'c', 'd'}) {
    runtime.PostAt(absl::Seconds(1), [&runtime, &trace, c] {
      trace += c;
      trace += std::to_string(runtime.Random() % 10);
      runtime.Post([&trace, c] { trace += static_cast<char>(c - 'a' + 'A'); });
    });
  }
  runtime.Advance(absl::Seconds(1));
  return trace;
}

TEST(SimulationSeedTest, TheSameSeedGivesTheSameRun) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    const SeedReporter reporter(seed);
    EXPECT_EQ(TraceOf({.seed = seed, .shuffle = true}), TraceOf({.seed = seed, .shuffle = true}));
    EXPECT_EQ(TraceOf({.seed = seed}), TraceOf({.seed = seed}));
  }
}

TEST(SimulationSeedTest, SeedsReachEveryOrderOfTasksDueTogether) {
  std::set<std::string> orders;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    SimulatedRuntime runtime({.seed = seed, .shuffle = true});
    std::string order;
    for (const char c : {'a', 'b', 'c', 'd'}) runtime.Post([&order, c] { order += c; });
    runtime.RunUntilIdle();
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 24u);
}

TEST(SimulationSeedTest, ShufflingNeverRunsALaterDeadlineFirst) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    const SeedReporter reporter(seed);
    SimulatedRuntime runtime({.seed = seed, .shuffle = true});
    std::vector<absl::Duration> ran_at;
    for (const int second : {3, 1, 2, 1, 3, 2}) {
      runtime.PostAt(absl::Seconds(second), [&] { ran_at.push_back(runtime.Uptime()); });
    }
    runtime.Advance(absl::Seconds(3));
    EXPECT_EQ(ran_at.size(), 6u);
    EXPECT_TRUE(std::is_sorted(ran_at.begin(), ran_at.end()));
  }
}

TEST(SimulationSeedTest, ShufflingDoesNotChangeWhatRandomAnswers) {
  SimulatedRuntime plain({.seed = 5}), shuffled({.seed = 5, .shuffle = true});
  for (SimulatedRuntime* runtime : {&plain, &shuffled}) {
    for (int i = 0; i < 3; ++i) runtime->Post([] {});
    runtime->RunUntilIdle();
  }
  EXPECT_EQ(plain.Random(), shuffled.Random());
}

}  // namespace
}  // namespace banyan::testing
