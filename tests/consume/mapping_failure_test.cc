// SPDX-License-Identifier: Apache-2.0
//
// What becomes of a batch that fails: retries, bisection, partial failures, age, and the notes on
// what was given up. Simulated time.
#include "mapping_testing.h"

namespace banyan {
namespace {

using ::testing::_;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// Retried at once, so that time stands still.
constexpr Retry kAtOnce = {.first = absl::ZeroDuration(), .max = absl::ZeroDuration()};

class MappingFailure : public MappingTest {
 protected:
  Stream stream_ = MakeStream();
  Queue dead_ = MakeQueue("dead");
};

// --- Retries -------------------------------------------------------------------------------------

TEST_F(MappingFailure, RetriesUsedUpTheBatchIsGivenUpAndItsShardGoesOn) {
  PutAll(stream_, {"bad", "x", "y"});
  for (const int64_t retries : {0, 1, 2}) {
    StreamMapping mapping = Start(
        stream_, {.batch_size = 2, .retries_max = retries, .backoff = kAtOnce, .on_failure = dead_},
        [](const StreamBatch& batch) {
          return Has(batch, "bad") ? absl::StatusOr<StreamBatchResult>(Broken())
                                   : StreamBatchResult();
        });
    runtime_.RunUntilIdle();
    std::vector<std::string> expected(static_cast<size_t>(retries) + 1, "bad x");
    expected.push_back("y");
    EXPECT_EQ(TakeCalls(), expected);
    EXPECT_THAT(TakeAll(dead_), ElementsAre(HasSubstr("\"approximateInvokeCount\":" +
                                                      std::to_string(retries + 1))));
    EXPECT_EQ(mapping.Metrics().on_failure_destination_delivered_event_count, 2);
    EXPECT_EQ(mapping.Checkpoint({0}), 4u);
    ExpectBalanced(mapping.Metrics());
  }
}

TEST_F(MappingFailure, WithoutBoundItIsTriedUntilTheStreamsRetentionEnds) {
  PutAll(stream_, {"bad"});
  StreamMapping mapping =
      Start(stream_, {.on_failure = dead_}, [](const StreamBatch&) { return Broken(); });
  runtime_.Advance(absl::Hours(23));
  EXPECT_GT(calls_.size(), 1'000u);
  EXPECT_THAT(TakeAll(dead_), IsEmpty());
  runtime_.Advance(absl::Hours(2));
  EXPECT_THAT(TakeAll(dead_), ElementsAre(HasSubstr("RecordAgeExceeded")));
}

TEST_F(MappingFailure, AThrowIsAnError) {
#if defined(__cpp_exceptions)
  Put(stream_, "bad");
  StreamMapping mapping =
      Start(stream_, {.retries_max = 0, .on_failure = dead_},
            [](const StreamBatch&) -> absl::StatusOr<StreamBatchResult> { throw 7; });
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeAll(dead_), ElementsAre(HasSubstr(R"("functionError":"Unhandled")")));
#endif
}

// --- The note ------------------------------------------------------------------------------------

TEST_F(MappingFailure, TheNoteHasLambdasShapeAndNoPayload) {
  runtime_.Advance(absl::Milliseconds(1));
  const PutResult first = Put(stream_, "secret-a");
  runtime_.Advance(absl::Milliseconds(20));
  const PutResult last = Put(stream_, "secret-b");
  runtime_.Advance(absl::Milliseconds(300));
  StreamMapping mapping =
      Start(stream_, {.name = "totals", .retries_max = 1, .backoff = kAtOnce, .on_failure = dead_},
            [](const StreamBatch&) { return Broken(); });
  runtime_.RunUntilIdle();
  const std::vector<std::string> notes = TakeAll(dead_);
  ASSERT_THAT(notes, SizeIs(1));
  const std::string& note = notes[0];
  EXPECT_THAT(note, Not(HasSubstr("secret")));
  const std::string head = R"({"requestContext":{"requestId":")";
  ASSERT_THAT(note, ::testing::StartsWith(head));
  EXPECT_TRUE(Id::Parse(note.substr(head.size(), 36)).has_value());
  EXPECT_EQ(
      note.substr(head.size() + 36),
      R"(","functionArn":"arn:aws:lambda:us-east-1:000000000000:function:totals",)"
      R"("condition":"RetryAttemptsExhausted","approximateInvokeCount":2},)"
      R"("responseContext":{"statusCode":200,"executedVersion":"$LATEST",)"
      R"("functionError":"Unhandled"},"version":"1.0","timestamp":"2026-01-01T00:00:00.321Z",)"
      R"("KinesisBatchInfo":{"shardId":"shardId-000000000000","startSequenceNumber":")" +
          first.sequence.ToString() + R"(","endSequenceNumber":")" + last.sequence.ToString() +
          R"(","approximateArrivalOfFirstRecord":"2026-01-01T00:00:00.001Z",)"
          R"("approximateArrivalOfLastRecord":"2026-01-01T00:00:00.021Z","batchSize":2,)"
          R"("streamArn":"arn:aws:kinesis:us-east-1:000000000000:stream/clicks"}})");
}

