// SPDX-License-Identifier: Apache-2.0
//
// lib/base/sleepers.h -- floor 0: threads of callers that sleep inside a broker: in a long poll, or
// until a handler has ended.
//
// They are not counted by a gate: whoever stops the broker wakes them and does not wait for them,
// for one may lie beneath it on its own stack (a runtime runs tasks on top of a wait). But the
// Runtime they sleep on must not go before they have left: the broker's destructor waits for that.
//
// Threads: any.
#ifndef BANYAN_LIB_BASE_SLEEPERS_H_
#define BANYAN_LIB_BASE_SLEEPERS_H_

#include <atomic>
#include <cstdint>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"

namespace banyan::inline v0_1::internal {

class Sleepers {
 public:
  // Counts one thread for a scope. Begins while the thread has a pass of its gate, and ends after
  // the last use of the Runtime.
  class Bed {
   public:
    explicit Bed(Sleepers& sleepers) : sleepers_(sleepers) {
      MutexLock lock(&sleepers_.mu_);
      ++sleepers_.count_;
    }
    ~Bed() {
      MutexLock lock(&sleepers_.mu_);
      if (--sleepers_.count_ == 0) sleepers_.watchers_.WakeAll();
    }
    Bed(const Bed&) = delete;
    Bed& operator=(const Bed&) = delete;

   private:
    Sleepers& sleepers_;
  };

  // From now on long polls do not begin, and those that sleep end when they are woken.
  void SendHome() { sent_home_.store(true, std::memory_order_seq_cst); }
  bool sent_home() const { return sent_home_.load(std::memory_order_seq_cst); }

  void AwaitNone(Runtime& runtime) {
    MutexLock lock(&mu_);
    const auto none = [this] {
      mu_.AssertHeld();
      return count_ == 0;
    };
    runtime.Await(mu_, watchers_, none, absl::InfiniteDuration());
  }

 private:
  std::atomic<bool> sent_home_{false};
  Mutex mu_;
  int64_t count_ ABSL_GUARDED_BY(mu_) = 0;
  WaitList watchers_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_SLEEPERS_H_
