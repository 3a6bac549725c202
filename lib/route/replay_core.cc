// SPDX-License-Identifier: Apache-2.0
#include "route/replay_core.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "base/nanoseconds.h"
#include "base/strings.h"
#include "message/errors.h"
#include "route/archive_core.h"

namespace banyan::inline v0_1::internal {

namespace {

// Fractions dropped; the infinite ones become the ends of the range.
int64_t WholeSeconds(absl::Time time) { return absl::ToUnixSeconds(time); }

absl::Time Shown(absl::Time time) {
  const bool is_infinite = time == absl::InfinitePast() || time == absl::InfiniteFuture();
  return is_infinite ? time : absl::FromUnixSeconds(WholeSeconds(time));
}

ReplayPlan PlanOf(std::string name, const ReplayOptions& options) {
  ReplayPlan plan = {std::move(name), options.rules};
  std::sort(plan.rules.begin(), plan.rules.end());
  return plan;
}

}  // namespace

ReplayCore::ReplayCore(std::shared_ptr<Environment> env, std::string name,
                       const ReplayOptions& options, const std::shared_ptr<EventBusCore>& bus,
                       std::shared_ptr<ArchiveCore> archive)
    : env_(std::move(env)),
      plan_(PlanOf(std::move(name), options)),
      archive_name_(archive->name()),
      bus_name_(bus->name()),
      bus_(bus),
      end_time_(WholeSeconds(options.end)),
      next_{WholeSeconds(options.start), 0},
      archive_(std::move(archive)) {
  MutexLock lock(&mu_);
  shown_.name = plan_.name;
  shown_.arn = env_->MakeArn("events", StrCat("replay/", plan_.name));
  shown_.archive_arn = archive_->arn();
  shown_.destination_arn = bus->arn();
  for (const std::string& rule : options.rules) shown_.rule_arns.push_back(bus->RuleArn(rule));
  shown_.description = options.description;
  shown_.event_start_time = Shown(options.start);
  shown_.event_end_time = Shown(options.end);
}

std::shared_ptr<ReplayCore> ReplayCore::Create(std::shared_ptr<Environment> env, std::string name,
                                               const ReplayOptions& options,
                                               const std::shared_ptr<EventBusCore>& bus,
                                               std::shared_ptr<ArchiveCore> archive) {
  return std::shared_ptr<ReplayCore>(
      new ReplayCore(std::move(env), std::move(name), options, bus, std::move(archive)));
}

void ReplayCore::Start() {
  MutexLock lock(&mu_);
  if (closed_) return;
  const ArchiveShelf::Window window = archive_->shelf().Look(next_.time, end_time_);
  arrival_end_ = window.arrival_end;
  shown_.events_total = window.count;
  const Instant now = env_->runtime.Read();
  shown_.replay_start_time = now.time();
  PostSlice(now.uptime_ns);
}

void ReplayCore::PostSlice(int64_t at_ns) {
  timer_ = env_->runtime.PostAt(absl::Nanoseconds(at_ns), [weak = weak_from_this()] {
    if (const std::shared_ptr<ReplayCore> self = weak.lock()) self->RunSlice();
  });
}

std::shared_ptr<ArchiveCore> ReplayCore::BeginSlice() {
  if (env_->gate.Look() != Gate::Answer::kOpen) return nullptr;  // P4
  MutexLock lock(&mu_);
  timer_ = TimerId::kNone;
  if (closed_) return nullptr;
  if (shown_.state == ReplayState::kCancelling) {
    End(ReplayState::kCancelled);
    return nullptr;
  }
  shown_.state = ReplayState::kRunning;
  return archive_;
}

void ReplayCore::RunSlice() {
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return;
  const std::shared_ptr<ArchiveCore> archive = BeginSlice();
  if (archive == nullptr) return;
  std::vector<ArchiveStore::Entry> events;
  const std::optional<bool> at_end =
      archive->shelf().Read(&next_, {.end = end_time_, .arrival_end = arrival_end_}, {}, &events);
  if (!at_end.has_value()) {
    return Fail(StrCat("Archive ", archive_name_, " does not exist."));
  }
  const std::shared_ptr<EventBusCore> bus = bus_.lock();
  if (bus == nullptr || !bus->PutAgain(events, plan_)) {
    return Fail(StrCat("Event bus ", bus_name_, " does not exist."));
  }
  const int64_t pause_ns = bus->PendingDeliveries() > kReplayPendingMany ? kReplayPauseNs : 0;

  MutexLock lock(&mu_);
  if (!events.empty()) {
    shown_.event_last_replayed_time = absl::FromUnixSeconds(events.back().key.time);
    shown_.events_replayed += static_cast<int64_t>(events.size());
  }
  if (closed_) return;
  if (shown_.state == ReplayState::kCancelling) return End(ReplayState::kCancelled);
  if (*at_end) return End(ReplayState::kCompleted);
  PostSlice(AddClamped(env_->runtime.Read().uptime_ns, pause_ns));
}

void ReplayCore::Fail(std::string reason) {
  MutexLock lock(&mu_);
  if (closed_) return;
  shown_.state_reason = std::move(reason);
  End(ReplayState::kFailed);
}

void ReplayCore::End(ReplayState state) {
  shown_.state = state;
  const Instant now = env_->runtime.Read();
  shown_.replay_end_time = now.time();
  ended_ns_ = now.uptime_ns;
  archive_.reset();
}

absl::Status ReplayCore::Cancel() {
  MutexLock lock(&mu_);
  if (shown_.state != ReplayState::kStarting && shown_.state != ReplayState::kRunning) {
    return Error(AwsError::kBusIllegalStatus, "Replay ", plan_.name,
                 " is not in a valid state for this operation.");
  }
  shown_.state = ReplayState::kCancelling;
  return absl::OkStatus();
}

ReplayDescription ReplayCore::Describe() const {
  MutexLock lock(&mu_);
  return shown_;
}

bool ReplayCore::IsActive() const {
  MutexLock lock(&mu_);
  return shown_.state == ReplayState::kStarting || shown_.state == ReplayState::kRunning;
}

std::optional<int64_t> ReplayCore::EndedNs() const {
  MutexLock lock(&mu_);
  return ended_ns_;
}

void ReplayCore::Close() {
  MutexLock lock(&mu_);
  if (closed_) return;
  closed_ = true;
  if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
  timer_ = TimerId::kNone;
  archive_.reset();
}

}  // namespace banyan::inline v0_1::internal
