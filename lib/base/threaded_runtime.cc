// SPDX-License-Identifier: Apache-2.0
//
// lib/base/threaded_runtime.cc -- floor 0: the machine's time, threads and entropy behind the
// Runtime interface. The one file of the library that reads a clock, sleeps, starts a thread or
// draws entropy; a lint test holds the others to it.
//
// Words
//   hand        a thread that runs tasks at the moment: a worker of ours, a thread inside Poll(),
//               a thread inside Await() that helps (see Helps()).
//   Sleeper     where one thread sleeps, on its own stack, with its own condition variable.
//   timekeeper  the idle hand that sleeps no longer than until the next timer. One is enough; the
//               others sleep until they are called. With no timer, nobody wakes up for nothing.
//
//                     Post                       a timer is due
//                      |                               |
//                      v                               v
//   tasks.ready ---> WakeHand ---> idle hand      timekeeper
//                                     |                |
//                                     +--> TakeDue <---+   then PassOn(): is there more to do, or
//                                             |            nobody left to keep time? wake another
//                                          task()
//
// R1  If a task is ready or a timer unwatched while a hand is idle, some hand has been woken and
//     will look. Post and PostAt wake one, and whoever stops looking (it took a task, or leaves
//     Poll or Await) calls PassOn, so a wake-up is never lost with the one who got it.
// R2  A Sleeper is on idle, timed or a WaitList only while its thread is inside Sleep or Await,
//     and is taken off under the mutex that guards the list. Whoever wakes it holds that mutex (or
//     is the stop callback, which the destructor of std::stop_callback waits for): it exists.
// R3  User code (a task, or a task's destructor) runs under no lock of this file.
// R4  Await puts its Sleeper on the WaitList only to sleep, never while it runs a task: a wake-up
//     must reach a thread that can use it now, and a nested Await on the same list is the only
//     one of that thread that can.
// R5  Only a thread that nobody can stand in for runs tasks while it waits: one inside Poll(), or
//     any where there are no workers. A worker that waits just sleeps: strange tasks on top of it
//     would make its wait longer than it asked for. And nobody nests deeper than kHelpDepthMax.
//
// Lock order: the mutex given to Await -> mu_ -> clock_mu_; any of them -> Sleeper::mu_.
//
// One mutex for all tasks, not a deque per thread with stealing: the rooms post per batch, not per
// message, so the queue of tasks is not where a broker spends its time, and order stays posting
// order for everyone.
#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif

#include "banyan/runtime.h"
#include "base/check.h"
#include "base/clock_map.h"
#include "base/fork_sentinel.h"
#include "base/mix.h"
#include "base/nanoseconds.h"
#include "base/task_queue.h"
#include "base/this_thread.h"

namespace banyan::inline v0_1 {
namespace internal {
namespace {

constexpr int kThreadsMax = 1024;

// How many tasks may run on top of each other's waits on one thread: a stack has an end.
constexpr int kHelpDepthMax = 64;
constinit thread_local int help_depth = 0;

constexpr double kClockScaleMax = 1e6;

template <typename Clock>
int64_t NanosecondsOf() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now().time_since_epoch())
      .count();
}
constexpr auto RawNow = NanosecondsOf<std::chrono::steady_clock>;
constexpr auto UnixNow = NanosecondsOf<std::chrono::system_clock>;

// How far the machine's wall clock is from its raw clock, and how far that may be wrong because
// the two cannot be read at once.
struct WallOffset {
  int64_t ns;
  int64_t uncertainty_ns;
};

WallOffset MeasureWallOffset() {
  WallOffset best = {.ns = 0, .uncertainty_ns = kNever};
  for (int i = 0; i < 3; ++i) {  // a thread switch in between spoils one measurement, hardly three
    const int64_t before_ns = RawNow();
    const int64_t unix_ns = UnixNow();
    const int64_t apart_ns = RawNow() - before_ns;
    if (apart_ns >= best.uncertainty_ns) continue;
    best = {.ns = unix_ns - before_ns - apart_ns / 2, .uncertainty_ns = apart_ns};
  }
  return best;
}

uint64_t Entropy() {
  std::random_device device;
  return (uint64_t{device()} << 32) ^ device();
}

// Signals of the host are for the host's threads: while this lives, threads that are started
// block them all.
class SignalsBlocked {
 public:
#if defined(__unix__) || defined(__APPLE__)
  SignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

