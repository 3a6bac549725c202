// SPDX-License-Identifier: Apache-2.0
//
// lib/base/task_queue.h -- floor 0: tasks that are due, and timers that are not yet.
//
//            Post ------------------------> ready_ ---Take---> runs
//                                             ^
//            PostAt --> timers_ + order_ --CollectDue(now)
//
// Both runtimes are this structure plus a clock and somebody who runs what Take() gives.
//
// I1  A timer is in timers_ from PostAt until it is taken or cancelled, due or not. So Cancel
//     answers true exactly when the task had not been handed out.
// I2  order_ holds the timers that CollectDue has not seen due. Equal deadlines leave by id, and
//     ids count up: in posting order.
// I3  ready_ is first in, first out. An entry with a timer id and no such timer in timers_ was
//     cancelled after it became due; Take() steps over it.
// I4  No task is destroyed in here: a task owns what its poster put into it, and its destructor
//     may call back. Cancel() and Take() hand tasks out; the owner empties the queue at the end.
//
// An ordered set beside a hash map, not a heap: cancelling must be cheap (a consumer cancels the
// timer of every batch), and a heap that can cancel needs the same map and back pointers too.
//
// Threads: none of its own; its owner's mutex guards it. All in the header because the simulated
// runtime lives in another library, which does not see what this one hides.
#ifndef BANYAN_LIB_BASE_TASK_QUEUE_H_
#define BANYAN_LIB_BASE_TASK_QUEUE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <set>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "banyan/runtime.h"
#include "base/nanoseconds.h"

namespace banyan::inline v0_1::internal {

class TaskQueue {
 public:
  void Post(Task task) { ready_.push_back({TimerId::kNone, std::move(task)}); }

  TimerId PostAt(int64_t due_ns, Task task) {
    const TimerId id{++last_id_};
    timers_.emplace(id, Timer{due_ns, std::move(task)});
    order_.emplace(due_ns, id);
    return id;
  }

  // Moves the task of a timer that has not been taken to `*task`. False if there is none.
  bool Cancel(TimerId id, Task* task) {
    const auto timer = timers_.find(id);
    if (timer == timers_.end()) return false;
    order_.erase({timer->second.due_ns, id});  // no effect if it was due already (I3)
    *task = std::move(timer->second.task);
    timers_.erase(timer);
    return true;
  }

  // Makes every timer ready that is due at `now_ns`.
  void CollectDue(int64_t now_ns) {
    while (!order_.empty() && order_.begin()->first <= now_ns) {
      ready_.push_back({order_.begin()->second, nullptr});
      order_.erase(order_.begin());
    }
  }

  // The task that became ready first, or false.
  bool Take(Task* task) {
    while (!ready_.empty()) {
      Ready next = std::move(ready_.front());
      ready_.pop_front();
      if (Claim(std::move(next), task)) return true;
    }
    return false;
  }

  // A ready task chosen by `draw`, a random number; or false. The order of the rest may change.
  bool TakeAny(uint64_t draw, Task* task) {
    while (!ready_.empty()) {
      std::swap(ready_[draw % ready_.size()], ready_.back());
      Ready next = std::move(ready_.back());
      ready_.pop_back();
      if (Claim(std::move(next), task)) return true;
    }
    return false;
  }

  // Any task or timer at all, due or not; or false. For emptying the queue.
  bool TakeUndone(Task* task) {
    CollectDue(kNever);
    return Take(task);
  }

  // Ready to be taken; counts cancelled entries that Take() will step over.
  size_t ready() const { return ready_.size(); }
  bool has_timers() const { return !order_.empty(); }
  size_t size() const { return ready_.size() + order_.size(); }

  // When the first of the timers that are not ready is due; kNever if there is none.
  int64_t next_due_ns() const { return order_.empty() ? kNever : order_.begin()->first; }

 private:
  struct Ready {
    TimerId id;  // kNone for a posted task; otherwise the task is in timers_
    Task task;
  };
  struct Timer {
    int64_t due_ns;
    Task task;
  };

  // The task behind a ready entry; false if it was cancelled.
  bool Claim(Ready next, Task* task) {
    if (next.id == TimerId::kNone) {
      *task = std::move(next.task);
      return true;
    }
    return Cancel(next.id, task);
  }

  std::deque<Ready> ready_;
  absl::flat_hash_map<TimerId, Timer> timers_;
  std::set<std::pair<int64_t, TimerId>> order_;
  uint64_t last_id_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_TASK_QUEUE_H_
