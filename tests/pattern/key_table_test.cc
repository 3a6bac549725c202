// SPDX-License-Identifier: Apache-2.0
#include "pattern/key_table.h"

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "gtest/gtest.h"
#include "pattern_testing.h"
#include "poisoning_retirer.h"

namespace banyan::internal {
namespace {

using Pin = PoisoningRetirer::TestEpochs::Pin;

struct Filed : Link {
  explicit Filed(uint32_t key_in) : key(key_in) {}

  static const Filed& Of(const Link& link) { return static_cast<const Filed&>(link); }

  const uint32_t mark = kMark;
  uint32_t key;

  static constexpr uint32_t kMark = 0xf11ed;
};

// The keys whose product with the scattering constant is given: they begin where one wishes.
uint32_t KeyWithHome(uint32_t product) {
  constexpr uint32_t kFactor = 0x9e3779b1;
  uint32_t inverse = kFactor;
  for (int i = 0; i < 5; ++i) inverse *= 2 - kFactor * inverse;  // Newton, modulo 2^32
  return product * inverse;
}

class KeyTableTest : public ::testing::Test {
 protected:
  Filed* Add(uint32_t key) {
    filed_.push_back(std::make_unique<Filed>(key));
    table_.Add(key, filed_.back().get());
    return filed_.back().get();
  }

  void Remove(Filed* filed) { table_.Remove(filed->key, filed); }

  // The chain of the key, newest first.
  std::vector<const Filed*> Chain(uint32_t key) const {
    std::vector<const Filed*> chain;
    for (const Link* link = table_.Find(key); link != nullptr; link = link->next) {
      chain.push_back(&Filed::Of(*link));
    }
    return chain;
  }