 private:
  sigset_t before_;
#endif
};

// NAME-INDEX, with NAME cut so that the number survives the system's limit.
void NameThisThread([[maybe_unused]] const std::string& name, [[maybe_unused]] int index) {
#if defined(__linux__)
  constexpr size_t kNameMax = 15;
  const std::string suffix = "-" + std::to_string(index);
  pthread_setname_np(pthread_self(), (name.substr(0, kNameMax - suffix.size()) + suffix).c_str());
#endif
}

// Where one thread sleeps. A Wake() that comes early is kept for the next sleep.
class Sleeper final : public Waiter {
 public:
  void Wake() override {
    const std::lock_guard<std::mutex> lock(mu_);
    woken_ = true;
    changed_.notify_one();
  }

  void SleepUntil(int64_t raw_ns) {
    std::unique_lock<std::mutex> lock(mu_);
    const auto woken = [this] { return woken_; };
    if (raw_ns >= kLatest) {
      changed_.wait(lock, woken);
    } else {
      using std::chrono::nanoseconds, std::chrono::steady_clock, std::chrono::time_point;
      changed_.wait_until(lock, time_point<steady_clock, nanoseconds>(nanoseconds(raw_ns)), woken);
    }
    woken_ = false;
  }

 private:
  std::mutex mu_;
  std::condition_variable changed_;
  bool woken_ = false;
};

template <typename T>
void EraseLast(std::vector<T>& from, T value) {
  const auto found = std::find(from.rbegin(), from.rend(), value);
  if (found != from.rend()) from.erase(std::next(found).base());
}

template <typename T>
bool Contains(const std::vector<T>& in, T value) {
  return std::find(in.begin(), in.end(), value) != in.end();
}

class ThreadedRuntimeImpl final : public ThreadedRuntime {
 public:
  explicit ThreadedRuntimeImpl(ThreadedRuntimeOptions options)
      : options_(std::move(options)),
        measured_wall_(MeasureWallOffset()),
        measured_at_raw_ns_(RawNow()),
        clock_(measured_at_raw_ns_.load(),
               AddClamped(measured_at_raw_ns_.load() + measured_wall_.ns,
                          CeilNanoseconds(options_.clock.offset)),
               options_.clock.scale),
        random_state_(Mix64(options_.seed != 0 ? options_.seed : Entropy())),
        state_(std::make_unique<State>()) {
    BANYAN_CHECK(options_.threads >= 0 && options_.threads <= kThreadsMax,
                 "ThreadedRuntimeOptions::threads must be in 0..1024");
    CheckScale(options_.clock.scale);
    const SignalsBlocked blocked;
    threads_.reserve(static_cast<size_t>(options_.threads));
    for (int i = 0; i < options_.threads; ++i) {
      threads_.emplace_back([this, i] {
        NameThisThread(options_.thread_name, i);
        Work();
      });
    }
  }

  ~ThreadedRuntimeImpl() override {
    if (fork_sentinel_.forked()) {
      AbandonInForkedChild();
      return;
    }
    {
      MutexLock lock(&mu_);
      BANYAN_CHECK(!Contains(state_->workers, ThisThread()),
                   "a ThreadedRuntime must not be destroyed on one of its own threads");
      state_->stopping = true;
      while (!state_->idle.empty()) WakeHand();
    }
    for (std::thread& thread : threads_) thread.join();
    // A task's destructor may post once more (a handle that dies announces it), so until nothing
    // is left. `undone` dies after `lock`: R3.
    for (bool more = true; more;) {
      Task undone;
      MutexLock lock(&mu_);
      more = state_->tasks.TakeUndone(&undone);
    }
  }

