// SPDX-License-Identifier: Apache-2.0
//
// One message per handler call: receive, call, settle, attempts, limits, bad options.
#include <gmock/gmock.h>

#include <stdexcept>

#include "banyan/error.h"
#include "consumer_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(ConsumerTest, AMessageWhoseHandlerSaysOkIsDeleted) {
  Queue jobs = MakeQueue("jobs");
  std::vector<std::string> done;
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received& job) {
                        done.emplace_back(job.body());
                        return absl::OkStatus();
                      }).value();
  Send(jobs, "a");
  Send(jobs, "b");
  EXPECT_THAT(done, IsEmpty()) << "a handler ran inside Send";
  runtime_.RunUntilIdle();

  EXPECT_THAT(done, ElementsAre("a", "b"));
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
  EXPECT_EQ(jobs.Stats().deleted, 2);
  EXPECT_EQ(consumer.Stats().handled, 2);
}

TEST_F(ConsumerTest, MessagesThatWereThereBeforeItStartedAreHandled) {
  Queue jobs = MakeQueue("jobs");
  for (int i = 0; i < 25; ++i) Send(jobs, "early");
  int calls = 0;
  Consumer consumer = Consumer::Start(jobs, {.batch_size = 10}, [&](const Received&) {
                        ++calls;
                        return absl::OkStatus();
                      }).value();
  EXPECT_EQ(calls, 0);
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 25);
}

TEST_F(ConsumerTest, AnErrorLeavesTheMessageUntilItsVisibilityTimeoutEnds) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(30)});
  std::vector<int64_t> attempts;
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received& job) {
                        attempts.push_back(job.receive_count());
                        return job.receive_count() < 2 ? absl::UnavailableError("ledger is down")
                                                       : absl::OkStatus();
                      }).value();
  Send(jobs, "charge");
  runtime_.RunUntilIdle();
  EXPECT_THAT(attempts, ElementsAre(1));
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.in_flight = 1}));
  EXPECT_EQ(consumer.Stats().failed, 1);

  runtime_.Advance(absl::Seconds(29));
  EXPECT_THAT(attempts, ElementsAre(1));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(attempts, ElementsAre(1, 2));
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

#if defined(__cpp_exceptions)
TEST_F(ConsumerTest, AThrowIsAFailedAttempt) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received&) -> absl::Status {
                        throw std::runtime_error("out of paper");
                      }).value();
  Send(jobs, "print");
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().failed, 1);
  EXPECT_EQ(consumer.Stats().running, 0);
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.in_flight = 1}));
}
#endif

TEST_F(ConsumerTest, RetryBringsAFailedMessageBackAfterOneTwoFourSeconds) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Hours(1)});
  std::vector<absl::Duration> at;
  const absl::Duration begin = runtime_.Uptime();
  const ConsumerOptions options = {.retry =
                                       Retry{.first = absl::Seconds(1), .max = absl::Seconds(3)}};
  Consumer consumer = Consumer::Start(jobs, options, [&](const Received&) {
                        at.push_back(runtime_.Uptime() - begin);
                        return absl::UnavailableError("no");
                      }).value();
  Send(jobs, "x");
  runtime_.Advance(absl::Seconds(9));
  // Waits of 1s, 2s, then 3s because of the maximum.
  EXPECT_THAT(at, ElementsAre(absl::ZeroDuration(), absl::Seconds(1), absl::Seconds(3),
                              absl::Seconds(6), absl::Seconds(9)));
}

TEST_F(ConsumerTest, TheQueuesRedrivePolicyCountsTheAttempts) {
  Queue dead = MakeQueue("dead");
  Queue jobs = MakeQueue(
      "jobs", {.visibility_timeout = absl::Seconds(10), .redrive = RedrivePolicy{dead.arn(), 3}});
  int attempts = 0;
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received&) {
                        ++attempts;
                        return absl::UnknownError("poison");
                      }).value();
  Send(jobs, "poison");
  runtime_.Advance(absl::Minutes(5));
  EXPECT_EQ(attempts, 3);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
  EXPECT_EQ(dead.Depth(), (QueueDepth{.visible = 1}));
}

