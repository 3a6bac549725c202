// SPDX-License-Identifier: Apache-2.0
//
// Transactions on many threads at once, and ends in the middle of the relay's work.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "banyan/broker.h"
#include "banyan/outbox.h"
#include "banyan/testing/matchers.h"
#include "outbox_testing.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;

#if defined(BANYAN_SANITIZER)
constexpr int kTransactions = 200;
constexpr int kRounds = 5;
#else
constexpr int kTransactions = 2'000;
constexpr int kRounds = 30;
#endif
constexpr int kWriters = 4;

// What is committed arrives once, each writer's in the order of its commits; what is rolled back
// does not arrive. The table fails now and then.
TEST(OutboxThreads, ConcurrentTransactionsArriveOnceAndInOrder) {
  const auto seed = static_cast<uint64_t>(::testing::UnitTest::GetInstance()->random_seed()) + 1;
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 3});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Queue queues[] = {broker.CreateQueue("a").value(), broker.CreateQueue("b").value()};
  FakeDatabase database;
  Outbox outbox =
      Outbox::Create(broker, database, {.poll_interval = absl::Milliseconds(1), .batch_size = 7})
          .value();
  outbox.Start();

  std::atomic<int64_t> committed{0};
  std::vector<std::thread> writers;
  for (int writer = 0; writer < kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      std::mt19937_64 random(seed * kWriters + static_cast<uint64_t>(writer));
      for (int i = 0; i < kTransactions; ++i) {
        FakeDatabase::Transaction tx(database);
        const bool commits = random() % 4 != 0;
        const std::string body =
            std::to_string(writer) + ' ' + (commits ? std::to_string(i) : "rolled back");
        for (const Queue& queue : queues) {
          ASSERT_THAT(outbox.SendIn(tx, queue, {.body = body}), IsOk());
        }
        if (!commits) continue;
        tx.Commit();
        ++committed;
        if (random() % 2 == 0) outbox.Committed();  // the others are for the poll
        if (random() % 50 == 0) database.read_faults = 1;
        if (random() % 50 == 0) database.delete_faults = 1;
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  while (outbox.Stats().published < 2 * committed) std::this_thread::yield();
  outbox.Stop();

  for (const Queue& queue : queues) {
    const std::vector<Received> messages = queue.Peek(10'000).value();
    EXPECT_EQ(static_cast<int64_t>(messages.size()), committed);
    std::map<std::string, int> latest;
    for (const Received& message : messages) {
      const std::string body(message.body());
      const size_t space = body.find(' ');
      ASSERT_NE(body.substr(space + 1), "rolled back");
      const int number = std::stoi(body.substr(space + 1));
      const auto [at, is_new] = latest.try_emplace(body.substr(0, space), number);
      if (!is_new) {
        ASSERT_LT(at->second, number) << "of writer " << at->first;
      }
      at->second = number;
    }
  }
}

// O6, with the relay at work on another thread.
TEST(OutboxThreads, DestroyedInTheMiddleItLeavesTheTableAloneAndTheNextGoesOn) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Queue queue = broker.CreateQueue("q").value();
  FakeDatabase database;
  for (int round = 0; round < kRounds; ++round) {
    Outbox outbox = Outbox::Create(broker, database, {.batch_size = 3}).value();
    for (int i = 0; i < 50; ++i) {
      FakeDatabase::Transaction tx(database);
      ASSERT_THAT(outbox.SendIn(tx, queue, {.body = std::to_string(50 * round + i)}), IsOk());
      tx.Commit();
    }
    database.must_not_be_called = false;
    outbox.Start();
    while (outbox.Stats().published < round % 7) std::this_thread::yield();
    { const Outbox ended = std::move(outbox); }
    database.must_not_be_called = true;
  }
  database.must_not_be_called = false;
  Outbox outbox = Outbox::Create(broker, database).value();
  outbox.Start();
  while (!database.rows().empty()) std::this_thread::yield();
  outbox.Stop();

  // It was stopped in an orderly way each time: nothing is missing, nothing came twice.
  const std::vector<Received> messages = queue.Peek(10'000).value();
  ASSERT_EQ(messages.size(), static_cast<size_t>(50 * kRounds));
  for (size_t i = 0; i < messages.size(); ++i) ASSERT_EQ(messages[i].body(), std::to_string(i));
}

TEST(OutboxThreads, ABrokerThatStopsMeanwhileLeavesEachRowPublishedOrInTheTable) {
  for (int round = 0; round < kRounds; ++round) {
    std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 3});
    std::optional<Broker> broker = Broker::Create(*runtime, {}).value();
    const Queue queue = broker->CreateQueue("q").value();
    FakeDatabase database;
    Outbox outbox = Outbox::Create(*broker, database, {.batch_size = 5}).value();
    outbox.Start();
    std::atomic<int64_t> committed{0};
    std::vector<std::thread> writers;
    for (int writer = 0; writer < 2; ++writer) {
      writers.emplace_back([&] {
        for (;;) {
          FakeDatabase::Transaction tx(database);
          const absl::Status written = outbox.SendIn(tx, queue, {.body = "x"}).status();
          if (!written.ok()) {
            EXPECT_THAT(written, StatusIs(absl::StatusCode::kUnavailable));
            return;
          }
          tx.Commit();
          ++committed;
          outbox.Committed();
        }
      });
    }
    while (outbox.Stats().published < 100) std::this_thread::yield();
    const StopReport report = broker->Stop(absl::Minutes(1));
    EXPECT_EQ(report.calls_running, 0);
    broker.reset();
    for (std::thread& writer : writers) writer.join();
    runtime.reset();  // the outbox outlives both
    const auto left = static_cast<int64_t>(database.rows().size());
    EXPECT_EQ(outbox.Stats().published + left, committed) << "round " << round;
    EXPECT_EQ(report.messages_resting, outbox.Stats().published);
  }
}

}  // namespace
}  // namespace banyan
