// SPDX-License-Identifier: Apache-2.0
#include "base/gate.h"

#include <atomic>
#include <memory>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "banyan/runtime.h"
#include "banyan/testing/simulated_runtime.h"
#include "gtest/gtest.h"

#if defined(__linux__)
#include <sys/wait.h>
#include <unistd.h>
#endif

namespace banyan::internal {
namespace {

using Answer = Gate::Answer;

class GateTest : public ::testing::Test {
 protected:
  bool DrainedNow() { return gate_.AwaitDrained(runtime_, absl::ZeroDuration()); }

  testing::SimulatedRuntime runtime_;
  Gate gate_;
};

TEST_F(GateTest, LetsEverybodyInWhileOpen) {
  const Gate::Pass a = gate_.Enter(), b = gate_.Enter();
  EXPECT_TRUE(a);
  EXPECT_TRUE(b);
  EXPECT_EQ(gate_.Look(), Answer::kOpen);
}

TEST_F(GateTest, LetsNobodyInOnceClosed) {
  gate_.Close();
  gate_.Close();
  const Gate::Pass pass = gate_.Enter();
  EXPECT_FALSE(pass);
  EXPECT_EQ(pass.answer(), Answer::kClosed);
  EXPECT_EQ(gate_.Look(), Answer::kClosed);
}

TEST_F(GateTest, IsDrainedWhenTheLastPassIsBack) {
  std::optional<Gate::Pass> a(gate_.Enter()), b(gate_.Enter());
  gate_.Close();
  EXPECT_FALSE(DrainedNow());
  a.reset();
  EXPECT_FALSE(DrainedNow());
  b.reset();
  EXPECT_TRUE(DrainedNow());
}

TEST_F(GateTest, AMovedPassIsGivenBackOnce) {
  {
    Gate::Pass pass = gate_.Enter();
    const Gate::Pass moved = std::move(pass);
    EXPECT_TRUE(moved);
    gate_.Close();
    EXPECT_FALSE(DrainedNow());
  }
  EXPECT_TRUE(DrainedNow());
}

TEST_F(GateTest, WaitsForALeaverAndNoLongerThanItsDeadline) {
  std::optional<Gate::Pass> pass(gate_.Enter());
  gate_.Close();
  runtime_.PostAt(absl::Seconds(10), [&pass] { pass.reset(); });
  EXPECT_FALSE(gate_.AwaitDrained(runtime_, absl::Seconds(9)));
  EXPECT_TRUE(gate_.AwaitDrained(runtime_, absl::Seconds(20)));
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(10));
}

TEST_F(GateTest, WaitingEndsWhenStopIsRequested) {
  const Gate::Pass pass = gate_.Enter();
  gate_.Close();
  std::stop_source stop;
  runtime_.PostAt(absl::Seconds(1), [&stop] { stop.request_stop(); });
  EXPECT_FALSE(gate_.AwaitDrained(runtime_, absl::InfiniteDuration(), stop.get_token()));
}

using GateDeathTest = GateTest;

TEST_F(GateDeathTest, AnOpenGateIsNotWaitedFor) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");  // the other style forks, and the gate notices
  EXPECT_DEATH(gate_.AwaitDrained(runtime_), "an open gate does not drain");
}

#if defined(__linux__)
TEST_F(GateTest, TellsAForkedChildEvenIfAPassWasOut) {
  const Gate::Pass pass = gate_.Enter();
  const pid_t child = fork();
  if (child == 0) {
    const bool told = gate_.Enter().answer() == Answer::kForked && gate_.Look() == Answer::kForked;
    gate_.Close();
    _exit(told && DrainedNow() ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
  EXPECT_TRUE(gate_.Enter());
}
#endif

// G1: after AwaitDrained nobody is inside, whatever the threads were doing when it was closed.
TEST(GateStress, NobodyIsInsideOnceDrained) {
#ifdef BANYAN_SANITIZER
  constexpr int kRounds = 30;
#else
  constexpr int kRounds = 500;
#endif
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0, .seed = 1});
  for (int round = 0; round < kRounds; ++round) {
    Gate gate;
    std::atomic<int> entered = 0;
    std::atomic<bool> gone = false;  // what a pass protects from
    std::vector<std::thread> visitors;
    for (int i = 0; i < 3; ++i) {
      visitors.emplace_back([&] {
        for (;;) {
          const Gate::Pass pass = gate.Enter();
          if (!pass) return;
          ++entered;
          ASSERT_FALSE(gone);
        }
      });
    }
    while (entered < round % 50) std::this_thread::yield();
    gate.Close();
    ASSERT_TRUE(gate.AwaitDrained(*runtime));
    gone = true;
    for (std::thread& visitor : visitors) visitor.join();
  }
}

}  // namespace
}  // namespace banyan::internal
