// SPDX-License-Identifier: Apache-2.0
//
// Move tasks over time: those that ended, FIFO queues, chains of dead-letter queues, and queues
// and brokers that end while a task runs.
#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "move_task_testing.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using State = MessageMoveTask::State;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class MoveTaskLifeTest : public MoveTaskTest {
 protected:
  // In place of the plain queues: the same pair, FIFO.
  void UseFifoQueues() {
    dead_ = Make("dead.fifo", {.fifo = true, .content_based_deduplication = true});
    source_ = MakeSource("source.fifo", dead_);
  }
};

// --- tasks that ended -----------------------------------------------------------------------

TEST_F(MoveTaskLifeTest, ASecondTaskMovesWhatCameAfterTheFirst) {
  MakeDeadLetters(source_, 3, "a");
  const std::string first = Start(dead_);
  LetItRun();
  Drain(source_);
  MakeDeadLetters(source_, 2, "b");
  const std::string second = Start(dead_);
  EXPECT_NE(second, first);
  LetItRun();
  const std::vector<MessageMoveTask> tasks = dead_.ListMessageMoveTasks(10).value();
  ASSERT_THAT(tasks, SizeIs(2));
  EXPECT_EQ(tasks[0].moved, 2) << "latest first";
  EXPECT_EQ(tasks[1].moved, 3);
  EXPECT_THAT(Drain(source_), ElementsAre("b0", "b1"));
}

TEST_F(MoveTaskLifeTest, TheLatestTenAreListedLatestFirst) {
  for (int i = 0; i < 12; ++i) {
    MakeDeadLetters(source_, i);
    Start(dead_);
    LetItRun();
    for (const Received& one : ReceiveAll(source_)) ASSERT_TRUE(one.Delete().ok());
    for (const Received& one : ReceiveAll(source_)) ASSERT_TRUE(one.Delete().ok());
  }
  const std::vector<MessageMoveTask> tasks = dead_.ListMessageMoveTasks(10).value();
  ASSERT_THAT(tasks, SizeIs(10));
  for (size_t i = 0; i < tasks.size(); ++i) {
    EXPECT_EQ(tasks[i].to_move, 11 - static_cast<int64_t>(i));
    EXPECT_EQ(tasks[i].state, State::kCompleted);
    if (i > 0) {
      EXPECT_LT(tasks[i].started, tasks[i - 1].started);
    }
  }
  EXPECT_THAT(dead_.ListMessageMoveTasks(3).value(), SizeIs(3));
  EXPECT_THAT(dead_.ListMessageMoveTasks().value(), SizeIs(1));
}

TEST_F(MoveTaskLifeTest, OneToTenAreListed) {
  EXPECT_THAT(dead_.ListMessageMoveTasks(1).value(), IsEmpty());
  EXPECT_THAT(source_.ListMessageMoveTasks(10).value(), IsEmpty());
  EXPECT_EQ(AwsCode(dead_.ListMessageMoveTasks(0).status()), "InvalidParameterValue");
  EXPECT_EQ(AwsCode(dead_.ListMessageMoveTasks(11).status()), "InvalidParameterValue");
}

// --- FIFO -----------------------------------------------------------------------------------

TEST_F(MoveTaskLifeTest, FifoGroupsComeBackInTheirOrder) {
  UseFifoQueues();
  for (int i = 0; i < 30; ++i) {
    const std::string group = std::to_string(i % 3);
    Send(source_, group + "-" + std::to_string(i / 3), group);
    for (const Received& one : ReceiveAll(source_)) {
      ASSERT_TRUE(one.ChangeVisibility(absl::ZeroDuration()).ok());
    }
  }
  ASSERT_EQ(dead_.Depth().visible, 30);
  Start(dead_, {.max_per_second = 10});
  runtime_.Advance(absl::Seconds(4));
  ASSERT_EQ(Latest(dead_).state, State::kCompleted);
  std::vector<int> next(3, 0);
  for (const std::string& body : Drain(source_)) {
    const size_t group = static_cast<size_t>(body[0] - '0');
    EXPECT_EQ(body.substr(2), std::to_string(next[group]++));
  }
  EXPECT_THAT(next, ElementsAre(10, 10, 10));
}

// The window of deduplication still knows the first send; a redriven message is none of its.
TEST_F(MoveTaskLifeTest, FifoMessagesAreNotSwallowedAsDuplicatesOfThemselves) {
  UseFifoQueues();
  MakeDeadLetters(source_, 5);
  Start(dead_);
  LetItRun();
  EXPECT_EQ(Latest(dead_).moved, 5);
  EXPECT_EQ(source_.Stats().duplicates, 0);
  EXPECT_EQ(Drain(source_), Numbers(5));
}

