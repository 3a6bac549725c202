// SPDX-License-Identifier: Apache-2.0
//
// What a worker does with one shard: where it begins, checkpoints, errors, the end of the shard,
// and what becomes of its children. Simulated time.
#include <optional>

#include "banyan/aggregation.h"
#include "worker_fixture.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::banyan::testing::StatusIs;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::UnorderedElementsAre;

TEST_F(WorkerTest, RecordsComeInTheOrderOfTheShardAndNewOnesAreNotPolledFor) {
  Put("a");
  Put("b");
  Worker worker = Start("w");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a", "b"));
  Put("c");
  runtime_.RunUntilIdle();  // no time passes: the stream wakes the worker
  EXPECT_THAT(data_, ElementsAre("a", "b", "c"));
  EXPECT_EQ(worker.Stats().records, 3);
}

TEST_F(WorkerTest, AnIdleWorkerOnlyRenewsItsLeases) {
  Put("a");
  Worker worker = Start("w");
  runtime_.RunUntilIdle();
  EXPECT_LE(runtime_.Advance(absl::Seconds(60)), 20);  // a round in 3.3 s
}

TEST_F(WorkerTest, LatestMeansTheMomentOfTheFirstStart) {
  Put("before");
  WorkerOptions options = App();
  options.start_at = StartAt::Latest();
  Worker worker = Start("w", options);
  Put("after");  // before the worker has run at all
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("after"));
}

TEST_F(WorkerTest, AtTimestampBeginsThereAndLeavesOutShardsThatWereClosedBefore) {
  Put("old");
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  Put("early");
  runtime_.Advance(absl::Seconds(10));
  const absl::Time from = runtime_.Now();
  Put("late");
  WorkerOptions options = App();
  options.start_at = StartAt::AtTimestamp(from);
  Worker worker = Start("w", options);
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("late"));
  EXPECT_THAT(ShardsOf(worker), ElementsAre(1, 2));
}

TEST_F(WorkerTest, AtTimestampChildrenOfAShardThatWasOpenThenAreReadFromTheirBeginning) {
  const absl::Time from = runtime_.Now();
  Put("a");
  runtime_.Advance(absl::Seconds(1));
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  Put("b");
  WorkerOptions options = App();
  options.start_at = StartAt::AtTimestamp(from);
  Worker worker = Start("w", options);
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a", "b"));
}

TEST_F(WorkerTest, WhereToBeginDoesNotMatterToAnApplicationThatHasBegun) {
  Worker first = Start("w1");
  runtime_.RunUntilIdle();
  EXPECT_THAT(first.Stop(absl::Seconds(1)), IsOk());
  Put("meanwhile");
  WorkerOptions options = App();
  options.start_at = StartAt::Latest();
  Worker second = Start("w2", options);
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("meanwhile"));
}

TEST_F(WorkerTest, ShardsThatAreMadeLaterAreReadFromTheirBeginningAlsoWithLatest) {
  WorkerOptions options = App();
  options.start_at = StartAt::Latest();
  Worker worker = Start("w", options);
  runtime_.RunUntilIdle();
  Put("a");
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  Put("b");  // into a child that the worker has not heard of
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a", "b"));
}

TEST_F(WorkerTest, LatestLeavesOutWhatWasClosedBeforeAndNotWhatBecameOfIt) {
  Put("old");
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  WorkerOptions options = App();
  options.start_at = StartAt::Latest();
  Worker worker = Start("w", options);
  Put("new");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("new"));
  EXPECT_THAT(ShardsOf(worker), ElementsAre(1, 2));
}

TEST_F(WorkerTest, TwoApplicationsEachSeeEverything) {
  Put("a");
  Worker one = Start("w1");
  Worker other = Start("w2", {.application = "other"});
  runtime_.RunUntilIdle();
  EXPECT_THAT(log_of_, UnorderedElementsAre("w1:0:a", "w2:0:a"));
}

