// SPDX-License-Identifier: Apache-2.0
//
// One stream under several threads. The histories they write down are checked afterwards:
//   every acknowledged record is read exactly once per full pass, in the order of its sequence
//   numbers, untorn; and a reader that was overtaken by trimming only ever skips forward.
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "banyan/runtime.h"
#include "base/mix.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "stream/core.h"

namespace banyan::inline v0_1::testing {
namespace {

using internal::Mix64;

#ifdef BANYAN_SANITIZER
constexpr uint64_t kRecordsPerShardWriter = 4'000;
#else
constexpr uint64_t kRecordsPerShardWriter = 60'000;
#endif

// A record says who wrote it, as the how manieth, and fills the rest with bytes that follow from
// both: whatever is torn or mixed up does not add up.
std::string MakeData(uint64_t writer, uint64_t n) {
  const uint64_t mix = Mix64(writer * 1'000'003 + n);
  std::string data(16 + mix % 300 + (mix % 97 == 0 ? 9'000 : 0), '\0');
  std::memcpy(data.data(), &writer, 8);
  std::memcpy(data.data() + 8, &n, 8);
  for (size_t i = 16; i < data.size(); ++i) data[i] = static_cast<char>(mix >> (i % 7 * 8));
  return data;
}

struct SeenRecord {
  uint64_t writer;
  uint64_t n;
};

// The writer and number of an intact record; a failure of the test for any other.
SeenRecord CheckIntact(const Record& record) {
  SeenRecord seen = {};
  const std::string_view data = record.data();
  if (data.size() < 16) {
    ADD_FAILURE() << "a torn record of " << data.size() << " bytes";
    return seen;
  }
  std::memcpy(&seen.writer, data.data(), 8);
  std::memcpy(&seen.n, data.data() + 8, 8);
  EXPECT_EQ(data, MakeData(seen.writer, seen.n)) << "torn: " << record.sequence().ToString();
  EXPECT_EQ(record.partition_key(), "key-" + std::to_string(seen.n % 16));
  return seen;
}

class StreamStressTest : public ::testing::Test {
 protected:
  StreamStressTest() {
    Limits limits = Limits::Relaxed();
    env_ = std::make_shared<internal::Environment>(*runtime_, limits, 7);
  }

  Stream MakeStream(const StreamOptions& options) {
    return Stream(internal::StreamCore::Create(env_, "stress", options));
  }

  // Puts this writer's records, in order, one by one or in batches. Where each went is remembered.
  using Acknowledged = std::map<std::pair<int64_t, uint64_t>, uint64_t>;  // (shard, number) -> n
  static Acknowledged Write(const Stream& stream, uint64_t writer) {
    Acknowledged acknowledged;
    for (uint64_t n = 0; n < kRecordsPerShardWriter;) {
      const uint64_t batch =
          std::min<uint64_t>(Mix64(n + writer) % 4 == 0 ? 5 : 1, kRecordsPerShardWriter - n);
      std::vector<std::string> keys;
      std::vector<std::string> data;
      for (uint64_t i = n; i < n + batch; ++i) {
        keys.push_back("key-" + std::to_string(i % 16));
        data.push_back(MakeData(writer, i));
      }
      std::vector<PutRequest> requests;
      for (size_t i = 0; i < keys.size(); ++i) {
        requests.push_back({.partition_key = keys[i], .data = data[i]});
      }
      const auto results = stream.PutRecords(requests).value();
      for (uint64_t i = 0; i < batch; ++i) {
        if (!results[i].ok()) continue;  // throttled: pins held too much
        acknowledged[{results[i]->shard_id.index, results[i]->sequence.number}] = n + i;
      }
      n += batch;
    }
    return acknowledged;
  }

  // Follows one shard until `stop` is set and nothing is left. Returns what it saw, by number.
  static std::map<uint64_t, SeenRecord> Follow(const Stream& stream, ShardId shard,
                                               const std::atomic<bool>& stop, bool may_skip) {
    std::map<uint64_t, SeenRecord> seen;
    ShardIterator at = stream.GetShardIterator(shard, StartAt::TrimHorizon()).value();
    uint64_t last = 0;
    for (int64_t round = 0;; ++round) {
      const bool stopping = stop.load(std::memory_order_acquire);
      const RecordBatch batch = stream.GetRecords(at, 1 + round % 200).value();
      for (const Record& record : batch) {
        const uint64_t number = record.sequence().number;
        EXPECT_GT(number, last) << "out of order, or twice";
        if (!may_skip) {
          EXPECT_EQ(number, last + 1) << "a gap";
        }
        last = number;
        seen[number] = CheckIntact(record);
      }
      at = batch.next().value();
      if (batch.empty() && stopping) return seen;
      if (::testing::Test::HasFailure()) return seen;
    }
  }

  std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 0});
  std::shared_ptr<internal::Environment> env_;
};

// Nothing is trimmed: every reader sees every acknowledged record exactly once, in order.
TEST_F(StreamStressTest, EveryAcknowledgedRecordIsReadOnceInOrder) {
  constexpr size_t kWriters = 3;
  constexpr size_t kShards = 2;
  const Stream stream = MakeStream({.shards = kShards, .shard_bytes_max = int64_t{512} << 20});
  std::atomic<bool> stop{false};
  std::vector<Acknowledged> acknowledged(kWriters);
  std::vector<std::map<uint64_t, SeenRecord>> seen(kShards);

  std::vector<std::thread> readers;
  for (size_t s = 0; s < kShards; ++s) {
    readers.emplace_back(
        [&, s] { seen[s] = Follow(stream, {static_cast<int64_t>(s)}, stop, /*may_skip=*/false); });
  }
  std::vector<std::thread> writers;
  for (size_t w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] { acknowledged[w] = Write(stream, w); });
  }
  for (std::thread& t : writers) t.join();
  stop.store(true, std::memory_order_release);
  for (std::thread& t : readers) t.join();

