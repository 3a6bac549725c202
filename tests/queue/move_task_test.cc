// SPDX-License-Identifier: Apache-2.0
//
// Move tasks: redrives in the background, section 5 of the sheet, through the public API on a
// broker under simulated time.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "move_task_testing.h"
#include "queue_testing.h"
#include "refusal.h"

namespace banyan::internal {
namespace {

using State = MessageMoveTask::State;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// --- what a task does -----------------------------------------------------------------------

TEST_F(MoveTaskTest, MovesEverythingBackInTheBackgroundAndCompletes) {
  MakeDeadLetters(source_, 25);
  const absl::Time started = runtime_.Now();
  const std::string handle = Start(dead_);
  EXPECT_EQ(dead_.Depth().visible, 25) << "never inside the call";
  MessageMoveTask task = Latest(dead_);
  EXPECT_EQ(task.state, State::kRunning);
  EXPECT_EQ(task.task_handle, handle);
  EXPECT_EQ(task.source, dead_.arn());
  EXPECT_EQ(task.destination, std::nullopt);
  EXPECT_EQ(task.max_per_second, std::nullopt);
  EXPECT_EQ(task.to_move, 25);
  EXPECT_EQ(task.moved, 0);
  EXPECT_EQ(task.started, started);
  LetItRun();
  task = Latest(dead_);
  EXPECT_EQ(task.state, State::kCompleted);
  EXPECT_EQ(task.task_handle, "") << "only while it runs";
  EXPECT_EQ(task.moved, 25);
  EXPECT_EQ(task.to_move, 25);
  EXPECT_EQ(task.started, started);
  EXPECT_EQ(task.failure_reason, "");
  EXPECT_EQ(dead_.Depth(), QueueDepth{});
  EXPECT_EQ(Drain(source_), Numbers(25)) << "oldest first";
}

TEST_F(MoveTaskTest, WhatWasMovedIsANewMessage) {
  Send(source_, "poison");
  const std::vector<Received> first = ReceiveAll(source_);
  ASSERT_THAT(first, SizeIs(1));
  runtime_.Advance(absl::Minutes(1));
  ASSERT_EQ(dead_.Depth().visible, 1);
  runtime_.Advance(absl::Hours(3 * 24));
  Start(dead_);
  const absl::Time moved = runtime_.Now();
  runtime_.RunUntilIdle();
  const std::vector<Received> again = ReceiveAll(source_);
  ASSERT_THAT(again, SizeIs(1));
  EXPECT_NE(again[0].id(), first[0].id());
  EXPECT_EQ(again[0].body(), "poison");
  EXPECT_EQ(again[0].receive_count(), 1);
  EXPECT_EQ(again[0].sent_time(), moved);
  EXPECT_EQ(again[0].first_receive_time(), moved);
  EXPECT_EQ(again[0].dead_letter_source(), std::nullopt);
  // It has its one attempt and its four days again.
  runtime_.Advance(absl::Seconds(30));
  EXPECT_EQ(dead_.Depth().visible, 1);
  Start(dead_);
  LetItRun();
  runtime_.Advance(absl::Hours(4 * 24) - absl::Seconds(2));
  EXPECT_EQ(source_.Depth().visible, 1);
  runtime_.Advance(absl::Seconds(2));
  EXPECT_EQ(source_.Depth().visible, 0);
}

TEST_F(MoveTaskTest, EachMessageGoesToItsOwnSource) {
  const Queue other = MakeSource("other", dead_);
  for (int i = 0; i < 5; ++i) {
    MakeDeadLetters(source_, 1, "s" + std::to_string(i) + "-");
    MakeDeadLetters(other, 1, "o" + std::to_string(i) + "-");
  }
  Start(dead_);
  LetItRun();
  EXPECT_EQ(Latest(dead_).moved, 10);
  EXPECT_THAT(Drain(source_), ElementsAre("s0-0", "s1-0", "s2-0", "s3-0", "s4-0"));
  EXPECT_THAT(Drain(other), ElementsAre("o0-0", "o1-0", "o2-0", "o3-0", "o4-0"));
}

TEST_F(MoveTaskTest, ADestinationTakesAllAlsoWhatWasSentToTheDeadLetterQueueDirectly) {
  const Queue elsewhere = Make("elsewhere");
  MakeDeadLetters(source_, 2);
  Send(dead_, "direct");
  Start(dead_, {.destination = elsewhere.arn()});
  EXPECT_EQ(Latest(dead_).destination, elsewhere.arn());
  LetItRun();
  EXPECT_EQ(Latest(dead_).state, State::kCompleted);
  EXPECT_EQ(Latest(dead_).moved, 3);
  EXPECT_THAT(Drain(elsewhere), ElementsAre("0", "1", "direct"));
  EXPECT_THAT(Drain(source_), IsEmpty());
}

TEST_F(MoveTaskTest, AnEmptyQueueCompletesAtOnce) {
  Start(dead_);
  LetItRun();
  const MessageMoveTask task = Latest(dead_);
  EXPECT_EQ(task.state, State::kCompleted);
  EXPECT_EQ(task.to_move, 0);
  EXPECT_EQ(task.moved, 0);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration()) << "and leaves no timer";
}

TEST_F(MoveTaskTest, ToMoveIsASnapshotOfEveryState) {
  MakeDeadLetters(source_, 3);
  ASSERT_TRUE(dead_.Send({.body = "delayed", .delay = absl::Minutes(15)}).ok());
  ASSERT_THAT(dead_.Receive({.visibility_timeout = absl::Hours(1)}).value(), SizeIs(1));
  Start(dead_, {.max_per_second = 1});
  EXPECT_EQ(Latest(dead_).to_move, 4);
  MakeDeadLetters(source_, 2);
  EXPECT_EQ(Latest(dead_).to_move, 4) << "what came later does not count";
}

TEST_F(MoveTaskTest, WhatAReceiverHoldsStaysWithIt) {
  MakeDeadLetters(source_, 3);
  const std::vector<Received> held = dead_.Receive().value();
  ASSERT_THAT(held, SizeIs(1));
  Start(dead_);
  LetItRun();
  EXPECT_EQ(dead_.Depth().in_flight, 1);
  EXPECT_THAT(Drain(source_), ElementsAre("1", "2"));
  EXPECT_TRUE(held[0].Delete().ok());
  EXPECT_EQ(dead_.Stats().deleted, 1);
}

TEST_F(MoveTaskTest, LiveProducersInterleave) {
  MakeDeadLetters(source_, 40);
  Start(dead_, {.max_per_second = 10});
  for (int second = 0; second < 5; ++second) {
    Send(source_, "live" + std::to_string(second));
    runtime_.Advance(absl::Seconds(1));
  }
  const std::vector<std::string> order = Drain(source_);
  ASSERT_THAT(order, SizeIs(45));
  const auto place = [&](const std::string& body) {
    return std::find(order.begin(), order.end(), body) - order.begin();
  };
  EXPECT_LT(place("live1"), place("20"));
  EXPECT_LT(place("5"), place("live1"));
  EXPECT_LT(place("20"), place("live4"));
}

TEST_F(MoveTaskTest, FullSourcesTakeWhatComesBack) {
  MakeDeadLetters(source_, 5);
  QueueOptions options = *source_.Options();
  options.messages_max = 1;
  ASSERT_TRUE(source_.SetOptions(options).ok());
  Start(dead_);
  LetItRun();
  EXPECT_EQ(source_.Depth().visible, 5) << "they were accepted once";
}

// --- the rate -------------------------------------------------------------------------------

TEST_F(MoveTaskTest, NoSecondHasMoreThanTheRateAndTheWorkKeepsUpWithIt) {
  for (const int64_t rate : {1, 3, 7, 10, 25, 99, 500}) {
    SCOPED_TRACE("rate " + std::to_string(rate));
    constexpr int kSeconds = 6;
    const Queue dead = Make("dead-" + std::to_string(rate));
    const Queue source = MakeSource("source-" + std::to_string(rate), dead);
    const int64_t count = rate * kSeconds;
    MakeDeadLetters(source, static_cast<int>(count));
    Start(dead, {.max_per_second = rate});
    EXPECT_EQ(Latest(dead).max_per_second, rate);
    std::vector<int64_t> moved = {0};  // by tenths of a second
    for (int tenth = 1; tenth <= 10 * kSeconds; ++tenth) {
      runtime_.Advance(absl::Milliseconds(100));
      moved.push_back(source.Depth().visible);
    }
    for (size_t i = 10; i < moved.size(); ++i) {
      // Of two instants a second apart, both counted, one run's worth may be seen twice.
      ASSERT_LE(moved[i] - moved[i - 10], rate + std::max<int64_t>(1, rate / 10)) << i;
    }
    for (int second = 1; second < kSeconds; ++second) {
      ASSERT_GE(moved[static_cast<size_t>(10 * second)], rate * second) << second;
      ASSERT_LE(moved[static_cast<size_t>(10 * second)], rate * (second + 1)) << second;
    }
    runtime_.Advance(absl::Seconds(1));
    EXPECT_EQ(source.Depth().visible, count);
    EXPECT_EQ(Latest(dead).state, State::kCompleted);
  }
}

TEST_F(MoveTaskTest, MovedIsCountedWhileItRuns) {
  MakeDeadLetters(source_, 100);
  Start(dead_, {.max_per_second = 10});
  int64_t last = 0;
  for (int second = 0; second < 5; ++second) {
    runtime_.Advance(absl::Seconds(1));
    const MessageMoveTask task = Latest(dead_);
    EXPECT_EQ(task.state, State::kRunning);
    EXPECT_EQ(task.moved, source_.Depth().visible);
    EXPECT_EQ(task.moved + dead_.Depth().visible, 100);
    EXPECT_GT(task.moved, last);
    last = task.moved;
  }
}

TEST_F(MoveTaskTest, BadRatesAreRefused) {
  for (const int64_t rate : {int64_t{0}, int64_t{-1}, int64_t{501}, INT64_MAX}) {
    EXPECT_EQ(AwsCode(dead_.StartMessageMoveTask({.max_per_second = rate}).status()),
              "InvalidParameterValue")
        << rate;
  }
  EXPECT_THAT(dead_.ListMessageMoveTasks().value(), IsEmpty());
}

// --- cancel ---------------------------------------------------------------------------------

TEST_F(MoveTaskTest, CancelTakesEffectSoonAndWhatWasMovedStaysMoved) {
  MakeDeadLetters(source_, 100);
  const std::string handle = Start(dead_, {.max_per_second = 10});
  runtime_.Advance(absl::Seconds(2));
  const int64_t moved = Latest(dead_).moved;
  ASSERT_GT(moved, 0);
  absl::StatusOr<int64_t> so_far = dead_.CancelMessageMoveTask(handle);
  ASSERT_TRUE(so_far.ok()) << so_far.status();
  EXPECT_EQ(*so_far, moved);
  EXPECT_EQ(Latest(dead_).state, State::kCancelling);
  EXPECT_EQ(Latest(dead_).task_handle, "") << "it does not run any more";
  EXPECT_THAT(dead_.CancelMessageMoveTask(handle),
              IsRefusal("ResourceNotFoundException", "Task does not exist."));
  runtime_.Advance(absl::Seconds(2));
  const MessageMoveTask task = Latest(dead_);
  EXPECT_EQ(task.state, State::kCancelled);
  EXPECT_GE(task.moved, moved);
  EXPECT_EQ(task.moved, source_.Depth().visible);
  EXPECT_EQ(task.moved + dead_.Depth().visible, 100);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(source_.Depth().visible, task.moved) << "and no more";
}

TEST_F(MoveTaskTest, WhileATaskIsCancellingNoOtherBegins) {
  MakeDeadLetters(source_, 100);
  const std::string handle = Start(dead_, {.max_per_second = 1});
  ASSERT_TRUE(dead_.CancelMessageMoveTask(handle).ok());
  EXPECT_EQ(AwsCode(dead_.StartMessageMoveTask().status()), "InvalidParameterValue");
  runtime_.Advance(absl::Seconds(2));
  ASSERT_EQ(Latest(dead_).state, State::kCancelled);
  Start(dead_);
  LetItRun();
  EXPECT_EQ(Latest(dead_).state, State::kCompleted);
  EXPECT_EQ(dead_.Depth(), QueueDepth{});
}

TEST_F(MoveTaskTest, AnEndedTaskCannotBeCancelled) {
  MakeDeadLetters(source_, 1);
  const std::string handle = Start(dead_);
  LetItRun();
  EXPECT_THAT(dead_.CancelMessageMoveTask(handle),
              IsRefusal("ResourceNotFoundException", "Task does not exist."));
  EXPECT_EQ(Latest(dead_).state, State::kCompleted);
}

TEST_F(MoveTaskTest, HandlesThatAreNoneAndTasksThatAreUnknown) {
  for (const std::string& bad :
       {std::string(""), std::string("garbage"), std::string("{}"), absl::Base64Escape("no json"),
        absl::Base64Escape("{}"), absl::Base64Escape(R"({"taskId":"x"})")}) {
    EXPECT_THAT(dead_.CancelMessageMoveTask(bad),
                IsRefusal("InvalidParameterValue", "Value for parameter TaskHandle is invalid."))
        << bad;
  }
  const std::string unknown =
      absl::Base64Escape(R"({"taskId":"4f7c1e52-0000-4000-8000-000000000000","sourceArn":")" +
                         dead_.arn().ToString() + R"("})");
  EXPECT_THAT(dead_.CancelMessageMoveTask(unknown),
              IsRefusal("ResourceNotFoundException", "Task does not exist."));
}