TEST_F(WorkerTest, AStreamMadeAnewIsReadFromItsBeginning) {
  Put("a");
  Worker worker = Start("w1");
  runtime_.RunUntilIdle();
  ASSERT_THAT(broker_.DeleteStream("clicks"), IsOk());
  runtime_.RunUntilIdle();
  EXPECT_TRUE(worker.Stats().stopped) << "its stream was deleted";
  runtime_.Advance(absl::Minutes(1));
  stream_ = broker_.CreateStream("clicks").value();
  Put("b");
  Worker again = Start("w2");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a", "b"));
}

// --- Checkpoints

TEST_F(WorkerTest, TheNextWorkerGoesOnAfterTheCheckpoint) {
  for (const char* data : {"a", "b", "c"}) Put(data);
  Worker first = Start(
      "w1", App(),
      {.process = [](const ShardLease&, absl::Span<const SubRecord> records,
                     Checkpointer& checkpoint) { return checkpoint.At(records[1].sequence()); }});
  runtime_.RunUntilIdle();
  EXPECT_THAT(first.Stop(absl::Seconds(1)), IsOk());
  data_.clear();
  Worker second = Start("w2");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("c"));
  EXPECT_EQ(leases_.back().checkpoint->number, 2u);
}

TEST_F(WorkerTest, WithoutACheckpointEverythingComesAgain) {
  Put("a");
  Worker first = Start(
      "w1", App(), {.process = [](const ShardLease&, absl::Span<const SubRecord>, Checkpointer&) {
        return absl::OkStatus();
      }});
  runtime_.RunUntilIdle();
  EXPECT_THAT(first.Stop(absl::Seconds(1)), IsOk());
  Worker second = Start("w2");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a", "a"));
}

TEST_F(WorkerTest, ASubRecordsCheckpointBringsItsRecordAgain) {
  Put("a");
  Put("b");
  WorkerOptions options = App();
  options.deaggregate = false;  // the processor does that itself
  Worker first = Start("w1", options,
                       {.process = [](const ShardLease&, absl::Span<const SubRecord> records,
                                      Checkpointer& checkpoint) {
                         return checkpoint.At(records[1].sequence(), 3);
                       }});
  runtime_.RunUntilIdle();
  EXPECT_THAT(first.Stop(absl::Seconds(1)), IsOk());
  data_.clear();
  Worker second = Start("w2", options);
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("b"));
  EXPECT_EQ(leases_.back().sub_sequence, 3);
}

TEST_F(WorkerTest, CheckpointsDoNotGoBackNorAheadNorElsewhere) {
  Put("a");
  Put("b");
  Put("c");
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  const SequenceNumber elsewhere = Put("d").sequence;
  std::vector<absl::Status> answers;
  WorkerOptions options = App();
  options.max_records = 2;
  Worker worker =
      Start("w", options,
            {.process = [&](const ShardLease& lease, absl::Span<const SubRecord> records,
                            Checkpointer& checkpoint) {
              if (lease.shard.index != 0 || records.size() != 2) return checkpoint.Here();
              SequenceNumber next = records[1].sequence();
              ++next.number;
              answers = {checkpoint.At(next),
                         checkpoint.At(elsewhere),
                         checkpoint.At(records[1].sequence(), -1),
                         checkpoint.At(records[1].sequence(), 0),
                         checkpoint.At(records[1].sequence(), 5),
                         checkpoint.At(records[1].sequence(), 4),
                         checkpoint.At(records[0].sequence()),
                         checkpoint.At(records[1].sequence()),
                         checkpoint.At(records[1].sequence(), 5),
                         checkpoint.At(records[1].sequence())};
              return absl::OkStatus();
            }});
  runtime_.RunUntilIdle();
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(answers, ElementsAre(StatusIs(kInvalid), StatusIs(kInvalid), StatusIs(kInvalid),
                                   IsOk(), IsOk(), StatusIs(kInvalid), StatusIs(kInvalid), IsOk(),
                                   StatusIs(kInvalid), IsOk()));
  EXPECT_THAT(std::string(answers[0].message()), HasSubstr("did not fall into acceptable range"));
}

