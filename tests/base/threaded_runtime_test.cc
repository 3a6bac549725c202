// SPDX-License-Identifier: Apache-2.0
//
// Each promise of banyan/runtime.h, kept by the threaded runtime. Tests that need time to pass
// freeze the clock and move it; none sleeps.
#include <algorithm>
#include <atomic>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#if defined(__linux__)
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#endif

namespace banyan {
namespace {

using ::testing::ElementsAre;

#ifdef BANYAN_SANITIZER
constexpr int kStress = 1;
#else
constexpr int kStress = 10;
#endif

// Tests declare what tasks use before the runtime: it goes first then, and its threads with it.

constexpr absl::Duration kLongWait = absl::Seconds(60);  // a test that waits so long has failed

// Something to wait for. Changes wake one waiter.
class Counter {
 public:
  void Add(int n = 1) {
    MutexLock lock(&mu_);
    count_ += n;
    for (int i = 0; i < n; ++i) waiters_.WakeOne();
  }

  // Waits for one and takes it.
  bool Take(Runtime& runtime, absl::Duration deadline = absl::InfiniteDuration(),
            std::stop_token stop = {}) {
    MutexLock lock(&mu_);
    const auto ready = [this] {
      mu_.AssertHeld();
      return count_ > 0;
    };
    if (!runtime.Await(mu_, waiters_, ready, deadline, std::move(stop))) return false;
    --count_;
    return true;
  }

  bool HasWaiters() {
    MutexLock lock(&mu_);
    return !waiters_.empty();
  }

  int count() {
    MutexLock lock(&mu_);
    return count_;
  }

 private:
  Mutex mu_;
  WaitList waiters_;
  int count_ ABSL_GUARDED_BY(mu_) = 0;
};

std::unique_ptr<ThreadedRuntime> NewRuntime(int threads, double scale = 1.0) {
  return NewThreadedRuntime({.threads = threads, .clock = {.scale = scale}, .seed = 1});
}

std::unique_ptr<ThreadedRuntime> NewFrozenRuntime(int threads) { return NewRuntime(threads, 0.0); }

// Yields until `condition` holds: for states that only another thread can reach.
template <typename Condition>
void SpinUntil(const Condition& condition) {
  while (!condition()) std::this_thread::yield();
}

// ---- Tasks and timers

TEST(ThreadedRuntimeTest, OneThreadRunsTasksInPostingOrder) {
  std::vector<int> order;
  Counter done;
  const auto runtime = NewRuntime(1);
  for (int i = 0; i < 100; ++i) {
    runtime->Post([&order, &done, i] {
      order.push_back(i);
      done.Add();
    });
  }
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(done.Take(*runtime));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i);
}

TEST(ThreadedRuntimeTest, SeveralThreadsRunTasksAtTheSameTime) {
  std::atomic<int> inside = 0;
  Counter done;
  const auto runtime = NewRuntime(3);
  for (int i = 0; i < 3; ++i) {
    runtime->Post([&] {
      ++inside;
      SpinUntil([&] { return inside == 3; });  // ends only if all three run together
      done.Add();
    });
  }
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(done.Take(*runtime));
}

TEST(ThreadedRuntimeTest, PostNeverRunsTheTaskInsideTheCall) {
  bool ran = false;
  const auto runtime = NewRuntime(0);
  runtime->Post([&ran] { ran = true; });
  runtime->PostAt(absl::ZeroDuration(), [&ran] { ran = true; });
  EXPECT_FALSE(ran);
  EXPECT_EQ(runtime->Poll(), 2);
  EXPECT_TRUE(ran);
}

TEST(ThreadedRuntimeTest, TimersRunByDeadlineAndThoseOfOneDeadlineInPostingOrder) {
  std::vector<int> order;
  const auto runtime = NewFrozenRuntime(0);
  const auto append = [&order](int i) { return [&order, i] { order.push_back(i); }; };
  runtime->PostAt(absl::Seconds(2), append(3));
  runtime->PostAt(absl::Seconds(1), append(1));
  runtime->PostAt(absl::Seconds(2), append(4));
  runtime->PostAt(absl::Seconds(1), append(2));
  EXPECT_EQ(runtime->Poll(), 0);
  runtime->AdvanceClock(absl::Seconds(2));
  EXPECT_EQ(runtime->Poll(), 4);
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 4));
}

