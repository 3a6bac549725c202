// SPDX-License-Identifier: Apache-2.0
//
// Pausing, stopping, outliving; all of it also from inside a handler. Simulated time.
#include <gmock/gmock.h>

#include <memory>
#include <optional>

#include "consumer_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::testing::ElementsAre;

TEST_F(ConsumerTest, PausedItReceivesNothingUntilResumed) {
  Queue jobs = MakeQueue("jobs");
  int calls = 0;
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received&) {
                        ++calls;
                        return absl::OkStatus();
                      }).value();
  runtime_.RunUntilIdle();
  consumer.Pause();
  EXPECT_TRUE(consumer.Stats().paused);
  Send(jobs, "a");
  Send(jobs, "b");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(calls, 0);
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 2}));
  consumer.Resume();
  EXPECT_FALSE(consumer.Stats().paused);
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 2);
}

TEST_F(ConsumerTest, PausingAndResumingManyTimesLosesNoWakeUpAndAddsNoCalls) {
  Queue jobs = MakeQueue("jobs");
  int calls = 0;
  Consumer consumer = Consumer::Start(jobs, {.concurrency = 2}, [&](const Received&) {
                        ++calls;
                        return absl::OkStatus();
                      }).value();
  for (int i = 0; i < 50; ++i) {
    consumer.Pause();
    if (i % 3 == 0) runtime_.RunUntilIdle();
    Send(jobs, "x");
    consumer.Resume();
    if (i % 5 == 0) runtime_.RunUntilIdle();
  }
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 50);
  Send(jobs, "x");
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 51);
}

TEST_F(ConsumerTest, APausedConsumerHandsAWakeUpItGotOnToTheOther) {
  Queue jobs = MakeQueue("jobs");
  int other_calls = 0;
  Consumer paused =
      Consumer::Start(jobs, {}, [](const Received&) { return absl::OkStatus(); }).value();
  runtime_.RunUntilIdle();
  Consumer other = Consumer::Start(jobs, {}, [&](const Received&) {
                     ++other_calls;
                     return absl::OkStatus();
                   }).value();
  runtime_.RunUntilIdle();
  Send(jobs, "x");  // wakes the first, which has waited longest; its task has not run yet
  paused.Pause();
  runtime_.RunUntilIdle();
  EXPECT_EQ(other_calls, 1);
}

TEST_F(ConsumerTest, ADestroyedConsumerHandsAWakeUpItGotOnToTheOther) {
  Queue jobs = MakeQueue("jobs");
  int other_calls = 0;
  std::optional<Consumer> doomed =
      Consumer::Start(jobs, {}, [](const Received&) { return absl::OkStatus(); }).value();
  runtime_.RunUntilIdle();
  Consumer other = Consumer::Start(jobs, {}, [&](const Received&) {
                     ++other_calls;
                     return absl::OkStatus();
                   }).value();
  runtime_.RunUntilIdle();
  Send(jobs, "x");
  doomed.reset();
  runtime_.RunUntilIdle();
  EXPECT_EQ(other_calls, 1);
}

TEST_F(ConsumerTest, PauseFromInsideAHandlerPutsWhatWasFetchedAheadBackAtOnce) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Hours(1)});
  for (int i = 0; i < 5; ++i) Send(jobs, "x");
  std::optional<Consumer> consumer;
  int calls = 0;
  consumer = Consumer::Start(jobs, {.batch_size = 5}, [&](const Received&) {
               ++calls;
               consumer->Pause();
               return absl::OkStatus();
             }).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 4}));
  // Each of them has used up an attempt, as a message put back on AWS has.
  EXPECT_EQ(jobs.Receive().value().at(0).receive_count(), 2);
}

TEST_F(ConsumerTest, StopReceivesNoMoreAndIsFinal) {
  Queue jobs = MakeQueue("jobs");
  int calls = 0;
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received&) {
                        ++calls;
                        return absl::OkStatus();
                      }).value();
  EXPECT_THAT(consumer.Stop(absl::Seconds(1)), IsOk());
  EXPECT_THAT(consumer.Stop(absl::Seconds(1)), IsOk()) << "a second time";
  EXPECT_TRUE(consumer.Stats().stopped);
  consumer.Resume();
  Send(jobs, "x");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(calls, 0);
}