  Instant Read() override {
    const ClockMap::Reading now = clock_.Read(RawNow);
    if (ABSL_PREDICT_TRUE(now.raw_ns - measured_at_raw_ns_.load(std::memory_order_relaxed) <
                          kWallMeasuredEveryNs)) {
      return now.instant;
    }
    FollowMachineWallClock();
    return clock_.Read(RawNow).instant;
  }

  uint64_t Random() override {
    return Mix64(random_state_.fetch_add(kMixStep, std::memory_order_relaxed));
  }

  void Post(Task task) override {
    MutexLock lock(&mu_);
    CheckRoom();
    state_->tasks.Post(std::move(task));
    WakeHand();
  }

  TimerId PostAt(absl::Duration uptime, Task task) override {
    const int64_t due_ns = CeilNanoseconds(uptime);
    MutexLock lock(&mu_);
    CheckRoom();
    const bool is_next = due_ns < state_->tasks.next_due_ns();
    const TimerId id = state_->tasks.PostAt(due_ns, std::move(task));
    // Whoever keeps time sleeps too long now; if nobody does, somebody must begin.
    if (state_->timekeeper == nullptr) {
      WakeHand();
    } else if (is_next) {
      state_->timekeeper->Wake();
    }
    return id;
  }

  bool Cancel(TimerId timer) override {
    Task cancelled;  // destroyed after the lock is released (R3)
    MutexLock lock(&mu_);
    // The timekeeper is left alone: at worst it wakes up once for a timer that is gone.
    return state_->tasks.Cancel(timer, &cancelled);
  }

  bool Await(Mutex& mu, WaitList& waiters, absl::FunctionRef<bool()> ready, absl::Duration deadline,
             std::stop_token stop) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) override {
    if (ready()) return true;
    const int64_t deadline_ns = CeilNanoseconds(deadline);
    if (HasCome(deadline_ns) || stop.stop_requested()) return false;

    Sleeper sleeper;
    // If stop was requested by now, this calls Wake() at once and on this thread: no harm, since
    // Wake() takes the sleeper's own mutex only.
    const std::stop_callback wake_on_stop(stop, [&sleeper] { sleeper.Wake(); });
    bool is_ready = false;
    do {
      Task task;
      if (TakeDueIfHelping(&task)) {
        waiters.Remove(&sleeper);  // R4
        mu.Unlock();
        ++help_depth;
        task();
        task = nullptr;
        --help_depth;
      } else {
        waiters.Add(&sleeper);
        mu.Unlock();
        SleepInAwait(sleeper, deadline_ns);
      }
      mu.Lock();
      is_ready = ready();
    } while (!is_ready && !HasCome(deadline_ns) && !stop.stop_requested());
    waiters.Remove(&sleeper);
    MutexLock lock(&mu_);
    PassOn();
    return is_ready;
  }

  void AdvanceClock(absl::Duration by) override {
    BANYAN_CHECK(by >= absl::ZeroDuration(), "AdvanceClock goes forward only");
    ChangeClock([this, by]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(clock_mu_) {
      clock_.Advance(RawNow, CeilNanoseconds(by));
    });
  }

  void SetClockScale(double scale) override {
    CheckScale(scale);
    ChangeClock([this, scale]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(clock_mu_) {
      clock_.SetScale(RawNow, scale);
      measured_wall_ = MeasureWallOffset();
    });
  }

  void JumpWallClock(absl::Duration by) override {
    MutexLock lock(&clock_mu_);
    clock_.JumpWall(CeilNanoseconds(by));
  }

  int64_t Poll(absl::Duration wait, std::stop_token stop) override {
    const int64_t wait_until_raw_ns =
        wait > absl::ZeroDuration() ? AddClamped(RawNow(), CeilNanoseconds(wait)) : 0;
    {
      MutexLock lock(&mu_);
      state_->pollers.push_back(ThisThread());
    }
    Sleeper sleeper;
    const std::stop_callback wake_on_stop(stop, [&sleeper] { sleeper.Wake(); });
    int64_t ran = RunDue();
    while (ran == 0 && RawNow() < wait_until_raw_ns && !stop.stop_requested()) {
      {
        MutexLock lock(&mu_);
        SleepAsHand(sleeper, {.raw_ns = wait_until_raw_ns});
      }
      ran = RunDue();
    }
    MutexLock lock(&mu_);
    EraseLast(state_->pollers, ThisThread());
    PassOn();
    return ran;
  }

