// SPDX-License-Identifier: Apache-2.0
//
// After fork() the child's copy of a broker answers kUnavailable, touches no lock, and its
// destructors do nothing.
#include <gtest/gtest.h>

#if defined(__unix__) && !defined(BANYAN_SANITIZER)

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <memory>
#include <optional>
#include <thread>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/outbox.h"
#include "banyan/testing/matchers.h"
#include "outbox_testing.h"

namespace banyan {
namespace {

// 0, or the number of the first question that was answered wrongly.
int AskInChild(std::optional<Broker>& broker, Queue& queue, Topic& topic,
               std::optional<Consumer>& consumer) {
  const auto unavailable = [](const absl::Status& status) {
    return status.code() == absl::StatusCode::kUnavailable;
  };
  if (!unavailable(queue.Send({.body = "x"}).status())) return 1;
  if (!unavailable(queue.Receive({.wait = absl::Seconds(20)}).status())) return 2;
  if (!unavailable(topic.Publish({.body = "x"}).status())) return 3;
  if (!unavailable(broker->CreateQueue("new").status())) return 4;
  if (!unavailable(broker->FindQueue("q").status())) return 5;
  if (!broker->ListQueues().empty()) return 6;
  if (!broker->Stop(absl::InfiniteDuration()).drained()) return 7;
  if (!unavailable(consumer->Stop(absl::InfiniteDuration()))) return 8;
  if (queue.Depth().total() != 0) return 9;
  consumer.reset();
  broker.reset();
  queue = Queue();
  topic = Topic();
  return 0;
}

TEST(ForkTest, TheChildIsToldAndTheParentGoesOn) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  std::optional<Broker> broker = Broker::Create(*runtime, {}).value();
  Queue queue = broker->CreateQueue("q").value();
  Topic topic = broker->CreateTopic("t").value();
  std::optional<Consumer> consumer =
      Consumer::Start(queue, {}, [](const Received&) { return absl::OkStatus(); }).value();

  // Other threads hold the locks of queue and broker most of the time: at some of the forks below
  // they are locked in the child, for ever.
  std::atomic<bool> done{false};
  std::thread busy([&] {
    while (!done) {
      queue.Send({.body = "x"}).IgnoreError();
      broker->ListQueues();
    }
  });
  for (int round = 0; round < 20; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(20);  // a lock that was touched ends the child by signal
      _exit(AskInChild(broker, queue, topic, consumer));
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "the child hung or crashed, signal " << WTERMSIG(status);
    ASSERT_EQ(WEXITSTATUS(status), 0) << "the number of the wrong answer";
  }
  done = true;
  busy.join();
  EXPECT_THAT(queue.Send({.body = "x"}), testing::IsOk());
}

// What is pending in the table is the parent's to publish.
TEST(ForkTest, AnOutboxInTheChildWritesNothingAndLeavesTheTableAlone) {
  std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Queue queue = broker.CreateQueue("q").value();
  FakeDatabase database;
  std::optional<Outbox> outbox = Outbox::Create(broker, database).value();
  outbox->Start();
  std::atomic<bool> done{false};
  std::thread busy([&] {
    while (!done) {
      FakeDatabase::Transaction tx(database);
      ASSERT_THAT(outbox->SendIn(tx, queue, {.body = "x"}), testing::IsOk());
      tx.Commit();
      outbox->Committed();
    }
  });
  for (int round = 0; round < 20; ++round) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      alarm(20);
      FakeDatabase::Transaction tx(database);
      if (outbox->SendIn(tx, queue, {.body = "x"}).status().code() !=
          absl::StatusCode::kUnavailable) {
        _exit(1);
      }
      outbox->Committed();
      outbox->Stop();
      if (!outbox->Stats().stopped) _exit(2);
      outbox.reset();
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFEXITED(status)) << "the child hung or crashed, signal " << WTERMSIG(status);
    ASSERT_EQ(WEXITSTATUS(status), 0) << "the number of the wrong answer";
  }
  done = true;
  busy.join();
  while (!database.rows().empty()) std::this_thread::yield();
  EXPECT_EQ(outbox->Stats().published, queue.Depth().total());
}

}  // namespace
}  // namespace banyan

#endif  // __unix__