TEST(ThreadedRuntimeTest, AWorkerRunsATimerWhenTheMachinesTimeHasCome) {
  Counter done;
  const auto runtime = NewRuntime(2);
  const absl::Duration due = runtime->Uptime() + absl::Milliseconds(5);
  absl::Duration ran_at;
  runtime->PostAt(due, [&] {
    ran_at = runtime->Uptime();
    done.Add();
  });
  ASSERT_TRUE(done.Take(*runtime));
  EXPECT_GE(ran_at, due);
}

TEST(ThreadedRuntimeTest, AnEarlierTimerPostedLaterIsNotMissed) {
  Counter done;
  const auto runtime = NewRuntime(1);
  runtime->PostAt(absl::Hours(1), [] { FAIL() << "an hour has not passed"; });
  runtime->PostAt(runtime->Uptime() + absl::Milliseconds(2), [&done] { done.Add(); });
  EXPECT_TRUE(done.Take(*runtime, runtime->Uptime() + kLongWait));
}

TEST(ThreadedRuntimeTest, ATimerIsKeptWhileAnotherTaskIsBusy) {
  Counter release, busy, done;
  const auto runtime = NewRuntime(2);
  runtime->Post([&] {
    busy.Add();
    release.Take(*runtime);
  });
  ASSERT_TRUE(busy.Take(*runtime));
  runtime->PostAt(runtime->Uptime() + absl::Milliseconds(1), [&done] { done.Add(); });
  EXPECT_TRUE(done.Take(*runtime, runtime->Uptime() + kLongWait));
  release.Add();
}

// R1: only one thread watches the clock, but it calls the other when there is work for both.
TEST(ThreadedRuntimeTest, TimersOfOneInstantRunOnAllThreads) {
  std::atomic<int> inside = 0;
  Counter done;
  const auto runtime = NewFrozenRuntime(2);
  for (int i = 0; i < 2; ++i) {
    runtime->PostAt(absl::Hours(1), [&] {
      ++inside;
      SpinUntil([&] { return inside == 2; });  // ends only if both run together
      done.Add();
    });
  }
  runtime->AdvanceClock(absl::Hours(1));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(done.Take(*runtime));
}

TEST(ThreadedRuntimeTest, CancelSaysWhetherTheTaskWillEverRun) {
  bool ran = false;
  const auto runtime = NewFrozenRuntime(0);
  const TimerId cancelled = runtime->PostAt(absl::Seconds(1), [] { FAIL(); });
  const TimerId kept = runtime->PostAt(absl::Seconds(1), [&ran] { ran = true; });
  EXPECT_TRUE(runtime->Cancel(cancelled));
  EXPECT_FALSE(runtime->Cancel(cancelled));
  EXPECT_FALSE(runtime->Cancel(TimerId::kNone));
  runtime->AdvanceClock(absl::Seconds(1));
  EXPECT_EQ(runtime->Poll(), 1);
  EXPECT_TRUE(ran);
  EXPECT_FALSE(runtime->Cancel(kept));
}

TEST(ThreadedRuntimeTest, ATaskThatRunsCannotCancelItself) {
  TimerId self = TimerId::kNone;
  bool cancelled = true;
  const auto runtime = NewRuntime(0);
  self = runtime->PostAt(absl::ZeroDuration(), [&] { cancelled = runtime->Cancel(self); });
  EXPECT_EQ(runtime->Poll(), 1);
  EXPECT_FALSE(cancelled);
}

TEST(ThreadedRuntimeTest, ATaskDiesUnderNoLock) {
  // Its destructor calls back into the runtime: a deadlock, were it destroyed under the mutex.
  const auto runtime = NewFrozenRuntime(0);
  struct PostsWhenItDies {
    explicit PostsWhenItDies(Runtime& r) : runtime(r) {}
    ~PostsWhenItDies() {
      runtime.Post([] {});
    }
    Runtime& runtime;
  };
  const auto task = [&runtime] { return [owned = std::make_unique<PostsWhenItDies>(*runtime)] {}; };
  runtime->Post(task());
  EXPECT_EQ(runtime->Poll(), 1);
  EXPECT_TRUE(runtime->Cancel(runtime->PostAt(absl::Seconds(1), task())));
  EXPECT_EQ(runtime->Poll(), 2);
  runtime->Post(task());                    // these two die with the runtime,
  runtime->PostAt(absl::Hours(1), task());  // and what they post then, too
}

