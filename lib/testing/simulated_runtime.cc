// SPDX-License-Identifier: Apache-2.0
//
// lib/testing/simulated_runtime.cc -- floor 7: one queue of tasks, one number called time, one
// thread that runs the former and moves the latter.
//
//   Step(until):  a task is ready?       run one
//                 a timer before until?  time = its deadline, and again
//                 neither                time = until, done
//
// S1  Time moves only in Step, only forward, and only when no task is ready.
// S2  All choices come from `options_.seed`: the order of tasks by posting order or by the shuffle
//     stream, Random() by a stream of its own, so that shuffling does not change what it answers.
// S3  Tasks run on the driving thread, under no lock. The lock is for other threads that post.
#include "banyan/testing/simulated_runtime.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/mix.h"
#include "base/nanoseconds.h"
#include "base/task_queue.h"
#include "base/this_thread.h"

namespace banyan::inline v0_1::testing {

using internal::AddClamped;
using internal::CeilNanoseconds;
using internal::kNever;

class SimulatedRuntime::Core {
 public:
  explicit Core(const SimulationOptions& options)
      : options_(options),
        wall_minus_uptime_ns_(absl::ToUnixNanos(options.start)),
        random_state_(internal::Mix64(options.seed)),
        shuffle_state_(internal::Mix64(~options.seed)) {}

  ~Core() {
    // What never ran dies unrun. Its destructor may post more; `undone` dies after `lock`.
    for (bool more = true; more;) {
      Task undone;
      MutexLock lock(&mu_);
      more = tasks_.TakeUndone(&undone);
    }
  }

  // A stretch of driving: Advance, RunUntilIdle or Await, possibly inside a task of another.
  class Drive {
   public:
    Drive(Core& core, const char* call) : core_(core) {
      if (internal::ThisThread() != core_.driver_) {
        core_.Abort(call, "was called on another thread than the one that made the runtime");
      }
      if (core_.depth_++ == 0) core_.ran_ = 0;
      if (core_.depth_ > kDepthMax) {
        core_.Abort(call, "is nested 1000 deep: blocking calls in tasks wait on top of each other");
      }
      ran_before_ = core_.ran_;
    }
    ~Drive() { --core_.depth_; }
    Drive(const Drive&) = delete;
    Drive& operator=(const Drive&) = delete;

    // Tasks that ran inside this stretch, those of nested ones included.
    int64_t ran() const { return core_.ran_ - ran_before_; }

   private:
    Core& core_;
    int64_t ran_before_ = 0;
  };

  // Runs one task, moving time to its timer but not beyond `until_ns`. False: there was none, and
  // time is at `until_ns` (or has passed it; or stands, if that is never).
  bool Step(int64_t until_ns) {
    Task task;
    {
      MutexLock lock(&mu_);
      if (!TakeDue(&task)) {
        const int64_t next_ns = std::min(tasks_.next_due_ns(), until_ns);
        if (next_ns != kNever) uptime_ns_ = std::max(uptime_ns_, next_ns);
        if (!TakeDue(&task)) return false;
      }
    }
    if (++ran_ > options_.tasks_max) {
      Abort("SimulationOptions::tasks_max", "tasks ran in one call: they post each other for ever");
    }
    task();
    return true;
  }

  int64_t uptime_ns() {
    MutexLock lock(&mu_);
    return uptime_ns_;
  }

  Instant Read() {
    MutexLock lock(&mu_);
    return {.uptime_ns = uptime_ns_, .unix_ns = AddClamped(uptime_ns_, wall_minus_uptime_ns_)};
  }

  uint64_t Random() {
    MutexLock lock(&mu_);
    return Draw(&random_state_);
  }

  void Post(Task task) {
    MutexLock lock(&mu_);
    tasks_.Post(std::move(task));
  }

  TimerId PostAt(int64_t due_ns, Task task) {
    MutexLock lock(&mu_);
    return tasks_.PostAt(due_ns, std::move(task));
  }

  bool Cancel(TimerId timer) {
    Task cancelled;  // destroyed after the lock is released
    MutexLock lock(&mu_);
    return tasks_.Cancel(timer, &cancelled);
  }