  size_t total = 0;
  for (size_t w = 0; w < kWriters; ++w) {
    EXPECT_EQ(acknowledged[w].size(), size_t{kRecordsPerShardWriter});
    for (const auto& [place, n] : acknowledged[w]) {
      const auto found = seen[static_cast<size_t>(place.first)].find(place.second);
      ASSERT_NE(found, seen[static_cast<size_t>(place.first)].end());
      EXPECT_EQ(found->second.writer, w);
      EXPECT_EQ(found->second.n, n);
    }
    total += acknowledged[w].size();
  }
  EXPECT_EQ(seen[0].size() + seen[1].size(), total) << "a record that nobody acknowledged";
  stream.core()->CheckInvariants();
}

// A small bound: segments are trimmed and used again all the time, under readers that follow,
// readers that hold on to batches, and callers that ask for statistics and iterators.
TEST_F(StreamStressTest, TrimmingAndReuseNeverShowATornOrRepeatedRecord) {
  constexpr size_t kWriters = 3;
  const Stream stream =
      MakeStream({.shards = 1, .record_bytes_max = 16 << 10, .shard_bytes_max = 512 << 10});
  std::atomic<bool> stop{false};
  std::vector<Acknowledged> acknowledged(kWriters);
  std::vector<std::map<uint64_t, SeenRecord>> seen(2);

  std::vector<std::thread> others;
  for (auto& s : seen) {
    others.emplace_back([&] { s = Follow(stream, {0}, stop, /*may_skip=*/true); });
  }
  others.emplace_back([&] {  // holds on, and looks again at what it holds
    std::vector<RecordBatch> held;
    for (uint64_t round = 0; !stop.load(std::memory_order_acquire); ++round) {
      const ShardIterator at = stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value();
      held.push_back(stream.GetRecords(at, 20).value());
      if (held.size() < 4) continue;
      for (const RecordBatch& batch : held) {
        for (const Record& record : batch) CheckIntact(record);
      }
      held.erase(held.begin() + static_cast<std::ptrdiff_t>(Mix64(round) % held.size()));
    }
  });
  others.emplace_back([&] {
    while (!stop.load(std::memory_order_acquire)) {
      const StreamStats stats = stream.Stats();
      EXPECT_EQ(stats.accepted, stats.expired + stats.trimmed_early + stats.resting);
      EXPECT_LE(stats.bytes_held, 512 << 10);
      stream.core()->CheckInvariants();
      const ShardIterator at =
          stream.GetShardIterator(ShardId{0}, StartAt::AtTimestamp(runtime_->Now())).value();
      static_cast<void>(stream.GetRecords(at).value());
    }
  });
  std::vector<std::thread> writers;
  for (size_t w = 0; w < kWriters; ++w) {
    writers.emplace_back([&, w] { acknowledged[w] = Write(stream, w); });
  }
  for (std::thread& t : writers) t.join();
  stop.store(true, std::memory_order_release);
  for (std::thread& t : others) t.join();

  // Whatever was seen at a number is what was acknowledged there.
  std::map<uint64_t, SeenRecord> truth;
  for (size_t w = 0; w < kWriters; ++w) {
    for (const auto& [place, n] : acknowledged[w]) {
      truth[place.second] = {w, n};
    }
  }
  for (const auto& s : seen) {
    EXPECT_FALSE(s.empty());
    for (const auto& [number, record] : s) {
      const auto found = truth.find(number);
      ASSERT_NE(found, truth.end()) << "nobody was told of " << number;
      EXPECT_EQ(record.writer, found->second.writer);
      EXPECT_EQ(record.n, found->second.n);
    }
    // The last record rests: a full pass ends with it.
    EXPECT_EQ(s.rbegin()->first, truth.rbegin()->first);
  }
  const StreamStats stats = stream.Stats();
  EXPECT_EQ(stats.accepted, static_cast<int64_t>(truth.size()));
  EXPECT_EQ(stats.accepted, stats.trimmed_early + stats.resting);
  EXPECT_GT(stats.trimmed_early, 0);
  EXPECT_EQ(stats.bytes_pinned, 0);
  stream.core()->CheckInvariants();
}

