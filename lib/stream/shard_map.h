// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/shard_map.h -- floor 3, the stream room: hash keys, and equal ranges of them.
//
//   0 ........ width - 1 | width ...... | 2 * width ........ 2^128 - 1
//        shard 0              shard 1          shard 2 (and the remainder)
//
// The hash of a partition key is the MD5 of its bytes, read as an unsigned 128-bit number, most
// significant byte first. Every hash belongs to exactly one range.
#ifndef BANYAN_LIB_STREAM_SHARD_MAP_H_
#define BANYAN_LIB_STREAM_SHARD_MAP_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"

namespace banyan::inline v0_1::internal {

absl::uint128 HashKey(std::string_view partition_key);

// "0" to "340282366920938463463374607431768211455", without leading zeros; else nothing.
std::optional<absl::uint128> ParseHashKey(std::string_view decimal);
std::string HashKeyText(absl::uint128 key);

// Both bounds belong to it.
struct HashRange {
  absl::uint128 start = 0;
  absl::uint128 end = absl::Uint128Max();

  bool Contains(absl::uint128 key) const { return start <= key && key <= end; }
  absl::uint128 Middle() const { return start + (end - start) / 2; }
  friend bool operator==(const HashRange&, const HashRange&) = default;
};

// Equal ranges: those of a stream that was just made.
class ShardMap {
 public:
  // `shards` equal ranges, at least 1; the last takes what the division leaves.
  explicit ShardMap(int64_t shards);

  size_t Find(absl::uint128 key) const;

  size_t size() const { return starts_.size(); }
  absl::uint128 start(size_t shard) const { return starts_[shard]; }
  absl::uint128 end(size_t shard) const;  // inclusive
  HashRange range(size_t shard) const { return {start(shard), end(shard)}; }

 private:
  std::vector<absl::uint128> starts_;  // ascending; the first is 0
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_SHARD_MAP_H_
