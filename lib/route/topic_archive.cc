// SPDX-License-Identifier: Apache-2.0
#include "route/topic_archive.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/nanoseconds.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

bool IsInWindow(const Message& message, const ReplayPolicy& policy) {
  const absl::Time time = message.accepted.time();
  return time >= policy.starting_point &&
         (!policy.ending_point.has_value() || time <= *policy.ending_point);
}

int64_t UnixNs(absl::Time time) {
  if (time == absl::InfinitePast()) return std::numeric_limits<int64_t>::min();
  return absl::ToUnixNanos(time);
}

}  // namespace

std::shared_ptr<TopicArchive> TopicArchive::Create(std::shared_ptr<Environment> env,
                                                   std::string arn,
                                                   std::weak_ptr<Audience> audience) {
  return std::shared_ptr<TopicArchive>(
      new TopicArchive(std::move(env), std::move(arn), std::move(audience)));
}

std::shared_ptr<ArchiveShelf> TopicArchive::Shelf() const {
  MutexLock lock(&mu_);
  return shelf_;
}

// --- The archive ---------------------------------------------------------------------------------

void TopicArchive::SetBounds(const ArchiveShelf::Bounds& bounds) {
  if (bounds.retention > absl::ZeroDuration()) {
    std::shared_ptr<ArchiveShelf> shelf;
    {
      MutexLock lock(&mu_);
      if (closed_) return;
      if (shelf_ == nullptr) shelf_ = std::make_shared<ArchiveShelf>(env_, arn_, bounds);
      shelf = shelf_;
    }
    on_.store(true, std::memory_order_relaxed);
    return shelf->SetBounds(bounds);
  }
  if (!is_on()) return;
  std::vector<std::pair<uint64_t, uint64_t>> behind;  // serial and run
  {
    MutexLock lock(&mu_);
    for (auto& [serial, replay] : replays_) {
      if (replay.caught_up) continue;
      if (IsGate(replay)) gates_.fetch_sub(1, std::memory_order_relaxed);
      replay.failed = true;
      replay.next = std::max(replay.next, replay.live);
      behind.emplace_back(serial, replay.run);
    }
  }
  if (const std::shared_ptr<Audience> audience = audience_.lock()) {
    for (const auto& [serial, run] : behind) {
      while (ShowSlice(serial, run, *audience)) {
      }
    }
  }
  std::shared_ptr<ArchiveShelf> shelf;
  {
    MutexLock lock(&mu_);
    shelf.swap(shelf_);
  }
  on_.store(false, std::memory_order_relaxed);
  shelf->Close();
}

ArchiveShelf::Figures TopicArchive::Count() const {
  const std::shared_ptr<ArchiveShelf> shelf = Shelf();
  return shelf == nullptr ? ArchiveShelf::Figures() : shelf->Count();
}

void TopicArchive::Keep(const MessageRef& message) {
  std::shared_ptr<ArchiveShelf> shelf;
  int64_t time;
  {
    MutexLock lock(&mu_);
    if (shelf_ == nullptr) return;
    shelf = shelf_;
    time = latest_ = std::max(latest_, message->accepted.unix_ns);
  }
  std::vector<ArchiveStore::Entry> displaced;
  if (shelf->Add(time, message, &displaced) && env_->story != nullptr) {
    env_->story->Tell(
        message->event_id,
        {.kind = StoryStep::Kind::kArchived, .at = message->accepted, .resource = arn_});
  }
  if (displaced.empty() || !has_replays()) return;
  const std::shared_ptr<Audience> audience = audience_.lock();
  if (audience == nullptr) return;
  for (const ArchiveStore::Entry& entry : displaced) {
    std::vector<uint64_t> missed;
    {
      MutexLock lock(&mu_);
      for (const auto& [serial, replay] : replays_) {
        if (!replay.caught_up && replay.next <= entry.key && Shows(replay, entry)) {
          missed.push_back(serial);
        }
      }
    }
    for (const uint64_t serial : missed) audience->GiveUp(serial, entry.message);
  }
}

