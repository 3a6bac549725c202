// SPDX-License-Identifier: Apache-2.0
//
// What stress tests of resharding share: writers whose records count per key, a resharder, and the
// look of a reader of all shards at what it gets.
#ifndef BANYAN_TESTS_STREAM_KEY_ORDER_H_
#define BANYAN_TESTS_STREAM_KEY_ORDER_H_

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "banyan/stream.h"
#include "gtest/gtest.h"

namespace banyan::inline v0_1::testing {

// Puts so many records under keys of its own; each says which of its key it is: "0", "1", ...
inline void WriteInKeyOrder(const Stream& stream, uint64_t seed, int writer, int records) {
  constexpr size_t kKeys = 8;
  std::mt19937_64 random(seed * 1'000 + static_cast<uint64_t>(writer));
  std::vector<int> next(kKeys);
  for (int i = 0; i < records; ++i) {
    const size_t key = random() % kKeys;
    const std::string name = std::to_string(writer) + '-' + std::to_string(key);
    const std::string data = std::to_string(next[key]++);
    if (random() % 16 == 0) std::this_thread::yield();  // the tip is reached now and then
    if (i % 16 == 0) {
      const PutRequest batch[] = {{.partition_key = name, .data = data}};
      ASSERT_TRUE(stream.PutRecords(batch).value()[0].ok());
    } else {
      ASSERT_TRUE(stream.Put({.partition_key = name, .data = data}).ok());
    }
  }
}

// Splits and merges as long as anybody is `writing`; returns how often it could.
inline int64_t ReshardWhile(const std::atomic<int>& writing, const Stream& stream, uint64_t seed) {
  constexpr size_t kOpenMax = 8;
  std::mt19937_64 random(seed);
  int64_t reshards = 0;
  while (writing > 0) {
    const std::vector<ShardInfo> open =
        stream.ListShards({.kind = ShardFilter::Kind::kAtLatest}).value();
    const ShardInfo& shard = open[random() % open.size()];
    if (random() % 20 == 0) {
      const auto count = static_cast<int64_t>(open.size());
      reshards += stream.UpdateShardCount(std::clamp<int64_t>(count, 1, 6)).ok();
    } else if (open.size() < kOpenMax && random() % 2 == 0) {
      reshards += stream.SplitShard(shard.id).ok();
    } else {
      for (const ShardInfo& other : open) {
        if (!stream.MergeShards(shard.id, other.id).ok()) continue;
        ++reshards;
        break;
      }
    }
    for (int i = 0; i < 10; ++i) std::this_thread::yield();
  }
  return reshards;
}

// Of one reader of all shards, parents before children: every record once, and each key's in order.
class KeyOrder {
 public:
  // Looks at what was read of any shard. Returns the shards that may be begun now, for it was the
  // last of their parents that ended.
  std::vector<ShardId> Take(const RecordBatch& batch) {
    for (const Record& record : batch) {
      int& expected = next_[std::string(record.partition_key())];
      EXPECT_EQ(record.data(), std::to_string(expected)) << "of key " << record.partition_key();
      ++expected;
    }
    records_ += static_cast<int64_t>(batch.size());
    std::vector<ShardId> born;
    for (const ChildShard& child : batch.child_shards()) {
      if (++parents_ended_[child.id.index] == child.parents.size()) born.push_back(child.id);
    }
    return born;
  }

  int64_t records() const { return records_; }

 private:
  std::map<std::string, int> next_;
  std::map<int64_t, size_t> parents_ended_;
  std::atomic<int64_t> records_{0};
};

}  // namespace banyan::inline v0_1::testing

#endif  // BANYAN_TESTS_STREAM_KEY_ORDER_H_
