// SPDX-License-Identifier: Apache-2.0
//
// Writers, readers and a resharder on threads of their own. Each key's records are read once and in
// their order, by whoever reads parents before children.
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
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
constexpr int kRecordsPerReshardWriter = 3'000;
#else
constexpr int kRecordsPerReshardWriter = 40'000;
#endif
constexpr int kReshardWriters = 3;
constexpr int64_t kShardsAtFirst = 2;

// Reads all shards of a stream, parents before children, until told that nobody writes any more
// and everything open is read to its tip.
class Follower {
 public:
  explicit Follower(const Stream& stream) : stream_(stream) {
    for (int64_t i = 0; i < kShardsAtFirst; ++i) Begin({i});
  }

  void Run(const std::atomic<bool>& writers_are_done) {
    for (;;) {
      const bool done = writers_are_done;
      bool all_at_tip = true;
      for (auto at = reading_.begin(); at != reading_.end();) {
        const RecordBatch batch = stream_.GetRecords(at->second, 500).value();
        for (const ShardId shard : order_.Take(batch)) born_.push_back(shard);
        if (batch.next().has_value()) {
          if (!batch.empty()) all_at_tip = false;
          at->second = *batch.next();
          ++at;
          continue;
        }
        all_at_tip = false;
        at = reading_.erase(at);
      }
      for (const ShardId shard : born_) Begin(shard);
      born_.clear();
      if (done && all_at_tip) return;
      std::this_thread::yield();
    }
  }

  int64_t records() const { return order_.records(); }

 private:
  void Begin(ShardId shard) {
    reading_[shard.index] = stream_.GetShardIterator(shard, StartAt::TrimHorizon()).value();
  }

  const Stream stream_;
  std::map<int64_t, ShardIterator> reading_;
  std::vector<ShardId> born_;
  KeyOrder order_;
};

TEST(ReshardStressTest, EachKeysRecordsAreReadOnceAndInOrder) {
  const auto seed = static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed()) + 1;
  SCOPED_TRACE("seed " + std::to_string(seed));
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0});
  const auto env = std::make_shared<internal::Environment>(*runtime, Limits::Relaxed(), seed);
  const Stream stream(internal::StreamCore::Create(env, "stress", {.shards = kShardsAtFirst}));

  std::atomic<int> writing{kReshardWriters};
  std::vector<std::thread> threads;
  for (int writer = 0; writer < kReshardWriters; ++writer) {
    threads.emplace_back([&, writer] {
      WriteInKeyOrder(stream, seed, writer, kRecordsPerReshardWriter);
      --writing;
    });
  }
  int64_t reshards = 0;
  threads.emplace_back([&] { reshards = ReshardWhile(writing, stream, seed); });
  std::atomic<bool> done{false};
  Follower followers[] = {Follower(stream), Follower(stream)};
  std::vector<std::thread> readers;
  for (Follower& follower : followers) {
    readers.emplace_back([&follower, &done] { follower.Run(done); });
  }
  for (std::thread& thread : threads) thread.join();
  done = true;
  for (std::thread& reader : readers) reader.join();
  for (const Follower& follower : followers) {
    EXPECT_EQ(follower.records(), kReshardWriters * kRecordsPerReshardWriter);
  }
  EXPECT_GT(reshards, 0);
  RecordProperty("reshards", static_cast<int>(reshards));
  stream.core()->CheckInvariants();
  stream.core()->Close(internal::CloseKind::kStopped);
}

// A sleeper is woken for each record: nobody sleeps beside one (shard_log.h, L9).
TEST(ReshardStressTest, NoWakeUpIsLost) {
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 1});
  const auto env = std::make_shared<internal::Environment>(*runtime, Limits::Relaxed(), 7);
  const Stream stream(internal::StreamCore::Create(env, "stress", {}));
  constexpr uint64_t kRecords = kRecordsPerReshardWriter / 2;
  std::atomic<uint64_t> wanted{0};  // the next record of the sleeper
  std::thread writer([&] {
    for (uint64_t i = 0; i < kRecords; ++i) {
      while (wanted < i) std::this_thread::yield();  // it has heard of the one before
      ASSERT_TRUE(stream.Put({.partition_key = "k", .data = "x"}).ok());
    }
  });
  for (uint64_t i = 0; i < kRecords; ++i) {
    const auto woken = std::make_shared<std::atomic<bool>>(false);
    wanted = i;
    stream.core()->WakeAt(0, i, [woken] { *woken = true; });
    while (!*woken) std::this_thread::yield();  // for ever, if the wake-up is lost
  }
  wanted = kRecords;
  writer.join();
  stream.core()->Close(internal::CloseKind::kStopped);
}

}  // namespace
}  // namespace banyan::testing
