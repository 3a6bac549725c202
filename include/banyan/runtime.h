// SPDX-License-Identifier: Apache-2.0
//
// Runtime: where a broker gets its time, its tasks, its waiting and its chance.
//
// A broker asks this object and nothing else for whatever a replay would need to know. Give it a
// threaded runtime in production, let your own loop poll one, or move time by hand in a test
// (banyan/testing/simulated_runtime.h): the code above does not change.
//
//   std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 4});
//   Broker broker = Broker::Create(*runtime, {}).value();
//
// Threads   Every method may be called from any thread, unless an implementation says otherwise.
// Lifetime  A Runtime outlives every Broker made on it. Tasks that never ran are destroyed with
//           the runtime, unrun.
// Units     Durations and instants carry nanoseconds.
#ifndef BANYAN_RUNTIME_H_
#define BANYAN_RUNTIME_H_

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/time/time.h"
#include "banyan/export.h"
#include "banyan/mutex.h"

namespace banyan::inline v0_1 {

// A piece of work for later. It runs once, on some thread of the runtime, under no lock. It must
// not throw.
using Task = absl::AnyInvocable<void()>;

// Names one timer of one runtime. Never reused. The default names none.
enum class TimerId : uint64_t { kNone = 0 };

// One reading of the clock: both of its faces at the same moment. Integers, because every message
// carries them and absl::Time costs three times the space and several times the arithmetic.
struct Instant {
  int64_t uptime_ns = 0;  // since the runtime was made; never goes back; for deadlines
  int64_t unix_ns = 0;    // since the Unix epoch; may jump; for stamps that people read

  absl::Duration uptime() const { return absl::Nanoseconds(uptime_ns); }
  absl::Time time() const { return absl::FromUnixNanos(unix_ns); }
};

class WaitList;

class BANYAN_EXPORT Runtime {
 public:
  virtual ~Runtime() = default;

  // The time, read once for both faces. Operations read it once and pass it on.
  virtual Instant Read() = 0;

  // 64 random bits. Seeded by the implementation; a simulated runtime repeats them by its seed.
  virtual uint64_t Random() = 0;

  // Runs `task` soon. Never inside the call, so it is safe under a lock. Tasks that are due
  // start in the order they were posted; with several threads they may overlap.
  virtual void Post(Task task) = 0;

  // Runs `task` when Uptime() reaches `uptime`; at once (but never inside the call) if it has.
  virtual TimerId PostAt(absl::Duration uptime, Task task) = 0;

  // True: the timer's task will never run. False: it ran, runs right now, or never was.
  virtual bool Cancel(TimerId timer) = 0;

  // Waits until `ready()` is true, Uptime() reaches `deadline`, or `stop` is requested; answers
  // what ready() says last. `mu` is held at entry, whenever ready() runs, and at return; it is
  // released in between. Whoever changes what ready() looks at calls `waiters.WakeOne()` or
  // `WakeAll()` under `mu`. No wake-up happens but for one of these four reasons.
  virtual bool Await(Mutex& mu, WaitList& waiters, absl::FunctionRef<bool()> ready,
                     absl::Duration deadline, std::stop_token stop = {})
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) = 0;

  absl::Time Now() { return Read().time(); }
  absl::Duration Uptime() { return Read().uptime(); }
};

// One sleeper that Runtime::Await has parked. Implemented by runtimes only.
class BANYAN_EXPORT Waiter {
 public:
  virtual ~Waiter() = default;
  // May be called under the mutex of the WaitList, any number of times, from any thread.
  virtual void Wake() = 0;

 private:
  friend class WaitList;
  Waiter* next_ = nullptr;
  Waiter* prev_ = nullptr;
  bool listed_ = false;
};

// Who waits for one thing to change, oldest first. Guarded by the mutex that guards the thing.
// Intrusive: a wait allocates nothing here, an idle list costs two words.
class BANYAN_EXPORT WaitList {
 public:
  WaitList() = default;
  WaitList(const WaitList&) = delete;
  WaitList& operator=(const WaitList&) = delete;

