// SPDX-License-Identifier: Apache-2.0
//
// Streams: what do threads beside each other cost, and does a record cost more the more there is?
// Floors and peers run in the same binary; compare within one run. Times are per record.
//
//   A writer and a reader   Floor: bare bytes through a ring from one core to the other. Wanted: 3
//                           times that. Peers, which keep nothing: a ring of the disruptor's kind
//                           (one sequence a side, read by batches) and boost::lockfree::spsc_queue,
//                           both of 100-byte records. Wanted: no slower.
//   Two writers, one shard  nothing but claims on one word. Wanted: together no slower than one.
//   Growth                  Wanted: 1.0 times the first row, whatever the number of shards, the
//                           stream's length, the batches held, and a reader that has stayed behind.
//   Memory                  Wanted: at most 32 bytes a record beyond key and data; a thousand idle
//                           streams in 10 MB.
#include <malloc.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "boost/lockfree/spsc_queue.hpp"
#include "laps.h"
#include "stream_bench.h"

namespace banyan {
namespace {

// --- A writer and a reader -----------------------------------------------------------------------

constexpr int64_t kRecordsMoved = 200'000;
constexpr size_t kBytes = 100;

struct Fixed {
  char bytes[kBytes];
};

// Times moving kRecordsMoved records from a thread to this one.
void Move(benchmark::State& state, const std::function<void()>& write_all,
          const std::function<void()>& read_all) {
  for (auto _ : state) {
    std::thread writer(write_all);
    read_all();
    writer.join();
  }
  PerRecord(state, state.iterations() * kRecordsMoved);
}

// As bare as it gets: bytes are copied into a ring, and 64 records at a time are made known.
void BM_FloorTwoThreads(benchmark::State& state) {
  constexpr int64_t kRecords = 1 << 14;
  constexpr int64_t kAtOnce = 64;
  std::vector<Fixed> ring(kRecords);
  alignas(64) std::atomic<int64_t> written{0};
  alignas(64) std::atomic<int64_t> read{0};
  const Fixed record = {};
  uint64_t sum = 0;
  Move(
      state,
      [&] {
        const int64_t from = written.load(std::memory_order_relaxed);
        for (int64_t i = from; i < from + kRecordsMoved; ++i) {
          while (i - read.load(std::memory_order_acquire) >= kRecords) {
          }
          ring[static_cast<size_t>(i % kRecords)] = record;
          if ((i + 1) % kAtOnce == 0) written.store(i + 1, std::memory_order_release);
        }
        written.store(from + kRecordsMoved, std::memory_order_release);
      },
      [&] {
        const int64_t from = read.load(std::memory_order_relaxed);
        for (int64_t at = from; at < from + kRecordsMoved;) {
          const int64_t end = written.load(std::memory_order_acquire);
          for (; at < end; ++at) {
            sum += SumOf({ring[static_cast<size_t>(at % kRecords)].bytes, kBytes});
          }
          read.store(at, std::memory_order_release);
        }
      });
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_FloorTwoThreads)->UseRealTime();

// One producer, one consumer, a sequence for each; each record is published alone, and the consumer
// takes all there are.
void BM_PeerDisruptor(benchmark::State& state) {
  constexpr int64_t kSlots = 1 << 15;
  std::vector<Fixed> ring(kSlots);
  alignas(64) std::atomic<int64_t> cursor{0};    // published
  alignas(64) std::atomic<int64_t> consumed{0};  // by the consumer
  const Fixed record = {};
  uint64_t sum = 0;
  Move(
      state,
      [&] {
        const int64_t from = cursor.load(std::memory_order_relaxed);
        int64_t gate = consumed.load(std::memory_order_acquire);
        for (int64_t i = from; i < from + kRecordsMoved; ++i) {
          while (i - gate >= kSlots) gate = consumed.load(std::memory_order_acquire);
          ring[static_cast<size_t>(i % kSlots)] = record;
          cursor.store(i + 1, std::memory_order_release);
        }
      },
      [&] {
        const int64_t from = consumed.load(std::memory_order_relaxed);
        for (int64_t at = from; at < from + kRecordsMoved;) {
          const int64_t end = cursor.load(std::memory_order_acquire);
          for (; at < end; ++at) {
            sum += SumOf({ring[static_cast<size_t>(at % kSlots)].bytes, kBytes});
          }
          consumed.store(at, std::memory_order_release);
        }
      });
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_PeerDisruptor)->UseRealTime();

void BM_PeerSpscQueue(benchmark::State& state) {
  boost::lockfree::spsc_queue<Fixed> queue(1 << 15);
  const Fixed record = {};
  uint64_t sum = 0;
  Move(
      state,
      [&] {
        for (int64_t i = 0; i < kRecordsMoved; ++i) {
          while (!queue.push(record)) {
          }
        }
      },
      [&] {
        Fixed taken = {};
        for (int64_t i = 0; i < kRecordsMoved; ++i) {
          while (!queue.pop(taken)) {
          }
          sum += SumOf({taken.bytes, kBytes});
        }
      });
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_PeerSpscQueue)->UseRealTime();

// batch 1: Put, as a program does that has one record at a time. 64: PutRecords.
void BM_WriterAndReader(benchmark::State& state) {
  const int64_t at_once = state.range(0);
  Bench bench({.record_bytes_max = 16 << 10, .shard_bytes_max = 256 << 20});
  const std::string data(kBytes, 'x');
  const std::vector<PutRequest> requests(static_cast<size_t>(at_once),
                                         PutRequest{.partition_key = "session-17", .data = data});
  ShardIterator at = bench.stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value();
  uint64_t sum = 0;
  Move(
      state,
      [&] {
        for (int64_t i = 0; i < kRecordsMoved; i += at_once) {
          if (at_once == 1) {
            benchmark::DoNotOptimize(bench.stream.Put(requests[0]));
          } else {
            benchmark::DoNotOptimize(bench.stream.PutRecords(requests));
          }
        }
      },
      [&] {
        for (int64_t read = 0; read < kRecordsMoved;) {
          const RecordBatch batch = bench.stream.GetRecords(at, 1'000).value();
          for (const Record& record : batch) sum += SumOf(record.data());
          read += static_cast<int64_t>(batch.size());
          at = *batch.next();
        }
      });
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_WriterAndReader)->ArgName("batch")->Arg(1)->Arg(64)->UseRealTime();

void BM_PutOneShard(benchmark::State& state) {
  static Bench* bench = nullptr;
  if (state.thread_index() == 0) bench = new Bench(RingOptions(1));
  const std::string data(kBytes, 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(bench->stream.Put({.partition_key = "session-17", .data = data}));
  }
  if (state.thread_index() == 0) delete bench;
}
BENCHMARK(BM_PutOneShard)->Threads(1)->Threads(2)->UseRealTime();

// --- Growth --------------------------------------------------------------------------------------

void PutAll(benchmark::State& state, const Stream& stream) {
  const NewKeys keys;
  size_t i = 0;
  const std::string data(kBytes, 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(stream.Put({.partition_key = keys[i++], .data = data}));
  }
}

void BM_PutByShards(benchmark::State& state) {
  // All of them in the memory that one has.
  Bench bench({.shards = state.range(0),
               .record_bytes_max = 4 << 10,
               .shard_bytes_max = (256 << 20) / state.range(0)});
  PutAll(state, bench.stream);
}
BENCHMARK(BM_PutByShards)->ArgName("shards")->Arg(1)->Arg(32)->Arg(1'024);

// Into a shard that holds so many records, and lets go of one for each that comes. It has gone round
// before, so that no page is new to the process: what the kernel takes for that is not ours.
void BM_PutByLength(benchmark::State& state) {
  const int64_t records = Quick() ? 10'000 : state.range(0);
  Bench bench({.record_bytes_max = 4 << 10, .shard_bytes_max = 150 * records});
  const std::string data(kBytes, 'x');
  for (int64_t i = 0; i < 2 * records; ++i) {
    benchmark::DoNotOptimize(bench.stream.Put({.partition_key = "session-17", .data = data}));
  }
  PutAll(state, bench.stream);
}
BENCHMARK(BM_PutByLength)->ArgName("records")->Arg(100'000)->Arg(1'000'000)->Arg(5'000'000);

// Batches of ten records, each at another place, pinned while the writer goes round; and as many
// iterators as batches.
void BM_PutByBatchesHeld(benchmark::State& state) {
  Bench bench({.record_bytes_max = 4 << 10, .shard_bytes_max = 256 << 20});
  const std::string data(kBytes, 'x');
  std::vector<RecordBatch> held;
  std::optional<ShardIterator> at;
  for (int64_t i = 0; i < 10 * state.range(0); ++i) {
    benchmark::DoNotOptimize(bench.stream.Put({.partition_key = "session-17", .data = data}));
  }
  at = bench.stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value();
  for (int64_t i = 0; i < state.range(0); ++i) {
    held.push_back(bench.stream.GetRecords(*at, 10).value());
    at = held.back().next();
  }
  PutAll(state, bench.stream);
}
BENCHMARK(BM_PutByBatchesHeld)->ArgName("batches")->Arg(0)->Arg(10)->Arg(10'000);

// A reader thread that reads the oldest records over and over while this one puts.
void BM_PutBesideAFarReader(benchmark::State& state) {
  Bench bench({.record_bytes_max = 4 << 10, .shard_bytes_max = 256 << 20});
  std::atomic<bool> stop{false};
  std::thread reader;
  if (state.range(0) != 0) {
    reader = std::thread([&] {
      const ShardIterator start =
          bench.stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value();
      uint64_t sum = 0;
      while (!stop.load(std::memory_order_relaxed)) {
        const absl::StatusOr<RecordBatch> batch = bench.stream.GetRecords(start, 1'000);
        for (const Record& record : *batch) sum += SumOf(record.data());
      }
      benchmark::DoNotOptimize(sum);
    });
  }
  PutAll(state, bench.stream);
  stop = true;
  if (reader.joinable()) reader.join();
}
BENCHMARK(BM_PutBesideAFarReader)->ArgName("reader")->Arg(0)->Arg(1)->UseRealTime();

// --- Memory --------------------------------------------------------------------------------------

// A shard is filled once round; what it holds beyond keys and data, by record.
void BM_BytesARecord(benchmark::State& state) {
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  double overhead = 0;
  for (auto _ : state) {
    Bench bench({.record_bytes_max = 4 << 10, .shard_bytes_max = 64 << 20});
    const int64_t puts = (48 << 20) / (state.range(0) + 64);
    for (int64_t i = 0; i < puts; ++i) {
      benchmark::DoNotOptimize(bench.stream.Put({.partition_key = "session-17", .data = data}));
    }
    const StreamStats stats = bench.stream.Stats();
    overhead = static_cast<double>(stats.bytes_held) / static_cast<double>(puts) -
               static_cast<double>(data.size() + std::string_view("session-17").size());
  }
  state.counters["overhead"] = overhead;
}
BENCHMARK(BM_BytesARecord)->ArgName("bytes")->Arg(100)->Arg(1'024)->Iterations(3);

// As the allocator of the process counts it; payload memory is not touched by an idle stream.
void BM_IdleStreams(benchmark::State& state) {
  double bytes = 0;
  for (auto _ : state) {
    Bench bench(RingOptions(1));
    const auto before = static_cast<double>(mallinfo2().uordblks);
    std::vector<Stream> streams;
    for (int64_t i = 0; i < state.range(0); ++i) {
      streams.push_back(
          Stream(internal::StreamCore::Create(bench.env, "idle" + std::to_string(i), {})));
    }
    bytes = static_cast<double>(mallinfo2().uordblks) - before;
  }
  state.counters["bytes_each"] = bytes / static_cast<double>(state.range(0));
}
BENCHMARK(BM_IdleStreams)->ArgName("streams")->Arg(1'000)->Iterations(3);

}  // namespace
}  // namespace banyan
