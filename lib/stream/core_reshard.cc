// SPDX-License-Identifier: Apache-2.0
//
// What a stream says of its shards, and how it changes them.
#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "base/nanoseconds.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "stream/core.h"
#include "stream/page_token.h"
#include "stream/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

std::optional<ShardId> IdOfIndex(const std::optional<int64_t>& index) {
  if (!index.has_value()) return std::nullopt;
  return ShardId{*index};
}

// Where a page of shards ended, and what the list is of.
struct ShardPlace {
  ShardFilter filter;
  int64_t after;  // index
};

// Its numbers with colons between them.
std::string TextOf(const ShardPlace& place) {
  return StrCat(place.after, ":", static_cast<int>(place.filter.kind), ":",
                place.filter.shard.index, ":", absl::ToUnixNanos(place.filter.time));
}

std::optional<ShardPlace> ReadPlace(std::string_view text) {
  std::array<int64_t, 4> numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (i > 0 && (at == end || *at++ != ':')) return std::nullopt;
    const auto [rest, error] = std::from_chars(at, end, numbers[i]);
    if (error != std::errc()) return std::nullopt;
    at = rest;
  }
  constexpr auto kLast = static_cast<int64_t>(ShardFilter::Kind::kAfterShardId);
  if (at != end || numbers[0] < 0 || numbers[1] < 0 || numbers[1] > kLast) return std::nullopt;
  return ShardPlace{.filter = {.kind = static_cast<ShardFilter::Kind>(numbers[1]),
                               .shard = {numbers[2]},
                               .time = absl::FromUnixNanos(numbers[3])},
                    .after = numbers[0]};
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
         (shard.was_expired() ||
          now.uptime_ns - ending->at.uptime_ns >= retention_ns_.load(std::memory_order_relaxed));
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

std::vector<ShardInfo> StreamCore::ShardsFrom(size_t from, const ShardFilter& filter, int64_t most,
                                              const Instant& now, bool* more) const {
  // When retention began to count, on the wall clock; a stream is not older than itself.
  const absl::Time horizon =
      std::max(created_.time(),
               now.time() - absl::Nanoseconds(retention_ns_.load(std::memory_order_relaxed)));
  // At the moment of a reshard both are open, parents and children: a record of that moment may be
  // in either.
  const auto open_from = [](const Shard& shard, absl::Time time) {
    const Shard::Ending* const ending = shard.ending();
    return ending == nullptr || ending->at.time() >= time;
  };
  const auto open_at = [&open_from](const Shard& shard, absl::Time time) {
    return shard.origin().made.time() <= time && open_from(shard, time);
  };
  const auto wanted = [&](const Shard& shard) {
    switch (filter.kind) {
      case ShardFilter::Kind::kAtTrimHorizon:
        return open_at(shard, horizon);
      case ShardFilter::Kind::kAtLatest:
        return shard.ending() == nullptr;
      case ShardFilter::Kind::kAtTimestamp:
        return open_at(shard, std::max(filter.time, horizon));
      case ShardFilter::Kind::kFromTimestamp:
        return open_from(shard, filter.time);
      case ShardFilter::Kind::kAfterShardId:
        return shard.index() > filter.shard.index;
      case ShardFilter::Kind::kFromTrimHorizon:
        break;
    }
    return true;
  };
  std::vector<ShardInfo> listed;
  *more = false;
  for (size_t i = from; i < shards_.size(); ++i) {
    const Shard& shard = shards_[i];
    if (HasExpired(shard, now) || !wanted(shard)) continue;
    *more = static_cast<int64_t>(listed.size()) == most;
    if (*more) break;
    listed.push_back(InfoOf(shard));
  }
  return listed;
}

absl::StatusOr<std::vector<ShardInfo>> StreamCore::ListShards(const ShardFilter& filter) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  bool more;
  return ShardsFrom(0, filter, std::numeric_limits<int64_t>::max(), env_->runtime.Read(), &more);
}

absl::StatusOr<ShardPage> StreamCore::ListShardsPage(const ListShardsOptions& options) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  BANYAN_RETURN_IF_ERROR(CheckOpen());
  BANYAN_RETURN_IF_ERROR(CheckPageSize("maxResults", options.max_results));
  BANYAN_RETURN_IF_ERROR(CheckTokenIsAlone(options.next_token, options.exclusive_start.has_value(),
                                           "ExclusiveStartShardId"));
  BANYAN_RETURN_IF_ERROR(
      CheckTokenIsAlone(options.next_token, options.filter.has_value(), "ShardFilter"));
  const Instant now = env_->runtime.Read();
  const PageOf list = {PageOf::Kind::kShards, incarnation_};
  ShardPlace place = {options.filter.value_or(ShardFilter()),
                      options.exclusive_start.value_or(ShardId{-1}).index};
  if (!options.next_token.empty()) {
    BANYAN_ASSIGN_OR_RETURN(const std::string after,
                            ReadPageToken(list, options.next_token, now, env_->limits));
    const std::optional<ShardPlace> read = ReadPlace(after);
    if (!read.has_value()) return InvalidPageToken();
    place = *read;
  }
  bool more;
  ShardPage page;
  const size_t from = place.after < 0 ? 0 : static_cast<size_t>(place.after) + 1;
  page.shards =
      ShardsFrom(from, place.filter,
                 std::min(options.max_results, env_->limits.stream.shards_page_max), now, &more);
  if (more) {
    place.after = page.shards.back().id.index;
    page.next_token = WritePageToken(list, TextOf(place), now);
  }
  return page;
}

// --- Changing ------------------------------------------------------------------------------------

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
    if (!new_starting_hash_key.empty()) {
      BANYAN_RETURN_IF_ERROR(ValidateHashKeyForm(new_starting_hash_key, "newStartingHashKey"));
      second_start = ParseHashKey(new_starting_hash_key);
    }
    if (shard->ending() != nullptr) return NotEligible(id);
    if (!second_start.has_value() || *second_start <= range.start + 1 ||
        *second_start >= range.end) {
      return Error(AwsError::kStreamInvalidArgument, "NewStartingHashKey ",
                   second_start.has_value() ? HashKeyText(*second_start)
                                            : std::string(new_starting_hash_key),
                   " used in SplitShard() on shard ", id.ToString(), " in stream ", name_,
                   " under account ", env_->account,
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
      return TooOften("UpdateShardCount", env_->limits.stream.updates_per_day);
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
    for (const auto& [shard, waiting] : wakers_) {
      if (shards_[shard].ending() != nullptr) closed.push_back(shard);
    }
  }
  for (const size_t shard : closed) WakeReaders(shard);
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