TEST(ThreadedRuntimeTest, DestructionDropsQueuedTasksAndWaitsForRunningOnes) {
  std::atomic<bool> running = false, release = false, finished = false;
  auto runtime = NewRuntime(1);
  auto owned = std::make_shared<int>(0);
  runtime->Post([&] {
    running = true;
    SpinUntil([&] { return release.load(); });
    finished = true;
  });
  runtime->Post([owned] {});
  runtime->PostAt(absl::Hours(1), [owned] { FAIL() << "an hour has not passed"; });
  SpinUntil([&] { return running.load(); });
  std::thread destroyer([&runtime] { runtime.reset(); });
  release = true;
  destroyer.join();
  EXPECT_TRUE(finished);
  EXPECT_EQ(owned.use_count(), 1);
}

TEST(ThreadedRuntimeTest, ARuntimeThatNobodyPolledDestroysItsTasksUnrun) {
  auto owned = std::make_shared<int>(0);
  {
    const auto runtime = NewRuntime(0);
    runtime->Post([owned] { FAIL(); });
    runtime->PostAt(absl::ZeroDuration(), [owned] { FAIL(); });
    EXPECT_EQ(owned.use_count(), 3);
  }
  EXPECT_EQ(owned.use_count(), 1);
}

// ---- Threads

#if defined(__linux__)
std::vector<std::string> ThreadNames() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::string name;
    std::getline(std::ifstream(entry.path() / "comm"), name);
    names.push_back(name);
  }
  return names;
}

TEST(ThreadedRuntimeTest, WithoutThreadsNoneIsStarted) {
  const size_t before = ThreadNames().size();
  Counter counter;
  const auto runtime = NewRuntime(0);
  runtime->Post([&counter] { counter.Add(); });
  runtime->PostAt(absl::Milliseconds(1), [&counter] { counter.Add(); });
  EXPECT_TRUE(counter.Take(*runtime));
  EXPECT_TRUE(counter.Take(*runtime));
  EXPECT_EQ(ThreadNames().size(), before);
}

TEST(ThreadedRuntimeTest, StartsAsManyThreadsAsAskedForAndNamesThem) {
  Counter started;
  const auto runtime =
      NewThreadedRuntime({.threads = 11, .thread_name = "orders-of-the-shop", .seed = 1});
  for (int i = 0; i < 11; ++i) {
    runtime->Post([&started] {
      started.Add();
      SpinUntil([&started] { return started.count() >= 11; });
    });
  }
  SpinUntil([&started] { return started.count() >= 11; });
  // Counted by name: a sanitizer has a thread of its own.
  const std::vector<std::string> names = ThreadNames();
  EXPECT_EQ(std::count_if(names.begin(), names.end(),
                          [](const std::string& name) { return name.starts_with("orders-of-"); }),
            11);
  EXPECT_THAT(names, ::testing::IsSupersetOf({"orders-of-the-0", "orders-of-th-10"}));
}

TEST(ThreadedRuntimeTest, ItsThreadsTakeNoSignalOfTheHosts) {
  Counter done;
  bool blocked = false;
  const auto runtime = NewRuntime(1);
  runtime->Post([&] {
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, nullptr, &mask);
    blocked = sigismember(&mask, SIGINT) == 1 && sigismember(&mask, SIGTERM) == 1;
    done.Add();
  });
  ASSERT_TRUE(done.Take(*runtime));
  EXPECT_TRUE(blocked);
  sigset_t mask;
  pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  EXPECT_EQ(sigismember(&mask, SIGINT), 0);
}

// How often the runtime's threads gave up the processor by themselves. A thread that sleeps and is
// not woken adds nothing.
int64_t VoluntarySwitchesOfWorkers() {
  int64_t sum = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(entry.path() / "status");
    bool worker = false;
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("Name:\tbanyan-")) worker = true;
      if (worker && line.starts_with("voluntary_ctxt_switches:")) {
        sum += std::stoll(line.substr(24));
      }
    }
  }
  return sum;
}

