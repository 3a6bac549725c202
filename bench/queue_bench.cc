// SPDX-License-Identifier: Apache-2.0
//
// What does a message cost on its way through a queue (send, receive, delete), beside what one
// would write by hand, and does that change when the queue is full of others?
//
//   question                                              target
//   one thread, one at a time                             at most 5 times boost::lockfree::queue's
//                                                           push and pop of a pointer, and at most
//                                                           twice the naive queue
//   one thread, in tens, per message                      at most 1.2 times the same push and pop;
//                                                           at most half the naive queue
//   a producer and a consumer on two threads, in tens     at most the mutex and deque's hand-off
//   two threads that do both, in tens                     no slower in total than one
//   a FIFO queue with 1,000 groups, in tens               at most 2.5 times a standard queue
//   beside 10 million resting, 1 million in flight,       at most twice a small queue
//     100,000 groups or 100,000 delayed
//
// The peers are those of queue_peers.h. Bodies have 256 bytes and are copied by the send, except
// where a million rest. Banyan goes through its public API; the hand-offs hand over a pointer.
//
// Each round runs all of them in turn; the figures are medians of nanoseconds per message: of the
// processor's time of the one thread, or of the wall where there are two, so that figures of two
// threads want an idle machine with two processors at least.
#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "banyan/queue.h"
#include "banyan/runtime.h"
#include "benchmark/benchmark.h"
#include "laps.h"
#include "message/environment.h"
#include "queue/core.h"
#include "queue_peers.h"

namespace banyan::internal {
namespace {

constexpr int64_t kBatch = 10;
constexpr int64_t kCyclesPerLap = 20'000;
constexpr int64_t kVisibilityNs = int64_t{30} * 1'000'000'000;

std::string_view Body() {
  static const std::string& body = *new std::string(256, 'x');
  return body;
}

// --- four ways to pass messages on ----------------------------------------------------------
// Send(n): that many. Settle(n): takes up to so many and is done with them; answers how many.

template <typename HandOff>
class HandOffCycle {
 public:
  void Send(int64_t n) {
    if (n == 1) return queue_.Push(this);
    const std::array<void*, kBatch> pointers = {this};
    queue_.PushBatch(absl::MakeConstSpan(pointers.data(), static_cast<size_t>(n)));
  }

  int64_t Settle(int64_t n) {
    std::array<void*, kBatch> pointers;
    const size_t popped = queue_.PopBatch(absl::MakeSpan(pointers.data(), static_cast<size_t>(n)));
    benchmark::DoNotOptimize(pointers);
    return static_cast<int64_t>(popped);
  }

 private:
  HandOff queue_;
};

class NaiveCycle {
 public:
  void Send(int64_t n) {
    if (n == 1) return queue_.Send(Body());
    const std::vector<std::string_view> bodies(static_cast<size_t>(n), Body());
    queue_.SendBatch(bodies);
  }

  int64_t Settle(int64_t n) {
    const std::vector<NaiveQueue::Taken> taken =
        queue_.Receive(static_cast<size_t>(n), WallNs(), kVisibilityNs);
    if (n == 1) {
      for (const NaiveQueue::Taken& one : taken) queue_.Delete(one.receipt);
    } else if (!taken.empty()) {
      queue_.DeleteBatch(taken);
    }
    return static_cast<int64_t>(taken.size());
  }

 private:
  NaiveQueue queue_;
};

class BanyanCycle {
 public:
  // `groups` of a FIFO queue, whose messages take turns among them.
  explicit BanyanCycle(const QueueOptions& options = {}, int64_t groups = 0)
      : queue_(QueueCore::Create(env_, options.fifo ? "bench.fifo" : "bench", options)) {
    for (int64_t i = 0; i < groups; ++i) groups_.push_back("group-" + std::to_string(i));
  }
  BanyanCycle(const BanyanCycle&) = delete;
  BanyanCycle& operator=(const BanyanCycle&) = delete;
  ~BanyanCycle() { queue_.core()->Close(CloseKind::kStopped); }

