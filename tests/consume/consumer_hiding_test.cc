// SPDX-License-Identifier: Apache-2.0
//
// extend_visibility: messages stay hidden for as long as they are in hand, and not a moment longer
// than that lets them. Simulated time.
#include <gmock/gmock.h>

#include "consumer_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::Ge;
using ::testing::IsEmpty;
using ::testing::Le;

class HidingTest : public ConsumerTest {
 protected:
  HidingTest() { begin_ = runtime_.Uptime(); }
  absl::Duration SinceBegin() { return runtime_.Uptime() - begin_; }

  Queue jobs_ = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(30)});
  absl::Duration begin_;
};

TEST_F(HidingTest, AMessageStaysHiddenWhileItsHandlerRuns) {
  std::vector<int64_t> attempts;
  Consumer consumer = Consumer::Start(jobs_, {.extend_visibility = true}, [&](const Received& job) {
                        attempts.push_back(job.receive_count());
                        for (int second = 0; second < 100; ++second) {
                          Work(absl::Seconds(1));
                          EXPECT_EQ(jobs_.Depth(), (QueueDepth{.in_flight = 1})) << second;
                        }
                        EXPECT_FALSE(job.Overrun());
                        return absl::OkStatus();
                      }).value();
  Send(jobs_, "slow");
  runtime_.RunUntilIdle();
  EXPECT_THAT(attempts, ElementsAre(1));
  const ConsumerStats stats = consumer.Stats();
  EXPECT_EQ(stats.handled, 1);
  EXPECT_EQ(stats.overran, 0);
  EXPECT_THAT(stats.extended, AllOf(Ge(4), Le(5))) << "every twenty seconds";
  EXPECT_EQ(jobs_.Depth(), QueueDepth{});
  EXPECT_THAT(log_.warnings(), IsEmpty());
}

TEST_F(HidingTest, ByDefaultItDoesNot) {
  bool overran = false;
  Consumer consumer = Consumer::Start(jobs_, {}, [&](const Received& job) {
                        if (job.receive_count() > 1) return absl::OkStatus();
                        Work(absl::Seconds(31));
                        overran = job.Overrun();
                        return absl::OkStatus();
                      }).value();
  Send(jobs_, "slow");
  runtime_.RunUntilIdle();
  EXPECT_TRUE(overran);
  EXPECT_EQ(consumer.Stats().extended, 0);
}

TEST_F(HidingTest, MessagesThatWaitForTheirTurnStayHiddenToo) {
  std::vector<std::string> order;
  Consumer consumer = Consumer::Start(jobs_, {.batch_size = 5, .extend_visibility = true},
                                      [&](const Received& job) {
                                        EXPECT_EQ(job.receive_count(), 1);
                                        order.emplace_back(job.body());
                                        Work(absl::Seconds(20));
                                        return absl::OkStatus();
                                      })
                          .value();
  for (const char* body : {"a", "b", "c", "d", "e"}) Send(jobs_, body);
  runtime_.RunUntilIdle();
  EXPECT_THAT(order, ElementsAre("a", "b", "c", "d", "e"));
  EXPECT_EQ(consumer.Stats().overran, 0);
}

TEST_F(HidingTest, ABatchAndWhatFillsTheNextStayHidden) {
  std::vector<int64_t> attempts;
  Consumer consumer =
      Consumer::StartBatch(jobs_,
                           {.batch_size = 20,
                            .batch_window = absl::Minutes(2),
                            .concurrency = 2,
                            .extend_visibility = true},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             if (batch.size() == 20) Work(absl::Minutes(3));
                             for (const Received& job : batch) {
                               attempts.push_back(job.receive_count());
                             }
                             return BatchResult();
                           })
          .value();
  for (int i = 0; i < 25; ++i) Send(jobs_, "x");
  runtime_.Advance(absl::Minutes(5));
  EXPECT_EQ(attempts, std::vector<int64_t>(25, 1));
  EXPECT_EQ(jobs_.Depth(), QueueDepth{});
  EXPECT_EQ(consumer.Stats().overran, 0);
}

TEST_F(HidingTest, OfAFifoGroupWhatIsBehindStaysHidden) {
  Queue ledger = MakeQueue("ledger.fifo", {.visibility_timeout = absl::Seconds(30), .fifo = true});
  std::vector<std::string> order;
  Consumer consumer = Consumer::Start(ledger, {.batch_size = 10, .extend_visibility = true},
                                      [&](const Received& entry) {
                                        order.emplace_back(entry.body());
                                        Work(absl::Seconds(45));
                                        return absl::OkStatus();
                                      })
                          .value();
  for (const char* body : {"a1", "a2", "a3", "a4"}) SendToGroup(ledger, body);
  runtime_.RunUntilIdle();
  EXPECT_THAT(order, ElementsAre("a1", "a2", "a3", "a4"));
  EXPECT_EQ(ledger.Depth(), QueueDepth{});
}

TEST_F(HidingTest, ItEndsWithTheHandler) {
  std::vector<absl::Duration> at;
  Consumer consumer = Consumer::Start(jobs_, {.extend_visibility = true}, [&](const Received&) {
                        at.push_back(SinceBegin());
                        Work(absl::Seconds(5));
                        return absl::UnknownError("no");
                      }).value();
  Send(jobs_, "x");
  runtime_.Advance(absl::Seconds(30));
  EXPECT_THAT(at, ElementsAre(absl::ZeroDuration(), absl::Seconds(30)));
  EXPECT_EQ(consumer.Stats().extended, 0);
}

