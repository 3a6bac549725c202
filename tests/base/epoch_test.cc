// SPDX-License-Identifier: Apache-2.0
#include "base/epoch.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iostream>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

struct Notes {
  int number = 0;
};
using TestEpochs = Epochs<Notes>;

class EpochsTest : public ::testing::Test {
 protected:
  // Something of one byte that says when it was destroyed.
  struct Thing {
    explicit Thing(int* destroyed_in) : destroyed(destroyed_in) {}
    int* destroyed;
  };

  void Retire(TestEpochs& epochs) {
    epochs.Retire(
        new Thing(&destroyed_),
        [](void* object) {
          auto* thing = static_cast<Thing*>(object);
          ++*thing->destroyed;
          delete thing;
        },
        1);
  }

  // How many were collected; destroys them.
  static size_t Collect(TestEpochs& epochs) {
    std::vector<Retired> gone;
    epochs.Collect(&gone);
    for (const Retired& retired : gone) retired.destroy(retired.object);
    return gone.size();
  }

  int destroyed_ = 0;
};

TEST_F(EpochsTest, WithoutPinsEverythingIsCollectedAtOnceAndDestroyedByTheCaller) {
  TestEpochs epochs;
  EXPECT_EQ(Collect(epochs), 0u);
  Retire(epochs);
  Retire(epochs);
  EXPECT_EQ(epochs.retired_bytes(), 2u);
  std::vector<Retired> gone;
  epochs.Collect(&gone);
  EXPECT_EQ(gone.size(), 2u);
  EXPECT_EQ(epochs.retired_bytes(), 0u);
  EXPECT_EQ(destroyed_, 0);
  for (const Retired& retired : gone) retired.destroy(retired.object);
  EXPECT_EQ(destroyed_, 2);
  EXPECT_EQ(Collect(epochs), 0u);
}

TEST_F(EpochsTest, CollectsInTheOrderOfRetirementBehindWhatIsThere) {
  TestEpochs epochs;
  int objects[3];
  for (int& object : objects)
    epochs.Retire(
        &object, [](void*) {}, 1);
  std::vector<Retired> gone = {{nullptr, nullptr}};
  epochs.Collect(&gone);
  ASSERT_EQ(gone.size(), 4u);
  EXPECT_EQ(gone[0].object, nullptr);
  for (size_t i = 0; i < 3; ++i) EXPECT_EQ(gone[i + 1].object, &objects[i]);
}

TEST_F(EpochsTest, APinHoldsBackWhatIsRetiredAfterIt) {
  TestEpochs epochs;
  {
    const TestEpochs::Pin pin(epochs);
    for (int i = 0; i < 5; ++i) {
      Retire(epochs);
      EXPECT_EQ(Collect(epochs), 0u);
    }
    EXPECT_EQ(epochs.retired_bytes(), 5u);
  }
  EXPECT_EQ(destroyed_, 0);
  EXPECT_EQ(Collect(epochs), 5u);
  EXPECT_EQ(epochs.retired_bytes(), 0u);
}

TEST_F(EpochsTest, APinDoesNotHoldBackWhatWasRetiredAndLookedForBeforeIt) {
  TestEpochs epochs;
  auto early = std::make_unique<TestEpochs::Pin>(epochs);
  Retire(epochs);
  EXPECT_EQ(Collect(epochs), 0u);
  const TestEpochs::Pin late(epochs);
  Retire(epochs);
  EXPECT_EQ(Collect(epochs), 0u);
  early.reset();
  EXPECT_EQ(Collect(epochs), 1u);
  EXPECT_EQ(epochs.retired_bytes(), 1u);
}

// The last look remembers which pin was in the way; what counts is the pin, not its slot.
TEST_F(EpochsTest, ALaterPinInTheSameSlotHoldsBackNothingOlder) {
  TestEpochs epochs;
  auto pin = std::make_unique<TestEpochs::Pin>(epochs);
  Retire(epochs);
  EXPECT_EQ(Collect(epochs), 0u);
  pin.reset();
  pin = std::make_unique<TestEpochs::Pin>(epochs);
  EXPECT_EQ(Collect(epochs), 1u);
}

TEST_F(EpochsTest, TheOldestOfSeveralPinsDecides) {
  TestEpochs epochs;
  std::deque<TestEpochs::Pin> pins;
  for (int i = 0; i < 4; ++i) {
    pins.emplace_back(epochs);
    Retire(epochs);
    EXPECT_EQ(Collect(epochs), 0u);
  }
  for (int i = 0; i < 4; ++i) {
    pins.pop_front();
    EXPECT_EQ(Collect(epochs), 1u) << i;
  }
}

