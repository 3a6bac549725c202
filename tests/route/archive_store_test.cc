// SPDX-License-Identifier: Apache-2.0
//
// The store of archives against one that anybody could write: a multimap by time, and a list of who
// came when. S1 to S4 are archive_store.h's.
#include "route/archive_store.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "banyan/testing/seed_reporter.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Position = ArchiveStore::Position;

#ifdef BANYAN_SANITIZER
constexpr uint64_t kSeeds = 3;
constexpr int kSteps = 3'000;
#else
constexpr uint64_t kSeeds = 20;
constexpr int kSteps = 12'000;
#endif

MessageRef MessageNumber(uint64_t n, size_t body_bytes = 1) {
  return MakeMessage({.id = {0, n}, .event_id = {0, n}, .body = std::string(body_bytes, 'x')});
}

class NaiveStore {
 public:
  void Add(int64_t time, uint64_t number, size_t bytes) {
    arrivals_.push_back(by_time_.emplace(time, Item{next_++, number, bytes}));
  }
  uint64_t TakeOldest() {
    const uint64_t number = arrivals_.front()->second.number;
    by_time_.erase(arrivals_.front());
    arrivals_.pop_front();
    return number;
  }
  int64_t CountBetween(int64_t begin, int64_t end) const {
    return std::count_if(by_time_.begin(), by_time_.end(), [&](const auto& entry) {
      return entry.first >= begin && entry.first < end;
    });
  }
  // The messages from a position on, of a range.
  std::vector<uint64_t> From(const Position& from, const ArchiveStore::Range& range) const {
    std::vector<uint64_t> numbers;
    for (const auto& [time, item] : by_time_) {
      if (Position{time, item.arrival} < from || time >= range.end) continue;
      if (item.arrival < range.arrival_end) numbers.push_back(item.number);
    }
    return numbers;
  }
  std::vector<uint64_t> All() const { return From({}, {}); }
  int64_t bytes() const {
    int64_t sum = 0;
    for (const auto& [time, item] : by_time_) sum += static_cast<int64_t>(item.bytes);
    return sum;
  }
  int64_t count() const { return static_cast<int64_t>(by_time_.size()); }
  int64_t first_time() const { return by_time_.begin()->first; }
  int64_t last_time() const { return by_time_.rbegin()->first; }
  uint64_t next() const { return next_; }

 private:
  struct Item {
    uint64_t arrival, number;
    size_t bytes;
  };
  using ByTime = std::multimap<int64_t, Item>;
  ByTime by_time_;
  std::deque<ByTime::iterator> arrivals_;
  uint64_t next_ = 0;
};

std::vector<uint64_t> Numbers(const std::vector<ArchiveStore::Entry>& entries) {
  std::vector<uint64_t> numbers;
  for (const ArchiveStore::Entry& entry : entries) numbers.push_back(entry.message->id.lo);
  return numbers;
}

std::vector<uint64_t> ReadAll(const ArchiveStore& store, Position from = {},
                              const ArchiveStore::Range& range = {}) {
  std::vector<ArchiveStore::Entry> entries;
  while (store.Read(&from, range, {}, &entries)) {
  }
  return Numbers(entries);
}

TEST(ArchiveStoreTest, AnEmptyOneAnswersEverything) {
  const ArchiveStore store;
  EXPECT_TRUE(store.empty());
  EXPECT_EQ(store.bytes(), 0);
  EXPECT_EQ(store.CountBetween(INT64_MIN, INT64_MAX), 0);
  EXPECT_THAT(ReadAll(store), IsEmpty());
}

TEST(ArchiveStoreTest, OrderIsByTimeAndThenByArrival) {
  ArchiveStore store;
  store.Add(20, MessageNumber(1));
  store.Add(10, MessageNumber(2));
  store.Add(20, MessageNumber(3));
  store.Add(10, MessageNumber(4));
  EXPECT_THAT(ReadAll(store), ElementsAre(2, 4, 1, 3));
  EXPECT_THAT(ReadAll(store, {20, 0}), ElementsAre(1, 3));
  EXPECT_THAT(ReadAll(store, {}, {.end = 20}), ElementsAre(2, 4));
  EXPECT_THAT(ReadAll(store, {}, {.arrival_end = 2}), ElementsAre(2, 1));
}

TEST(ArchiveStoreTest, WhoCameFirstLeavesFirstWhateverItsTime) {
  ArchiveStore store;
  for (uint64_t n = 0; n < 2'000; ++n) store.Add(static_cast<int64_t>(5'000 - n), MessageNumber(n));
  for (uint64_t n = 0; n < 2'000; ++n) {
    ASSERT_EQ(store.Oldest().id.lo, n);
    ASSERT_EQ(store.TakeOldest().message->id.lo, n);
  }
  EXPECT_TRUE(store.empty());
  EXPECT_EQ(store.next_arrival(), 2'000u);
}

TEST(ArchiveStoreTest, ASliceEndsAtEachOfItsBounds) {
  ArchiveStore store;
  for (uint64_t n = 0; n < 100; ++n) store.Add(1, MessageNumber(n, 10));
  std::vector<ArchiveStore::Entry> out;
  Position from;
  EXPECT_TRUE(store.Read(&from, {}, {.entries_max = 7}, &out));
  EXPECT_EQ(out.size(), 7u);
  EXPECT_TRUE(store.Read(&from, {}, {.bytes_max = 25}, &out));
  EXPECT_EQ(out.size(), 10u) << "the third goes beyond the bytes";
  EXPECT_TRUE(store.Read(&from, {.arrival_end = 5}, {.looks_max = 50}, &out));
  EXPECT_EQ(out.size(), 10u) << "50 were looked at, none is of the range";
  EXPECT_EQ(from, (Position{1, 60}));
  EXPECT_FALSE(store.Read(&from, {}, {.entries_max = 40}, &out));
  EXPECT_EQ(out.size(), 50u);
}

