// SPDX-License-Identifier: Apache-2.0
//
// Consumers and dead letters: what a dead letter tells of the attempts that failed, and a handler
// that gives a message up by itself. Simulated time.
#include <gmock/gmock.h>

#include "consumer_fixture.h"
#include "queue/received_state.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class DeadLetterTest : public ConsumerTest {
 protected:
  Queue MakeQueueWith(int64_t max_receive_count, QueueOptions options = {}) {
    options.visibility_timeout = absl::Seconds(10);
    options.redrive = RedrivePolicy{dead_.arn(), max_receive_count};
    return MakeQueue("jobs", std::move(options));
  }

  // What the receivers of a dead letter said, attempt by attempt.
  static std::vector<std::string> ErrorsOf(const Received& dead) {
    std::vector<std::string> errors;
    const auto& provenance = internal::ReceivedState::Of(dead)->contents.provenance;
    if (provenance == nullptr) return errors;
    for (const auto& attempt : provenance->history) errors.push_back(attempt.error);
    return errors;
  }

  Queue dead_ = MakeQueue("dead");
};

TEST_F(DeadLetterTest, ADeadLetterKnowsWhatTheHandlerSaidOfEachAttempt) {
  Queue jobs = MakeQueueWith(3);
  Consumer consumer = Consumer::Start(jobs, {}, [](const Received& job) -> absl::Status {
                        if (job.receive_count() == 1) return absl::UnavailableError("ledger down");
                        if (job.receive_count() == 2) return absl::InternalError("");
                        return absl::NotFoundError("no such account");
                      }).value();
  Send(jobs, "charge");
  runtime_.Advance(absl::Minutes(1));
  const std::vector<Received> dead = dead_.Receive().value();
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_THAT(ErrorsOf(dead[0]), ElementsAre("UNAVAILABLE: ledger down", HasSubstr("INTERNAL"),
                                             "NOT_FOUND: no such account"));
  EXPECT_THAT(dead[0].dead_letter_reason(), IsEmpty()) << "nobody gave it up";
}

TEST_F(DeadLetterTest, ItKnowsOfTheLastAttemptAlsoWhenABackOffOfZeroEndsIt) {
  Queue jobs = MakeQueueWith(1);
  const ConsumerOptions options = {.retry = Retry{.first = absl::ZeroDuration()}};
  Consumer consumer = Consumer::Start(jobs, options, [](const Received&) {
                        return absl::UnknownError("poison");
                      }).value();
  Send(jobs, "x");
  runtime_.RunUntilIdle();
  const std::vector<Received> dead = dead_.Receive().value();
  ASSERT_EQ(dead.size(), 1u) << "at once: its last attempt is over";
  EXPECT_THAT(ErrorsOf(dead[0]), ElementsAre("UNKNOWN: poison"));
}

TEST_F(DeadLetterTest, OfABatchEachKnowsWhyItFailed) {
  Queue jobs = MakeQueueWith(2);
  int calls = 0;
  Consumer consumer =
      Consumer::StartBatch(jobs, {.batch_size = 2},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             if (++calls == 1) return absl::UnavailableError("ledger down");
                             return BatchResult{.failures = {batch[0].id(), batch[1].id()}};
                           })
          .value();
  Send(jobs, "a");
  Send(jobs, "b");
  runtime_.Advance(absl::Minutes(1));
  const std::vector<Received> dead = dead_.Receive({.max_messages = 10}).value();
  ASSERT_EQ(dead.size(), 2u);
  for (const Received& letter : dead) {
    EXPECT_THAT(ErrorsOf(letter), ElementsAre("UNAVAILABLE: ledger down", HasSubstr("named")));
  }
}

TEST_F(DeadLetterTest, WhatOverranBeforeItsTurnKnowsThat) {
  Queue jobs = MakeQueueWith(2);
  Consumer consumer = Consumer::Start(jobs, {.batch_size = 3}, [&](const Received& job) {
                        if (job.body() == "third") return absl::UnknownError("no");
                        Work(absl::Seconds(6));
                        return absl::OkStatus();
                      }).value();
  for (const char* body : {"first", "second", "third"}) Send(jobs, body);
  runtime_.Advance(absl::Minutes(1));
  const std::vector<Received> dead = dead_.Receive({.max_messages = 10}).value();
  ASSERT_EQ(dead.size(), 1u);
  EXPECT_THAT(ErrorsOf(dead[0]),
              ElementsAre(HasSubstr("before a handler was free"), "UNKNOWN: no"));
}

