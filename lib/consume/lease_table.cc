// SPDX-License-Identifier: Apache-2.0
#include "consume/lease_table.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "stream/core.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr std::string_view kStarted = "started";  // no shard has this name

// Nothing of it is left to be processed, as far as the table knows.
bool IsDone(const std::string& key, const Leases& all) {
  const auto found = all.find(key);
  return found == all.end() || IsAtEnd(found->second);
}

Lease LeaseOf(const ShardInfo& shard) {
  Lease lease = {.key = shard.id.ToString(),
                 .checkpoint = std::string(kTrimHorizon),
                 .starting_hash_key = shard.starting_hash_key,
                 .ending_hash_key = shard.ending_hash_key};
  if (shard.parent.has_value()) lease.parents.push_back(shard.parent->ToString());
  if (shard.adjacent_parent.has_value()) lease.parents.push_back(shard.adjacent_parent->ToString());
  return lease;
}

// What the names of a stream's tables begin with. The incarnation is in it, so that a stream made
// anew has tables of its own: sequence numbers of the old one mean nothing there.
std::string TablesOf(const StreamCore& stream) {
  return StrCat(stream.arn_text(), " ", absl::Hex(stream.incarnation()), " ");
}

// Those that `start_at` does not leave out.
ShardFilter FilterOf(const StartAt& start_at) {
  switch (start_at.kind()) {
    case StartAt::Kind::kLatest:
      return {.kind = ShardFilter::Kind::kAtLatest};
    case StartAt::Kind::kAtTimestamp:
      return {.kind = ShardFilter::Kind::kFromTimestamp, .time = start_at.time()};
    default:
      return {};
  }
}

}  // namespace

bool IsReady(const Lease& lease, const Leases& all) {
  return !IsAtEnd(lease) && std::all_of(lease.parents.begin(), lease.parents.end(),
                                        [&](const std::string& p) { return IsDone(p, all); });
}

LeaseTable::LeaseTable(std::shared_ptr<LeaseStore> store, const Stream& stream,
                       std::string_view application)
    : store_(std::move(store)),
      stream_(stream),
      name_(StrCat(TablesOf(*stream.core()), application)) {}

absl::StatusOr<LeaseTable::Content> LeaseTable::Read() {
  BANYAN_ASSIGN_OR_RETURN(std::vector<Lease> rows, store_->List(name_));
  Content content;
  for (Lease& row : rows) {
    if (row.key == kStarted) {
      content.started = true;
    } else {
      std::string key = row.key;
      content.leases.emplace(std::move(key), std::move(row));
    }
  }
  return content;
}

// The lease as it is stored, by whomever.
absl::StatusOr<Lease> LeaseTable::Add(Lease lease) {
  BANYAN_ASSIGN_OR_RETURN(std::optional<Lease> stored, store_->Put(name_, lease));
  if (stored.has_value()) return *std::move(stored);
  BANYAN_ASSIGN_OR_RETURN(stored, store_->Get(name_, lease.key));
  if (stored.has_value()) return *std::move(stored);
  return lease;  // made and removed meanwhile: it is done
}

absl::StatusOr<std::string> LeaseTable::FirstCheckpoint(ShardId shard,
                                                        const StartAt& start_at) const {
  if (start_at.kind() == StartAt::Kind::kTrimHorizon) return std::string(kTrimHorizon);
  // No iterator: of those a shard gives out five in a second.
  StreamCore& core = *stream_.core();
  const absl::StatusOr<uint64_t> position =
      core.Locate(shard, start_at, core.env()->runtime.Read());
  if (position.status().code() == absl::StatusCode::kNotFound) {
    return std::string(kTrimHorizon);  // it has just expired: who gets the lease finds nothing
  }
  BANYAN_RETURN_IF_ERROR(position.status());
  return core.SequenceBefore(shard, *position).ToString();
}

