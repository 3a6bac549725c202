// SPDX-License-Identifier: Apache-2.0
//
// Stream mappings: batches, order, parallelization, filters, where they begin, and their options.
// Simulated time.
#include "mapping_testing.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

// --- Options -------------------------------------------------------------------------------------

class MappingOptionsTest : public MappingTest {
 protected:
  absl::Status StatusOf(StreamMappingOptions options) {
    return StreamMapping::Start(stream_, std::move(options), Remembering(nullptr)).status();
  }
  Stream stream_ = MakeStream();
};

TEST_F(MappingOptionsTest, DefaultsAreLambdas) {
  const StreamMappingOptions options;
  EXPECT_EQ(options.batch_size, 100);
  EXPECT_EQ(options.batch_window, absl::ZeroDuration());
  EXPECT_EQ(options.parallelization_factor, 1);
  EXPECT_EQ(options.retries_max, -1);
  EXPECT_EQ(options.record_age_max, absl::InfiniteDuration());
  EXPECT_FALSE(options.bisect_on_error);
  EXPECT_EQ(options.tumbling_window, absl::ZeroDuration());
}

TEST_F(MappingOptionsTest, EachNumberIsTakenUpToItsBounds) {
  for (const int64_t size : {1, 10'000}) EXPECT_THAT(StatusOf({.batch_size = size}), IsOk());
  EXPECT_THAT(StatusOf({.batch_window = absl::Minutes(5)}), IsOk());
  EXPECT_THAT(StatusOf({.parallelization_factor = 10}), IsOk());
  for (const int64_t retries : {-1, 0, 10'000}) {
    EXPECT_THAT(StatusOf({.retries_max = retries}), IsOk());
  }
  EXPECT_THAT(StatusOf({.record_age_max = absl::Seconds(60)}), IsOk());
  EXPECT_THAT(StatusOf({.record_age_max = absl::Seconds(604'800)}), IsOk());
  EXPECT_THAT(StatusOf({.tumbling_window = absl::Seconds(900)}), IsOk());
}

TEST_F(MappingOptionsTest, BeyondThemItIsRefusedByName) {
  const auto refuses = [](std::string_view field, std::string_view range) {
    return StatusIs(absl::StatusCode::kInvalidArgument,
                    AllOf(HasSubstr(std::string(field)), HasSubstr(std::string(range))));
  };
  for (const int64_t size : {0, 10'001}) {
    EXPECT_THAT(StatusOf({.batch_size = size}), refuses("BatchSize", "between 1 and 10000"));
  }
  for (const absl::Duration window : {absl::Seconds(-1), absl::Seconds(301)}) {
    EXPECT_THAT(StatusOf({.batch_window = window}),
                refuses("MaximumBatchingWindowInSeconds", "between 0 and 300"));
  }
  for (const int64_t factor : {0, 11}) {
    EXPECT_THAT(StatusOf({.parallelization_factor = factor}),
                refuses("ParallelizationFactor", "between 1 and 10"));
  }
  for (const int64_t retries : {-2, 10'001}) {
    EXPECT_THAT(StatusOf({.retries_max = retries}),
                refuses("MaximumRetryAttempts", "between -1 and 10000"));
  }
  for (const absl::Duration age : {absl::Seconds(59), absl::Seconds(604'801)}) {
    EXPECT_THAT(StatusOf({.record_age_max = age}),
                refuses("MaximumRecordAgeInSeconds", "between 60 and 604800"));
  }
  EXPECT_THAT(StatusOf({.tumbling_window = absl::Seconds(901)}),
              refuses("TumblingWindowInSeconds", "between 0 and 900"));
  EXPECT_THAT(StatusOf({.tumbling_window = absl::Milliseconds(1'500)}),
              refuses("TumblingWindowInSeconds", "whole seconds"));
  EXPECT_THAT(StatusOf({.parallelization_factor = 2, .tumbling_window = absl::Seconds(1)}),
              refuses("TumblingWindowInSeconds", "ParallelizationFactor of 1"));
  EXPECT_THAT(StatusOf({.name = ""}), refuses("FunctionName", "1 to 64"));
  EXPECT_THAT(StatusOf({.backoff = {.first = absl::Seconds(2), .max = absl::Seconds(1)}}),
              refuses("Backoff.First", "between 0 and 1"));
}

TEST_F(MappingOptionsTest, StartsAtNoSequenceNumberAndNotInTheFuture) {
  const SequenceNumber sequence = Put(stream_, "a").sequence;
  EXPECT_THAT(StatusOf({.start_at = StartAt::AtSequence(sequence)}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("StartingPosition")));
  EXPECT_THAT(StatusOf({.start_at = StartAt::AtTimestamp(runtime_.Now() + absl::Seconds(1))}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("timestampInMillis")));
}

TEST_F(MappingOptionsTest, FiltersAreFewShortAndPatterns) {
  const std::string good = R"({"data": {"n": [1]}})";
  EXPECT_THAT(StatusOf({.filters = std::vector<std::string>(5, good)}), IsOk());
  EXPECT_THAT(StatusOf({.filters = std::vector<std::string>(6, good)}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("at most 5")));
  EXPECT_THAT(StatusOf({.filters = {good, "{"}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("Invalid filter pattern definition. Filter 2")));
  const std::string pad(4'096, ' ');
  EXPECT_THAT(StatusOf({.filters = {good + pad}}),
              StatusIs(absl::StatusCode::kInvalidArgument,
                       HasSubstr("Invalid filter pattern definition.")));
}

TEST_F(MappingOptionsTest, AFifoQueueOrTopicIsNoDestination) {
  Queue fifo = MakeQueue("dead.fifo", {.fifo = true});
  EXPECT_THAT(StatusOf({.on_failure = fifo}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("DestinationConfig")));
  Topic topic = broker_.CreateTopic("alarms.fifo", {.fifo = true}).value();
  EXPECT_THAT(StatusOf({.on_failure = topic}),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("DestinationConfig")));
}

TEST_F(MappingOptionsTest, NoStreamNoHandler) {
  EXPECT_THAT(StreamMapping::Start(Stream(), {}, Remembering(nullptr)),
              StatusIs(absl::StatusCode::kNotFound));
  EXPECT_THAT(StreamMapping::Start(stream_, {}, StreamBatchHandler()),
              StatusIs(absl::StatusCode::kInvalidArgument, HasSubstr("Handler")));
  ASSERT_THAT(broker_.DeleteStream("clicks"), IsOk());
  EXPECT_THAT(StatusOf({}), StatusIs(absl::StatusCode::kNotFound));
}

// --- Batches -------------------------------------------------------------------------------------

TEST_F(MappingTest, ABatchHasWhatIsThereUpToItsSizeInOrder) {
  Stream stream = MakeStream();
  PutAll(stream, {"a", "b", "c", "d", "e"});
  StreamMapping mapping = Start(stream, {.batch_size = 2});
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("a b", "c d", "e"));
  Put(stream, "f");
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("f"));
  EXPECT_EQ(mapping.Checkpoint({0}), 7u);
  EXPECT_EQ(mapping.Metrics().offset_lag, 0);
}

TEST_F(MappingTest, AWindowLetsABatchFillUntilItIsFullOrOver) {
  Stream stream = MakeStream();
  StreamMapping mapping = Start(stream, {.batch_size = 3, .batch_window = absl::Seconds(10)});
  Put(stream, "a");
  runtime_.Advance(absl::Seconds(4));
  Put(stream, "b");
  runtime_.Advance(absl::Milliseconds(5'999));
  EXPECT_THAT(TakeCalls(), IsEmpty());
  EXPECT_EQ(mapping.Metrics().in_hand, 2);
  runtime_.Advance(absl::Milliseconds(1));
  EXPECT_THAT(TakeCalls(), ElementsAre("a b"));
  PutAll(stream, {"c", "d", "e"});
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("c d e"));
}

TEST_F(MappingTest, ABatchHasNoMoreThanSixMebibytesUnlessItIsOneRecord) {
  Stream stream = broker_.CreateStream("large", {.record_bytes_max = 10 << 20}).value();
  const std::string two_mib((2 << 20) - 1, 'x');  // with its key
  for (int i = 0; i < 4; ++i) Put(stream, two_mib);
  Put(stream, std::string(9 << 20, 'y'));
  Put(stream, "z");
  std::vector<size_t> sizes;
  StreamMapping mapping = Start(stream, {}, [&](const StreamBatch& batch) {
    sizes.push_back(batch.records.size());
    return StreamBatchResult();
  });
  runtime_.RunUntilIdle();
  EXPECT_THAT(sizes, ElementsAre(3, 1, 1, 1));
}

TEST_F(MappingTest, ABatchOfExactlySixMebibytesIsFullAndWaitsForNothing) {
  Stream stream = broker_.CreateStream("large", {.record_bytes_max = 10 << 20}).value();
  const std::string two_mib((2 << 20) - 1, 'x');  // with its key
  for (int i = 0; i < 3; ++i) Put(stream, two_mib);
  StreamMapping mapping = Start(stream, {.batch_window = absl::Minutes(5)});
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ::testing::SizeIs(1));
}

TEST_F(MappingTest, ReadsBeyondTheStreamsLimitsAreMadeAgainASecondLater) {
  Stream stream = broker_.CreateStream("strict", {.shard_limits = ShardLimits::kStrict}).value();
  Put(stream, "a");
  const ShardIterator begin = stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value();
  while (stream.GetRecords(begin).ok()) {
  }  // another reader has used up this second's reads, and iterators
  while (stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).ok()) {
  }
  StreamMapping mapping = Start(stream, {.start_at = StartAt::AtTimestamp(runtime_.Now())});
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), IsEmpty());
  EXPECT_EQ(mapping.Describe().state, MappingState::kEnabled) << "it goes on";
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(TakeCalls(), ElementsAre("a"));
  for (int i = 0; i < 50; ++i) {
    Put(stream, "b");
    runtime_.RunUntilIdle();
  }
  EXPECT_THAT(calls_, ::testing::SizeIs(::testing::Lt(10))) << "five reads a second";
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(mapping.Metrics().handled, 51);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

// --- Order ---------------------------------------------------------------------------------------

TEST_F(MappingTest, S22_AFailingBatchBlocksItsShardAndNoOtherUntilItSucceeds) {
  Stream stream = MakeStream(2);
  const auto key_of = [](int64_t shard) { return shard == 0 ? "b" : "a"; };
  const PutResult bad = Put(stream, "bad", key_of(0));
  const PutResult good = Put(stream, "good", key_of(1));
  ASSERT_NE(bad.shard_id, good.shard_id);
  Put(stream, "behind", key_of(0));
  int attempts = 0;
  StreamMapping mapping = Start(stream, {.batch_size = 1}, [&](const StreamBatch& batch) {
    return Has(batch, "bad") && ++attempts < 4 ? absl::StatusOr<StreamBatchResult>(Broken())
                                               : StreamBatchResult();
  });
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), UnorderedElementsAre("bad", "good"));
  Put(stream, "more", key_of(1));
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("more"));
  EXPECT_EQ(mapping.Checkpoint(bad.shard_id), bad.sequence.number);
  runtime_.Advance(absl::Minutes(5));
  EXPECT_THAT(TakeCalls(), ElementsAre("bad", "bad", "bad", "behind"));
  // The back-off doubles: 1 s, 2 s, 4 s.
  EXPECT_EQ(times_[times_.size() - 1], absl::Seconds(7));
}

TEST_F(MappingTest, TheBackOffGrowsToAMinute) {
  Stream stream = MakeStream();
  Put(stream, "bad");
  StreamMapping mapping = Start(stream, {}, [](const StreamBatch&) { return Broken(); });
  runtime_.Advance(absl::Minutes(10));
  ASSERT_GE(times_.size(), 10u);
  std::vector<int64_t> gaps;
  for (size_t i = 1; i < 10; ++i) gaps.push_back(absl::ToInt64Seconds(times_[i] - times_[i - 1]));
  EXPECT_THAT(gaps, ElementsAre(1, 2, 4, 8, 16, 32, 60, 60, 60));
}

TEST_F(MappingTest, ParallelBatchesKeepTheOrderOfEachKeyAndTheCheckpointIsTheLowestUnfinished) {
  Stream stream = MakeStream();
  for (int round = 0; round < 3; ++round) {
    for (int key = 0; key < 20; ++key)
      Put(stream, Key(key) + "/" + std::to_string(round), Key(key));
  }
  bool fails = true;
  std::map<std::string, std::vector<std::string>> done;
  std::set<std::string> keys_in_failed;
  StreamMapping mapping =
      Start(stream, {.batch_size = 5, .parallelization_factor = 10}, [&](const StreamBatch& batch) {
        if (fails && Has(batch, Key(0) + "/0")) return absl::StatusOr<StreamBatchResult>(Broken());
        for (const Record& r : batch.records) {
          done[std::string(r.partition_key())].emplace_back(r.data());
        }
        return absl::StatusOr<StreamBatchResult>(StreamBatchResult());
      });
  runtime_.RunUntilIdle();
  // Other lanes have done some; the record that fails is the first of all.
  EXPECT_GT(mapping.Metrics().handled, 0);
  EXPECT_EQ(mapping.Checkpoint({0}), 1u);
  EXPECT_THAT(done, Not(::testing::Contains(::testing::Key(Key(0)))));
  fails = false;
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(mapping.Checkpoint({0}), 61u);
  for (int key = 0; key < 20; ++key) {
    EXPECT_THAT(done[Key(key)], ElementsAre(Key(key) + "/0", Key(key) + "/1", Key(key) + "/2"));
  }
}

TEST_F(MappingTest, ParallelHandlersOfOneShardRunAtOnceAndThoseOfOneLaneDoNot) {
  Stream stream = MakeStream();
  for (int key = 0; key < 40; ++key) Put(stream, Key(key), Key(key));
  int64_t running = 0;
  int64_t most = 0;
  StreamMapping mapping =
      Start(stream, {.batch_size = 1, .parallelization_factor = 4}, [&](const StreamBatch&) {
        most = std::max(most, ++running);
        Work(absl::Seconds(1));
        --running;
        return StreamBatchResult();
      });
  runtime_.Advance(absl::Minutes(2));
  EXPECT_EQ(calls_.size(), 40u);
  EXPECT_EQ(most, 4);
}

// --- Where it begins -----------------------------------------------------------------------------

TEST_F(MappingTest, BeginsAtTheTrimHorizonAtTheTipOrAtATime) {
  Stream stream = MakeStream();
  Put(stream, "a");
  runtime_.Advance(absl::Seconds(10));
  const absl::Time time = runtime_.Now();
  runtime_.Advance(absl::Seconds(10));
  Put(stream, "b");
  const auto first_call = [&](const StartAt& start) {
    StreamMapping mapping = Start(stream, {.start_at = start});
    runtime_.RunUntilIdle();
    return TakeCalls();
  };
  EXPECT_THAT(first_call(StartAt::TrimHorizon()), ElementsAre("a b"));
  EXPECT_THAT(first_call(StartAt::AtTimestamp(time)), ElementsAre("b"));
  EXPECT_THAT(first_call(StartAt::AtTimestamp(absl::UnixEpoch())), ElementsAre("a b"));
  EXPECT_THAT(first_call(StartAt::Latest()), IsEmpty());
  StreamMapping mapping = Start(stream, {.start_at = StartAt::Latest()});
  Put(stream, "c");  // before the mapping has read anything
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("c"));
}

// --- Filters -------------------------------------------------------------------------------------

TEST_F(MappingTest, WhatNoFilterMatchesIsPassedOverAndTheCheckpointGoesBy) {
  Stream stream = MakeStream();
  PutAll(stream, {R"({"n": 1})", R"({"n": 2})", "text", R"({"n": 3})", "\xff\xfe"});
  StreamMapping mapping =
      Start(stream, {.filters = {R"({"data": {"n": [{"numeric": [">", 1]}]}})"}});
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre(R"({"n": 2} {"n": 3})"));
  EXPECT_EQ(mapping.Checkpoint({0}), 6u);
  EXPECT_EQ(mapping.Metrics().polled_event_count, 5);
  EXPECT_EQ(mapping.Metrics().filtered_out_event_count, 3);
  ExpectBalanced(mapping.Metrics());
}

TEST_F(MappingTest, AFilterLooksAtTheOtherMembersOfARecordToo) {
  Stream stream = MakeStream();
  Put(stream, "a", "blue");
  const SequenceNumber b = Put(stream, "b", "red").sequence;
  Put(stream, "plain", "green");
  StreamMapping mapping =
      Start(stream, {.filters = {R"({"partitionKey": ["blue"]})",
                                 R"({"sequenceNumber": [")" + b.ToString() + R"("]})",
                                 R"({"data": [{"prefix": "pl"}]})"}});
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("a b plain"));
}

TEST_F(MappingTest, AConditionOnFieldsIsNeverTrueOfTextNorOneOnTextOfJson) {
  Stream stream = MakeStream();
  PutAll(stream, {R"({"n": 1})", "text"});
  StreamMapping fields = Start(stream, {.filters = {R"({"data": {"m": [{"exists": false}]}})"}});
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre(R"({"n": 1})"));
  StreamMapping text = Start(stream, {.filters = {R"({"data": [{"prefix": ""}]})"}});
  runtime_.RunUntilIdle();
  EXPECT_THAT(TakeCalls(), ElementsAre("text"));
}

// --- Lambda's record -----------------------------------------------------------------------------

TEST_F(MappingTest, TheEventIsLambdas) {
  Stream stream = MakeStream();
  runtime_.Advance(absl::Milliseconds(123));
  const PutResult put = Put(stream, "hello", "key \"1\"");
  std::string event;
  StreamMapping mapping = Start(stream, {.name = "totals"}, [&](const StreamBatch& batch) {
    event = batch.LambdaEvent();
    return StreamBatchResult();
  });
  runtime_.RunUntilIdle();
  const std::string sequence = put.sequence.ToString();
  EXPECT_EQ(event,
            R"({"Records":[{"kinesis":{"kinesisSchemaVersion":"1.0","partitionKey":"key \"1\"",)"
            R"("sequenceNumber":")" +
                sequence +
                R"(","data":"aGVsbG8=","approximateArrivalTimestamp":1767225600.123},)"
                R"("eventSource":"aws:kinesis","eventVersion":"1.0",)"
                R"("eventID":"shardId-000000000000:)" +
                sequence +
                R"(","eventName":"aws:kinesis:record",)"
                R"("invokeIdentityArn":"arn:aws:iam::000000000000:role/totals",)"
                R"("awsRegion":"us-east-1",)"
                R"("eventSourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/clicks"}]})");
}

