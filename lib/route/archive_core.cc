// SPDX-License-Identifier: Apache-2.0
#include "route/archive_core.h"

#include <utility>
#include <variant>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "pattern/syntax.h"
#include "route/archived_event.h"
#include "route/bus_rules.h"
#include "route/event_bus_core.h"

namespace banyan::inline v0_1::internal {

namespace {

// Who brings an event lets go of so many that are over: more than come, less than anyone notices.
constexpr int kTrimAtOnce = 2;
// Who looks lets go of all, this many under one lock.
constexpr int kTrimStep = 1'000;

constexpr int64_t kBytesMax = int64_t{1} << 62;

int64_t RetentionNs(absl::Duration retention) {
  return retention == absl::ZeroDuration() ? kNever : CeilNanoseconds(retention);
}

absl::Status ArchiveGone(std::string_view name) {
  return Error(AwsError::kBusResourceNotFound, "Archive ", name, " does not exist.");
}

}  // namespace

absl::Status ValidateArchiveOptions(const ArchiveOptions& options) {
  BANYAN_RETURN_IF_ERROR(ValidateBusDescription(options.description));
  if (options.retention < absl::ZeroDuration()) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '",
                 absl::FormatDuration(options.retention),
                 "' at 'retentionDays' failed to satisfy constraint: Member must have value "
                 "greater than or equal to 0");
  }
  if (options.bytes_max < 1 || options.bytes_max > kBytesMax) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '",
                 options.bytes_max,
                 "' at 'bytesMax' failed to satisfy constraint: Member must have value between 1 "
                 "and ",
                 kBytesMax);
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const CompiledPattern>> ParseArchivePattern(std::string_view json,
                                                                           const Limits& limits) {
  if (json.empty()) return nullptr;
  CompileResult compiled = CompilePattern(json, PatternLanguage::kEventBridge, limits);
  if (const PatternError* error = std::get_if<PatternError>(&compiled)) {
    return EventBridgeStatus(*error, json);
  }
  return std::get<std::shared_ptr<const CompiledPattern>>(std::move(compiled));
}

ArchiveCore::ArchiveCore(std::shared_ptr<Environment> env, std::string name, ArchiveOptions options,
                         const std::shared_ptr<EventBusCore>& bus)
    : env_(std::move(env)),
      name_(std::move(name)),
      arn_(env_->MakeArn("events", StrCat("archive/", name_))),
      arn_text_(arn_.ToString()),
      index_id_(StrCat("archive/", name_, "/", env_->NextIncarnation())),
      bus_name_(bus->name()),
      bus_arn_(bus->arn()),
      bus_(bus),
      created_(env_->runtime.Read()),
      options_(std::move(options)),
      retention_ns_(RetentionNs(options_.retention)) {}

std::shared_ptr<ArchiveCore> ArchiveCore::Create(std::shared_ptr<Environment> env, std::string name,
                                                 ArchiveOptions options,
                                                 const std::shared_ptr<EventBusCore>& bus) {
  return std::shared_ptr<ArchiveCore>(
      new ArchiveCore(std::move(env), std::move(name), std::move(options), bus));
}

absl::Status ArchiveCore::Open(std::shared_ptr<const CompiledPattern> pattern) {
  MutexLock settings(&settings_mu_);
  {
    MutexLock lock(&mu_);
    if (closed_) return ArchiveGone(name_);
  }
  const std::shared_ptr<EventBusCore> bus = bus_.lock();
  if (bus == nullptr) {
    return Error(AwsError::kBusResourceNotFound, "Event bus ", bus_name_, " does not exist.");
  }
  return bus->PutArchive(shared_from_this(), std::move(pattern));
}

// --- Events come and go --------------------------------------------------------------------------

void ArchiveCore::Keep(const MessageRef& event) {
  const std::string_view json = event->body.view();
  const EventHead head = ReadEventHead(json);
  if (head.has_replay_name) return;
  const int64_t size = ArchivedSize(json, env_->region);
  Dead dead;  // dies after the lock (A3)
  MutexLock lock(&mu_);
  if (closed_) return;
  const Instant& now = event->accepted;
  for (int i = 0; i < kTrimAtOnce && !store_.empty() && IsOver(store_.Oldest(), now); ++i) {
    TakeOldest(now, &dead);
  }
  const auto bytes = static_cast<int64_t>(event->bytes());
  if (bytes > options_.bytes_max) {
    ++displaced_;
    return;
  }
  while (store_.bytes() > options_.bytes_max - bytes) TakeOldest(now, &dead);
  store_.Add(head.unix_seconds, event);
  size_bytes_ += size;
  Report(Change::kAccepted, *event, now);
}

