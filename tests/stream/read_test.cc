// SPDX-License-Identifier: Apache-2.0
//
// Iterators, reads, lag, retention and the bound on memory.
#include <optional>
#include <string>
#include <vector>

#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "message/close_kind.h"

namespace banyan::testing {
namespace {

using internal::CloseKind;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ReadTest : public StreamTest {
 protected:
  static absl::Status IteratorRefusal(const Stream& stream, const StartAt& start,
                                      ShardId shard = kShard0) {
    return stream.GetShardIterator(shard, start).status();
  }
};

TEST_F(ReadTest, TrimHorizonBeginsAtTheOldest) {
  const Stream stream = MakeStream();
  Put(stream, "1");
  Put(stream, "2");
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), ElementsAre("1", "2"));
}

TEST_F(ReadTest, ACopyOutlivesItsBatchAndItsStream) {
  std::optional<OwnedRecord> copy;
  std::optional<OwnedRecord> again;
  {
    const Stream stream = MakeStream();
    stream.Put({.partition_key = "k", .data = "cart", .trace_header = "Root=1-a"}).value();
    const RecordBatch batch =
        stream.GetRecords(stream.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value())
            .value();
    ASSERT_EQ(batch.size(), 1u);
    copy = batch[0].Copy();
    again = batch[0].Copy();
    EXPECT_EQ(copy->sequence, batch[0].sequence());
    EXPECT_EQ(copy->event_id, batch[0].event_id());
    EXPECT_EQ(copy->arrival_time, batch[0].arrival_time());
    EXPECT_EQ(copy->shard_id, ShardId{0});
  }
  EXPECT_EQ(copy->partition_key, "k");
  EXPECT_EQ(copy->data, "cart");
  EXPECT_EQ(copy->trace_header, "Root=1-a");
  EXPECT_EQ(copy, again);
}

TEST_F(ReadTest, ReadingTakesNothingAway) {
  const Stream stream = MakeStream();
  Put(stream, "1");
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  EXPECT_THAT(DataOf(Get(stream, iterator)), ElementsAre("1"));
  EXPECT_THAT(DataOf(Get(stream, iterator)), ElementsAre("1"));
}

// LATEST is the moment of GetShardIterator, not of the first read.
TEST_F(ReadTest, S10_LatestReturnsWhatIsPutAfterTheIteratorWasMade) {
  const Stream stream = MakeStream();
  Put(stream, "before");
  const ShardIterator latest = IteratorAt(stream, StartAt::Latest());
  EXPECT_THAT(DataOf(Get(stream, latest)), IsEmpty());
  Put(stream, "after");
  EXPECT_THAT(DataOf(Get(stream, latest)), ElementsAre("after"));
}

TEST_F(ReadTest, LatestOnAShardWithoutRecordsReturnsTheFirst) {
  const Stream stream = MakeStream();
  const ShardIterator latest = IteratorAt(stream, StartAt::Latest());
  Put(stream, "first");
  EXPECT_THAT(DataOf(Get(stream, latest)), ElementsAre("first"));
}

TEST_F(ReadTest, AtAndAfterASequenceNumber) {
  const Stream stream = MakeStream();
  Put(stream, "1");
  const PutResult second = Put(stream, "2");
  const PutResult third = Put(stream, "3");
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::AtSequence(second.sequence))), ElementsAre("2", "3"));
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::AfterSequence(second.sequence))), ElementsAre("3"));
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::AfterSequence(third.sequence))), IsEmpty());
}

// A shard's starting sequence number is accepted without any record.
TEST_F(ReadTest, StartingSequenceNumberIsAPlaceBeforeTheFirstRecord) {
  const Stream stream = MakeStream();
  const SequenceNumber start = stream.ListShards().value()[0].starting_sequence;
  const ShardIterator at = IteratorAt(stream, StartAt::AtSequence(start));
  const ShardIterator after = IteratorAt(stream, StartAt::AfterSequence(start));
  Put(stream, "first");
  EXPECT_THAT(DataOf(Get(stream, at)), ElementsAre("first"));
  EXPECT_THAT(DataOf(Get(stream, after)), ElementsAre("first"));
}

