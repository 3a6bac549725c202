// SPDX-License-Identifier: Apache-2.0
//
// What a stream says of its shards, and how it changes them.
#include <algorithm>
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "stream/core.h"
#include "stream/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

std::optional<ShardId> IdOfIndex(const std::optional<int64_t>& index) {
  if (!index.has_value()) return std::nullopt;
  return ShardId{*index};
}

}  // namespace

// --- Looking -------------------------------------------------------------------------------------

absl::Status StreamCore::NoShard(ShardId shard) const {
  return Error(AwsError::kStreamResourceNotFound, "Shard ", shard.ToString(), " in stream ", name_,
               " under account ", env_->account, " does not exist");
}

bool StreamCore::HasExpired(const Shard& shard, const Instant& now) const {
  const Shard::Ending* const ending = shard.ending();
  return ending != nullptr &&
         now.uptime_ns - ending->at.uptime_ns >= retention_ns_.load(std::memory_order_relaxed);
}

absl::StatusOr<Shard*> StreamCore::FindShard(ShardId shard, const Instant& now) const {
  if (shard.index < 0 || static_cast<size_t>(shard.index) >= shards_.size()) return NoShard(shard);
  Shard& found = shards_[static_cast<size_t>(shard.index)];
  if (HasExpired(found, now)) return NoShard(shard);
  return &found;
}

ShardInfo StreamCore::InfoOf(const Shard& shard) const {
  ShardInfo info = {.id = {shard.index()},
                    .starting_hash_key = HashKeyText(shard.range().start),
                    .ending_hash_key = HashKeyText(shard.range().end),
                    .starting_sequence = shard.log().identity().StartingSequence(),
                    .parent = IdOfIndex(shard.origin().parent),
                    .adjacent_parent = IdOfIndex(shard.origin().adjacent_parent)};
  if (const Shard::Ending* ending = shard.ending(); ending != nullptr) {
    info.ending_sequence = shard.log().identity().EndingSequence(ending->at.unix_ns);
  }
  return info;
}

std::vector<ChildShard> StreamCore::ChildrenOf(const Shard& shard) const {
  std::vector<ChildShard> children;
  for (const int64_t index : shard.ending()->children) {
    const Shard& child = shards_[static_cast<size_t>(index)];
    ChildShard& shown =
        children.emplace_back(ChildShard{.id = {index},
                                         .parents = {{*child.origin().parent}},
                                         .starting_hash_key = HashKeyText(child.range().start),
                                         .ending_hash_key = HashKeyText(child.range().end)});
    if (child.origin().adjacent_parent.has_value()) {
      shown.parents.push_back({*child.origin().adjacent_parent});
    }
  }
  return children;
}

absl::StatusOr<std::vector<ShardInfo>> StreamCore::ListShards(const ShardFilter& filter) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  if (filter.max_results < 1) {
    return ConstraintError(StrCat(filter.max_results), "maxResults",
                           "have value greater than or equal to 1");
  }
  const Instant now = env_->runtime.Read();
  // When retention began to count, on the wall clock; a stream is not older than itself.
  const absl::Time horizon =
      std::max(created_.time(),
               now.time() - absl::Nanoseconds(retention_ns_.load(std::memory_order_relaxed)));
  const auto open_at = [](const Shard& shard, absl::Time time) {
    const Shard::Ending* const ending = shard.ending();
    return shard.origin().made.time() <= time && (ending == nullptr || ending->at.time() > time);
  };
  const auto wanted = [&](const Shard& shard) {
    const Shard::Ending* const ending = shard.ending();
    switch (filter.kind) {
      case ShardFilter::Kind::kAtTrimHorizon:
        return open_at(shard, horizon);
      case ShardFilter::Kind::kAtLatest:
        return ending == nullptr;
      case ShardFilter::Kind::kAtTimestamp:
        return open_at(shard, std::max(filter.time, horizon));
      case ShardFilter::Kind::kFromTimestamp:
        return ending == nullptr || ending->at.time() > filter.time;
      case ShardFilter::Kind::kAfterShardId:
        return shard.index() > filter.shard.index;
      case ShardFilter::Kind::kFromTrimHorizon:
        break;
    }
    return true;
  };
  std::vector<ShardInfo> listed;
  for (size_t i = 0; i < shards_.size(); ++i) {
    const Shard& shard = shards_[i];
    if (HasExpired(shard, now) || !wanted(shard)) continue;
    if (static_cast<int64_t>(listed.size()) == filter.max_results) break;
    listed.push_back(InfoOf(shard));
  }
  return listed;
}

StreamStatus StreamCore::StatusAt(const Instant& now) const {
  if (now.uptime_ns >= busy_until_ns_) return StreamStatus::kActive;
  const int64_t transition_ns = CeilNanoseconds(env_->limits.stream.transition_time);
  return busy_until_ns_ == created_.uptime_ns + transition_ns ? StreamStatus::kCreating
                                                              : StreamStatus::kUpdating;
}