// What a handler answers after it has given a message up does not matter.
class GivingUp : public DeadLetterTest, public ::testing::WithParamInterface<absl::Status> {};

TEST_P(GivingUp, TheMessageIsInTheDeadLetterQueueWithItsReason) {
  Queue jobs = MakeQueueWith(10);
  const ConsumerOptions options = {.retry = Retry{}};
  Consumer consumer = Consumer::Start(jobs, options, [](const Received& job) {
                        EXPECT_THAT(job.MoveToDeadLetterQueue("no such customer"), IsOk());
                        return GetParam();
                      }).value();
  Send(jobs, "x");
  runtime_.Advance(absl::Minutes(5));
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
  ASSERT_EQ(dead_.Depth(), (QueueDepth{.visible = 1}));
  const std::vector<Received> dead = dead_.Receive().value();
  EXPECT_EQ(dead[0].dead_letter_reason(), "no such customer");
  const ConsumerStats stats = consumer.Stats();
  EXPECT_EQ(stats.dead_lettered, 1);
  EXPECT_EQ(stats.handled, 0);
  EXPECT_EQ(stats.failed, 0);
  EXPECT_EQ(stats.overran, 0);
}

TEST_P(GivingUp, TheOthersOfItsBatchGetWhatTheAnswerSays) {
  Queue jobs = MakeQueueWith(10);
  const absl::Status answer = GetParam();
  Consumer consumer =
      Consumer::StartBatch(jobs, {.batch_size = 3},
                           [&](absl::Span<const Received> batch) -> absl::StatusOr<BatchResult> {
                             EXPECT_THAT(batch[1].MoveToDeadLetterQueue("no"), IsOk());
                             if (!answer.ok()) return answer;
                             return BatchResult{.failures = {batch[1].id()}};
                           })
          .value();
  for (const char* body : {"a", "b", "c"}) Send(jobs, body);
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().dead_lettered, 1);
  EXPECT_EQ(consumer.Stats().handled, answer.ok() ? 2 : 0);
  EXPECT_EQ(consumer.Stats().failed, answer.ok() ? 0 : 2);
  EXPECT_EQ(jobs.Depth().total(), answer.ok() ? 0 : 2);
  EXPECT_EQ(dead_.Depth(), (QueueDepth{.visible = 1}));
}

INSTANTIATE_TEST_SUITE_P(AndAnswering, GivingUp,
                         ::testing::Values(absl::OkStatus(), absl::UnknownError("gave up")),
                         [](const auto& row) { return row.param.ok() ? "Ok" : "AnError"; });

TEST_F(DeadLetterTest, AMoveThatIsRefusedChangesNothing) {
  Queue jobs = MakeQueue("jobs");
  Consumer consumer = Consumer::Start(jobs, {}, [](const Received& job) {
                        EXPECT_FALSE(job.MoveToDeadLetterQueue("there is none").ok());
                        return absl::OkStatus();
                      }).value();
  Send(jobs, "x");
  runtime_.RunUntilIdle();
  EXPECT_EQ(consumer.Stats().dead_lettered, 0);
  EXPECT_EQ(consumer.Stats().handled, 1);
  EXPECT_EQ(jobs.Depth(), QueueDepth{});
}

}  // namespace
// A put-back uses up an attempt, as on AWS; who reads the dead letter must not look for a handler
// that failed.
TEST_F(DeadLetterTest, WhatWasPutBackUnhandledSaysSo) {
  Queue dead = MakeQueue("dead.fifo", {.fifo = true});
  Queue jobs = MakeQueue("jobs.fifo", {.fifo = true, .redrive = RedrivePolicy{dead.arn(), 1}});
  for (const char* body : {"poison", "behind"}) {
    jobs.Send({.body = body, .message_group_id = "g", .message_deduplication_id = body}).value();
  }
  std::vector<std::string> handled;
  Consumer consumer = Consumer::Start(jobs, {.batch_size = 10}, [&](const Received& job) {
                        handled.emplace_back(job.body());
                        return absl::UnknownError("poison");
                      }).value();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(handled, ElementsAre("poison"));
  const std::vector<Received> letters = dead.Receive({.max_messages = 10}).value();
  ASSERT_EQ(letters.size(), 2u);
  for (const Received& letter : letters) {
    EXPECT_THAT(
        ErrorsOf(letter),
        ElementsAre(letter.body() == "poison" ? "UNKNOWN: poison" : "put back, no handler saw it"));
  }
}

}  // namespace banyan