TEST_F(ReadTest, SequenceNumberOfAnotherShardIsRefused) {
  const Stream stream = MakeStream({.shards = 2});
  const PutResult put = Put(stream, "x", "user-1");
  ASSERT_EQ(put.shard_id, kShard1);
  const absl::Status status = IteratorRefusal(stream, StartAt::AtSequence(put.sequence), kShard0);
  EXPECT_EQ(CodeOf(status), "InvalidArgumentException");
  EXPECT_EQ(TextOf(status),
            "Invalid StartingSequenceNumber. It encodes shardId-000000000001, while it was used in "
            "a call to a shard with shardId-000000000000");
}

TEST_F(ReadTest, SequenceNumberOfAnotherStreamIsRefused) {
  const Stream other = MakeStream({}, "other");
  const SequenceNumber sequence = Put(other, "x").sequence;
  runtime_.Advance(absl::Seconds(1));
  const Stream stream = MakeStream();
  Put(stream, "x");
  const absl::Status status = IteratorRefusal(stream, StartAt::AfterSequence(sequence));
  EXPECT_EQ(CodeOf(status), "InvalidArgumentException");
  EXPECT_EQ(TextOf(status),
            "StartingSequenceNumber " + sequence.ToString() +
                " used in GetShardIterator on shard shardId-000000000000 in stream clicks under "
                "account 000000000000 is invalid because it did not come from this stream.");
}

// A child may have been made in another second than its parent.
TEST_F(ReadTest, SequenceNumberOfAShardMadeLaterIsToldAsThatShards) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Hours(1));
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  const PutResult put = Put(stream, "x", "a");
  ASSERT_EQ(put.shard_id, kShard1);
  EXPECT_EQ(TextOf(IteratorRefusal(stream, StartAt::AtSequence(put.sequence), kShard0)),
            "Invalid StartingSequenceNumber. It encodes shardId-000000000001, while it was used in "
            "a call to a shard with shardId-000000000000");
}

TEST_F(ReadTest, SequenceNumberNotGivenYetIsRefused) {
  const Stream stream = MakeStream();
  SequenceNumber sequence = Put(stream, "x").sequence;
  ++sequence.number;
  EXPECT_EQ(CodeOf(IteratorRefusal(stream, StartAt::AtSequence(sequence))),
            "InvalidArgumentException");
}

TEST_F(ReadTest, AtTimestampBeginsAtTheFirstRecordThatArrivedThenOrLater) {
  const Stream stream = MakeStream();
  const absl::Time start = runtime_.Now();
  for (const char* data : {"0s", "10s", "20s"}) {
    Put(stream, data);
    runtime_.Advance(absl::Seconds(10));
  }
  const auto at = [&](absl::Duration d) {
    return DataOf(GetAt(stream, StartAt::AtTimestamp(start + d)));
  };
  EXPECT_THAT(at(-absl::Hours(1)), ElementsAre("0s", "10s", "20s"));
  EXPECT_THAT(at(absl::Seconds(10)), ElementsAre("10s", "20s"));
  EXPECT_THAT(at(absl::Seconds(10) + absl::Milliseconds(1)), ElementsAre("20s"));
  EXPECT_THAT(at(absl::Seconds(25)), IsEmpty());
}

TEST_F(ReadTest, AtTimestampFindsARecordByTheArrivalItShows) {
  const Stream stream = MakeStream();
  runtime_.Advance(absl::Nanoseconds(5'000'777));
  Put(stream, "x");
  const RecordBatch batch = GetAt(stream, StartAt::TrimHorizon());
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::AtTimestamp(batch[0].arrival_time()))),
              ElementsAre("x"));
}

