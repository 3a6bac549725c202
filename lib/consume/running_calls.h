// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/running_calls.h -- floor 5: the handler calls that run, and who must wait for which of
// them when he stops what calls the handlers.
//
// Who is in no handler waits for all. Who stops from inside a handler waits for all but those of his
// own thread, and those that are stopping, too: so no handler waits for itself, nor two for each
// other.
//
// Threads   One mutex of the owner's guards all of it.
#ifndef BANYAN_LIB_CONSUME_RUNNING_CALLS_H_
#define BANYAN_LIB_CONSUME_RUNNING_CALLS_H_

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/this_thread.h"

namespace banyan::inline v0_1::internal {

// On the stack of the thread that makes the call.
struct RunningCall {
  ThreadToken thread = ThisThread();
  int stopping = 0;  // Stop() calls that this handler is inside of
};

// `Call` is a RunningCall, perhaps with more.
template <typename Call>
class RunningCalls {
 public:
  void Begin(Call* call) { calls_.push_back(call); }
  void End(Call* call) { calls_.erase(std::find(calls_.begin(), calls_.end(), call)); }

  auto begin() const { return calls_.begin(); }
  auto end() const { return calls_.end(); }
  bool empty() const { return calls_.empty(); }
  int64_t size() const { return static_cast<int64_t>(calls_.size()); }

  bool NobodyToWaitFor(ThreadToken here) const {
    if (CallsOf(here) == 0) return calls_.empty();
    return std::all_of(calls_.begin(), calls_.end(), [here](const Call* call) {
      return call->thread == here || call->stopping > 0;
    });
  }

  // The calls of this thread are, or are not any more, inside one more Stop().
  void EnterStop(ThreadToken here) { AddStopping(here, 1); }
  void LeaveStop(ThreadToken here) { AddStopping(here, -1); }

  int64_t CallsOf(ThreadToken here) const {
    return std::count_if(calls_.begin(), calls_.end(),
                         [here](const Call* call) { return call->thread == here; });
  }

 private:
  void AddStopping(ThreadToken here, int by) {
    for (Call* call : calls_) {
      if (call->thread == here) call->stopping += by;
    }
  }

  std::vector<Call*> calls_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_RUNNING_CALLS_H_
