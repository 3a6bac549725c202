// SPDX-License-Identifier: Apache-2.0
//
// Ordered shutdown under simulated time: what is refused, what still passes, what is reported.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>

#include "banyan/broker.h"
#include "banyan/consumer.h"
#include "banyan/testing/matchers.h"
#include "banyan/testing/simulated_runtime.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::IsEmpty;

class StopTest : public ::testing::Test {
 protected:
  testing::SimulatedRuntime runtime_;
  Broker broker_ = Broker::Create(runtime_, {}).value();
};

TEST_F(StopTest, AfterwardsEveryCallAnswersUnavailable) {
  Queue queue = broker_.CreateQueue("q").value();
  ASSERT_THAT(queue.Send({.body = "x"}), IsOk());
  Received held = queue.Receive().value().at(0);
  Topic topic = broker_.CreateTopic("t").value();
  EventBus bus = broker_.FindEventBus("default").value();
  Stream stream = broker_.CreateStream("s").value();
  broker_.Stop(absl::ZeroDuration());

  EXPECT_THAT(queue.Send({.body = "x"}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(queue.Receive(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(held.Delete(), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(held.body(), "x");
  EXPECT_THAT(topic.Publish({.body = "x"}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(bus.Put({.source = "s", .detail_type = "t", .detail = "{}"}),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(stream.Put({.partition_key = "k", .data = "x"}),
              StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(broker_.CreateQueue("r"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(broker_.FindQueue("q"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(broker_.DeleteQueue("q"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(broker_.ListQueues(), IsEmpty());
  EXPECT_EQ(queue.Depth(), QueueDepth{});
}

TEST_F(StopTest, AnIdleBrokerStopsAtOnceAndIsDrained) {
  ASSERT_THAT(broker_.CreateQueue("q"), IsOk());
  const absl::Duration begin = runtime_.Uptime();
  const StopReport report = broker_.Stop(absl::Hours(1));
  EXPECT_TRUE(report.drained());
  EXPECT_EQ(report.messages_resting, 0);
  EXPECT_EQ(runtime_.Uptime(), begin) << "it waited for nothing";
}

TEST_F(StopTest, ItReportsWhatRests) {
  Queue queue = broker_.CreateQueue("q").value();
  for (int i = 0; i < 3; ++i) ASSERT_THAT(queue.Send({.body = "x"}), IsOk());
  ASSERT_THAT(queue.Receive(), IsOk());
  ASSERT_THAT(queue.Send({.body = "x", .delay = absl::Minutes(1)}), IsOk());
  Stream stream = broker_.CreateStream("s").value();
  ASSERT_THAT(stream.Put({.partition_key = "k", .data = "x"}), IsOk());
  ASSERT_THAT(stream.Put({.partition_key = "l", .data = "x"}), IsOk());
  const StopReport report = broker_.Stop(absl::Seconds(1));
  EXPECT_EQ(report.messages_resting, 4);
  EXPECT_EQ(report.records_resting, 2);
  EXPECT_TRUE(report.drained());
}

TEST_F(StopTest, ASecondStopAnswersTheSameReport) {
  Queue queue = broker_.CreateQueue("q").value();
  ASSERT_THAT(queue.Send({.body = "x"}), IsOk());
  EXPECT_EQ(broker_.Stop(absl::ZeroDuration()).messages_resting, 1);
  EXPECT_EQ(broker_.Stop(absl::ZeroDuration()).messages_resting, 1);
}

TEST_F(StopTest, AFunctionsPendingCallsAreMade) {
  int calls = 0;
  Function slow = broker_
                      .CreateFunction("slow", {},
                                      [&](const FunctionEvent&) {
                                        ++calls;
                                        return absl::OkStatus();
                                      })
                      .value();
  Topic topic = broker_.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(slow), IsOk());
  for (int i = 0; i < 5; ++i) ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  EXPECT_EQ(calls, 0);
  const StopReport report = broker_.Stop(absl::Minutes(1));
  EXPECT_EQ(calls, 5);
  EXPECT_TRUE(report.drained());
}

TEST_F(StopTest, AFailedDeliveryIsTriedAgainWithinTheTimeGiven) {
  int calls = 0;
  Function flaky = broker_
                       .CreateFunction("flaky", {},
                                       [&](const FunctionEvent&) {
                                         return ++calls < 3 ? absl::UnavailableError("not yet")
                                                            : absl::OkStatus();
                                       })
                       .value();
  Topic topic = broker_.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(flaky), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  const StopReport report = broker_.Stop(absl::Hours(1));
  EXPECT_EQ(calls, 3);
  EXPECT_TRUE(report.drained());
  EXPECT_LT(runtime_.Uptime(), absl::Hours(1)) << "it waited on although all was done";
}

TEST_F(StopTest, DeliveriesThatStillFailAreCountedAndLeft) {
  int calls = 0;
  Function broken = broker_
                        .CreateFunction("broken", {},
                                        [&](const FunctionEvent&) {
                                          ++calls;
                                          return absl::UnavailableError("no");
                                        })
                        .value();
  Topic topic = broker_.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(broken), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  ASSERT_THAT(topic.Publish({.body = "y"}), IsOk());
  const StopReport report = broker_.Stop(absl::Seconds(10));
  EXPECT_EQ(report.deliveries_pending, 2);
  EXPECT_FALSE(report.drained());
  const int calls_then = calls;
  runtime_.Advance(absl::Hours(48));
  EXPECT_EQ(calls, calls_then) << "a function ran after the broker stopped";
}

TEST_F(StopTest, WhatARunningHandlerSendsAndPublishesStillPasses) {
  Queue out = broker_.CreateQueue("out").value();
  Topic topic = broker_.CreateTopic("t").value();
  absl::Status sent = absl::UnknownError("not called");
  absl::Status outside = absl::UnknownError("not called");
  Function f = broker_
                   .CreateFunction("f", {},
                                   [&](const FunctionEvent&) {
                                     sent = out.Send({.body = "from the handler"}).status();
                                     return absl::OkStatus();
                                   })
                   .value();
  ASSERT_THAT(topic.Subscribe(f), IsOk());
  // A host task, not a handler, that runs while the broker drains.
  runtime_.Post([&] { outside = out.Send({.body = "from outside"}).status(); });
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  const StopReport report = broker_.Stop(absl::Minutes(1));
  EXPECT_THAT(sent, IsOk());
  EXPECT_THAT(outside, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(report.messages_resting, 1);
}

TEST_F(StopTest, AConsumersHandlerThatStopsTheBrokerStillSettlesItsMessage) {
  Queue jobs = broker_.CreateQueue("jobs").value();
  Queue out = broker_.CreateQueue("out").value();
  for (int i = 0; i < 3; ++i) ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
  std::optional<StopReport> report;
  absl::Status sent = absl::UnknownError("not called");
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received& job) {
                        EXPECT_THAT(job.Delete(), IsOk());
                        report = broker_.Stop(absl::Hours(1));
                        sent = out.Send({.body = "x"}).status();
                        return absl::OkStatus();
                      }).value();
  runtime_.RunUntilIdle();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->calls_running, 1) << "the handler that called it, which it did not wait for";
  EXPECT_FALSE(report->drained());
  EXPECT_EQ(report->deliveries_pending, 0);
  EXPECT_EQ(report->messages_resting, 2);
  EXPECT_THAT(sent, StatusIs(absl::StatusCode::kUnavailable)) << "by then all is closed";
  runtime_.Advance(absl::Hours(1));
  EXPECT_TRUE(consumer.Stats().stopped);
  EXPECT_EQ(consumer.Stats().running, 0);
}

TEST_F(StopTest, AFunctionMayStopTheBroker) {
  std::optional<StopReport> report;
  Function f = broker_
                   .CreateFunction("f", {},
                                   [&](const FunctionEvent&) {
                                     report = broker_.Stop(absl::Seconds(10));
                                     return absl::OkStatus();
                                   })
                   .value();
  Topic topic = broker_.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(f), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  runtime_.RunUntilIdle();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->calls_running, 1);
  EXPECT_EQ(report->deliveries_pending, 1) << "its own, which ends with its handler";
  EXPECT_EQ(runtime_.Uptime(), absl::ZeroDuration());
}

// What it has in hand is in the report, whatever it gives back afterwards.
TEST_F(StopTest, AFunctionThatStopsTheBrokerAndFailsHasItsDeliveryInTheReport) {
  std::optional<StopReport> report;
  Topic topic = broker_.CreateTopic("t").value();
  Queue full = broker_.CreateQueue("full", {.messages_max = 1}).value();
  Function f = broker_
                   .CreateFunction("f", {},
                                   [&](const FunctionEvent&) {
                                     report = broker_.Stop(absl::Seconds(10));
                                     return absl::UnavailableError("not now");
                                   })
                   .value();
  ASSERT_THAT(full.Send({.body = "in the way"}), IsOk());
  ASSERT_THAT(topic.Subscribe(full), IsOk());
  Subscription subscription = topic.Subscribe(f).value();
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  runtime_.RunUntilIdle();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->calls_running, 1);
  EXPECT_EQ(report->deliveries_pending, 2) << "its own, and the one that waits for room";
  EXPECT_EQ(report->messages_resting, 1);
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(10)) << "it waited for the other, not for itself";
}

// Its retry is the courier's: that it waits for neither itself nor its own delivery.
TEST_F(StopTest, AFunctionRetriedInlineThatStopsTheBrokerDoesNotWaitForItself) {
  std::optional<StopReport> report;
  int calls = 0;
  Function f = broker_
                   .CreateFunction("f", {},
                                   [&](const FunctionEvent&) -> absl::Status {
                                     if (++calls == 1) return absl::UnavailableError("not now");
                                     report = broker_.Stop(absl::InfiniteDuration());
                                     return absl::OkStatus();
                                   })
                   .value();
  Topic topic = broker_.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(f, {.call_inline = true}), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  runtime_.RunUntilIdle();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->calls_running, 1);
  EXPECT_EQ(report->deliveries_pending, 1);
}

// The handler that publishes has the pass; the function it calls inline has none of its own.
TEST_F(StopTest, AFunctionCalledInlineWithinAHandlerStopsTheBrokerAndIsOneCall) {
  std::optional<StopReport> report;
  Topic inner = broker_.CreateTopic("inner").value();
  Function stops = broker_
                       .CreateFunction("stops", {},
                                       [&](const FunctionEvent&) {
                                         report = broker_.Stop(absl::InfiniteDuration());
                                         return absl::OkStatus();
                                       })
                       .value();
  Function publishes = broker_
                           .CreateFunction("publishes", {},
                                           [&](const FunctionEvent&) {
                                             return inner.Publish({.body = "x"}).status();
                                           })
                           .value();
  Topic outer = broker_.CreateTopic("outer").value();
  ASSERT_THAT(inner.Subscribe(stops, {.call_inline = true}), IsOk());
  ASSERT_THAT(outer.Subscribe(publishes), IsOk());
  ASSERT_THAT(outer.Publish({.body = "x"}), IsOk());
  runtime_.RunUntilIdle();
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->calls_running, 1);
  EXPECT_EQ(report->deliveries_pending, 1) << "of the handler that publishes";
}

TEST_F(StopTest, ConsumersReceiveNoMore) {
  Queue jobs = broker_.CreateQueue("jobs").value();
  int calls = 0;
  Consumer consumer = Consumer::Start(jobs, {.concurrency = 4}, [&](const Received&) {
                        ++calls;
                        return absl::OkStatus();
                      }).value();
  runtime_.RunUntilIdle();
  for (int i = 0; i < 3; ++i) ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
  const StopReport report = broker_.Stop(absl::Hours(1));
  EXPECT_EQ(report.messages_resting, 3);
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(calls, 0);
  EXPECT_TRUE(consumer.Stats().stopped);
}

TEST_F(StopTest, ABlockedReceiveEndsUnavailableAndIsNotWaitedFor) {
  Queue queue = broker_.CreateQueue("q").value();
  runtime_.PostAt(runtime_.Uptime() + absl::Seconds(5), [&] {
    // Under simulated time this runs on top of the Receive() below, which cannot leave meanwhile.
    const StopReport report = broker_.Stop(absl::InfiniteDuration());
    EXPECT_EQ(report.calls_running, 0);
    EXPECT_EQ(runtime_.Uptime(), absl::Seconds(5));
  });
  const absl::Duration begin = runtime_.Uptime();
  EXPECT_THAT(queue.Receive({.wait = absl::Seconds(20)}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(runtime_.Uptime() - begin, absl::Seconds(5));
}

// A handler runs on top of a Receive(), and stops the broker: that call lies on its own stack.
TEST_F(StopTest, AHandlerOnTopOfABlockedReceiveStopsTheBrokerAtOnce) {
  Queue jobs = broker_.CreateQueue("jobs").value();
  Queue replies = broker_.CreateQueue("replies").value();
  std::optional<StopReport> report;
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received&) {
                        report = broker_.Stop(absl::InfiniteDuration());
                        return absl::OkStatus();
                      }).value();
  ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
  EXPECT_THAT(replies.Receive({.wait = absl::Seconds(20)}),
              StatusIs(absl::StatusCode::kUnavailable));
  ASSERT_TRUE(report.has_value());
  EXPECT_EQ(report->calls_running, 1) << "the handler";
  EXPECT_EQ(report->messages_resting, 1) << "what it has in hand";
  EXPECT_EQ(runtime_.Uptime(), absl::ZeroDuration());
}

TEST_F(StopTest, AQueueMadeByAHandlerDuringStopDoesNotLetItWait) {
  absl::Status received;
  Function f = broker_
                   .CreateFunction("f", {},
                                   [&](const FunctionEvent&) {
                                     Queue late = broker_.CreateQueue("late").value();
                                     received = late.Receive({.wait = absl::Seconds(20)}).status();
                                     return absl::OkStatus();
                                   })
                   .value();
  Topic topic = broker_.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(f), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  EXPECT_TRUE(broker_.Stop(absl::Hours(1)).drained());
  EXPECT_THAT(received, StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(runtime_.Uptime(), absl::ZeroDuration());
}

TEST_F(StopTest, AStopTokenEndsTheDrain) {
  Queue dead = broker_.CreateQueue("dead").value();
  Function f =
      broker_
          .CreateFunction(
              "f", {}, [](const FunctionEvent&) { return absl::UnavailableError("never works"); })
          .value();
  Topic topic = broker_.CreateTopic("t").value();
  ASSERT_THAT(topic.Subscribe(f), IsOk());
  ASSERT_THAT(topic.Publish({.body = "x"}), IsOk());
  std::stop_source enough;
  runtime_.PostAt(absl::Seconds(3), [&enough] { enough.request_stop(); });
  const StopReport report = broker_.Stop(absl::Hours(1), enough.get_token());
  EXPECT_EQ(report.deliveries_pending, 1);
  EXPECT_EQ(runtime_.Uptime(), absl::Seconds(3));
}

TEST_F(StopTest, AMovedFromBrokerRefuses) {
  Broker other = std::move(broker_);
  // NOLINTBEGIN(bugprone-use-after-move): that is the promise.
  EXPECT_THAT(broker_.CreateQueue("q"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(broker_.DeleteTopic("t"), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_TRUE(broker_.ListQueues().empty());
  EXPECT_TRUE(broker_.Stop(absl::ZeroDuration()).drained());
  EXPECT_EQ(broker_.account(), "");
  // NOLINTEND(bugprone-use-after-move)
  EXPECT_THAT(other.CreateQueue("q"), IsOk());
}

using StopDeathTest = StopTest;
TEST_F(StopDeathTest, DestroyingTheBrokerInAHandlerAbortsAndSaysWhatToDo) {
  EXPECT_DEATH(
      {
        std::optional<Broker> broker = Broker::Create(runtime_, {}).value();
        Topic topic = broker->CreateTopic("t").value();
        Function f = broker
                         ->CreateFunction("f", {},
                                          [&](const FunctionEvent&) {
                                            broker.reset();
                                            return absl::OkStatus();
                                          })
                         .value();
        topic.Subscribe(f).value();
        topic.Publish({.body = "x"}).value();
        runtime_.RunUntilIdle();
      },
      "call Stop\\(\\) there");
}

TEST_F(StopTest, ABrokerDestroyedWithConsumersAliveStopsThem) {
  std::optional<Broker> broker = Broker::Create(runtime_, {}).value();
  Queue jobs = broker->CreateQueue("jobs").value();
  for (int i = 0; i < 3; ++i) ASSERT_THAT(jobs.Send({.body = "x"}), IsOk());
  Consumer consumer =
      Consumer::Start(jobs, {.batch_size = 3, .concurrency = 2}, [](const Received&) {
        return absl::OkStatus();
      }).value();
  broker.reset();
  runtime_.Advance(absl::Hours(1));
  EXPECT_TRUE(consumer.Stats().stopped);
  EXPECT_THAT(jobs.Send({.body = "x"}), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(StopTest, HandlesOutliveTheRuntimeToo) {
  Queue queue;
  Topic topic;
  Received held;
  {
    testing::SimulatedRuntime runtime;
    Broker broker = Broker::Create(runtime, {}).value();
    queue = broker.CreateQueue("q").value();
    topic = broker.CreateTopic("t").value();
    ASSERT_THAT(topic.Subscribe(queue), IsOk());
    ASSERT_THAT(queue.Send({.body = "x"}), IsOk());
    held = queue.Receive().value().at(0);
  }
  EXPECT_THAT(queue.Receive({.wait = absl::Seconds(1)}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(topic.Publish({.body = "x"}), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_THAT(held.ChangeVisibility(absl::Seconds(1)), StatusIs(absl::StatusCode::kUnavailable));
  EXPECT_EQ(held.body(), "x");
}

}  // namespace
}  // namespace banyan