TEST_F(ConsumerTest, AHandlerThatOverrunsIsToldAndMayOverlapWithTheNextAttempt) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(10)});
  bool overran_before = true;
  bool overran_after = false;
  int64_t other_count = 0;
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received& job) {
                        if (job.receive_count() > 1) return absl::OkStatus();
                        overran_before = job.Overrun();
                        // Another receiver waits, and gets the message while this one runs.
                        auto taken = jobs.Receive({.wait = absl::Seconds(15)});
                        if (taken.ok() && !taken->empty()) {
                          other_count = taken->front().receive_count();
                        }
                        overran_after = job.Overrun();
                        return absl::OkStatus();
                      }).value();
  Send(jobs, "slow");
  runtime_.RunUntilIdle();
  EXPECT_FALSE(overran_before);
  EXPECT_EQ(other_count, 2);
  EXPECT_TRUE(overran_after);
  EXPECT_EQ(consumer.Stats().overran, 1);
  EXPECT_THAT(log_.warnings(), ElementsAre(HasSubstr("longer than its visibility timeout")));
  // The late Delete did not remove the other's attempt.
  EXPECT_EQ(jobs.Depth().total(), 1);
}

TEST_F(ConsumerTest, AFailedAttemptThatOverranDoesNotTouchTheNextOnesVisibility) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(10)});
  const ConsumerOptions options = {.retry = Retry{.first = absl::ZeroDuration()}};
  Consumer consumer = Consumer::Start(jobs, options, [&](const Received&) {
                        jobs.Receive({.wait = absl::Seconds(15)}).value();
                        return absl::UnknownError("late");
                      }).value();
  Send(jobs, "slow");
  runtime_.RunUntilIdle();
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.in_flight = 1})) << "the retry took it from its holder";
}

TEST_F(ConsumerTest, AMessageFetchedAheadThatOverranWhileItWaitedIsNotHandled) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(10)});
  for (int i = 0; i < 3; ++i) Send(jobs, "job");
  std::vector<bool> overrun_at_start;
  Consumer consumer = Consumer::Start(jobs, {.batch_size = 3}, [&](const Received& job) {
                        overrun_at_start.push_back(job.Overrun());
                        // Four seconds of work; nobody answers on this queue.
                        static_cast<void>(MakeQueue("silence").Receive({.wait = absl::Seconds(4)}));
                        return absl::OkStatus();
                      }).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(overrun_at_start, ElementsAre(false, false, false));
  // The third began after 8s and ended after 12s.
  EXPECT_EQ(consumer.Stats().overran, 1);

  overrun_at_start.clear();
  for (int i = 0; i < 5; ++i) Send(jobs, "job");
  runtime_.Advance(absl::Minutes(2));
  for (bool overrun : overrun_at_start) EXPECT_FALSE(overrun);
  EXPECT_EQ(jobs.Depth(), QueueDepth{}) << "every message was handled in the end";
}

TEST_F(ConsumerTest, ItsOwnVisibilityTimeoutOverridesTheQueues) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Hours(1)});
  int attempts = 0;
  const ConsumerOptions options = {.visibility_timeout = absl::Seconds(5)};
  Consumer consumer = Consumer::Start(jobs, options, [&](const Received&) {
                        ++attempts;
                        return absl::UnknownError("no");
                      }).value();
  Send(jobs, "x");
  runtime_.Advance(absl::Seconds(5));
  EXPECT_EQ(attempts, 2);
}

TEST_F(ConsumerTest, AtTheInFlightLimitItWaitsForRoom) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(20), .in_flight_max = 1});
  Send(jobs, "held");
  Received held = jobs.Receive().value().at(0);
  Send(jobs, "next");
  int calls = 0;
  Consumer consumer = Consumer::Start(jobs, {}, [&](const Received&) {
                        ++calls;
                        return absl::OkStatus();
                      }).value();
  const int64_t tasks = runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 0);
  EXPECT_LT(tasks, 10) << "it polls";
  ASSERT_THAT(held.Delete(), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls, 1);
}

TEST_F(ConsumerTest, AnIdleConsumerCostsNoTimerAndNoTask) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer =
      Consumer::Start(jobs, {}, [](const Received&) { return absl::OkStatus(); }).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(runtime_.Advance(absl::Hours(24)), 0);
}

