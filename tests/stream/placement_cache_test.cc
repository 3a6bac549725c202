// SPDX-License-Identifier: Apache-2.0
//
// The fast ways to a key's hash give what the plain one gives: HashKey(), over libcrypto.
#include <array>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "gtest/gtest.h"
#include "stream/placement.h"
#include "stream/shard_map.h"

namespace banyan::testing {
namespace {

using internal::HashKey;
using internal::HashKeyCached;
using internal::HashKeys;
using internal::PlacementCache;

// Many of few, so that keys come back; sizes around every border: words, the slot, MD5's block.
std::string RandomKey(std::mt19937_64& random) {
  static constexpr std::array<size_t, 21> kSizes = {0,  1,  3,  4,  7,  8,  9,  15, 16, 17, 23,
                                                    24, 38, 39, 40, 47, 48, 55, 56, 64, 300};
  std::string key(kSizes[random() % kSizes.size()], '0');
  if (!key.empty()) key[random() % key.size()] = static_cast<char>('0' + random() % 4);
  return key;
}

TEST(HashKeysTest, AgreesWithHashKeyForEveryNumberOfKeys) {
  constexpr uint64_t kSeed = 64;
  const SeedReporter seed(kSeed);
  std::mt19937_64 random(kSeed);
  for (size_t count = 0; count <= 70; ++count) {
    for (int round = 0; round < 20; ++round) {
      std::vector<std::string> keys(count);
      for (std::string& key : keys) key = RandomKey(random);
      const std::vector<std::string_view> views(keys.begin(), keys.end());
      std::vector<absl::uint128> hashes(count);
      HashKeys(views, absl::MakeSpan(hashes));
      for (size_t i = 0; i < count; ++i) {
        ASSERT_EQ(hashes[i], HashKey(keys[i])) << i << " of " << count << ": " << keys[i];
      }
    }
  }
}

TEST(HashKeysDeathTest, AsManyHashesAsKeys) {
  const std::array<std::string_view, 2> keys = {"a", "b"};
  std::array<absl::uint128, 1> hashes;
  EXPECT_DEATH(HashKeys(keys, absl::MakeSpan(hashes)), "a place for each hash");
}

TEST(PlacementCacheTest, GivesTheSameHashEachTime) {
  const auto cache = std::make_unique<PlacementCache>();
  for (const char* key : {"session-17", "a", "", "\xD0\xBA\xD0\xBB\xD1\x8E\xD1\x87"}) {
    for (int i = 0; i < 3; ++i) EXPECT_EQ(cache->Hash(key), HashKey(key)) << key;
  }
}

TEST(PlacementCacheTest, HoldsWhatFitsAPlace) {
  const auto cache = std::make_unique<PlacementCache>();
  for (size_t size = 0; size <= 300; ++size) {
    const std::string key(size, 'k');
    EXPECT_FALSE(cache->Holds(key));
    EXPECT_EQ(cache->Hash(key), HashKey(key)) << size;
    EXPECT_EQ(cache->Holds(key), size >= 1 && size <= PlacementCache::kKeyBytesMax) << size;
  }
}

// An empty key is not in an empty place: that has no bytes either.
TEST(PlacementCacheTest, AnEmptyCacheHoldsNothing) {
  const auto cache = std::make_unique<PlacementCache>();
  EXPECT_FALSE(cache->Holds(""));
  EXPECT_FALSE(cache->Holds(std::string(1, '\0')));
  EXPECT_EQ(cache->Hash(""), HashKey(""));
  EXPECT_EQ(cache->Hash(std::string(1, '\0')), HashKey(std::string(1, '\0')));
}

// Keys that differ in one byte, wherever it is, or only in their size.
TEST(PlacementCacheTest, TellsNearKeysApart) {
  const auto cache = std::make_unique<PlacementCache>();
  for (size_t size = 1; size <= PlacementCache::kKeyBytesMax; ++size) {
    const std::string zeros(size, '\0');
    for (size_t i = 0; i < size; ++i) {
      std::string key = zeros;
      key[i] = 'x';
      ASSERT_EQ(cache->Hash(zeros), HashKey(zeros)) << size;
      ASSERT_EQ(cache->Hash(key), HashKey(key)) << size << ", " << i;
    }
  }
}

constexpr size_t kPlaces = 2 * PlacementCache::kSets;

// Far more keys than places: they push each other out, and no answer is another key's.
TEST(PlacementCacheTest, AnswersRightWhenKeysPushEachOtherOut) {
  const auto cache = std::make_unique<PlacementCache>();
  for (int round = 0; round < 3; ++round) {
    for (size_t i = 0; i < 10 * kPlaces; ++i) {
      const std::string key = "key-" + std::to_string(i);
      for (size_t again = 0; again < 1 + i % 3; ++again) {
        ASSERT_EQ(cache->Hash(key), HashKey(key));
        ASSERT_TRUE(cache->Holds(key));
      }
    }
    size_t held = 0;
    for (size_t i = 0; i < 10 * kPlaces; ++i) {
      held += cache->Holds("key-" + std::to_string(i)) ? 1 : 0;
    }
    EXPECT_LE(held, kPlaces);
    EXPECT_GE(held, kPlaces * 3 / 4) << "keys with a counter reach few of the sets";
  }
}

// I3
TEST(PlacementCacheTest, KeysThatComeOncePushOutNoneThatCameBack) {
  const auto cache = std::make_unique<PlacementCache>();
  for (int i = 0; i < 2; ++i) cache->Hash("hot");
  for (size_t i = 0; i < 100 * kPlaces; ++i) cache->Hash("once-" + std::to_string(i));
  EXPECT_TRUE(cache->Holds("hot"));
  EXPECT_EQ(cache->Hash("hot"), HashKey("hot"));
}

// Names as people give them spread, too, wherever they differ.
TEST(PlacementCacheTest, ScattersKeysThatDifferInTheMiddle) {
  const auto cache = std::make_unique<PlacementCache>();
  constexpr size_t kKeys = kPlaces / 4;
  std::vector<std::string> keys;
  for (size_t i = 0; i < kKeys; ++i) {
    keys.push_back("tenant-" + std::to_string(1'000 + i) + "-session-clicks");
  }
  for (const std::string& key : keys) cache->Hash(key);
  size_t held = 0;
  for (const std::string& key : keys) held += cache->Holds(key) ? 1 : 0;
  // Thrown at random, about 31 of 32 would stay.
  EXPECT_GE(held, kKeys * 3 / 4);
}

TEST(HashKeyCachedTest, AgreesWithHashKeyInEveryThread) {
  constexpr uint64_t kSeed = 47;
  const SeedReporter seed(kSeed);
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      std::mt19937_64 random(kSeed + t);
      for (int i = 0; i < 25'000; ++i) {
        const std::string key = RandomKey(random);
        ASSERT_EQ(HashKeyCached(key), HashKey(key)) << key;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace banyan::testing
