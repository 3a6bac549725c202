// SPDX-License-Identifier: Apache-2.0
//
// Schedules on real threads: they come, change and go while time moves.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/time/time.h"
#include "banyan/broker.h"
#include "banyan/runtime.h"
#include "banyan/testing/matchers.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

using testing::IsOk;

ScheduleOptions EveryMinute(Target target) {
  return {.schedule_expression = "rate(1 minute)",
          .action_after_completion = ActionAfterCompletion::kNone,
          .target = std::move(target),
          .input = "tick"};
}

// Each thread has names of its own, so that every call has one right answer.
TEST(ScheduleThreadsTest, TheyComeAndGoWhileTimeMoves) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 300;
  const auto runtime = NewThreadedRuntime({.threads = 2, .clock = {.scale = 0}});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Queue queue = broker.CreateQueue("q").value();
  std::atomic<int> running{kThreads};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        const std::string name = "s" + std::to_string(t) + "-" + std::to_string(i % 10);
        ASSERT_TRUE(broker.CreateSchedule(name, EveryMinute(queue)).ok());
        ScheduleOptions changed = EveryMinute(queue);
        if (i % 3 == 0) changed.schedule_expression = "rate(2 minutes)";
        if (i % 5 == 0) changed.state = ScheduleState::kDisabled;
        ASSERT_THAT(broker.UpdateSchedule(name, changed), IsOk());
        ASSERT_TRUE(broker.GetSchedule(name).ok());
        ASSERT_THAT(broker.DeleteSchedule(name), IsOk());
      }
      running.fetch_sub(1);
    });
  }
  // One that stays, and is to miss nothing.
  ASSERT_TRUE(broker.CreateSchedule("steady", EveryMinute(queue)).ok());
  int64_t minutes = 0;
  while (running.load() > 0 || minutes < 20) {
    const int64_t fired = broker.GetSchedule("steady")->fired;
    runtime->AdvanceClock(absl::Minutes(1));
    ++minutes;
    while (broker.GetSchedule("steady")->fired == fired) std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(broker.GetSchedule("steady")->fired, minutes);
  EXPECT_EQ(broker.ListSchedules().size(), 1u);
  EXPECT_GE(queue.Stats().accepted, minutes);
}

TEST(ScheduleThreadsTest, StopAndResetMeetFirings) {
  for (int round = 0; round < 50; ++round) {
    // A year in a second: something is always due.
    const auto runtime = NewThreadedRuntime({.threads = 2, .clock = {.scale = 1'000'000}});
    std::atomic<int> called{0};  // outlives the handlers, for which the broker waits
    Broker broker = Broker::Create(*runtime, {}).value();
    const auto wire = [&] {
      const Function function = broker
                                    .CreateFunction("f", {.concurrency = 2},
                                                    [&called](const FunctionEvent&) {
                                                      called.fetch_add(1);
                                                      return absl::OkStatus();
                                                    })
                                    .value();
      for (int i = 0; i < 5; ++i) {
        ScheduleOptions options = EveryMinute(function);
        options.input = "{}";
        ASSERT_TRUE(broker.CreateSchedule("s" + std::to_string(i), options).ok());
      }
      ASSERT_TRUE(
          broker.FindEventBus("default")
              ->PutRule("r", {.schedule_expression = "rate(1 minute)", .targets = {function}})
              .ok());
    };
    wire();
    while (called.load() == 0) std::this_thread::yield();
    broker.Reset();
    called.store(0);
    wire();
    while (called.load() == 0) std::this_thread::yield();
    if (round % 2 == 0) broker.Stop(absl::ZeroDuration());
    // Else the destructor is all there is.
  }
}

}  // namespace
}  // namespace banyan::internal