TEST_F(ConsumerTest, TwoConsumersOfOneQueueShareItsMessages) {
  Queue jobs = MakeQueue("jobs");
  int a = 0;
  int b = 0;
  Consumer first = Consumer::Start(jobs, {}, [&](const Received&) {
                     ++a;
                     return absl::OkStatus();
                   }).value();
  Consumer second = Consumer::Start(jobs, {}, [&](const Received&) {
                      ++b;
                      return absl::OkStatus();
                    }).value();
  runtime_.RunUntilIdle();
  for (int i = 0; i < 20; ++i) {
    Send(jobs, "x");
    runtime_.RunUntilIdle();
  }
  EXPECT_EQ(a + b, 20);
  EXPECT_GT(a, 0);
  EXPECT_GT(b, 0);
}

struct BadOptions {
  const char* field;
  ConsumerOptions options;
};

class BadConsumerOptions : public ConsumerTest, public ::testing::WithParamInterface<BadOptions> {};

TEST_P(BadConsumerOptions, AreRefusedWithTheFieldTheValueAndTheRule) {
  Queue jobs = MakeQueue("jobs");
  const auto handler = [](const Received&) { return absl::OkStatus(); };
  const absl::Status refused = Consumer::Start(jobs, GetParam().options, handler).status();
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(GetParam().field)));
  EXPECT_THAT(refused.message(), HasSubstr("Must be between"));
  ASSERT_NE(FindAwsError(refused), nullptr);
  EXPECT_EQ(FindAwsError(refused)->code, "InvalidParameterValueException");
}

INSTANTIATE_TEST_SUITE_P(
    Each, BadConsumerOptions,
    ::testing::Values(
        BadOptions{"BatchSize", {.batch_size = 0}}, BadOptions{"BatchSize", {.batch_size = 11}},
        BadOptions{"BatchSize", {.batch_size = -1}}, BadOptions{"Concurrency", {.concurrency = 0}},
        BadOptions{"Concurrency", {.concurrency = 1001}},
        BadOptions{"Retry.First", {.retry = Retry{.first = absl::Seconds(-1)}}},
        BadOptions{"Retry.First",
                   {.retry = Retry{.first = absl::Seconds(2), .max = absl::Seconds(1)}}},
        BadOptions{"Retry.Max", {.retry = Retry{.max = absl::Hours(13)}}},
        BadOptions{"VisibilityTimeout", {.visibility_timeout = absl::Hours(13)}},
        BadOptions{"DrainWithin", {.drain_within = absl::Seconds(-1)}}));

TEST_F(ConsumerTest, AHandlerIsNeeded) {
  Queue jobs = MakeQueue("jobs");
  EXPECT_THAT(Consumer::Start(jobs, {}, MessageHandler()),
              StatusIs(absl::StatusCode::kInvalidArgument));
  EXPECT_THAT(Consumer::StartBatch(jobs, {}, BatchHandler()),
              StatusIs(absl::StatusCode::kInvalidArgument));
}

TEST_F(ConsumerTest, AQueueIsNeeded) {
  const auto handler = [](const Received&) { return absl::OkStatus(); };
  EXPECT_THAT(Consumer::Start(Queue(), {}, handler), StatusIs(absl::StatusCode::kNotFound));
  Queue gone = MakeQueue("gone");
  ASSERT_THAT(broker_.DeleteQueue("gone"), IsOk());
  EXPECT_THAT(Consumer::Start(gone, {}, handler), StatusIs(absl::StatusCode::kNotFound));
  Queue stopped = MakeQueue("stopped");
  broker_.Stop(absl::ZeroDuration());
  EXPECT_THAT(Consumer::Start(stopped, {}, handler), StatusIs(absl::StatusCode::kUnavailable));
}

TEST_F(ConsumerTest, ADefaultConsumerConsumesNothing) {
  Consumer none;
  none.Pause();
  none.Resume();
  EXPECT_TRUE(none.Stats().stopped);
  EXPECT_THAT(none.Stop(absl::Seconds(1)), IsOk());
}

}  // namespace
}  // namespace banyan
