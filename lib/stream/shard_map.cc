// SPDX-License-Identifier: Apache-2.0
#include "stream/shard_map.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"

namespace banyan::inline v0_1::internal {

absl::uint128 HashKey(std::string_view partition_key) {
  absl::uint128 key = 0;
  for (const uint8_t byte : Md5(partition_key)) key = (key << 8) | byte;
  return key;
}

std::optional<absl::uint128> ParseHashKey(std::string_view decimal) {
  if (decimal.empty() || (decimal.size() > 1 && decimal[0] == '0')) return std::nullopt;
  const absl::uint128 max = absl::Uint128Max();
  absl::uint128 key = 0;
  for (const char c : decimal) {
    if (c < '0' || c > '9') return std::nullopt;
    const absl::uint128 digit = static_cast<unsigned>(c - '0');
    if (key > (max - digit) / 10) return std::nullopt;
    key = key * 10 + digit;
  }
  return key;
}

std::string HashKeyText(absl::uint128 key) {
  std::string reversed;
  do {
    reversed.push_back(static_cast<char>('0' + static_cast<int>(absl::Uint128Low64(key % 10))));
    key /= 10;
  } while (key != 0);
  return {reversed.rbegin(), reversed.rend()};
}

ShardMap::ShardMap(int64_t shards) {
  BANYAN_CHECK(shards >= 1, "a stream has a shard");
  // floor(2^128 / shards), in 128 bits: 2^128 itself is one too large for them. For one shard it
  // wraps to 0, which is harmless: there is no second range to begin.
  const absl::uint128 n = static_cast<uint64_t>(shards);
  absl::uint128 width = absl::Uint128Max() / n;
  if (absl::Uint128Max() % n == n - 1) ++width;
  starts_.reserve(static_cast<size_t>(shards));
  for (int64_t i = 0; i < shards; ++i) starts_.push_back(width * static_cast<uint64_t>(i));
}

size_t ShardMap::Find(absl::uint128 key) const {
  const auto after = std::upper_bound(starts_.begin(), starts_.end(), key);
  return static_cast<size_t>(after - starts_.begin()) - 1;
}

absl::uint128 ShardMap::end(size_t shard) const {
  return shard + 1 == starts_.size() ? absl::Uint128Max() : starts_[shard + 1] - 1;
}

}  // namespace banyan::inline v0_1::internal
