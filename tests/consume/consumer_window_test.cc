// SPDX-License-Identifier: Apache-2.0
//
// Batches that wait to fill: what ends them, what holds for messages while they wait, and that
// nothing of it outlives the consumer. Simulated time.
#include <gmock/gmock.h>

#include <map>
#include <optional>

#include "banyan/error.h"
#include "consumer_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class WindowTest : public ConsumerTest {
 protected:
  // Notes the size of each batch; says that all went well.
  BatchHandler NoteSizes() {
    return [this](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
      sizes_.push_back(batch.size());
      for (const Received& job : batch) attempts_.push_back(job.receive_count());
      return BatchResult();
    };
  }
  Consumer Start(const Queue& queue, ConsumerOptions options) {
    return Consumer::StartBatch(queue, std::move(options), NoteSizes()).value();
  }
  void SendMany(const Queue& queue, int count, std::string_view body = "x") {
    for (int i = 0; i < count; ++i) Send(queue, body);
  }

  std::vector<size_t> sizes_;
  std::vector<int64_t> attempts_;
};

// --- What ends a batch ---------------------------------------------------------------------------

TEST_F(WindowTest, ABatchIsHandedOverWhenItIsFull) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Start(jobs, {.batch_size = 25, .batch_window = absl::Minutes(1)});
  SendMany(jobs, 24);
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes_, IsEmpty());
  SendMany(jobs, 1);
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes_, ElementsAre(25));
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
  EXPECT_EQ(consumer.Stats().handled, 25);
}

TEST_F(WindowTest, ABatchIsHandedOverWhenItsWindowIsOverCountedFromItsFirstMessage) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Start(jobs, {.batch_size = 100, .batch_window = absl::Seconds(20)});
  runtime_.Advance(absl::Seconds(7));  // an empty queue opens no window
  SendMany(jobs, 3);
  runtime_.Advance(absl::Seconds(10));
  SendMany(jobs, 2);
  runtime_.Advance(absl::Seconds(10) - absl::Nanoseconds(1));
  EXPECT_THAT(sizes_, IsEmpty());
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(sizes_, ElementsAre(5));

  SendMany(jobs, 1);
  runtime_.Advance(absl::Seconds(19));
  EXPECT_THAT(sizes_, SizeIs(1));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(sizes_, ElementsAre(5, 1));
}

TEST_F(WindowTest, AFullBatchDoesNotCutTheWindowOfTheNext) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Start(jobs, {.batch_size = 5, .batch_window = absl::Seconds(20)});
  SendMany(jobs, 4);
  runtime_.Advance(absl::Seconds(15));
  SendMany(jobs, 2);  // one fills the batch, one begins the next
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes_, ElementsAre(5));
  runtime_.Advance(absl::Seconds(19));
  EXPECT_THAT(sizes_, ElementsAre(5)) << "the first batch's window ended the second";
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(sizes_, ElementsAre(5, 1));
}

TEST_F(WindowTest, ABatchIsHandedOverBeforeItGoesBeyondSixMebibytes) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Start(jobs, {.batch_size = 100, .batch_window = absl::Minutes(5)});
  const std::string mebibyte(1 << 20, 'x');
  SendMany(jobs, 6, mebibyte);
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes_, IsEmpty()) << "six fit";
  SendMany(jobs, 1, "y");
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes_, ElementsAre(6));
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(sizes_, ElementsAre(6, 1));
}

TEST_F(WindowTest, SixMebibytesAreTheBoundOfWhatOneReceiveTookToo) {
  Queue jobs = MakeQueue("jobs");
  SendMany(jobs, 10, std::string(1 << 20, 'x'));
  Consumer consumer = Start(jobs, {.batch_size = 10});
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes_, ElementsAre(6, 4));
}

TEST_F(WindowTest, TenThousandMessagesCanBeOneBatch) {
  Queue jobs = MakeQueue("jobs");
  SendMany(jobs, 10'001);
  Consumer consumer = Start(jobs, {.batch_size = 10'000, .batch_window = absl::Seconds(1)});
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes_, ElementsAre(10'000));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(sizes_, ElementsAre(10'000, 1));
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

TEST_F(WindowTest, OfALargeBatchOnlyTheNamedFailuresStay) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(30)});
  for (int i = 0; i < 47; ++i) Send(jobs, std::to_string(i));
  std::map<std::string, int64_t, std::less<>> attempts;
  Consumer consumer =
      Consumer::StartBatch(
          jobs, {.batch_size = 47, .batch_window = absl::Seconds(1), .retry = Retry{}},
          [&](absl::Span<const Received> batch) {
            BatchResult result;
            for (const Received& job : batch) {
              attempts.emplace(job.body(), 0).first->second = job.receive_count();
              const bool fails = job.body().ends_with('3') && job.receive_count() == 1;
              if (fails) result.failures.push_back(job.id());
            }
            return result;
          })
          .value();
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().handled, 42);
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.in_flight = 5}));
  runtime_.Advance(absl::Seconds(2));  // the back-off, and the window
  EXPECT_EQ(consumer.Stats().handled, 47);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
  for (const auto& [body, count] : attempts) {
    EXPECT_EQ(count, body.ends_with('3') ? 2 : 1) << body;
  }
}

