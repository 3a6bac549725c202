// SPDX-License-Identifier: Apache-2.0
//
// Writers, a resharder, a trimmer and readers on threads of their own, over shards so small that they
// trim themselves, too. What is read is never below what was trimmed, never torn, in the order of the
// shard and of each key, and misses only what was trimmed.
#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "banyan/runtime.h"
#include "fixture.h"
#include "gtest/gtest.h"
#include "key_order.h"
#include "message/close_kind.h"

namespace banyan::testing {
namespace {

#ifdef BANYAN_SANITIZER
constexpr int kRecordsPerTrimWriter = 2'000;
#else
constexpr int kRecordsPerTrimWriter = 30'000;
#endif
constexpr int kTrimWriters = 3;
constexpr int64_t kShardsWatched = 20'000;

// By shard: what lies below has been trimmed, by a call that has returned.
class TrimmedTo {
 public:
  uint64_t Of(ShardId shard) const {
    return shard.index < kShardsWatched ? to_[static_cast<size_t>(shard.index)].load() : 0;
  }
  void Raise(ShardId shard, uint64_t number) {
    if (shard.index >= kShardsWatched) return;
    std::atomic<uint64_t>& to = to_[static_cast<size_t>(shard.index)];
    to = std::max(to.load(), number);  // there is one trimmer
  }

 private:
  std::vector<std::atomic<uint64_t>> to_ = std::vector<std::atomic<uint64_t>>(kShardsWatched);
};

// Trims at random, as long as anybody is `writing`; returns how often it could.
int64_t TrimWhile(const std::atomic<int>& writing, const Stream& stream, uint64_t seed,
                  TrimmedTo* trimmed) {
  std::mt19937_64 random(seed);
  int64_t trims = 0;
  while (writing > 0) {
    const std::vector<ShardInfo> shards = stream.ListShards().value();
    const ShardInfo& shard = shards[random() % shards.size()];
    const ShardIterator at = stream.GetShardIterator(shard.id, StartAt::TrimHorizon()).value();
    const RecordBatch batch =
        stream.GetRecords(at, 1 + static_cast<int64_t>(random() % 100)).value();
    if (!batch.empty()) {
      const SequenceNumber sequence = batch[random() % batch.size()].sequence();
      if (stream.TrimBefore(sequence).ok()) {
        trimmed->Raise(shard.id, sequence.number);
        ++trims;
      }
    }
    for (uint64_t i = random() % 20; i > 0; --i) std::this_thread::yield();
  }
  return trims;
}

// Reads all shards of a stream, parents before children, as far as they have not been trimmed.
class TrimmedReader {
 public:
  TrimmedReader(const Stream& stream, const TrimmedTo& trimmed, uint64_t seed)
      : stream_(stream), trimmed_(trimmed), random_(seed) {
    for (int64_t i = 0; i < 2; ++i) Begin({i});
  }

  void Run(const std::atomic<bool>& writers_are_done) {
    for (;;) {
      const bool done = writers_are_done;
      bool all_at_tip = true;
      std::vector<ShardId> born;
      for (auto at = reading_.begin(); at != reading_.end();) {
        if (random_() % 4 == 0) std::this_thread::yield();
        const RecordBatch batch = Read(at->first, &at->second);
        for (const ChildShard& child : batch.child_shards()) {
          if (++parents_ended_[child.id.index] == child.parents.size()) born.push_back(child.id);
        }
        all_at_tip = all_at_tip && batch.empty() && batch.next().has_value();
        if (batch.next().has_value()) {
          ++at;
        } else {
          at = reading_.erase(at);
        }
      }
      for (const ShardId shard : born) Begin(shard);
      if (done && all_at_tip && born.empty()) return;
    }
  }

  int64_t records() const { return records_; }
  int64_t missed() const { return missed_; }

 private:
  struct Place {
    ShardIterator at;
    uint64_t last = 0;  // number
  };

  void Begin(ShardId shard) {
    reading_[shard.index] = {stream_.GetShardIterator(shard, StartAt::TrimHorizon()).value()};
  }

