// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/hiding.cc -- floor 5: what a consumer does because time passes. It ends the window of
// the batch that fills, and hides anew what is in hand for longer than its visibility timeout.
#include <algorithm>
#include <utility>

#include "consume/consumer_core.h"
#include "queue/core.h"
#include "queue/received_state.h"

namespace banyan::inline v0_1::internal {

namespace {

// Hidden for `ns` from now on, a message is hidden anew after two thirds of it. Not sooner than
// after a millisecond, so that a tiny timeout does not keep the runtime busy.
int64_t UntilNextHiding(int64_t ns) { return std::max(ns - ns / 3, int64_t{1'000'000}); }

// What the clock may go on between our reading of it and the queue's, which knows exactly when the
// twelve hours are over.
constexpr int64_t kMarginNs = 1'000'000'000;

}  // namespace

int64_t ConsumerCore::FirstHideAgain(const Received& message, int64_t received_ns) const {
  const int64_t hidden_ns = ReceivedState::Of(message)->deadline_ns - received_ns;
  if (!keeps_time_ || hidden_ns <= 0) return kNever;
  return AddClamped(received_ns, UntilNextHiding(hidden_ns));
}

void ConsumerCore::ForEachInHand(absl::FunctionRef<void(Unit*)> visit) {
  if (filling_.has_value()) visit(&*filling_);
  for (Unit& unit : units_) visit(&unit);
  for (Call* call : calls_) {
    if (!call->settling) visit(&call->unit);
    visit(&call->behind);
  }
}

// For the next thing to do. A timer that is too early is left alone: it looks again when it fires.
void ConsumerCore::SetTimer() {
  if (!keeps_time_) return;
  int64_t next_ns = filling_.has_value() ? filling_->closes_at_ns : kNever;
  ForEachInHand([&next_ns](Unit* unit) { next_ns = std::min(next_ns, unit->hide_again_ns); });
  if (next_ns >= timer_at_ns_) return;
  if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
  timer_at_ns_ = next_ns;
  timer_ =
      env_->runtime.PostAt(FromNanoseconds(next_ns), [weak = weak_from_this(), at_ns = next_ns] {
        if (const std::shared_ptr<ConsumerCore> self = weak.lock()) self->OnTimer(at_ns);
      });
}

void ConsumerCore::OnTimer(int64_t at_ns) {
  const Gate::Pass pass = env_->tasks.Enter();  // K5, as the handlers whose messages these are
  if (!pass) return EndWithBroker();
  const Gate::Guest guest(env_->gate);
  if (BrokerStops()) StopByItself();
  const absl::Duration timeout = HidingTime();
  std::vector<Hiding> due;
  int64_t new_runners = 0;
  {
    MutexLock lock(&mu_);
    if (at_ns == timer_at_ns_) {
      timer_ = TimerId::kNone;
      timer_at_ns_ = kNever;
    }
    const int64_t now_ns = env_->runtime.Read().uptime_ns;
    if (filling_.has_value() && filling_->closes_at_ns <= now_ns) EndFilling();
    due = DueForHiding(now_ns, timeout);
    if (!due.empty()) ++hiding_;
    new_runners = ClaimRunners();
    SetTimer();
  }
  PostRunners(new_runners);
  if (!due.empty()) Hide(due);
}

absl::Duration ConsumerCore::HidingTime() const {
  if (options_.visibility_timeout.has_value()) return *options_.visibility_timeout;
  const absl::StatusOr<QueueOptions> options = queue_.Options();
  return options.ok() ? options->visibility_timeout : absl::ZeroDuration();
}

std::vector<ConsumerCore::Hiding> ConsumerCore::DueForHiding(int64_t now_ns,
                                                             absl::Duration timeout) {
  const int64_t timeout_ns = CeilNanoseconds(timeout);
  const int64_t total_ns = CeilNanoseconds(env_->limits.queue.visibility_max) - kMarginNs;
  std::vector<Hiding> due;
  ForEachInHand([&](Unit* unit) {
    if (unit->hide_again_ns > now_ns) return;
    const int64_t left_ns = AddClamped(unit->received_ns, total_ns) - now_ns;
    const bool is_last = left_ns <= timeout_ns;
    const int64_t from_now_ns = std::min(left_ns, timeout_ns);
    unit->hide_again_ns =
        is_last || from_now_ns <= 0 ? kNever : AddClamped(now_ns, UntilNextHiding(from_now_ns));
    if (from_now_ns <= 0) return;
    for (const Received& message : unit->messages) {
      due.push_back({message, FromNanoseconds(from_now_ns)});
    }
  });
  return due;
}

void ConsumerCore::Hide(const std::vector<Hiding>& due) {
  int64_t extended = 0;
  for (const Hiding& hiding : due) {
    // One that has overrun is its next receiver's; one that its handler has settled is nobody's.
    const bool is_ours = !hiding.message.Overrun();
    extended += is_ours && hiding.message.ChangeVisibility(hiding.from_now).ok() ? 1 : 0;
  }
  MutexLock lock(&mu_);
  stats_.extended += extended;
  if (--hiding_ == 0) after_hiding_.WakeAll();
}

void ConsumerCore::AwaitHiding() {
  if (hiding_ == 0) return;
  const auto over = [this] {
    mu_.AssertHeld();
    return hiding_ == 0;
  };
  env_->runtime.Await(mu_, after_hiding_, over, absl::InfiniteDuration());
}

}  // namespace banyan::inline v0_1::internal