  absl::Duration NextDue() override {
    MutexLock lock(&mu_);
    if (state_->tasks.ready() > 0) return absl::Nanoseconds(UptimeNow());
    return FromNanoseconds(state_->tasks.next_due_ns());
  }

 private:
  // How often the machine's wall clock is looked at for steps (an operator, NTP after a long
  // sleep). Small corrections move both of the machine's clocks alike and need no looking.
  static constexpr int64_t kWallMeasuredEveryNs = 1'000'000'000;

  // All that mu_ guards, on the heap so that a forked child can leave it behind.
  struct State {
    TaskQueue tasks;
    std::vector<Sleeper*> idle;   // hands that sleep; the last to come is woken first: its stack
                                  // is warm, and the timekeeper, at the bottom, is left alone
    std::vector<Sleeper*> timed;  // sleep until some uptime, so they care if the clock is moved
    Sleeper* timekeeper = nullptr;
    std::vector<ThreadToken> workers;
    std::vector<ThreadToken> pollers;  // a thread is in it once per Poll() on its stack
    bool stopping = false;
  };

  // When a sleep ends by itself: whatever comes first.
  struct Limit {
    int64_t uptime_ns = kNever;
    int64_t raw_ns = kNever;
  };

  static void CheckScale(double scale) {
    BANYAN_CHECK(scale >= 0 && scale <= kClockScaleMax, "a clock's scale must be in 0..1000000");
  }

  int64_t UptimeNow() const { return clock_.Read(RawNow).instant.uptime_ns; }
  bool HasCome(int64_t deadline_ns) const {
    return deadline_ns != kNever && UptimeNow() >= deadline_ns;
  }

