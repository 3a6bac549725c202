// SPDX-License-Identifier: Apache-2.0
//
// What does one message cost on its way through a queue: send, receive, delete?
//
// Floors in the same run: the bare hand-off of a pointer through boost::lockfree::queue, and
// through a mutex and a deque. Neither keeps a count, a deadline, a receipt or an id.
//
// Expect: in batches a message costs a fraction of a single one, since gate, clock and lock are
// paid once per receive; a queue with a million messages in flight or delayed costs no more than
// twice an empty one; two threads on one queue no more in total than twice one thread, since they
// meet in one lock.
//
// items_per_second counts messages. Bodies are 256 bytes and shared, so that what is measured is
// the queue and not memcpy; BM_CycleCopiedBody copies them as most callers do.
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "banyan/mutex.h"
#include "banyan/queue.h"
#include "banyan/runtime.h"
#include "base/check.h"
#include "benchmark/benchmark.h"
#include "boost/lockfree/queue.hpp"
#include "message/environment.h"
#include "queue/core.h"

namespace banyan::internal {
namespace {

class QueueFixture {
 public:
  explicit QueueFixture(QueueOptions options = {})
      : queue(QueueCore::Create(env, "bench", options)) {}
  ~QueueFixture() { queue.core()->Close(CloseKind::kStopped); }

  void Send(std::optional<absl::Duration> delay = std::nullopt) {
    absl::StatusOr<SendResult> sent = queue.Send({.body = body, .delay = delay});
    BANYAN_CHECK(sent.ok(), "the benchmark's queue takes what it is sent");
  }

  void ReceiveAndDelete(int64_t batch) {
    absl::StatusOr<std::vector<Received>> got = queue.Receive({.max_messages = batch});
    BANYAN_CHECK(got.ok(), "the benchmark's queue answers");
    for (const Received& one : *got) benchmark::DoNotOptimize(one.Delete());
  }

  std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 1, .seed = 1});
  std::shared_ptr<Environment> env = std::make_shared<Environment>(*runtime, Limits::Aws(), 1);
  Queue queue;
  const Payload body = std::string(256, 'x');
};

// --- floors ---------------------------------------------------------------------------------

void BM_FloorLockfreeQueue(benchmark::State& state) {
  boost::lockfree::queue<void*> queue(128);
  void* pointer = &queue;
  for (auto _ : state) {
    queue.push(pointer);
    queue.pop(pointer);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FloorLockfreeQueue);

void BM_FloorMutexAndDeque(benchmark::State& state) {
  Mutex mu;
  std::deque<void*> queue;
  for (auto _ : state) {
    {
      MutexLock lock(&mu);
      queue.push_back(&queue);
    }
    MutexLock lock(&mu);
    benchmark::DoNotOptimize(queue.front());
    queue.pop_front();
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_FloorMutexAndDeque);

// --- the cycle ------------------------------------------------------------------------------

void BM_Cycle(benchmark::State& state) {
  QueueFixture f;
  const int64_t batch = state.range(0);
  for (auto _ : state) {
    for (int64_t i = 0; i < batch; ++i) f.Send();
    f.ReceiveAndDelete(batch);
  }
  state.SetItemsProcessed(state.iterations() * batch);
}
BENCHMARK(BM_Cycle)->ArgName("batch")->Arg(1)->Arg(10);

void BM_CycleCopiedBody(benchmark::State& state) {
  QueueFixture f;
  const std::string text(256, 'x');
  for (auto _ : state) {
    benchmark::DoNotOptimize(f.queue.Send({.body = text}));
    f.ReceiveAndDelete(1);
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(BM_CycleCopiedBody);

// Does a cycle cost more when much rests in the queue? range(0) messages are in flight, as many
// are delayed.
void BM_CycleBesideManyHidden(benchmark::State& state) {
  QueueFixture f({.visibility_timeout = absl::Hours(12)});
  for (int64_t i = 0; i < state.range(0); i += 10) {
    for (int j = 0; j < 10; ++j) {
      f.Send();
      f.Send(absl::Minutes(15));
    }
    BANYAN_CHECK(f.queue.Receive({.max_messages = 10})->size() == 10, "ten were sent");
  }
  for (auto _ : state) {
    for (int i = 0; i < 10; ++i) f.Send();
    f.ReceiveAndDelete(10);
  }
  state.SetItemsProcessed(state.iterations() * 10);
}
BENCHMARK(BM_CycleBesideManyHidden)->ArgName("hidden")->Arg(0)->Arg(100'000);

// Two symmetric threads, each sending, receiving and deleting in batches.
void BM_CycleThreads(benchmark::State& state) {
  static QueueFixture* f = nullptr;
  if (state.thread_index() == 0) f = new QueueFixture();
  for (auto _ : state) {
    for (int i = 0; i < 10; ++i) f->Send();
    f->ReceiveAndDelete(10);
  }
  state.SetItemsProcessed(state.iterations() * 10);
  if (state.thread_index() == 0) delete f;
}
BENCHMARK(BM_CycleThreads)->Threads(1)->Threads(2)->UseRealTime();

// --- what an idle queue costs ---------------------------------------------------------------

void BM_MakeAndCloseQueue(benchmark::State& state) {
  std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 0, .seed = 1});
  auto env = std::make_shared<Environment>(*runtime, Limits::Aws(), 1);
  for (auto _ : state) {
    std::shared_ptr<QueueCore> core = QueueCore::Create(env, "bench", {});
    core->Close(CloseKind::kStopped);
  }
  state.counters["bytes_when_idle"] = static_cast<double>(sizeof(QueueCore));
}
BENCHMARK(BM_MakeAndCloseQueue);

}  // namespace
}  // namespace banyan::internal
