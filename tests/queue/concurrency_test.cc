// SPDX-License-Identifier: Apache-2.0
//
// Many threads on one queue. No test here sleeps or looks at how long something took.
#include <atomic>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "queue_testing.h"

namespace banyan::internal {
namespace {

#ifdef BANYAN_SANITIZER
constexpr int kMessagesOfAll = 2'000;
#else
constexpr int kMessagesOfAll = 20'000;
#endif

class ConcurrencyTest : public ::testing::Test {
 protected:
  // Runs one thread per function and waits for all.
  template <typename... Function>
  static void Together(int copies, const Function&... function) {
    std::vector<std::thread> threads;
    for (int i = 0; i < copies; ++i) (threads.emplace_back(function), ...);
    for (std::thread& thread : threads) thread.join();
  }

  std::unique_ptr<ThreadedRuntime> runtime_ = NewThreadedRuntime({.threads = 1, .seed = 1});
  TestBroker broker_{*runtime_};
};

TEST_F(ConcurrencyTest, NothingIsLostAndNobodyElseHasWhatIsHeld) {
  Queue queue = broker_.Make("jobs", {.visibility_timeout = absl::Hours(12)});
  std::vector<std::atomic<bool>> held(kMessagesOfAll);
  std::atomic<int> next{0};
  std::atomic<int> settled{0};
  std::atomic<int> faults{0};
  Mutex mu;
  std::set<std::string> receipts;

  const auto produce = [&] {
    for (;;) {
      const int i = next.fetch_add(1);
      if (i >= kMessagesOfAll) return;
      if (!queue.Send({.body = std::to_string(i)}).ok()) faults.fetch_add(1);
    }
  };
  const auto consume = [&] {
    while (settled.load() < kMessagesOfAll) {
      absl::StatusOr<std::vector<Received>> batch =
          queue.Receive({.max_messages = 7, .wait = absl::Milliseconds(10)});
      if (!batch.ok()) {
        faults.fetch_add(1);
        return;
      }
      for (const Received& one : *batch) {
        const size_t i = static_cast<size_t>(std::stoi(std::string(one.body())));
        if (held[i].exchange(true)) faults.fetch_add(1);  // two at once
        {
          MutexLock lock(&mu);
          if (!receipts.insert(one.receipt_handle()).second) faults.fetch_add(1);
        }
        if (one.receive_count() == 1 && i % 3 == 0) {
          held[i].store(false);
          if (!one.ChangeVisibility(absl::ZeroDuration()).ok()) faults.fetch_add(1);
        } else {  // stays held: nobody may get it again
          if (!one.Delete().ok()) faults.fetch_add(1);
          settled.fetch_add(1);
        }
      }
    }
  };
  Together(2, produce, consume);
  EXPECT_EQ(faults.load(), 0);
  EXPECT_EQ(settled.load(), kMessagesOfAll);
  const QueueStats books = queue.Stats();
  EXPECT_EQ(books.accepted, kMessagesOfAll);
  EXPECT_EQ(books.deleted, kMessagesOfAll);
  EXPECT_EQ(books.depth, QueueDepth{});
}

// Messages run in a circle, source to dead-letter queue and back, while late Deletes race the
// moves: each message is settled exactly once and the books of both queues agree.
TEST_F(ConcurrencyTest, MovesAndLateDeletesLoseAndDoubleNothing) {
  Queue dead = broker_.Make("dead");
  Queue source = broker_.Make(
      "source", {.visibility_timeout = absl::Hours(1), .redrive = RedrivePolicy{dead.arn(), 1}});
  std::atomic<int> faults{0};
  std::atomic<int> sent{0};
  const auto total = [&] { return source.Stats().deleted + dead.Stats().deleted; };

  const auto produce = [&] {
    while (sent.fetch_add(1) < kMessagesOfAll) {
      if (!source.Send({.body = "m"}).ok()) faults.fetch_add(1);
    }
    sent.fetch_sub(1);
  };
  const auto fail_and_settle_late = [&] {
    int turn = 0;
    while (total() < kMessagesOfAll) {
      absl::StatusOr<std::vector<Received>> batch =
          source.Receive({.max_messages = 10, .wait = absl::Milliseconds(1)});
      if (!batch.ok()) return static_cast<void>(faults.fetch_add(1));
      for (const Received& one : *batch) {
        if (!one.ChangeVisibility(absl::ZeroDuration()).ok()) faults.fetch_add(1);
        if (++turn % 2 == 0 && !one.Delete().ok()) faults.fetch_add(1);
      }
    }
  };
  const auto redrive = [&] {
    while (total() < kMessagesOfAll) {
      if (!dead.Redrive().ok()) faults.fetch_add(1);
      source.core()->CheckInvariants();
      dead.core()->CheckInvariants();
    }
  };
  Together(1, produce, fail_and_settle_late, fail_and_settle_late, redrive);
  EXPECT_EQ(faults.load(), 0);
  const QueueStats s = source.Stats();
  const QueueStats d = dead.Stats();
  EXPECT_EQ(s.accepted, kMessagesOfAll);
  EXPECT_EQ(s.deleted + d.deleted, kMessagesOfAll);
  EXPECT_EQ(s.moved_out, d.moved_in);
  EXPECT_EQ(d.moved_out, s.moved_in);
  EXPECT_EQ(s.depth.total() + d.depth.total(), 0);
}

TEST_F(ConcurrencyTest, OneArrivalEndsOneLongPoll) {
  Queue queue = broker_.Make("jobs");
  std::atomic<int> got{0};
  std::atomic<int> empty{0};
  std::stop_source stop;
  const auto poll = [&] {
    absl::StatusOr<std::vector<Received>> batch =
        queue.Receive({.max_messages = 10, .wait = absl::Seconds(20), .stop = stop.get_token()});
    ASSERT_TRUE(batch.ok()) << batch.status();
    (batch->empty() ? empty : got).fetch_add(1);
    if (got.load() == 3) stop.request_stop();  // the rest would wait for nothing
  };
  const auto send = [&] {
    // Three messages in the hands of ten pollers, one at a time, so that no poll takes two.
    for (int i = 0; i < 3; ++i) {
      ASSERT_TRUE(queue.Send({.body = "m"}).ok());
      while (got.load() <= i) std::this_thread::yield();
    }
  };
  std::thread sender(send);
  Together(10, poll);
  sender.join();
  EXPECT_EQ(got.load(), 3);
  EXPECT_EQ(empty.load(), 7);
}

TEST_F(ConcurrencyTest, DeletionEndsEveryLongPoll) {
  for (int round = 0; round < 20; ++round) {
    Queue queue = broker_.Make("jobs");
    std::atomic<int> not_found{0};
    const auto poll = [&] {
      if (queue.Receive({.wait = absl::Seconds(20)}).status().code() ==
          absl::StatusCode::kNotFound) {
        not_found.fetch_add(1);
      }
    };
    Together(1, poll, poll, poll, [&] { broker_.Delete(queue); });
    EXPECT_EQ(not_found.load(), 3);
  }
}

// A poll is cancelled while messages arrive: whatever it was woken for goes to somebody else.
TEST_F(ConcurrencyTest, CancelledPollsSwallowNoWakeUp) {
  Queue queue = broker_.Make("jobs");
  for (int round = 0; round < 200; ++round) {
    std::stop_source stop;
    std::atomic<int> got{0};
    const auto cancelled = [&] {
      absl::StatusOr<std::vector<Received>> batch =
          queue.Receive({.wait = absl::Seconds(20), .stop = stop.get_token()});
      ASSERT_TRUE(batch.ok());
      for (const Received& one : *batch) {
        ASSERT_TRUE(one.Delete().ok());
        got.fetch_add(1);
        ASSERT_TRUE(queue.Send({.body = "for the patient one"}).ok());
      }
    };
    const auto patient = [&] {
      absl::StatusOr<std::vector<Received>> batch = queue.Receive({.wait = absl::Seconds(20)});
      ASSERT_TRUE(batch.ok());
      ASSERT_EQ(batch->size(), 1u) << "it waited beside a visible message";
      ASSERT_TRUE((*batch)[0].Delete().ok());
    };
    Together(1, cancelled, patient, [&] {
      ASSERT_TRUE(queue.Send({.body = "m"}).ok());
      stop.request_stop();
    });
    ASSERT_EQ(queue.Depth().total(), 0);
  }
}

// The runtime's own thread ends delays; the polling threads only sleep.
TEST_F(ConcurrencyTest, MovedClockEndsADelayUnderALongPoll) {
  Queue queue = broker_.Make("jobs");
  ASSERT_TRUE(queue.Send({.body = "m", .delay = absl::Minutes(15)}).ok());
  std::atomic<bool> done{false};
  Together(
      1,
      [&] {
        std::vector<Received> got;
        while (got.empty()) {
          absl::StatusOr<std::vector<Received>> batch = queue.Receive({.wait = absl::Seconds(20)});
          ASSERT_TRUE(batch.ok());
          got = *std::move(batch);
        }
        EXPECT_EQ(got[0].body(), "m");
        done.store(true);
      },
      [&] {
        while (!done.load()) {
          // No further than the delay's end: retention would end, too.
          if (runtime_->Uptime() < absl::Minutes(16)) runtime_->AdvanceClock(absl::Seconds(19));
          std::this_thread::yield();
        }
      });
}

}  // namespace
}  // namespace banyan::internal