TEST_F(WorkerTest, HereMeansWhatWasAnsweredWithOkOnceTheCallIsOver) {
  for (const char* data : {"a", "b", "c"}) Put(data);
  WorkerOptions options = App();
  options.max_records = 1;
  std::vector<absl::Status> last;
  Worker first =
      Start("w1", options,
            {.process = [](const ShardLease&, absl::Span<const SubRecord> records,
                           Checkpointer&) -> absl::Status {
               return records[0].data() == "c" ? absl::UnavailableError("down") : absl::OkStatus();
             },
             .stopping = [&](const ShardLease&,
                             Checkpointer& checkpoint) { last.push_back(checkpoint.Here()); }});
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a", "b", "c"));
  ASSERT_THAT(first.Stop(absl::Seconds(1)), IsOk());
  EXPECT_THAT(last, ElementsAre(IsOk()));
  data_.clear();
  Worker second = Start("w2");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("c")) << "what failed is not passed over";
}

TEST_F(WorkerTest, HereNeverGoesBackBehindWhatAFailedCallHasCheckpointed) {
  for (const char* data : {"a", "b", "c"}) Put(data);
  std::vector<absl::Status> last;
  Worker first =
      Start("w1", App(),
            {.process = [](const ShardLease&, absl::Span<const SubRecord> records,
                           Checkpointer& checkpoint) -> absl::Status {
               EXPECT_THAT(checkpoint.At(records[1]), IsOk());
               return absl::UnavailableError("down");
             },
             .stopping = [&](const ShardLease&,
                             Checkpointer& checkpoint) { last.push_back(checkpoint.Here()); }});
  runtime_.RunUntilIdle();
  ASSERT_THAT(first.Stop(absl::Seconds(1)), IsOk());
  EXPECT_THAT(last, ElementsAre(IsOk()));
  data_.clear();
  Worker second = Start("w2");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("c"));
}

// --- Aggregated records

class WorkerAggregatesTest : public WorkerTest {
 protected:
  // "a" to "j" as keys are on both halves of the range.
  static PutRequest Pack(Aggregator* pack, const std::vector<std::string>& keys) {
    pack->Clear();
    for (const std::string& key : keys) {
      EXPECT_EQ(pack->Add({.partition_key = key, .data = key}).value(), Aggregator::Answer::kAdded);
    }
    return pack->Request();
  }
  Aggregator pack_;
};

TEST_F(WorkerAggregatesTest, AreOpenedAndStandAmongPlainOnes) {
  Put("plain");
  ASSERT_THAT(stream_.Put(Pack(&pack_, {"a", "b", "c"})), IsOk());
  Put("last");
  std::vector<int64_t> subs;
  Worker worker = Start("w", App(),
                        {.process = [&](const ShardLease&, absl::Span<const SubRecord> records,
                                        Checkpointer& checkpoint) {
                          for (const SubRecord& record : records)
                            subs.push_back(record.sub_sequence());
                          return checkpoint.Here();
                        }});
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("plain", "a", "b", "c", "last"));
  EXPECT_THAT(subs, ElementsAre(0, 0, 1, 2, 0));
  EXPECT_EQ(worker.Stats().records, 5);
}

TEST_F(WorkerAggregatesTest, AreGoneOnWithInsideWhereTheCheckpointWas) {
  ASSERT_THAT(stream_.Put(Pack(&pack_, {"a", "b", "c"})), IsOk());
  Put("d");
  Worker first =
      Start("w1", App(),
            {.process = [](const ShardLease&, absl::Span<const SubRecord> records,
                           Checkpointer& checkpoint) { return checkpoint.At(records[1]); }});
  runtime_.RunUntilIdle();
  ASSERT_THAT(first.Stop(absl::Seconds(1)), IsOk());
  data_.clear();
  Worker second =
      Start("w2", App(),
            {.process = [](const ShardLease&, absl::Span<const SubRecord> records,
                           Checkpointer& checkpoint) { return checkpoint.At(records[0]); }});
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("c", "d"));
  EXPECT_EQ(leases_.back().sub_sequence, 1);
  ASSERT_THAT(second.Stop(absl::Seconds(1)), IsOk());
  data_.clear();
  Worker third = Start("w3");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("d")) << "nothing of the first is left";
}

