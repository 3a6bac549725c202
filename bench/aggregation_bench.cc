// SPDX-License-Identifier: Apache-2.0
//
// What does a sub-record of an aggregated record cost? Times are per sub-record where a counter says
// so; the floor runs in the same binary, so compare within one run.
//
//   FloorMd5          the digest that guards the whole, spread over its sub-records: nobody who
//                     writes or reads the format gets around it.
//   Add               the floor, checks and a place in the table for the key, and two copies of the
//                     data: one when it is added, one when all is set together.
//   Deaggregate       the floor and a few varints; no copy. With the range of a shard also the MD5 of
//                     each key, many at a time.
//   DeaggregatePlain  a glance at four bytes.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "banyan/aggregation.h"
#include "banyan/runtime.h"
#include "banyan/stream.h"
#include "base/check.h"
#include "base/hash.h"
#include "benchmark/benchmark.h"
#include "message/environment.h"
#include "stream/core.h"

namespace banyan {
namespace {

constexpr size_t kRecords = 100;
constexpr size_t kDataBytes = 100;

// Every record has a key of its own: the dearer case.
std::vector<std::string> Keys() {
  std::vector<std::string> keys;
  for (size_t i = 0; i < kRecords; ++i) keys.push_back("session-" + std::to_string(10'000'000 + i));
  return keys;
}

void AddAll(Aggregator& pack, const std::vector<std::string>& keys, std::string_view data) {
  for (const std::string& key : keys) {
    const auto answer = pack.Add({.partition_key = key, .data = data});
    BANYAN_CHECK(answer.ok() && *answer == Aggregator::Answer::kAdded, "all of them fit");
  }
}

void PerRecord(benchmark::State& state, size_t records) {
  state.counters["per_record"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(records),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_FloorMd5(benchmark::State& state) {
  Aggregator pack;
  AddAll(pack, Keys(), std::string(kDataBytes, 'x'));
  const std::string data(pack.Request().data);
  for (auto _ : state) benchmark::DoNotOptimize(internal::Md5(data));
  PerRecord(state, kRecords);
}
BENCHMARK(BM_FloorMd5);

void BM_Add(benchmark::State& state) {
  const std::vector<std::string> keys = Keys();
  const std::string data(kDataBytes, 'x');
  Aggregator pack;
  for (auto _ : state) {
    AddAll(pack, keys, data);
    benchmark::DoNotOptimize(pack.Request());
    pack.Clear();
  }
  PerRecord(state, kRecords);
}
BENCHMARK(BM_Add);

// A stream with one aggregated record, or with as many plain ones.
struct Filled {
  explicit Filled(bool aggregated) {
    const std::vector<std::string> keys = Keys();
    const std::string data(kDataBytes, 'x');
    Aggregator pack;
    AddAll(pack, keys, data);
    if (aggregated) {
      BANYAN_CHECK(stream.Put(pack.Request()).ok(), "the stream takes it");
    } else {
      for (const std::string& key : keys) {
        BANYAN_CHECK(stream.Put({.partition_key = key, .data = data}).ok(), "the stream takes it");
      }
    }
    batch = stream.GetRecords(stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value())
                .value();
  }

  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0});
  Stream stream{internal::StreamCore::Create(
      std::make_shared<internal::Environment>(*runtime, Limits::Relaxed(), 7), "bench", {})};
  RecordBatch batch;
};

void Deaggregate(benchmark::State& state, bool aggregated, const HashKeyRange& range) {
  const Filled filled(aggregated);
  for (auto _ : state) {
    const std::vector<SubRecord> records = Deaggregate(filled.batch, range);
    benchmark::DoNotOptimize(records.data());
  }
  PerRecord(state, kRecords);
}

void BM_Deaggregate(benchmark::State& state) { Deaggregate(state, true, {}); }
BENCHMARK(BM_Deaggregate);

void BM_DeaggregateOfAShard(benchmark::State& state) {
  const auto half = HashKeyRange::Of("0", "170141183460469231731687303715884105727");
  Deaggregate(state, true, half.value());
}
BENCHMARK(BM_DeaggregateOfAShard);

void BM_DeaggregatePlain(benchmark::State& state) { Deaggregate(state, false, {}); }
BENCHMARK(BM_DeaggregatePlain);

}  // namespace
}  // namespace banyan
