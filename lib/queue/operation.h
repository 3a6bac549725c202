// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/operation.h -- floor 3, the queue room: the frame around every operation on a queue.
//
//   Operation operation(this);                        // passes the gate, reads the clock
//   BANYAN_RETURN_IF_ERROR(operation.entered());
//   MutexLock lock(&mu_);
//   BringUpTo(&operation.now, &operation.after);
//   ...                               // unlocks, then hands over what is in `after`
//
// Declared before the lock it ends after it, so no early return can leave a dead letter behind or
// free a message under the lock.
#ifndef BANYAN_LIB_QUEUE_OPERATION_H_
#define BANYAN_LIB_QUEUE_OPERATION_H_

#include <optional>

#include "queue/core.h"

namespace banyan::inline v0_1::internal {

class QueueCore::Operation {
 public:
  explicit Operation(QueueCore* core) : core_(core), pass_(core->env_->gate.Enter()) {
    if (*pass_) now = core->env_->runtime.Read();
  }
  // For the library's own rooms, who hold a pass for the call that brought them here.
  enum AlreadyInside { kAlreadyInside };
  Operation(QueueCore* core, AlreadyInside) : Operation(core, core->env_->runtime.Read()) {}
  Operation(QueueCore* core, const Instant& their_now) : core_(core), now(their_now) {}
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { Finish(); }

  absl::Status entered() const {
    if (!pass_.has_value() || *pass_) return absl::OkStatus();
    return core_->env_->Refusal();
  }

  // Out of the gate while the thread sleeps, and in again. False: it was closed meanwhile.
  void StepOut() { pass_.reset(); }
  bool StepIn() {
    pass_.emplace(core_->env_->gate.Enter());
    return static_cast<bool>(*pass_);
  }

  void Finish() {
    if (after.departed) core_->HandOver(now);
    after.departed = false;
    after.dropped.clear();
  }

 private:
  QueueCore* const core_;
  std::optional<Gate::Pass> pass_;

 public:
  Instant now;
  Aftermath after;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_OPERATION_H_