TEST(ThreadedRuntimeTest, IdleThreadsAreNotWokenWithoutReason) {
  Counter never;
  const auto runtime = NewRuntime(3);
  runtime->PostAt(absl::Hours(1), [] {});
  // The first rounds may see the workers come to rest; then there must be one without a switch.
  for (int round = 0; round < 50; ++round) {
    const int64_t before = VoluntarySwitchesOfWorkers();
    EXPECT_FALSE(never.Take(*runtime, runtime->Uptime() + absl::Milliseconds(30)));
    if (VoluntarySwitchesOfWorkers() == before) return;
  }
  FAIL() << "something wakes an idle worker again and again";
}

TEST(ThreadedRuntimeTest, AForkedChildLetsGoOfIt) {
  Counter done;
  auto runtime = NewRuntime(2);
  runtime->Post([&done] { done.Add(); });
  ASSERT_TRUE(done.Take(*runtime));
  runtime->PostAt(absl::Hours(1), [] {});
  const pid_t child = fork();
  if (child == 0) {
    runtime.reset();  // must not join threads that are not here
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}
#endif

using ThreadedRuntimeDeathTest = ::testing::Test;

TEST(ThreadedRuntimeDeathTest, OptionsOutOfRangeAbort) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(NewRuntime(-1), "threads must be in 0..1024");
  EXPECT_DEATH(NewRuntime(0, -1.0), "scale must be in");
  EXPECT_DEATH(NewRuntime(0)->AdvanceClock(-absl::Nanoseconds(1)), "goes forward only");
}

TEST(ThreadedRuntimeDeathTest, MoreTasksThanAllowedAbort) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto runtime = NewThreadedRuntime({.threads = 0, .seed = 1, .tasks_max = 2});
  runtime->Post([] {});
  runtime->PostAt(absl::Hours(1), [] {});
  EXPECT_DEATH(runtime->Post([] {}), "tasks_max");
}

// ---- The clock

TEST(ThreadedRuntimeTest, UptimeStartsNearZeroAndTheWallClockAtTheMachines) {
  const auto runtime = NewRuntime(0);
  const Instant now = runtime->Read();
  EXPECT_GE(now.uptime(), absl::ZeroDuration());
  EXPECT_LT(now.uptime(), absl::Seconds(10));
  EXPECT_LT(absl::AbsDuration(now.time() - absl::Now()), absl::Seconds(10));
}

TEST(ThreadedRuntimeTest, AnOffsetMovesTheWallClockOnly) {
  const auto runtime =
      NewThreadedRuntime({.threads = 0, .clock = {.scale = 0, .offset = -absl::Hours(100)}});
  EXPECT_LT(absl::AbsDuration(runtime->Now() + absl::Hours(100) - absl::Now()), absl::Seconds(10));
  EXPECT_EQ(runtime->Uptime(), absl::ZeroDuration());
}

TEST(ThreadedRuntimeTest, AFrozenClockMovesByAdvanceAndKeepsBothFacesTogether) {
  const auto runtime = NewFrozenRuntime(0);
  const Instant before = runtime->Read();
  EXPECT_EQ(runtime->Read().unix_ns, before.unix_ns);
  runtime->AdvanceClock(absl::Hours(24));
  EXPECT_EQ(runtime->Read().uptime() - before.uptime(), absl::Hours(24));
  EXPECT_EQ(runtime->Read().time() - before.time(), absl::Hours(24));
}

TEST(ThreadedRuntimeTest, AWallJumpRunsNoTimer) {
  const auto runtime = NewFrozenRuntime(0);
  runtime->PostAt(absl::Hours(1), [] { FAIL(); });
  const absl::Time before = runtime->Now();
  runtime->JumpWallClock(absl::Hours(5));
  EXPECT_EQ(runtime->Now() - before, absl::Hours(5));
  EXPECT_EQ(runtime->Poll(), 0);
  runtime->JumpWallClock(-absl::Hours(7));
  EXPECT_EQ(runtime->Now() - before, -absl::Hours(2));
  EXPECT_EQ(runtime->Uptime(), absl::ZeroDuration());
}

TEST(ThreadedRuntimeTest, AdvancingTheClockWakesAWorkerForItsTimer) {
  Counter done;
  const auto runtime = NewFrozenRuntime(1);
  runtime->PostAt(absl::Hours(24 * 14), [&done] { done.Add(); });
  runtime->AdvanceClock(absl::Hours(24 * 14));
  EXPECT_TRUE(done.Take(*runtime));
}