TEST_F(MappingFailure, ATopicIsADestinationToo) {
  Topic alarms = broker_.CreateTopic("alarms").value();
  ASSERT_THAT(alarms.Subscribe(dead_), testing::IsOk());
  Put(stream_, "bad");
  StreamMapping mapping = Start(stream_, {.retries_max = 0, .on_failure = alarms},
                                [](const StreamBatch&) { return Broken(); });
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeAll(dead_), ElementsAre(HasSubstr("RetryAttemptsExhausted")));
  EXPECT_EQ(mapping.Metrics().on_failure_destination_delivered_event_count, 1);
}

TEST_F(MappingFailure, WithoutDestinationOrIfItIsGoneRecordsAreDroppedCountedAndLogged) {
  Put(stream_, "bad");
  StreamMapping nowhere =
      Start(stream_, {.retries_max = 0}, [](const StreamBatch&) { return Broken(); });
  runtime_.RunUntilIdle();
  EXPECT_EQ(nowhere.Metrics().dropped_event_count, 1);
  EXPECT_THAT(log_.warnings(),
              ElementsAre(AllOf(HasSubstr("shardId-000000000000: the handler of mapping"),
                                HasSubstr("failed at attempt 1 with 1 records from 4"),
                                HasSubstr(": INTERNAL: broken")),
                          HasSubstr("on (RetryAttemptsExhausted)")));
  StreamMapping gone = Start(stream_, {.retries_max = 0, .on_failure = dead_},
                             [](const StreamBatch&) { return Broken(); });
  ASSERT_THAT(broker_.DeleteQueue("dead"), testing::IsOk());
  runtime_.RunUntilIdle();
  EXPECT_EQ(gone.Metrics().dropped_event_count, 1);
  ASSERT_THAT(log_.warnings(), SizeIs(4));
  EXPECT_THAT(log_.warnings()[3], HasSubstr("the destination said"));
}

TEST_F(MappingFailure, SaysWhyTheLastAttemptFailed) {
  int call = 0;
  StreamMapping mapping = Start(
      stream_, {.name = "audit", .retries_max = 2, .backoff = {absl::Seconds(1), absl::Seconds(1)}},
      [&call](const StreamBatch& batch) -> absl::StatusOr<StreamBatchResult> {
        if (++call == 1) return absl::DataLossError("the ledger is torn");
        if (call == 2) {
          SequenceNumber other = batch.records[0].sequence();
          other.number += 7;
          return StreamBatchResult{.failures = {other}};
        }
        return Failed(batch, "bad");
      });
  EXPECT_EQ(mapping.Describe().last_error, "");
  Put(stream_, "bad");
  runtime_.RunUntilIdle();
  EXPECT_EQ(mapping.Describe().last_error, "DATA_LOSS: the ledger is torn");
  EXPECT_THAT(log_.warnings(), ElementsAre(AllOf(HasSubstr("mapping audit"),
                                                 HasSubstr("DATA_LOSS: the ledger is torn"))));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(mapping.Describe().last_error, HasSubstr("which is not in the batch"));
  // Which records failed is no fault: it is what the answer is for.
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(call, 3);
  EXPECT_THAT(log_.warnings(), ElementsAre(_, _, HasSubstr("mapping audit has dropped 1 records")));
}

TEST_F(MappingFailure, SaysForHowLongTheOldestRecordHasWaited) {
  bool works = false;
  StreamMapping mapping = Start(stream_, {.backoff = {absl::Seconds(10), absl::Seconds(10)}},
                                [&works](const StreamBatch&) -> absl::StatusOr<StreamBatchResult> {
                                  if (works) return StreamBatchResult();
                                  return Broken();
                                });
  EXPECT_EQ(mapping.Metrics().behind_latest, absl::ZeroDuration());
  Put(stream_, "a");
  runtime_.RunUntilIdle();
  runtime_.Advance(absl::Seconds(3));
  Put(stream_, "b");
  runtime_.Advance(absl::Seconds(4));
  EXPECT_EQ(mapping.Metrics().behind_latest, absl::Seconds(7)) << "while no handler runs, too";
  works = true;
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(mapping.Metrics().handled, 2);
  EXPECT_EQ(mapping.Metrics().behind_latest, absl::ZeroDuration());
}

// --- Bisection -----------------------------------------------------------------------------------

