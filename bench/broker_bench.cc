// SPDX-License-Identifier: Apache-2.0
//
// What does a broker cost a program that embeds it? Everything here goes through the public API.
#include <benchmark/benchmark.h>

#include <atomic>
#include <boost/lockfree/queue.hpp>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/consumer.h"

namespace banyan {
namespace {

// A test suite makes one per test: how long does that take? Expect well under 100 microseconds:
// a few allocations and two pages for the fork sentinels, no thread and no timer.
void BM_CreateAndDestroyBroker(benchmark::State& state) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime();
  for (auto _ : state) {
    Broker broker = Broker::Create(*runtime, {}).value();
    benchmark::DoNotOptimize(broker);
  }
}
BENCHMARK(BM_CreateAndDestroyBroker)->Unit(benchmark::kMicrosecond);

// The same with a queue, a topic and a subscription: the smallest wiring that does something.
void BM_CreateWiredBroker(benchmark::State& state) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime();
  for (auto _ : state) {
    Broker broker = Broker::Create(*runtime, {}).value();
    Queue queue = broker.CreateQueue("jobs").value();
    Topic topic = broker.CreateTopic("orders").value();
    benchmark::DoNotOptimize(topic.Subscribe(queue));
  }
}
BENCHMARK(BM_CreateWiredBroker)->Unit(benchmark::kMicrosecond);

// The floor of one message from end to end: its bytes copied once, a pointer to them pushed through
// boost::lockfree::queue and popped. It keeps no id, count, deadline or filter.
void BM_FloorCopyAndHandOff(benchmark::State& state) {
  const std::string body(static_cast<size_t>(state.range(0)), 'x');
  std::string copy(body.size(), ' ');
  boost::lockfree::queue<char*> queue(128);
  for (auto _ : state) {
    std::memcpy(copy.data(), body.data(), body.size());
    benchmark::ClobberMemory();
    char* received = copy.data();
    benchmark::DoNotOptimize(queue.push(received));
    benchmark::DoNotOptimize(queue.pop(received));
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FloorCopyAndHandOff)->ArgName("bytes")->Arg(100)->Arg(100'000);

// One message from end to end on one thread: publish, fan-out to one queue, receive, delete.
// Expect the queue's own cycle plus the topic's part. The publisher's Payload is shared, not
// copied, so the body's size should not show, and a large body should beat the floor's copy.
void BM_PublishReceiveDelete(benchmark::State& state) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime();
  Broker broker = Broker::Create(*runtime, {}).value();
  Queue queue = broker.CreateQueue("jobs").value();
  Topic topic = broker.CreateTopic("orders").value();
  if (!topic.Subscribe(queue, {.raw = true}).ok()) return state.SkipWithError("no subscription");
  const Payload body = std::string(static_cast<size_t>(state.range(0)), 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(topic.Publish({.body = body}));
    const std::vector<Received> received = queue.Receive().value();
    benchmark::DoNotOptimize(received.at(0).Delete());
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_PublishReceiveDelete)->ArgName("bytes")->Arg(100)->Arg(100'000);

// The floor of a consumer on another thread: a number through boost::lockfree::queue. Both sides
// spin while there is nothing to do, which a broker may not.
void BM_FloorHandOffSpinning(benchmark::State& state) {
  constexpr int64_t kBatch = 1'000;
  boost::lockfree::queue<int64_t> queue(2 * kBatch);
  std::atomic<int64_t> handled = 0;
  std::jthread consumer([&](std::stop_token stop) {
    int64_t message = 0;
    while (!stop.stop_requested()) {
      if (queue.pop(message)) handled.fetch_add(1, std::memory_order_release);
    }
  });
  int64_t sent = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < kBatch; ++i) {
      while (!queue.push(i)) {
      }
    }
    sent += kBatch;
    while (handled.load(std::memory_order_acquire) < sent) {
    }
  }
  state.SetItemsProcessed(sent);
}
BENCHMARK(BM_FloorHandOffSpinning)->UseRealTime();

// The same with threads that sleep when there is nothing to do: a deque under a mutex, and a
// condition variable.
void BM_FloorHandOffSleeping(benchmark::State& state) {
  constexpr int64_t kBatch = 1'000;
  std::mutex mu;
  std::condition_variable_any came;
  std::condition_variable_any done;
  std::deque<int64_t> queue;
  int64_t handled = 0;
  std::jthread consumer([&](std::stop_token stop) {
    std::unique_lock lock(mu);
    while (came.wait(lock, stop, [&] { return !queue.empty(); })) {
      queue.pop_front();
      if (++handled % kBatch == 0) done.notify_one();
    }
  });
  int64_t sent = 0;
  for (auto _ : state) {
    for (int64_t i = 0; i < kBatch; ++i) {
      {
        std::unique_lock lock(mu);
        queue.push_back(i);
      }
      came.notify_one();
    }
    sent += kBatch;
    std::unique_lock lock(mu);
    done.wait(lock, [&] { return handled == sent; });
  }
  state.SetItemsProcessed(sent);
}
BENCHMARK(BM_FloorHandOffSleeping)->UseRealTime();

// The same to a consumer on the runtime's threads: how many messages a second does a callback see?
// Expect the sleeping floor, a queue's cycle, and one posted task per batch.
void BM_SendToConsumer(benchmark::State& state) {
  constexpr int64_t kBatch = 1'000;
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  Queue queue = broker.CreateQueue("jobs").value();
  Mutex mu;
  WaitList waiters;
  int64_t handled = 0;
  int64_t sent = 0;
  Consumer consumer = Consumer::Start(queue, {.batch_size = 10, .concurrency = state.range(0)},
                                      [&](const Received&) {
                                        MutexLock lock(&mu);
                                        if (++handled % kBatch == 0) waiters.WakeAll();
                                        return absl::OkStatus();
                                      })
                          .value();
  for (auto _ : state) {
    for (int64_t i = 0; i < kBatch; ++i) benchmark::DoNotOptimize(queue.Send({.body = "x"}));
    sent += kBatch;
    MutexLock lock(&mu);
    runtime->Await(
        mu, waiters, [&] { return handled == sent; }, absl::InfiniteDuration());
  }
  state.SetItemsProcessed(sent);
}
BENCHMARK(BM_SendToConsumer)->ArgName("concurrency")->Arg(1)->Arg(4)->UseRealTime();

}  // namespace
}  // namespace banyan