TEST_F(EpochsTest, APinFindsItsThreadsScratchAsItWasLeft) {
  TestEpochs epochs;
  TestEpochs::Pin(epochs).scratch().number = 7;
  for (int i = 0; i < 3; ++i) EXPECT_EQ(TestEpochs::Pin(epochs).scratch().number++, 7 + i);
}

TEST_F(EpochsTest, PinsOfOneThreadEachHaveAScratchOfTheirOwn) {
  TestEpochs epochs;
  for (int round = 0; round < 2; ++round) {
    std::deque<TestEpochs::Pin> pins;
    std::set<Notes*> seen;
    for (int i = 0; i < 100; ++i) {
      pins.emplace_back(epochs);
      EXPECT_TRUE(seen.insert(&pins.back().scratch()).second);
    }
  }
}

// Whichever slot a pin is in, and however many have been added: the writer finds it.
TEST_F(EpochsTest, EachOfManyPinsAloneHoldsEverythingBack) {
  TestEpochs epochs;
  for (size_t others = 0; others < 100; ++others) {
    std::unique_ptr<TestEpochs::Pin> alone;
    {
      std::deque<TestEpochs::Pin> pins;
      for (size_t i = 0; i < others; ++i) pins.emplace_back(epochs);
      alone = std::make_unique<TestEpochs::Pin>(epochs);
    }
    Retire(epochs);
    ASSERT_EQ(Collect(epochs), 0u) << others;
    alone.reset();
    ASSERT_EQ(Collect(epochs), 1u) << others;
  }
}

TEST_F(EpochsTest, TheDestructorDestroysWhatIsStillRetired) {
  {
    TestEpochs epochs;
    {
      const TestEpochs::Pin pin(epochs);
      Retire(epochs);
      EXPECT_EQ(Collect(epochs), 0u);
    }
    Retire(epochs);
    EXPECT_EQ(destroyed_, 0);
  }
  EXPECT_EQ(destroyed_, 2);
}

using EpochsDeathTest = EpochsTest;

TEST_F(EpochsDeathTest, DyingBeforeAPinAborts) {
  EXPECT_DEATH(
      {
        auto epochs = std::make_unique<TestEpochs>();
        const TestEpochs::Pin pin(*epochs);
        epochs.reset();
      },
      "epochs outlive their pins");
}

// Against a list of who pinned, retired and collected when: what is collected and what stays is
// exactly what the header promises.
class EpochsRandom : public ::testing::TestWithParam<uint64_t> {};

TEST_P(EpochsRandom, CollectsExactlyWhatNoPinHoldsBack) {
  std::cout << "             seed " << GetParam() << "\n";
  std::mt19937_64 random(GetParam());

  struct Object {
    int64_t retired_at = 0;
    int64_t first_collect_at = 0;
  };
  struct Reader {
    int64_t pinned_at;
    std::unique_ptr<TestEpochs::Pin> pin;
  };
  TestEpochs epochs;
  std::deque<Object> waiting;
  std::vector<Reader> readers;
  for (int64_t now = 1; now <= 20'000; ++now) {
    switch (random() % 4) {
      case 0:
        if (readers.size() < 20)
          readers.push_back({now, std::make_unique<TestEpochs::Pin>(epochs)});
        break;
      case 1:
        if (!readers.empty()) {
          std::swap(readers[random() % readers.size()], readers.back());
          readers.pop_back();
        }
        break;
      case 2:
        waiting.push_back({.retired_at = now});
        epochs.Retire(
            &waiting.back(), [](void*) {}, 1);
        break;
      default: {
        int64_t oldest_pin = now;
        for (const Reader& reader : readers) oldest_pin = std::min(oldest_pin, reader.pinned_at);
        std::vector<Retired> gone;
        epochs.Collect(&gone);
        for (const Retired& retired : gone) {
          ASSERT_EQ(retired.object, &waiting.front());
          ASSERT_GT(oldest_pin, waiting.front().retired_at) << "a reader may see it";
          waiting.pop_front();
        }
        for (Object& object : waiting) {
          if (object.first_collect_at == 0) object.first_collect_at = now;
          ASSERT_LT(oldest_pin, object.first_collect_at) << "nobody can see it";
        }
        ASSERT_EQ(epochs.retired_bytes(), waiting.size());
      }
    }
  }
  readers.clear();
}

INSTANTIATE_TEST_SUITE_P(Seeds, EpochsRandom, ::testing::Range<uint64_t>(1, 11));

// A list like the chains of lib/pattern/key_table.h: a removed node keeps its way on, and is
// poisoned when it is destroyed but not freed before the end, so that a reader who comes too late
// finds the poison whatever the allocator does.
class EpochsStress : public ::testing::Test {
 protected:
#ifdef BANYAN_SANITIZER
  static constexpr int kChanges = 20'000;
#else
  static constexpr int kChanges = 500'000;
#endif
  static constexpr uint64_t kAlive = 0x600d600d600d600d;
  static constexpr uint64_t kPoison = 0xdeaddeaddeaddead;

