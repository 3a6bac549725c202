// SPDX-License-Identifier: Apache-2.0
#include "route/timetable.h"

#include <algorithm>

#include "base/nanoseconds.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kMinuteNs = 60'000'000'000;

}  // namespace

void Timetable::Set(const std::shared_ptr<Entry>& entry, Recurrence recurrence,
                    absl::Duration window, absl::Time after) {
  // Before the lock: a search through the calendar.
  const std::optional<absl::Time> next = recurrence.Next(after);
  MutexLock lock(&mu_);
  if (closed_) return;
  if (entry->position_ != Entry::kNowhere) TakeOut(*entry);
  if (next.has_value()) {
    entry->recurrence_ = std::move(recurrence);
    entry->window_ns_ = absl::ToInt64Nanoseconds(window);
    entry->scheduled_ns_ = absl::ToUnixNanos(*next);
    entry->self_ = entry;
    heap_.Push(KeyOf(*entry), entry.get(), TellPosition());
  }
  SetTimer();
}

void Timetable::Remove(Entry& entry) {
  // The last reference may be the heap's; the entry then dies after the lock.
  std::shared_ptr<Entry> self;
  MutexLock lock(&mu_);
  if (entry.position_ == Entry::kNowhere) return;
  self = entry.self_;
  TakeOut(entry);
  SetTimer();
}

void Timetable::TakeOut(Entry& entry) {
  heap_.Remove(entry.position_, TellPosition());
  entry.position_ = Entry::kNowhere;
  entry.self_.reset();
}

std::optional<absl::Time> Timetable::NextFiring(const Entry& entry) const {
  MutexLock lock(&mu_);
  if (entry.position_ == Entry::kNowhere) return std::nullopt;
  return absl::FromUnixNanos(entry.scheduled_ns_);
}

Timetable::Key Timetable::KeyOf(const Entry& entry) {
  int64_t due_ns = entry.scheduled_ns_;
  if (entry.window_ns_ > 0) {
    due_ns +=
        static_cast<int64_t>(env_->runtime.Random() % static_cast<uint64_t>(entry.window_ns_));
  }
  return {due_ns, ++arrivals_};
}

Timetable::Taken Timetable::TakeFirst(const Instant& now) {
  Entry& entry = *heap_.front().item;
  // What was scheduled before that has been missed.
  const int64_t in_time_ns = now.unix_ns - std::max(entry.window_ns_, kMinuteNs);
  Taken taken = {.entry = entry.self_,
                 .firing = {.scheduled = absl::FromUnixNanos(entry.scheduled_ns_),
                            .now = now,
                            .is_late = entry.scheduled_ns_ < in_time_ns}};
  const std::optional<absl::Time> next =
      entry.recurrence_->Next(absl::FromUnixNanos(std::max(entry.scheduled_ns_, in_time_ns - 1)));
  if (next.has_value()) {
    entry.scheduled_ns_ = absl::ToUnixNanos(*next);
    heap_.Rekey(entry.position_, KeyOf(entry), TellPosition());
  } else {
    TakeOut(entry);
    taken.firing.is_last = true;
  }
  return taken;
}

void Timetable::SetTimer() {
  if (in_turn_) return;  // S3
  if (heap_.empty()) {
    if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
    timer_ = TimerId::kNone;
    return;
  }
  const Instant now = env_->runtime.Read();
  const int64_t wait_ns = std::clamp<int64_t>(heap_.front().key.first - now.unix_ns, 0, kMinuteNs);
  const int64_t due_ns = AddClamped(now.uptime_ns, wait_ns);
  if (timer_ != TimerId::kNone) {
    if (timer_due_ns_ <= due_ns) return;  // rings early, and looks again
    env_->runtime.Cancel(timer_);
  }
  timer_due_ns_ = due_ns;
  timer_ = env_->runtime.PostAt(FromNanoseconds(due_ns),
                                [self = shared_from_this(), turn = ++turn_] { self->Turn(turn); });
}

void Timetable::Turn(uint64_t turn) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return;  // S6
  std::vector<Taken> taken;
  {
    MutexLock lock(&mu_);
    if (closed_ || in_turn_ || turn != turn_) return;
    in_turn_ = true;
    timer_ = TimerId::kNone;
    const Instant now = env_->runtime.Read();
    while (!heap_.empty() && heap_.front().key.first <= now.unix_ns && taken.size() < kTurnMax) {
      taken.push_back(TakeFirst(now));
    }
  }
  for (const Taken& one : taken) one.entry->Fire(one.firing);
  MutexLock lock(&mu_);
  in_turn_ = false;
  if (!closed_) SetTimer();
}

void Timetable::Close() {
  std::vector<std::shared_ptr<Entry>> entries;  // die after the lock
  MutexLock lock(&mu_);
  if (closed_) return;
  closed_ = true;
  if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
  timer_ = TimerId::kNone;
  entries.reserve(heap_.size());
  for (size_t i = 0; i < heap_.size(); ++i) {
    heap_[i].item->position_ = Entry::kNowhere;
    entries.push_back(std::move(heap_[i].item->self_));
  }
  heap_ = {};
}

}  // namespace banyan::inline v0_1::internal