// Closing while others put and read: everybody gets an answer, nobody a broken one.
TEST_F(StreamStressTest, ClosingUnderLoadAnswersEveryone) {
  for (int round = 0; round < 20; ++round) {
    const Stream stream = MakeStream({.shards = 2});  // nothing is trimmed before its time
    std::atomic<int> puts{0};
    std::vector<std::thread> threads;
    for (int w = 0; w < 2; ++w) {
      threads.emplace_back([&, w] {
        for (uint64_t n = 0;; ++n) {
          const std::string key = "key-" + std::to_string(n % 16);
          const std::string data = MakeData(static_cast<uint64_t>(w), n);
          const absl::Status put = stream.Put({.partition_key = key, .data = data}).status();
          if (!put.ok()) {
            EXPECT_EQ(put.code(), absl::StatusCode::kNotFound);
            return;
          }
          puts.fetch_add(1, std::memory_order_relaxed);
        }
      });
    }
    threads.emplace_back([&] {
      absl::StatusOr<ShardIterator> at =
          stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon());
      uint64_t read = 0;
      while (at.ok()) {
        const absl::StatusOr<RecordBatch> batch = stream.GetRecords(*at);
        if (!batch.ok()) {
          EXPECT_EQ(batch.status().code(), absl::StatusCode::kNotFound);
          return;
        }
        for (const Record& record : *batch) {
          CheckIntact(record);
          EXPECT_EQ(record.sequence().number, ++read) << "closing has trimmed what it did not get";
        }
        at = batch->next().value();
      }
    });
    while (puts.load(std::memory_order_relaxed) < 200) std::this_thread::yield();
    stream.core()->Close(internal::CloseKind::kDeleted);
    for (std::thread& t : threads) t.join();
    stream.core()->CheckInvariants();
  }
}

}  // namespace
}  // namespace banyan::inline v0_1::testing