TEST_F(WindowTest, WhatNoFilterWantsFillsNoBatchAndOpensNoWindow) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Start(jobs, {.batch_size = 20,
                                   .batch_window = absl::Seconds(20),
                                   .filters = {R"({"body": {"state": ["paid"]}})"}});
  SendMany(jobs, 15, R"({"state": "open"})");
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(consumer.Stats().filtered, 15);
  SendMany(jobs, 3, R"({"state": "paid"})");
  SendMany(jobs, 15, R"({"state": "open"})");
  SendMany(jobs, 3, R"({"state": "paid"})");
  runtime_.Advance(absl::Seconds(19));
  EXPECT_THAT(sizes_, IsEmpty());
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(sizes_, ElementsAre(6));
  EXPECT_EQ(consumer.Stats().filtered, 30);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

// --- While it fills ------------------------------------------------------------------------------

TEST_F(WindowTest, WhatWaitsIsInFlightAndStaysHiddenBeyondItsVisibilityTimeout) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(10)});
  Consumer consumer = Start(jobs, {.batch_size = 100, .batch_window = absl::Minutes(1)});
  SendMany(jobs, 3);
  for (int second = 0; second < 59; ++second) {
    runtime_.Advance(absl::Seconds(1));
    ASSERT_EQ(jobs.Depth(), (QueueDepth{.in_flight = 3})) << second;
  }
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(sizes_, ElementsAre(3));
  EXPECT_THAT(attempts_, Each(1));
  EXPECT_EQ(consumer.Stats().overran, 0);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

TEST_F(WindowTest, AWindowDoesNotHideWhatAHandlerHas) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(10)});
  bool overran = false;
  Consumer consumer =
      Consumer::StartBatch(jobs, {.batch_size = 100, .batch_window = absl::Seconds(5)},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             if (batch[0].receive_count() == 1) {
                               Work(absl::Seconds(15));
                               overran = batch[0].Overrun();
                             }
                             return BatchResult();
                           })
          .value();
  Send(jobs, "x");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_TRUE(overran);
}

TEST_F(WindowTest, NothingIsFetchedThatNoHandlerIsFreeFor) {
  Queue jobs = MakeQueue("jobs");
  QueueDepth while_running;
  Consumer consumer =
      Consumer::StartBatch(jobs, {.batch_size = 2, .batch_window = absl::Seconds(5)},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             sizes_.push_back(batch.size());
                             if (sizes_.size() == 1) {
                               SendMany(jobs, 100);
                               Work(absl::Seconds(20));
                               while_running = jobs.Depth();
                             }
                             return BatchResult();
                           })
          .value();
  SendMany(jobs, 2);
  runtime_.RunUntilIdle();
  EXPECT_EQ(while_running, (QueueDepth{.visible = 100, .in_flight = 2}));
  EXPECT_THAT(sizes_, SizeIs(51));
}

TEST_F(WindowTest, WaitingForABatchToFillCostsNoPolling) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Hours(1)});
  Consumer consumer = Start(jobs, {.batch_size = 100, .batch_window = absl::Minutes(5)});
  SendMany(jobs, 1);
  runtime_.RunUntilIdle();
  EXPECT_EQ(runtime_.Advance(absl::Minutes(4)), 0);
  EXPECT_LE(runtime_.Advance(absl::Minutes(1)), 5);
  EXPECT_THAT(sizes_, ElementsAre(1));
}

// --- It ends with the consumer -------------------------------------------------------------------

TEST_F(WindowTest, StopPutsABatchThatFillsBackAtOnceAndLeavesNoTimer) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Hours(1)});
  Consumer consumer = Start(jobs, {.batch_size = 100, .batch_window = absl::Minutes(5)});
  SendMany(jobs, 15);
  runtime_.RunUntilIdle();
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.in_flight = 15}));
  EXPECT_THAT(consumer.Stop(absl::ZeroDuration()), IsOk());
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 15}));
  EXPECT_EQ(consumer.Stats().put_back, 15);
  EXPECT_EQ(runtime_.Advance(absl::Minutes(30)), 0);
  EXPECT_THAT(sizes_, IsEmpty());
}

TEST_F(WindowTest, DestroyedItPutsABatchThatFillsBack) {
  Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Hours(1)});
  {
    Consumer consumer = Start(jobs, {.batch_size = 100, .batch_window = absl::Minutes(5)});
    SendMany(jobs, 3);
    runtime_.RunUntilIdle();
  }
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 3}));
}

TEST_F(WindowTest, PausedItPutsTheBatchBackAndResumedItBeginsANewWindow) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Start(jobs, {.batch_size = 100, .batch_window = absl::Seconds(20)});
  SendMany(jobs, 3);
  runtime_.Advance(absl::Seconds(15));
  consumer.Pause();
  EXPECT_EQ(jobs.Depth(), (QueueDepth{.visible = 3}));
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(sizes_, IsEmpty());
  consumer.Resume();
  runtime_.Advance(absl::Seconds(19));
  EXPECT_THAT(sizes_, IsEmpty());
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(sizes_, ElementsAre(3));
  EXPECT_THAT(attempts_, Each(2));
}

