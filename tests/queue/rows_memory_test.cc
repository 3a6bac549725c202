// SPDX-License-Identifier: Apache-2.0
//
// What users of other tools found about memory and idle work, by the numbers of the findings (56 to
// 64). Memory is counted in bytes that operator new has given out and not got back, wake-ups by a
// runtime that counts; no test looks at how long something took. Bodies, which have an allocator of
// their own, are left out of the count.
#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "rows_testing.h"

namespace {
std::atomic<int64_t> live_bytes{0};
}  // namespace

#ifndef BANYAN_SANITIZER
// For the whole test program. The sanitizers bring their own.
namespace {
void* Counted(void* block) {
  if (block == nullptr) std::abort();
  live_bytes.fetch_add(static_cast<int64_t>(malloc_usable_size(block)), std::memory_order_relaxed);
  return block;
}
void Uncount(void* block) noexcept {
  live_bytes.fetch_sub(static_cast<int64_t>(malloc_usable_size(block)), std::memory_order_relaxed);
  std::free(block);
}
}  // namespace

void* operator new(size_t size) { return Counted(std::malloc(size)); }
void* operator new(size_t size, std::align_val_t align) {
  const size_t unit = static_cast<size_t>(align);
  return Counted(std::aligned_alloc(unit, (size + unit - 1) / unit * unit));
}
void operator delete(void* block) noexcept { Uncount(block); }
void operator delete(void* block, size_t) noexcept { Uncount(block); }
void operator delete(void* block, std::align_val_t) noexcept { Uncount(block); }
void operator delete(void* block, size_t, std::align_val_t) noexcept { Uncount(block); }
#endif

namespace banyan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

#ifdef BANYAN_SANITIZER
constexpr bool kCountsMemory = false;
constexpr int kManyMessages = 20'000;
#else
constexpr bool kCountsMemory = true;
constexpr int kManyMessages = 216'000;  // as many as in the report
#endif

// Another runtime, and how much it was asked to do.
class CountingRuntime final : public Runtime {
 public:
  explicit CountingRuntime(Runtime& inner) : inner_(inner) {}

  Instant Read() override { return inner_.Read(); }
  uint64_t Random() override { return inner_.Random(); }
  void Post(Task task) override {
    posts.fetch_add(1);
    inner_.Post(std::move(task));
  }
  TimerId PostAt(absl::Duration uptime, Task task) override {
    posts.fetch_add(1);
    return inner_.PostAt(uptime, std::move(task));
  }
  bool Cancel(TimerId timer) override { return inner_.Cancel(timer); }
  bool Await(Mutex& mu, WaitList& waiters, absl::FunctionRef<bool()> ready, absl::Duration deadline,
             std::stop_token stop = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) override {
    waits.fetch_add(1);
    const bool answer = inner_.Await(
        mu, waiters,
        [&] {
          looks.fetch_add(1);
          return ready();
        },
        deadline, std::move(stop));
    waits_over.fetch_add(1);
    return answer;
  }

  std::atomic<int> posts{0};
  std::atomic<int> waits{0};
  std::atomic<int> waits_over{0};
  std::atomic<int> looks{0};  // how often a sleeper looked whether there is something

 private:
  Runtime& inner_;
};

#define SKIP_IF_MEMORY_IS_NOT_COUNTED() \
  if (!kCountsMemory) GTEST_SKIP() << "a sanitizer's allocator does not count"

TEST_F(QueueRows, A56_EmptyLongPollsLeaveNothingBehind) {
  SKIP_IF_MEMORY_IS_NOT_COUNTED();
  const Queue standard = Make("jobs");
  const Queue fifo = MakeFifo("q.fifo");
  const auto poll = [&](int times) {
    for (int i = 0; i < times; ++i) {
      for (const Queue& queue : {standard, fifo}) {
        ASSERT_THAT(Receive(queue, {.max_messages = 10, .wait = absl::Seconds(20)}), IsEmpty());
      }
    }
  };
  poll(10);  // what is allocated only once
  const int64_t before = live_bytes.load();
  poll(1'000);
  EXPECT_EQ(live_bytes.load(), before);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration()) << "no timer is left either";
}