  struct Node {
    std::atomic<Node*> next{nullptr};
    uint64_t state = kAlive;  // not atomic: ThreadSanitizer shall see who reads it when
  };

  static void Poison(void* object) {
    auto* node = static_cast<Node*>(object);
    node->state = kPoison;
  }

  Node* NewNode() { return all_.emplace_back(std::make_unique<Node>()).get(); }

  // Walks the list and answers how many poisoned nodes it met.
  int64_t Walk(const TestEpochs& epochs) const {
    int64_t poisoned = 0;
    TestEpochs::Pin pin(epochs);
    const int mark = ++pin.scratch().number;
    for (const Node* node = root_.load(std::memory_order_seq_cst); node != nullptr;
         node = node->next.load(std::memory_order_seq_cst)) {
      if (node->state != kAlive) ++poisoned;
    }
    if (pin.scratch().number != mark) ++poisoned;  // somebody else had our scratch
    return poisoned;
  }

  std::atomic<Node*> root_{nullptr};
  std::vector<std::unique_ptr<Node>> all_;
};

TEST_F(EpochsStress, NoReaderMeetsADestroyedNode) {
  TestEpochs epochs;
  std::atomic<bool> done = false;
  std::atomic<int64_t> walks = 0, poisoned = 0;
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!done) {
        poisoned += Walk(epochs);
        ++walks;
      }
    });
  }
  while (walks == 0) std::this_thread::yield();

  std::mt19937_64 random(1);
  std::vector<Node*> list;  // oldest first
  size_t collected = 0, retired = 0;
  std::vector<Retired> gone;
  // A reader that is not given the processor holds everything back; go on until that has ended.
  for (int i = 0; i < kChanges || collected < 100; ++i) {
    if (list.empty() || (list.size() < 8 && random() % 2 == 0)) {
      Node* node = NewNode();
      node->next.store(list.empty() ? nullptr : list.back(), std::memory_order_relaxed);
      root_.store(node, std::memory_order_seq_cst);
      list.push_back(node);
    } else {
      const size_t chosen = random() % list.size();
      Node* node = list[chosen];
      std::atomic<Node*>& leads_here = chosen + 1 == list.size() ? root_ : list[chosen + 1]->next;
      leads_here.store(node->next.load(std::memory_order_relaxed), std::memory_order_seq_cst);
      list.erase(list.begin() + static_cast<std::ptrdiff_t>(chosen));
      epochs.Retire(node, &Poison, sizeof(Node));
      ++retired;
    }
    epochs.Collect(&gone);
    for (const Retired& each : gone) each.destroy(each.object);
    collected += gone.size();
    gone.clear();
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(poisoned, 0);
  epochs.Collect(&gone);
  EXPECT_EQ(collected + gone.size(), retired);
  EXPECT_EQ(epochs.retired_bytes(), 0u);
}

// More pins at once than there were slots, from threads that add slots in competition.
TEST_F(EpochsStress, NoReaderMeetsADestroyedNodeWhileSlotsAreAdded) {
#ifdef BANYAN_SANITIZER
  constexpr int kRounds = 5;
#else
  constexpr int kRounds = 40;
#endif
  for (int round = 0; round < kRounds; ++round) {
    TestEpochs epochs;
    root_ = NewNode();
    std::atomic<int> begun = 0, ended = 0, poisoned = 0;
    std::vector<std::thread> readers;
    for (int i = 0; i < 6; ++i) {
      readers.emplace_back([&] {
        ++begun;
        while (begun < 6) std::this_thread::yield();
        std::deque<TestEpochs::Pin> pins;
        for (int depth = 0; depth < 20; ++depth) {
          pins.emplace_back(epochs);
          const Node* node = root_.load(std::memory_order_seq_cst);
          for (int again = 0; again < 3; ++again) {
            if (node->state != kAlive) ++poisoned;
            if (depth % 2 == 0) std::this_thread::yield();
          }
          if (depth % 3 == 0) pins.pop_front();
        }
        ++ended;
      });
    }
    std::vector<Retired> gone;
    while (begun < 6) std::this_thread::yield();
    do {
      Node* old = root_.load(std::memory_order_relaxed);
      root_.store(NewNode(), std::memory_order_seq_cst);
      epochs.Retire(old, &Poison, 1);
      epochs.Collect(&gone);
      for (const Retired& each : gone) each.destroy(each.object);
      gone.clear();
      std::this_thread::yield();
    } while (ended < 6);
    for (std::thread& reader : readers) reader.join();
    ASSERT_EQ(poisoned, 0) << "round " << round;
  }
}

}  // namespace
}  // namespace banyan::internal