// A message behind one that a receiver holds would overtake it.
TEST_F(MoveTaskLifeTest, FifoMessagesDoNotOvertakeOneThatIsHeld) {
  UseFifoQueues();
  MakeDeadLetters(source_, 3);
  const std::vector<Received> held = dead_.Receive().value();
  ASSERT_THAT(BodiesOf(held), ElementsAre("0"));
  Start(dead_);
  LetItRun();
  EXPECT_THAT(ReceiveAll(source_), IsEmpty());
  ASSERT_TRUE(held[0].ChangeVisibility(absl::ZeroDuration()).ok());
  if (Latest(dead_).state != State::kRunning) Start(dead_);
  LetItRun();
  EXPECT_EQ(Drain(source_), Numbers(3));
}

TEST_F(MoveTaskLifeTest, FifoSequenceNumbersRiseOverAMove) {
  UseFifoQueues();
  MakeDeadLetters(source_, 2);
  Start(dead_);
  LetItRun();
  Send(source_, "new", "g");
  const std::vector<Received> got = ReceiveAll(source_);
  ASSERT_THAT(BodiesOf(got), ElementsAre("0", "1", "new"));
  EXPECT_LT(got[0].sequence_number(), got[1].sequence_number());
  EXPECT_LT(got[1].sequence_number(), got[2].sequence_number());
}

// --- chains ---------------------------------------------------------------------------------

TEST_F(MoveTaskLifeTest, AChainOfDeadLetterQueuesIsWalkedBackLinkByLink) {
  const Queue last = Make("last");
  ASSERT_TRUE(dead_.SetOptions({.redrive = RedrivePolicy{last.arn(), 1}}).ok());
  MakeDeadLetters(source_, 2);
  for (const Received& one : ReceiveAll(dead_)) {
    ASSERT_TRUE(one.ChangeVisibility(absl::ZeroDuration()).ok());
  }
  ASSERT_EQ(last.Depth().visible, 2);
  Start(last);
  LetItRun();
  EXPECT_EQ(dead_.Depth().visible, 2) << "where it came from last";
  EXPECT_EQ(last.Depth(), QueueDepth{});
  EXPECT_EQ(dead_.Peek(1)->at(0).receive_count(), 0);
}

TEST_F(MoveTaskLifeTest, ADestinationMayBeADeadLetterQueueItself) {
  const Queue other_dead = Make("other-dead");
  const Queue other = MakeSource("other", other_dead);
  MakeDeadLetters(source_, 3);
  Start(dead_, {.destination = other_dead.arn()});
  LetItRun();
  EXPECT_EQ(other_dead.Depth().visible, 3);
  EXPECT_EQ(Latest(dead_).state, State::kCompleted);
}

// What a task brings back fails again and falls into the queue that the task empties.
TEST_F(MoveTaskLifeTest, ATaskEndsThoughWhatItMovesComesBack) {
  MakeDeadLetters(source_, 20);
  Start(dead_, {.max_per_second = 20});
  for (int i = 0; i < 40; ++i) {
    runtime_.Advance(absl::Milliseconds(100));
    for (const Received& one : ReceiveAll(source_)) {
      ASSERT_TRUE(one.ChangeVisibility(absl::ZeroDuration()).ok());
    }
  }
  EXPECT_EQ(Latest(dead_).state, State::kCompleted);
  EXPECT_EQ(Latest(dead_).moved, 20) << "what was there when it began, once";
  EXPECT_EQ(dead_.Depth().visible, 20);
}

// --- queues and brokers that end ------------------------------------------------------------

TEST_F(MoveTaskLifeTest, ATaskEndsWithItsQueue) {
  MakeDeadLetters(source_, 50);
  const std::string handle = Start(dead_, {.max_per_second = 10});
  runtime_.Advance(absl::Seconds(1));
  const int64_t moved = source_.Depth().visible;
  ASSERT_GT(moved, 0);
  ASSERT_TRUE(broker_.DeleteQueue("dead").ok());
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(source_.Depth().visible, moved);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  for (const absl::Status& answer :
       {dead_.ListMessageMoveTasks().status(), dead_.CancelMessageMoveTask(handle).status(),
        dead_.StartMessageMoveTask().status()}) {
    EXPECT_EQ(AwsCode(answer), "AWS.SimpleQueueService.NonExistentQueue");
  }
}

TEST_F(MoveTaskLifeTest, PurgeLeavesATaskNothingToDo) {
  MakeDeadLetters(source_, 50);
  Start(dead_, {.max_per_second = 10});
  runtime_.Advance(absl::Seconds(1));
  ASSERT_TRUE(dead_.Purge().ok());
  const int64_t moved = source_.Depth().visible;
  runtime_.Advance(absl::Seconds(2));
  EXPECT_EQ(Latest(dead_).state, State::kCompleted);
  EXPECT_EQ(Latest(dead_).moved, moved);
}