TEST(ThreadedRuntimeTest, AScaledClockReachesADayInAMoment) {
  Counter done;
  const auto runtime = NewRuntime(1, /*scale=*/1e6);
  runtime->PostAt(absl::Hours(24), [&done] { done.Add(); });
  EXPECT_TRUE(done.Take(*runtime));
  EXPECT_GE(runtime->Uptime(), absl::Hours(24));
}

TEST(ThreadedRuntimeTest, ThawingTheClockReachesTheSleepers) {
  Counter done;
  const auto runtime = NewFrozenRuntime(1);
  runtime->PostAt(absl::Seconds(1), [&done] { done.Add(); });
  runtime->SetClockScale(1e4);
  EXPECT_TRUE(done.Take(*runtime));
}

// ---- Await

TEST(AwaitTest, AnswersAtOnceWhenReadyEvenIfStoppedAndLate) {
  Counter counter;
  const auto runtime = NewRuntime(1);
  counter.Add();
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(counter.Take(*runtime, -absl::InfiniteDuration(), stop.get_token()));
}

TEST(AwaitTest, EndsAtItsDeadline) {
  Counter counter;
  const auto runtime = NewRuntime(1);
  const absl::Duration deadline = runtime->Uptime() + absl::Milliseconds(5);
  EXPECT_FALSE(counter.Take(*runtime, deadline));
  EXPECT_GE(runtime->Uptime(), deadline);
  EXPECT_FALSE(counter.HasWaiters());
}

TEST(AwaitTest, EndsWhenTheChangeComes) {
  Counter counter;
  const auto runtime = NewRuntime(1);
  runtime->Post([&counter] { counter.Add(); });
  EXPECT_TRUE(counter.Take(*runtime));
  EXPECT_FALSE(counter.HasWaiters());
}

TEST(AwaitTest, EndsWhenStopIsRequested) {
  Counter counter;
  std::stop_source stop;
  const auto runtime = NewFrozenRuntime(1);
  std::thread stopper([&] {
    SpinUntil([&] { return counter.HasWaiters(); });
    stop.request_stop();
  });
  EXPECT_FALSE(counter.Take(*runtime, absl::InfiniteDuration(), stop.get_token()));
  stopper.join();
  EXPECT_FALSE(counter.Take(*runtime, absl::InfiniteDuration(), stop.get_token()));
  EXPECT_FALSE(counter.HasWaiters());
}

TEST(AwaitTest, EndsWhenTheClockIsMovedPastItsDeadline) {
  Counter counter;
  const auto runtime = NewFrozenRuntime(1);
  std::thread mover([&] {
    SpinUntil([&] { return counter.HasWaiters(); });
    runtime->AdvanceClock(absl::Hours(1));  // not far enough: it looks and sleeps on
    runtime->AdvanceClock(absl::Hours(11));
  });
  EXPECT_FALSE(counter.Take(*runtime, absl::Hours(12)));
  mover.join();
  EXPECT_EQ(runtime->Uptime(), absl::Hours(12));
}

TEST(AwaitTest, StopMayBeRequestedByTheWaiterThatNeverSlept) {
  Counter counter;
  const auto runtime = NewRuntime(1);
  for (int i = 0; i < 100 * kStress; ++i) {  // races the callback's registration
    std::stop_source stop;
    std::thread stopper([&stop] { stop.request_stop(); });
    EXPECT_FALSE(counter.Take(*runtime, absl::InfiniteDuration(), stop.get_token()));
    stopper.join();
  }
}