TEST_F(QueueRows, A57_AnIdleQueueCostsAFixedNumberOfBytesAndNoWork) {
  SKIP_IF_MEMORY_IS_NOT_COUNTED();
  const auto cost_of = [this](int count, const std::string& prefix) {
    const int64_t before = live_bytes.load();
    for (int i = 0; i < count; ++i) Make(prefix + std::to_string(i));
    return (live_bytes.load() - before) / count;
  };
  cost_of(100, "warm-");
  const int64_t few = cost_of(1'000, "few-");
  const int64_t many = cost_of(10'000, "many-");
  RecordProperty("bytes_per_idle_queue", std::to_string(many));
  EXPECT_LE(many, few * 3 / 2) << "not more for being many";
  EXPECT_LE(many, 4'096);

  const int64_t before = live_bytes.load();
  EXPECT_EQ(runtime_.Advance(absl::Hours(24)), 0) << "an idle queue has nothing to do";
  EXPECT_EQ(live_bytes.load(), before);
}

TEST_F(QueueRows, A59_MemoryComesBackAfterAFlood) {
  SKIP_IF_MEMORY_IS_NOT_COUNTED();
  for (const bool fifo : {false, true}) {
    SCOPED_TRACE(fifo ? "FIFO" : "standard");
    const Queue queue = fifo ? MakeFifo("q.fifo") : Make("jobs");
    const int64_t before = live_bytes.load();
    SendMany(queue, 100'000, "flood ");
    const int64_t flooded = live_bytes.load();
    for (;;) {
      const std::vector<Received> got = ReceiveAll(queue);
      if (got.empty()) break;
      DeleteAll(queue, got);
    }
    Pass(absl::Minutes(6));  // what is deduplicated by is kept five minutes
    queue.Trim();
    EXPECT_LE(live_bytes.load() - before, (flooded - before) / 20);
  }
}

TEST_F(QueueRows, A60_AFullQueueRefusesOrWaitsOrForgetsTheOldest) {
  const Queue rejects = Make("rejects", {.messages_max = 3});
  SendMany(rejects, 3, "");
  EXPECT_EQ(rejects.Send({.body = "x"}).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(rejects.Stats().rejected, 1);
  EXPECT_THAT(ReceiveBodies(rejects), ElementsAre("0", "1", "2"));

  const Queue by_bytes = Make("bytes", {.bytes_max = 100});
  Send(by_bytes, std::string(60, 'x'));
  EXPECT_FALSE(by_bytes.Send({.body = std::string(41, 'x')}).ok());
  Send(by_bytes, std::string(40, 'x'));
  EXPECT_EQ(by_bytes.Stats().bytes, 100);

  const Queue drops = Make("drops", {.messages_max = 3, .when_full = WhenFull::kDropOldest});
  SendMany(drops, 3, "");
  const Received held = ReceiveOne(drops);
  Send(drops, "3");
  EXPECT_THAT(ReceiveBodies(drops), ElementsAre("2", "3")) << "what is in flight stays";
  EXPECT_EQ(drops.Stats().dropped, 1);
  EXPECT_EQ(drops.Depth().total(), 3);

  const Queue blocks = Make(
      "blocks", {.messages_max = 3, .when_full = WhenFull::kBlock, .block_max = absl::Seconds(5)});
  SendMany(blocks, 3, "");
  EXPECT_FALSE(blocks.Send({.body = "x"}).ok());
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(5)) << "it waited its time";
  const Received first = ReceiveOne(blocks);
  After(absl::Seconds(2), [&first] { EXPECT_TRUE(first.Delete().ok()); });
  EXPECT_THAT(blocks.Send({.body = "x"}), testing::IsOk());
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(7));
}

// Were a receive to walk what waits, this test would not come to its end.
TEST_F(QueueRows, A61_ADeepFifoQueueIsReadInOrderToItsEnd) {
  const Queue queue = MakeFifo("q.fifo");
  SendMany(queue, kManyMessages / 2, "", "big");
  PassAMoment();
  SendMany(queue, kManyMessages / 2, "g");  // each in a group of its own
  int next = 0;
  std::vector<bool> seen(static_cast<size_t>(kManyMessages / 2));
  for (int left = kManyMessages; left > 0;) {
    const std::vector<Received> got = ReceiveAll(queue);
    ASSERT_FALSE(got.empty());
    for (const Received& one : got) {
      if (one.message_group_id() == "big") {
        ASSERT_EQ(one.body(), std::to_string(next++));
      } else {
        const size_t group = static_cast<size_t>(std::stoi(std::string(one.body().substr(1))));
        ASSERT_FALSE(seen[group]);
        seen[group] = true;
      }
      --left;
    }
    DeleteAll(queue, got);
  }
  EXPECT_EQ(queue.Depth(), QueueDepth{});
}

TEST(QueueThreadRows, A62_TwelveIdleLongPollsAreNotWokenUntilTheirTimeIsOver) {
  constexpr int kPolls = 12;
  const std::unique_ptr<ThreadedRuntime> threads =
      NewThreadedRuntime({.threads = 1, .clock = {.scale = 0}, .seed = 1});
  CountingRuntime runtime(*threads);
  Broker broker = Broker::Create(runtime, {}).value();
  const Queue queue = broker.CreateQueue("jobs").value();
  // One message in flight, so that there is something that might come back.
  ASSERT_TRUE(queue.Send({.body = "held"}).ok());
  ASSERT_THAT(queue.Receive({.visibility_timeout = absl::Hours(1)}).value(), SizeIs(1));

  const int posts_before = runtime.posts.load();
  std::atomic<int> empty{0};
  std::vector<std::thread> polls;
  for (int i = 0; i < kPolls; ++i) {
    polls.emplace_back([&] {
      const auto got = queue.Receive({.wait = absl::Seconds(20)});
      ASSERT_TRUE(got.ok()) << got.status();
      if (got->empty()) empty.fetch_add(1);
    });
  }
  while (runtime.waits.load() < kPolls) std::this_thread::yield();
  // One message, and one of them is woken for it.
  ASSERT_TRUE(queue.Send({.body = "one"}).ok());
  while (runtime.waits_over.load() < 1) std::this_thread::yield();
  for (int i = 0; i < 1'000; ++i) std::this_thread::yield();
  EXPECT_EQ(runtime.waits_over.load(), 1);
  // Each looks once before it sleeps and once when it is woken, and perhaps once in between, if it
  // is told to look while it falls asleep.
  EXPECT_LE(runtime.looks.load(), 3 * kPolls);
  threads->AdvanceClock(absl::Seconds(20));
  for (std::thread& poll : polls) poll.join();
  EXPECT_EQ(empty.load(), kPolls - 1);
  EXPECT_LE(runtime.looks.load(), 5 * kPolls);
  EXPECT_LE(runtime.posts.load() - posts_before, 2) << "waiting is no task of the runtime";
}

TEST(QueueThreadRows, A63_ABrokerStartsNothing) {
  testing::SimulatedRuntime simulated;
  CountingRuntime runtime(simulated);
  std::vector<Broker> brokers;
  for (int i = 0; i < 100; ++i) {
    brokers.push_back(Broker::Create(runtime, {}).value());
    ASSERT_TRUE(brokers.back().CreateQueue("jobs").ok());
  }
  EXPECT_EQ(runtime.posts.load(), 0);
  EXPECT_EQ(runtime.waits.load(), 0);
}

TEST(QueueThreadRows, A64_BrokersInOneProcessKnowNothingOfEachOther) {
  const std::unique_ptr<ThreadedRuntime> runtime =
      NewThreadedRuntime({.threads = 1, .clock = {.scale = 0}, .seed = 1});
  std::atomic<int> faults{0};
  const auto work = [&](int who) {
    Broker broker = Broker::Create(*runtime, {}).value();
    const Queue queue = broker.CreateQueue("jobs", {.messages_max = 10}).value();
    for (int i = 0; i < 500; ++i) {
      const std::string body = std::to_string(who) + "-" + std::to_string(i);
      if (!queue.Send({.body = body}).ok()) faults.fetch_add(1);
      const std::vector<Received> got = queue.Receive().value();
      if (got.size() != 1 || got[0].body() != body || !got[0].Delete().ok()) faults.fetch_add(1);
    }
    if (broker.ListQueues().size() != 1 || queue.Stats().accepted != 500) faults.fetch_add(1);
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(work, i);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(faults.load(), 0);
}

}  // namespace
}  // namespace banyan
