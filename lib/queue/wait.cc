// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/wait.cc -- floor 3, the queue room: who waits for messages, and who wakes them.
#include <utility>

#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

bool QueueCore::SomebodyWaits() const { return sleeping_ > 0 || !watchers_.empty(); }

// I3. Who has just begun to wait drains the intake after this.
void QueueCore::TellIntake() {
  const bool deliver_now = SomebodyWaits() || env_->journal != nullptr || env_->story != nullptr;
  if (deliver_now == intake_told_) return;
  intake_told_ = deliver_now;
  MutexLock lock(&intake_.mu);
  intake_.deliver_now = deliver_now;
}

void QueueCore::WakeOne() {
  if (!SomebodyWaits() || !Takeable()) return;
  const bool wake_watcher = !watchers_.empty() && (sleepers_.empty() || watchers_turn_);
  watchers_turn_ = !wake_watcher;
  if (!wake_watcher) {
    sleepers_.WakeOne();
    return;
  }
  env_->runtime.Post(std::move(watchers_.begin()->second));
  watchers_.erase(watchers_.begin());
}

void QueueCore::WakeEverybody() {
  sleepers_.WakeAll();
  senders_.WakeAll();
  for (auto& [id, wake] : watchers_) env_->runtime.Post(std::move(wake));
  watchers_.clear();
}

void QueueCore::SetTimer() {
  if (closing_.has_value()) return;
  int64_t next_ns = kNever;
  const bool waited_for = SomebodyWaits();
  if (waited_for || options_.redrive.has_value()) next_ns = deadlines_.next_deadline();
  // They wait for room, in flight or at all, which the end of a message's life makes, too.
  if (senders_waiting_ > 0 || (waited_for && books_.depth.visible > 0)) {
    next_ns = std::min(next_ns, NextExpiry());
  }
  // A timer that is too early is left alone: it looks again when it fires. So a queue whose
  // messages are settled in time sets one timer per visibility timeout, not one per message.
  if (next_ns >= timer_at_ns_) return;
  if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
  timer_at_ns_ = next_ns;
  timer_ =
      env_->runtime.PostAt(FromNanoseconds(next_ns), [weak = weak_from_this(), at_ns = next_ns] {
        if (auto core = weak.lock()) core->OnTimer(at_ns);
      });
}

void QueueCore::OnTimer(int64_t at_ns) {
  // Not the gate of calls: dead letters go on moving while a stopping broker drains.
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return;
  Operation operation(this, Operation::kAlreadyInside);
  MutexLock lock(&mu_);
  if (closing_.has_value()) return;
  if (at_ns == timer_at_ns_) {
    timer_ = TimerId::kNone;
    timer_at_ns_ = kNever;
  }
  BringUpTo(&operation.now, &operation.after);
  SetTimer();
}

uint64_t QueueCore::WaitAsync(Task wake) {
  Operation operation(this, Operation::kAlreadyInside);
  MutexLock lock(&mu_);
  const uint64_t id = ++last_watcher_;
  if (closing_.has_value() || env_->sleepers.sent_home()) {
    env_->runtime.Post(std::move(wake));
    return id;
  }
  BringUpTo(&operation.now, &operation.after);
  if (Takeable()) {
    env_->runtime.Post(std::move(wake));
    return id;
  }
  watchers_.emplace(id, std::move(wake));
  TellIntake();
  Drain(&operation.now, &operation.after);  // what came before the intake knew of us
  SetTimer();
  return id;
}

bool QueueCore::CancelWait(uint64_t id) {
  Task dropped;  // dies after the lock
  MutexLock lock(&mu_);
  auto at = watchers_.find(id);
  if (at == watchers_.end()) return false;
  dropped = std::move(at->second);
  watchers_.erase(at);
  return true;
}

void QueueCore::PassOn() {
  MutexLock lock(&mu_);
  if (!closing_.has_value()) WakeOne();
}

void QueueCore::EndWaits() {
  MutexLock lock(&mu_);
  WakeEverybody();
}

}  // namespace banyan::inline v0_1::internal