  void Send(int64_t n) {
    if (n == 1) {
      if (!queue_.Send(Request(Body())).ok()) WrongAnswer("a message is refused");
      return;
    }
    std::vector<SendRequest> requests;
    requests.reserve(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) requests.push_back(Request(Body()));
    const auto sent = queue_.SendBatch(std::move(requests));
    if (!sent.ok() || !sent->back().ok()) WrongAnswer("a batch is refused");
  }

  int64_t Settle(int64_t n) {
    const std::vector<Received> taken = Take(n);
    if (n == 1) {
      for (const Received& one : taken) {
        if (!one.Delete().ok()) WrongAnswer("a message is not deleted");
      }
    } else if (!taken.empty()) {
      const auto deleted = queue_.DeleteBatch(taken);
      if (!deleted.ok() || !deleted->back().ok()) WrongAnswer("a batch is not deleted");
    }
    return static_cast<int64_t>(taken.size());
  }

  // Up to ten at a time, until `n` are in flight.
  void Hold(int64_t n) {
    for (int64_t held = 0; held < n;) {
      const auto taken = static_cast<int64_t>(Take(std::min(n - held, kBatch)).size());
      if (taken == 0) WrongAnswer("not enough to hold");
      held += taken;
    }
  }

  // Each with a body of its own, as the messages have that take their place: else the queue would
  // grow while it is measured.
  void Fill(int64_t n, std::optional<absl::Duration> delay = std::nullopt) {
    for (int64_t sent = 0; sent < n;) {
      std::vector<SendRequest> requests;
      for (; sent < n && static_cast<int64_t>(requests.size()) < kBatch; ++sent) {
        requests.push_back(Request(Body()));
        requests.back().delay = delay;
      }
      const auto answers = queue_.SendBatch(std::move(requests));
      if (!answers.ok() || !answers->back().ok()) WrongAnswer("a batch is refused");
    }
  }

  QueueDepth Depth() const { return queue_.Depth(); }

 private:
  std::vector<Received> Take(int64_t n) {
    absl::StatusOr<std::vector<Received>> taken = queue_.Receive({.max_messages = n});
    if (!taken.ok()) WrongAnswer("a receive fails");
    return *std::move(taken);
  }

  SendRequest Request(Payload body) {
    SendRequest request;
    request.body = std::move(body);
    if (!groups_.empty()) {
      const uint64_t n = sent_++;
      request.message_group_id = groups_[n % groups_.size()];
      request.message_deduplication_id = ShortText(n);
    }
    return request;
  }

  // Different for each number, and short: what an id costs its maker is not the question.
  static std::string ShortText(uint64_t n) {
    std::string text;
    for (; n > 0 || text.empty(); n >>= 6) text.push_back(static_cast<char>('0' + (n & 63)));
    return text;
  }

