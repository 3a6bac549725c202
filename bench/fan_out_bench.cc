// SPDX-License-Identifier: Apache-2.0
//
// How does one publish, or one event, grow with those who hear of it?
//
// Expected: a straight line whose slope is one reference count and one queue push, independent of
// the body's size, because fan-out copies no body. The floors, in the same binary: one atomic
// increment and one push per queue, into a locked deque or a boost::lockfree::queue.
#include <atomic>
#include <boost/lockfree/queue.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "banyan/event_bus.h"
#include "banyan/mutex.h"
#include "banyan/queue.h"
#include "banyan/runtime.h"
#include "banyan/topic.h"
#include "benchmark/benchmark.h"
#include "message/environment.h"
#include "queue/core.h"
#include "route/event_bus_core.h"
#include "route/topic_core.h"

namespace banyan::internal {
namespace {

// Queues are purged, with the clock stopped, before they hold more than this.
constexpr int64_t kRestingMax = 4'096;

class House {
 public:
  explicit House(const Limits& limits = Limits::Aws())
      : env(std::make_shared<Environment>(*runtime, limits, 1)) {}
  ~House() {
    topic->Close(CloseKind::kStopped);
    bus->Close(CloseKind::kStopped);
    for (const Queue& queue : queues) queue.core()->Close(CloseKind::kStopped);
  }

  void AddQueues(int64_t count) {
    for (int64_t i = 0; i < count; ++i) {
      queues.emplace_back(QueueCore::Create(env, "q" + std::to_string(i), {}));
    }
  }

  void PurgeIfFull(benchmark::State& state) {
    if (++sent_ < kRestingMax) return;
    state.PauseTiming();
    for (const Queue& queue : queues) queue.Purge().IgnoreError();
    sent_ = 0;
    state.ResumeTiming();
  }

  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 0});
  const std::shared_ptr<Environment> env;
  const std::shared_ptr<TopicCore> topic = TopicCore::Create(env, "t", {});
  const std::shared_ptr<EventBusCore> bus = EventBusCore::Create(env, "b", {});
  std::vector<Queue> queues;

 private:
  int64_t sent_ = 0;
};

