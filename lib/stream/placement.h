// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/placement.h -- floor 3, the stream room: the hash of a partition key, fast.
//
// What HashKey() of shard_map.h says it is, for the two places where every nanosecond counts: a
// Put whose key was seen a moment ago, and the many keys of a PutRecords.
//
//   key --set--> | hot: key, hash | recent: key, hash |
//                | ...            | ...               |
//
//   in neither place: MD5, and it is the recent one    in the recent place: they change places
//
// I1  A place in use holds a key of 1 to kKeyBytesMax bytes, and that key's hash.
// I2  A hash is only given for a key that equals the one kept, byte by byte: the sum of its bytes
//     says where to look, and spares most comparisons, nothing more.
// I3  A key that comes once pushes out none that came back: it only takes a recent place.
//
// Two places a set and not one: one would be simpler, but among 32 hot keys about 7 would share a
// place with another, and each of their records would cost an MD5; and hot keys would not outlive
// the many that come once between them.
//
// Threads  One cache per thread, so that there is nothing to wait for: HashKeyCached() may be
//          called from any. Nothing but time tells whether a key was in it, and a key's hash never
//          changes, so neither forks nor the end of a stream matter to it.
#ifndef BANYAN_LIB_STREAM_PLACEMENT_H_
#define BANYAN_LIB_STREAM_PLACEMENT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/numeric/int128.h"
#include "absl/types/span.h"

namespace banyan::inline v0_1::internal {

// HashKey(key), out of this thread's cache if it is there.
absl::uint128 HashKeyCached(std::string_view partition_key);

// HashKey() of each key, many at a time. `hashes` has the size of `keys`.
void HashKeys(absl::Span<const std::string_view> keys, absl::Span<absl::uint128> hashes);

class PlacementCache {
 public:
  // With the rest it makes a cache line. UUIDs have 36 bytes.
  static constexpr size_t kKeyBytesMax = 39;

  // 8 KiB in all: a quarter of what a core usually has nearest.
  static constexpr size_t kSets = 64;

  // HashKey(key); keeps it if the key has 1 to kKeyBytesMax bytes.
  absl::uint128 Hash(std::string_view key);

  // Whether Hash() would find it.
  bool Holds(std::string_view key) const;

 private:
  struct alignas(64) Place {
    bool Has(std::string_view wanted, uint64_t wanted_sum) const;

    uint64_t sum;
    uint64_t hash_high;
    uint64_t hash_low;
    char key[kKeyBytesMax];
    uint8_t key_bytes;  // 0: not in use
  };
  static_assert(sizeof(Place) == 64);

  struct Set {
    Place hot, recent;
  };

  static uint64_t SumOf(std::string_view key);
  static bool IsCacheable(std::string_view key) { return key.size() - 1 < kKeyBytesMax; }

  Set sets_[kSets] = {};
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_PLACEMENT_H_
