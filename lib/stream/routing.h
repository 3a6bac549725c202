// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/routing.h -- floor 3, the stream room: which open shard a hash key belongs to, for
// putters who ask for every record.
//
//   version_ 6    tables_[0]  0 ..... | 3 ... | 4 ...      valid while the version is even
//                 tables_[1]  0 ..... | 2 .........        the next one is written here
//
// A lookup writes nothing: a pin (base/epoch.h) would cost a compare-and-swap per record, more than
// the search itself.
//
// T1  Version v is in tables_[v % 2], and was whole there before v was stored.
// T2  The table of version v is written again only for v + 2, so after v + 1 was stored.
// T3  A lookup that found version v before and after it has read of v's table alone. Suppose it
//     read a word written for v + 2: that word was stored with release order after v + 1 was
//     stored (T2), and read with acquire order before the second look at the version, which
//     therefore finds v + 1 or later.
// T4  A table that was outgrown stays until the end, for lookups that may still be reading it. Each
//     is at least twice the one before, so together they are smaller than the last.
//
// A lookup begins again only if a whole reshard has ended meanwhile; it never waits for one that is
// under way.
//
// Threads   Find: any, lock-free. Set: one at a time, by a lock that the caller holds.
#ifndef BANYAN_LIB_STREAM_ROUTING_H_
#define BANYAN_LIB_STREAM_ROUTING_H_

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/types/span.h"

namespace banyan::inline v0_1::internal {

class Shard;

// From `start` to the next route's, or to the end, keys belong to `shard`.
struct Route {
  absl::uint128 start;
  Shard* shard;
};

class RoutingTable {
 public:
  // Sorted by start; the first starts at 0.
  void Set(absl::Span<const Route> routes) {
    const uint64_t next = version_.load(std::memory_order_relaxed) + 1;
    std::atomic<Rows*>& place = tables_[next % 2];
    Rows* rows = place.load(std::memory_order_relaxed);
    if (rows == nullptr || rows->capacity < routes.size()) {
      kept_.push_back(std::make_unique<Rows>(std::bit_ceil(routes.size())));
      rows = kept_.back().get();
      place.store(rows, std::memory_order_release);
    }
    for (size_t i = 0; i < routes.size(); ++i) {
      rows->rows[i].high.store(absl::Uint128High64(routes[i].start), std::memory_order_release);
      rows->rows[i].low.store(absl::Uint128Low64(routes[i].start), std::memory_order_release);
      rows->rows[i].shard.store(routes[i].shard, std::memory_order_release);
    }
    rows->size.store(routes.size(), std::memory_order_release);
    version_.store(next, std::memory_order_release);
  }

  // After the first Set().
  Shard* Find(absl::uint128 key) const {
    for (;;) {
      const uint64_t version = version_.load(std::memory_order_acquire);
      const Rows& rows = *tables_[version % 2].load(std::memory_order_acquire);
      // The last row whose start is at most `key`. Torn, it may be any row of the table.
      size_t first = 0;
      for (size_t count = rows.size.load(std::memory_order_acquire); count > 1;) {
        const size_t half = count / 2;
        if (rows.rows[first + half].Start() <= key) first += half;
        count -= half;
      }
      Shard* const shard = rows.rows[first].shard.load(std::memory_order_acquire);
      if (version_.load(std::memory_order_relaxed) == version) return shard;
    }
  }

 private:
  struct Row {
    std::atomic<uint64_t> high{0};
    std::atomic<uint64_t> low{0};
    std::atomic<Shard*> shard{nullptr};

    absl::uint128 Start() const {
      return absl::MakeUint128(high.load(std::memory_order_acquire),
                               low.load(std::memory_order_acquire));
    }
  };
  struct Rows {
    explicit Rows(size_t capacity_in)
        : capacity(capacity_in), rows(std::make_unique<Row[]>(capacity_in)) {}
    const size_t capacity;
    std::atomic<size_t> size{0};  // at most `capacity`
    const std::unique_ptr<Row[]> rows;
  };

  std::atomic<uint64_t> version_{0};
  std::array<std::atomic<Rows*>, 2> tables_{};
  std::vector<std::unique_ptr<Rows>> kept_;  // T4
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_ROUTING_H_