TEST_F(WorkerAggregatesTest, AreGivenAsTheyLieIfItIsSwitchedOff) {
  const PutRequest packed = Pack(&pack_, {"a", "b"});
  ASSERT_THAT(stream_.Put(packed), IsOk());
  WorkerOptions options = App();
  options.deaggregate = false;
  Worker worker = Start("w", options);
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre(packed.data));
}

TEST_F(WorkerAggregatesTest, LeaveOutWhatIsOfAnotherShardSinceASplit) {
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  const std::vector<ShardInfo> open =
      stream_.ListShards({.kind = ShardFilter::Kind::kAtLatest}).value();
  ASSERT_THAT(open, SizeIs(2));
  const HashKeyRange lower = HashKeyRange::Of(open[0]).value();
  std::vector<std::string> inside;
  std::vector<std::string> outside;
  for (char c = 'a'; c <= 'j'; ++c) {
    (lower.Contains(std::string(1, c)) ? inside : outside).emplace_back(1, c);
  }
  ASSERT_THAT(inside, SizeIs(::testing::Ge(2)));
  ASSERT_THAT(outside, SizeIs(::testing::Ge(2)));
  // Packed by who had not heard of the split; the first key says where it goes.
  ASSERT_THAT(stream_.Put(Pack(&pack_, {inside[0], outside[0], inside[1]})), IsOk());
  PutRequest wrong = Pack(&pack_, {outside[0], outside[1]});
  wrong.partition_key = inside[0];
  ASSERT_THAT(stream_.Put(wrong), IsOk());
  Put("end", inside[0]);
  WorkerOptions options = App();
  options.max_records = 1;
  Worker worker = Start("w", options);
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre(inside[0], inside[1], "end"))
      << "a record of which nothing is left holds up nobody";
}

// --- Errors

TEST_F(WorkerTest, ReadsBeyondTheStreamsLimitsAreMadeAgainAndAreNoFailures) {
  stream_ = broker_.CreateStream("strict", {.shard_limits = ShardLimits::kStrict}).value();
  Put("a");
  const ShardIterator begin = stream_.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).value();
  while (stream_.GetRecords(begin).ok()) {
  }  // another reader has used up this second's reads, and iterators
  while (stream_.GetShardIterator(ShardId{0}, StartAt::TrimHorizon()).ok()) {
  }
  WorkerOptions options = App();
  options.start_at = StartAt::AtTimestamp(runtime_.Now());
  Worker worker = Start("w", options);
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, IsEmpty());
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(data_, ElementsAre("a"));
  for (int i = 0; i < 50; ++i) {
    Put(std::to_string(i));
    runtime_.RunUntilIdle();
  }
  EXPECT_THAT(data_, SizeIs(::testing::Lt(10))) << "five reads a second";
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(data_, SizeIs(51));
  EXPECT_EQ(worker.Stats().failures, 0);
  EXPECT_THAT(log_.warnings(), IsEmpty());
}

