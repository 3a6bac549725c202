// SPDX-License-Identifier: Apache-2.0
//
// Bounded queues under many threads: the bound holds at every moment, nothing is lost, everybody
// who waits for room gets it or is told. No test here sleeps or looks at how long something took.
#include <atomic>
#include <memory>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "queue_testing.h"

namespace banyan::internal {
namespace {

#ifdef BANYAN_SANITIZER
constexpr int kMessagesToMove = 2'000;
#else
constexpr int kMessagesToMove = 20'000;
#endif
constexpr int kSenders = 3;

class FullQueueThreadsTest : public ::testing::Test {
 protected:
  template <typename... Function>
  static void Together(int copies, const Function&... function) {
    std::vector<std::thread> threads;
    for (int i = 0; i < copies; ++i) (threads.emplace_back(function), ...);
    for (std::thread& thread : threads) thread.join();
  }

  // Receives and deletes until `wanted` are gone.
  static void Consume(const Queue& queue, int wanted, std::atomic<int>* consumed,
                      std::vector<std::atomic<int>>* seen, std::atomic<int>* faults) {
    while (consumed->load() < wanted) {
      const auto batch = queue.Receive({.max_messages = 3, .wait = absl::Milliseconds(10)});
      if (!batch.ok()) {
        faults->fetch_add(1);
        return;
      }
      for (const Received& one : *batch) {
        (*seen)[static_cast<size_t>(std::stoi(std::string(one.body())))].fetch_add(1);
        if (!one.Delete().ok()) faults->fetch_add(1);
        consumed->fetch_add(1);
      }
    }
  }

  // One by one and in batches, until every number was sent.
  static void Produce(const Queue& queue, std::atomic<int>* next, std::atomic<int>* faults) {
    for (;;) {
      const int i = next->fetch_add(2);
      if (i >= kMessagesToMove) return;
      if (i % 8 == 0) {
        for (const int body : {i, i + 1}) {
          if (!queue.Send({.body = std::to_string(body)}).ok()) faults->fetch_add(1);
        }
        continue;
      }
      const auto answers =
          queue.SendBatch({{.body = std::to_string(i)}, {.body = std::to_string(i + 1)}});
      if (!answers.ok() || !(*answers)[0].ok() || !(*answers)[1].ok()) faults->fetch_add(1);
    }
  }

  std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 1, .seed = 1});
  TestBroker broker_{*runtime_};
};

TEST_F(FullQueueThreadsTest, BlockedSendersLoseNothingAndNeverExceedTheBoundInMessages) {
  constexpr int kBound = 4;
  const Queue queue = broker_.Make("jobs", {.visibility_timeout = absl::Hours(1),
                                            .messages_max = kBound,
                                            .when_full = WhenFull::kBlock,
                                            .block_max = absl::InfiniteDuration()});
  std::atomic<int> next{0};
  std::atomic<int> consumed{0};
  std::atomic<int> faults{0};
  std::atomic<int64_t> most{0};
  std::vector<std::atomic<int>> seen(kMessagesToMove);
  const auto produce = [&] { Produce(queue, &next, &faults); };
  const auto consume = [&] { Consume(queue, kMessagesToMove, &consumed, &seen, &faults); };
  std::thread watcher([&] {
    while (consumed.load() < kMessagesToMove) {
      const int64_t depth = queue.Depth().total();
      if (depth > most.load()) most.store(depth);
      std::this_thread::yield();
    }
  });
  Together(kSenders, produce, consume);
  watcher.join();
  EXPECT_EQ(faults.load(), 0);
  EXPECT_LE(most.load(), kBound);
  for (const std::atomic<int>& times : seen) ASSERT_EQ(times.load(), 1);
  const QueueStats books = queue.Stats();
  EXPECT_EQ(books.accepted, kMessagesToMove);
  EXPECT_EQ(books.deleted, kMessagesToMove);
  EXPECT_EQ(books.rejected, 0);
  queue.core()->CheckInvariants();
}