absl::Status LeaseTable::AddMissing(Content* content, const StartAt& start_at) {
  Leases& leases = content->leases;
  BANYAN_ASSIGN_OR_RETURN(const std::vector<ShardInfo> shards, stream_.ListShards());
  std::set<std::string> listed;
  std::set<ShardId> wanted;
  if (!content->started) {
    BANYAN_ASSIGN_OR_RETURN(const std::vector<ShardInfo> infos,
                            stream_.ListShards(FilterOf(start_at)));
    for (const ShardInfo& shard : infos) wanted.insert(shard.id);
  }
  for (const ShardInfo& shard : shards) {  // parents first
    Lease lease = LeaseOf(shard);
    listed.insert(lease.key);
    if (leases.contains(lease.key)) continue;
    // A parent that is listed and has no lease waits for its own parents.
    const auto is_done = [&](const std::string& parent) {
      return IsDone(parent, leases) && (leases.contains(parent) || !listed.contains(parent));
    };
    if (!std::all_of(lease.parents.begin(), lease.parents.end(), is_done)) continue;  // E2
    if (!content->started && !wanted.contains(shard.id)) {
      lease.checkpoint = kShardEnd;
    } else if (!content->started) {
      BANYAN_ASSIGN_OR_RETURN(lease.checkpoint, FirstCheckpoint(shard.id, start_at));
    }
    BANYAN_ASSIGN_OR_RETURN(Lease stored, Add(std::move(lease)));
    std::string key = stored.key;
    leases.emplace(std::move(key), std::move(stored));
  }
  if (!content->started) {  // E1: last
    BANYAN_RETURN_IF_ERROR(store_->Put(name_, {.key = std::string(kStarted)}).status());
    content->started = true;
  }
  // A shard that is done and can be read no more has no children without a lease: see above.
  for (auto at = leases.begin(); at != leases.end();) {
    const Lease& lease = at->second;
    if (IsAtEnd(lease) && !listed.contains(lease.key)) {
      BANYAN_RETURN_IF_ERROR(store_->Remove(name_, lease.key, lease.version).status());
      at = leases.erase(at);
    } else {
      ++at;
    }
  }
  return absl::OkStatus();
}

absl::Status LeaseTable::AddChildren(const std::vector<ChildShard>& children) {
  BANYAN_ASSIGN_OR_RETURN(const Content content, Read());
  for (const ChildShard& child : children) {
    // Of a merge, the other parent may not have a lease yet, for its own parents are not done: then
    // the child is added when that one ends. Or not any more, having expired: then by AddMissing().
    const auto has_lease = [&](ShardId parent) {
      return content.leases.contains(parent.ToString());
    };
    if (!std::all_of(child.parents.begin(), child.parents.end(), has_lease)) continue;  // E2
    Lease lease = {.key = child.id.ToString(),
                   .checkpoint = std::string(kTrimHorizon),
                   .starting_hash_key = child.starting_hash_key,
                   .ending_hash_key = child.ending_hash_key};
    for (const ShardId& parent : child.parents) lease.parents.push_back(parent.ToString());
    BANYAN_RETURN_IF_ERROR(store_->Put(name_, std::move(lease)).status());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::optional<Lease>> LeaseTable::Put(const Lease& lease) {
  return store_->Put(name_, lease);
}

absl::Status LeaseTable::Change(std::string_view key, std::string_view owner,
                                absl::FunctionRef<absl::Status(Lease&)> change) {
  while (true) {
    BANYAN_ASSIGN_OR_RETURN(std::optional<Lease> lease, store_->Get(name_, key));
    if (!lease.has_value() || lease->owner != owner) {
      return absl::AbortedError(ToAbsl(StrCat(
          "Can't update checkpoint - instance doesn't hold the lease for this shard, ", key)));
    }
    BANYAN_RETURN_IF_ERROR(change(*lease));
    BANYAN_ASSIGN_OR_RETURN(lease, Put(*lease));
    if (lease.has_value()) return absl::OkStatus();
  }
}

void LeaseTable::RemoveAll(LeaseStore& store, const StreamCore& stream) {
  store.RemoveTables(TablesOf(stream)).IgnoreError();  // what stays is in nobody's way
}

}  // namespace banyan::inline v0_1::internal