TEST_F(WorkerTest, AfterAnErrorTheSameRecordsComeAgainWithBackOff) {
  Put("a");
  Put("b");
  int calls = 0;
  Worker worker = Start(
      "w", App(),
      {.process = [&](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        if (++calls <= 3) return absl::UnavailableError("down");
        return checkpoint.Here();
      }});
  runtime_.RunUntilIdle();
  Put("c");  // must wait its turn
  EXPECT_EQ(calls, 1);
  runtime_.Advance(absl::Milliseconds(999));
  EXPECT_EQ(calls, 1);
  runtime_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(calls, 2);
  runtime_.Advance(absl::Milliseconds(1'999));
  EXPECT_EQ(calls, 2);
  runtime_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(calls, 3);
  runtime_.Advance(absl::Seconds(4));
  EXPECT_THAT(data_, ElementsAre("a", "b", "a", "b", "a", "b", "a", "b", "c"));
  EXPECT_EQ(worker.Stats().failures, 3);
  EXPECT_EQ(worker.Stats().records, 3);
  EXPECT_THAT(log_.warnings(), SizeIs(3));
}

TEST_F(WorkerTest, RecordsThatAreTriedAgainAreNotTrimmedMeanwhile) {
  Put("a");
  int calls = 0;
  WorkerOptions options = App();
  options.retry = {.first = absl::Hours(1), .max = absl::Hours(1)};
  Worker worker = Start(
      "w", options,
      {.process = [&](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        if (++calls == 1) return absl::UnavailableError("down");
        return checkpoint.Here();
      }});
  runtime_.RunUntilIdle();
  const PutResult second = Put("b");
  ASSERT_THAT(stream_.TrimBefore(second.sequence), IsOk());
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(data_, ElementsAre("a", "a", "b"));
}

TEST_F(WorkerTest, AFactoryThatAnswersNothingIsAskedAgain) {
  Put("a");
  int asked = 0;
  Worker worker =
      Worker::Start(stream_, App(), [&](const ShardLease& lease) {
        return ++asked == 1 ? nullptr : std::make_unique<Processor>(*this, "w", Script(), lease);
      }).value();
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, IsEmpty());
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(data_, ElementsAre("a"));
}

TEST_F(WorkerTest, AnIteratorThatGrewTooOldIsReplaced) {
  Worker worker = Start("w");
  runtime_.RunUntilIdle();
  runtime_.Advance(absl::Minutes(6));
  Put("a");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a"));
}

// --- The end of a shard

TEST_F(WorkerTest, S9_AParentIsDrainedBeforeItsChildrenStart) {
  for (int i = 0; i < 5; ++i) Put("p" + std::to_string(i));
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  Put("child");
  WorkerOptions options = App();
  options.max_records = 1;
  Worker worker = Start("w", options);
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("p0", "p1", "p2", "p3", "p4", "child"));
  EXPECT_THAT(events_, ElementsAre("w:0:ended"));
  EXPECT_THAT(ShardsOf(worker), ElementsAre(1, 2));
  EXPECT_EQ(worker.Stats().shards_ended, 1);
}

TEST_F(WorkerTest, S16_AMergedShardStartsWhenBothItsParentsHaveEnded) {
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  for (const char* key : {"0", "1", "2", "3", "4", "5", "6", "7"}) Put("early", key);
  ASSERT_THAT(stream_.MergeShards(ShardId{1}, ShardId{2}), IsOk());
  Put("merged");
  bool may_end = false;
  Worker worker =
      Start("w", App(),
            {.shard_ended = [&](const ShardLease& lease, Checkpointer& checkpoint) -> absl::Status {
              if (lease.shard.index == 2 && !may_end) return absl::OkStatus();
              return checkpoint.Here();
            }});
  runtime_.RunUntilIdle();
  runtime_.Advance(absl::Seconds(30));
  EXPECT_THAT(data_, SizeIs(8)) << "shard 1 is done, shard 2 is not";
  EXPECT_THAT(ShardsOf(worker), ElementsAre(2));
  may_end = true;
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(data_.back(), "merged");
  EXPECT_THAT(ShardsOf(worker), ElementsAre(3));
  EXPECT_THAT(leases_.back().parents, ElementsAre(ShardId{1}, ShardId{2}));
}

TEST_F(WorkerTest, WithoutACheckpointOfTheEndChildrenDoNotStartAndTheEndComesAgain) {
  Put("a");
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  Put("b");
  int ends = 0;
  Worker worker = Start(
      "w", App(), {.shard_ended = [&](const ShardLease&, Checkpointer& checkpoint) -> absl::Status {
        return ++ends < 3 ? absl::OkStatus() : checkpoint.Here();
      }});
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a"));
  EXPECT_THAT(log_.warnings(), SizeIs(1));
  runtime_.Advance(absl::Seconds(3));
  EXPECT_EQ(ends, 3);
  EXPECT_THAT(data_, ElementsAre("a", "b"));
}

TEST_F(WorkerTest, AWorkerThatStartsAfterTheEndWasReachedEndsTheShardAndGoesOn) {
  Put("a");
  Worker first = Start("w1");
  runtime_.RunUntilIdle();
  EXPECT_THAT(first.Stop(absl::Seconds(1)), IsOk());
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  Put("b");
  Worker second = Start("w2");
  runtime_.RunUntilIdle();
  EXPECT_THAT(data_, ElementsAre("a", "b"));
  EXPECT_THAT(events_, ElementsAre("w1:0:stopping", "w2:0:ended"));
}

