// SPDX-License-Identifier: Apache-2.0
//
// How does one publish, or one event, grow with those who hear of it?
//
// Expected: a straight line whose slope is one reference count and one queue push, independent of
// the body's size, because fan-out copies no body. Wanted: a slope of at most 1.5 times the floor,
// which is one atomic increment and one push per queue, into a locked deque of pointers; beside it
// a boost::lockfree::queue, which has no room for what a broker must know of a message that rests.
// All of them in turn, round by round; what was published is taken out between the laps, so that
// memory is reused and no lap pays for growth.
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
#include "laps.h"
#include "message/environment.h"
#include "queue/core.h"
#include "route/event_bus_core.h"
#include "route/topic_core.h"

namespace banyan::internal {
namespace {

// In one lap. Then the queues are emptied.
constexpr int64_t kPublishes = 32;

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

  // Takes out everything, without cost to what is measured.
  void Drain() {
    for (const Queue& queue : queues) {
      for (;;) {
        const std::vector<Received> batch = queue.Receive({.max_messages = 10}).value();
        if (batch.empty()) break;
        queue.DeleteBatch(batch).value();
      }
    }
  }
  void DrainIfFull(benchmark::State& state) {
    if (++sent_ < kPublishes) return;
    state.PauseTiming();
    Drain();
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

class LockedShelf {
 public:
  void Push(const void* message) {
    MutexLock lock(&mu_);
    resting_.push_back(message);
  }
  void Drain() {
    MutexLock lock(&mu_);
    resting_.clear();
  }

 private:
  Mutex mu_;
  std::deque<const void*> resting_ ABSL_GUARDED_BY(mu_);
};

class LockfreeShelf {
 public:
  void Push(const void* message) { benchmark::DoNotOptimize(resting_.push(message)); }
  void Drain() {
    const void* message = nullptr;
    while (resting_.pop(message)) {
    }
  }

 private:
  boost::lockfree::queue<const void*> resting_{0};  // nodes are allocated once, and kept
};

template <typename Shelf>
class Shelves {
 public:
  explicit Shelves(int64_t count) {
    for (int64_t i = 0; i < count; ++i) shelves_.push_back(std::make_unique<Shelf>());
  }
  void Publish() {
    for (const auto& shelf : shelves_) {
      references_.fetch_add(1, std::memory_order_relaxed);
      shelf->Push(&references_);
    }
  }
  void Drain() {
    for (const auto& shelf : shelves_) shelf->Drain();
  }

 private:
  std::vector<std::unique_ptr<Shelf>> shelves_;
  std::atomic<int64_t> references_{0};
};

class BanyanFanOut {
 public:
  BanyanFanOut(int64_t queues, size_t bytes, const SubscriptionOptions& options)
      : body_(std::string(bytes, 'x')) {
    house_.AddQueues(queues);
    for (const Queue& queue : house_.queues) house_.topic->Subscribe(queue, options).value();
  }
  void Publish() {
    benchmark::DoNotOptimize(
        house_.topic->Publish({.body = body_, .attributes = {{"tenant", "acme"}}}));
  }
  void Drain() { house_.Drain(); }

 private:
  House house_{Limits::Relaxed()};  // more filter policies than AWS allows
  const Payload body_;
};

// One publish to so many queues. Counters are nanoseconds a publish.
void BM_FanOut(benchmark::State& state) {
  const int64_t queues = state.range(0);
  const auto time = [](auto& subject, Laps& laps) {
    const double seconds = laps.Time(static_cast<size_t>(kPublishes), [&subject] {
      for (int64_t i = 0; i < kPublishes; ++i) subject.Publish();
    });
    subject.Drain();
    return seconds;
  };
  Shelves<LockedShelf> locked(queues);
  Shelves<LockfreeShelf> lockfree(queues);
  BanyanFanOut small(queues, 64, {.raw = true});
  BanyanFanOut large(queues, 64 << 10, {.raw = true});
  BanyanFanOut enveloped(queues, 64, {});
  BanyanFanOut filtered(queues, 64, {.filter_policy = R"({"tenant":["acme"]})", .raw = true});
  Laps locked_laps, lockfree_laps, small_laps, large_laps, enveloped_laps, filtered_laps;
  for (auto _ : state) {
    time(locked, locked_laps);
    time(lockfree, lockfree_laps);
    time(large, large_laps);
    time(enveloped, enveloped_laps);
    time(filtered, filtered_laps);
    state.SetIterationTime(time(small, small_laps));
  }
  state.SetItemsProcessed(state.iterations() * kPublishes * queues);
  state.counters["floor_ns"] = locked_laps.Median();
  state.counters["lockfree_ns"] = lockfree_laps.Median();
  state.counters["raw_ns"] = small_laps.Median();
  state.counters["raw_64K_ns"] = large_laps.Median();
  state.counters["enveloped_ns"] = enveloped_laps.Median();
  state.counters["filtered_ns"] = filtered_laps.Median();
  ReportAtMost(state, "to_floor", small_laps.Median() / locked_laps.Median(), 1.5);
}
BENCHMARK(BM_FanOut)
    ->ArgName("queues")
    ->RangeMultiplier(10)
    ->Range(1, 1'000)
    ->UseManualTime()
    ->Unit(benchmark::kMicrosecond);

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

// One event against rules of which one matches. Expected: flat, for only what its values point to is
// looked at.
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
    house.DrainIfFull(state);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_PutEventAgainstRules)->ArgName("rules")->RangeMultiplier(10)->Range(1, 100);

}  // namespace
}  // namespace banyan::internal