TEST_F(FullQueueThreadsTest, BlockedSendersNeverExceedTheBoundInBytes) {
  constexpr int kBound = 12;  // two or three bodies of up to five digits
  const Queue queue = broker_.Make("jobs", {.visibility_timeout = absl::Hours(1),
                                            .bytes_max = kBound,
                                            .when_full = WhenFull::kBlock,
                                            .block_max = absl::InfiniteDuration()});
  std::atomic<int> next{0};
  std::atomic<int> consumed{0};
  std::atomic<int> faults{0};
  std::atomic<int64_t> most{0};
  std::vector<std::atomic<int>> seen(kMessagesToMove);
  const auto produce = [&] { Produce(queue, &next, &faults); };
  const auto consume = [&] { Consume(queue, kMessagesToMove, &consumed, &seen, &faults); };
  std::thread watcher([&] {
    while (consumed.load() < kMessagesToMove) {
      const int64_t bytes = queue.Stats().bytes;
      if (bytes > most.load()) most.store(bytes);
      std::this_thread::yield();
    }
  });
  Together(2, produce, consume);
  watcher.join();
  EXPECT_EQ(faults.load(), 0);
  EXPECT_LE(most.load(), kBound);
  for (const std::atomic<int>& times : seen) ASSERT_EQ(times.load(), 1);
  EXPECT_EQ(queue.Stats().bytes, 0);
}

TEST_F(FullQueueThreadsTest, RejectedSendsAreCountedAndTheRestIsExact) {
  constexpr int kBound = 4;
  const Queue queue = broker_.Make("jobs", {.messages_max = kBound});
  std::atomic<int64_t> accepted{0};
  std::atomic<int64_t> rejected{0};
  std::atomic<int> most{0};
  std::atomic<int> running{kSenders};
  const auto produce = [&] {
    for (int i = 0; i < kMessagesToMove; ++i) {
      const absl::Status sent = queue.Send({.body = "m"}).status();
      if (sent.ok()) {
        accepted.fetch_add(1);
      } else if (sent.code() == absl::StatusCode::kResourceExhausted) {
        rejected.fetch_add(1);
      }
    }
    running.fetch_sub(1);
  };
  const auto consume = [&] {
    while (running.load() > 0) {
      const int depth = static_cast<int>(queue.Depth().total());
      if (depth > most.load()) most.store(depth);
      const auto batch = queue.Receive({.max_messages = 3});
      ASSERT_TRUE(batch.ok());
      for (const Received& one : *batch) ASSERT_TRUE(one.Delete().ok());
    }
  };
  Together(kSenders, produce, consume);
  EXPECT_LE(most.load(), kBound);
  EXPECT_EQ(accepted.load() + rejected.load(), kSenders * int64_t{kMessagesToMove});
  const QueueStats books = queue.Stats();
  EXPECT_EQ(books.accepted, accepted.load());
  EXPECT_EQ(books.rejected, rejected.load());
  EXPECT_EQ(books.accepted, books.deleted + books.depth.total());
}

TEST_F(FullQueueThreadsTest, DroppingTheOldestKeepsTheBoundAndTheBooks) {
  constexpr int kBound = 8;
  const Queue queue = broker_.Make("jobs", {.visibility_timeout = absl::Hours(1),
                                            .messages_max = kBound,
                                            .when_full = WhenFull::kDropOldest});
  std::atomic<int64_t> accepted{0};
  std::atomic<int64_t> most{0};
  std::atomic<int> running{kSenders};
  const auto produce = [&] {
    for (int i = 0; i < kMessagesToMove; ++i) {
      // Refused only while all eight are in flight.
      if (queue.Send({.body = "m"}).ok()) accepted.fetch_add(1);
    }
    running.fetch_sub(1);
  };
  const auto consume = [&] {
    while (running.load() > 0) {
      const int64_t depth = queue.Depth().total();
      if (depth > most.load()) most.store(depth);
      const auto batch = queue.Receive({.max_messages = 2});
      ASSERT_TRUE(batch.ok());
      for (const Received& one : *batch) ASSERT_TRUE(one.Delete().ok());
    }
  };
  Together(kSenders, produce, consume);
  EXPECT_LE(most.load(), kBound);
  const QueueStats books = queue.Stats();
  EXPECT_EQ(books.accepted, accepted.load());
  EXPECT_EQ(books.accepted, books.deleted + books.dropped + books.depth.total());
  queue.core()->CheckInvariants();
}