TEST_F(MappingFailure, BisectionGoesDownToTheRecordThatFailsAndUsesUpNoRetry) {
  PutAll(stream_, {"a", "b", "bad", "d", "e"});
  StreamMapping mapping = Start(
      stream_, {.retries_max = 1, .bisect_on_error = true, .backoff = kAtOnce, .on_failure = dead_},
      [](const StreamBatch& batch) {
        return Has(batch, "bad") ? absl::StatusOr<StreamBatchResult>(Broken())
                                 : StreamBatchResult();
      });
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("a b bad d e", "a b", "bad d e", "bad", "bad", "d e"));
  EXPECT_THAT(TakeAll(dead_), ElementsAre(HasSubstr(R"("approximateInvokeCount":2)")));
  EXPECT_EQ(mapping.Metrics().handled, 4);
  ExpectBalanced(mapping.Metrics());
}

TEST_F(MappingFailure, WithPartialFailuresTheSplitIsAtTheReportedRecord) {
  PutAll(stream_, {"a", "b", "c", "bad", "e"});
  StreamMapping mapping = Start(
      stream_, {.retries_max = 0, .bisect_on_error = true, .backoff = kAtOnce, .on_failure = dead_},
      [](const StreamBatch& batch) { return Failed(batch, "bad"); });
  runtime_.RunUntilIdle();
  // The report of the first record splits nothing off; the halves do.
  EXPECT_THAT(TakeCalls(), ElementsAre("a b c bad e", "bad e", "bad", "e"));
  EXPECT_THAT(TakeAll(dead_), ElementsAre(HasSubstr(R"("batchSize":1)")));
}

// --- Partial failures ----------------------------------------------------------------------------

TEST_F(MappingFailure, TheCheckpointIsAtTheLowestListedAndAllBehindComesAgain) {
  PutAll(stream_, {"a", "b", "c", "d"});
  int attempts = 0;
  StreamMapping mapping = Start(stream_, {}, [&](const StreamBatch& batch) {
    StreamBatchResult result;
    if (++attempts == 1) {
      result.failures = {batch.records[3].sequence(), batch.records[1].sequence()};
    }
    return result;
  });
  runtime_.RunUntilIdle();
  EXPECT_EQ(mapping.Checkpoint({0}), 2u);
  EXPECT_EQ(mapping.Metrics().failed_invoke_event_count, 3);
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(TakeCalls(), ElementsAre("a b c d", "b c d"));
  EXPECT_EQ(mapping.Checkpoint({0}), 5u);
}

TEST_F(MappingFailure, WhatPartialFailuresLeaveIsGivenUpWithoutFunctionError) {
  PutAll(stream_, {"a", "bad", "c"});
  StreamMapping mapping =
      Start(stream_, {.retries_max = 1, .backoff = kAtOnce, .on_failure = dead_},
            [](const StreamBatch& batch) { return Failed(batch, "bad"); });
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("a bad c", "bad c"));
  const std::vector<std::string> notes = TakeAll(dead_);
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_THAT(notes[0], HasSubstr(R"("functionError":null)"));
  EXPECT_THAT(notes[0], HasSubstr(R"("batchSize":2)"));
  EXPECT_EQ(mapping.Metrics().handled, 1);
}

// The response table, as JSON. {} stands for a record's sequence number.
class MappingSuccess : public MappingFailure,
                       public ::testing::WithParamInterface<std::string_view> {};
class MappingFailed : public MappingFailure,
                      public ::testing::WithParamInterface<std::string_view> {};

TEST_P(MappingSuccess, S18_TheBatchIsDone) {
  PutAll(stream_, {"a", "b"});
  StreamMapping mapping =
      Start(stream_, {.retries_max = 0, .on_failure = dead_},
            [](const StreamBatch&) { return ParseStreamBatchResponse(GetParam()); });
  runtime_.RunUntilIdle();
  EXPECT_EQ(mapping.Metrics().handled, 2);
  EXPECT_THAT(TakeAll(dead_), IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Rows, MappingSuccess,
                         ::testing::Values("null", R"("")", "{}", R"({"batchItemFailures": []})",
                                           R"({"batchItemFailures": null})", "", " \n", "[]",
                                           R"({"state": {"n": 1}})"));

TEST_P(MappingFailed, S19_AllOfTheBatchAndNotByAnError) {
  PutAll(stream_, {"a", "b"});
  StreamMapping mapping =
      Start(stream_, {.retries_max = 0, .on_failure = dead_},
            [](const StreamBatch&) { return ParseStreamBatchResponse(GetParam()); });
  runtime_.RunUntilIdle();
  EXPECT_EQ(mapping.Metrics().handled, 0);
  const std::vector<std::string> notes = TakeAll(dead_);
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_THAT(notes[0], HasSubstr(R"("batchSize":2)"));
  EXPECT_THAT(notes[0], HasSubstr(R"("functionError":null)"));
}

INSTANTIATE_TEST_SUITE_P(Rows, MappingFailed,
                         ::testing::Values(
                             // A number of no record of the batch.
                             R"({"batchItemFailures": [{"itemIdentifier":
           "49590338271490256608559692538361571095921575989136588898"}]})",
                             R"({"batchItemFailures": [{"itemIdentifier": ""}]})",
                             R"({"batchItemFailures": [{"itemIdentifier": null}]})",
                             R"({"batchItemFailures": [{"itemIdentifier": 123}]})",
                             R"({"batchItemFailures": [{"foo": "x"}]})",
                             R"({"batchItemFailures": [{}]})", R"({"batchItemFailures": "x"})",
                             R"({"failures": []})", R"("done")", "{", "[1]"));