TEST_F(WindowTest, AQueueThatIsDeletedMeanwhileEndsIt) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Start(jobs, {.batch_size = 100, .batch_window = absl::Seconds(20)});
  SendMany(jobs, 3);
  runtime_.RunUntilIdle();
  ASSERT_THAT(broker_.DeleteQueue("jobs"), IsOk());
  runtime_.Advance(absl::Minutes(1));
  EXPECT_TRUE(consumer.Stats().stopped);
  EXPECT_THAT(sizes_, IsEmpty());
}

TEST_F(WindowTest, ABrokerThatStopsDoesNotWaitForAWindow) {
  std::optional<Consumer> consumer;
  {
    Broker broker = Broker::Create(runtime_, {}).value();
    Queue jobs = broker.CreateQueue("jobs").value();
    consumer = Start(jobs, {.batch_size = 100, .batch_window = absl::Minutes(5)});
    SendMany(jobs, 3);
    runtime_.RunUntilIdle();
    const absl::Duration begin = runtime_.Uptime();
    const StopReport report = broker.Stop(absl::Hours(1));
    EXPECT_EQ(runtime_.Uptime(), begin);
    EXPECT_EQ(report.messages_resting, 3);
    EXPECT_EQ(report.calls_running, 0);
  }
  runtime_.Advance(absl::Minutes(5));  // the timer finds nobody
  EXPECT_TRUE(consumer->Stats().stopped);
  EXPECT_THAT(sizes_, IsEmpty());
}

// --- What is refused -----------------------------------------------------------------------------

absl::Status StartWith(const Queue& queue, ConsumerOptions options) {
  return Consumer::StartBatch(queue, std::move(options),
                              [](absl::Span<const Received>) { return BatchResult(); })
      .status();
}

TEST_F(WindowTest, ALargeBatchWithoutAWindowIsRefusedInLambdasWords) {
  Queue jobs = MakeQueue("jobs");
  const absl::Status refused = StartWith(jobs, {.batch_size = 11});
  EXPECT_THAT(refused, StatusIs(absl::StatusCode::kInvalidArgument,
                                "Maximum batch window in seconds must be greater than 0 if maximum "
                                "batch size is greater than 10"));
  ASSERT_NE(FindAwsError(refused), nullptr);
  EXPECT_EQ(FindAwsError(refused)->code, "InvalidParameterValueException");
  EXPECT_THAT(StartWith(jobs, {.batch_size = 11, .batch_window = absl::Milliseconds(1)}), IsOk());
  EXPECT_THAT(StartWith(jobs, {.batch_size = 10}), IsOk());
  EXPECT_THAT(StartWith(jobs, {.batch_size = 1, .batch_window = absl::Seconds(1)}), IsOk());
}

TEST_F(WindowTest, SizesAndWindowsOutOfRangeAreRefused) {
  Queue jobs = MakeQueue("jobs");
  const absl::Duration second = absl::Seconds(1);
  const auto is_refused = [](std::string_view text) {
    return StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr(std::string(text)));
  };
  EXPECT_THAT(StartWith(jobs, {.batch_size = 10'001, .batch_window = second}),
              is_refused("Value 10001 for parameter BatchSize is invalid. Reason: Must be between "
                         "1 and 10000."));
  EXPECT_THAT(StartWith(jobs, {.batch_size = 0, .batch_window = second}), is_refused("BatchSize"));
  EXPECT_THAT(StartWith(jobs, {.batch_window = -second}),
              is_refused("MaximumBatchingWindowInSeconds"));
  EXPECT_THAT(StartWith(jobs, {.batch_window = absl::Minutes(5) + second}),
              is_refused("Must be between 0 and 300"));
  EXPECT_THAT(StartWith(jobs, {.batch_size = 10'000, .batch_window = absl::Minutes(5)}), IsOk());
}

TEST_F(WindowTest, AFifoQueueHasNoWindowAndBatchesOfTenAtMost) {
  Queue ledger = MakeQueue("ledger.fifo", {.fifo = true});
  EXPECT_THAT(StartWith(ledger, {.batch_window = absl::Seconds(1)}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("FIFO")));
  EXPECT_THAT(StartWith(ledger, {.batch_size = 11}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("between 1 and 10.")));
  EXPECT_THAT(StartWith(ledger, {.batch_size = 11, .batch_window = absl::Seconds(1)}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("between 1 and 10.")));
  EXPECT_THAT(StartWith(ledger, {.batch_size = 10}), IsOk());
}

TEST_F(WindowTest, AHandlerOfSingleMessagesHasNoBatchToWaitFor) {
  Queue jobs = MakeQueue("jobs");
  const auto handler = [](const Received&) { return absl::OkStatus(); };
  EXPECT_THAT(Consumer::Start(jobs, {.batch_window = absl::Seconds(1)}, handler),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("single messages")));
  EXPECT_THAT(Consumer::Start(jobs, {.batch_size = 11}, handler),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("between 1 and 10.")));
}

}  // namespace
}  // namespace banyan