  std::vector<std::unique_ptr<Filed>> filed_;
  PoisoningRetirer retirer_;
  KeyTable table_{retirer_};
};

TEST_F(KeyTableTest, AnEmptyTableFindsNothing) {
  for (const uint32_t key : {uint32_t{0}, uint32_t{1}, ~uint32_t{0}}) {
    EXPECT_EQ(table_.Find(key), nullptr);
    EXPECT_EQ(table_.Crowd(key), 0u);
  }
}

TEST_F(KeyTableTest, AChainIsNewestFirst) {
  Filed* a = Add(7);
  Filed* b = Add(7);
  Filed* c = Add(7);
  Filed* other = Add(8);
  EXPECT_EQ(Chain(7), (std::vector<const Filed*>{c, b, a}));
  EXPECT_EQ(Chain(8), (std::vector<const Filed*>{other}));
  EXPECT_EQ(table_.Crowd(7), 3u);
}

TEST_F(KeyTableTest, RemovesFromTheFrontTheMiddleAndTheEnd) {
  for (size_t victim = 0; victim < 3; ++victim) {
    std::vector<Filed*> all = {Add(7), Add(7), Add(7)};
    Remove(all[victim]);
    EXPECT_EQ(table_.Crowd(7), 2u);
    all.erase(all.begin() + static_cast<std::ptrdiff_t>(victim));
    EXPECT_EQ(Chain(7), (std::vector<const Filed*>{all[1], all[0]}));
    table_.CheckInvariants();
    for (Filed* filed : all) Remove(filed);
    EXPECT_EQ(table_.Find(7), nullptr);
    EXPECT_EQ(table_.Crowd(7), 0u);
  }
}

TEST_F(KeyTableTest, AReaderOnARemovedLinkGoesOn) {
  Filed* a = Add(7);
  Filed* b = Add(7);
  Filed* c = Add(7);
  Remove(b);
  EXPECT_EQ(b->next, a);
  Remove(c);
  EXPECT_EQ(c->next, a);
}

TEST_F(KeyTableTest, KeyZeroIsAKey) {
  Filed* zero = Add(0);
  EXPECT_EQ(Chain(0), (std::vector<const Filed*>{zero}));
  Remove(zero);
  EXPECT_EQ(table_.Find(0), nullptr);
}

TEST_F(KeyTableTest, CrowdFollowsAKeyWhoseLinksComeAndGo) {
  Filed* last = Add(7);
  for (int i = 0; i < 1'000; ++i) {
    Filed* next = Add(7);
    Remove(last);
    last = next;
  }
  EXPECT_EQ(table_.Crowd(7), 1u);
}

// K2: keys that begin at one place; at the end of the array too, where probing goes on at its
// beginning.
TEST_F(KeyTableTest, KeysThatCollideAreToldApart) {
  for (const uint32_t product : {uint32_t{1}, ~uint32_t{1000}}) {
    std::vector<Filed*> all;
    for (uint32_t i = 0; i < 500; ++i) all.push_back(Add(KeyWithHome(product + i)));
    table_.CheckInvariants();
    for (Filed* filed : all) ASSERT_EQ(Chain(filed->key), std::vector<const Filed*>{filed});
    EXPECT_EQ(table_.Find(KeyWithHome(product + 500)), nullptr);
    for (size_t i = 0; i < all.size(); i += 2) Remove(all[i]);
    table_.CheckInvariants();
    for (size_t i = 0; i < all.size(); ++i) ASSERT_EQ(Chain(all[i]->key).size(), i % 2) << i;
    for (size_t i = 1; i < all.size(); i += 2) Remove(all[i]);
  }
}

TEST_F(KeyTableTest, GrowsWithItsKeysAndGivesMemoryBack) {
  const size_t empty_bytes = table_.bytes();
  EXPECT_LE(empty_bytes, 512u);
  std::vector<Filed*> all;
  for (uint32_t key = 1; key <= 100'000; ++key) all.push_back(Add(key));
  retirer_.Collect();
  table_.CheckInvariants();
  EXPECT_LE(table_.bytes(), 100'000u * 16 + 100);
  EXPECT_EQ(retirer_.retired_bytes(), 0u);
  for (Filed* filed : all) ASSERT_EQ(table_.Find(filed->key), filed);
  for (Filed* filed : all) Remove(filed);
  EXPECT_EQ(table_.bytes(), empty_bytes);
  table_.CheckInvariants();
}

// K3: each new array has room for as many keys again, so all that were replaced are together
// smaller than the one that is.
TEST_F(KeyTableTest, GrowsInSteps) {
  const Pin pin(retirer_.epochs());
  size_t arrays = 1;
  size_t bytes = table_.bytes();
  for (uint32_t key = 1; key <= 5'000; ++key) {
    Add(key * 2'654'435'761u);
    retirer_.Collect();
    if (table_.bytes() != bytes) ++arrays;
    bytes = table_.bytes();
    ASSERT_LE(retirer_.retired_bytes(), bytes) << key;
  }
  EXPECT_LE(arrays, 11u);
}

// K3: keys that are used once and never again do not make the table grow.
TEST_F(KeyTableTest, SweepsKeysThatHaveNoLinks) {
  for (uint32_t key = 1; key <= 10; ++key) Add(key);
  for (uint32_t key = 1'000; key < 50'000; ++key) {
    Remove(Add(key));
    filed_.pop_back();
  }
  EXPECT_LE(table_.bytes(), 64 * 12u + 100);
  table_.CheckInvariants();
}

TEST_F(KeyTableTest, AReplacedArrayWaitsForItsReaders) {
  {
    const Pin pin(retirer_.epochs());
    for (uint32_t key = 1; key <= 100; ++key) Add(key);
    retirer_.Collect();
    EXPECT_GT(retirer_.retired_bytes(), 0u);
  }
  retirer_.Collect();
  EXPECT_EQ(retirer_.retired_bytes(), 0u);
}

using KeyTableDeathTest = KeyTableTest;

TEST_F(KeyTableDeathTest, RemovingWhatIsNotThereAborts) {
  Filed* filed = Add(7);
  EXPECT_DEATH(table_.Remove(8, filed), "the chain it is in");
}

TEST_F(KeyTableDeathTest, RemovingTwiceAborts) {
  Add(7);
  Filed* middle = Add(7);
  Add(7);
  Remove(middle);
  EXPECT_DEATH(Remove(middle), "the chain it is in");
}

// Against a map of vectors.
TEST_F(KeyTableTest, AgreesWithAMap) {
  std::mt19937_64 random = SeededRandom();
  std::map<uint32_t, std::vector<std::unique_ptr<Filed>>> twin;  // oldest first
  std::vector<uint32_t> keys;                                    // of each link in the twin
  const size_t empty_bytes = table_.bytes();
  for (const uint32_t range : {uint32_t{3}, uint32_t{50}, uint32_t{3'000}}) {
    // It grows and shrinks in turn.
    for (int step = 0; step < 30'000; ++step) {
      const bool growing = step / 5'000 % 2 == 0;
      if (keys.empty() || random() % 10 < (growing ? 7u : 3u)) {
        const auto key =
            static_cast<uint32_t>(random() % range * 2);  // 0, but not 1, which shares its chain
        auto& chain = twin[key];
        chain.push_back(std::make_unique<Filed>(key));
        table_.Add(key, chain.back().get());
        keys.push_back(key);
      } else {
        std::swap(keys[random() % keys.size()], keys.back());
        auto& chain = twin[keys.back()];
        const auto victim = chain.begin() + static_cast<std::ptrdiff_t>(random() % chain.size());
        table_.Remove(keys.back(), victim->get());
        chain.erase(victim);
        keys.pop_back();
      }
      const auto key = static_cast<uint32_t>(random() % range * 2);
      std::vector<const Filed*> expected;
      for (const std::unique_ptr<Filed>& filed : twin[key]) expected.push_back(filed.get());
      std::reverse(expected.begin(), expected.end());
      ASSERT_EQ(table_.Crowd(key), expected.size());
      if (expected.size() < 50 || step % 100 == 0) {
        ASSERT_EQ(Chain(key), expected);
      }
      if (step % 1'000 == 0) table_.CheckInvariants();
    }
  }
  for (auto& [key, chain] : twin) {
    for (const std::unique_ptr<Filed>& filed : chain) table_.Remove(key, filed.get());
  }
  table_.CheckInvariants();
  EXPECT_EQ(table_.bytes(), empty_bytes);
}

// Readers beside a writer who adds, removes, grows and shrinks: none meets destroyed memory or a
// link of another key, and each finds what was there when it pinned and stays (K1).
TEST(KeyTableStress, ReadersFindWhatStaysAndNothingDestroyed) {
#ifdef BANYAN_SANITIZER
  constexpr uint32_t kRounds = 3, kKeys = 1'000;
#else
  constexpr uint32_t kRounds = 30, kKeys = 5'000;
#endif
  PoisoningRetirer retirer;
  KeyTable table(retirer);
  std::vector<std::unique_ptr<Filed>> staying;
  std::atomic<uint32_t> staying_below = 0;  // keys 1, 3, 5, ... below this are there for good
  std::atomic<bool> done = false;
  std::atomic<int64_t> looks = 0, missed = 0, wrong = 0;

  std::vector<std::thread> readers;
  for (uint32_t seed = 0; seed < 3; ++seed) {
    readers.emplace_back([&, seed] {
      std::mt19937_64 random(seed);
      while (!done) {
        const Pin pin(retirer.epochs());
        const uint32_t there = staying_below.load(std::memory_order_seq_cst);
        for (int i = 0; i < 20; ++i) {
          const auto key = static_cast<uint32_t>(1 + random() % kKeys);
          bool found = false;
          for (const Link* link = table.Find(key); link != nullptr;
               link = link->next.load(std::memory_order_seq_cst)) {
            // Looked at before the owner is: poison leads nowhere.
            if (Filed::Of(*link).mark != Filed::kMark || Filed::Of(*link).key != key) {
              ++wrong;
              break;
            }
            found = true;
          }
          if (key % 2 == 1 && key < there && !found) ++missed;
          ++looks;
        }
      }
    });
  }

  std::mt19937_64 random(17);
  // At least so many rounds, and until the readers have had their turn.
  for (uint32_t round = 0; round < kRounds || looks < 10'000; ++round) {
    std::vector<Filed*> passing;
    for (uint32_t i = 0; i < 2 * kKeys; ++i) {
      const auto key = static_cast<uint32_t>(1 + random() % kKeys);
      passing.push_back(new Filed(key));
      table.Add(key, passing.back());
      retirer.Collect();
    }
    for (uint32_t i = 0; i < kKeys / (2 * kRounds); ++i) {
      staying.push_back(std::make_unique<Filed>(static_cast<uint32_t>(2 * staying.size() + 1)));
      table.Add(staying.back()->key, staying.back().get());
      staying_below.store(staying.back()->key + 1, std::memory_order_seq_cst);
    }
    std::shuffle(passing.begin(), passing.end(), random);
    for (Filed* filed : passing) {
      table.Remove(filed->key, filed);
      retirer.Retire(
          filed, [](void* old) { ::operator delete(old); }, sizeof(Filed));
      retirer.Collect();
    }
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(missed, 0);
  table.CheckInvariants();
  retirer.Collect();
  EXPECT_EQ(retirer.retired_bytes(), 0u);
}

}  // namespace
}  // namespace banyan::internal