  std::unique_ptr<Runtime> runtime_ = NewThreadedRuntime({.threads = 1, .seed = 1});
  std::shared_ptr<Environment> env_ = std::make_shared<Environment>(*runtime_, Limits::Aws(), 1);
  Queue queue_;
  std::vector<std::string> groups_;
  uint64_t sent_ = 0;
};

// --- one thread -----------------------------------------------------------------------------

template <typename Cycle>
void RunCycles(Cycle& cycle, int64_t messages, int64_t batch) {
  for (int64_t done = 0; done < messages; done += batch) {
    cycle.Send(batch);
    if (cycle.Settle(batch) != batch) WrongAnswer("what was sent does not come");
  }
}

void BM_Cycle(benchmark::State& state) {
  const int64_t batch = state.range(0);
  const int64_t messages = Size(state, kCyclesPerLap);
  HandOffCycle<HandOffLockfree> lockfree;
  HandOffCycle<HandOffMutexDeque> mutex_deque;
  NaiveCycle naive;
  BanyanCycle banyan;
  Laps lockfree_laps, mutex_deque_laps, naive_laps, banyan_laps;
  const auto lap = [&](auto& cycle, Laps& laps) {
    return laps.Time(static_cast<size_t>(messages), [&] { RunCycles(cycle, messages, batch); });
  };
  for (auto _ : state) {
    lap(lockfree, lockfree_laps);
    lap(mutex_deque, mutex_deque_laps);
    lap(naive, naive_laps);
    state.SetIterationTime(lap(banyan, banyan_laps));
  }
  state.SetItemsProcessed(state.iterations() * messages);
  state.counters["lockfree_ns"] = lockfree_laps.Median();
  state.counters["mutex_deque_ns"] = mutex_deque_laps.Median();
  state.counters["naive_ns"] = naive_laps.Median();
  state.counters["banyan_ns"] = banyan_laps.Median();
  // The floor is the single push and pop, which for this queue a batch only repeats.
  ReportAtMost(state, "to_lockfree", banyan_laps.Median() / lockfree_laps.Median(),
               batch == 1 ? 5 : 1.2);
  ReportAtMost(state, "to_naive", banyan_laps.Median() / naive_laps.Median(), batch == 1 ? 2 : 0.5);
}
BENCHMARK(BM_Cycle)->ArgName("batch")->Arg(1)->Arg(kBatch)->UseManualTime()->Unit(
    benchmark::kMillisecond);

// --- two threads ----------------------------------------------------------------------------

// Runs `work` on two threads, with the numbers 0 and 1; they begin together. Answers seconds.
template <typename Work>
double TimeTwoThreads(Laps& laps, int64_t messages, Work&& work) {
  std::atomic<int> ready = 0;
  std::atomic<bool> go = false;
  const auto run = [&](int number) {
    ready.fetch_add(1);
    while (!go.load()) std::this_thread::yield();
    work(number);
  };
  std::thread first(run, 0), second(run, 1);
  while (ready.load() < 2) std::this_thread::yield();
  return laps.Time(static_cast<size_t>(messages), [&] {
    go.store(true);
    first.join();
    second.join();
  });
}

// The producer is never more than this ahead, so that what is measured is the meeting of two
// threads and not the growth of a heap.
constexpr int64_t kAheadMax = 1'000;

template <typename Cycle>
double ProduceAndConsume(Laps& laps, Cycle& cycle, int64_t messages) {
  alignas(64) std::atomic<int64_t> settled = 0;
  return TimeTwoThreads(laps, messages, [&](int number) {
    if (number == 0) {
      for (int64_t sent = 0; sent < messages; sent += kBatch) {
        while (sent - settled.load(std::memory_order_relaxed) > kAheadMax) {
          std::this_thread::yield();
        }
        cycle.Send(kBatch);
      }
    } else {
      for (int64_t done = 0; done < messages;) {
        const int64_t n = cycle.Settle(kBatch);
        if (n == 0) std::this_thread::yield();
        done += n;
        settled.store(done, std::memory_order_relaxed);
      }
    }
  });
}

void BM_ProducerAndConsumer(benchmark::State& state) {
  const int64_t messages = Size(state, 10 * kCyclesPerLap);
  HandOffCycle<HandOffLockfree> lockfree;
  HandOffCycle<HandOffMutexDeque> mutex_deque;
  NaiveCycle naive;
  BanyanCycle banyan;
  Laps lockfree_laps(WallNs), mutex_deque_laps(WallNs), naive_laps(WallNs), banyan_laps(WallNs);
  for (auto _ : state) {
    ProduceAndConsume(lockfree_laps, lockfree, messages);
    ProduceAndConsume(mutex_deque_laps, mutex_deque, messages);
    ProduceAndConsume(naive_laps, naive, messages);
    state.SetIterationTime(ProduceAndConsume(banyan_laps, banyan, messages));
  }
  if (banyan.Depth().total() != 0) WrongAnswer("something is left");
  state.SetItemsProcessed(state.iterations() * messages);
  state.counters["lockfree_ns"] = lockfree_laps.Median();
  state.counters["mutex_deque_ns"] = mutex_deque_laps.Median();
  state.counters["naive_ns"] = naive_laps.Median();
  state.counters["banyan_ns"] = banyan_laps.Median();
  ReportAtMost(state, "to_mutex_deque", banyan_laps.Median() / mutex_deque_laps.Median(), 1);
}
BENCHMARK(BM_ProducerAndConsumer)->UseManualTime()->Unit(benchmark::kMillisecond);

// Both threads send ten and settle ten, until each has settled its half.
template <typename Cycle>
double BothDoBoth(Laps& laps, Cycle& cycle, int64_t messages) {
  return TimeTwoThreads(laps, messages, [&](int) {
    for (int64_t sent = 0, settled = 0; settled < messages / 2;) {
      if (sent < messages / 2) {
        cycle.Send(kBatch);
        sent += kBatch;
      }
      // One may take what the other sent; what it then lacks at the end was taken by that one.
      const int64_t n = cycle.Settle(std::min(kBatch, messages / 2 - settled));
      if (n == 0) std::this_thread::yield();
      settled += n;
    }
  });
}

void BM_TwoSymmetricThreads(benchmark::State& state) {
  const int64_t messages = Size(state, 10 * kCyclesPerLap);
  HandOffCycle<HandOffLockfree> lockfree;
  HandOffCycle<HandOffMutexDeque> mutex_deque;
  NaiveCycle naive;
  BanyanCycle banyan;
  struct Pair {
    Laps one{WallNs}, two{WallNs};
  };
  Pair lockfree_laps, mutex_deque_laps, naive_laps, banyan_laps;
  const auto lap = [&](auto& cycle, Pair& laps) {
    laps.one.Time(static_cast<size_t>(messages), [&] { RunCycles(cycle, messages, kBatch); });
    return BothDoBoth(laps.two, cycle, messages);
  };
  for (auto _ : state) {
    lap(lockfree, lockfree_laps);
    lap(mutex_deque, mutex_deque_laps);
    lap(naive, naive_laps);
    state.SetIterationTime(lap(banyan, banyan_laps));
  }
  if (banyan.Depth().total() != 0) WrongAnswer("something is left");
  state.SetItemsProcessed(state.iterations() * messages);
  state.counters["lockfree_ns"] = lockfree_laps.two.Median();
  state.counters["mutex_deque_ns"] = mutex_deque_laps.two.Median();
  state.counters["naive_ns"] = naive_laps.two.Median();
  state.counters["banyan_ns"] = banyan_laps.two.Median();
  state.counters["banyan_alone_ns"] = banyan_laps.one.Median();
  ReportAtMost(state, "to_one_thread", banyan_laps.two.Median() / banyan_laps.one.Median(), 1);
}
BENCHMARK(BM_TwoSymmetricThreads)->UseManualTime()->Unit(benchmark::kMillisecond);

// --- FIFO -----------------------------------------------------------------------------------

// Both queues hold a message for each group throughout. "ids": live ones in the deduplication
// window before the first round; each message adds one.
void BM_FifoToStandard(benchmark::State& state) {
  const int64_t groups = Size(state, 1'000);
  const int64_t ids = Size(state, state.range(0));
  const int64_t messages = Size(state, kCyclesPerLap);
  BanyanCycle standard;
  BanyanCycle fifo({.fifo = true}, groups);
  RunCycles(fifo, ids, kBatch);
  standard.Fill(groups);
  fifo.Fill(groups);
  Laps standard_laps, fifo_laps;
  for (auto _ : state) {
    standard_laps.Time(static_cast<size_t>(messages),
                       [&] { RunCycles(standard, messages, kBatch); });
    state.SetIterationTime(
        fifo_laps.Time(static_cast<size_t>(messages), [&] { RunCycles(fifo, messages, kBatch); }));
  }
  state.SetItemsProcessed(state.iterations() * messages);
  state.counters["standard_ns"] = standard_laps.Median();
  state.counters["fifo_ns"] = fifo_laps.Median();
  ReportAtMost(state, "ratio", fifo_laps.Median() / standard_laps.Median(), 2.5);
}
BENCHMARK(BM_FifoToStandard)
    ->ArgName("ids")
    ->Arg(0)
    ->Arg(1'000'000)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// --- growth ---------------------------------------------------------------------------------

enum What : int64_t { kResting, kInFlight, kGroups, kDelayed };

// A queue with `many` of that and, if they cannot be received, a thousand that can.
std::unique_ptr<BanyanCycle> QueueWith(What what, int64_t many) {
  constexpr int64_t kVisible = 1'000;
  // Beyond what AWS allows, where the question asks for more.
  QueueOptions options = {.visibility_timeout = absl::Hours(12),
                          .in_flight_max = 2'000'000,
                          .fifo = what == kGroups,
                          .messages_max = 20'000'000};
  auto queue = std::make_unique<BanyanCycle>(options, what == kGroups ? many : 0);
  switch (what) {
    case kResting:
    case kGroups:
      queue->Fill(many);
      break;
    case kInFlight:
      queue->Fill(many + kVisible);
      queue->Hold(many);
      break;
    case kDelayed:
      queue->Fill(many, absl::Minutes(15));
      queue->Fill(kVisible);
      break;
  }
  return queue;
}

// what 0: resting; 1: in flight; 2: FIFO groups with a message each; 3: delayed.
void BM_BesideMany(benchmark::State& state) {
  const auto what = static_cast<What>(state.range(0));
  const int64_t many = Size(state, state.range(1));
  const int64_t messages = Size(state, kCyclesPerLap);
  const int64_t batch = state.range(2);
  const std::unique_ptr<BanyanCycle> small = QueueWith(what, 100);
  const std::unique_ptr<BanyanCycle> large = QueueWith(what, many);
  Laps small_laps, large_laps;
  const auto lap = [&](BanyanCycle& queue, Laps& laps) {
    return laps.Time(static_cast<size_t>(messages), [&] { RunCycles(queue, messages, batch); });
  };
  for (auto _ : state) {
    lap(*small, small_laps);
    state.SetIterationTime(lap(*large, large_laps));
  }
  state.SetItemsProcessed(state.iterations() * messages);
  state.counters["small_ns"] = small_laps.Median();
  state.counters["large_ns"] = large_laps.Median();
  ReportAtMost(state, "ratio", large_laps.Median() / small_laps.Median(), 2);
}
BENCHMARK(BM_BesideMany)
    ->ArgNames({"what", "many", "batch"})
    ->ArgsProduct({{kResting}, {10'000'000}, {1, kBatch}})
    ->ArgsProduct({{kInFlight}, {1'000'000}, {1, kBatch}})
    ->ArgsProduct({{kGroups}, {100'000}, {1, kBatch}})
    ->ArgsProduct({{kDelayed}, {100'000}, {1, kBatch}})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond);

// --- an idle queue --------------------------------------------------------------------------

void BM_MakeAndCloseQueue(benchmark::State& state) {
  std::unique_ptr<Runtime> runtime = NewThreadedRuntime({.threads = 0, .seed = 1});
  auto env = std::make_shared<Environment>(*runtime, Limits::Aws(), 1);
  for (auto _ : state) {
    std::shared_ptr<QueueCore> core = QueueCore::Create(env, "bench", {});
    core->Close(CloseKind::kStopped);
  }
}
BENCHMARK(BM_MakeAndCloseQueue);

}  // namespace
}  // namespace banyan::internal
