// SPDX-License-Identifier: Apache-2.0
//
// Streams: what does a record cost going in and coming out, beside what the machine asks for the
// bare steps? Times are per record where no counter says so. The floors run in the same binary;
// compare within one run. What threads, growth and memory do is in stream_growth_bench.cc.
//
//   Put, a new key each time   one block of MD5 and one copy are unavoidable. Wanted: 1.4 times
//                              FloorMd5Block and FloorMemcpy together.
//   Put, one hot key           its hash is remembered. Wanted: 3 times FloorMemcpy. The clock alone
//                              (FloorClock) is more than that.
//   PutRecords of 64           hashes side by side, one gate, one reading of the clock. Wanted: twice
//                              FloorMd5Lanes and FloorMemcpy together.
//   Append                     the log alone: claim, copy, publish.
//   GetRecords of 100 or more  no copy and no allocation per record: a view each. Wanted: 10 ns a
//                              record in cache, 1.5 times FloorPass from memory.
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/runtime.h"
#include "banyan/stream.h"
#include "base/hash.h"
#include "base/md5_short.h"
#include "benchmark/benchmark.h"
#include "message/environment.h"
#include "stream/core.h"
#include "stream_bench.h"

namespace banyan {
namespace {

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

void BM_FloorMd5Block(benchmark::State& state) {
  const NewKeys keys;
  size_t i = 0;
  for (auto _ : state) benchmark::DoNotOptimize(internal::Md5Short(keys[i++]));
}
BENCHMARK(BM_FloorMd5Block);

void BM_FloorMd5Lanes(benchmark::State& state) {
  const NewKeys keys;
  std::array<std::string_view, internal::kMd5Lanes> texts;
  std::array<internal::Md5Digest, internal::kMd5Lanes> digests;
  for (size_t i = 0; i < texts.size(); ++i) texts[i] = keys[i];
  for (auto _ : state) {
    internal::Md5ShortLanes(texts, digests.data());
    benchmark::DoNotOptimize(digests);
  }
  PerRecord(state, state.iterations() * static_cast<int64_t>(texts.size()));
}
BENCHMARK(BM_FloorMd5Lanes);

void BM_FloorClock(benchmark::State& state) {
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0});
  for (auto _ : state) benchmark::DoNotOptimize(runtime->Read());
}
BENCHMARK(BM_FloorClock);

// A pass over bytes as reading records does it, without records.
void BM_FloorPass(benchmark::State& state) {
  const size_t bytes = static_cast<size_t>(state.range(0));
  const bool cold = state.range(1) != 0;
  const std::string all(static_cast<size_t>(cold ? kColdBytes : kRingBytes / 8), 'x');
  size_t at = 0;
  uint64_t sum = 0;
  for (auto _ : state) {
    if (at + bytes > all.size()) at = 0;
    sum += SumOf({&all[at], bytes});
    at += bytes;
  }
  benchmark::DoNotOptimize(sum);
}
BENCHMARK(BM_FloorPass)
    ->ArgNames({"bytes", "cold"})
    ->Args({100, 0})
    ->Args({100, 1})
    ->Args({1'024, 0})
    ->Args({1'024, 1});

// --- Putting -------------------------------------------------------------------------------------

void BM_PutNewKey(benchmark::State& state) {
  Bench bench(RingOptions(16));
  const NewKeys keys;
  size_t i = 0;
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(bench.stream.Put({.partition_key = keys[i++], .data = data}));
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
  const NewKeys keys;
  const std::string data(static_cast<size_t>(state.range(0)), 'x');
  std::vector<std::vector<PutRequest>> calls(NewKeys::kKeys / 64);
  for (size_t i = 0; i < NewKeys::kKeys; ++i) {
    calls[i / 64].push_back({.partition_key = keys[i], .data = data});
  }
  size_t call = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(bench.stream.PutRecords(calls[call++ % calls.size()]));
  }
  PerRecord(state, state.iterations() * 64);
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
      sum += SumOf(record.data());
    }
    records += static_cast<int64_t>(batch.size());
    at = batch.millis_behind_latest() == 0 ? start : *batch.next();
  }
  benchmark::DoNotOptimize(sum);
  PerRecord(state, records);
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

}  // namespace
}  // namespace banyan