  RecordBatch Read(int64_t shard, Place* place) {
    const uint64_t floor = trimmed_.Of({shard});
    const RecordBatch batch = stream_.GetRecords(place->at, 300).value();
    for (const Record& record : batch) {
      const uint64_t number = record.sequence().number;
      EXPECT_GE(number, floor) << "it had been trimmed when this was read";
      EXPECT_GT(number, place->last);
      if (number != place->last + 1) CheckTrimmed({shard}, number);
      missed_ += static_cast<int64_t>(number - place->last - 1);
      place->last = number;
      Take(record);
    }
    if (batch.next().has_value()) place->at = *batch.next();
    return batch;
  }

  // Whatever lies below `number` is gone: the horizon never goes back.
  void CheckTrimmed(ShardId shard, uint64_t number) const {
    const RecordBatch oldest =
        stream_.GetRecords(stream_.GetShardIterator(shard, StartAt::TrimHorizon()).value(), 1)
            .value();
    if (!oldest.empty()) {
      EXPECT_GE(oldest[0].sequence().number, number) << "something that is there was left out";
    }
  }

  // A torn record would not have digits that go up.
  void Take(const Record& record) {
    int index = -1;
    const std::string_view data = record.data();
    const auto end = std::from_chars(data.data(), data.data() + data.size(), index);
    EXPECT_EQ(end.ptr, data.data() + data.size()) << data;
    const auto [last, is_new] = last_of_key_.try_emplace(std::string(record.partition_key()), -1);
    EXPECT_GT(index, last->second) << "of key " << record.partition_key();
    last->second = index;
    ++records_;
  }

  const Stream stream_;
  const TrimmedTo& trimmed_;
  std::mt19937_64 random_;
  std::map<int64_t, Place> reading_;
  std::map<int64_t, size_t> parents_ended_;
  std::map<std::string, int> last_of_key_;
  int64_t records_ = 0;
  int64_t missed_ = 0;
};

TEST(TrimStressTest, WhatIsReadBesideTrimmersAndReshardersMissesOnlyWhatWasTrimmed) {
  const auto seed = static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed()) + 1;
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0});
  const auto env = std::make_shared<internal::Environment>(*runtime, Limits::Relaxed(), seed);
  const Stream stream(internal::StreamCore::Create(
      env, "stress", {.shards = 2, .record_bytes_max = 4 << 10, .shard_bytes_max = 256 << 10}));

  TrimmedTo trimmed;
  std::atomic<int> writing{kTrimWriters};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kTrimWriters; ++writer) {
    threads.emplace_back([&, writer] {
      WriteInKeyOrder(stream, seed, writer, kRecordsPerTrimWriter);
      --writing;
    });
  }
  int64_t reshards = 0;
  int64_t trims = 0;
  threads.emplace_back([&] { reshards = ReshardWhile(writing, stream, seed); });
  threads.emplace_back([&] { trims = TrimWhile(writing, stream, seed, &trimmed); });
  std::atomic<bool> done{false};
  std::array<TrimmedReader, 2> readers = {TrimmedReader(stream, trimmed, seed + 1),
                                          TrimmedReader(stream, trimmed, seed + 2)};
  std::vector<std::thread> reading;
  for (TrimmedReader& reader : readers) reading.emplace_back([&] { reader.Run(done); });
  for (std::thread& thread : threads) thread.join();
  done = true;
  for (std::thread& thread : reading) thread.join();

  const StreamStats stats = stream.Stats();
  EXPECT_EQ(stats.accepted, kTrimWriters * kRecordsPerTrimWriter);
  EXPECT_EQ(stats.accepted, stats.expired + stats.trimmed_early + stats.resting);
  EXPECT_GT(reshards, 0);
  EXPECT_GT(trims, 0);
  for (const TrimmedReader& reader : readers) {
    EXPECT_LE(reader.missed(), stats.trimmed_early);
    EXPECT_GE(reader.records(), stats.accepted - stats.trimmed_early);
  }
  stream.core()->CheckInvariants();
  stream.core()->Close(internal::CloseKind::kStopped);
}

}  // namespace
}  // namespace banyan::testing