// The floor of a fan-out: per queue one reference counted and one push under a lock.
void BM_FanOutFloor(benchmark::State& state) {
  struct Shelf {
    Mutex mu;
    std::deque<const void*> resting ABSL_GUARDED_BY(mu);
  };
  std::vector<std::unique_ptr<Shelf>> shelves;
  for (int64_t i = 0; i < state.range(0); ++i) shelves.push_back(std::make_unique<Shelf>());
  std::atomic<int64_t> references{0};
  int64_t sent = 0;
  for (auto _ : state) {
    for (const auto& shelf : shelves) {
      references.fetch_add(1, std::memory_order_relaxed);
      MutexLock lock(&shelf->mu);
      shelf->resting.push_back(&references);
    }
    if (++sent < kRestingMax) continue;
    state.PauseTiming();
    for (const auto& shelf : shelves) {
      MutexLock lock(&shelf->mu);
      shelf->resting.clear();
    }
    sent = 0;
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_FanOutFloor)->ArgName("queues")->RangeMultiplier(10)->Range(1, 1'000);

// The same with a lock-free queue for each: no lock, and no room for what a broker must know of a
// message that rests.
void BM_FanOutFloorLockfree(benchmark::State& state) {
  using Shelf = boost::lockfree::queue<const void*>;
  std::vector<std::unique_ptr<Shelf>> shelves;
  // Nodes are allocated as they are needed, and kept.
  for (int64_t i = 0; i < state.range(0); ++i) shelves.push_back(std::make_unique<Shelf>(0));
  std::atomic<int64_t> references{0};
  int64_t sent = 0;
  for (auto _ : state) {
    for (const auto& shelf : shelves) {
      references.fetch_add(1, std::memory_order_relaxed);
      benchmark::DoNotOptimize(shelf->push(&references));
    }
    if (++sent < kRestingMax) continue;
    state.PauseTiming();
    for (const auto& shelf : shelves) {
      const void* message = nullptr;
      while (shelf->pop(message)) {
      }
    }
    sent = 0;
    state.ResumeTiming();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_FanOutFloorLockfree)->ArgName("queues")->RangeMultiplier(10)->Range(1, 1'000);

// One publish to queues that all want it. Items are deliveries, not publishes.
void FanOut(benchmark::State& state, const SubscriptionOptions& options) {
  House house;
  house.AddQueues(state.range(0));
  for (const Queue& queue : house.queues) house.topic->Subscribe(queue, options).value();
  const Payload body(std::string(static_cast<size_t>(state.range(1)), 'x'));
  const Topic topic(house.topic);
  for (auto _ : state) {
    benchmark::DoNotOptimize(topic.Publish({.body = body, .attributes = {{"tenant", "acme"}}}));
    house.PurgeIfFull(state);
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void BM_FanOutRaw(benchmark::State& state) { FanOut(state, {.raw = true}); }
void BM_FanOutEnveloped(benchmark::State& state) { FanOut(state, {}); }
void Sizes(benchmark::internal::Benchmark* b) {
  b->ArgNames({"queues", "bytes"})->ArgsProduct({{1, 10, 100, 1'000}, {64, 64 << 10}});
}
BENCHMARK(BM_FanOutRaw)->Apply(Sizes);
BENCHMARK(BM_FanOutEnveloped)->Apply(Sizes);

// The worst case of filters: each subscription has a policy and none passes.
void BM_PublishToFiltersThatAllStopIt(benchmark::State& state) {
  House house(Limits::Relaxed());  // more filter policies than AWS allows
  house.AddQueues(state.range(0));
  for (const Queue& queue : house.queues) {
    house.topic->Subscribe(queue, {.filter_policy = R"({"tenant":["other"]})", .raw = true})
        .value();
  }
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        house.topic->Publish({.body = "body", .attributes = {{"tenant", "acme"}}}));
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_PublishToFiltersThatAllStopIt)
    ->ArgName("subscriptions")
    ->RangeMultiplier(10)
    ->Range(1, 1'000);

// From Publish to a settled message: publish, receive, delete, on one thread.
void BM_PublishReceiveDelete(benchmark::State& state) {
  House house;
  house.AddQueues(1);
  house.topic->Subscribe(house.queues[0], {.raw = true}).value();
  const Payload body(std::string(static_cast<size_t>(state.range(0)), 'x'));
  for (auto _ : state) {
    benchmark::DoNotOptimize(house.topic->Publish({.body = body}));
    const auto batch = house.queues[0].Receive();
    batch->front().Delete().IgnoreError();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_PublishReceiveDelete)->ArgName("bytes")->Arg(64)->Arg(64 << 10);

// One event against rules of which one matches. The interpreter looks at every rule, so this is a
// straight line; the fast matcher is to make it flat.
void BM_PutEventAgainstRules(benchmark::State& state) {
  House house;
  house.AddQueues(1);
  for (int64_t i = 0; i < state.range(0); ++i) {
    house.bus
        ->PutRule("r" + std::to_string(i),
                  {.pattern = R"({"source":["shop.orders"],"detail":{"total":[)" +
                              std::to_string(i) + "]}}",
                   .targets = {house.queues[0]}})
        .value();
  }
  const EventEntry entry = {.source = "shop.orders",
                            .detail_type = "OrderPlaced",
                            .detail = R"({"id":"o-1","total":0,"items":[{"sku":"a","n":1}]})"};
  for (auto _ : state) {
    benchmark::DoNotOptimize(house.bus->Put(entry));
    house.PurgeIfFull(state);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_PutEventAgainstRules)->ArgName("rules")->RangeMultiplier(10)->Range(1, 100);

}  // namespace
}  // namespace banyan::internal
