// SPDX-License-Identifier: Apache-2.0
#include "stream/routing.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <random>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1::internal {
namespace {

constexpr size_t kRowsMax = 70;

// Rows that say whose they are: row r of the version v leads to token v * kRowsMax + r. The table
// only hands the addresses on.
class Tokens {
 public:
  explicit Tokens(size_t versions) : tokens_(versions * kRowsMax) {}
  Shard* At(size_t version, size_t row) {
    return reinterpret_cast<Shard*>(&tokens_[version * kRowsMax + row]);
  }
  size_t IndexOf(const Shard* shard) const {
    return static_cast<size_t>(reinterpret_cast<const char*>(shard) - tokens_.data());
  }

 private:
  std::vector<char> tokens_;
};

std::vector<Route> RandomRoutes(std::mt19937_64& random, Tokens& tokens, size_t version) {
  std::vector<absl::uint128> starts(1 + random() % (kRowsMax - 1));
  for (absl::uint128& start : starts) start = absl::MakeUint128(random() % 4, random() % 64);
  starts.push_back(0);
  std::sort(starts.begin(), starts.end());
  starts.erase(std::unique(starts.begin(), starts.end()), starts.end());
  std::vector<Route> routes;
  for (size_t row = 0; row < starts.size() && row < kRowsMax; ++row) {
    routes.push_back({starts[row], tokens.At(version, row)});
  }
  return routes;
}

size_t NaiveRow(const std::vector<Route>& routes, absl::uint128 key) {
  size_t row = 0;
  for (size_t i = 0; i < routes.size(); ++i) {
    if (routes[i].start <= key) row = i;
  }
  return row;
}

absl::uint128 RandomKey(std::mt19937_64& random) {
  return absl::MakeUint128(random() % 5, random() % 66);
}

TEST(RoutingTableTest, FindsTheLastRowThatBeginsAtOrBeforeTheKey) {
  const uint64_t seed = std::mt19937_64::default_seed + 1;
  SCOPED_TRACE(::testing::Message() << "seed " << seed);
  std::mt19937_64 random(seed);
  constexpr size_t kVersions = 200;
  Tokens tokens(kVersions);
  RoutingTable table;
  for (size_t version = 0; version < kVersions; ++version) {
    const std::vector<Route> routes = RandomRoutes(random, tokens, version);
    table.Set(routes);
    for (int i = 0; i < 300; ++i) {
      const absl::uint128 key = RandomKey(random);
      ASSERT_EQ(tokens.IndexOf(table.Find(key)), version * kRowsMax + NaiveRow(routes, key));
    }
    for (const Route& route : routes) ASSERT_EQ(table.Find(route.start), route.shard);
  }
}

TEST(RoutingTableTest, TheLastKeyThereIsBelongsToTheLastRow) {
  Tokens tokens(1);
  RoutingTable table;
  table.Set(std::vector<Route>{{0, tokens.At(0, 0)}, {absl::Uint128Max(), tokens.At(0, 1)}});
  EXPECT_EQ(table.Find(absl::Uint128Max()), tokens.At(0, 1));
  EXPECT_EQ(table.Find(absl::Uint128Max() - 1), tokens.At(0, 0));
}

// While tables are set one after the other, each lookup answers from one that was valid between its
// beginning and its end.
TEST(RoutingTableTest, ALookupBesideChangesAnswersFromOneTable) {
#ifdef BANYAN_SANITIZER
  constexpr size_t kVersions = 3'000;
#else
  constexpr size_t kVersions = 30'000;
#endif
  std::mt19937_64 random(7);
  Tokens tokens(kVersions);
  std::vector<std::vector<Route>> all;
  all.reserve(kVersions);
  for (size_t version = 0; version < kVersions; ++version) {
    all.push_back(RandomRoutes(random, tokens, version));
  }
  RoutingTable table;
  table.Set(all[0]);
  // `set` is at least, and `begun` at most, one away from the version that is valid.
  std::atomic<size_t> begun{0};
  std::atomic<size_t> set{0};
  std::atomic<int> wrong{0};
  std::atomic<int> lookups{0};
  std::vector<std::thread> readers;
  for (uint64_t reader = 0; reader < 3; ++reader) {
    readers.emplace_back([&, reader] {
      std::mt19937_64 keys(reader);
      while (set.load(std::memory_order_acquire) + 1 < kVersions) {
        const absl::uint128 key = RandomKey(keys);
        const size_t earliest = set.load(std::memory_order_acquire);
        const size_t token = tokens.IndexOf(table.Find(key));
        const size_t latest = begun.load(std::memory_order_acquire);
        const size_t version = token / kRowsMax;
        const bool good = version >= earliest && version <= latest &&
                          NaiveRow(all[version], key) == token % kRowsMax;
        if (!good) wrong.fetch_add(1, std::memory_order_relaxed);
        lookups.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (size_t version = 1; version < kVersions; ++version) {
    begun.store(version, std::memory_order_release);
    table.Set(all[version]);
    set.store(version, std::memory_order_release);
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong.load(), 0) << "of " << lookups.load() << " lookups";
}

}  // namespace
}  // namespace banyan::inline v0_1::internal
