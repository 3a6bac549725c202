// SPDX-License-Identifier: Apache-2.0
//
// Push: what does each further subscriber cost? The records are stored once, so the slope should be
// the hand-off alone: a task posted, a look into the log, a call.
//
//   PushEach      one record, then all subscribers are pushed it. Per subscriber: the slope.
//                 Expected: FloorPostAndRun plus a read (BM_GetNothing and some of stream_bench)
//                 plus some 200 ns for locks and timers.
//   PushBatch     100 records at a time: the hand-off is shared, what remains is the reading.
//   PutToWaiting  the writer's part alone: it posts one task, however many wait. Expected: level
//                 from 1 to 100, and 0 plus one task. With two clock readings.
//   FloorHandoff  what a ring between writer and subscriber would take for a record, before anybody
//                 is woken: an owned object in and out of a Boost.Lockfree queue.
//
// All on one thread, which polls the runtime: times do not hide in waiting, nor in other cores.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "banyan/runtime.h"
#include "banyan/stream_consumer.h"
#include "base/handoff.h"
#include "benchmark/benchmark.h"
#include "laps.h"
#include "message/environment.h"
#include "stream/core.h"

namespace banyan {
namespace {

class Bench {
 public:
  explicit Bench(int64_t subscribers) {
    env_ = std::make_shared<internal::Environment>(*runtime_, Limits::Relaxed(), 7);
    stream_ = Stream(internal::StreamCore::Create(
        env_, "bench", {.record_bytes_max = 16 << 10, .shard_bytes_max = 16 << 20}));
    for (int64_t i = 0; i < subscribers; ++i) {
      const StreamConsumer consumer = stream_.RegisterConsumer("c" + std::to_string(i)).value();
      pushes_.push_back(consumer
                            .SubscribeToShard(ShardId{0}, StartAt::Latest(),
                                              [this](const ShardEvent& event) {
                                                for (const Record& record : event.batch) {
                                                  benchmark::DoNotOptimize(record.data().back());
                                                }
                                                got_ += static_cast<int64_t>(event.batch.size());
                                                return absl::OkStatus();
                                              })
                            .value());
    }
    RunAll();
  }

  void Put() {
    benchmark::DoNotOptimize(
        stream_.Put({.partition_key = "session-17", .data = data_, .explicit_hash_key = "1"}));
  }
  void RunAll() {
    while (runtime_->Poll() > 0) {
    }
  }
  int64_t got() const { return got_; }

 private:
  const std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 0});
  const std::string data_ = std::string(100, 'x');
  int64_t got_ = 0;
  std::shared_ptr<internal::Environment> env_;
  Stream stream_;
  std::vector<ShardSubscription> pushes_;
};

// --- Floors --------------------------------------------------------------------------------------

void BM_FloorPostAndRun(benchmark::State& state) {
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0});
  int64_t ran = 0;
  for (auto _ : state) {
    runtime->Post([&ran] { ++ran; });
    runtime->Poll();
  }
  if (ran != state.iterations()) WrongAnswer("a task did not run");
}
BENCHMARK(BM_FloorPostAndRun);

void BM_FloorHandoff(benchmark::State& state) {
  internal::Handoff<Record*> ring(1'024);
  for (auto _ : state) {
    auto in = std::make_unique<Record*>(nullptr);
    ring.TryPush(in);
    benchmark::DoNotOptimize(ring.TryPop());
  }
}
BENCHMARK(BM_FloorHandoff);

// --- The slope -----------------------------------------------------------------------------------

void PushInBatches(benchmark::State& state, int64_t records) {
  const int64_t subscribers = state.range(0);
  Bench bench(subscribers);
  for (auto _ : state) {
    for (int64_t i = 0; i < records; ++i) bench.Put();
    bench.RunAll();
  }
  const int64_t wanted = state.iterations() * records * subscribers;
  if (bench.got() != wanted) WrongAnswer("a subscriber was not pushed everything");
  state.counters["per_push"] = benchmark::Counter(
      static_cast<double>(wanted), benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void BM_PushEach(benchmark::State& state) { PushInBatches(state, 1); }
BENCHMARK(BM_PushEach)->ArgName("subscribers")->Arg(0)->Arg(1)->Arg(10)->Arg(100);

void BM_PushBatch(benchmark::State& state) { PushInBatches(state, 100); }
BENCHMARK(BM_PushBatch)->ArgName("subscribers")->Arg(0)->Arg(1)->Arg(10)->Arg(100);

// --- The writer's part ---------------------------------------------------------------------------

void BM_PutToWaiting(benchmark::State& state) {
  Bench bench(state.range(0));
  for (auto _ : state) {
    constexpr size_t kRounds = 100;
    double seconds = 0;
    for (size_t i = 0; i < kRounds; ++i) {
      const int64_t began = WallNs();
      bench.Put();
      seconds += static_cast<double>(WallNs() - began) / 1e9;
      bench.RunAll();
    }
    state.SetIterationTime(seconds / kRounds);
  }
}
BENCHMARK(BM_PutToWaiting)
    ->ArgName("subscribers")
    ->Arg(0)
    ->Arg(1)
    ->Arg(10)
    ->Arg(100)
    ->Iterations(100)  // the pushes that are not timed take most of it
    ->UseManualTime();

}  // namespace
}  // namespace banyan