TEST_F(MappingFailure, AListedNumberInJsonIsRead) {
  PutAll(stream_, {"a", "b", "c"});
  int attempts = 0;
  StreamMapping mapping = Start(stream_, {.backoff = kAtOnce}, [&](const StreamBatch& batch) {
    if (++attempts > 1) return StreamBatchResult();
    return ParseStreamBatchResponse(R"({"batchItemFailures": [{"itemIdentifier": ")" +
                                    batch.records[1].sequence().ToString() + R"("}]})");
  });
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("a b c", "b c"));
}

// --- Age -----------------------------------------------------------------------------------------

TEST_F(MappingFailure, S23_RecordsTooOldBeforeTheirFirstCallCountOneAndHaveNoResponse) {
  PutAll(stream_, {"old", "older"});
  runtime_.Advance(absl::Seconds(61));
  Put(stream_, "young");
  StreamMapping mapping =
      Start(stream_, {.record_age_max = absl::Seconds(60), .on_failure = dead_});
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("young"));
  const std::vector<std::string> notes = TakeAll(dead_);
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_THAT(notes[0], HasSubstr(R"("condition":"RecordAgeExceeded","approximateInvokeCount":1)"));
  EXPECT_THAT(notes[0], Not(HasSubstr("responseContext")));
  EXPECT_THAT(notes[0], HasSubstr(R"("batchSize":2)"));
  EXPECT_EQ(mapping.Metrics().invoked_event_count, 1);
  ExpectBalanced(mapping.Metrics());
}

TEST_F(MappingFailure, AgeIsLookedAtBeforeEachAttemptAndYoungerOnesGoOn) {
  Put(stream_, "old");
  runtime_.Advance(absl::Seconds(30));
  Put(stream_, "young");
  bool fails = true;
  StreamMapping mapping = Start(
      stream_, {.record_age_max = absl::Seconds(60), .on_failure = dead_}, [&](const StreamBatch&) {
        return fails ? absl::StatusOr<StreamBatchResult>(Broken()) : StreamBatchResult();
      });
  runtime_.Advance(absl::Seconds(20));  // attempts at 30, 31, 33, 37 and 45 s
  EXPECT_EQ(TakeCalls(), std::vector<std::string>(5, "old young"));
  fails = false;
  runtime_.Advance(absl::Seconds(11));  // the next is at 61 s
  EXPECT_THAT(TakeCalls(), ElementsAre("young"));
  const std::vector<std::string> notes = TakeAll(dead_);
  ASSERT_THAT(notes, SizeIs(1));
  EXPECT_THAT(notes[0], HasSubstr(R"("condition":"RecordAgeExceeded","approximateInvokeCount":5)"));
  EXPECT_THAT(notes[0], HasSubstr(R"("functionError":"Unhandled")"));
}

TEST_F(MappingFailure, AtItsGreatestAgeARecordIsNotTooOld) {
  Put(stream_, "a");
  runtime_.Advance(absl::Seconds(60));
  StreamMapping mapping =
      Start(stream_, {.record_age_max = absl::Seconds(60), .on_failure = dead_});
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("a"));
}

TEST_F(MappingFailure, WhatExpiredLeavesNoBackOffBehind) {
  Stream stream = MakeStream();
  Put(stream, "old");
  std::string bad = "old";
  StreamMapping mapping = Start(stream, {.record_age_max = absl::Seconds(60)},
                                [&](const StreamBatch& batch) -> absl::StatusOr<StreamBatchResult> {
                                  if (Has(batch, bad)) return Broken();
                                  return StreamBatchResult();
                                });
  runtime_.Advance(absl::Minutes(3));  // fails with growing waits, then it is too old
  EXPECT_EQ(mapping.Metrics().dropped_event_count, 1);
  bad = "new";
  Put(stream, "new");
  runtime_.RunUntilIdle();
  TakeCalls();
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(TakeCalls(), ElementsAre("new")) << "its first wait is the first again";
}

}  // namespace
}  // namespace banyan
