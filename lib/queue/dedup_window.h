// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/dedup_window.h -- floor 3, the queue room: what a FIFO queue accepted within the last
// five minutes, so that a second send is answered like the first.
//
//   records   oldest -> [r r r ...] -> [r r r ...] -> [r r . ...] <- newest     chunks, by time
//                            ^                ^
//   index     bucket 0: hash,*   bucket 1: hash,*   ... bucket B-1              linear hashing
//                |
//                +-> overflow block
//
// W1  A key is a duplicate if it was accepted at t and the time is less than t + window. A
//     duplicate prolongs nothing, and receive and delete change nothing: no message is known here.
// W2  Records lie in the order of their acceptance, so that those to forget are in front.
// W3  Each record is in the index once, in the bucket that its key addresses: hash mod 2^k, where
//     2^k >= B is the least such power; or, if there is no such bucket yet, mod 2^(k-1).
// W4  5 (B - 1) <= records <= 6 B. So one record more splits at most one bucket, one less merges at
//     most one, and a stream that stays as it is does neither.
// W5  No record, no table: an empty window holds no memory.
// W6  All blocks of a bucket but its last are full.
//
// Every call does a bounded piece of work, whatever the number of records: Find() forgets at most
// two that are over, so that with each accepted message the expired become fewer, and a million
// that expire at once are a debt paid off over the next million sends (or by Trim()). Nothing is
// ever rehashed; memory comes and goes in blocks of some 4 KB, and with them an array of pointers
// to blocks of buckets, half as large as all of it, when B crosses a power of two.
//
// When it is full    it refuses: the queue asks full() after Find() and answers a new message with
//     RequestThrottled. To forget the oldest early would accept a duplicate and tell nobody; the
//     sender who is refused knows, and tries again. (100 million ids are 333,000 sends a second for
//     five minutes.)
//
// Why not absl::flat_hash_map and a deque   Measured with a million ids: its growth from half a
//     million stops the queue for 47 ms, and it holds 128 bytes an id, 231 after a flood. Here the
//     slowest call that recurs takes some 10 microseconds, and an id 72 bytes, 76 after a flood.
//     The price: a send that finds nothing, adds one and forgets one touches two blocks of the
//     index. Where they come from memory it costs two to three times as much (230 ns against 110 on
//     an idle machine); with 30,000 ids 47. bench/dedup_window_bench.cc.
// Why not the records in chains from an array of heads   Each look costs a cache miss for the head
//     and one for each record behind it, splits too. A bucket's hashes lie side by side: one miss
//     tells who is new, and a split reads no record. Fetching ahead what is forgotten next was
//     tried and gained nothing that could be measured; for the buckets of a whole batch it takes
//     reads (FetchAhead), since prefetches are dropped.
//
// Threads: none of its own; the queue's send lock guards it. Time: uptime in nanoseconds, which is
// passed in and never goes back.
#ifndef BANYAN_LIB_QUEUE_DEDUP_WINDOW_H_
#define BANYAN_LIB_QUEUE_DEDUP_WINDOW_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "banyan/id.h"
#include "base/sip_hash.h"

namespace banyan::inline v0_1::internal {

// A digest that stands for a deduplication id within its scope. Only digests are kept and compared,
// so two ids with one digest would lose a message. SipHash is a pseudorandom function: to who does
// not know the queue's secret, whatever ids he chooses, digests are random numbers. Then a new id
// meets an equal digest among a million live ones with probability 2^-108, and a pair of equal ones
// exists with 2^-89; at the bound of a hundred million, 2^-101 and 2^-76.
struct DedupKey {
  uint64_t hi = 0;
  uint64_t lo = 0;

  friend bool operator==(const DedupKey&, const DedupKey&) = default;
};

// `scope_group` is the message group for DeduplicationScope::kMessageGroup, else empty. `secret` is
// the queue's own, drawn once.
//
// Decision  SipHash-2-4-128. For an id of 36 bytes, measured: 24 ns; two differently keyed
//           SecretHash() (lib/pattern) 7, without the argument above; SHA-256 87, on a processor
//           that has instructions for it.
DedupKey MakeDedupKey(std::string_view scope_group, std::string_view deduplication_id,
                      const SipKey& secret);

// Named for its queue: storage has a DedupWindow, an interface for windows that may be durable.
class FifoDedupWindow {
 public:
  static constexpr int64_t kFiveMinutesNs = int64_t{5} * 60 * 1'000'000'000;
  static constexpr size_t kRecordsMax = 100'000'000;

  // What the first send was answered with.
  struct Original {
    Id message_id;
    uint64_t sequence_number = 0;

    friend bool operator==(const Original&, const Original&) = default;
  };

  explicit FifoDedupWindow(int64_t window_ns = kFiveMinutesNs, size_t records_max = kRecordsMax);
  FifoDedupWindow(FifoDedupWindow&&) noexcept;
  FifoDedupWindow& operator=(FifoDedupWindow&&) noexcept;
  ~FifoDedupWindow();

  // The original accepted under `key` less than the window ago, or null. Valid until the next call
  // that is not const. Also forgets up to two records that are over.
  const Original* Find(const DedupKey& key, int64_t now_ns);

  // Looks at what Find() of this key will look at first, and waits for nothing: before the first of
  // several, so that they wait for memory together.
  void FetchAhead(const DedupKey& key) const;

  // True: a new key cannot be inserted now. Ask after Find(), which makes room if there is any.
  bool full() const { return size() >= records_max_; }

  // `key` is not live, Find() said so; and it is not full().
  void Insert(const DedupKey& key, const Original& original, int64_t now_ns);

  // Forgets up to `records_max` records that are over, and gives back what they took; answers how
  // many. For Trim: piece by piece, so that the lock need not be held for all.
  size_t Forget(int64_t now_ns, size_t records_max);

  // Forgets all that is over: takes time in proportion.
  void Trim(int64_t now_ns);

  // Everything is new again (PurgeQueue). Takes time in proportion; who holds a lock rather moves
  // the window out of it, which takes none: the moved-from window is empty and as good as new.
  void Clear();

  // Records held, some of which may be over.
  size_t size() const;
  // Memory held, without the allocator's own share of it.
  size_t bytes() const;

  // Blocks, entries and records that were looked at or moved so far. A test bounds it per call.
  uint64_t steps() const;
  // Aborts unless W2 to W6 hold. For tests; looks at everything.
  void CheckInvariants() const;

 private:
  class Table;

  int64_t window_ns_;
  size_t records_max_;
  std::unique_ptr<Table> table_;  // W5
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_DEDUP_WINDOW_H_
