// SPDX-License-Identifier: Apache-2.0
//
// Handles that outlive what they name, gates, forks, and the journal.
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "queue_testing.h"

namespace banyan::internal {
namespace {

using ::testing::ElementsAre;

class LifetimeTest : public QueueTest {
 protected:
  // What every verb of the queue and of a message received from it answers.
  static std::vector<absl::StatusCode> AskAll(const Queue& queue, const Received& held) {
    return {queue.Send({.body = "b"}).status().code(),
            queue.Receive().status().code(),
            queue.Receive({.wait = absl::Seconds(20)}).status().code(),
            queue.Delete(held.receipt_handle()).code(),
            queue.ChangeVisibility(held.receipt_handle(), absl::Seconds(1)).code(),
            queue.Peek(1).status().code(),
            queue.Redrive().status().code(),
            queue.Purge().code(),
            queue.Options().status().code(),
            queue.SetOptions({}).code(),
            held.Delete().code(),
            held.ChangeVisibility(absl::Seconds(1)).code()};
  }

  static void ExpectAll(const Queue& queue, const Received& held, absl::StatusCode code) {
    EXPECT_THAT(AskAll(queue, held), ::testing::Each(code));
    EXPECT_EQ(queue.Depth(), QueueDepth{});
    EXPECT_EQ(queue.Stats().accepted, 0);
    EXPECT_FALSE(held.Overrun());
  }
};

TEST_F(LifetimeTest, DefaultQueueNamesNoQueue) {
  const Queue nobody;
  EXPECT_EQ(nobody.Send({.body = "b"}).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(nobody.Receive().status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(nobody.Delete("x").code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(nobody.Purge().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(nobody.name(), "");
  EXPECT_EQ(nobody.arn(), Arn());
  EXPECT_EQ(nobody.Depth(), QueueDepth{});
}

TEST_F(LifetimeTest, HandlesOfADeletedQueueAnswerNotFound) {
  Queue queue = broker_.Make("jobs");
  Send(queue, "m");
  Send(queue, "n");
  const Received held = ReceiveOne(queue);
  broker_.Delete(queue);
  ExpectAll(queue, held, absl::StatusCode::kNotFound);
  EXPECT_EQ(held.body(), "m") << "what was received stays readable";
  EXPECT_EQ(queue.name(), "jobs");
}

TEST_F(LifetimeTest, HandlesOfAStoppedQueueAnswerUnavailable) {
  Queue queue = broker_.Make("jobs");
  Send(queue, "m");
  const Received held = ReceiveOne(queue);
  queue.core()->Close(CloseKind::kStopped);
  ExpectAll(queue, held, absl::StatusCode::kUnavailable);
}

TEST_F(LifetimeTest, ClosedGateAnswersUnavailable) {
  Queue queue = broker_.Make("jobs");
  Send(queue, "m");
  const Received held = ReceiveOne(queue);
  broker_.env->gate.Close();
  ExpectAll(queue, held, absl::StatusCode::kUnavailable);
}

TEST_F(LifetimeTest, HandlesOutliveTheRuntime) {
  Queue queue;
  Received held;
  {
    testing::SimulatedRuntime runtime;
    TestBroker broker(runtime);
    Queue dead = broker.Make("dead");
    queue = broker.Make("jobs", {.redrive = RedrivePolicy{dead.arn(), 1}});
    Send(queue, "m");
    held = ReceiveOne(queue);
    broker.env->gate.Close();
  }
  ExpectAll(queue, held, absl::StatusCode::kUnavailable);
  EXPECT_EQ(held.body(), "m");
}

TEST_F(LifetimeTest, CloseTellsWhatWasLeftAndFreesIt) {
  Queue queue = broker_.Make("jobs");
  bool freed = false;
  static const char kText[] = "adopted";
  ASSERT_TRUE(queue.Send({.body = Payload::Adopt(kText, 7, [&] { freed = true; })}).ok());
  ASSERT_TRUE(queue.Send({.body = "d", .delay = absl::Seconds(5)}).ok());
  EXPECT_EQ(queue.core()->Close(CloseKind::kStopped), (QueueDepth{.visible = 1, .delayed = 1}));
  EXPECT_TRUE(freed);
  EXPECT_EQ(queue.core()->Close(CloseKind::kDeleted), QueueDepth{}) << "once";
  EXPECT_EQ(queue.Receive().status().code(), absl::StatusCode::kUnavailable);
}

// A release function is user code: it may use the queue it came from.
TEST_F(LifetimeTest, MessagesAreFreedUnderNoLock) {
  Queue queue = broker_.Make("jobs", {.retention = absl::Minutes(1)});
  int freed = 0;
  static const char kText[] = "adopted";
  const auto payload = [&] {
    return Payload::Adopt(kText, 7, [&freed, queue] {
      ++freed;
      queue.Depth();
    });
  };
  ASSERT_TRUE(queue.Send({.body = payload()}).ok());
  ASSERT_TRUE(ReceiveOne(queue).Delete().ok());
  EXPECT_EQ(freed, 1);
  ASSERT_TRUE(queue.Send({.body = payload()}).ok());
  ASSERT_TRUE(queue.Purge().ok());
  EXPECT_EQ(freed, 2);
  ASSERT_TRUE(queue.Send({.body = payload()}).ok());
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(queue.Depth().total(), 0);
  EXPECT_EQ(freed, 3);
  ASSERT_TRUE(queue.Send({.body = payload()}).ok());
  broker_.Delete(queue);
  EXPECT_EQ(freed, 4);
}

TEST_F(LifetimeTest, DeadLetterQueueClosedBetweenDecisionAndArrivalLosesNothing) {
  Queue dead = broker_.Make("dead");
  Queue source = broker_.Make("source", {.redrive = RedrivePolicy{dead.arn(), 1}});
  Send(source, "m");
  ReceiveOne(source);
  dead.core()->Close(CloseKind::kDeleted);  // still found by name
  runtime_.Advance(absl::Seconds(30));
  EXPECT_EQ(source.Depth(), (QueueDepth{.visible = 1}));
  const QueueStats books = source.Stats();
  EXPECT_EQ(books.moved_out, 1);
  EXPECT_EQ(books.moved_in, 1);
}

// The resolver is asked between the two queues' locks, so it can stand for a racing receiver.
TEST_F(LifetimeTest, DeleteWhileAMessageIsOnItsWayEndsIt) {
  Queue dead = broker_.Make("dead");
  Received held;
  std::shared_ptr<QueueCore> source;
  source = QueueCore::Create(broker_.env, "source", {.redrive = RedrivePolicy{dead.arn(), 1}},
                             [&](const Arn&) -> std::shared_ptr<QueueCore> {
                               if (source == nullptr) return nullptr;  // not made yet
                               EXPECT_EQ(AwsCode(held.Delete()), "OK");
                               source->CheckInvariants();
                               return dead.core();
                             });
  Send(Queue(source), "slow success");
  held = ReceiveOne(Queue(source));
  runtime_.Advance(absl::Seconds(30));
  EXPECT_EQ(dead.Depth(), QueueDepth{});
  EXPECT_EQ(dead.Stats().moved_in, 1);
  EXPECT_EQ(dead.Stats().deleted, 1);
  source->Close(CloseKind::kStopped);
}

TEST_F(LifetimeTest, ForkedChildIsToldBeforeAnyLock) {
  Queue queue = broker_.Make("jobs");
  Send(queue, "m");
  const Received held = ReceiveOne(queue);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    bool all = true;
    for (const absl::StatusCode code : AskAll(queue, held)) {
      all = all && code == absl::StatusCode::kUnavailable;
    }
    _exit(all ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_TRUE(held.Delete().ok()) << "the parent goes on";
}

// --- the journal ----------------------------------------------------------------------------

class RecordingJournal : public Journal {
 public:
  void Append(const ChangeRecord& record) override {
    static constexpr const char* kNames[] = {"accepted", "received", "settled", "moved", "expired"};
    std::string line = kNames[static_cast<int>(record.change)];
    const std::string_view queue = record.resource;
    line += " " + std::string(queue.substr(queue.rfind(':') + 1));
    if (record.message != nullptr) line += " " + std::string(record.message->body.view());
    if (record.change == Change::kReceived) {
      line += " x" + std::to_string(record.receive_count) + " until " +
              absl::FormatDuration(absl::Nanoseconds(record.deadline_ns));
    }
    if (!record.destination.empty()) {
      line += " to " + std::string(record.destination.substr(record.destination.rfind(':') + 1));
    }
    lines.push_back(line);
    ids.push_back(record.message_id);
  }
  std::vector<std::string> lines;
  std::vector<Id> ids;
};

TEST_F(LifetimeTest, JournalIsToldEveryChange) {
  RecordingJournal journal;
  broker_.env->journal = &journal;
  Queue dead = broker_.Make("dead", {.retention = absl::Minutes(2)});
  Queue jobs = broker_.Make("jobs", {.redrive = RedrivePolicy{dead.arn(), 1}});
  const Id id = Send(jobs, "a");
  const Received got = ReceiveOne(jobs);
  ASSERT_TRUE(got.ChangeVisibility(absl::Seconds(10)).ok());
  runtime_.Advance(absl::Seconds(10));
  ASSERT_EQ(*dead.Redrive(), 1);
  ASSERT_TRUE(ReceiveOne(jobs).Delete().ok());
  Send(dead, "b");
  runtime_.Advance(absl::Minutes(2));
  EXPECT_EQ(dead.Depth().total(), 0);
  Send(jobs, "c");
  ASSERT_TRUE(jobs.Purge().ok());
  EXPECT_THAT(
      journal.lines,
      ElementsAre("accepted jobs a", "received jobs a x1 until 30s", "received jobs a x1 until 10s",
                  "moved jobs a to dead", "accepted dead a", "moved dead a to jobs",
                  "accepted jobs a", "received jobs a x1 until 40s", "settled jobs",
                  "accepted dead b", "expired dead", "accepted jobs c", "settled jobs"));
  EXPECT_EQ(journal.ids[0], id);
  EXPECT_EQ(journal.ids[4], id) << "a dead letter keeps its id";
  EXPECT_NE(journal.ids[6], id) << "a redriven message has a new one";
  broker_.env->journal = nullptr;
}

}  // namespace
}  // namespace banyan::internal