TEST_F(MoveTaskLifeTest, AStoppingBrokerEndsTheTask) {
  MakeDeadLetters(source_, 50);
  Start(dead_, {.max_per_second = 10});
  runtime_.Advance(absl::Seconds(1));
  const StopReport report = broker_.Stop(absl::Seconds(1));
  EXPECT_EQ(report.messages_resting, 50);
  EXPECT_EQ(report.calls_running, 0);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(dead_.ListMessageMoveTasks().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(dead_.StartMessageMoveTask().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MoveTaskLifeTest, ABrokerIsDestroyedUnderARunningTask) {
  Queue dead;
  {
    Broker broker = Broker::Create(runtime_, {}).value();
    dead = broker.CreateQueue("dead").value();
    const Queue source =
        broker.CreateQueue("source", {.redrive = RedrivePolicy{dead.arn(), 1}}).value();
    MakeDeadLetters(source, 50);
    Start(dead, {.max_per_second = 1});
    runtime_.Advance(absl::Seconds(2));
  }
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(dead.ListMessageMoveTasks().status().code(), absl::StatusCode::kUnavailable);
}

TEST_F(MoveTaskLifeTest, AResetBrokerKnowsNoTask) {
  MakeDeadLetters(source_, 50);
  Start(dead_, {.max_per_second = 1});
  broker_.Reset();
  dead_ = Make("dead");
  source_ = MakeSource("source", dead_);
  EXPECT_THAT(dead_.ListMessageMoveTasks(10).value(), IsEmpty());
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(source_.Stats().moved_in, 0);
}

// --- threads --------------------------------------------------------------------------------

// Tasks, consumers who fail and consumers who succeed, all at once: each message ends once.
TEST(MoveTaskThreadTest, TasksLoseAndDoubleNothingAmongReceivers) {
#ifdef BANYAN_SANITIZER
  constexpr int kMessages = 500;
#else
  constexpr int kMessages = 5'000;
#endif
  const std::unique_ptr<ThreadedRuntime> runtime = NewThreadedRuntime({.threads = 2, .seed = 1});
  Broker broker = Broker::Create(*runtime, {}).value();
  const Queue dead = broker.CreateQueue("dead").value();
  const Queue source = broker
                           .CreateQueue("source", {.visibility_timeout = absl::Hours(1),
                                                   .redrive = RedrivePolicy{dead.arn(), 1}})
                           .value();
  std::atomic<int> deleted{0};
  std::atomic<int> faults{0};
  std::vector<std::thread> threads;
  threads.emplace_back([&] {
    for (int i = 0; i < kMessages; ++i) {
      if (!source.Send({.body = "m"}).ok()) faults.fetch_add(1);
    }
  });
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      int turn = t;
      while (deleted.load() < kMessages) {
        const auto batch = source.Receive({.max_messages = 10, .wait = absl::Milliseconds(1)});
        if (!batch.ok()) return static_cast<void>(faults.fetch_add(1));
        for (const Received& one : *batch) {
          if (++turn % 3 == 0) {
            if (!one.Delete().ok()) faults.fetch_add(1);
            deleted.fetch_add(1);
          } else if (!one.ChangeVisibility(absl::ZeroDuration()).ok()) {
            faults.fetch_add(1);
          }
        }
      }
    });
    threads.emplace_back([&] {
      while (deleted.load() < kMessages) {
        const auto handle = dead.StartMessageMoveTask();
        if (!handle.ok() && AwsCode(handle.status()) != "InvalidParameterValue") {
          faults.fetch_add(1);
        }
        const auto tasks = dead.ListMessageMoveTasks(10);
        if (!tasks.ok()) return static_cast<void>(faults.fetch_add(1));
        int active = 0;
        for (const MessageMoveTask& task : *tasks) {
          if (task.state == State::kRunning || task.state == State::kCancelling) ++active;
          if (task.state == State::kFailed) faults.fetch_add(1);
        }
        if (active > 1) faults.fetch_add(1);
        std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(faults.load(), 0);
  const QueueStats s = source.Stats();
  EXPECT_EQ(s.deleted, kMessages);
  EXPECT_EQ(s.moved_out, dead.Stats().moved_in);
  EXPECT_EQ(s.moved_in, dead.Stats().moved_out);
  EXPECT_EQ(s.depth.total() + dead.Depth().total(), 0);
}

}  // namespace
}  // namespace banyan::internal