absl::StatusOr<StreamDescription> StreamCore::Describe() {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  MutexLock lock(&settings_mu_);
  return StreamDescription{
      .status = StatusAt(env_->runtime.Read()),
      .mode = scaling_.has_value() ? StreamMode::kOnDemand : StreamMode::kProvisioned,
      .open_shards = static_cast<int64_t>(shards_.Open().size()),
      .retention = absl::Nanoseconds(retention_ns_.load(std::memory_order_relaxed)),
      .record_bytes_max = record_bytes_max_.load(std::memory_order_relaxed),
      .created = created_.time()};
}

// --- Changing ------------------------------------------------------------------------------------

absl::Status StreamCore::CheckActive(const Instant& now) const {
  BANYAN_RETURN_IF_ERROR(CheckOpen());  // Close() has the lock, too
  const StreamStatus status = StatusAt(now);
  if (status == StreamStatus::kActive) return absl::OkStatus();
  return Error(AwsError::kStreamResourceInUse, "Stream ", name_, " under account ", env_->account,
               " not ACTIVE, instead in state ",
               status == StreamStatus::kCreating ? "CREATING" : "UPDATING");
}

void StreamCore::BeginUpdate(const Instant& now) {
  // One nanosecond more than a creation could have: see StatusAt().
  const int64_t transition_ns = CeilNanoseconds(env_->limits.stream.transition_time);
  if (transition_ns > 0) busy_until_ns_ = now.uptime_ns + transition_ns + 1;
}

absl::Status StreamCore::CheckRoomForShards(int64_t open, int64_t made) const {
  const Limits::Stream& limits = env_->limits.stream;
  if (open <= limits.shards_max &&
      static_cast<int64_t>(shards_.size()) + made <= limits.shards_made_max) {
    return absl::OkStatus();
  }
  return Error(AwsError::kStreamLimitExceeded,
               "This request would exceed the shard limit for the account. shardCount ", open,
               ", limit ", limits.shards_max, "; made in all ",
               static_cast<int64_t>(shards_.size()) + made, ", limit ", limits.shards_made_max,
               ".");
}

absl::Status StreamCore::SplitShard(ShardId id, std::string_view new_starting_hash_key) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  {
    MutexLock lock(&settings_mu_);
    const Instant now = env_->runtime.Read();
    BANYAN_RETURN_IF_ERROR(CheckActive(now));
    BANYAN_RETURN_IF_ERROR(CheckProvisioned());
    BANYAN_ASSIGN_OR_RETURN(Shard* const shard, FindShard(id, now));
    const HashRange& range = shard->range();
    std::optional<absl::uint128> second_start = range.Middle() + 1;
    if (!new_starting_hash_key.empty()) second_start = ParseHashKey(new_starting_hash_key);
    if (!second_start.has_value()) {
      return ConstraintError(new_starting_hash_key, "newStartingHashKey",
                             "satisfy regular expression pattern: 0|([1-9]\\d{0,38})");
    }
    if (shard->ending() != nullptr) return NotEligible(id);
    if (*second_start <= range.start + 1 || *second_start >= range.end) {
      return Error(AwsError::kStreamInvalidArgument, "NewStartingHashKey ",
                   HashKeyText(*second_start), " used in SplitShard() on shard ", id.ToString(),
                   " in stream ", name_, " under account ", env_->account,
                   " is not both greater than one plus the shard's StartingHashKey ",
                   HashKeyText(range.start), " and less than the shard's EndingHashKey ",
                   HashKeyText(range.end), ".");
    }
    BANYAN_RETURN_IF_ERROR(
        CheckRoomForShards(static_cast<int64_t>(shards_.Open().size()) + 1, /*made=*/2));
    if (!shards_.Split(*shard, *second_start, now)) return NotEligible(id);
    BeginUpdate(now);
  }
  WakeReadersOfClosedShards();
  return absl::OkStatus();
}

absl::Status StreamCore::MergeShards(ShardId id, ShardId adjacent_id) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  {
    MutexLock lock(&settings_mu_);
    const Instant now = env_->runtime.Read();
    BANYAN_RETURN_IF_ERROR(CheckActive(now));
    BANYAN_RETURN_IF_ERROR(CheckProvisioned());
    BANYAN_ASSIGN_OR_RETURN(Shard* const shard, FindShard(id, now));
    BANYAN_ASSIGN_OR_RETURN(Shard* const adjacent, FindShard(adjacent_id, now));
    if (shard->ending() != nullptr) return NotEligible(id);
    if (adjacent->ending() != nullptr) return NotEligible(adjacent_id);
    BANYAN_RETURN_IF_ERROR(CheckRoomForShards(0, /*made=*/1));
    if (!shards_.Merge(*shard, *adjacent, now)) {
      return Error(AwsError::kStreamInvalidArgument, "Shards ", id.ToString(), " and ",
                   adjacent_id.ToString(), " in stream ", name_, " under account ", env_->account,
                   " are not an adjacent pair of shards eligible for merging");
    }
    BeginUpdate(now);
  }
  WakeReadersOfClosedShards();
  return absl::OkStatus();
}