// Waiters that have come one after the other are served in that order.
TEST(AwaitTest, WakeOneServesTheOneWhoWaitedLongest) {
  Mutex mu;
  WaitList waiters;
  int listed = 0, tickets = 0;
  std::vector<int> served;
  std::vector<std::thread> threads;
  const auto runtime = NewFrozenRuntime(1);
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      MutexLock lock(&mu);
      ++listed;
      runtime->Await(
          mu, waiters, [&tickets] { return tickets > 0; }, absl::InfiniteDuration());
      --tickets;
      served.push_back(i);
    });
    // The next comes when this one is on the list: it holds mu from `++listed` until it sleeps.
    SpinUntil([&] {
      MutexLock lock(&mu);
      return listed == i + 1;
    });
  }
  for (size_t i = 0; i < 4; ++i) {
    {
      MutexLock lock(&mu);
      ++tickets;
      waiters.WakeOne();
    }
    SpinUntil([&] {
      MutexLock lock(&mu);
      return served.size() == i + 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(served, ElementsAre(0, 1, 2, 3));
}

// A wake-up that meets a deadline or a stop is not lost: what was given is taken or still there.
TEST(AwaitTest, NothingIsLostBetweenWakeUpAndDeadline) {
  Counter counter;
  std::atomic<int> taken = 0;
  std::atomic<bool> done = false;
  std::vector<std::thread> takers;
  const auto runtime = NewRuntime(2);
  for (int i = 0; i < 4; ++i) {
    takers.emplace_back([&, i] {
      while (!done) {
        const absl::Duration wait = absl::Microseconds(i == 0 ? 1000 : 20);
        if (counter.Take(*runtime, runtime->Uptime() + wait)) ++taken;
      }
    });
  }
  const int given = 1'000 * kStress;
  for (int i = 0; i < given; ++i) runtime->Post([&counter] { counter.Add(); });
  // With takers that always come back, everything is taken in the end.
  SpinUntil([&] { return taken == given; });
  done = true;
  for (std::thread& taker : takers) taker.join();
  EXPECT_EQ(counter.count(), 0);
}

TEST(AwaitTest, ManyGiversAndTakersThatWaitForEver) {
  Counter counter;
  const auto runtime = NewRuntime(2);
  const int each = 500 * kStress;
  std::vector<std::thread> takers;
  for (int i = 0; i < 4; ++i) {
    takers.emplace_back([&] {
      for (int n = 0; n < each; ++n) ASSERT_TRUE(counter.Take(*runtime));
    });
  }
  for (int n = 0; n < 4 * each; ++n) runtime->Post([&counter] { counter.Add(); });
  for (std::thread& taker : takers) taker.join();  // hangs if a wake-up is lost
  EXPECT_EQ(counter.count(), 0);
}

// ---- Await on threads that run tasks

TEST(AwaitTest, APollingThreadRunsWhatIsDueWhileItWaits) {
  Counter counter;
  bool got = false;
  const auto runtime = NewRuntime(0);
  runtime->Post([&] { got = counter.Take(*runtime); });
  runtime->Post([&] { counter.Add(); });
  EXPECT_EQ(runtime->Poll(), 1);  // the second ran inside the first
  EXPECT_TRUE(got);
}

TEST(AwaitTest, WithoutThreadsABlockingCallRunsTimersToo) {
  Counter counter;
  const auto runtime = NewRuntime(0);
  runtime->PostAt(runtime->Uptime() + absl::Milliseconds(2), [&counter] { counter.Add(); });
  EXPECT_TRUE(counter.Take(*runtime, runtime->Uptime() + kLongWait));
}

TEST(AwaitTest, WithoutThreadsABlockingCallSleepsUntilAnotherThreadPosts) {
  Counter counter;
  const auto runtime = NewFrozenRuntime(0);
  std::thread other([&] {
    SpinUntil([&] { return counter.HasWaiters(); });
    runtime->Post([&counter] { counter.Add(); });
  });
  EXPECT_TRUE(counter.Take(*runtime));
  other.join();
}

// R4: of two nested waits for one thing, the inner one gets it, though the outer waited longer.
TEST(AwaitTest, TheInnermostOfNestedWaitsIsServed) {
  Counter counter;
  std::atomic<bool> inner_runs = false;
  std::vector<std::string> served;
  const auto runtime = NewRuntime(0);
  std::thread other([&] {
    SpinUntil([&] { return counter.HasWaiters(); });
    runtime->Post([&] {
      inner_runs = true;
      ASSERT_TRUE(counter.Take(*runtime));
      served.push_back("inner");
      counter.Add();
    });
    SpinUntil([&] { return inner_runs && counter.HasWaiters(); });
    counter.Add();
  });
  ASSERT_TRUE(counter.Take(*runtime, runtime->Uptime() + kLongWait));
  served.push_back("outer");
  other.join();
  EXPECT_THAT(served, ElementsAre("inner", "outer"));
}

// R5: not even the only worker; its wait ends when it said it would.
TEST(AwaitTest, AWorkerThatWaitsRunsNothing) {
  Counter counter, done;
  std::atomic<bool> ran = false;
  const auto runtime = NewFrozenRuntime(1);
  runtime->Post([&] {
    EXPECT_FALSE(counter.Take(*runtime, absl::Seconds(1)));
    EXPECT_FALSE(ran);
    done.Add();
  });
  runtime->Post([&] {
    ran = true;
    done.Add();
  });
  SpinUntil([&] { return counter.HasWaiters(); });
  runtime->AdvanceClock(absl::Seconds(1));
  ASSERT_TRUE(done.Take(*runtime));
  ASSERT_TRUE(done.Take(*runtime));
  EXPECT_TRUE(ran);
}

// R5: a stack has an end.
TEST(PollTest, TasksOnTopOfWaitsAreBounded) {
  Counter never;
  int depth = 0;
  int deepest = 0;
  const auto runtime = NewRuntime(0);
  for (int i = 0; i < 1'000; ++i) {
    runtime->Post([&] {
      deepest = std::max(deepest, ++depth);
      never.Take(*runtime, runtime->Uptime() + absl::Microseconds(10));
      --depth;
    });
  }
  while (runtime->Poll() > 0) {
  }
  EXPECT_LE(deepest, 65);
}

TEST(AwaitTest, AWorkerThatWaitsBesideAFreeOneRunsNothing) {
  Counter counter, done;
  std::thread::id waiting, running;
  const auto runtime = NewRuntime(2);
  runtime->Post([&] {
    waiting = std::this_thread::get_id();
    counter.Take(*runtime);
    done.Add();
  });
  SpinUntil([&] { return counter.HasWaiters(); });
  runtime->Post([&] {
    running = std::this_thread::get_id();
    counter.Add();
    done.Add();
  });
  ASSERT_TRUE(done.Take(*runtime));
  ASSERT_TRUE(done.Take(*runtime));
  EXPECT_NE(waiting, running);
}

// ---- Poll

TEST(PollTest, RunsWhatIsDueAndLeavesWhatThatPostsForTheNextCall) {
  int rounds = 0;
  Task* again = nullptr;
  const auto runtime = NewRuntime(0);
  Task task = [&] {
    if (++rounds < 3) runtime->Post([&again] { (*again)(); });
  };
  again = &task;
  runtime->Post([&again] { (*again)(); });
  EXPECT_EQ(runtime->Poll(), 1);
  EXPECT_EQ(rounds, 1);
  EXPECT_EQ(runtime->Poll(), 1);
  EXPECT_EQ(runtime->Poll(), 1);
  EXPECT_EQ(runtime->Poll(), 0);
}

TEST(PollTest, NextDueTellsAHostHowLongItMaySleep) {
  const auto runtime = NewFrozenRuntime(0);
  EXPECT_EQ(runtime->NextDue(), absl::InfiniteDuration());
  runtime->PostAt(absl::Seconds(9), [] {});
  EXPECT_EQ(runtime->NextDue(), absl::Seconds(9));
  runtime->AdvanceClock(absl::Seconds(3));
  runtime->Post([] {});
  EXPECT_EQ(runtime->NextDue(), absl::Seconds(3));
  EXPECT_EQ(runtime->Poll(), 1);
  EXPECT_EQ(runtime->NextDue(), absl::Seconds(9));
}

TEST(PollTest, WaitsForATaskOfAnotherThread) {
  std::atomic<bool> ran = false;
  const auto runtime = NewFrozenRuntime(0);
  std::thread other([&] { runtime->Post([&ran] { ran = true; }); });
  EXPECT_EQ(runtime->Poll(kLongWait), 1);
  EXPECT_TRUE(ran);
  other.join();
}

// R1: a waiter that is called for a task, but leaves because its own wait is over, calls the next.
TEST(PollTest, ATaskIsNotLostWithAWaiterThatLeaves) {
  Mutex mu;
  WaitList waiters;
  bool over = false;
  std::atomic<bool> polling = false;
  const auto runtime = NewRuntime(0);
  std::thread poller([&] {
    polling = true;
    while (runtime->Poll(kLongWait) == 0) {
    }
  });
  SpinUntil([&] { return polling.load(); });
  std::thread waiter([&] {
    MutexLock lock(&mu);
    EXPECT_TRUE(runtime->Await(
        mu, waiters, [&over] { return over; }, absl::InfiniteDuration()));
  });
  for (bool waits = false; !waits;) {
    MutexLock lock(&mu);
    waits = !waiters.empty();
    if (!waits) continue;
    runtime->Post([] {});  // calls the waiter, if it came last; it cannot look before we let go
    over = true;
    waiters.WakeAll();
  }
  waiter.join();
  poller.join();
  EXPECT_LT(runtime->Uptime(), kLongWait);
}

TEST(PollTest, WaitsForATimerAndNoLongerThanAllowed) {
  const auto runtime = NewRuntime(0);
  runtime->PostAt(runtime->Uptime() + absl::Milliseconds(2), [] {});
  EXPECT_EQ(runtime->Poll(kLongWait), 1);
  EXPECT_EQ(runtime->Poll(absl::Milliseconds(1)), 0);
}

TEST(PollTest, WaitIsTheMachinesTimeEvenIfTheClockIsFrozen) {
  const auto runtime = NewFrozenRuntime(0);
  EXPECT_EQ(runtime->Poll(absl::Milliseconds(1)), 0);
}

TEST(PollTest, HelpsBesideThreads) {
  std::atomic<int> inside = 0;
  const auto runtime = NewRuntime(1);
  for (int i = 0; i < 2; ++i) {
    runtime->Post([&inside] {
      ++inside;
      SpinUntil([&inside] { return inside == 2; });  // ends only if this thread takes one
    });
  }
  SpinUntil([&inside] { return inside == 1; });
  EXPECT_EQ(runtime->Poll(), 1);
}

// ---- Chance

TEST(RandomTest, TheSameSeedRepeatsAndAnotherDoesNot) {
  const auto draw = [](uint64_t seed) {
    const auto runtime = NewThreadedRuntime({.threads = 0, .seed = seed});
    return std::vector<uint64_t>{runtime->Random(), runtime->Random(), runtime->Random()};
  };
  EXPECT_EQ(draw(7), draw(7));
  EXPECT_NE(draw(7), draw(8));
  EXPECT_NE(draw(0), draw(0));  // from the system's entropy
}

TEST(RandomTest, ThreadsNeverDrawTheSameNumber) {
  const auto runtime = NewRuntime(0);
  std::vector<std::vector<uint64_t>> drawn(4);
  std::vector<std::thread> threads;
  for (std::vector<uint64_t>& mine : drawn) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1'000; ++i) mine.push_back(runtime->Random());
    });
  }
  std::vector<uint64_t> all;
  for (size_t i = 0; i < threads.size(); ++i) {
    threads[i].join();
    all.insert(all.end(), drawn[i].begin(), drawn[i].end());
  }
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::adjacent_find(all.begin(), all.end()), all.end());
}