  int64_t NextDue() {
    MutexLock lock(&mu_);
    return tasks_.ready() > 0 ? uptime_ns_ : tasks_.next_due_ns();
  }

  void JumpWallClock(int64_t by_ns) {
    MutexLock lock(&mu_);
    wall_minus_uptime_ns_ = AddClamped(wall_minus_uptime_ns_, by_ns);
  }

  [[noreturn]] void Abort(const char* what, const char* why) const {
    std::fprintf(stderr, "SimulatedRuntime, seed %llu: %s %s\n",
                 static_cast<unsigned long long>(options_.seed), what, why);
    std::abort();
  }

  const SimulationOptions& options() const { return options_; }

 private:
  // Waits that may be nested: far more than a sane test has, far less than the stack has room for.
  static constexpr int kDepthMax = 1000;

  static uint64_t Draw(uint64_t* state) { return internal::Mix64(*state += internal::kMixStep); }

  bool TakeDue(Task* task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    tasks_.CollectDue(uptime_ns_);
    return options_.shuffle ? tasks_.TakeAny(Draw(&shuffle_state_), task) : tasks_.Take(task);
  }

  const SimulationOptions options_;
  const internal::ThreadToken driver_ = internal::ThisThread();

  // The driver's alone.
  int depth_ = 0;
  int64_t ran_ = 0;  // since the outermost drive began

  Mutex mu_;
  internal::TaskQueue tasks_ ABSL_GUARDED_BY(mu_);
  int64_t uptime_ns_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t wall_minus_uptime_ns_ ABSL_GUARDED_BY(mu_);
  uint64_t random_state_ ABSL_GUARDED_BY(mu_);
  uint64_t shuffle_state_ ABSL_GUARDED_BY(mu_);
};

SimulatedRuntime::SimulatedRuntime(SimulationOptions options)
    : core_(std::make_unique<Core>(options)) {}

SimulatedRuntime::~SimulatedRuntime() = default;

int64_t SimulatedRuntime::Advance(absl::Duration by) {
  if (by < absl::ZeroDuration() || by == absl::InfiniteDuration()) {
    core_->Abort("Advance", "needs a finite duration that is not negative");
  }
  const Core::Drive drive(*core_, "Advance");
  const int64_t until_ns = AddClamped(core_->uptime_ns(), CeilNanoseconds(by));
  while (core_->Step(until_ns)) {
  }
  return drive.ran();
}

int64_t SimulatedRuntime::RunUntilIdle() {
  const Core::Drive drive(*core_, "RunUntilIdle");
  const int64_t now_ns = core_->uptime_ns();
  while (core_->Step(now_ns)) {
  }
  return drive.ran();
}

bool SimulatedRuntime::Await(Mutex& mu, WaitList&, absl::FunctionRef<bool()> ready,
                             absl::Duration deadline, std::stop_token stop) {
  if (ready()) return true;
  const int64_t deadline_ns = CeilNanoseconds(deadline);
  if (core_->uptime_ns() >= deadline_ns) return false;

  const Core::Drive drive(*core_, "Await");
  while (!stop.stop_requested()) {
    mu.Unlock();
    const bool stepped = core_->Step(deadline_ns);
    mu.Lock();
    if (ready()) return true;
    if (stepped) continue;
    if (deadline_ns != kNever) return false;
    core_->Abort("Await", "would wait for ever: no task and no timer is left that could end it");
  }
  return false;
}

void SimulatedRuntime::JumpWallClock(absl::Duration by) {
  core_->JumpWallClock(CeilNanoseconds(by));
}

absl::Duration SimulatedRuntime::NextDue() { return internal::FromNanoseconds(core_->NextDue()); }

uint64_t SimulatedRuntime::seed() const { return core_->options().seed; }

Instant SimulatedRuntime::Read() { return core_->Read(); }

uint64_t SimulatedRuntime::Random() { return core_->Random(); }

void SimulatedRuntime::Post(Task task) { core_->Post(std::move(task)); }

TimerId SimulatedRuntime::PostAt(absl::Duration uptime, Task task) {
  return core_->PostAt(CeilNanoseconds(uptime), std::move(task));
}

bool SimulatedRuntime::Cancel(TimerId timer) { return core_->Cancel(timer); }

}  // namespace banyan::inline v0_1::testing
