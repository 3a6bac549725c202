// SPDX-License-Identifier: Apache-2.0
//
// SimulatedRuntime: a Runtime whose time stands still until a test moves it, and whose every
// choice follows from one seed.
//
//   SimulatedRuntime runtime;
//   Broker broker = Broker::Create(runtime, {}).value();
//   ...
//   runtime.Advance(absl::Seconds(30));  // all that falls due on the way has run
//
// Threads   The thread that made it drives it: Advance, RunUntilIdle and Await belong to that
//           thread, and all tasks run on it. Read, Random, Post, PostAt and Cancel may be called
//           from any thread, but what other threads post, and when, is not the seed's doing.
// Lifetime  As every Runtime: it outlives the brokers made on it.
// Units     Time starts at Uptime 0 and SimulationOptions::start, and moves by nanoseconds.
// Errors    A test that cannot go on (tasks that post each other for ever, a wait that nothing can
//           end, a call on the wrong thread) aborts with a text that names the seed.
#ifndef BANYAN_TESTING_SIMULATED_RUNTIME_H_
#define BANYAN_TESTING_SIMULATED_RUNTIME_H_

#include <cstdint>
#include <memory>
#include <stop_token>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"

namespace banyan::inline v0_1::testing {

struct SimulationOptions {
  // Whatever Random() and `shuffle` answer follows from it. The same seed gives the same run.
  uint64_t seed = 1;

  // False: tasks due together run in the order they were posted, so that a unit test reads
  // straight. True: the seed chooses among them; run a test with many seeds to see many orders.
  bool shuffle = false;

  // What the wall clock shows at first: 2026-01-01 00:00:00 UTC, a Thursday.
  absl::Time start = absl::FromUnixSeconds(1'767'225'600);

  // Tasks that one Advance, RunUntilIdle or Await may run before it is taken for endless.
  int64_t tasks_max = 10'000'000;
};

class SimulatedRuntime final : public Runtime {
 public:
  explicit SimulatedRuntime(SimulationOptions options = {});
  ~SimulatedRuntime() override;

  // Moves time forward by `by`, running on the way all that falls due, in time order and each
  // task at its own time. What is due at the end has run, too. Returns how many tasks ran. `by`
  // is finite and not negative.
  int64_t Advance(absl::Duration by);

  // Runs what is due now, and what that posts for now; stops at the first timer in the future.
  // Time does not move. Returns how many tasks ran.
  int64_t RunUntilIdle();

  // Steps the wall clock alone, either way; Uptime and deadlines do not move.
  void JumpWallClock(absl::Duration by);

  // When the next timer is due, as Uptime: now if a task waits to run, absl::InfiniteDuration()
  // if nothing is planned at all.
  absl::Duration NextDue();

  uint64_t seed() const;

  Instant Read() override;
  uint64_t Random() override;
  void Post(Task task) override;
  TimerId PostAt(absl::Duration uptime, Task task) override;
  bool Cancel(TimerId timer) override;

  // Runs what is due, moving time no further than `deadline`, until `ready()` is true: a blocking
  // call in a test takes simulated time only. Made inside a task it does the same, on top of it;
  // of several waits so nested only the innermost can end. At the deadline itself, what is due
  // then still runs before the wait gives up.
  bool Await(Mutex& mu, WaitList& waiters, absl::FunctionRef<bool()> ready, absl::Duration deadline,
             std::stop_token stop = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) override;

 private:
  class Core;
  const std::unique_ptr<Core> core_;
};

}  // namespace banyan::inline v0_1::testing

#endif  // BANYAN_TESTING_SIMULATED_RUNTIME_H_
