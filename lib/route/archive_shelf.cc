// SPDX-License-Identifier: Apache-2.0
#include "route/archive_shelf.h"

#include <utility>

#include "base/nanoseconds.h"

namespace banyan::inline v0_1::internal {

namespace {

// Who brings a message lets go of so many that are over: more than come, less than anyone notices.
constexpr int kTrimAtOnce = 2;
// Who looks lets go of all, this many under one lock.
constexpr int kTrimStep = 1'000;

int64_t RetentionNs(absl::Duration retention) {
  return retention == absl::ZeroDuration() ? kNever : CeilNanoseconds(retention);
}

}  // namespace

ArchiveShelf::ArchiveShelf(std::shared_ptr<Environment> env, std::string arn, const Bounds& bounds,
                           Weigh weigh)
    : env_(std::move(env)),
      arn_(std::move(arn)),
      weigh_(weigh),
      retention_ns_(RetentionNs(bounds.retention)),
      bytes_max_(bounds.bytes_max) {}

bool ArchiveShelf::Add(int64_t time, const MessageRef& message,
                       std::vector<ArchiveStore::Entry>* displaced) {
  const int64_t weight = WeightOf(*message);
  const auto bytes = static_cast<int64_t>(message->bytes());
  Dead dead;  // dies after the lock (H2)
  MutexLock lock(&mu_);
  if (closed_) return false;
  const Instant& now = message->accepted;
  for (int i = 0; i < kTrimAtOnce && !store_.empty() && IsOver(store_.Oldest(), now); ++i) {
    TakeOldest(now, &dead);
  }
  if (bytes > bytes_max_) {
    ++displaced_;
    if (displaced != nullptr) displaced->push_back({{time, store_.next_arrival()}, message});
    return false;
  }
  Dead* const gone = displaced == nullptr ? &dead : displaced;
  while (store_.bytes() > bytes_max_ - bytes) TakeOldest(now, gone);
  store_.Add(time, message);
  weight_ += weight;
  Report(Change::kAccepted, *message, now);
  return true;
}

bool ArchiveShelf::IsOver(const Message& oldest, const Instant& now) const {
  return now.uptime_ns >= AddClamped(oldest.accepted.uptime_ns, retention_ns_);
}

void ArchiveShelf::TakeOldest(const Instant& now, Dead* dead) {
  ArchiveStore::Entry gone = store_.TakeOldest();
  weight_ -= WeightOf(*gone.message);
  ++(IsOver(*gone.message, now) ? expired_ : displaced_);
  Report(Change::kExpired, *gone.message, now);
  dead->push_back(std::move(gone));
}

void ArchiveShelf::Trim() {
  const Instant now = env_->runtime.Read();
  for (bool more = true; more;) {
    Dead dead;  // dies after the lock (H2)
    MutexLock lock(&mu_);
    const auto has_to_go = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return !store_.empty() && (store_.bytes() > bytes_max_ || IsOver(store_.Oldest(), now));
    };
    for (int i = 0; i < kTrimStep && has_to_go(); ++i) TakeOldest(now, &dead);
    more = has_to_go();
  }
}

void ArchiveShelf::Report(Change change, const Message& message, const Instant& now) {
  if (env_->journal == nullptr) return;
  env_->journal->Append({.change = change,
                         .resource = arn_,
                         .message_id = message.id,
                         .message = &message,
                         .at = now,
                         .destination = {}});
}

void ArchiveShelf::SetBounds(const Bounds& bounds) {
  Trim();  // a longer retention brings nothing back
  {
    MutexLock lock(&mu_);
    retention_ns_ = RetentionNs(bounds.retention);
    bytes_max_ = bounds.bytes_max;
  }
  Trim();
}

std::optional<bool> ArchiveShelf::Read(ArchiveStore::Position* from,
                                       const ArchiveStore::Range& range,
                                       const ArchiveStore::Slice& slice,
                                       std::vector<ArchiveStore::Entry>* out) {
  Trim();
  MutexLock lock(&mu_);
  if (closed_) return std::nullopt;
  return !store_.Read(from, range, slice, out);
}

ArchiveShelf::Window ArchiveShelf::Look(int64_t begin, int64_t end) {
  Trim();
  MutexLock lock(&mu_);
  return {store_.CountBetween(begin, end), store_.next_arrival()};
}

uint64_t ArchiveShelf::next_arrival() const {
  MutexLock lock(&mu_);
  return store_.next_arrival();
}

ArchiveShelf::Figures ArchiveShelf::Count() {
  Trim();
  MutexLock lock(&mu_);
  Figures figures = {.count = store_.count(),
                     .bytes = store_.bytes(),
                     .weight = weight_,
                     .expired = expired_,
                     .displaced = displaced_};
  if (!store_.empty()) figures.oldest = store_.Oldest().accepted.time();
  return figures;
}

void ArchiveShelf::Close() {
  ArchiveStore store;  // dies after the lock (H2)
  MutexLock lock(&mu_);
  closed_ = true;
  std::swap(store, store_);
  weight_ = 0;
}

}  // namespace banyan::inline v0_1::internal