TEST(ArchiveStoreTest, AReaderSeesOnceWhatIsThereFromItsBeginningToItsEnd) {
  std::mt19937_64 random(7);
  ArchiveStore store;
  uint64_t number = 0;
  const auto add = [&] {
    store.Add(static_cast<int64_t>(random() % 100), MessageNumber(number++));
  };
  for (int i = 0; i < 5'000; ++i) add();
  const uint64_t had = number;
  Position from;
  std::vector<ArchiveStore::Entry> out;
  while (store.Read(&from, {.arrival_end = had}, {.entries_max = 10}, &out)) {
    for (int i = 0; i < 10; ++i) add();
    for (int i = 0; i < 5; ++i) store.TakeOldest();
  }
  std::vector<uint64_t> seen = Numbers(out);
  std::sort(seen.begin(), seen.end());
  EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end()) << "one came twice";
  const uint64_t oldest = store.Oldest().id.lo;
  for (uint64_t n = oldest; n < had; ++n) {
    ASSERT_TRUE(std::binary_search(seen.begin(), seen.end(), n)) << n << " was missed";
  }
}

TEST(ArchiveStoreTest, WhatLeavesIsLetGo) {
  int released = 0;
  ArchiveStore store;
  const char text[] = "body";
  for (int i = 0; i < 3; ++i) {
    store.Add(
        3 - i,
        MakeMessage({.body = Payload::Adopt(text, sizeof(text), [&released] { ++released; })}));
  }
  { const ArchiveStore::Entry gone = store.TakeOldest(); }
  EXPECT_EQ(released, 1);
  store = ArchiveStore();
  EXPECT_EQ(released, 3);
}

// 24 bytes an entry and 8 for its arrival; chunks that are split are half full at worst.
TEST(ArchiveStoreTest, ItTakesLittleBesideTheMessages) {
  constexpr int kEvents = 200'000;
  const MessageRef message = MessageNumber(1);
  ArchiveStore in_order, shuffled;
  std::mt19937_64 random(1);
  for (int i = 0; i < kEvents; ++i) {
    in_order.Add(i / 10, message);
    shuffled.Add(static_cast<int64_t>(random() % kEvents), message);
  }
  EXPECT_LE(in_order.OwnBytes() / kEvents, 34);
  EXPECT_LE(shuffled.OwnBytes() / kEvents, 64);
  while (in_order.count() > 10) in_order.TakeOldest();
  while (shuffled.count() > 10) shuffled.TakeOldest();
  EXPECT_LE(in_order.OwnBytes(), 20'000) << "chunks go with what was in them";
  EXPECT_LE(shuffled.OwnBytes(), 20'000);
}

TEST(ArchiveStoreTest, AnswersAsTheNaiveOneDoes) {
  for (uint64_t seed = 1; seed <= kSeeds; ++seed) {
    const testing::SeedReporter reporter(seed);
    std::mt19937_64 random(seed);
    ArchiveStore store;
    NaiveStore naive;
    // Some grow, some shrink; in some all is in order, in some nothing is.
    const uint64_t adds = 35 + random() % 45, late = random() % 101;
    int64_t now = 0;
    uint64_t number = 0;
    Position reader;
    for (int step = 0; step < kSteps; ++step) {
      const uint64_t dice = random() % 100;
      if (dice < adds) {
        now += static_cast<int64_t>(random() % 3 == 0);
        const bool out_of_order = random() % 100 < late;
        const int64_t time = out_of_order ? now - 50 + static_cast<int64_t>(random() % 60) : now;
        const size_t bytes = random() % 50;
        store.Add(time, MessageNumber(number, bytes));
        naive.Add(time, number++, bytes);
      } else if (dice < 90 && !store.empty()) {
        ASSERT_EQ(store.TakeOldest().message->id.lo, naive.TakeOldest());
      } else {
        const Position from = random() % 2 == 0
                                  ? reader
                                  : Position{now - static_cast<int64_t>(random() % 60),
                                             random() % (naive.next() + 1)};
        const ArchiveStore::Range range = {
            .end = now - 60 + static_cast<int64_t>(random() % 70),
            .arrival_end = random() % 2 == 0 ? naive.next() : random() % (naive.next() + 1)};
        const size_t most = random() % 20;
        std::vector<ArchiveStore::Entry> out;
        reader = from;
        const bool more = store.Read(&reader, range, {.entries_max = most}, &out);
        std::vector<uint64_t> expected = naive.From(from, range);
        EXPECT_TRUE(more || out.size() == expected.size());
        if (expected.size() > most) expected.resize(most);
        ASSERT_EQ(Numbers(out), expected);
        ASSERT_GE(reader, from);
        ASSERT_EQ(store.CountBetween(from.time, range.end),
                  naive.CountBetween(from.time, range.end));
      }
      ASSERT_EQ(store.count(), naive.count());
      ASSERT_EQ(store.next_arrival(), naive.next());
      if (!store.empty()) {
        ASSERT_EQ(store.first_time(), naive.first_time());
        ASSERT_EQ(store.last_time(), naive.last_time());
      }
      if (step % 1'000 == 0) {
        ASSERT_EQ(store.bytes(), naive.bytes());
        ASSERT_EQ(ReadAll(store), naive.All());
      }
    }
  }
}

}  // namespace
}  // namespace banyan::internal
