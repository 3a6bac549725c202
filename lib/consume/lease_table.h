// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/lease_table.h -- floor 5: the leases of one application on one stream.
//
//   checkpoint     TRIM_HORIZON, a sequence number after which to go on, or SHARD_END
//
// E1  A shard whose lease is not there yet is new, and is read from its beginning: the first worker
//     makes leases for all that are listed, those that start_at leaves out at SHARD_END, and then
//     one more row (`started`). Until that is there every worker begins as the first one.
// E2  A shard's lease is made after those of its parents, so that one without a lease has expired,
//     or was done before and has. A shard is processed (IsReady) when those that are there are done.
// E3  Only the owner changes a lease, except to take it (owner) or to ask for it (wanted_by). All
//     by compare-and-put: whoever has lost it finds out when it next tries.
//
// Threads   Any.
#ifndef BANYAN_LIB_CONSUME_LEASE_TABLE_H_
#define BANYAN_LIB_CONSUME_LEASE_TABLE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/stream.h"
#include "storage/lease_store.h"

namespace banyan::inline v0_1::internal {

class StreamCore;

inline constexpr std::string_view kTrimHorizon = "TRIM_HORIZON";
inline constexpr std::string_view kShardEnd = "SHARD_END";

using Leases = std::map<std::string, Lease, std::less<>>;  // by key

inline bool IsAtEnd(const Lease& lease) { return lease.checkpoint == kShardEnd; }

// Whether the lease's shard may be processed: it is not done, and its parents are.
bool IsReady(const Lease& lease, const Leases& all);

class LeaseTable {
 public:
  LeaseTable(std::shared_ptr<LeaseStore> store, const Stream& stream, std::string_view application);

  struct Content {
    Leases leases;
    bool started = false;
  };
  absl::StatusOr<Content> Read();

  // Makes the leases that are missing (E1, E2), and removes those of shards that have expired.
  // Errors  as ListShards(); a start_at in the future; of the store.
  absl::Status AddMissing(Content* content, const StartAt& start_at);

  // Makes the leases of a shard's children, as its last read named them.
  absl::Status AddChildren(const std::vector<ChildShard>& children);

  // Puts what was read and then changed. Nullopt: somebody else was quicker.
  absl::StatusOr<std::optional<Lease>> Put(const Lease& lease);

  // Changes the lease as it is now. kAborted: it is not `owner`'s; or the error of `change`.
  absl::Status Change(std::string_view key, std::string_view owner,
                      absl::FunctionRef<absl::Status(Lease&)> change);

  // The leases of all applications on a stream that is gone.
  static void RemoveAll(LeaseStore& store, const StreamCore& stream);

 private:
  absl::StatusOr<Lease> Add(Lease lease);
  absl::StatusOr<std::string> FirstCheckpoint(ShardId shard, const StartAt& start_at) const;

  const std::shared_ptr<LeaseStore> store_;
  const Stream stream_;
  const std::string name_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_LEASE_TABLE_H_