absl::Status StreamCore::NotEligible(ShardId id) const {
  return Error(AwsError::kStreamResourceInUse, "Shard ", id.ToString(), " in stream ", name_,
               " under account ", env_->account,
               " has already been merged or split, and thus is not eligible for merging or "
               "splitting.");
}

absl::Status StreamCore::UpdateShardCount(int64_t target) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  if (target < 1) {
    return ConstraintError(StrCat(target), "targetShardCount",
                           "have value greater than or equal to 1");
  }
  {
    MutexLock lock(&settings_mu_);
    const Instant now = env_->runtime.Read();
    BANYAN_RETURN_IF_ERROR(CheckActive(now));
    BANYAN_RETURN_IF_ERROR(CheckProvisioned());
    const auto open = static_cast<int64_t>(shards_.Open().size());
    if (target > 2 * open || 2 * target < open) {
      return Error(AwsError::kStreamInvalidArgument, "UpdateShardCount cannot scale ",
                   target > open ? "up over double" : "down below half",
                   " your current open shard count. Current open shard count: ", open,
                   " Target shard count: ", target);
    }
    // At most: each open shard is cut at each bound inside it, and all pieces but one a range are
    // merged away.
    BANYAN_RETURN_IF_ERROR(CheckRoomForShards(target, 3 * (open + target)));
    if (!TakeOneOfDay(env_->limits.stream.updates_per_day, now, &updates_ns_)) {
      return Error(AwsError::kStreamLimitExceeded, "Rate of UpdateShardCount exceeded for stream ",
                   name_, " under account ", env_->account, ": at most ",
                   env_->limits.stream.updates_per_day, " in 24 hours.");
    }
    shards_.Rescale(target, now);
    BeginUpdate(now);
  }
  WakeReadersOfClosedShards();
  return absl::OkStatus();
}

void StreamCore::WakeReadersOfClosedShards() {
  std::vector<size_t> closed;
  {
    MutexLock lock(&wakers_mu_);
    for (const auto& [shard, tasks] : wakers_) {
      if (shards_[shard].ending() != nullptr) closed.push_back(shard);
    }
  }
  for (const size_t shard : closed) WakeReaders(shard);
}

absl::Status StreamCore::SetRetention(absl::Duration retention, bool longer) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&settings_mu_);
  const Instant now = env_->runtime.Read();
  BANYAN_RETURN_IF_ERROR(CheckActive(now));
  BANYAN_RETURN_IF_ERROR(ValidateRetention(retention, env_->limits));
  const int64_t retention_ns = CeilNanoseconds(retention);
  const int64_t present_ns = retention_ns_.load(std::memory_order_relaxed);
  if (longer ? retention_ns < present_ns : retention_ns > present_ns) {
    return Error(AwsError::kStreamInvalidArgument, "Requested retention period (",
                 absl::FormatDuration(retention), ") for stream ", name_, " can not be ",
                 longer ? "shorter" : "longer", " than existing retention period (",
                 absl::FormatDuration(absl::Nanoseconds(present_ns)), "). Use ",
                 longer ? "DecreaseRetentionPeriod" : "IncreaseRetentionPeriod", " API.");
  }
  // What has ended by now shall not come back with a longer life.
  for (size_t i = 0; i < shards_.size(); ++i) {
    Trim(shards_[i].log(), now);
    shards_[i].log().SetRetention(retention_ns);
    Trim(shards_[i].log(), now);
  }
  retention_ns_.store(retention_ns, std::memory_order_relaxed);
  BeginUpdate(now);
  return absl::OkStatus();
}

absl::Status StreamCore::UpdateMaxRecordSize(int64_t record_bytes_max) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  MutexLock lock(&settings_mu_);
  const Instant now = env_->runtime.Read();
  BANYAN_RETURN_IF_ERROR(CheckActive(now));
  BANYAN_RETURN_IF_ERROR(ValidateRecordBytesMax(record_bytes_max, env_->limits));
  if (options_.shard_bytes_max < ShardLog::LeastBytesMax(record_bytes_max)) {
    return Error(AwsError::kStreamInvalidArgument, "record_bytes_max ", record_bytes_max,
                 " needs a shard_bytes_max of ", ShardLog::LeastBytesMax(record_bytes_max),
                 "; stream ", name_, " was made with ", options_.shard_bytes_max, ".");
  }
  record_bytes_max_.store(record_bytes_max, std::memory_order_relaxed);
  BeginUpdate(now);
  return absl::OkStatus();
}

absl::Status StreamCore::TrimBefore(const SequenceNumber& sequence) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  BANYAN_ASSIGN_OR_RETURN(
      const Shard* shard,
      FindShard({static_cast<int64_t>(sequence.shard_index)}, env_->runtime.Read()));
  BANYAN_ASSIGN_OR_RETURN(const uint64_t position,
                          PositionOfSequence(shard->log(), StartAt::AtSequence(sequence)));
  if (env_->journal == nullptr) {
    shard->log().TrimTo(position);
  } else {
    MutexLock lock(&journal_mu_);
    shard->log().TrimTo(position);
  }
  return absl::OkStatus();
}

}  // namespace banyan::inline v0_1::internal
