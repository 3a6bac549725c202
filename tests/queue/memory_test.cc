// SPDX-License-Identifier: Apache-2.0
//
// What a queue costs that does nothing, and what is left of one that was flooded. Memory is what
// the C library's allocator says is in use, so bodies are left out of it where they have an
// allocator of their own.
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "queue_testing.h"

#if defined(__GLIBC__)  // known once a header of the library was seen
#include <malloc.h>
#endif

namespace banyan::internal {
namespace {

using ::testing::SizeIs;

#if defined(__GLIBC__) && !defined(BANYAN_SANITIZER)
constexpr bool kCountsMemory = true;
int64_t BytesInUse() {
  const struct mallinfo2 info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}
#else
constexpr bool kCountsMemory = false;
int64_t BytesInUse() { return 0; }
#endif

#define SKIP_IF_MEMORY_IS_NOT_COUNTED() \
  if (!kCountsMemory) GTEST_SKIP() << "no allocator here that counts"

// An idle queue's, standard or FIFO: the core and all it owns.
constexpr int64_t kIdleBytesMax = 3'200;
// Slots that a queue keeps though it ran empty: a fixed few, and no share of the flood.
constexpr size_t kSlotsOfAnEmptyQueue = 512;
// Slots come and go in pieces of so many.
constexpr size_t kSlotsTogether = 32;
#ifdef BANYAN_SANITIZER
constexpr int kFlood = 5'000;
#else
constexpr int kFlood = 100'000;
#endif

class MemoryTest : public QueueTest {
 protected:
  static QueueOptions Fifo() { return {.fifo = true, .content_based_deduplication = true}; }

  // Bytes of one of `count` queues that were just made. Their names and their places in the test's
  // own map of names are not the queues', so cores are made without it.
  int64_t BytesOfOne(int count, const QueueOptions& options) {
    std::vector<std::shared_ptr<QueueCore>> cores;
    cores.reserve(static_cast<size_t>(count));
    const std::string suffix = options.fifo ? ".fifo" : "";
    const int64_t before = BytesInUse();
    for (int i = 0; i < count; ++i) {
      cores.push_back(QueueCore::Create(broker_.env, std::to_string(i) + suffix, options));
    }
    const int64_t bytes = (BytesInUse() - before) / count;
    EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
    EXPECT_EQ(runtime_.Advance(absl::Hours(24 * 365)), 0) << "an idle queue does nothing";
    for (const std::shared_ptr<QueueCore>& core : cores) {
      EXPECT_FALSE(core->timer_pending());
      EXPECT_EQ(core->slots_held(), 0u);
      core->Close(CloseKind::kStopped);
    }
    return bytes;
  }

  // Sends so many, in groups (of FIFO or tenants) if told.
  static void SendMany(const Queue& queue, int count, int groups = 0) {
    for (int i = 0; i < count;) {
      std::vector<SendRequest> batch;
      for (; batch.size() < 10 && i < count; ++i) {
        batch.push_back({.body = "m" + std::to_string(i),
                         .message_group_id = groups == 0 ? "" : "g" + std::to_string(i % groups)});
      }
      const auto answers = queue.SendBatch(std::move(batch));
      ASSERT_TRUE(answers.ok()) << answers.status();
    }
  }

