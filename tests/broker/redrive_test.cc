// SPDX-License-Identifier: Apache-2.0
//
// Redriving the dead-letter queues that AWS cannot redrive: those of subscriptions, of rule targets
// and of schedules. What was given up is delivered as at first, or stays where it is.
#include <string>
#include <string_view>
#include <vector>

#include "banyan/broker.h"
#include "banyan/error.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "shared_testing.h"

namespace banyan {
namespace {

using State = MessageMoveTask::State;
using ::banyan::testing::IsOk;
using ::banyan::testing::IsOkAndHolds;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr char kAny[] = R"({"source":["shop"]})";

class RedriveTest : public ::testing::Test {
 protected:
  Queue MakeQueue(std::string_view name, QueueOptions options = {}) {
    return broker_.CreateQueue(name, std::move(options)).value();
  }
  // Full with one message, so that deliveries fail until somebody drains it.
  Queue MakeFull(std::string_view name) {
    const Queue queue = MakeQueue(name, {.messages_max = 1});
    queue.Send({.body = "in the way"}).value();
    return queue;
  }
  Id Put(std::string detail) {
    return bus_.Put({.source = "shop", .detail_type = "Order", .detail = std::move(detail)})
        .value();
  }
  Rule PutRule(const Target& target) {
    return bus_.PutRule("r", {.pattern = kAny, .targets = {target}}).value();
  }
  static DeliveryStats Books(const Rule& rule) { return rule.Stats().targets.at(0).delivery; }
  MessageMoveTask TaskOf(const Queue& queue) { return queue.ListMessageMoveTasks().value().at(0); }

  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
  Topic topic_ = broker_.CreateTopic("orders").value();
  EventBus bus_ = broker_.CreateEventBus("shop").value();
  Queue dead_ = MakeQueue("dead");
  const RetryPolicy once_ = {.retries_max = 0};
};

// --- Each comes as it would have come at first

TEST_F(RedriveTest, ASubscriptionGetsTheMessageAsAtFirst) {
  const Queue queue = MakeFull("q"), witness = MakeQueue("witness");
  const Subscription subscription =
      topic_.Subscribe(Target(queue).Retry(once_).DeadLetter(dead_)).value();
  topic_.Subscribe(witness).value();
  topic_.Publish({.body = "m", .subject = "s", .attributes = {{"k", "v"}}}).value();
  Drain(queue);
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(dead_.Redrive(), IsOkAndHolds(1));
  const std::vector<std::string> envelopes = DrainBodies(queue);
  ASSERT_THAT(envelopes, SizeIs(1));
  EXPECT_THAT(DrainBodies(witness), ElementsAre(envelopes[0])) << "with the time it was published";
  EXPECT_EQ(dead_.Depth().total(), 0);
  const SubscriptionStats stats = subscription.Stats();
  EXPECT_EQ(stats.delivery.delivered, 1);
  EXPECT_EQ(stats.delivery.dead_lettered, 1);
  EXPECT_EQ(stats.delivery.redelivered, 1);
  EXPECT_EQ(stats.delivery.matched, 2);
  EXPECT_EQ(stats.filtered, 0);
}

TEST_F(RedriveTest, ARulesTargetGetsItsInputAndNoErrorAttributes) {
  const Queue queue = MakeFull("q");
  const Rule rule = PutRule(Target(queue).Retry(once_).DeadLetter(dead_).InputTransformer(
      {{"id", "$.detail.id"}}, R"({"order": <id>})"));
  const Id id = Put(R"({"id":7})");
  Drain(queue);
  ASSERT_EQ(dead_.Depth().total(), 1);
  EXPECT_THAT(dead_.Redrive(), IsOkAndHolds(1));
  const std::vector<Received> got = Drain(queue);
  ASSERT_THAT(got, SizeIs(1));
  EXPECT_EQ(got[0].body(), R"({"order":7})");
  EXPECT_TRUE(got[0].attributes().empty());
  EXPECT_EQ(got[0].event_id(), id);
}

TEST_F(RedriveTest, AFunctionIsCalledWithTheMessageItself) {
  bool is_broken = true;
  std::vector<std::string> taken;
  const Function function =
      broker_
          .CreateFunction("f", {},
                          [&](const FunctionEvent& event) -> absl::Status {
                            if (is_broken) return absl::InternalError("broken");
                            EXPECT_EQ(event.attempt, 1);
                            EXPECT_EQ(event.attributes->Find("k")->value, "v");
                            taken.emplace_back(event.body);
                            return absl::OkStatus();
                          })
          .value();
  topic_.Subscribe(Target(function).Retry({.retries_max = 2}).DeadLetter(dead_)).value();
  topic_.Publish({.body = "m", .attributes = {{"k", "v"}}}).value();
  runtime_.Advance(absl::Minutes(1));
  ASSERT_EQ(dead_.Depth().total(), 1);
  is_broken = false;
  EXPECT_THAT(dead_.Redrive(), IsOkAndHolds(1));
  EXPECT_THAT(taken, IsEmpty()) << "it runs on the Runtime";
  runtime_.RunUntilIdle();
  EXPECT_THAT(taken, ElementsAre("m"));
  ASSERT_THAT(broker_.DeleteFunction("f"), IsOk());
}

TEST_F(RedriveTest, AScheduleDeliversItsFiringAgain) {
  const Queue queue = MakeFull("q");
  ASSERT_THAT(broker_.CreateSchedule("s", {.schedule_expression = "rate(1 hour)",
                                           .target = Target(queue).Retry(once_).DeadLetter(dead_),
                                           .input = R"({"at":"<aws.scheduler.scheduled-time>"})"}),
              IsOk());
  runtime_.Advance(absl::Hours(1));
  Drain(queue);
  const std::vector<Received> letters = dead_.Peek(10).value();
  ASSERT_THAT(letters, SizeIs(1));
  EXPECT_THAT(dead_.Redrive(), IsOkAndHolds(1));
  EXPECT_THAT(DrainBodies(queue), ElementsAre(letters[0].body()));
}

TEST_F(RedriveTest, AnOldMessageHasItsWholeAgeAndAllAttemptsAgain) {
  const Queue queue = MakeFull("q");
  const Rule rule = PutRule(
      Target(queue).Retry({.retries_max = 3, .age_max = absl::Minutes(1)}).DeadLetter(dead_));
  Put("{}");
  runtime_.Advance(absl::Hours(24));
  ASSERT_EQ(dead_.Depth().total(), 1);
  EXPECT_THAT(dead_.Redrive(), IsOkAndHolds(1));
  EXPECT_EQ(Books(rule).pending, 1) << "it is full still, and that is a reason to try again";
  Drain(queue);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(DrainBodies(queue), SizeIs(1));
}

// --- What fails again, and what has nowhere to go

TEST_F(RedriveTest, WhatFailsAgainComesBack) {
  const Queue queue = MakeFull("q");
  const Rule rule = PutRule(Target(queue).Retry({.retries_max = 1}).DeadLetter(dead_));
  for (int i = 0; i < 3; ++i) Put("{}");
  runtime_.Advance(absl::Minutes(1));
  ASSERT_EQ(dead_.Depth().total(), 3);
  EXPECT_THAT(dead_.Redrive(), IsOkAndHolds(3));
  EXPECT_EQ(dead_.Depth().total(), 0);
  EXPECT_EQ(Books(rule).pending, 3);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(dead_.Depth().total(), 3);
  EXPECT_EQ(Books(rule).dead_lettered, 6);
  EXPECT_EQ(Books(rule).redelivered, 3);
  for (const Received& letter : Drain(dead_)) {
    EXPECT_EQ(letter.attributes().Find("RETRY_ATTEMPTS")->value, "1");
  }
}

// Those that fail at once come back before the walk has ended, and it does not take them again.
TEST_F(RedriveTest, AWalkEndsThoughEverythingComesBackAtOnce) {
  const Queue queue = MakeFull("q");
  topic_.Subscribe(Target(queue).Retry(once_).DeadLetter(dead_), {.raw = true}).value();
  for (int i = 0; i < 250; ++i) topic_.Publish({.body = std::to_string(i)}).value();
  EXPECT_THAT(dead_.Redrive(), IsOkAndHolds(250));
  EXPECT_EQ(dead_.Depth().total(), 250);
}

TEST_F(RedriveTest, WhatHasNowhereToGoStaysAsItIs) {
  const Queue queue = MakeFull("q"), other = MakeFull("other");
  const Subscription subscription =
      topic_.Subscribe(Target(queue).Retry(once_).DeadLetter(dead_), {.raw = true}).value();
  PutRule(Target(other).Retry(once_).DeadLetter(dead_));
  topic_.Publish({.body = "m"}).value();
  Put("{}");
  dead_.Send({.body = "by hand"}).value();
  ASSERT_THAT(subscription.Unsubscribe(), IsOk());
  ASSERT_THAT(broker_.DeleteQueue("other"), IsOk());
  const std::vector<Received> before = dead_.Peek(10).value();
  ASSERT_THAT(before, SizeIs(3));
  Drain(queue);
  EXPECT_THAT(dead_.Redrive(), IsOkAndHolds(0));
  const std::vector<Received> after = dead_.Peek(10).value();
  ASSERT_THAT(after, SizeIs(3));
  for (const Received& letter : after) {
    const bool is_same = letter.id() == before[0].id() || letter.id() == before[1].id() ||
                         letter.id() == before[2].id();
    EXPECT_TRUE(is_same) << letter.body();
  }
  EXPECT_EQ(dead_.Stats().dropped, 0);
  // A task counts them, and does not fail.
  ASSERT_THAT(dead_.StartMessageMoveTask({.any_source = true}), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_EQ(TaskOf(dead_).state, State::kCompleted);
  EXPECT_EQ(TaskOf(dead_).moved, 0);
  EXPECT_EQ(TaskOf(dead_).not_moved, 3);
}

TEST_F(RedriveTest, ATargetThatWasMendedGetsWhatTheOldOneGaveUp) {
  const Queue broken = MakeFull("broken"), mended = MakeQueue("mended");
  const Rule rule = PutRule(Target(broken).Id("t").Retry(once_).DeadLetter(dead_));
  Put(R"({"n":1})");
  ASSERT_THAT(rule.PutTargets({{Target(mended).Id("t").InputPath("$.detail")}}), IsOk());
  EXPECT_THAT(dead_.Redrive(), IsOkAndHolds(1));
  EXPECT_THAT(DrainBodies(mended), ElementsAre(R"({"n":1})"));
  EXPECT_THAT(DrainBodies(broken), ElementsAre("in the way"));
}

// One message that two subscriptions gave up, and one that was given up twice within five minutes,
// have the same deduplication id.
TEST_F(RedriveTest, AFifoDeadLetterQueueSwallowsNoDeadLetterAsADuplicate) {
  const Topic topic = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  const Queue dead = MakeQueue("dead.fifo", {.fifo = true});
  std::vector<Queue> queues;
  for (const char* name : {"a.fifo", "b.fifo"}) {
    queues.push_back(MakeQueue(name, {.fifo = true, .messages_max = 1}));
    topic.Subscribe(Target(queues.back()).Retry(once_).DeadLetter(dead), {.raw = true}).value();
  }
  const auto publish = [&](std::string id) {
    topic.Publish({.body = id, .message_group_id = "g", .message_deduplication_id = id}).value();
  };
  publish("1");  // fills them
  publish("2");
  publish("3");
  EXPECT_EQ(dead.Depth().total(), 4);
  EXPECT_THAT(dead.Redrive(), IsOkAndHolds(4));
  EXPECT_EQ(dead.Depth().total(), 4);
  for (const Queue& queue : queues) EXPECT_THAT(DrainBodies(queue), ElementsAre("1"));
  EXPECT_THAT(dead.Redrive(), IsOkAndHolds(4));
  for (const Queue& queue : queues) EXPECT_THAT(DrainBodies(queue), ElementsAre("2"));
  const std::vector<Received> letters = Drain(dead);
  ASSERT_THAT(letters, SizeIs(2));
  for (const Received& letter : letters) {
    EXPECT_EQ(letter.deduplication_id(), "3");
    EXPECT_EQ(letter.message_group_id(), "g");
  }
}

// The letters of a group keep their order, also among themselves and through retries.
TEST_F(RedriveTest, AGroupIsRedrivenInItsOrder) {
  const Topic topic = broker_.CreateTopic("t.fifo", {.fifo = true}).value();
  const Queue dead = MakeQueue("dead.fifo", {.fifo = true});
  const Queue queue = MakeQueue("q.fifo", {.fifo = true, .messages_max = 1});
  const Subscription subscription = topic
                                        .Subscribe(Target(queue)
                                                       .Retry({.retries_max = 1,
                                                               .backoff_first = absl::Seconds(1),
                                                               .backoff_max = absl::Seconds(1)})
                                                       .DeadLetter(dead),
                                                   {.raw = true})
                                        .value();
  for (int i = 0; i < 6; ++i) {
    topic
        .Publish({.body = std::to_string(i),
                  .message_group_id = "g",
                  .message_deduplication_id = std::to_string(i)})
        .value();
  }
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(DrainBodies(queue), ElementsAre("0"));
  ASSERT_EQ(dead.Depth().total(), 5);
  std::vector<std::string> got;
  EXPECT_THAT(dead.Redrive(), IsOkAndHolds(5));
  EXPECT_EQ(subscription.Stats().delivery.pending, 4) << "they wait for each other";
  for (int i = 0; i < 50; ++i) {
    for (const std::string& body : DrainBodies(queue)) got.push_back(body);
    runtime_.Advance(absl::Milliseconds(100));
  }
  EXPECT_THAT(got, ElementsAre("1", "2", "3", "4", "5"));
}

// --- Over several queues

TEST_F(RedriveTest, ADeadLetterKnowsItsWayBackOverAChainOfDeadLetterQueues) {
  const Queue last = MakeQueue("last");
  const Queue first = MakeQueue(
      "first", {.visibility_timeout = absl::Seconds(1), .redrive = RedrivePolicy{last.arn(), 1}});
  const Queue queue = MakeFull("q");
  topic_.Subscribe(Target(queue).Retry(once_).DeadLetter(first), {.raw = true}).value();
  topic_.Publish({.body = "m"}).value();
  Drain(queue);
  ASSERT_THAT(first.Receive().value(), SizeIs(1));  // and nobody deletes it
  runtime_.Advance(absl::Seconds(2));
  ASSERT_EQ(last.Depth().total(), 1);
  EXPECT_THAT(last.Redrive(), IsOkAndHolds(1));
  EXPECT_EQ(first.Depth().total(), 1) << "where it came from";
  EXPECT_THAT(first.Redrive(), IsOkAndHolds(1));
  EXPECT_THAT(DrainBodies(queue), ElementsAre("m"));
}

// --- Tasks

TEST_F(RedriveTest, AWSRefusesATaskAndAnySourceAllowsIt) {
  const Queue queue = MakeFull("q");
  topic_.Subscribe(Target(queue).Retry(once_).DeadLetter(dead_), {.raw = true}).value();
  topic_.Publish({.body = "m"}).value();
  Drain(queue);
  const absl::Status refused = dead_.StartMessageMoveTask().status();
  EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(refused.message()),
              HasSubstr("Source queue must be configured as a Dead Letter Queue"));
  ASSERT_THAT(dead_.StartMessageMoveTask({.any_source = true}), IsOk());
  EXPECT_THAT(Drain(queue), IsEmpty()) << "never inside the call";
  runtime_.RunUntilIdle();
  EXPECT_THAT(DrainBodies(queue), ElementsAre("m"));
  EXPECT_EQ(TaskOf(dead_).state, State::kCompleted);
  EXPECT_EQ(TaskOf(dead_).moved, 1);
}

TEST_F(RedriveTest, ATaskHasARateAndCanBeCancelled) {
  const Queue queue = MakeFull("q");
  topic_.Subscribe(Target(queue).Retry(once_).DeadLetter(dead_), {.raw = true}).value();
  for (int i = 0; i < 20; ++i) topic_.Publish({.body = std::to_string(i)}).value();
  QueueOptions options = queue.Options().value();
  options.messages_max = 100;
  ASSERT_THAT(queue.SetOptions(options), IsOk());
  Drain(queue);
  const std::string task =
      dead_.StartMessageMoveTask({.max_per_second = 2, .any_source = true}).value();
  runtime_.Advance(absl::Seconds(3));
  const int64_t moved = TaskOf(dead_).moved;
  EXPECT_GE(moved, 5);
  EXPECT_LE(moved, 8);
  EXPECT_EQ(queue.Depth().total(), moved);
  EXPECT_EQ(TaskOf(dead_).to_move, 20);
  EXPECT_THAT(dead_.CancelMessageMoveTask(task), IsOkAndHolds(moved));
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(TaskOf(dead_).state, State::kCancelled);
  EXPECT_EQ(queue.Depth().total(), moved);
  EXPECT_EQ(dead_.Depth().total(), 20 - moved);
}

TEST_F(RedriveTest, ADestinationTakesWhateverRestsThere) {
  const Queue queue = MakeFull("q"), elsewhere = MakeQueue("elsewhere");
  PutRule(Target(queue).Retry(once_).DeadLetter(dead_));
  Put(R"({"n":1})");
  dead_.Send({.body = "by hand"}).value();
  ASSERT_THAT(dead_.StartMessageMoveTask({.destination = elsewhere.arn(), .any_source = true}),
              IsOk());
  runtime_.RunUntilIdle();
  EXPECT_EQ(TaskOf(dead_).moved, 2);
  const std::vector<Received> got = Drain(elsewhere);
  ASSERT_THAT(got, SizeIs(2));
  EXPECT_NE(got[0].attributes().Find("ERROR_CODE"), nullptr) << "as it is";
  EXPECT_EQ(got[1].body(), "by hand");
}

// --- Interrupted

TEST_F(RedriveTest, ABrokerThatStopsLosesNothingOfATask) {
  const Queue queue = MakeFull("q");
  topic_.Subscribe(Target(queue).Retry(once_).DeadLetter(dead_), {.raw = true}).value();
  for (int i = 0; i < 20; ++i) topic_.Publish({.body = std::to_string(i)}).value();
  QueueOptions options = queue.Options().value();
  options.messages_max = 100;
  ASSERT_THAT(queue.SetOptions(options), IsOk());
  ASSERT_THAT(dead_.StartMessageMoveTask({.max_per_second = 5, .any_source = true}), IsOk());
  runtime_.Advance(absl::Seconds(1));
  const StopReport report = broker_.Stop(absl::ZeroDuration());
  EXPECT_EQ(report.messages_resting + report.deliveries_pending, 21);
}

// A function that is called inline runs within Redrive(), under no lock: it may do anything, also
// redrive the same queue, which the call on its own stack is about to do.
TEST_F(RedriveTest, AHandlerCalledInlineMayRedriveTheSameQueue) {
  bool is_broken = true;
  std::vector<std::string> taken;
  const Function function = broker_
                                .CreateFunction("f", {},
                                                [&](const FunctionEvent& event) -> absl::Status {
                                                  if (is_broken)
                                                    return absl::InternalError("broken");
                                                  EXPECT_THAT(dead_.Redrive(), IsOkAndHolds(0));
                                                  EXPECT_THAT(topic_.ListSubscriptions(), IsOk());
                                                  taken.emplace_back(event.body);
                                                  return absl::OkStatus();
                                                })
                                .value();
  topic_.Subscribe(Target(function).Retry(once_).DeadLetter(dead_), {.call_inline = true}).value();
  for (const char* body : {"1", "2", "3"}) topic_.Publish({.body = body}).value();
  is_broken = false;
  EXPECT_THAT(dead_.Redrive(2), IsOkAndHolds(2));
  EXPECT_THAT(taken, ElementsAre("1", "2"));
  EXPECT_EQ(dead_.Depth().total(), 1);
  ASSERT_THAT(broker_.DeleteFunction("f"), IsOk());
}

TEST_F(RedriveTest, AHandlerCalledInlineMayDeleteTheDeadLetterQueueAndTheTopic) {
  bool is_broken = true;
  int calls = 0;
  const Function function =
      broker_
          .CreateFunction("f", {},
                          [&](const FunctionEvent&) -> absl::Status {
                            if (is_broken) return absl::InternalError("no");
                            ++calls;
                            EXPECT_THAT(broker_.DeleteQueue("dead"), IsOk());
                            EXPECT_THAT(broker_.DeleteTopic("orders"), IsOk());
                            return absl::OkStatus();
                          })
          .value();
  topic_.Subscribe(Target(function).Retry(once_).DeadLetter(dead_), {.call_inline = true}).value();
  topic_.Publish({.body = "1"}).value();
  is_broken = false;
  EXPECT_THAT(dead_.Redrive(), IsOk());
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(dead_.Redrive().status().code(), absl::StatusCode::kNotFound);
  ASSERT_THAT(broker_.DeleteFunction("f"), IsOk());
}

}  // namespace
}  // namespace banyan