// Each sender has its group and is often blocked: what it sends stays in its order all the same.
TEST_F(FullQueueThreadsTest, BlockedSendersKeepTheOrderOfTheirFifoGroups) {
  const Queue queue = broker_.Make("q.fifo", {.visibility_timeout = absl::Hours(1),
                                              .fifo = true,
                                              .messages_max = 3,
                                              .when_full = WhenFull::kBlock,
                                              .block_max = absl::InfiniteDuration()});
  constexpr int kEach = kMessagesToMove / 10;
  std::atomic<int> who{0};
  std::atomic<int> faults{0};
  std::atomic<int> consumed{0};
  const auto produce = [&] {
    const std::string group = std::to_string(who.fetch_add(1));
    for (int i = 0; i < kEach; ++i) {
      const auto sent = queue.Send({.body = std::to_string(i),
                                    .message_group_id = group,
                                    .message_deduplication_id = group + "-" + std::to_string(i)});
      if (!sent.ok()) faults.fetch_add(1);
    }
  };
  // A group's messages are in one receiver's hands at a time, so its place needs no more than this.
  std::vector<std::atomic<int>> expected(kSenders);
  const auto consume = [&] {
    while (consumed.load() < kSenders * kEach) {
      const auto batch = queue.Receive({.max_messages = 2, .wait = absl::Milliseconds(10)});
      ASSERT_TRUE(batch.ok());
      for (const Received& one : *batch) {
        const size_t group = static_cast<size_t>(std::stoi(std::string(one.message_group_id())));
        const int place = expected[group].fetch_add(1);
        if (one.body() != std::to_string(place)) faults.fetch_add(1);
      }
      for (const Received& one : *batch) {
        if (!one.Delete().ok()) faults.fetch_add(1);
        consumed.fetch_add(1);
      }
    }
  };
  Together(kSenders, produce, consume);
  EXPECT_EQ(faults.load(), 0);
  EXPECT_EQ(consumed.load(), kSenders * kEach);
}

TEST_F(FullQueueThreadsTest, DeletionEndsEveryBlockedSend) {
  for (int round = 0; round < 20; ++round) {
    const Queue queue = broker_.Make(
        "jobs",
        {.messages_max = 1, .when_full = WhenFull::kBlock, .block_max = absl::InfiniteDuration()});
    ASSERT_TRUE(queue.Send({.body = "first"}).ok());
    std::atomic<int> not_found{0};
    const auto send = [&] {
      if (queue.Send({.body = "x"}).status().code() == absl::StatusCode::kNotFound) {
        not_found.fetch_add(1);
      }
    };
    Together(1, send, send, send, [&] { broker_.Delete(queue); });
    EXPECT_EQ(not_found.load(), 3);
  }
}

// A sender gives up just as there is room: the room goes to the one who still waits.
TEST_F(FullQueueThreadsTest, CancelledSendersSwallowNoRoom) {
  const Queue queue = broker_.Make(
      "jobs",
      {.messages_max = 1, .when_full = WhenFull::kBlock, .block_max = absl::InfiniteDuration()});
  for (int round = 0; round < 200; ++round) {
    ASSERT_TRUE(queue.Send({.body = "first"}).ok());
    const std::vector<Received> held = queue.Receive().value();
    ASSERT_EQ(held.size(), 1u);
    std::stop_source stop;
    const auto remove_one = [&] {
      const auto got = queue.Receive({.wait = absl::Seconds(20)});
      ASSERT_TRUE(got.ok());
      ASSERT_EQ(got->size(), 1u);
      ASSERT_TRUE((*got)[0].Delete().ok());
    };
    const auto cancelled = [&] {
      const absl::Status sent = queue.Send({.body = "c", .stop = stop.get_token()}).status();
      // Whoever got in makes the room for the next.
      if (sent.ok()) remove_one();
    };
    const auto patient = [&] {
      ASSERT_TRUE(queue.Send({.body = "p"}).ok());
      remove_one();
    };
    Together(1, cancelled, patient, [&] {
      ASSERT_TRUE(held[0].Delete().ok());
      stop.request_stop();
    });
    ASSERT_EQ(queue.Depth().total(), 0);
  }
}

// The clock of the runtime, not that of the machine, says when a wait for room is over.
TEST_F(FullQueueThreadsTest, MovedClockEndsTheWaitOfABlockedSend) {
  const std::unique_ptr<ThreadedRuntime> frozen =
      NewThreadedRuntime({.threads = 1, .clock = {.scale = 0}, .seed = 1});
  TestBroker broker(*frozen);
  const Queue queue = broker.Make(
      "jobs", {.messages_max = 1, .when_full = WhenFull::kBlock, .block_max = absl::Hours(1)});
  ASSERT_TRUE(queue.Send({.body = "first"}).ok());
  std::thread sender([&] {
    EXPECT_EQ(queue.Send({.body = "x"}).status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(frozen->Uptime(), absl::Hours(1));
  });
  const char* const waits =
      "\n1 send waits for room: the queue holds 1 of 1 messages and 5 of 8589934592 bytes\n";
  while (queue.Explain()->find(waits) == std::string::npos) std::this_thread::yield();
  frozen->AdvanceClock(absl::Hours(1));
  sender.join();
  EXPECT_EQ(queue.Explain()->find(waits), std::string::npos);
}

}  // namespace
}  // namespace banyan::internal
