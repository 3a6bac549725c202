// SPDX-License-Identifier: Apache-2.0
#include "base/handoff.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "gtest/gtest.h"

// The race inside Boost that lib/base/handoff.h explains. Races on what is handed over have no
// frame of Boost's in them and are still reported. By file: inlined frames lose their namespace.
extern "C" const char* __tsan_default_suppressions() { return "race:boost/lockfree/"; }

namespace banyan::internal {
namespace {

struct Item {
  Item(int producer_in, int number_in, std::atomic<int>& alive_in)
      : producer(producer_in), number(number_in), alive(alive_in) {
    ++alive;
  }
  ~Item() { --alive; }

  const int producer;
  const int number;
  std::atomic<int>& alive;
};

class HandoffTest : public ::testing::Test {
 protected:
  std::unique_ptr<Item> New(int number) { return std::make_unique<Item>(0, number, alive_); }

  std::atomic<int> alive_ = 0;
};

TEST_F(HandoffTest, IsFirstInFirstOut) {
  Handoff<Item> handoff(3);
  EXPECT_EQ(handoff.TryPop(), nullptr);
  for (int i = 0; i < 3; ++i) {
    std::unique_ptr<Item> item = New(i);
    EXPECT_TRUE(handoff.TryPush(item));
    EXPECT_EQ(item, nullptr);
  }
  for (int i = 0; i < 3; ++i) EXPECT_EQ(handoff.TryPop()->number, i);
  EXPECT_EQ(handoff.TryPop(), nullptr);
  EXPECT_EQ(alive_, 0);
}

TEST_F(HandoffTest, AFullOneLeavesTheObjectWithItsCaller) {
  for (const size_t capacity : {size_t{1}, size_t{5}, Handoff<Item>::kCapacityMax}) {
    Handoff<Item> handoff(capacity);
    for (size_t i = 0; i < capacity; ++i) {
      std::unique_ptr<Item> item = New(0);
      ASSERT_TRUE(handoff.TryPush(item));
    }
    std::unique_ptr<Item> refused = New(7);
    EXPECT_FALSE(handoff.TryPush(refused));
    ASSERT_NE(refused, nullptr);
    EXPECT_NE(handoff.TryPop(), nullptr);
    EXPECT_TRUE(handoff.TryPush(refused));
  }
}

TEST_F(HandoffTest, DestroysWhatIsLeftInside) {
  {
    Handoff<Item> handoff(10);
    for (int i = 0; i < 4; ++i) {
      std::unique_ptr<Item> item = New(i);
      ASSERT_TRUE(handoff.TryPush(item));
    }
    EXPECT_EQ(alive_, 4);
  }
  EXPECT_EQ(alive_, 0);
}

using HandoffDeathTest = HandoffTest;

TEST_F(HandoffDeathTest, ImpossibleCapacitiesAbortInsteadOfThrowing) {
  EXPECT_DEATH(Handoff<Item>(0), "1..65534");
  EXPECT_DEATH(Handoff<Item>(Handoff<Item>::kCapacityMax + 1), "1..65534");
}

// Several producers and consumers, and the history they saw: nothing lost, nothing twice, and each
// producer's objects reach each consumer in the order they were pushed.
TEST(HandoffStress, LosesAndRepeatsNothingAndKeepsEachProducersOrder) {
#ifdef BANYAN_SANITIZER
  constexpr int kEach = 5'000;
#else
  constexpr int kEach = 100'000;
#endif
  constexpr int kProducers = 3, kConsumers = 3;
  std::atomic<int> alive = 0, popped = 0;
  std::vector<std::vector<std::pair<int, int>>> seen(kConsumers);
  {
    Handoff<Item> handoff(64);  // small, so that full and empty are both met
    std::vector<std::thread> threads;
    for (int p = 0; p < kProducers; ++p) {
      threads.emplace_back([&, p] {
        for (int n = 0; n < kEach; ++n) {
          auto item = std::make_unique<Item>(p, n, alive);
          while (!handoff.TryPush(item)) std::this_thread::yield();
        }
      });
    }
    for (std::vector<std::pair<int, int>>& mine : seen) {
      threads.emplace_back([&] {
        while (popped < kProducers * kEach) {
          const std::unique_ptr<Item> item = handoff.TryPop();
          if (item == nullptr) {
            std::this_thread::yield();
            continue;
          }
          ++popped;
          mine.emplace_back(item->producer, item->number);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  EXPECT_EQ(alive, 0);
  std::vector<std::vector<bool>> arrived(kProducers, std::vector<bool>(kEach));
  for (const std::vector<std::pair<int, int>>& mine : seen) {
    std::vector<int> last(kProducers, -1);
    for (const auto& [producer, number] : mine) {
      const auto p = static_cast<size_t>(producer);
      ASSERT_GT(number, last[p]) << "out of order";
      last[p] = number;
      ASSERT_FALSE(arrived[p][static_cast<size_t>(number)]) << "twice";
      arrived[p][static_cast<size_t>(number)] = true;
    }
  }
  EXPECT_EQ(popped, kProducers * kEach);
}

}  // namespace
}  // namespace banyan::internal