// --- Numbers -------------------------------------------------------------------------------------

TEST_F(MappingTest, MetricsCountWhatLambdasCount) {
  Stream stream = MakeStream();
  PutAll(stream, {"a", "b", "c"});
  int attempts = 0;
  StreamMapping mapping = Start(stream, {}, [&](const StreamBatch&) {
    return ++attempts == 1 ? absl::StatusOr<StreamBatchResult>(Broken()) : StreamBatchResult();
  });
  runtime_.RunUntilIdle();
  EXPECT_EQ(mapping.Metrics().offset_lag, 3);
  EXPECT_EQ(mapping.Metrics().in_hand, 3);
  ExpectBalanced(mapping.Metrics());
  runtime_.Advance(absl::Seconds(1));
  const MappingMetrics metrics = mapping.Metrics();
  EXPECT_EQ(metrics.polled_event_count, 3);
  EXPECT_EQ(metrics.invoked_event_count, 6);
  EXPECT_EQ(metrics.failed_invoke_event_count, 3);
  EXPECT_EQ(metrics.handled, 3);
  EXPECT_EQ(metrics.dropped_event_count, 0);
  EXPECT_EQ(metrics.iterator_age, absl::Seconds(1));
  EXPECT_EQ(metrics.offset_lag, 0);
  ExpectBalanced(metrics);
}

TEST_F(MappingTest, AnIdleMappingPlansNothingAndRunsNothing) {
  Stream stream = MakeStream(4);
  StreamMapping mapping = Start(stream, {.batch_window = absl::Seconds(5)});
  runtime_.RunUntilIdle();
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
  EXPECT_EQ(runtime_.Advance(absl::Hours(24 * 30)), 0);
  Put(stream, "a");
  runtime_.Advance(absl::Seconds(5));
  EXPECT_THAT(TakeCalls(), ElementsAre("a"));
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace banyan
