// SPDX-License-Identifier: Apache-2.0
//
// Streams: what does a record cost going in and coming out, beside what the machine asks for the
// bare steps? Times are per record where no counter says so. The floors run in the same binary;
// compare within one run.
//
//   Put, a new key each time   one MD5 and one copy are unavoidable. Expected: FloorMd5 plus
//                              FloorMemcpy plus the gate, the clock and the claim.
//   Put, one hot key           the same today; caching placements is for later. What the shard map
//                              and MD5 cost is the difference to PutExplicitHash.
//   PutRecords of 64           saves one gate and one clock reading a record.
//   GetRecords of 100 or more  no copy and no allocation per record: a view each.
//   One writer, one reader     neither waits for the other; the bytes travel between the cores.
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/runtime.h"
#include "banyan/stream.h"
#include "base/hash.h"
#include "benchmark/benchmark.h"
#include "boost/lockfree/spsc_queue.hpp"
#include "message/environment.h"
#include "stream/core.h"

namespace banyan {
namespace {

constexpr int64_t kRingBytes = 4 << 20;    // fits the caches of most machines
constexpr int64_t kColdBytes = 128 << 20;  // does not

// Keys that differ in each call, made without touching the allocator.
class NewKeys {
 public:
  std::string_view Next() {
    uint64_t n = next_++;
    for (size_t i = sizeof(text_) - 1; i > 4; --i, n /= 10) {
      text_[i] = static_cast<char>('0' + n % 10);
    }
    return {text_, sizeof(text_)};
  }

 private:
  uint64_t next_ = 0;
  char text_[16] = {'k', 'e', 'y', '-', '0'};
};

struct Bench {
  explicit Bench(StreamOptions options) {
    Limits limits = Limits::Relaxed();
    env = std::make_shared<internal::Environment>(*runtime, limits, 7);
    stream = Stream(internal::StreamCore::Create(env, "bench", options));
  }
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0});
  std::shared_ptr<internal::Environment> env;
  Stream stream;
};

// All shards together go round in kRingBytes.
StreamOptions RingOptions(int64_t shards) {
  return {.shards = shards, .record_bytes_max = 16 << 10, .shard_bytes_max = kRingBytes / shards};
}

// --- Floors --------------------------------------------------------------------------------------

// One copy of a record into a ring of the size that the puts below go round in.
void BM_FloorMemcpy(benchmark::State& state) {
  const size_t bytes = static_cast<size_t>(state.range(0));
  const std::string record(bytes, 'x');
  std::vector<char> ring(kRingBytes);
  size_t at = 0;
  for (auto _ : state) {
    if (at + bytes > ring.size()) at = 0;
    std::memcpy(&ring[at], record.data(), bytes);
    at += bytes;
    benchmark::ClobberMemory();
  }
}
BENCHMARK(BM_FloorMemcpy)->ArgName("bytes")->Arg(100)->Arg(1'024);

void BM_FloorMd5(benchmark::State& state) {
  NewKeys keys;
  for (auto _ : state) benchmark::DoNotOptimize(internal::Md5(keys.Next()));
}
BENCHMARK(BM_FloorMd5);

struct Fixed {
  char bytes[100];
};

// What a user would pick instead of a shard: push and pop of 100 bytes, that keeps nothing.
void BM_FloorSpscQueue(benchmark::State& state) {
  boost::lockfree::spsc_queue<Fixed> queue(1 << 15);
  Fixed in = {};
  Fixed out = {};
  for (auto _ : state) {
    queue.push(in);
    queue.pop(out);
    benchmark::DoNotOptimize(out);
  }
}
BENCHMARK(BM_FloorSpscQueue);

boost::lockfree::spsc_queue<Fixed>* shared_queue = nullptr;

void BM_FloorSpscQueueTwoThreads(benchmark::State& state) {
  if (state.thread_index() == 0) shared_queue = new boost::lockfree::spsc_queue<Fixed>(1 << 15);
  Fixed record = {};
  for (auto _ : state) {
    if (state.thread_index() == 0) {
      while (!shared_queue->push(record)) {
      }
    } else {
      while (!shared_queue->pop(record)) {
      }
      benchmark::DoNotOptimize(record);
    }
  }
  if (state.thread_index() == 0) delete shared_queue;
}
BENCHMARK(BM_FloorSpscQueueTwoThreads)->Threads(2)->UseRealTime();

// --- Putting -------------------------------------------------------------------------------------

void BM_PutNewKey(benchmark::State& state) {
  Bench bench(RingOptions(16));
  NewKeys keys;
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(bench.stream.Put({.partition_key = keys.Next(), .data = data}));
  }
}
BENCHMARK(BM_PutNewKey)->ArgName("bytes")->Arg(100)->Arg(1'024);

void BM_PutHotKey(benchmark::State& state) {
  Bench bench(RingOptions(16));
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(bench.stream.Put({.partition_key = "session-17", .data = data}));
  }
}
BENCHMARK(BM_PutHotKey)->ArgName("bytes")->Arg(100)->Arg(1'024);

void BM_PutExplicitHash(benchmark::State& state) {
  Bench bench(RingOptions(16));
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        bench.stream.Put({.partition_key = "session-17", .data = data, .explicit_hash_key = "1"}));
  }
}
BENCHMARK(BM_PutExplicitHash)->ArgName("bytes")->Arg(100)->Arg(1'024);

// The worst case of a shard: nothing but claims on one word. Two writers should not be slower in
// total than one.
void BM_PutOneShard(benchmark::State& state) {
  static Bench* bench = nullptr;
  if (state.thread_index() == 0) bench = new Bench(RingOptions(1));
  const std::string data(100, 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        bench->stream.Put({.partition_key = "k", .data = data, .explicit_hash_key = "1"}));
  }
  if (state.thread_index() == 0) delete bench;
}
BENCHMARK(BM_PutOneShard)->Threads(1)->Threads(2)->UseRealTime();

