// SPDX-License-Identifier: Apache-2.0
#include "route/archives.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "route/archive_core.h"
#include "route/bus_rules.h"
#include "route/event_bus_core.h"
#include "route/replay_core.h"

namespace banyan::inline v0_1 {

std::string_view ArchiveStateName(ArchiveState state) {
  switch (state) {
    case ArchiveState::kEnabled:
      return "ENABLED";
    case ArchiveState::kDisabled:
      return "DISABLED";
  }
  return {};
}

std::string_view ReplayStateName(ReplayState state) {
  switch (state) {
    case ReplayState::kStarting:
      return "STARTING";
    case ReplayState::kRunning:
      return "RUNNING";
    case ReplayState::kCompleted:
      return "COMPLETED";
    case ReplayState::kCancelling:
      return "CANCELLING";
    case ReplayState::kCancelled:
      return "CANCELLED";
    case ReplayState::kFailed:
      return "FAILED";
  }
  return {};
}

namespace internal {

namespace {

// How long the service remembers a replay that has ended.
constexpr int64_t kRememberedNs = int64_t{90} * 24 * 3'600 * 1'000'000'000;

absl::Status NoArchive(std::string_view name) {
  return Error(AwsError::kBusResourceNotFound, "Archive ", name, " does not exist.");
}

absl::Status NoReplay(std::string_view name) {
  return Error(AwsError::kBusResourceNotFound, "Replay ", name, " does not exist.");
}

bool IsForgotten(const ReplayCore& replay, int64_t now_ns) {
  const std::optional<int64_t> ended_ns = replay.EndedNs();
  return ended_ns.has_value() && now_ns >= AddClamped(*ended_ns, kRememberedNs);
}

absl::Status NotValid(std::string_view parameter, std::string_view reason) {
  return Error(AwsError::kBusValidation, "Parameter ", parameter,
               " is not valid. Reason: ", reason);
}

absl::Status ValidateList(std::string_view verb, int filters, int64_t limit,
                          std::string_view prefix, std::string_view token) {
  if (filters > 1) {
    return Error(AwsError::kBusValidation, "At most one filter is allowed for ", verb,
                 ". Use either : State, EventSourceArn, or NamePrefix.");
  }
  if (limit < 1 || limit > 100) {
    return Error(AwsError::kBusValidation, "1 validation error detected: Value '", limit,
                 "' at 'limit' failed to satisfy constraint: Member must have value between 1 and "
                 "100");
  }
  if (!token.empty() && !token.starts_with(prefix)) {
    return NotValid("NextToken",
                    StrCat("It is not from a list of names that begin with \"", prefix, "\"."));
  }
  return absl::OkStatus();
}

// One page of the cores of which `shows` answers a description. The token is the name of the last
// one of the page before, which need not be there any more.
template <typename Description, typename Core, typename Shows>
std::pair<std::vector<Description>, std::string> Page(
    const std::vector<std::shared_ptr<Core>>& by_name, int64_t limit, Shows shows) {
  std::vector<Description> page;
  for (const std::shared_ptr<Core>& core : by_name) {
    std::optional<Description> shown = shows(*core);
    if (!shown.has_value()) continue;
    if (static_cast<int64_t>(page.size()) == limit) {
      std::string token = page.back().name;
      return {std::move(page), std::move(token)};
    }
    page.push_back(*std::move(shown));
  }
  return {std::move(page), std::string()};
}

template <typename Core, typename Names>
std::vector<std::shared_ptr<Core>> From(const Names& names, std::string_view prefix,
                                        std::string_view token) {
  std::vector<std::shared_ptr<Core>> cores;
  auto at = token.empty() ? names.lower_bound(prefix) : names.upper_bound(token);
  for (; at != names.end() && std::string_view(at->first).starts_with(prefix); ++at) {
    cores.push_back(at->second);
  }
  return cores;
}

}  // namespace

absl::StatusOr<std::shared_ptr<EventBusCore>> Archives::Bus(std::string_view name) const {
  std::shared_ptr<EventBusCore> bus = find_bus_(name);
  if (bus != nullptr) return bus;
  return Error(AwsError::kBusResourceNotFound, "Event bus ", name, " does not exist.");
}

std::shared_ptr<ArchiveCore> Archives::Find(std::string_view name) const {
  MutexLock lock(&mu_);
  const auto found = archives_.find(name);
  return found == archives_.end() ? nullptr : found->second;
}

// --- Archives ------------------------------------------------------------------------------------

absl::StatusOr<ArchiveDescription> Archives::Create(std::string_view name,
                                                    const ArchiveOptions& options) {
  BANYAN_RETURN_IF_ERROR(ValidateBusName(name, "archiveName", env_->limits.bus.archive_name_max));
  BANYAN_RETURN_IF_ERROR(ValidateArchiveOptions(options));
  BANYAN_ASSIGN_OR_RETURN(const std::shared_ptr<EventBusCore> bus, Bus(options.bus));
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<const CompiledPattern> pattern,
                          ParseArchivePattern(options.event_pattern, env_->limits));
  const std::shared_ptr<ArchiveCore> made =
      ArchiveCore::Create(env_, std::string(name), options, bus);
  {
    MutexLock lock(&mu_);
    if (closed_) return env_->Refusal();
    if (archives_.find(name) != archives_.end()) {
      return Error(AwsError::kBusResourceAlreadyExists, "Archive ", name, " already exists.");
    }
    const int64_t count = static_cast<int64_t>(archives_.size()) + 1;
    if (count > env_->limits.broker.archives_max) {
      return BusLimitExceeded("archives", count, env_->limits.broker.archives_max);
    }
    archives_.emplace(std::string(name), made);
  }
  if (absl::Status opened = made->Open(std::move(pattern)); !opened.ok()) {
    MutexLock lock(&mu_);
    const auto entered = archives_.find(name);
    if (entered != archives_.end() && entered->second == made) archives_.erase(entered);
    return opened;
  }
  return made->Describe();
}

absl::StatusOr<ArchiveDescription> Archives::Describe(std::string_view name) const {
  const std::shared_ptr<ArchiveCore> archive = Find(name);
  if (archive == nullptr) return NoArchive(name);
  return archive->Describe();
}

absl::StatusOr<ArchiveDescription> Archives::Update(std::string_view name,
                                                    const ArchiveUpdate& update) {
  if (!update.event_pattern.has_value() && !update.retention.has_value() &&
      !update.description.has_value() && !update.bytes_max.has_value()) {
    return Error(AwsError::kBusValidation,
                 "At least one of EventPattern, RetentionDays or Description must be provided.");
  }
  BANYAN_RETURN_IF_ERROR(ValidateBusName(name, "archiveName", env_->limits.bus.archive_name_max));
  const ArchiveOptions none;
  BANYAN_RETURN_IF_ERROR(
      ValidateArchiveOptions({.retention = update.retention.value_or(none.retention),
                              .description = update.description.value_or(none.description),
                              .bytes_max = update.bytes_max.value_or(none.bytes_max)}));
  BANYAN_ASSIGN_OR_RETURN(std::shared_ptr<const CompiledPattern> pattern,
                          ParseArchivePattern(update.event_pattern.value_or(""), env_->limits));
  const std::shared_ptr<ArchiveCore> archive = Find(name);
  if (archive == nullptr) return NoArchive(name);
  BANYAN_RETURN_IF_ERROR(archive->Update(update, std::move(pattern)));
  return archive->Describe();
}

absl::Status Archives::Delete(std::string_view name) {
  std::shared_ptr<ArchiveCore> archive;
  {
    MutexLock lock(&mu_);
    const auto found = archives_.find(name);
    if (found == archives_.end()) return NoArchive(name);
    archive = std::move(found->second);
    archives_.erase(found);
  }
  archive->Close();
  return absl::OkStatus();
}

absl::StatusOr<ArchivePage> Archives::List(const ListArchivesOptions& options) const {
  const int filters =
      !options.name_prefix.empty() + !options.bus.empty() + options.state.has_value();
  BANYAN_RETURN_IF_ERROR(ValidateList("ListArchives", filters, options.limit, options.name_prefix,
                                      options.next_token));
  if (!options.bus.empty()) BANYAN_RETURN_IF_ERROR(Bus(options.bus).status());
  std::vector<std::shared_ptr<ArchiveCore>> archives;
  {
    MutexLock lock(&mu_);
    archives = From<ArchiveCore>(archives_, options.name_prefix, options.next_token);
  }
  auto [page, token] = Page<ArchiveDescription>(
      archives, options.limit, [&](ArchiveCore& archive) -> std::optional<ArchiveDescription> {
        if (!options.bus.empty() && archive.bus_name() != options.bus) return std::nullopt;
        ArchiveDescription shown = archive.Describe();
        if (options.state.has_value() && shown.state != *options.state) return std::nullopt;
        return shown;
      });
  return ArchivePage{std::move(page), std::move(token)};
}

// --- Replays -------------------------------------------------------------------------------------

absl::StatusOr<ReplayDescription> Archives::StartReplay(std::string_view name,
                                                        const ReplayOptions& options) {
  BANYAN_RETURN_IF_ERROR(ValidateBusName(name, "replayName", env_->limits.bus.replay_name_max));
  BANYAN_RETURN_IF_ERROR(ValidateBusDescription(options.description));
  // On record: a bus that is not there comes before all else, the times before "cross event bus".
  if (!options.destination.empty()) BANYAN_RETURN_IF_ERROR(Bus(options.destination).status());
  std::shared_ptr<ArchiveCore> archive = Find(options.archive);
  if (archive == nullptr) {
    return NotValid("EventSourceArn", StrCat("Archive ", options.archive, " does not exist."));
  }
  if (absl::ToUnixSeconds(options.start) >= absl::ToUnixSeconds(options.end)) {
    return NotValid("EventEndTime", "EventStartTime must be before EventEndTime.");
  }
  if (!options.destination.empty() && options.destination != archive->bus_name()) {
    return NotValid("Destination.Arn", "Cross event bus replay is not permitted.");
  }
  BANYAN_ASSIGN_OR_RETURN(const std::shared_ptr<EventBusCore> bus, Bus(archive->bus_name()));
  for (const std::string& rule : options.rules) {
    const absl::Status found = bus->FindRule(rule).status();
    if (absl::IsNotFound(found)) {
      return NotValid("Destination.FilterArns", ToStd(found.message()));
    }
    BANYAN_RETURN_IF_ERROR(found);  // stopping
  }
  const std::shared_ptr<ReplayCore> replay =
      ReplayCore::Create(env_, std::string(name), options, bus, std::move(archive));
  BANYAN_RETURN_IF_ERROR(Enter(replay));
  replay->Start();
  return replay->Describe();
}

absl::Status Archives::Enter(const std::shared_ptr<ReplayCore>& replay) {
  MutexLock lock(&mu_);
  if (closed_) return env_->Refusal();
  ForgetReplays(env_->runtime.Read().uptime_ns);
  if (replays_.find(replay->name()) != replays_.end()) {
    return Error(AwsError::kBusResourceAlreadyExists, "Replay ", replay->name(),
                 " already exists.");
  }
  const int64_t active = 1 + std::count_if(replays_.begin(), replays_.end(), [](const auto& entry) {
                           return entry.second->IsActive();
                         });
  if (active > env_->limits.bus.replays_active_max) {
    return BusLimitExceeded("active replays", active, env_->limits.bus.replays_active_max);
  }
  replays_.emplace(replay->name(), replay);
  return absl::OkStatus();
}

void Archives::ForgetReplays(int64_t now_ns) {
  std::erase_if(replays_,
                [now_ns](const auto& entry) { return IsForgotten(*entry.second, now_ns); });
  if (static_cast<int64_t>(replays_.size()) < env_->limits.broker.replays_kept_max) return;
  auto first = replays_.end();
  int64_t first_ns = kNever;
  for (auto at = replays_.begin(); at != replays_.end(); ++at) {
    const int64_t ended_ns = at->second->EndedNs().value_or(kNever);
    if (ended_ns >= first_ns) continue;
    first = at;
    first_ns = ended_ns;
  }
  if (first != replays_.end()) replays_.erase(first);
}

std::shared_ptr<ReplayCore> Archives::FindReplay(std::string_view name) const {
  MutexLock lock(&mu_);
  const auto found = replays_.find(name);
  if (found == replays_.end()) return nullptr;
  return IsForgotten(*found->second, env_->runtime.Read().uptime_ns) ? nullptr : found->second;
}

absl::StatusOr<ReplayDescription> Archives::DescribeReplay(std::string_view name) const {
  const std::shared_ptr<ReplayCore> replay = FindReplay(name);
  if (replay == nullptr) return NoReplay(name);
  return replay->Describe();
}

absl::StatusOr<ReplayDescription> Archives::CancelReplay(std::string_view name) {
  const std::shared_ptr<ReplayCore> replay = FindReplay(name);
  if (replay == nullptr) return NoReplay(name);
  BANYAN_RETURN_IF_ERROR(replay->Cancel());
  return replay->Describe();
}

absl::StatusOr<ReplayPage> Archives::ListReplays(const ListReplaysOptions& options) const {
  const int filters =
      !options.name_prefix.empty() + !options.archive.empty() + options.state.has_value();
  BANYAN_RETURN_IF_ERROR(
      ValidateList("ListReplays", filters, options.limit, options.name_prefix, options.next_token));
  std::vector<std::shared_ptr<ReplayCore>> replays;
  const int64_t now_ns = env_->runtime.Read().uptime_ns;
  {
    MutexLock lock(&mu_);
    replays = From<ReplayCore>(replays_, options.name_prefix, options.next_token);
  }
  auto [page, token] = Page<ReplayDescription>(
      replays, options.limit, [&](const ReplayCore& replay) -> std::optional<ReplayDescription> {
        if (IsForgotten(replay, now_ns)) return std::nullopt;
        if (!options.archive.empty() && replay.archive_name() != options.archive) {
          return std::nullopt;
        }
        ReplayDescription shown = replay.Describe();
        if (options.state.has_value() && shown.state != *options.state) return std::nullopt;
        return shown;
      });
  return ReplayPage{std::move(page), std::move(token)};
}

void Archives::Close(CloseKind kind) {
  decltype(archives_) archives;
  decltype(replays_) replays;
  {
    MutexLock lock(&mu_);
    closed_ = closed_ || kind == CloseKind::kStopped;
    std::swap(archives, archives_);
    std::swap(replays, replays_);
  }
  for (const auto& [name, replay] : replays) replay->Close();
  for (const auto& [name, archive] : archives) archive->Close();
}

}  // namespace internal

}  // namespace banyan::inline v0_1
