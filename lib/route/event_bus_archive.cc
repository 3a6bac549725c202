// SPDX-License-Identifier: Apache-2.0
//
// lib/route/event_bus_archive.cc -- floor 5: a bus's side of archives and replays.
#include <utility>

#include "base/check.h"
#include "route/archive_core.h"
#include "route/archived_event.h"
#include "route/event_bus_core.h"

namespace banyan::inline v0_1::internal {

absl::Status EventBusCore::PutArchive(std::shared_ptr<ArchiveCore> archive,
                                      std::shared_ptr<const CompiledPattern> pattern) {
  auto entry = std::make_shared<ActiveRule>();
  const std::string& id = archive->index_id();
  entry->archive = std::move(archive);
  MutexLock lock(&change_mu_);
  if (!is_open_) return Gone();
  const bool everything = pattern == nullptr;
  const bool has_room = active_.Put({.input = everything ? RuleInput::kNothing : RuleInput::kJson,
                                     .pattern = std::move(pattern),
                                     .id = id,
                                     .payload = std::move(entry)});
  BANYAN_CHECK(has_room, "the index has room for all archives of a broker");
  return absl::OkStatus();
}

void EventBusCore::RemoveArchive(const ArchiveCore& archive) {
  MutexLock lock(&change_mu_);
  if (is_open_) active_.Remove(archive.index_id());
}

bool EventBusCore::closed() const {
  MutexLock lock(&change_mu_);
  return !is_open_;
}

absl::Status EventBusCore::CheckOpen() const { return closed() ? Gone() : absl::OkStatus(); }

bool EventBusCore::PutAgain(absl::Span<const ArchiveStore::Entry> events,
                            const ReplayPlan& replay) {
  RuleIndex::Moment rules(active_);
  if (rules.closed()) return false;
  const Instant now = env_->runtime.Read();
  for (const ArchiveStore::Entry& event : events) {
    replayed_.fetch_add(1, std::memory_order_relaxed);
    Tell(StoryStep::Kind::kReplayed, *event.message, now, replay.name);
    Match({.message = MakeReplayed(*event.message, replay.name, now), .now = now}, nullptr, &rules,
          &replay);
  }
  return true;
}

}  // namespace banyan::inline v0_1::internal