TEST_F(HidingTest, ABackOffCountsFromTheFailureHoweverLongTheMessageWasHidden) {
  std::vector<absl::Duration> at;
  Consumer consumer =
      Consumer::Start(jobs_, {.retry = Retry{.first = absl::Seconds(1)}, .extend_visibility = true},
                      [&](const Received& job) {
                        at.push_back(SinceBegin());
                        if (job.receive_count() > 1) return absl::OkStatus();
                        Work(absl::Seconds(45));
                        return absl::UnknownError("no");
                      })
          .value();
  Send(jobs_, "x");
  runtime_.Advance(absl::Minutes(2));
  EXPECT_THAT(at, ElementsAre(absl::ZeroDuration(), absl::Seconds(46)));
}

TEST_F(HidingTest, ItEndsTwelveHoursAfterTheReceive) {
  bool overran_at_11 = true;
  bool overran_at_12 = false;
  Consumer consumer = Consumer::Start(jobs_, {.extend_visibility = true}, [&](const Received& job) {
                        if (job.receive_count() > 1) return absl::OkStatus();
                        Work(absl::Hours(12) - absl::Minutes(1));
                        overran_at_11 = job.Overrun();
                        Work(absl::Minutes(1));
                        overran_at_12 = job.Overrun();
                        return absl::OkStatus();
                      }).value();
  Send(jobs_, "hangs");
  runtime_.RunUntilIdle();
  EXPECT_FALSE(overran_at_11);
  EXPECT_TRUE(overran_at_12);
  EXPECT_EQ(consumer.Stats().overran, 1);
}

TEST_F(HidingTest, AMessageThatItsHandlerSettledIsLeftAlone) {
  Consumer consumer = Consumer::Start(jobs_, {.extend_visibility = true}, [&](const Received& job) {
                        EXPECT_THAT(job.Delete(), IsOk());
                        Work(absl::Minutes(2));
                        return absl::OkStatus();
                      }).value();
  Send(jobs_, "x");
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().extended, 0);
  EXPECT_EQ(jobs_.Stats().deleted, 1);
}

TEST_F(HidingTest, AMessageThatItsHandlerGaveAwayIsNotHiddenFromItsNextReceiver) {
  Consumer consumer =
      Consumer::Start(jobs_, {.extend_visibility = true}, [&](const Received& job) {
        if (job.receive_count() > 1) return absl::OkStatus();
        EXPECT_THAT(job.ChangeVisibility(absl::ZeroDuration()), IsOk());
        EXPECT_EQ(jobs_.Receive({.visibility_timeout = absl::Seconds(50)}).value().size(), 1u);
        Work(absl::Seconds(49));
        EXPECT_EQ(jobs_.Depth(), (QueueDepth{.in_flight = 1}));
        Work(absl::Seconds(1));
        EXPECT_EQ(jobs_.Depth(), (QueueDepth{.visible = 1}));
        return absl::UnknownError("not mine any more");
      }).value();
  Send(jobs_, "x");
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().extended, 0);
}

TEST_F(HidingTest, ItsOwnTimeoutIsWhatItHidesFor) {
  const ConsumerOptions options = {.visibility_timeout = absl::Seconds(6),
                                   .extend_visibility = true};
  Consumer consumer = Consumer::Start(jobs_, options, [&](const Received&) {
                        Work(absl::Seconds(30));
                        return absl::OkStatus();
                      }).value();
  Send(jobs_, "x");
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().overran, 0);
  EXPECT_THAT(consumer.Stats().extended, AllOf(Ge(7), Le(8))) << "every four seconds";
}

TEST_F(HidingTest, ATimeoutOfZeroHidesNothingAndSpinsNot) {
  const ConsumerOptions options = {.visibility_timeout = absl::ZeroDuration(),
                                   .extend_visibility = true};
  Consumer consumer = Consumer::Start(MakeQueue("other"), options, [](const Received&) {
                        return absl::OkStatus();
                      }).value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().extended, 0);
}

TEST_F(HidingTest, IdleItCostsNoTimer) {
  Consumer consumer = Consumer::Start(jobs_, {.extend_visibility = true}, [](const Received&) {
                        return absl::OkStatus();
                      }).value();
  for (int i = 0; i < 10; ++i) Send(jobs_, "x");
  runtime_.RunUntilIdle();
  EXPECT_EQ(jobs_.Depth(), QueueDepth{});
  EXPECT_LE(runtime_.Advance(absl::Seconds(30)), 2) << "what was set fires once";
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(HidingTest, StoppingGivesBackWhatWaitsAndGoesOnHidingWhatRuns) {
  Consumer* self = nullptr;
  QueueDepth after_stop;
  bool overran = true;
  Consumer consumer = Consumer::Start(jobs_, {.batch_size = 3, .extend_visibility = true},
                                      [&](const Received& job) {
                                        EXPECT_THAT(self->Stop(absl::ZeroDuration()), IsOk());
                                        after_stop = jobs_.Depth();
                                        Work(absl::Minutes(2));
                                        overran = job.Overrun();
                                        return absl::OkStatus();
                                      })
                          .value();
  self = &consumer;
  for (int i = 0; i < 3; ++i) Send(jobs_, "x");
  runtime_.RunUntilIdle();
  EXPECT_EQ(after_stop, (QueueDepth{.visible = 2, .in_flight = 1}));
  EXPECT_FALSE(overran);
  EXPECT_EQ(consumer.Stats().handled, 1);
  EXPECT_EQ(consumer.Stats().put_back, 2);
}

}  // namespace
}  // namespace banyan
