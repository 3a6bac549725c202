// SPDX-License-Identifier: Apache-2.0
//
// Batch handlers: what each kind of answer does to the messages of the batch. The table is that of
// Lambda's partial batch responses for SQS.
#include <gmock/gmock.h>

#include <stdexcept>

#include "consumer_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

class BatchTest : public ConsumerTest {
 protected:
  // Sends five messages, gives them to `handler` as one batch, and says which are still there.
  std::vector<std::string> LeftAfter(BatchHandler handler) {
    Queue jobs = MakeQueue("jobs", {.visibility_timeout = absl::Seconds(30)});
    for (const char* body : {"a", "b", "c", "d", "e"}) Send(jobs, body);
    Consumer consumer = Consumer::StartBatch(jobs, {.batch_size = 5}, std::move(handler)).value();
    runtime_.RunUntilIdle();
    stats_ = consumer.Stats();
    EXPECT_THAT(consumer.Stop(absl::ZeroDuration()), IsOk());
    EXPECT_EQ(jobs.Depth().visible, 0) << "what failed waits for its visibility timeout";
    runtime_.Advance(absl::Seconds(30));
    std::vector<std::string> left;
    const std::vector<Received> again = jobs.Receive({.max_messages = 10}).value();
    for (const Received& job : again) {
      EXPECT_EQ(job.receive_count(), 2);
      left.emplace_back(job.body());
    }
    return left;
  }

  ConsumerStats stats_;
};

TEST_F(BatchTest, AHandlerGetsWhatOneReceiveReturned) {
  std::vector<size_t> sizes;
  EXPECT_THAT(LeftAfter([&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                sizes.push_back(batch.size());
                return BatchResult();
              }),
              ElementsAre());
  EXPECT_THAT(sizes, ElementsAre(5));
}

TEST_F(BatchTest, NoFailuresMeansCompleteSuccess) {
  EXPECT_THAT(LeftAfter([](absl::Span<const Received>) { return BatchResult(); }), ElementsAre());
  EXPECT_EQ(stats_.handled, 5);
  EXPECT_EQ(stats_.failed, 0);
}

TEST_F(BatchTest, ListedIdsStayAndTheOthersAreDeleted) {
  EXPECT_THAT(LeftAfter([](absl::Span<const Received> batch) {
                return BatchResult{.failures = {batch[1].id(), batch[3].id()}};
              }),
              UnorderedElementsAre("b", "d"));
  EXPECT_EQ(stats_.handled, 3);
  EXPECT_EQ(stats_.failed, 2);
}

TEST_F(BatchTest, AnIdListedTwiceFailsOnce) {
  EXPECT_THAT(LeftAfter([](absl::Span<const Received> batch) {
                return BatchResult{.failures = {batch[1].id(), batch[1].id()}};
              }),
              ElementsAre("b"));
}

TEST_F(BatchTest, AnIdThatIsNotInTheBatchFailsAllOfIt) {
  EXPECT_THAT(LeftAfter([](absl::Span<const Received> batch) {
                return BatchResult{.failures = {batch[0].id(), Id{.hi = 1, .lo = 2}}};
              }),
              UnorderedElementsAre("a", "b", "c", "d", "e"));
  EXPECT_EQ(stats_.handled, 0);
  EXPECT_EQ(stats_.failed, 5);
}

TEST_F(BatchTest, AnEmptyIdFailsAllOfIt) {
  EXPECT_THAT(LeftAfter([](absl::Span<const Received>) { return BatchResult{.failures = {Id()}}; }),
              UnorderedElementsAre("a", "b", "c", "d", "e"));
}

TEST_F(BatchTest, AnErrorFailsAllOfIt) {
  EXPECT_THAT(LeftAfter([](absl::Span<const Received>) -> absl::StatusOr<BatchResult> {
                return absl::UnavailableError("ledger is down");
              }),
              UnorderedElementsAre("a", "b", "c", "d", "e"));
}

#if defined(__cpp_exceptions)
TEST_F(BatchTest, AThrowFailsAllOfIt) {
  EXPECT_THAT(LeftAfter([](absl::Span<const Received>) -> absl::StatusOr<BatchResult> {
                throw std::logic_error("no");
              }),
              UnorderedElementsAre("a", "b", "c", "d", "e"));
}
#endif

TEST_F(BatchTest, AHandlerMaySettleMessagesItself) {
  EXPECT_THAT(LeftAfter([](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                for (const Received& job : batch) EXPECT_THAT(job.Delete(), IsOk());
                return absl::UnknownError("and then it failed");
              }),
              ElementsAre());
}

TEST_F(BatchTest, ABatchIsNeverLargerThanAskedForNorWaitedFor) {
  Queue jobs = MakeQueue("jobs");
  std::vector<size_t> sizes;
  Consumer consumer =
      Consumer::StartBatch(jobs, {.batch_size = 10}, [&](absl::Span<const Received> batch) {
        sizes.push_back(batch.size());
        return BatchResult();
      }).value();
  Send(jobs, "one");
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes, ElementsAre(1)) << "it does not wait for a batch to fill";
  for (int i = 0; i < 23; ++i) Send(jobs, "many");
  runtime_.RunUntilIdle();
  size_t sum = 0;
  for (size_t size : sizes) {
    EXPECT_LE(size, 10u);
    sum += size;
  }
  EXPECT_EQ(sum, 24u);
}

TEST_F(BatchTest, AHandlerMayAnswerAStatusForAllOfTheBatch) {
  for (const absl::Status& answer : {absl::OkStatus(), absl::UnavailableError("no")}) {
    Queue jobs = MakeQueue(answer.ok() ? "good" : "bad");
    for (const char* body : {"a", "b"}) Send(jobs, body);
    Consumer consumer =
        Consumer::StartBatch(jobs, {.batch_size = 5}, [&](absl::Span<const Received>) {
          return answer;
        }).value();
    runtime_.RunUntilIdle();
    EXPECT_EQ(consumer.Stats().handled, answer.ok() ? 2 : 0);
    EXPECT_EQ(consumer.Stats().failed, answer.ok() ? 0 : 2);
  }
}

// A message can be in a batch twice, as on a queue that delivers more than once.
TEST_F(BatchTest, AnIdThatIsNotInTheBatchFailsAllOfItThoughAMessageIsInItTwice) {
  Queue jobs = MakeQueue("jobs", {.test_delivery = {.duplicates = 1}});
  for (const char* body : {"a", "b"}) Send(jobs, body);
  size_t seen = 0;
  Consumer consumer;
  consumer =
      Consumer::StartBatch(jobs, {.batch_size = 10, .batch_window = absl::Seconds(1)},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             seen = batch.size();
                             consumer.Pause();  // such a queue would never rest
                             return BatchResult{{batch[0].id(), Id()}};
                           })
          .value();
  runtime_.Advance(absl::Seconds(2));
  EXPECT_GT(seen, 2u);
  EXPECT_EQ(consumer.Stats().handled, 0) << "nothing that such a handler says is trusted";
  EXPECT_EQ(jobs.Stats().deleted, 0);
}

}  // namespace
}  // namespace banyan