// The wall clock may step back between two records; "first" is by place, not by a search that
// takes arrivals for sorted.
TEST_F(ReadTest, AtTimestampHoldsWhenTheWallClockStepsBack) {
  const Stream stream = MakeStream();
  const absl::Time start = runtime_.Now();
  runtime_.Advance(absl::Hours(2));
  Put(stream, "2h");
  runtime_.JumpWallClock(-absl::Hours(1));
  Put(stream, "1h");
  runtime_.Advance(absl::Minutes(30));
  Put(stream, "1h30");
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::AtTimestamp(start + absl::Minutes(90)))),
              ElementsAre("2h", "1h", "1h30"));
}

TEST_F(ReadTest, AtTimestampPassesManySegments) {
  const Stream stream = MakeSmallStream();
  const absl::Time start = runtime_.Now();
  for (int i = 0; i < 100; ++i) {
    Put(stream, std::to_string(i) + std::string(1'000, ' '));
    runtime_.Advance(absl::Seconds(1));
  }
  for (int round = 0; round < 2; ++round) {  // the second one uses what the first has learned
    for (int i : {0, 1, 50, 99}) {
      const RecordBatch batch = GetAt(stream, StartAt::AtTimestamp(start + absl::Seconds(i)));
      ASSERT_EQ(batch.size(), static_cast<size_t>(100 - i));
      EXPECT_EQ(std::stoi(std::string(batch[0].data())), i);
    }
  }
}

TEST_F(ReadTest, TimeInTheFutureIsRefused) {
  const Stream stream = MakeStream();
  const absl::Status status =
      IteratorRefusal(stream, StartAt::AtTimestamp(runtime_.Now() + absl::Milliseconds(1)));
  EXPECT_EQ(CodeOf(status), "InvalidArgumentException");
  EXPECT_THAT(TextOf(status), HasSubstr("The timestampInMillis parameter cannot be greater than "
                                        "the currentTimestampInMillis."));
  EXPECT_EQ(CodeOf(IteratorRefusal(stream, StartAt::AtTimestamp(runtime_.Now()))), "OK");
  EXPECT_EQ(CodeOf(IteratorRefusal(stream, StartAt::AtTimestamp(absl::InfinitePast()))), "OK");
  EXPECT_EQ(CodeOf(IteratorRefusal(stream, StartAt::AtTimestamp(absl::InfiniteFuture()))),
            "InvalidArgumentException");
}

TEST_F(ReadTest, ShardsThatAreNotThereAreNotFound) {
  const Stream stream = MakeStream();
  const absl::Status none = IteratorRefusal(stream, StartAt::Latest(), kShard1);
  EXPECT_EQ(CodeOf(none), "ResourceNotFoundException");
  EXPECT_EQ(TextOf(none),
            "Shard shardId-000000000001 in stream clicks under account 000000000000 does not "
            "exist");
  EXPECT_EQ(CodeOf(IteratorRefusal(stream, StartAt::Latest(), ShardId{-1})),
            "ResourceNotFoundException");
  const absl::Status bad = stream.GetShardIterator("shard-1", StartAt::Latest()).status();
  EXPECT_EQ(CodeOf(bad), "ResourceNotFoundException");
  EXPECT_EQ(TextOf(bad),
            "Could not find shard shard-1 in stream clicks under account 000000000000.");
  EXPECT_EQ(stream.GetShardIterator("shardId-000000000000", StartAt::Latest()).status(),
            absl::OkStatus());
}

// --- GetRecords ----------------------------------------------------------------------------------

TEST_F(ReadTest, NextGoesOnWithoutGapOrRepetition) {
  const Stream stream = MakeStream();
  for (const char* data : {"1", "2", "3"}) Put(stream, data);
  const RecordBatch first = Get(stream, IteratorAt(stream, StartAt::TrimHorizon()), 2);
  EXPECT_THAT(DataOf(first), ElementsAre("1", "2"));
  const RecordBatch second = Get(stream, first.next().value(), 2);
  EXPECT_THAT(DataOf(second), ElementsAre("3"));
  const RecordBatch third = Get(stream, second.next().value());
  EXPECT_THAT(DataOf(third), IsEmpty());
  Put(stream, "4");
  EXPECT_THAT(DataOf(Get(stream, third.next().value())), ElementsAre("4"));
}

// An open shard has no end: an empty answer carries a next iterator, and a different one each time.
TEST_F(ReadTest, S11_AnEmptyReadIsNotTheEndAndGivesANewIteratorEachTime) {
  const Stream stream = MakeStream();
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  const RecordBatch a = Get(stream, iterator);
  const RecordBatch b = Get(stream, a.next().value());
  ASSERT_TRUE(b.next().has_value());
  EXPECT_NE(a.next()->ToString(), iterator.ToString());
  EXPECT_NE(b.next()->ToString(), a.next()->ToString());
}

TEST_F(ReadTest, LimitIs1To10000) {
  const Stream stream = MakeStream();
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  for (int64_t bad : {-1, 0, 10'001}) {
    const absl::Status status = stream.GetRecords(iterator, bad).status();
    EXPECT_EQ(CodeOf(status), "ValidationException") << bad;
    EXPECT_THAT(TextOf(status), HasSubstr("'" + std::to_string(bad) + "' at 'limit'"));
  }
  EXPECT_TRUE(stream.GetRecords(iterator, 1).ok());
  EXPECT_TRUE(stream.GetRecords(iterator, 10'000).ok());
}

TEST_F(ReadTest, AnswerHas10MiBAtMost) {
  const Stream stream = MakeStream();
  const std::string mebibyte((1 << 20) - 1, 'x');
  for (int i = 0; i < 12; ++i) Put(stream, mebibyte);
  const RecordBatch first = GetAt(stream, StartAt::TrimHorizon());
  EXPECT_EQ(first.size(), 10u);
  EXPECT_EQ(Get(stream, first.next().value()).size(), 2u);
}

TEST_F(ReadTest, IteratorIsGoodForFiveMinutes) {
  const Stream stream = MakeStream();
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  runtime_.Advance(absl::Minutes(5));
  EXPECT_TRUE(stream.GetRecords(iterator).ok());
  runtime_.Advance(absl::Milliseconds(1));
  const absl::Status status = stream.GetRecords(iterator).status();
  EXPECT_EQ(CodeOf(status), "ExpiredIteratorException");
  EXPECT_EQ(TextOf(status),
            "Iterator expired. The iterator was created at time Thu Jan 01 00:00:00 UTC 2026 while "
            "right now it is Thu Jan 01 00:05:00 UTC 2026 which is further in the future than the "
            "tolerated delay of 300000 milliseconds.");
}

TEST_F(ReadTest, IteratorsAgeByUptimeNotByTheWallClock) {
  const Stream stream = MakeStream();
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  runtime_.JumpWallClock(absl::Hours(1));
  EXPECT_TRUE(stream.GetRecords(iterator).ok());
}

TEST_F(ReadTest, IteratorOfAStreamMadeAnewIsRefused) {
  const Stream old = MakeStream();
  Put(old, "old");
  const ShardIterator iterator = IteratorAt(old, StartAt::TrimHorizon());
  old.core()->Close(CloseKind::kDeleted);
  EXPECT_EQ(CodeOf(old.GetRecords(iterator).status()), "ResourceNotFoundException");
  const Stream anew = MakeStream();
  Put(anew, "new");
  EXPECT_EQ(CodeOf(anew.GetRecords(iterator).status()), "InvalidArgumentException");
  EXPECT_EQ(CodeOf(anew.GetRecords(ShardIterator()).status()), "InvalidArgumentException");
}

// --- Lag -----------------------------------------------------------------------------------------

TEST_F(ReadTest, S12_LagIsTheAgeOfTheOldestUnreadRecord) {
  const Stream stream = MakeStream();
  Put(stream, "1");
  runtime_.Advance(absl::Seconds(3));
  Put(stream, "2");
  runtime_.Advance(absl::Seconds(4));
  const RecordBatch first = Get(stream, IteratorAt(stream, StartAt::TrimHorizon()), 1);
  EXPECT_EQ(first.millis_behind_latest(), 4'000);
  EXPECT_EQ(Get(stream, first.next().value(), 1).millis_behind_latest(), 0);
}

TEST_F(ReadTest, LagIsNeverZeroWhileSomethingIsUnread) {
  const Stream stream = MakeStream();
  Put(stream, "1");
  Put(stream, "2");
  EXPECT_EQ(Get(stream, IteratorAt(stream, StartAt::TrimHorizon()), 1).millis_behind_latest(), 1);
}

TEST_F(ReadTest, LagOfAnIdleShardIsZero) {
  const Stream stream = MakeStream();
  Put(stream, "1");
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(GetAt(stream, StartAt::Latest()).millis_behind_latest(), 0);
}

TEST_F(ReadTest, LagDoesNotFollowTheWallClock) {
  const Stream stream = MakeStream();
  Put(stream, "1");
  Put(stream, "2");
  runtime_.JumpWallClock(-absl::Hours(1));
  runtime_.Advance(absl::Seconds(2));
  EXPECT_EQ(Get(stream, IteratorAt(stream, StartAt::TrimHorizon()), 1).millis_behind_latest(),
            2'000);
}

// --- Retention -----------------------------------------------------------------------------------

TEST_F(ReadTest, RecordsEndWithTheirRetention) {
  const Stream stream = MakeStream({.retention = absl::Hours(24)});
  Put(stream, "1");
  runtime_.Advance(absl::Hours(1));
  Put(stream, "2");
  runtime_.Advance(absl::Hours(23) - absl::Nanoseconds(1));
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), ElementsAre("1", "2"));
  runtime_.Advance(absl::Nanoseconds(1));
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), ElementsAre("2"));
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), IsEmpty());
  EXPECT_EQ(stream.Stats().expired, 2);
  EXPECT_EQ(stream.Stats().resting, 0);
}

// An old TRIM_HORIZON iterator slides: what it would have read has ended meanwhile.
TEST_F(ReadTest, IteratorSlidesWithTheTrimHorizon) {
  const Stream stream = MakeStream({.retention = absl::Minutes(2)});
  Put(stream, "1");
  const ShardIterator horizon = IteratorAt(stream, StartAt::TrimHorizon());
  runtime_.Advance(absl::Minutes(1));
  Put(stream, "2");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(DataOf(Get(stream, horizon)), ElementsAre("2"));
}

TEST_F(ReadTest, SequenceNumberOfAnEndedRecordStandsForTheHorizon) {
  const Stream stream = MakeStream({.retention = absl::Hours(24)});
  const PutResult first = Put(stream, "1");
  runtime_.Advance(absl::Hours(1));
  Put(stream, "2");
  runtime_.Advance(absl::Hours(23));
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::AtSequence(first.sequence))), ElementsAre("2"));
}

