// SPDX-License-Identifier: Apache-2.0
#include "route/archive_core.h"

#include <utility>
#include <variant>

#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "pattern/syntax.h"
#include "route/archived_event.h"
#include "route/bus_rules.h"
#include "route/event_bus_core.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kArchiveBytesMax = int64_t{1} << 62;

int64_t WeighEvent(const Message& event, const Environment& env) {
  return ArchivedSize(event.body.view(), env.region);
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
  if (options.bytes_max < 1 || options.bytes_max > kArchiveBytesMax) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '",
                 options.bytes_max,
                 "' at 'bytesMax' failed to satisfy constraint: Member must have value between 1 "
                 "and ",
                 kArchiveBytesMax);
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
      index_id_(StrCat("archive/", name_, "/", env_->NextIncarnation())),
      bus_name_(bus->name()),
      bus_arn_(bus->arn()),
      bus_(bus),
      created_(env_->runtime.Read()),
      shelf_(env_, arn_.ToString(), {options.retention, options.bytes_max}, WeighEvent),
      options_(std::move(options)) {}

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

void ArchiveCore::Keep(const MessageRef& event) {
  const EventHead head = ReadEventHead(event->body.view());
  if (head.has_replay_name || !shelf_.Add(head.unix_seconds, event)) return;
  if (env_->story == nullptr) return;
  env_->story->Tell(event->event_id, {.kind = StoryStep::Kind::kArchived,
                                      .at = event->accepted,
                                      .resource = bus_arn_.ToString(),
                                      .destination = arn_.ToString()});
}

ArchiveDescription ArchiveCore::Describe() {
  const ArchiveShelf::Figures figures = shelf_.Count();
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
  shown.event_count = figures.count;
  shown.size_bytes = figures.weight;
  shown.held_bytes = figures.bytes;
  shown.expired = figures.expired;
  shown.displaced = figures.displaced;
  return shown;
}

absl::Status ArchiveCore::Update(const ArchiveUpdate& update,
                                 std::shared_ptr<const CompiledPattern> pattern) {
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
  ArchiveShelf::Bounds bounds;
  {
    MutexLock lock(&mu_);
    if (update.event_pattern.has_value()) options_.event_pattern = *update.event_pattern;
    if (update.description.has_value()) options_.description = *update.description;
    if (update.bytes_max.has_value()) options_.bytes_max = *update.bytes_max;
    if (update.retention.has_value()) options_.retention = *update.retention;
    bounds = {options_.retention, options_.bytes_max};
  }
  shelf_.SetBounds(bounds);
  return absl::OkStatus();
}

void ArchiveCore::Close() {
  {
    MutexLock settings(&settings_mu_);
    if (const std::shared_ptr<EventBusCore> bus = bus_.lock()) bus->RemoveArchive(*this);
    MutexLock lock(&mu_);
    closed_ = true;
  }
  shelf_.Close();
}

}  // namespace banyan::inline v0_1::internal
