// SPDX-License-Identifier: Apache-2.0
#include "pattern/range_tree.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "gtest/gtest.h"
#include "pattern_testing.h"
#include "poisoning_retirer.h"

namespace banyan::internal {
namespace {

using Pin = PoisoningRetirer::TestEpochs::Pin;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// A pointer to nothing that stands for a number.
void* What(uintptr_t number) { return reinterpret_cast<void*>(number); }

class RangeTreeTest : public ::testing::Test {
 protected:
  ~RangeTreeTest() override { tree_.CheckInvariants(); }

  // The numbers of the ranges that hold x, in order.
  std::vector<uintptr_t> At(double x) const {
    std::vector<uintptr_t> found;
    tree_.ForEach(x, [&](void* what) { found.push_back(reinterpret_cast<uintptr_t>(what)); });
    std::sort(found.begin(), found.end());
    return found;
  }
  using Found = std::vector<uintptr_t>;

  PoisoningRetirer retirer_;
  RangeTree tree_{retirer_};
};

TEST_F(RangeTreeTest, AnEmptyTreeHoldsNothing) {
  EXPECT_EQ(At(0), Found{});
  EXPECT_FALSE(tree_.Remove(0, 1, What(1)));
  EXPECT_EQ(tree_.bytes(), 0u);
}

TEST_F(RangeTreeTest, BothBoundsBelongToARange) {
  EXPECT_TRUE(tree_.Insert(1, 2, What(1)));
  EXPECT_TRUE(tree_.Insert(2, 2, What(2)));
  EXPECT_EQ(At(std::nextafter(1, 0)), Found{});
  EXPECT_EQ(At(1), Found{1});
  EXPECT_EQ(At(2), (Found{1, 2}));
  EXPECT_EQ(At(std::nextafter(2, 3)), Found{});
}

TEST_F(RangeTreeTest, BoundsMayBeInfinite) {
  tree_.Insert(-kInfinity, 0, What(1));
  tree_.Insert(0, kInfinity, What(2));
  tree_.Insert(-kInfinity, kInfinity, What(3));
  tree_.Insert(kInfinity, kInfinity, What(4));
  EXPECT_EQ(At(-1e300), (Found{1, 3}));
  EXPECT_EQ(At(0), (Found{1, 2, 3}));
  EXPECT_EQ(At(-0.0), (Found{1, 2, 3}));
  EXPECT_EQ(At(1e300), (Found{2, 3}));
  EXPECT_EQ(At(kInfinity), (Found{2, 3, 4}));
  EXPECT_EQ(At(-kInfinity), (Found{1, 3}));
}

TEST_F(RangeTreeTest, WhatIsNotANumberIsInNoRange) {
  for (uintptr_t i = 1; i <= 100; ++i) tree_.Insert(-kInfinity, kInfinity, What(i));
  EXPECT_EQ(At(std::numeric_limits<double>::quiet_NaN()), Found{});
}

TEST_F(RangeTreeTest, TheSameRangeForTheSameIsThereOnce) {
  EXPECT_TRUE(tree_.Insert(1, 2, What(1)));
  EXPECT_FALSE(tree_.Insert(1, 2, What(1)));
  EXPECT_EQ(At(1), Found{1});
  EXPECT_TRUE(tree_.Remove(1, 2, What(1)));
  EXPECT_FALSE(tree_.Remove(1, 2, What(1)));
  EXPECT_EQ(tree_.bytes(), 0u);
}

TEST_F(RangeTreeTest, RemovesOnlyTheVeryRange) {
  tree_.Insert(1, 2, What(1));
  EXPECT_FALSE(tree_.Remove(1, 2, What(2)));
  EXPECT_FALSE(tree_.Remove(1, 3, What(1)));
  EXPECT_FALSE(tree_.Remove(0, 2, What(1)));
  EXPECT_EQ(At(1), Found{1});
}

using RangeTreeDeathTest = RangeTreeTest;

TEST_F(RangeTreeDeathTest, ARangeThatEndsBeforeItBeginsAborts) {
  EXPECT_DEATH(tree_.Insert(2, 1, What(1)), "begins before it ends");
  EXPECT_DEATH(tree_.Insert(std::numeric_limits<double>::quiet_NaN(), 1, What(1)),
               "both are numbers");
}

// 100,000 of the same bounds: in and out in time that has nothing to do with how many there are.
TEST_F(RangeTreeTest, ManyEqualRangesComeAndGo) {
#ifdef BANYAN_SANITIZER
  constexpr uintptr_t kMany = 5'000;
#else
  constexpr uintptr_t kMany = 100'000;
#endif
  for (uintptr_t i = 1; i <= kMany; ++i) {
    tree_.Insert(1, 2, What(i));
    retirer_.Collect();
  }
  EXPECT_EQ(At(1.5).size(), kMany);
  EXPECT_EQ(At(3), Found{});
  EXPECT_LE(tree_.bytes(), kMany * 30);
  tree_.CheckInvariants();
  for (uintptr_t i = kMany; i > 0; --i) {
    ASSERT_TRUE(tree_.Remove(1, 2, What(i)));
    retirer_.Collect();
  }
  EXPECT_EQ(tree_.bytes(), 0u);
  EXPECT_EQ(retirer_.retired_bytes(), 0u);
}

TEST_F(RangeTreeTest, ReplacedNodesWaitForTheirReaders) {
  {
    const Pin pin(retirer_.epochs());
    for (uintptr_t i = 1; i <= 100; ++i) tree_.Insert(1, 2, What(i));
    for (uintptr_t i = 1; i <= 100; ++i) tree_.Remove(1, 2, What(i));
    retirer_.Collect();
    EXPECT_EQ(tree_.bytes(), 0u);
    EXPECT_GT(retirer_.retired_bytes(), 0u);
  }
  retirer_.Collect();
  EXPECT_EQ(retirer_.retired_bytes(), 0u);
}

// Against a set that is looked through from end to end. The bounds are few, so that many are equal,
// touch and nest.
TEST_F(RangeTreeTest, AgreesWithASet) {
  std::mt19937_64 random = SeededRandom();
#ifdef BANYAN_SANITIZER
  constexpr int kSteps = 4'000;
#else
  constexpr int kSteps = 20'000;
#endif
  using Entry = std::tuple<double, double, uintptr_t>;
  for (const int bounds : {2, 20, 100'000}) {
    std::set<Entry> twin;
    std::vector<Entry> all;
    const auto bound = [&] {
      const int drawn = std::uniform_int_distribution<int>(-1, bounds)(random);
      return drawn == -1 ? -kInfinity : drawn == bounds ? kInfinity : drawn / 4.0;
    };
    for (int step = 0; step < kSteps; ++step) {
      const bool growing = step / (kSteps / 4) % 2 == 0;
      if (all.empty() || random() % 10 < (growing ? 7u : 2u)) {
        const double a = bound(), b = bound();
        const Entry entry{std::min(a, b), std::max(a, b), 1 + random() % 500};
        const auto [low, high, what] = entry;
        const bool is_new = twin.insert(entry).second;
        ASSERT_EQ(tree_.Insert(low, high, What(what)), is_new);
        if (is_new) all.push_back(entry);
      } else {
        std::swap(all[random() % all.size()], all.back());
        const auto [low, high, what] = all.back();
        ASSERT_TRUE(tree_.Remove(low, high, What(what)));
        ASSERT_FALSE(tree_.Remove(low, high, What(what)));
        twin.erase(all.back());
        all.pop_back();
      }
      retirer_.Collect();
      if (step % 100 != 0) continue;
      tree_.CheckInvariants();
      const double x = bound() + (random() % 4 == 0 ? 0.1 : 0);
      Found expected;
      for (const auto& [low, high, what] : twin) {
        if (low <= x && x <= high) expected.push_back(what);
      }
      std::sort(expected.begin(), expected.end());
      ASSERT_EQ(At(x), expected) << x;

      std::vector<double> several = {x};
      while (random() % 4 != 0) several.push_back(bound());
      std::sort(several.begin(), several.end());
      Found found_by_any;
      tree_.ForEachOfAny(
          several, [&](void* what) { found_by_any.push_back(reinterpret_cast<uintptr_t>(what)); });
      std::sort(found_by_any.begin(), found_by_any.end());
      expected.clear();
      for (const auto& [low, high, what] : twin) {
        const auto holds = [low = low, high = high](double y) { return low <= y && y <= high; };
        if (std::any_of(several.begin(), several.end(), holds)) expected.push_back(what);
      }
      std::sort(expected.begin(), expected.end());
      ASSERT_EQ(found_by_any, expected);
    }
    for (const auto& [low, high, what] : twin) ASSERT_TRUE(tree_.Remove(low, high, What(what)));
    ASSERT_EQ(tree_.bytes(), 0u);
  }
}

// Readers beside a writer: none meets destroyed nodes, and each sees the tree of one moment. The
// writer keeps moving marks from one range to another that overlaps it, and inserts before it
// removes. So at every moment each mark is seen where the ranges overlap, one of them perhaps
// twice, and none twice elsewhere.
TEST(RangeTreeStress, ReadersSeeTheTreeOfOneMomentAndNothingDestroyed) {
#ifdef BANYAN_SANITIZER
  constexpr int kMoves = 3'000;
#else
  constexpr int kMoves = 50'000;
#endif
  constexpr uintptr_t kMarks = 300;
  struct Mark {
    uint64_t state = 0x600d600d600d600d;
  };
  PoisoningRetirer retirer;
  RangeTree tree(retirer);
  std::vector<Mark> marks(kMarks);
  std::vector<bool> moved(kMarks);
  for (Mark& mark : marks) tree.Insert(0, 10, &mark);
  std::atomic<bool> done = false;
  std::atomic<int64_t> looks = 0, strangers = 0, absent = 0, too_many = 0;

  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&, i] {
      const double x = i == 0 ? 2 : 7;  // 0..10 and 5..15 overlap at 7
      while (!done) {
        std::vector<int> seen(kMarks);
        {
          const Pin pin(retirer.epochs());
          tree.ForEach(x, [&](void* what) {
            const auto offset = static_cast<size_t>(static_cast<Mark*>(what) - marks.data());
            if (offset >= kMarks || marks[offset].state != Mark().state) {
              ++strangers;
            } else {
              ++seen[offset];
            }
          });
        }
        int twice = 0;
        for (const int times : seen) {
          if (times == 0 && i != 0) ++absent;
          if (times == 2) ++twice;
          if (times > 2 || (times == 2 && i == 0)) ++too_many;
        }
        if (twice > 1) ++too_many;  // one mark moves at a time
        ++looks;
      }
    });
  }

  std::mt19937_64 random(17);
  // At least so many moves, and until the readers have had their turn.
  for (int i = 0; i < kMoves || looks < 100; ++i) {
    const size_t chosen = random() % kMarks;
    const double from = moved[chosen] ? 5 : 0, to = moved[chosen] ? 0 : 5;
    EXPECT_TRUE(tree.Insert(to, to + 10, &marks[chosen]));
    EXPECT_TRUE(tree.Remove(from, from + 10, &marks[chosen]));
    moved[chosen] = !moved[chosen];
    retirer.Collect();
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(strangers, 0);
  EXPECT_EQ(absent, 0);
  EXPECT_EQ(too_many, 0);
  tree.CheckInvariants();
}

}  // namespace
}  // namespace banyan::internal