  bool empty() const { return head_ == nullptr; }

  // Wakes the one who has waited longest and takes it off the list; it puts itself back if its
  // condition turns out not to hold. So n calls wake n different waiters.
  void WakeOne();
  void WakeAll();

  // For runtimes.
  void Add(Waiter* waiter);
  void Remove(Waiter* waiter);  // no effect if it is not on the list

 private:
  Waiter* head_ = nullptr;
  Waiter* tail_ = nullptr;
};

// How a threaded runtime's clock goes relative to the machine's.
struct ClockOptions {
  // How fast runtime time passes, 0..1,000,000: 1 is real, 60 makes a minute of each second, 0
  // stands still until moved with ThreadedRuntime::AdvanceClock. At 1 the wall clock follows when
  // the machine's is set anew; at any other pace it goes its own way.
  double scale = 1.0;

  // Added to the wall clock (never to Uptime) from the start.
  absl::Duration offset = absl::ZeroDuration();
};

struct ThreadedRuntimeOptions {
  // Threads that run tasks, at most 1024. 0: none at all, then some thread of the host calls
  // Poll(). They block all signals: those are for the host's own threads. A task that blocks
  // occupies its thread: have more threads than handlers that wait for something.
  int threads = 1;

  // Threads are called NAME-0, NAME-1, ... (the system shows at most 15 characters).
  std::string thread_name = "banyan";

  ClockOptions clock = {};

  // Seed of Random(). 0: drawn from the system's entropy.
  uint64_t seed = 0;

  // Tasks posted and not yet started, at most, timers included. Beyond it tasks are posted faster
  // than they run, for ever, and the process aborts.
  int64_t tasks_max = 100'000'000;
};

// Time is the machine's (or scaled, offset, frozen), tasks run on threads of its own or in the
// host's loop.
class BANYAN_EXPORT ThreadedRuntime : public Runtime {
 public:
  // Moves the wall clock and Uptime forward by `by`, which must not be negative. Timers that
  // become due run, sleepers in Await look at their deadlines again.
  virtual void AdvanceClock(absl::Duration by) = 0;

  // From now on time passes at `scale` (see ClockOptions::scale). Sleepers look again here, too.
  virtual void SetClockScale(double scale) = 0;

  // Steps the wall clock alone, either way, as an operator or NTP would; deadlines do not move.
  virtual void JumpWallClock(absl::Duration by) = 0;

  // Runs what is due on the calling thread and returns how many tasks ran; what they post in turn
  // waits for the next call, so that a host's loop comes round again. With `wait` above zero and
  // nothing due, sleeps for at most that long (of the machine's time) for something to become
  // due. For a host with a loop of its own (threads = 0), but allowed beside threads, too.
  //
  // A blocking call made on a thread inside Poll(), or made with threads = 0, runs what is due
  // while it waits: nobody else would. Such a wait may then last longer than it asked for, by as
  // long as the task on top of it does; beyond 64 tasks on top of each other it only sleeps.
  virtual int64_t Poll(absl::Duration wait = absl::ZeroDuration(), std::stop_token stop = {}) = 0;

  // When something is due next, as Uptime: now if a task waits to run, else when the next timer
  // is due; absl::InfiniteDuration() if there is none. For hosts that sleep in their own loop.
  virtual absl::Duration NextDue() = 0;
};

// Starts `options.threads` threads, and no other ever. The destructor runs nothing new, waits
// for tasks that run, and joins. Must not be destroyed on one of its own threads. In a forked
// child (which has none of the threads) it lets go of everything and returns. Options out of
// range abort.
BANYAN_EXPORT std::unique_ptr<ThreadedRuntime> NewThreadedRuntime(
    ThreadedRuntimeOptions options = {});

}  // namespace banyan::inline v0_1

#endif  // BANYAN_RUNTIME_H_