TEST_F(ReadTest, RetentionGoesByUptimeNotByTheWallClock) {
  const Stream stream = MakeStream({.retention = absl::Hours(24)});
  Put(stream, "1");
  runtime_.JumpWallClock(absl::Hours(48));
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), ElementsAre("1"));
}

TEST_F(ReadTest, NumbersGoOnAfterEverythingHasEnded) {
  const Stream stream = MakeSmallStream();
  for (int i = 0; i < 200; ++i) Put(stream, std::string(500, 'x'));
  runtime_.Advance(absl::Hours(25));
  const PutResult put = Put(stream, "new");
  EXPECT_EQ(put.sequence.number, 201u);
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), ElementsAre("new"));
}

TEST_F(ReadTest, RetentionGivesMemoryBack) {
  const Stream stream = MakeStream();
  for (int i = 0; i < 100; ++i) Put(stream, std::string(100'000, 'x'));
  const int64_t full = stream.Stats().bytes_held;
  EXPECT_GT(full, 10'000'000);
  runtime_.Advance(absl::Hours(24));
  EXPECT_LT(stream.Stats().bytes_held, full / 2);  // the open segment and a few spare ones stay
  EXPECT_EQ(stream.Stats().resting, 0);
}

// --- The bound -----------------------------------------------------------------------------------

TEST_F(ReadTest, AtTheBoundTheOldestGoEarly) {
  const Stream stream = MakeSmallStream();
  for (int i = 0; i < 1'000; ++i) {
    Put(stream, std::to_string(i) + std::string(1'000, ' '));
    EXPECT_LE(stream.Stats().bytes_held, 256 << 10);
  }
  const StreamStats stats = stream.Stats();
  EXPECT_EQ(stats.accepted, 1'000);
  EXPECT_EQ(stats.accepted, stats.expired + stats.trimmed_early + stats.resting);
  EXPECT_EQ(stats.expired, 0);
  EXPECT_GT(stats.resting, 100);  // a bound of 256 KiB holds some 200 of them
  const RecordBatch batch = GetAt(stream, StartAt::TrimHorizon());
  ASSERT_EQ(static_cast<int64_t>(batch.size()), stats.resting);
  EXPECT_EQ(std::stoi(std::string(batch[0].data())), stats.trimmed_early);
  stream.core()->CheckInvariants();
}

// A segment may hold both what retention has ended and what the bound ends: each is counted once.
TEST_F(ReadTest, BooksTellExpiredFromTrimmedEarly) {
  const Stream stream = MakeStream(
      {.retention = absl::Hours(1), .record_bytes_max = 32 << 10, .shard_bytes_max = 256 << 10});
  for (int i = 0; i < 5; ++i) Put(stream, "old");
  runtime_.Advance(absl::Hours(1));
  for (int i = 0; i < 500; ++i) Put(stream, std::string(1'000, 'x'));
  const StreamStats stats = stream.Stats();
  EXPECT_EQ(stats.expired, 5);
  EXPECT_GT(stats.trimmed_early, 0);
  EXPECT_EQ(stats.accepted, stats.expired + stats.trimmed_early + stats.resting);
}

TEST_F(ReadTest, RecordsOfEverySizeUpToTheMaximumFit) {
  const Stream stream = MakeSmallStream();
  for (int round = 0; round < 3; ++round) {
    for (size_t size : {0u, 1u, 100u, 10'000u, 16'000u, 16'384u, 20'000u, 32'767u}) {
      Put(stream, std::string(size, 'x'));
      const RecordBatch batch = GetAt(stream, StartAt::TrimHorizon());
      EXPECT_EQ(batch[batch.size() - 1].data().size(), size);
      stream.core()->CheckInvariants();
    }
  }
}

TEST_F(ReadTest, ABatchKeepsItsRecordsAcrossTrimming) {
  const Stream stream = MakeSmallStream();
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i) expected.push_back(std::to_string(i) + std::string(500, 'a'));
  for (const std::string& data : expected) Put(stream, data);
  const RecordBatch held = GetAt(stream, StartAt::TrimHorizon());

  for (int i = 0; i < 2'000; ++i) Put(stream, std::string(500, 'b'));
  EXPECT_EQ(DataOf(held), expected);
  EXPECT_GT(stream.Stats().bytes_pinned, 0);
  const RecordBatch now = GetAt(stream, StartAt::TrimHorizon());
  EXPECT_GT(now[0].sequence(), held[19].sequence());
}

TEST_F(ReadTest, PinsCountAgainstTheBoundAndThrottleAtLast) {
  const Stream stream = MakeSmallStream();
  std::vector<RecordBatch> held;
  absl::Status refusal;
  for (int i = 0; i < 10'000 && refusal.ok(); ++i) {
    refusal = stream.Put({.partition_key = "k", .data = std::string(1'000, 'x')}).status();
    held.push_back(GetAt(stream, StartAt::TrimHorizon()));
  }
  EXPECT_EQ(CodeOf(refusal), "ProvisionedThroughputExceededException");
  EXPECT_LE(stream.Stats().bytes_held, 256 << 10);
  const StreamStats full = stream.Stats();
  EXPECT_EQ(full.trimmed_early, 0) << "nothing may be trimmed that would not have helped";

  held.clear();
  Put(stream, "there is room again");
  EXPECT_EQ(stream.Stats().rejected, 1);
  stream.core()->CheckInvariants();
}

// A batch is its own: it outlives its handle, its stream, its environment.
TEST_F(ReadTest, ABatchOutlivesItsStream) {
  RecordBatch held;
  {
    const Stream stream = MakeStream();
    Put(stream, "still here");
    held = GetAt(stream, StartAt::TrimHorizon());
    stream.core()->Close(CloseKind::kDeleted);
  }
  env_.reset();
  const RecordBatch copy = held;
  held = RecordBatch();
  EXPECT_THAT(DataOf(copy), ElementsAre("still here"));
  EXPECT_EQ(copy[0].sequence().number, 1u);
}

// --- The end -------------------------------------------------------------------------------------

TEST_F(ReadTest, HandlesOfADeletedStreamAnswerNotFound) {
  const Stream stream = MakeStream();
  Put(stream, "x");
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  EXPECT_EQ(stream.core()->Close(CloseKind::kDeleted), 1);
  EXPECT_EQ(stream.core()->Close(CloseKind::kStopped), 0);

  const absl::Status put = stream.Put({.partition_key = "k"}).status();
  EXPECT_EQ(CodeOf(put), "ResourceNotFoundException");
  EXPECT_EQ(TextOf(put), "Stream clicks under account 000000000000 not found.");
  EXPECT_EQ(CodeOf(stream.PutRecords(std::vector<PutRequest>{{.partition_key = "k"}}).status()),
            "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(stream.GetRecords(iterator).status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(IteratorRefusal(stream, StartAt::Latest())), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(stream.ListShards().status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(stream.Options().status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(stream.core()->Deliver({.partition_key = "k"}, Id()).status()),
            "ResourceNotFoundException");
  EXPECT_EQ(stream.Stats(), StreamStats());
  EXPECT_EQ(stream.name(), "clicks");
}

TEST_F(ReadTest, HandlesOfAStoppedBrokerAnswerUnavailable) {
  const Stream stream = MakeStream();
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  env_->gate.Close();
  stream.core()->Close(CloseKind::kStopped);
  EXPECT_EQ(stream.Put({.partition_key = "k"}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(stream.GetRecords(iterator).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(stream.core()->Deliver({.partition_key = "k"}, Id()).status().code(),
            absl::StatusCode::kUnavailable);
  EXPECT_EQ(stream.Stats(), StreamStats());
}

TEST_F(ReadTest, ClosingGivesMemoryBackThoughHandlesRemain) {
  const Stream stream = MakeStream();
  Put(stream, "x");
  EXPECT_GT(stream.Stats().bytes_held, 0);
  stream.core()->Close(CloseKind::kDeleted);
  stream.core()->CheckInvariants();
  EXPECT_EQ(stream.core()->bytes_held(), 0);
}

TEST(StreamHandleTest, ADefaultHandleNamesNoStream) {
  const Stream none;
  EXPECT_EQ(CodeOf(none.Put({.partition_key = "k"}).status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(none.GetRecords(ShardIterator()).status()), "ResourceNotFoundException");
  EXPECT_EQ(CodeOf(none.GetShardIterator(ShardId{0}, StartAt::Latest()).status()),
            "ResourceNotFoundException");
  EXPECT_EQ(none.Stats(), StreamStats());
  EXPECT_EQ(none.name(), "");
}

// An idle stream costs its shards' heads and no more: memory comes with the first record.
TEST_F(ReadTest, AnIdleStreamHoldsNoMemoryForRecords) {
  const Stream stream = MakeStream({.shards = 100});
  EXPECT_EQ(stream.Stats().bytes_held, 0);
  EXPECT_LE(sizeof(internal::ShardLog), 512u);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

}  // namespace
}  // namespace banyan::testing
