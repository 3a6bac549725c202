// SPDX-License-Identifier: Apache-2.0
#include "stream/placement.h"

#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/md5_short.h"

namespace banyan::inline v0_1::internal {
namespace {

uint64_t BigEndian8(const uint8_t* bytes) {
  uint64_t word = 0;
  for (int i = 0; i < 8; ++i) word = word << 8 | bytes[i];
  return word;
}

absl::uint128 AsNumber(const Md5Digest& digest) {
  return absl::MakeUint128(BigEndian8(digest.data()), BigEndian8(digest.data() + 8));
}

Md5Digest DigestOf(std::string_view key) {
  return key.size() <= kMd5ShortMax ? Md5Short(key) : Md5(key);
}

uint64_t Load8(const char* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, 8);
  return word;
}

uint32_t Load4(const char* bytes) {
  uint32_t word;
  std::memcpy(&word, bytes, 4);
  return word;
}

// Up to 8 bytes as one word; with its size it is the text, and no other.
uint64_t LoadUpTo8(std::string_view text) {
  if (text.size() == 8) return Load8(text.data());
  // The first four and the last four, which may overlap.
  if (text.size() >= 4) {
    return uint64_t{Load4(text.data())} << 32 | Load4(text.data() + text.size() - 4);
  }
  uint64_t word = 0;
  for (const char c : text) word = word << 8 | static_cast<unsigned char>(c);
  return word;
}

// Two texts of one size. By words that may overlap in the end: without a call, as a comparison of
// any size would be.
bool SameBytes(const char* a, const char* b, size_t size) {
  if (size < 8) return LoadUpTo8({a, size}) == LoadUpTo8({b, size});
  for (size_t i = 0; i + 8 < size; i += 8) {
    if (Load8(a + i) != Load8(b + i)) return false;
  }
  return Load8(a + size - 8) == Load8(b + size - 8);
}

// On the path of every Put, so without a guard: constinit, and nothing to destroy.
constinit thread_local PlacementCache this_threads_cache;

}  // namespace

// Every byte counts, as keys may differ anywhere. How well it scatters only decides how many keys
// share a set, and nothing depends on two sums being different.
uint64_t PlacementCache::SumOf(std::string_view key) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15u;
  uint64_t sum = key.size();
  if (key.size() <= 8) {
    sum = std::rotl(sum, 29) ^ LoadUpTo8(key);
  } else {
    for (size_t i = 0; i + 8 < key.size(); i += 8) sum = std::rotl(sum, 29) ^ Load8(&key[i]);
    sum = std::rotl(sum, 29) ^ Load8(&key[key.size() - 8]);
  }
  sum = (sum ^ sum >> 32) * kOdd;
  return sum ^ sum >> 32;
}

bool PlacementCache::Place::Has(std::string_view wanted, uint64_t wanted_sum) const {
  return sum == wanted_sum && key_bytes == wanted.size() &&
         SameBytes(key, wanted.data(), wanted.size());
}

bool PlacementCache::Holds(std::string_view key) const {
  if (!IsCacheable(key)) return false;
  const uint64_t sum = SumOf(key);
  const Set& set = sets_[sum % kSets];
  return set.hot.Has(key, sum) || set.recent.Has(key, sum);
}

absl::uint128 PlacementCache::Hash(std::string_view key) {
  if (!IsCacheable(key)) return AsNumber(DigestOf(key));
  const uint64_t sum = SumOf(key);
  Set& set = sets_[sum % kSets];
  if (set.hot.Has(key, sum)) return absl::MakeUint128(set.hot.hash_high, set.hot.hash_low);
  if (set.recent.Has(key, sum)) {
    std::swap(set.hot, set.recent);
    return absl::MakeUint128(set.hot.hash_high, set.hot.hash_low);
  }
  const absl::uint128 hash = AsNumber(Md5Short(key));
  set.recent.sum = sum;
  set.recent.hash_high = absl::Uint128High64(hash);
  set.recent.hash_low = absl::Uint128Low64(hash);
  std::memcpy(set.recent.key, key.data(), key.size());
  set.recent.key_bytes = static_cast<uint8_t>(key.size());
  return hash;
}

absl::uint128 HashKeyCached(std::string_view partition_key) {
  return this_threads_cache.Hash(partition_key);
}

void HashKeys(absl::Span<const std::string_view> keys, absl::Span<absl::uint128> hashes) {
  BANYAN_CHECK(keys.size() == hashes.size(), "there is a place for each hash");
  std::array<std::string_view, kMd5Lanes> texts;
  std::array<size_t, kMd5Lanes> places;
  std::array<Md5Digest, kMd5Lanes> digests;
  size_t gathered = 0;
  const auto digest_gathered = [&] {
    Md5ShortLanes({texts.data(), gathered}, digests.data());
    for (size_t lane = 0; lane < gathered; ++lane) hashes[places[lane]] = AsNumber(digests[lane]);
  };
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i].size() > kMd5ShortMax) {
      hashes[i] = AsNumber(Md5(keys[i]));
      continue;
    }
    texts[gathered] = keys[i];
    places[gathered] = i;
    if (++gathered < kMd5Lanes) continue;
    digest_gathered();
    gathered = 0;
  }
  // All lanes take as long as three texts one after the other.
  if (gathered > 3) {
    digest_gathered();
  } else {
    for (size_t lane = 0; lane < gathered; ++lane) {
      hashes[places[lane]] = AsNumber(Md5Short(texts[lane]));
    }
  }
}

}  // namespace banyan::inline v0_1::internal