  static int DeleteAll(const Queue& queue) {
    int deleted = 0;
    for (;;) {
      const std::vector<Received> got = ReceiveAll(queue);
      if (got.empty()) return deleted;
      EXPECT_TRUE(queue.DeleteBatch(got).ok());
      deleted += static_cast<int>(got.size());
    }
  }
};

// --- idle -----------------------------------------------------------------------------------

TEST_F(MemoryTest, TenThousandIdleQueuesCostAFixedNumberOfBytesEachAndNoWork) {
  const int64_t standard = BytesOfOne(10'000, {});
  const int64_t fifo = BytesOfOne(10'000, Fifo());
  std::cout << "an idle standard queue: " << standard << " bytes, FIFO: " << fifo
            << " bytes, of which " << sizeof(QueueCore) << " the core itself\n";
  RecordProperty("bytes_of_an_idle_standard_queue", std::to_string(standard));
  RecordProperty("bytes_of_an_idle_fifo_queue", std::to_string(fifo));
  SKIP_IF_MEMORY_IS_NOT_COUNTED();
  EXPECT_GE(standard, static_cast<int64_t>(sizeof(QueueCore))) << "this counts nothing";
  EXPECT_LE(standard, kIdleBytesMax);
  EXPECT_LE(fifo, kIdleBytesMax);
}

TEST_F(MemoryTest, IdleQueuesAreFreedWhole) {
  SKIP_IF_MEMORY_IS_NOT_COUNTED();
  BytesOfOne(100, {});  // what is allocated only once
  const int64_t before = BytesInUse();
  BytesOfOne(1'000, {});
  BytesOfOne(1'000, Fifo());
  EXPECT_LE(BytesInUse() - before, 10'000) << "of two thousand queues";
}

TEST_F(MemoryTest, AQueueThatWasUsedIsIdleAgain) {
  for (const bool fifo : {false, true}) {
    const Queue dead = broker_.Make(fifo ? "dead.fifo" : "dead", {.fifo = fifo});
    const Queue queue =
        broker_.Make(fifo ? "used.fifo" : "used", {.fifo = fifo,
                                                   .content_based_deduplication = fifo,
                                                   .redrive = RedrivePolicy{dead.arn(), 3}});
    SendMany(queue, 100, 7);
    ASSERT_THAT(queue.Receive({.wait = absl::Seconds(20)}).value(), SizeIs(1));
    EXPECT_TRUE(queue.core()->timer_pending()) << "a dead letter may fall due";
    runtime_.Advance(absl::Seconds(30));
    DeleteAll(queue);
    runtime_.Advance(absl::Minutes(10));  // what was set may fire once more, and finds nothing
    EXPECT_FALSE(queue.core()->timer_pending());
    EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
    EXPECT_EQ(runtime_.Advance(absl::Hours(24 * 365)), 0);
  }
}

// --- after a flood --------------------------------------------------------------------------

TEST_F(MemoryTest, SlotsComeBackByThemselvesWhenAQueueRunsEmpty) {
  for (const int groups : {0, 1, 1'000}) {
    for (const bool fifo : {false, true}) {
      if (fifo && groups == 0) continue;
      SCOPED_TRACE(std::to_string(groups) + (fifo ? " groups, FIFO" : " tenants"));
      const Queue queue = broker_.Make(fifo ? "flood.fifo" : "flood",
                                       {.fifo = fifo, .content_based_deduplication = fifo});
      SendMany(queue, kFlood, groups);
      EXPECT_GE(queue.core()->slots_held(), static_cast<size_t>(kFlood * 9 / 10));
      ASSERT_EQ(DeleteAll(queue), kFlood);
      EXPECT_LE(queue.core()->slots_held(), kSlotsOfAnEmptyQueue);
      SendMany(queue, 10, groups);
      queue.core()->CheckInvariants();
    }
  }
}

TEST_F(MemoryTest, SlotsComeBackByThemselvesAfterAPurgeAndAfterExpiry) {
  const Queue queue = broker_.Make("flood", {.retention = absl::Minutes(1)});
  SendMany(queue, kFlood);
  ASSERT_TRUE(queue.Purge().ok());
  EXPECT_LE(queue.core()->slots_held(), kSlotsOfAnEmptyQueue);
  SendMany(queue, kFlood);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(queue.Depth(), QueueDepth{});
  EXPECT_LE(queue.core()->slots_held(), kSlotsOfAnEmptyQueue);
}

TEST_F(MemoryTest, TrimGivesBackWhatAQueueThatIsNotEmptyDoesNotNeed) {
  const Queue queue = broker_.Make("flood", {.visibility_timeout = absl::Hours(12)});
  SendMany(queue, kFlood);
  const std::vector<Received> kept = ReceiveAll(queue);
  ASSERT_THAT(kept, SizeIs(10));
  ASSERT_EQ(DeleteAll(queue), kFlood - 10);
  queue.Trim();
  // Each of the ten in a piece of its own, at worst.
  EXPECT_LE(queue.core()->slots_held(), 10 * kSlotsTogether);
  queue.core()->CheckInvariants();
  for (const Received& one : kept) {
    EXPECT_TRUE(one.ChangeVisibility(absl::ZeroDuration()).ok()) << "they are where they were";
  }
  EXPECT_EQ(DeleteAll(queue), 10);
  SendMany(queue, kFlood);
  EXPECT_EQ(DeleteAll(queue), kFlood) << "and it grows again";
  queue.core()->CheckInvariants();
}

TEST_F(MemoryTest, HandlesFromBeforeATrimStillMeanWhatTheyMeant) {
  const Queue queue = broker_.Make("flood", {.visibility_timeout = absl::Hours(12)});
  SendMany(queue, 1'000);
  std::vector<Received> settled;
  for (int i = 0; i < 100; ++i) {
    for (const Received& one : ReceiveAll(queue)) settled.push_back(one);
  }
  ASSERT_THAT(settled, SizeIs(1'000));
  for (const Received& one : settled) ASSERT_TRUE(one.Delete().ok());
  queue.Trim();
  SendMany(queue, 1'000);
  for (const Received& one : settled) {
    ASSERT_TRUE(one.Delete().ok()) << "gone already";
    ASSERT_FALSE(one.ChangeVisibility(absl::Seconds(1)).ok());
  }
  EXPECT_EQ(queue.Depth(), (QueueDepth{.visible = 1'000})) << "none of the new ones was meant";
}

TEST_F(MemoryTest, BytesComeBackAfterAFlood) {
  SKIP_IF_MEMORY_IS_NOT_COUNTED();
  for (const bool fifo : {false, true}) {
    SCOPED_TRACE(fifo ? "FIFO" : "standard");
    const QueueOptions options{.fifo = fifo, .content_based_deduplication = fifo};
    const int groups = fifo ? 1'000 : 0;
    // What the allocator keeps at hand for this thread counts as in use, up to some 200 KB: another
    // queue's flood fills that first.
    const Queue first = broker_.Make(fifo ? "first.fifo" : "first", options);
    SendMany(first, kFlood, groups);
    ASSERT_EQ(DeleteAll(first), kFlood);
    runtime_.Advance(absl::Minutes(6));
    first.Trim();
    const Queue queue = broker_.Make(fifo ? "bytes.fifo" : "bytes", options);
    const int64_t before = BytesInUse();
    SendMany(queue, kFlood, groups);
    const int64_t flooded = BytesInUse();
    ASSERT_EQ(DeleteAll(queue), kFlood);
    runtime_.Advance(absl::Minutes(6));  // the window of deduplication is over
    queue.Trim();
    const int64_t left = BytesInUse() - before;
    EXPECT_LE(left, 10'000) << "of " << flooded - before;
    std::cout << "             " << left << " bytes left of " << flooded - before << "\n";
  }
}

// A tenant that is gone from the queue is remembered for the window, and no longer.
TEST_F(MemoryTest, TenantsAreForgottenAfterTheWindow) {
  SKIP_IF_MEMORY_IS_NOT_COUNTED();
  const Queue queue = broker_.Make("tenants", {.fairness = {.window = absl::Minutes(1)}});
  SendMany(queue, 10, 1);
  DeleteAll(queue);
  const int64_t before = BytesInUse();
  SendMany(queue, 50'000, 50'000);
  ASSERT_EQ(DeleteAll(queue), 50'000);
  const int64_t remembered = BytesInUse() - before;
  EXPECT_GT(remembered, 0);
  runtime_.Advance(absl::Minutes(2));
  queue.Trim();
  EXPECT_LE(BytesInUse() - before, 100'000) << "of " << remembered;
}

// The same without Trim: a queue in use forgets by the way, all but the room for as many names.
TEST_F(MemoryTest, TenantsOfAQueueInUseAreForgottenByTheWay) {
  SKIP_IF_MEMORY_IS_NOT_COUNTED();
  const Queue queue = broker_.Make("tenants", {.fairness = {.window = absl::Minutes(1)}});
  const int64_t before = BytesInUse();
  SendMany(queue, 10'000, 10'000);
  ASSERT_EQ(DeleteAll(queue), 10'000);
  const int64_t remembered = BytesInUse() - before;
  runtime_.Advance(absl::Minutes(2));
  SendMany(queue, 10'000, 1);
  ASSERT_EQ(DeleteAll(queue), 10'000);
  EXPECT_LE(BytesInUse() - before, remembered / 2) << "of " << remembered;
}

// A service that has as many tenants a day as there are users does not grow from day to day.
TEST_F(MemoryTest, EverNewTenantsReachACeiling) {
  SKIP_IF_MEMORY_IS_NOT_COUNTED();
  const Queue queue = broker_.Make("tenants", {.fairness = {.window = absl::Minutes(1)}});
  int64_t tenant = 0;
  const auto an_hour_of_tenants = [&] {
    for (int i = 0; i < 3'600; ++i) {
      ASSERT_TRUE(queue.Send({.body = "m", .message_group_id = std::to_string(tenant++)}).ok());
      ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
      runtime_.Advance(absl::Seconds(1));
    }
  };
  an_hour_of_tenants();
  const int64_t first = BytesInUse();
  for (int hour = 0; hour < 5; ++hour) an_hour_of_tenants();
  EXPECT_LE(BytesInUse() - first, 20'000);
}

TEST_F(MemoryTest, RememberedAttemptsAreForgottenAfterTheirWindow) {
  SKIP_IF_MEMORY_IS_NOT_COUNTED();
  const Queue queue = broker_.Make("q.fifo", Fifo());
  const auto some_attempts = [&](int from) {
    for (int i = from; i < from + 2'000; ++i) {
      const std::string name = "attempt-with-a-long-name-" + std::to_string(i);
      ASSERT_TRUE(queue.Send({.body = name, .message_group_id = "g"}).ok());
      const std::vector<Received> got = Receive(queue, {.receive_request_attempt_id = name});
      ASSERT_THAT(got, SizeIs(1));
      ASSERT_TRUE(got[0].Delete().ok());
      runtime_.Advance(absl::Seconds(1));
    }
  };
  some_attempts(0);
  const int64_t first = BytesInUse();
  some_attempts(2'000);
  some_attempts(4'000);
  EXPECT_LE(BytesInUse() - first, 20'000);
}

}  // namespace
}  // namespace banyan::internal