// The log alone: claim, copy, publish.
void BM_Append(benchmark::State& state) {
  internal::ShardLog log({}, kRingBytes, int64_t{1} << 60);
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  uint64_t position = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(log.Append(
        {.partition_key = "session-17", .trace_header = {}, .data = data, .event_id = {}}, {},
        &position));
  }
}
BENCHMARK(BM_Append)->ArgName("bytes")->Arg(100)->Arg(1'024);

void BM_PutRecords64(benchmark::State& state) {
  Bench bench(RingOptions(16));
  std::vector<NewKeys> keys(64);
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  std::vector<PutRequest> requests(64, PutRequest{.partition_key = {}, .data = data});
  for (size_t i = 0; i < 64; ++i) {
    for (size_t skip = 0; skip < i; ++skip) keys[i].Next();
  }
  for (auto _ : state) {
    for (size_t i = 0; i < 64; ++i) requests[i].partition_key = keys[i].Next();
    benchmark::DoNotOptimize(bench.stream.PutRecords(requests));
  }
  state.SetItemsProcessed(state.iterations() * 64);
  state.counters["per_record"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * 64,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_PutRecords64)->ArgName("bytes")->Arg(100)->Arg(1'024);

// --- Getting -------------------------------------------------------------------------------------

// Reads a filled shard over and over, and touches every byte.
void BM_GetRecords(benchmark::State& state) {
  const bool cold = state.range(2) != 0;
  Bench bench(
      {.record_bytes_max = 64 << 10, .shard_bytes_max = cold ? 2 * kColdBytes : kRingBytes});
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  const int64_t bytes = cold ? kColdBytes : kRingBytes / 8;
  for (int64_t put = 0; put < bytes; put += static_cast<int64_t>(data.size())) {
    benchmark::DoNotOptimize(bench.stream.Put({.partition_key = "session-17", .data = data}));
  }
  const ShardIterator start =
      bench.stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value();
  ShardIterator at = start;
  int64_t records = 0;
  uint64_t sum = 0;
  for (auto _ : state) {
    const RecordBatch batch = bench.stream.GetRecords(at, state.range(1)).value();
    for (const Record& record : batch) {
      const std::string_view view = record.data();
      for (size_t i = 0; i + 8 <= view.size(); i += 8) {
        uint64_t word;
        std::memcpy(&word, view.data() + i, 8);
        sum += word;
      }
    }
    records += static_cast<int64_t>(batch.size());
    at = batch.millis_behind_latest() == 0 ? start : *batch.next();
  }
  benchmark::DoNotOptimize(sum);
  state.SetItemsProcessed(records);
  state.counters["per_record"] = benchmark::Counter(
      static_cast<double>(records), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_GetRecords)
    ->ArgNames({"bytes", "batch", "cold"})
    ->Args({100, 1, 0})
    ->Args({100, 100, 0})
    ->Args({100, 1'000, 0})
    ->Args({1'024, 100, 0})
    ->Args({100, 1'000, 1})
    ->Args({1'024, 1'000, 1});

// A poll that finds nothing: what an idle consumer costs.
void BM_GetNothing(benchmark::State& state) {
  Bench bench(RingOptions(1));
  benchmark::DoNotOptimize(bench.stream.Put({.partition_key = "k"}));
  const ShardIterator at = bench.stream.GetShardIterator(ShardId{0}, StartAt::Latest()).value();
  for (auto _ : state) benchmark::DoNotOptimize(bench.stream.GetRecords(at));
}
BENCHMARK(BM_GetNothing);

// --- Both at once --------------------------------------------------------------------------------

// Thread 0 puts, thread 1 follows by batches. Peer: FloorSpscQueueTwoThreads.
void BM_OneWriterOneReader(benchmark::State& state) {
  static Bench* bench = nullptr;
  if (state.thread_index() == 0) {
    bench = new Bench({.record_bytes_max = 64 << 10, .shard_bytes_max = 16 * kRingBytes});
  }
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  std::optional<ShardIterator> at;
  uint64_t wanted = 0;
  uint64_t last = 0;  // a reader that was overtaken by trimming has skipped, and goes on
  for (auto _ : state) {
    if (state.thread_index() == 0) {
      benchmark::DoNotOptimize(bench->stream.Put(
          {.partition_key = "session-17", .data = data, .explicit_hash_key = "1"}));
      continue;
    }
    ++wanted;
    while (last < wanted) {
      if (!at.has_value()) {
        at = bench->stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value();
      }
      const RecordBatch batch = bench->stream.GetRecords(*at).value();
      for (const Record& record : batch) benchmark::DoNotOptimize(record.data().back());
      if (!batch.empty()) last = batch[batch.size() - 1].sequence().number;
      at = batch.next();
    }
  }
  if (state.thread_index() == 0) delete bench;
}
BENCHMARK(BM_OneWriterOneReader)->ArgName("bytes")->Arg(100)->Arg(1'024)->Threads(2)->UseRealTime();

// --- Growth --------------------------------------------------------------------------------------

// Cost of a put must not depend on the number of shards.
void BM_PutByShards(benchmark::State& state) {
  Bench bench(
      {.shards = state.range(0), .record_bytes_max = 4 << 10, .shard_bytes_max = 256 << 10});
  NewKeys keys;
  const std::string data(100, 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(bench.stream.Put({.partition_key = keys.Next(), .data = data}));
  }
}
BENCHMARK(BM_PutByShards)->ArgName("shards")->Arg(1)->Arg(32)->Arg(1'024);

}  // namespace
}  // namespace banyan