  void CheckRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    BANYAN_CHECK(state_->tasks.size() < static_cast<size_t>(options_.tasks_max),
                 "ThreadedRuntimeOptions::tasks_max tasks and timers are waiting: they are posted "
                 "faster than they run, or there is no thread to run them");
  }

  void FollowMachineWallClock() {
    if (!clock_mu_.TryLock()) return;  // somebody else is at it
    const WallOffset now = MeasureWallOffset();
    const int64_t step_ns = now.ns - measured_wall_.ns;
    const bool real = clock_.scale() == 1.0;  // a scaled or frozen wall clock goes its own way
    const bool certain = std::abs(step_ns) > now.uncertainty_ns + measured_wall_.uncertainty_ns;
    if (real && certain) clock_.JumpWall(step_ns);
    if (!real || certain) measured_wall_ = now;
    measured_at_raw_ns_.store(RawNow(), std::memory_order_relaxed);
    clock_mu_.Unlock();
  }

  template <typename Change>
  void ChangeClock(const Change& change) {
    MutexLock lock(&mu_);
    {
      MutexLock clock_lock(&clock_mu_);
      change();
    }
    for (Sleeper* const sleeper : state_->timed) sleeper->Wake();
  }

  // The life of one of our threads.
  void Work() {
    Sleeper sleeper;
    mu_.Lock();
    state_->workers.push_back(ThisThread());
    while (!state_->stopping) {
      Task task;
      if (TakeDue(&task)) {
        mu_.Unlock();
        task();
        task = nullptr;
        mu_.Lock();
      } else {
        SleepAsHand(sleeper, {});
      }
    }
    mu_.Unlock();
  }

  // Runs what is due at this moment, and not what these tasks post in turn: a host's loop must
  // come round again.
  int64_t RunDue() {
    size_t left = 0;
    {
      MutexLock lock(&mu_);
      CollectDue();
      left = state_->tasks.ready();
    }
    int64_t ran = 0;
    for (; left > 0; --left) {
      Task task;
      {
        MutexLock lock(&mu_);
        if (!TakeDue(&task)) break;
      }
      task();
      ++ran;
    }
    return ran;
  }

  // Does a thread that waits in Await run tasks meanwhile? (R5)
  bool Helps() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (help_depth >= kHelpDepthMax) return false;
    return options_.threads == 0 || Contains(state_->pollers, ThisThread());
  }

  void CollectDue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (state_->tasks.has_timers()) state_->tasks.CollectDue(UptimeNow());
  }

  bool TakeDue(Task* task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (state_->stopping) return false;
    CollectDue();
    if (!state_->tasks.Take(task)) return false;
    PassOn();
    return true;
  }

  bool TakeDueIfHelping(Task* task) {
    MutexLock lock(&mu_);
    return Helps() && TakeDue(task);
  }

  void SleepInAwait(Sleeper& sleeper, int64_t deadline_ns) {
    MutexLock lock(&mu_);
    if (Helps()) {
      SleepAsHand(sleeper, {.uptime_ns = deadline_ns});
      return;
    }
    PassOn();  // it may have helped until now
    Sleep(sleeper, {.uptime_ns = deadline_ns});
  }

  // Returns when there may be something to do: the caller looks and comes back.
  void SleepAsHand(Sleeper& sleeper, Limit limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (state_->stopping) return Sleep(sleeper, limit);  // nothing new runs
    if (state_->tasks.ready() > 0) return;
    state_->idle.push_back(&sleeper);
    if (state_->timekeeper == nullptr) {
      state_->timekeeper = &sleeper;
      limit.uptime_ns = std::min(limit.uptime_ns, state_->tasks.next_due_ns());
    }
    Sleep(sleeper, limit);
    if (state_->timekeeper == &sleeper) state_->timekeeper = nullptr;
    EraseLast(state_->idle, &sleeper);  // no effect if it was called: WakeHand took it off
  }

  // Returns when the sleeper was woken or the limit has come, but for a tick of the clock.
  void Sleep(Sleeper& sleeper, Limit limit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const bool timed = limit.uptime_ns != kNever;
    if (timed) {
      state_->timed.push_back(&sleeper);
      MutexLock clock_lock(&clock_mu_);
      limit.raw_ns = std::min(limit.raw_ns, clock_.RawTimeOf(limit.uptime_ns));
    }
    mu_.Unlock();
    sleeper.SleepUntil(limit.raw_ns);
    mu_.Lock();
    if (timed) EraseLast(state_->timed, &sleeper);
  }

  void WakeHand() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    if (state_->idle.empty()) return;
    Sleeper* const hand = state_->idle.back();
    state_->idle.pop_back();
    hand->Wake();
  }

  // R1: called by whoever stops looking for work.
  void PassOn() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    const bool unwatched = state_->timekeeper == nullptr && state_->tasks.has_timers();
    if (state_->tasks.ready() > 0 || unwatched) WakeHand();
  }

  void AbandonInForkedChild() {
    // The threads are not here, and whoever held mu_ at the fork left what it guards half done:
    // nothing may be joined, locked or walked. Both are left where they are, which in a child
    // costs little. What was queued is the parent's to run.
    static_cast<void>(new std::vector<std::thread>(std::move(threads_)));
    static_cast<void>(state_.release());
  }

  const ThreadedRuntimeOptions options_;
  const ForkSentinel fork_sentinel_;

  // Changes of the clock's pace need mu_ as well, so that sleepers hear of them.
  Mutex clock_mu_;
  WallOffset measured_wall_ ABSL_GUARDED_BY(clock_mu_);
  std::atomic<int64_t> measured_at_raw_ns_;
  ClockMap clock_;  // one writer at a time: clock_mu_; readers need nothing

  std::atomic<uint64_t> random_state_;

  Mutex mu_ ABSL_ACQUIRED_BEFORE(clock_mu_);
  std::unique_ptr<State> state_ ABSL_PT_GUARDED_BY(mu_);
  std::vector<std::thread> threads_;  // fixed once constructed
};

}  // namespace
}  // namespace internal

std::unique_ptr<ThreadedRuntime> NewThreadedRuntime(ThreadedRuntimeOptions options) {
  return std::make_unique<internal::ThreadedRuntimeImpl>(std::move(options));
}

}  // namespace banyan::inline v0_1