bool ArchiveCore::IsOver(const Message& oldest, const Instant& now) const {
  return now.uptime_ns >= AddClamped(oldest.accepted.uptime_ns, retention_ns_);
}

void ArchiveCore::TakeOldest(const Instant& now, Dead* dead) {
  MessageRef gone = store_.TakeOldest().message;
  size_bytes_ -= ArchivedSize(gone->body.view(), env_->region);
  ++(IsOver(*gone, now) ? expired_ : displaced_);
  Report(Change::kExpired, *gone, now);
  dead->push_back(std::move(gone));
}

void ArchiveCore::Trim() {
  const Instant now = env_->runtime.Read();
  for (bool more = true; more;) {
    Dead dead;  // dies after the lock (A3)
    MutexLock lock(&mu_);
    const auto has_to_go = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
      return !store_.empty() &&
             (store_.bytes() > options_.bytes_max || IsOver(store_.Oldest(), now));
    };
    for (int i = 0; i < kTrimStep && has_to_go(); ++i) TakeOldest(now, &dead);
    more = has_to_go();
  }
}

void ArchiveCore::Report(Change change, const Message& event, const Instant& now) {
  if (env_->journal == nullptr) return;
  env_->journal->Append({.change = change,
                         .resource = arn_text_,
                         .message_id = event.id,
                         .message = &event,
                         .at = now,
                         .destination = {}});
}

// --- Those who look ------------------------------------------------------------------------------

bool ArchiveCore::Read(ArchiveStore::Position* from, const ArchiveStore::Range& range,
                       const ArchiveStore::Slice& slice, std::vector<ArchiveStore::Entry>* out,
                       bool* at_end) {
  Trim();
  MutexLock lock(&mu_);
  if (closed_) return false;
  *at_end = !store_.Read(from, range, slice, out);
  return true;
}

ArchiveCore::Window ArchiveCore::Look(int64_t begin, int64_t end) {
  Trim();
  MutexLock lock(&mu_);
  return {store_.CountBetween(begin, end), store_.next_arrival()};
}

ArchiveDescription ArchiveCore::Describe() {
  Trim();
  ArchiveDescription shown;
  shown.name = name_;
  shown.arn = arn_;
  shown.bus_arn = bus_arn_;
  shown.creation_time = created_.time();
  const std::shared_ptr<EventBusCore> bus = bus_.lock();
  if (bus == nullptr || bus->closed()) {
    shown.state = ArchiveState::kDisabled;
    shown.state_reason = StrCat("Event bus ", bus_name_, " does not exist.");
  }
  MutexLock lock(&mu_);
  shown.event_pattern = options_.event_pattern;
  shown.retention = options_.retention;
  shown.description = options_.description;
  shown.bytes_max = options_.bytes_max;
  shown.event_count = store_.count();
  shown.size_bytes = size_bytes_;
  shown.held_bytes = store_.bytes();
  shown.expired = expired_;
  shown.displaced = displaced_;
  return shown;
}

absl::Status ArchiveCore::Update(const ArchiveUpdate& update,
                                 std::shared_ptr<const CompiledPattern> pattern) {
  Trim();  // a longer retention brings nothing back
  {
    MutexLock settings(&settings_mu_);
    {
      MutexLock lock(&mu_);
      if (closed_) return ArchiveGone(name_);
    }
    if (update.event_pattern.has_value()) {
      const std::shared_ptr<EventBusCore> bus = bus_.lock();
      // A deleted bus asks for no pattern; the archive may still be told one.
      if (bus != nullptr && !bus->closed()) {
        BANYAN_RETURN_IF_ERROR(bus->PutArchive(shared_from_this(), std::move(pattern)));
      }
    }
    MutexLock lock(&mu_);
    if (update.event_pattern.has_value()) options_.event_pattern = *update.event_pattern;
    if (update.description.has_value()) options_.description = *update.description;
    if (update.bytes_max.has_value()) options_.bytes_max = *update.bytes_max;
    if (update.retention.has_value()) {
      options_.retention = *update.retention;
      retention_ns_ = RetentionNs(*update.retention);
    }
  }
  Trim();
  return absl::OkStatus();
}

void ArchiveCore::Close() {
  ArchiveStore store;  // dies after the locks (A3)
  MutexLock settings(&settings_mu_);
  if (const std::shared_ptr<EventBusCore> bus = bus_.lock()) bus->RemoveArchive(*this);
  MutexLock lock(&mu_);
  closed_ = true;
  std::swap(store, store_);
}

}  // namespace banyan::inline v0_1::internal