// ---- All at once

// Tasks post tasks and timers, cancel some, wait and wake, the clock is moved: everything posted
// and not cancelled has run once when it is over.
TEST(ThreadedRuntimeStress, EveryTaskRunsOnce) {
  Counter settled;
  std::atomic<int> ran = 0, cancelled = 0;
  const auto runtime = NewRuntime(3);
  const int each = 300 * kStress;
  std::vector<std::thread> posters;
  for (int p = 0; p < 3; ++p) {
    posters.emplace_back([&] {
      for (int i = 0; i < each; ++i) {
        runtime->Post([&] {
          const absl::Duration soon =
              runtime->Uptime() + absl::Nanoseconds(runtime->Random() % 50'000);
          const TimerId timer = runtime->PostAt(soon, [&] {
            ++ran;
            settled.Add();
          });
          if (runtime->Random() % 4 == 0 && runtime->Cancel(timer)) {
            ++cancelled;
            settled.Add();
          }
        });
        if (i % 100 == 0) runtime->AdvanceClock(absl::Microseconds(10));
      }
    });
  }
  for (int i = 0; i < 3 * each; ++i) ASSERT_TRUE(settled.Take(*runtime));
  for (std::thread& poster : posters) poster.join();
  EXPECT_EQ(ran + cancelled, 3 * each);
}

}  // namespace
}  // namespace banyan