TEST_F(ConsumerTest, StopFromInsideAHandlerDoesNotWaitForIt) {
  Queue jobs = MakeQueue("jobs");
  Send(jobs, "x");
  Send(jobs, "y");
  std::optional<Consumer> consumer;
  absl::Status stopped = absl::UnknownError("not called");
  absl::Duration took = absl::InfiniteDuration();
  consumer = Consumer::Start(jobs, {}, [&](const Received&) {
               const absl::Duration begin = runtime_.Uptime();
               stopped = consumer->Stop(absl::Hours(1));
               took = runtime_.Uptime() - begin;
               return absl::OkStatus();
             }).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(stopped, IsOk());
  EXPECT_EQ(took, absl::ZeroDuration());
  EXPECT_EQ(consumer->Stats().handled, 1) << "the handler's own message is still settled";
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(ConsumerTest, AHandlerMayDestroyItsConsumer) {
  Queue jobs = MakeQueue("jobs");
  Send(jobs, "last");
  Send(jobs, "never");
  auto witness = std::make_shared<int>(0);
  std::weak_ptr<int> handler_alive = witness;
  std::optional<Consumer> consumer;
  bool alive_after = false;
  consumer = Consumer::Start(jobs, {}, [&, witness](const Received&) {
               consumer.reset();
               alive_after = witness != nullptr && !handler_alive.expired();
               return absl::OkStatus();
             }).value();
  witness.reset();
  runtime_.RunUntilIdle();
  EXPECT_TRUE(alive_after) << "the handler was destroyed while it ran";
  EXPECT_TRUE(handler_alive.expired()) << "the handler was not destroyed afterwards";
  EXPECT_EQ(jobs.Stats().deleted, 1);
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(ConsumerTest, ItStopsByItselfWhenItsQueueIsDeleted) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer =
      Consumer::Start(jobs, {}, [](const Received&) { return absl::OkStatus(); }).value();
  runtime_.RunUntilIdle();
  EXPECT_FALSE(consumer.Stats().stopped);
  ASSERT_THAT(broker_.DeleteQueue("jobs"), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_TRUE(consumer.Stats().stopped);
}

TEST_F(ConsumerTest, AHandlerMayDeleteItsQueue) {
  Queue jobs = MakeQueue("jobs");
  Send(jobs, "a");
  Send(jobs, "b");
  int calls = 0;
  Consumer consumer = Consumer::Start(jobs, {.batch_size = 2}, [&](const Received& job) {
                        if (++calls == 1) {
                          EXPECT_THAT(broker_.DeleteQueue("jobs"), IsOk());
                        }
                        EXPECT_FALSE(job.body().empty());
                        return absl::OkStatus();
                      }).value();
  runtime_.RunUntilIdle();
  EXPECT_GE(calls, 1);
  EXPECT_TRUE(consumer.Stats().stopped);
}

TEST_F(ConsumerTest, AHandlerMaySendToItsOwnQueue) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Consumer::Start(jobs, {.concurrency = 3}, [&](const Received& job) {
                        if (job.body().size() < 8) {
                          EXPECT_THAT(jobs.Send({.body = std::string(job.body()) + "x"}), IsOk());
                        }
                        return absl::OkStatus();
                      }).value();
  Send(jobs, "x");
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().handled, 8);
}

TEST_F(ConsumerTest, ItStopsByItselfWhenTheBrokerStopsAndMayOutliveIt) {
  std::optional<Consumer> consumer;
  {
    Broker broker = Broker::Create(runtime_, {}).value();
    Queue jobs = broker.CreateQueue("jobs").value();
    consumer = Consumer::Start(jobs, {}, [](const Received&) { return absl::OkStatus(); }).value();
    runtime_.RunUntilIdle();
    broker.Stop(absl::ZeroDuration());
    runtime_.RunUntilIdle();
    EXPECT_TRUE(consumer->Stats().stopped);
  }
  consumer->Pause();
  consumer->Resume();
  EXPECT_THAT(consumer->Stop(absl::Seconds(1)), IsOk());
  consumer.reset();
}

TEST_F(ConsumerTest, ItMayOutliveTheRuntime) {
  std::optional<Consumer> consumer;
  {
    testing::SimulatedRuntime runtime;
    Broker broker = Broker::Create(runtime, {}).value();
    Queue jobs = broker.CreateQueue("jobs").value();
    Send(jobs, "x");
    consumer = Consumer::Start(jobs, {.batch_size = 10}, [](const Received&) {
                 return absl::OkStatus();
               }).value();
    runtime.RunUntilIdle();
  }
  EXPECT_EQ(consumer->Stats().handled, 1);
  consumer->Pause();
  consumer->Resume();
  EXPECT_THAT(consumer->Stop(absl::Seconds(1)), IsOk());
}

TEST_F(ConsumerTest, MovingItMovesTheLoop) {
  Queue jobs = MakeQueue("jobs");
  Queue other = MakeQueue("other");
  int calls = 0;
  const auto count = [&](const Received&) {
    ++calls;
    return absl::OkStatus();
  };
  Consumer a = Consumer::Start(jobs, {}, count).value();
  Consumer b = std::move(a);
  Send(jobs, "x");
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 1);
  b = Consumer::Start(other, {}, count).value();  // stops the first
  Send(jobs, "x");
  Send(other, "x");
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(ConsumerTest, TheSameSeedGivesTheSameRun) {
  const auto run = [](uint64_t seed) {
    testing::SimulatedRuntime runtime({.seed = seed, .shuffle = true});
    Broker broker = Broker::Create(runtime, {}).value();
    Queue jobs = broker.CreateQueue("jobs", {.visibility_timeout = absl::Seconds(2)}).value();
    std::vector<std::string> trace;
    Consumer consumer =
        Consumer::Start(jobs, {.batch_size = 3, .concurrency = 4}, [&](const Received& job) {
          trace.push_back(std::string(job.body()) + "@" + std::to_string(job.receive_count()));
          return runtime.Random() % 3 == 0 ? absl::UnknownError("bad luck") : absl::OkStatus();
        }).value();
    for (int i = 0; i < 20; ++i) {
      EXPECT_THAT(jobs.Send({.body = std::to_string(i)}), IsOk());
    }
    runtime.Advance(absl::Seconds(60));
    EXPECT_EQ(jobs.Depth(), QueueDepth{}) << "seed " << seed;
    return trace;
  };
  EXPECT_EQ(run(7), run(7));
  EXPECT_NE(run(7), run(8));
}

}  // namespace
}  // namespace banyan