TEST_F(WorkerTest, WhatRetentionEndedBeforeItWasReadDoesNotHoldUpItsChildren) {
  Put("a");
  Worker first = Start("w1");
  runtime_.RunUntilIdle();
  EXPECT_THAT(first.Stop(absl::Seconds(1)), IsOk());
  ASSERT_THAT(stream_.SplitShard(ShardId{0}), IsOk());
  Put("x", "1");
  ASSERT_THAT(stream_.MergeShards(ShardId{1}, ShardId{2}), IsOk());
  runtime_.Advance(absl::Hours(25));  // shards 0, 1 and 2 have expired
  Put("b");
  Worker second = Start("w2");
  runtime_.Advance(absl::Seconds(10));
  EXPECT_THAT(data_, ElementsAre("a", "b"));
  EXPECT_THAT(ShardsOf(second), ElementsAre(3));
}

// --- Lag

TEST_F(WorkerTest, LagIsTheAgeOfTheOldestRecordThatIsNotProcessed) {
  bool down = true;
  Worker worker = Start(
      "w", App(),
      {.process = [&](const ShardLease&, absl::Span<const SubRecord>, Checkpointer& checkpoint) {
        if (down) return absl::UnavailableError("down");
        return checkpoint.Here();
      }});
  runtime_.RunUntilIdle();
  EXPECT_EQ(worker.Stats().shards.at(0).millis_behind_latest, 0);
  Put("a");
  runtime_.Advance(absl::Milliseconds(2'500));
  EXPECT_EQ(worker.Stats().shards.at(0).millis_behind_latest, 2'500);
  EXPECT_EQ(worker.Stats().shards.at(0).failures, 2);
  down = false;
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(worker.Stats().shards.at(0).millis_behind_latest, 0);
}

// --- Options

TEST_F(WorkerTest, OptionsOutOfRangeAreRefused) {
  const auto start = [&](const WorkerOptions& options) {
    return Worker::Start(stream_, options, [](const ShardLease&) { return nullptr; }).status();
  };
  constexpr auto kInvalid = absl::StatusCode::kInvalidArgument;
  EXPECT_THAT(start({}), StatusIs(kInvalid)) << "no application";
  EXPECT_THAT(start({.application = "a b"}), StatusIs(kInvalid));
  EXPECT_THAT(start({.application = std::string(129, 'a')}), StatusIs(kInvalid));
  EXPECT_THAT(start({.application = "a", .start_at = StartAt::AtSequence({})}), StatusIs(kInvalid));
  EXPECT_THAT(start({.application = "a",
                     .start_at = StartAt::AtTimestamp(runtime_.Now() + absl::Seconds(1))}),
              StatusIs(kInvalid));
  EXPECT_THAT(start({.application = "a", .max_records = 0}), StatusIs(kInvalid));
  EXPECT_THAT(start({.application = "a", .max_records = 10'001}), StatusIs(kInvalid));
  EXPECT_THAT(start({.application = "a", .failover_time = absl::ZeroDuration()}),
              StatusIs(kInvalid));
  EXPECT_THAT(start({.application = "a", .max_leases_for_worker = 0}), StatusIs(kInvalid));
  EXPECT_THAT(start({.application = "a", .max_leases_to_steal_at_one_time = 0}),
              StatusIs(kInvalid));
  EXPECT_THAT(start({.application = "a", .handover_within = -absl::Seconds(1)}),
              StatusIs(kInvalid));
  EXPECT_THAT(start({.application = "a", .call_timeout = absl::ZeroDuration()}),
              StatusIs(kInvalid));
  EXPECT_THAT(Worker::Start(stream_, App(), nullptr).status(), StatusIs(kInvalid));
  EXPECT_THAT(Worker::Start(Stream(), App(), [](const ShardLease&) { return nullptr; }).status(),
              StatusIs(absl::StatusCode::kNotFound));
}

}  // namespace
}  // namespace banyan
