// SPDX-License-Identifier: Apache-2.0
//
// Numbered rows of the queue sheet, section 5, and the findings of theme D of what users asked for:
// dead letters and the ways back. A message moves at the instant it would become visible again.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "rows_testing.h"

namespace banyan {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

constexpr absl::Duration kDay = absl::Hours(24);
using TaskState = MessageMoveTask::State;

class QueueDeadLetterRows : public QueueRows {
 protected:
  // A pair of one kind; the source gives up after as many receives.
  struct Pair {
    Queue dead;
    Queue source;
  };
  Pair MakePair(bool fifo, int64_t max_receive_count, absl::Duration dead_retention = 14 * kDay) {
    const std::string end = fifo ? ".fifo" : "";
    const QueueOptions dead_options{.retention = dead_retention};
    const Queue dead = fifo ? MakeFifo("dead.fifo", dead_options) : Make("dead", dead_options);
    const QueueOptions options{.redrive = RedrivePolicy{dead.arn(), max_receive_count}};
    return {dead, fifo ? MakeFifo("source.fifo", options) : Make("source", options)};
  }
  static SendRequest In(std::string_view group, std::string_view body) {
    return {.body = body, .message_group_id = std::string(group)};
  }
  // Receives everything once and lets the timeout end.
  void FailAll(const Queue& source) {
    while (!ReceiveAll(source).empty()) {
    }
    Pass(absl::Seconds(30));
  }
  MessageMoveTask TaskOf(const Queue& queue) {
    const auto tasks = queue.ListMessageMoveTasks();
    EXPECT_TRUE(tasks.ok()) << tasks.status();
    return tasks.ok() && !tasks->empty() ? (*tasks)[0] : MessageMoveTask();
  }
};

TEST_F(QueueDeadLetterRows, Q19_TheMoveIsNoDeliveryAndTheCountGoesOnInTheDeadLetterQueue) {
  for (const bool fifo : {false, true}) {
    SCOPED_TRACE(fifo ? "FIFO" : "standard");
    const auto [dead, source] = MakePair(fifo, 1);
    SendRequest request = In("g", "poison");
    request.attributes.Set("k", "v");
    request.trace_header = "Root=1-5759e988-bd862e3fe1be46a994272793";
    const SendResult sent = Send(source, request);
    const absl::Time sent_time = runtime_.Now();
    EXPECT_EQ(ReceiveOne(source).receive_count(), 1);
    Pass(absl::Seconds(30));
    EXPECT_THAT(ReceiveBodies(source), IsEmpty());
    EXPECT_EQ(dead.Peek(1)->at(0).receive_count(), 1);
    const Received got = ReceiveOne(dead);
    EXPECT_EQ(got.receive_count(), 2);
    EXPECT_EQ(got.SystemAttributes()["ApproximateReceiveCount"], "2");

    EXPECT_EQ(got.id(), sent.message_id);
    EXPECT_EQ(got.body(), "poison");
    EXPECT_EQ(got.attributes(), (Attributes{{"k", "v"}}));
    EXPECT_EQ(got.trace_header(), request.trace_header);
    EXPECT_EQ(got.sent_time(), sent_time);
    EXPECT_EQ(got.message_group_id(), "g");
    EXPECT_EQ(got.dead_letter_source(), source.arn().ToString());
    EXPECT_EQ(got.SystemAttributes()["DeadLetterQueueSourceArn"], source.arn().ToString());
  }
}

TEST_F(QueueDeadLetterRows, Q20_RetentionGoesOnInAStandardQueueAndBeginsAnewInAFifoQueue) {
  for (const bool fifo : {false, true}) {
    SCOPED_TRACE(fifo ? "FIFO" : "standard");
    const auto [dead, source] = MakePair(fifo, 1, 4 * kDay);
    Send(source, In("g", "poison"));
    Pass(kDay - absl::Seconds(30));
    FailAll(source);  // moved when a day has gone
    ASSERT_EQ(dead.Depth().visible, 1);
    const absl::Duration left = fifo ? 4 * kDay : 3 * kDay;
    Pass(left - absl::Nanoseconds(1));
    EXPECT_EQ(dead.Depth().visible, 1);
    Pass(absl::Nanoseconds(1));
    EXPECT_EQ(dead.Depth(), QueueDepth{});
    EXPECT_EQ(dead.Stats().expired, 1);
  }
}

TEST_F(QueueDeadLetterRows, Q21_MessagesThatSharedADeduplicationIdDoNotSwallowEachOther) {
  const Queue dead = Make("dead.fifo", {.fifo = true});
  const RedrivePolicy redrive{dead.arn(), 1};
  const Queue a = Make("a.fifo", {.fifo = true, .redrive = redrive});
  const Queue b = Make("b.fifo", {.fifo = true, .redrive = redrive});
  std::vector<Id> ids;
  for (const Queue& source : {a, b}) {
    ids.push_back(Send(source, {.body = "from " + std::string(source.name()),
                                .message_group_id = "g",
                                .message_deduplication_id = "same"})
                      .message_id);
    EXPECT_EQ(ReceiveOne(source).deduplication_id(), "same");
  }
  // The dead-letter queue itself knows that id, too.
  Send(dead, {.body = "own", .message_group_id = "h", .message_deduplication_id = "same"});
  Pass(absl::Seconds(30));
  const std::vector<Received> got = ReceiveAll(dead);
  EXPECT_THAT(Bodies(got), UnorderedElementsAre("own", "from a.fifo", "from b.fifo"));
  for (const Received& one : got) {
    if (one.body() == "own") continue;
    EXPECT_EQ(one.deduplication_id(), one.id().ToString());
    EXPECT_THAT(ids, ::testing::Contains(one.id()));
  }
}

TEST_F(QueueDeadLetterRows, Q22_TheAllowPolicySaysWhoMayNameAQueueAsItsDeadLetterQueue) {
  using Permission = RedriveAllowPolicy::Permission;
  const Queue dead = Make("dead");
  const Queue friendly = Make("friend");
  const Queue other = Make("other");
  const auto name_it = [&dead](const Queue& queue) {
    return SetOption(queue, [&](QueueOptions& o) { o.redrive = RedrivePolicy{dead.arn(), 3}; });
  };
  const auto allow = [&dead](RedriveAllowPolicy policy) {
    return SetOption(dead, [&](QueueOptions& o) { o.redrive_allow = policy; });
  };
  EXPECT_THAT(name_it(other), testing::IsOk()) << "all may by default";
  ASSERT_TRUE(SetOption(other, [](QueueOptions& o) { o.redrive.reset(); }).ok());

  ASSERT_THAT(allow({.permission = Permission::kDenyAll}), testing::IsOk());
  EXPECT_EQ(AwsCode(name_it(other)), "InvalidParameterValue");
  EXPECT_EQ(AwsCode(name_it(friendly)), "InvalidParameterValue");

  ASSERT_THAT(allow({.permission = Permission::kByQueue, .source_queues = {friendly.arn()}}),
              testing::IsOk());
  EXPECT_THAT(name_it(friendly), testing::IsOk());
  EXPECT_EQ(AwsCode(name_it(other)), "InvalidParameterValue");

  // At most ten, and only with kByQueue.
  EXPECT_FALSE(allow({.permission = Permission::kByQueue}).ok());
  EXPECT_TRUE(allow({Permission::kByQueue, std::vector<Arn>(10, friendly.arn())}).ok());
  EXPECT_FALSE(allow({Permission::kByQueue, std::vector<Arn>(11, friendly.arn())}).ok());
  EXPECT_FALSE(allow({Permission::kAllowAll, {friendly.arn()}}).ok());
  EXPECT_FALSE(allow({Permission::kDenyAll, {friendly.arn()}}).ok());
}

TEST_F(QueueDeadLetterRows, Q23_RedrivenMessagesAreNewOnesOldestFirstAmongTheLivingTraffic) {
  const auto [dead, source] = MakePair(/*fifo=*/false, 1);
  std::set<Id> before;
  for (const char* body : {"1", "2", "3"}) {
    before.insert(Send(source, body).message_id);
    Pass(absl::Seconds(1));
  }
  FailAll(source);
  Pass(3 * kDay);  // three of the four days that the source keeps a message
  ASSERT_EQ(dead.Depth().visible, 3);

  ASSERT_THAT(dead.StartMessageMoveTask({.max_per_second = 1}), testing::IsOk());
  for (int i = 0; i < 3; ++i) {  // a producer goes on meanwhile
    Send(source, "live " + std::to_string(i));
    Pass(absl::Seconds(1));
  }
  Pass(absl::Seconds(5));
  const MessageMoveTask task = TaskOf(dead);
  EXPECT_EQ(task.state, TaskState::kCompleted);
  EXPECT_EQ(task.to_move, 3);
  EXPECT_EQ(task.moved, 3);
  EXPECT_EQ(dead.Depth(), QueueDepth{});

  std::vector<std::string> redriven;
  absl::Time newest = absl::InfinitePast();
  bool interleaved = false;
  for (const Received& one : ReceiveAll(source)) {
    EXPECT_EQ(one.receive_count(), 1);
    EXPECT_EQ(one.dead_letter_source(), std::nullopt);
    if (one.body().starts_with("live")) {
      interleaved = interleaved || !redriven.empty();
      continue;
    }
    redriven.emplace_back(one.body());
    EXPECT_FALSE(before.contains(one.id())) << "a new message has a new id";
    EXPECT_GT(one.sent_time(), newest);
    newest = one.sent_time();
    EXPECT_LT(runtime_.Now() - one.sent_time(), absl::Minutes(1)) << "its time, too, is new";
  }
  EXPECT_THAT(redriven, ElementsAre("1", "2", "3"));
  EXPECT_TRUE(interleaved) << "the task does not hold up a producer";
  // Retention begins anew: one day more would have ended what is three days old.
  Pass(2 * kDay);
  EXPECT_EQ(source.Depth().total() + dead.Depth().total(), 6);
}

// --- what users asked for: theme D ------------------------------------------------------------

TEST_F(QueueDeadLetterRows, A26_DeadLettersAndTheirRedriveAreThereForBothKinds) {
  for (const bool fifo : {false, true}) {
    SCOPED_TRACE(fifo ? "FIFO" : "standard");
    const auto [dead, source] = MakePair(fifo, 1);
    Send(source, In("g", "1"));
    FailAll(source);
    EXPECT_EQ(*dead.Redrive(), 1);
    FailAll(source);
    ASSERT_EQ(dead.Depth().visible, 1) << "the task below has its own to move";
    ASSERT_THAT(dead.StartMessageMoveTask(), testing::IsOk());
    Pass(absl::Seconds(1));
    EXPECT_EQ(TaskOf(dead).state, TaskState::kCompleted);
    EXPECT_THAT(ReceiveBodies(source), ElementsAre("1"));

    const Queue elsewhere = fifo ? MakeFifo("elsewhere.fifo") : Make("elsewhere");
    Pass(absl::Seconds(30));
    ASSERT_EQ(dead.Depth().visible, 1);
    ASSERT_THAT(dead.StartMessageMoveTask({.destination = elsewhere.arn()}), testing::IsOk());
    Pass(absl::Seconds(1));
    EXPECT_THAT(ReceiveBodies(elsewhere), ElementsAre("1"));
  }
}

TEST_F(QueueDeadLetterRows, A27_WhatArrivesWhileADeadLetterQueueIsDrainedIsNotLost) {
  const auto [dead, source] = MakePair(/*fifo=*/false, 1);
  SendMany(source, 20, "early ");
  FailAll(source);
  ASSERT_EQ(dead.Depth().visible, 20);
  ASSERT_TRUE(SetOption(source, [](QueueOptions& o) { o.redrive->max_receive_count = 1000; }).ok());
  // More dead letters arrive while the first ones go back, one a second.
  ASSERT_THAT(dead.StartMessageMoveTask({.max_per_second = 1}), testing::IsOk());
  const Queue late = Make("late", {.redrive = RedrivePolicy{dead.arn(), 1}});
  for (int i = 0; i < 20; ++i) {
    Send(late, "late " + std::to_string(i));
    ASSERT_TRUE(ReceiveOne(late).ChangeVisibility(absl::ZeroDuration()).ok());
    EXPECT_EQ(source.Depth().total() + dead.Depth().total(), 21 + i) << "at every moment";
    Pass(absl::Seconds(1));
  }
  Pass(absl::Minutes(2));
  EXPECT_EQ(TaskOf(dead).state, TaskState::kCompleted);
  ASSERT_THAT(dead.StartMessageMoveTask(), testing::IsOk());
  Pass(absl::Minutes(1));
  EXPECT_EQ(source.Depth().visible, 20);
  EXPECT_EQ(late.Depth().visible + dead.Depth().total(), 20);
  EXPECT_EQ(late.Stats().accepted, 20);
}

TEST_F(QueueDeadLetterRows, A28_ARedrivenMessageHasAllItsAttemptsAgain) {
  for (const bool by_task : {false, true}) {
    SCOPED_TRACE(by_task ? "move task" : "Redrive");
    const auto [dead, source] = MakePair(/*fifo=*/false, 2);
    Send(source, "m");
    FailAll(source);
    FailAll(source);
    ASSERT_EQ(dead.Depth().visible, 1);
    if (by_task) {
      ASSERT_THAT(dead.StartMessageMoveTask(), testing::IsOk());
      Pass(absl::Seconds(1));
    } else {
      ASSERT_EQ(*dead.Redrive(), 1);
    }
    EXPECT_EQ(ReceiveOne(source).receive_count(), 1);
    Pass(absl::Seconds(30));
    EXPECT_EQ(dead.Depth(), QueueDepth{}) << "it does not bounce back";
    const Received again = ReceiveOne(source);
    EXPECT_EQ(again.receive_count(), 2);
    ASSERT_TRUE(again.Delete().ok());
  }
}

TEST_F(QueueDeadLetterRows, A29_ThreeMeansThreeTries) {
  for (const bool fifo : {false, true}) {
    const auto [dead, source] = MakePair(fifo, 3);
    Send(source, In("g", "poison"));
    for (int try_number = 1; try_number <= 3; ++try_number) {
      EXPECT_EQ(dead.Depth(), QueueDepth{}) << "before try " << try_number;
      EXPECT_EQ(ReceiveOne(source).receive_count(), try_number);
      Pass(absl::Seconds(30));
    }
    EXPECT_EQ(source.Depth(), QueueDepth{});
    EXPECT_EQ(dead.Depth(), (QueueDepth{.visible = 1}));
  }
}

TEST_F(QueueDeadLetterRows, A30_TheMoveNeedsNoReceiveAndALateSuccessStillCounts) {
  for (const bool fifo : {false, true}) {
    SCOPED_TRACE(fifo ? "FIFO" : "standard");
    const auto [dead, source] = MakePair(fifo, 1);
    Send(source, In("g", "poison"));
    ReceiveOne(source);
    Pass(absl::Seconds(30) - absl::Nanoseconds(1));
    EXPECT_EQ(dead.Depth(), QueueDepth{});
    Pass(absl::Nanoseconds(1));
    EXPECT_EQ(dead.Depth(), (QueueDepth{.visible = 1})) << "an alarm needs no consumer";
    ASSERT_TRUE(ReceiveOne(dead).Delete().ok());
  }
  // A slow success: the last handle of the source reaches the message until someone received it.
  const auto [dead, source] = MakePair(/*fifo=*/false, 1);
  Send(source, "slow success");
  const Received slow = ReceiveOne(source);
  Pass(absl::Seconds(31));
  ASSERT_EQ(dead.Depth().visible, 1);
  EXPECT_THAT(slow.Delete(), testing::IsOk());
  EXPECT_EQ(dead.Depth(), QueueDepth{});

  Send(source, "too slow");
  const Received too_slow = ReceiveOne(source);
  Pass(absl::Seconds(31));
  ReceiveOne(dead);
  EXPECT_THAT(too_slow.Delete(), testing::IsOk());
  EXPECT_EQ(dead.Depth(), (QueueDepth{.in_flight = 1}));
}

TEST_F(QueueDeadLetterRows, A31_AReceiverMayGiveUpAMessageAtOnceAndSayWhy) {
  for (const bool fifo : {false, true}) {
    SCOPED_TRACE(fifo ? "FIFO" : "standard");
    const auto [dead, source] = MakePair(fifo, 1'000);
    Send(source, In("g", "unreadable"));
    Send(source, In("g", "next"));
    const Received bad = ReceiveOne(source);
    EXPECT_THAT(bad.MoveToDeadLetterQueue("no JSON"), testing::IsOk());
    EXPECT_EQ(dead.Depth(), (QueueDepth{.visible = 1}));
    EXPECT_THAT(ReceiveBodies(source), ElementsAre("next")) << "its group goes on";
    const Received corpse = ReceiveOne(dead);
    EXPECT_EQ(corpse.body(), "unreadable");
    EXPECT_EQ(corpse.dead_letter_reason(), "no JSON");
    EXPECT_EQ(corpse.receive_count(), 2);
    EXPECT_FALSE(bad.MoveToDeadLetterQueue("again").ok()) << "this attempt is over";
  }
  const Queue plain = Make("plain");
  Send(plain, "m");
  EXPECT_EQ(ReceiveOne(plain).MoveToDeadLetterQueue("why").code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(plain.Depth(), (QueueDepth{.in_flight = 1}));
}

// --- move tasks: what the sheet says of their states ------------------------------------------

TEST_F(QueueDeadLetterRows, ATaskHasAHandleWhileItRunsAndCountsWhatItMoved) {
  const auto [dead, source] = MakePair(/*fifo=*/false, 1);
  SendMany(source, 10, "m");
  FailAll(source);
  const absl::Time started = runtime_.Now();
  const absl::StatusOr<std::string> handle = dead.StartMessageMoveTask({.max_per_second = 2});
  ASSERT_TRUE(handle.ok()) << handle.status();
  Send(dead, "too late for the count");
  Pass(absl::Milliseconds(2'200));
  MessageMoveTask task = TaskOf(dead);
  EXPECT_EQ(task.state, TaskState::kRunning);
  EXPECT_EQ(task.task_handle, *handle);
  EXPECT_EQ(task.source, dead.arn());
  EXPECT_EQ(task.max_per_second, 2);
  EXPECT_EQ(task.started, started);
  EXPECT_EQ(task.to_move, 10) << "a snapshot of the start";
  EXPECT_GE(task.moved, 3);
  EXPECT_LE(task.moved, 6) << "two a second";

  ASSERT_THAT(dead.CancelMessageMoveTask(*handle), testing::IsOk());
  Pass(absl::Seconds(10));
  task = TaskOf(dead);
  EXPECT_EQ(task.state, TaskState::kCancelled);
  EXPECT_EQ(task.task_handle, "");
  EXPECT_LT(task.moved, 10);
  EXPECT_EQ(source.Depth().visible, task.moved) << "what was moved stays moved";
  EXPECT_EQ(source.Depth().total() + dead.Depth().total(), 11);
}

TEST_F(QueueDeadLetterRows, ATaskWhoseDestinationIsDeletedFails) {
  const auto [dead, source] = MakePair(/*fifo=*/false, 1);
  const Queue elsewhere = Make("elsewhere");
  SendMany(source, 10, "m");
  FailAll(source);
  ASSERT_THAT(dead.StartMessageMoveTask({.destination = elsewhere.arn(), .max_per_second = 1}),
              testing::IsOk());
  Pass(absl::Milliseconds(2'500));
  const int64_t arrived = elsewhere.Depth().visible;
  ASSERT_TRUE(broker_.DeleteQueue("elsewhere").ok());
  Pass(absl::Seconds(10));
  const MessageMoveTask task = TaskOf(dead);
  EXPECT_EQ(task.state, TaskState::kFailed);
  EXPECT_EQ(task.failure_reason, "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(task.moved, arrived);
  EXPECT_EQ(dead.Depth().visible, 10 - arrived) << "what could not be moved stays";
}

TEST_F(QueueDeadLetterRows, ATaskSendsEachMessageToItsOwnSource) {
  const Queue dead = Make("dead");
  const RedrivePolicy redrive{dead.arn(), 1};
  const Queue a = Make("a", {.redrive = redrive});
  const Queue b = Make("b", {.redrive = redrive});
  Send(a, "from a");
  Send(b, "from b");
  ReceiveOne(a);
  FailAll(b);
  ASSERT_EQ(dead.Depth().visible, 2);
  ASSERT_THAT(dead.StartMessageMoveTask(), testing::IsOk());
  Pass(absl::Seconds(1));
  EXPECT_EQ(TaskOf(dead).state, TaskState::kCompleted);
  EXPECT_THAT(ReceiveBodies(a), ElementsAre("from a"));
  EXPECT_THAT(ReceiveBodies(b), ElementsAre("from b"));
}

TEST_F(QueueDeadLetterRows, ATaskWithoutARateMovesHundredsAtOnce) {
  const auto [dead, source] = MakePair(/*fifo=*/true, 1);
  SendMany(source, 350, "m");
  FailAll(source);
  ASSERT_EQ(dead.Depth().visible, 350);
  ASSERT_THAT(dead.StartMessageMoveTask(), testing::IsOk());
  Pass(absl::Seconds(1));
  EXPECT_EQ(TaskOf(dead).state, TaskState::kCompleted);
  EXPECT_EQ(TaskOf(dead).moved, 350);
  EXPECT_EQ(source.Depth(), (QueueDepth{.visible = 350}));
}

// The move frees the group: what waited behind the poison is next.
TEST_F(QueueDeadLetterRows, AMoveUnblocksItsGroup) {
  const auto [dead, source] = MakePair(/*fifo=*/true, 1);
  for (const char* body : {"poison", "next"}) Send(source, In("g", body));
  EXPECT_EQ(ReceiveOne(source).body(), "poison");
  EXPECT_THAT(ReceiveBodies(source), IsEmpty());
  Pass(absl::Seconds(30));
  EXPECT_THAT(ReceiveBodies(source), ElementsAre("next"));
  EXPECT_THAT(ReceiveBodies(dead), ElementsAre("poison"));
}

}  // namespace
}  // namespace banyan
