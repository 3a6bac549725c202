// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/shards.h -- floor 3, the stream room: the shards of one stream, which of them a hash
// key belongs to, and how they become others.
//
//   all_       [0] [1] [2] [3] [4] ...            by index, for as long as the stream lives
//               |   |   |   ^   ^
//               |   |   +---+---+  2 was split: 3 and 4 are its children
//   routing_   0 .... | ... 3 ... | ... 4 ...     the open ones, by where their ranges begin
//
// A shard is made open, takes records, and is closed when it is split or merged; what it holds can
// be read until retention has ended it. Then it is expired, and listed no more, also if retention is
// longer afterwards.
//
// R1  At every moment each hash key belongs to one open shard, or, within a reshard, to none: a
//     writer who meets a closed shard waits for the reshard to end (AwaitReshard) and looks again.
// R2  A reshard goes in this order: children into all_; the parent's ending; the parent's log is
//     sealed; the new routing is published. So whoever finds a parent at its end finds its
//     children, and a record put into a child was put after the last one of the parent: equal keys
//     keep their order.
// R3  Shards are never destroyed before the stream, and say what they came from and became in
//     members that do not change, or are written once before they can be seen (Ending, by release
//     and acquire). Readers of shards take no lock.
//
// Threads   Find, Get, size: any, without a lock. The others lock.
#ifndef BANYAN_LIB_STREAM_SHARDS_H_
#define BANYAN_LIB_STREAM_SHARDS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/numeric/int128.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "base/append_list.h"
#include "message/atomic_statistics.h"
#include "stream/routing.h"
#include "stream/shard_log.h"
#include "stream/shard_map.h"
#include "stream/shard_meter.h"

namespace banyan::inline v0_1::internal {

// One shard, from its first record to the end of its stream.
class Shard {
 public:
  struct Origin {
    int64_t index = 0;
    HashRange range;
    std::optional<int64_t> parent = {};
    std::optional<int64_t> adjacent_parent = {};
    Instant made = {};
  };
  // What a closed shard became.
  struct Ending {
    Instant at;
    std::vector<int64_t> children;
  };

  Shard(const Origin& origin, std::unique_ptr<ShardLog> log, const Limits::Stream& limits)
      : origin_(origin), log_(std::move(log)), meter_(limits) {}

  int64_t index() const { return origin_.index; }
  const HashRange& range() const { return origin_.range; }
  const Origin& origin() const { return origin_; }
  ShardLog& log() const { return *log_; }
  ShardMeter& meter() const { return meter_; }

  // Null while it is open.
  const Ending* ending() const { return ending_.load(std::memory_order_acquire); }

  // Whether retention had ended it before retention was changed last.
  bool was_expired() const { return was_expired_.load(std::memory_order_relaxed); }
  void SetExpired() { was_expired_.store(true, std::memory_order_relaxed); }

  // What GetRecords gave of it, and what found it full. Each number is right by itself. In a cache
  // line that writers do not look at.
  struct alignas(64) Books {
    std::atomic<int64_t> gets{0};
    std::atomic<int64_t> records{0};
    std::atomic<int64_t> bytes{0};
    AtomicStatistics age_ms;
    std::atomic<int64_t> rejected{0};
  };
  Books& books() const { return books_; }

 private:
  friend class Shards;
  const Origin origin_;
  const std::unique_ptr<ShardLog> log_;
  mutable ShardMeter meter_;
  mutable Books books_;
  std::atomic<bool> was_expired_{false};
  std::unique_ptr<const Ending> ending_storage_;
  std::atomic<const Ending*> ending_{nullptr};
};

class Shards {
 public:
  // Makes the log of a new shard.
  using MakeLog =
      absl::AnyInvocable<std::unique_ptr<ShardLog>(int64_t index, int64_t created_second)>;

  // `limits` live as long.
  Shards(int64_t count, Instant now, const Limits::Stream& limits, MakeLog make_log);
  Shards(const Shards&) = delete;
  Shards& operator=(const Shards&) = delete;

  // The open shard whose range holds `key`. It may be closed when the caller gets there (R1).
  Shard& Find(absl::uint128 key) const { return *table_.Find(key); }
  // Returns when no reshard is under way.
  void AwaitReshard() const ABSL_LOCKS_EXCLUDED(mu_);

  size_t size() const { return all_.size(); }
  Shard& operator[](size_t index) const { return all_[index]; }  // below size()
  std::vector<Shard*> Open() const ABSL_LOCKS_EXCLUDED(mu_);     // by their ranges

  // Nothing happens and false is the answer if it is not open any more, or if the second range
  // would not begin inside it.
  bool Split(Shard& shard, absl::uint128 second_start, Instant now) ABSL_LOCKS_EXCLUDED(mu_);
  // The same if one is not open any more, or their ranges do not touch.
  bool Merge(Shard& shard, Shard& adjacent, Instant now) ABSL_LOCKS_EXCLUDED(mu_);
  // Splits and merges until `count` equal ranges are open; shards that only pass by on the way are
  // closed before anybody can put into them. Returns how many are open.
  int64_t Rescale(int64_t count, Instant now) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  using Routing = std::vector<Route>;  // as RoutingTable::Set() takes them

  Shard& Make(Shard::Origin origin) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The routes that replace those of `parents`: their children over `ranges`.
  std::vector<Route> Replace(const std::vector<Shard*>& parents,
                             const std::vector<HashRange>& ranges, Instant now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Publish(Routing routing) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Routing::const_iterator RouteOf(const Shard& shard) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const Limits::Stream& limits_;
  MakeLog make_log_ ABSL_GUARDED_BY(mu_);
  AppendList<Shard> all_;
  RoutingTable table_;  // routing_, for Find()
  Routing routing_ ABSL_GUARDED_BY(mu_);
  mutable Mutex mu_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_SHARDS_H_