bool TopicArchive::Admits(uint64_t serial, const Message& message) const {
  MutexLock lock(&mu_);
  const auto found = replays_.find(serial);
  if (found == replays_.end()) return true;
  const Replay& replay = found->second;
  if (replay.failed) return true;
  if (!replay.caught_up) return false;
  return IsInWindow(message, replay.policy) || !replay.policy.ending_point.has_value();
}

// --- Replays -------------------------------------------------------------------------------------

absl::Status TopicArchive::Start(uint64_t serial, const ReplayPolicy& policy) {
  const std::shared_ptr<ArchiveShelf> shelf = Shelf();
  if (shelf == nullptr) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: ReplayPolicy: the topic has no ArchivePolicy");
  }
  const uint64_t arrival = shelf->next_arrival();
  MutexLock lock(&mu_);
  if (closed_) return env_->Refusal();
  std::optional<ArchiveStore::Position> owed;
  const auto there = replays_.find(serial);
  if (there != replays_.end()) {
    owed = Owed(there->second);
    Erase(there);
  } else if (static_cast<int64_t>(replays_.size()) >= env_->limits.topic.replays_max) {
    return Error(AwsError::kTopicReplayLimitExceeded, "Replay limit exceeded: at most ",
                 env_->limits.topic.replays_max, " subscriptions of a topic with a ReplayPolicy");
  }
  Replay& replay = replays_[serial];
  replay.policy = policy;
  replay.next = {UnixNs(policy.starting_point), 0};
  replay.live = {latest_, arrival};
  replay.owed = owed;
  if (owed.has_value()) replay.next = std::min(replay.next, *owed);
  replay.run = next_run_++;
  gates_.fetch_add(1, std::memory_order_relaxed);
  Post(serial, replay, env_->runtime.Read().uptime_ns);
  return absl::OkStatus();
}

std::optional<ArchiveStore::Position> TopicArchive::Owed(const Replay& replay) const {
  if (replay.caught_up || replay.failed) return std::nullopt;
  if (replay.owed.has_value() && replay.next < replay.live) {
    return std::max(replay.next, *replay.owed);
  }
  const std::optional<absl::Time>& end = replay.policy.ending_point;
  if (end.has_value() && *end < env_->runtime.Read().time()) return std::nullopt;
  return std::max(replay.next, replay.live);
}

bool TopicArchive::Shows(const Replay& replay, const ArchiveStore::Entry& entry) {
  if (IsInWindow(*entry.message, replay.policy)) return true;
  return replay.owed.has_value() && *replay.owed <= entry.key && entry.key < replay.live;
}

void TopicArchive::Remove(uint64_t serial) {
  MutexLock lock(&mu_);
  const auto found = replays_.find(serial);
  if (found == replays_.end()) return;
  Replay& replay = found->second;
  const std::optional<ArchiveStore::Position> owed = Owed(replay);
  if (!owed.has_value()) return Erase(found);
  replay.removed = true;
  replay.policy.starting_point = absl::InfinitePast();
  if (replay.policy.ending_point.has_value()) replay.policy.ending_point.reset();
  replay.next = std::max(replay.next, *owed);
}

void TopicArchive::Forget(uint64_t serial) {
  MutexLock lock(&mu_);
  if (const auto found = replays_.find(serial); found != replays_.end()) Erase(found);
}

void TopicArchive::Erase(std::map<uint64_t, Replay>::iterator replay) {
  if (replay->second.timer != TimerId::kNone) env_->runtime.Cancel(replay->second.timer);
  if (IsGate(replay->second)) gates_.fetch_sub(1, std::memory_order_relaxed);
  replays_.erase(replay);
}

TopicArchive::Replay* TopicArchive::Find(uint64_t serial, uint64_t run) {
  const auto found = replays_.find(serial);
  return found == replays_.end() || found->second.run != run ? nullptr : &found->second;
}

void TopicArchive::Post(uint64_t serial, Replay& replay, int64_t at_ns) {
  replay.timer = env_->runtime.PostAt(absl::Nanoseconds(at_ns),
                                      [weak = weak_from_this(), serial, run = replay.run] {
                                        if (const auto self = weak.lock()) {
                                          self->RunSlice(serial, run);
                                        }
                                      });
}