TEST_F(MoveTaskTest, AHandleIsBase64OfTaskAndSource) {
  MakeDeadLetters(source_, 1);
  std::string text;
  ASSERT_TRUE(absl::Base64Unescape(Start(dead_), &text));
  EXPECT_THAT(text, ::testing::MatchesRegex(
                        R"(\{"taskId":"[0-9a-f-]{36}","sourceArn":"arn:aws:sqs:[^"]*:dead"\})"));
}

// --- failures -------------------------------------------------------------------------------

TEST_F(MoveTaskTest, DestinationDeletedMeanwhileFailsTheTaskAndLosesNothing) {
  const Queue elsewhere = Make("elsewhere");
  MakeDeadLetters(source_, 50);
  Start(dead_, {.destination = elsewhere.arn(), .max_per_second = 10});
  runtime_.Advance(absl::Seconds(2));
  const int64_t moved = Latest(dead_).moved;
  ASSERT_EQ(moved, elsewhere.Depth().visible);
  ASSERT_TRUE(broker_.DeleteQueue("elsewhere").ok());
  runtime_.Advance(absl::Seconds(2));
  const MessageMoveTask task = Latest(dead_);
  EXPECT_EQ(task.state, State::kFailed);
  EXPECT_EQ(task.failure_reason, "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(task.task_handle, "");
  EXPECT_EQ(task.moved, moved);
  EXPECT_EQ(dead_.Depth().visible, 50 - moved);
}

TEST_F(MoveTaskTest, SourceOfAMessageThatIsGoneFailsTheTask) {
  const Queue other = MakeSource("other", dead_);
  MakeDeadLetters(source_, 2);
  MakeDeadLetters(other, 2);
  ASSERT_TRUE(broker_.DeleteQueue("source").ok());
  Start(dead_);
  LetItRun();
  EXPECT_EQ(Latest(dead_).state, State::kFailed);
  EXPECT_EQ(Latest(dead_).failure_reason, "AWS.SimpleQueueService.NonExistentQueue");
  EXPECT_EQ(dead_.Depth().visible + other.Depth().visible, 4);
  EXPECT_GE(dead_.Depth().visible, 2);
}

TEST_F(MoveTaskTest, MessageSentToTheDeadLetterQueueDirectlyFailsTheTask) {
  MakeDeadLetters(source_, 2);
  Send(dead_, "direct");
  runtime_.Advance(absl::Milliseconds(1));
  MakeDeadLetters(source_, 2, "after-");
  Start(dead_);
  LetItRun();
  const MessageMoveTask task = Latest(dead_);
  EXPECT_EQ(task.state, State::kFailed);
  EXPECT_EQ(task.failure_reason, "CouldNotDetermineMessageSource");
  EXPECT_EQ(task.moved, 2);
  EXPECT_THAT(Drain(source_), ElementsAre("0", "1")) << "what was older had gone";
  EXPECT_EQ(dead_.Depth().visible, 3);
}

TEST_F(MoveTaskTest, OnlyADeadLetterQueueHasMoveTasks) {
  const char kNone[] = "Source queue must be configured as a Dead Letter Queue.";
  EXPECT_THAT(source_.StartMessageMoveTask(), IsRefusal("InvalidParameterValue", kNone));
  // It is one only while somebody's policy names it.
  QueueOptions options = *source_.Options();
  options.redrive = std::nullopt;
  ASSERT_TRUE(source_.SetOptions(options).ok());
  EXPECT_THAT(dead_.StartMessageMoveTask(), IsRefusal("InvalidParameterValue", kNone));
  options.redrive = RedrivePolicy{dead_.arn(), 1};
  ASSERT_TRUE(source_.SetOptions(options).ok());
  Start(dead_);
  LetItRun();
  ASSERT_TRUE(broker_.DeleteQueue("source").ok());
  EXPECT_THAT(dead_.StartMessageMoveTask(), IsRefusal("InvalidParameterValue", kNone));
}

TEST_F(MoveTaskTest, OneTaskAtATime) {
  const Queue other_dead = Make("other-dead");
  const Queue other = MakeSource("other", other_dead);
  MakeDeadLetters(source_, 10);
  MakeDeadLetters(other, 1);
  Start(dead_, {.max_per_second = 1});
  EXPECT_THAT(
      dead_.StartMessageMoveTask(),
      IsRefusal("InvalidParameterValue",
                "There is already a task running. Only one active task is allowed for a source "
                "queue arn at a given time."));
  Start(other_dead);
  LetItRun();
  EXPECT_EQ(Latest(other_dead).state, State::kCompleted) << "another queue's is another";
  EXPECT_THAT(dead_.ListMessageMoveTasks(10).value(), SizeIs(1));
}

TEST_F(MoveTaskTest, DestinationsThatAreNone) {
  const auto start = [this](const Arn& arn) {
    return dead_.StartMessageMoveTask({.destination = arn});
  };
  Arn nobody = dead_.arn();
  nobody.resource = "nobody";
  const absl::Status refusal = start(nobody).status();
  EXPECT_THAT(refusal, IsRefusal("ResourceNotFoundException",
                                 "The resource that you specified for the DestinationArn parameter "
                                 "doesn't exist."));
  EXPECT_EQ(refusal.code(), absl::StatusCode::kNotFound);
  const Queue fifo = Make("other.fifo", {.fifo = true});
  EXPECT_FALSE(start(fifo.arn()).ok()) << "of the other kind";
  EXPECT_FALSE(start(dead_.arn()).ok()) << "itself";
  EXPECT_THAT(dead_.ListMessageMoveTasks().value(), IsEmpty());
}

}  // namespace
}  // namespace banyan::internal