void TopicArchive::RunSlice(uint64_t serial, uint64_t run) {
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return;
  const std::shared_ptr<Audience> audience = audience_.lock();
  if (audience == nullptr) return;
  {
    MutexLock lock(&mu_);
    Replay* const replay = Find(serial, run);
    if (replay == nullptr) return;
    replay->timer = TimerId::kNone;
    replay->began = true;
  }
  bool more = true;
  const bool must_wait = audience->Pending(serial) > kReplayPendingMany ||
                         !audience->InLine([&] { more = ShowSlice(serial, run, *audience); });
  if (!more) return;
  MutexLock lock(&mu_);
  Replay* const replay = Find(serial, run);
  if (replay == nullptr || replay->caught_up) return;
  Post(serial, *replay, AddClamped(env_->runtime.Read().uptime_ns, must_wait ? kReplayPauseNs : 0));
}

bool TopicArchive::ShowSlice(uint64_t serial, uint64_t run, Audience& audience) {
  std::shared_ptr<ArchiveShelf> shelf;
  Replay plan;
  {
    MutexLock lock(&mu_);
    const Replay* const replay = Find(serial, run);
    if (replay == nullptr || replay->caught_up) return false;
    shelf = shelf_;
    plan = *replay;
  }
  std::vector<ArchiveStore::Entry> messages;
  const std::optional<bool> at_end =
      shelf == nullptr ? std::nullopt : shelf->Read(&plan.next, {}, {}, &messages);
  int64_t shown = 0;
  for (const ArchiveStore::Entry& entry : messages) {
    if (!Shows(plan, entry)) continue;
    audience.Replay(serial, entry.message);
    ++shown;
  }
  MutexLock lock(&mu_);
  Replay* const replay = Find(serial, run);
  if (replay == nullptr) return false;
  replay->next = plan.next;
  replay->replayed += shown;
  if (at_end.has_value() && !*at_end) return true;
  if (IsGate(*replay)) gates_.fetch_sub(1, std::memory_order_relaxed);
  replay->caught_up = true;
  if (IsGate(*replay)) gates_.fetch_add(1, std::memory_order_relaxed);
  if (replay->removed) Erase(replays_.find(serial));
  return false;
}

std::optional<SubscriptionReplay> TopicArchive::Describe(uint64_t serial) const {
  MutexLock lock(&mu_);
  const auto found = replays_.find(serial);
  if (found == replays_.end() || found->second.removed) return std::nullopt;
  const Replay& replay = found->second;
  const std::optional<absl::Time>& end = replay.policy.ending_point;
  SubscriptionReplayStatus status = SubscriptionReplayStatus::kInProgress;
  if (replay.failed) {
    status = SubscriptionReplayStatus::kFailed;
  } else if (!replay.began) {
    status = SubscriptionReplayStatus::kPending;
  } else if (replay.caught_up && (!end.has_value() || env_->runtime.Read().time() > *end)) {
    status = SubscriptionReplayStatus::kCompleted;
  }
  return SubscriptionReplay{replay.policy, status, replay.replayed};
}

int64_t TopicArchive::Behind() const {
  if (!has_replays()) return 0;
  std::shared_ptr<ArchiveShelf> shelf;
  std::vector<int64_t> from;
  {
    MutexLock lock(&mu_);
    if (shelf_ == nullptr) return 0;
    shelf = shelf_;
    for (const auto& [serial, replay] : replays_) {
      if (!replay.caught_up) from.push_back(std::max(replay.next, replay.live).time);
    }
  }
  int64_t behind = 0;
  for (const int64_t time : from) {
    behind += shelf->Look(time, std::numeric_limits<int64_t>::max()).count;
  }
  return behind;
}

void TopicArchive::Close() {
  std::shared_ptr<ArchiveShelf> shelf;
  {
    MutexLock lock(&mu_);
    closed_ = true;
    while (!replays_.empty()) Erase(replays_.begin());
    shelf.swap(shelf_);
  }
  on_.store(false, std::memory_order_relaxed);
  if (shelf != nullptr) shelf->Close();
}

}  // namespace banyan::inline v0_1::internal
