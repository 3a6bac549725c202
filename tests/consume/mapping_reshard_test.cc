// SPDX-License-Identifier: Apache-2.0
//
// Stream mappings while shards split and merge: parents before children, and nothing twice.
// Simulated time.
#include "mapping_testing.h"

namespace banyan {
namespace {

using ::banyan::testing::IsOk;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class MappingReshard : public MappingTest {
 protected:
  // Everything handled, in order, while `blocked` is no part of the batch.
  StreamMapping StartBlockable(const Stream& stream, StreamMappingOptions options = {}) {
    return Start(stream, std::move(options), [this](const StreamBatch& batch) {
      if (!blocked_.empty() && Has(batch, blocked_)) {
        return absl::StatusOr<StreamBatchResult>(Broken());
      }
      for (const Record& record : batch.records) handled_.emplace_back(record.data());
      return absl::StatusOr<StreamBatchResult>(StreamBatchResult());
    });
  }
  std::string blocked_;
  std::vector<std::string> handled_;
};

TEST_F(MappingReshard, ChildrenWaitUntilTheirParentIsDone) {
  Stream stream = MakeStream();
  blocked_ = "parent";
  Put(stream, "parent");
  StreamMapping mapping = StartBlockable(stream);
  ASSERT_THAT(stream.SplitShard(ShardId{0}), IsOk());
  Put(stream, "left", "b");
  Put(stream, "right", "a");
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(handled_, IsEmpty());
  EXPECT_EQ(mapping.Checkpoint({1}), std::nullopt);
  blocked_.clear();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(handled_, UnorderedElementsAre("parent", "left", "right"));
  EXPECT_EQ(handled_[0], "parent");
  EXPECT_EQ(mapping.Checkpoint({0}), std::nullopt);
  EXPECT_EQ(mapping.Checkpoint({1}), 2u);
}

TEST_F(MappingReshard, AMergedChildWaitsForBothParents) {
  Stream stream = MakeStream(2);
  blocked_ = "bad";
  const PutResult bad = Put(stream, "bad", "b");
  ASSERT_NE(Put(stream, "good", "a").shard_id, bad.shard_id);
  StreamMapping mapping = StartBlockable(stream);
  runtime_.RunUntilIdle();
  ASSERT_THAT(stream.MergeShards(ShardId{0}, ShardId{1}), IsOk());
  Put(stream, "child");
  runtime_.Advance(absl::Seconds(30));
  EXPECT_THAT(handled_, ElementsAre("good"));
  blocked_.clear();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(handled_, ElementsAre("good", "bad", "child"));
}

TEST_F(MappingReshard, AMergedChildWaitsForAParentThatHasNotBegunItself) {
  // 0 splits into 2 and 3; 3 (whose parent is blocked) merges with 1 into 4.
  Stream stream = MakeStream(2);
  blocked_ = "bad";
  ASSERT_EQ(Put(stream, "bad", "a").shard_id, (ShardId{0}));
  StreamMapping mapping = StartBlockable(stream);
  ASSERT_THAT(stream.SplitShard(ShardId{0}), IsOk());
  ASSERT_THAT(stream.MergeShards(ShardId{3}, ShardId{1}), IsOk());
  ASSERT_EQ(Put(stream, "grandchild", "b").shard_id, (ShardId{4}));
  runtime_.Advance(absl::Seconds(30));
  EXPECT_THAT(handled_, IsEmpty());
  blocked_.clear();
  runtime_.Advance(absl::Minutes(1));
  EXPECT_THAT(handled_, ElementsAre("bad", "grandchild"));
}

TEST_F(MappingReshard, ChildrenBeginWithTheirFirstRecordWhereverTheMappingBegan) {
  Stream stream = MakeStream();
  Put(stream, "before");
  StreamMapping mapping = StartBlockable(stream, {.start_at = StartAt::Latest()});
  Put(stream, "parent");
  ASSERT_THAT(stream.SplitShard(ShardId{0}), IsOk());
  Put(stream, "child");
  runtime_.RunUntilIdle();
  EXPECT_THAT(handled_, ElementsAre("parent", "child"));
}

TEST_F(MappingReshard, ClosedShardsOfBeforeAreReadFromTheTrimHorizonInOrder) {
  Stream stream = MakeStream();
  Put(stream, "1");
  ASSERT_THAT(stream.SplitShard(ShardId{0}), IsOk());
  Put(stream, "2");
  ASSERT_THAT(stream.MergeShards(ShardId{1}, ShardId{2}), IsOk());
  Put(stream, "3");
  StreamMapping mapping = StartBlockable(stream);
  runtime_.RunUntilIdle();
  EXPECT_THAT(handled_, ElementsAre("1", "2", "3"));
}

TEST_F(MappingReshard, FromATimeOnItBeginsWithTheShardsThatWereOpenThen) {
  Stream stream = MakeStream();
  Put(stream, "1");
  runtime_.Advance(absl::Seconds(1));
  ASSERT_THAT(stream.SplitShard(ShardId{0}), IsOk());
  runtime_.Advance(absl::Seconds(1));
  const absl::Time time = runtime_.Now();
  Put(stream, "2");
  runtime_.Advance(absl::Seconds(1));
  ASSERT_THAT(stream.MergeShards(ShardId{1}, ShardId{2}), IsOk());
  Put(stream, "3");
  StreamMapping mapping = StartBlockable(stream, {.start_at = StartAt::AtTimestamp(time)});
  runtime_.RunUntilIdle();
  EXPECT_THAT(handled_, ElementsAre("2", "3"));
}

TEST_F(MappingReshard, ParentsThatHaveExpiredAreNotWaitedFor) {
  Stream stream = MakeStream(2);
  Put(stream, "old");
  ASSERT_THAT(stream.MergeShards(ShardId{0}, ShardId{1}), IsOk());
  runtime_.Advance(absl::Hours(25));
  Put(stream, "new");
  StreamMapping mapping = StartBlockable(stream);
  runtime_.RunUntilIdle();
  EXPECT_THAT(handled_, ElementsAre("new"));
}

// --- Tumbling windows ----------------------------------------------------------------------------

class MappingWindow : public MappingTest {
 protected:
  // A handler that counts records in its state, and tells each call in a line:
  // "10-20 [a b] 0" (state before), and "10-20 [] 2 final".
  Answer Counting() {
    return [this](const StreamBatch& batch) -> absl::StatusOr<StreamBatchResult> {
      const StreamWindow& window = *batch.window;
      const std::string before = window.state.empty() ? "0" : std::string(window.state);
      const auto seconds = [](absl::Time time) {
        return std::to_string(absl::ToUnixSeconds(time) - 1'767'225'600);
      };
      told_.push_back(seconds(window.start) + "-" + seconds(window.end) + " [" + DataOf(batch) +
                      "] " + (before.size() > 9 ? "large" : before) +
                      (window.is_final ? " final" : "") +
                      (window.terminated_early ? " early" : ""));
      if (Has(batch, "bad") && failures_left_-- > 0) return Broken();
      StreamBatchResult result;
      result.state =
          std::to_string(std::stoll(before) + static_cast<int64_t>(batch.records.size()));
      if (Has(batch, "grow")) result.state->insert(0, std::string(1 << 20, '0'));
      return result;
    };
  }
  const StreamMappingOptions options_ = {.batch_size = 2, .tumbling_window = absl::Seconds(10)};
  int failures_left_ = 0;
  std::vector<std::string> told_;
};

TEST_F(MappingWindow, AStateGoesFromCallToCallAndTheLastCallComesWhenTheWindowIsOver) {
  Stream stream = MakeStream();
  StreamMapping mapping = Start(stream, options_, Counting());
  runtime_.Advance(absl::Seconds(13));
  PutAll(stream, {"a", "b", "c"});
  runtime_.Advance(absl::Seconds(6));
  EXPECT_THAT(told_, ElementsAre("10-20 [a b] 0", "10-20 [c] 2"));
  runtime_.Advance(absl::Seconds(1));
  EXPECT_THAT(told_, ElementsAre("10-20 [a b] 0", "10-20 [c] 2", "10-20 [] 3 final"));
  runtime_.Advance(absl::Hours(1));  // no window is open: no call
  EXPECT_EQ(told_.size(), 3u);
  EXPECT_EQ(runtime_.NextDue(), absl::InfiniteDuration());
}

TEST_F(MappingWindow, RecordsOfTwoWindowsShareNoCall) {
  Stream stream = MakeStream();
  Put(stream, "a");
  runtime_.Advance(absl::Seconds(10));
  Put(stream, "b");
  StreamMapping mapping = Start(stream, options_, Counting());
  runtime_.RunUntilIdle();
  EXPECT_THAT(told_, ElementsAre("0-10 [a] 0", "0-10 [] 1 final", "10-20 [b] 0"));
}

TEST_F(MappingWindow, AFailedCallLeavesTheStateAsItWas) {
  Stream stream = MakeStream();
  PutAll(stream, {"a", "a", "bad"});
  failures_left_ = 1;
  StreamMapping mapping = Start(stream, options_, Counting());
  runtime_.Advance(absl::Seconds(10));
  EXPECT_THAT(told_,
              ElementsAre("0-10 [a a] 0", "0-10 [bad] 2", "0-10 [bad] 2", "0-10 [] 3 final"));
}

TEST_F(MappingWindow, AStateAboveOneMegabyteEndsTheWindowEarly) {
  Stream stream = MakeStream();
  PutAll(stream, {"a", "grow", "c"});
  StreamMapping mapping = Start(stream, options_, Counting());
  runtime_.Advance(absl::Seconds(10));
  EXPECT_THAT(told_, ElementsAre("0-10 [a grow] 0", "0-10 [] large final early", "0-10 [c] 0",
                                 "0-10 [] 1 final"));
}

TEST_F(MappingWindow, TheEndOfAShardEndsItsWindow) {
  Stream stream = MakeStream();
  Put(stream, "a");
  ASSERT_THAT(stream.SplitShard(ShardId{0}), IsOk());
  Put(stream, "b");
  StreamMapping mapping = Start(stream, options_, Counting());
  runtime_.RunUntilIdle();
  EXPECT_THAT(told_, ElementsAre("0-10 [a] 0", "0-10 [] 1 final", "0-10 [b] 0"));
}

TEST_F(MappingWindow, AFinalCallThatFailsComesAgainAndIsToldWhenItIsGivenUp) {
  Stream stream = MakeStream();
  Put(stream, "a");
  int finals = 0;
  StreamMapping mapping = Start(stream, {.retries_max = 1, .tumbling_window = absl::Seconds(10)},
                                [&](const StreamBatch& batch) -> absl::StatusOr<StreamBatchResult> {
                                  if (!batch.window->is_final) return StreamBatchResult();
                                  ++finals;
                                  return Broken();
                                });
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(finals, 2);
  ASSERT_THAT(log_.warnings(), ::testing::SizeIs(3)) << "two attempts, and that was all";
  EXPECT_THAT(log_.warnings()[2], ::testing::HasSubstr("its state is lost"));
  Put(stream, "b");
  runtime_.RunUntilIdle();
  EXPECT_EQ(calls_.back(), "b");
}

TEST_F(MappingWindow, AFinalCallThatFailsForEverEndsWhenItsRecordsWouldBeTooOld) {
  Stream stream = MakeStream();
  Put(stream, "a");
  int finals = 0;
  StreamMapping mapping = Start(stream,
                                {.record_age_max = absl::Seconds(60),
                                 .backoff = {.first = absl::Seconds(1), .max = absl::Seconds(1)},
                                 .tumbling_window = absl::Seconds(10)},
                                [&](const StreamBatch& batch) -> absl::StatusOr<StreamBatchResult> {
                                  if (!batch.window->is_final) return StreamBatchResult();
                                  ++finals;
                                  return Broken();
                                });
  runtime_.Advance(absl::Seconds(70));
  EXPECT_EQ(finals, 61) << "the window ended at 10 s; 60 s later it is not too old";
  EXPECT_THAT(log_.warnings(), ::testing::SizeIs(61));
  Put(stream, "b");
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(finals, 61);
  ASSERT_THAT(log_.warnings(), ::testing::SizeIs(62));
  EXPECT_THAT(log_.warnings()[61], ::testing::HasSubstr("its state is lost"));
  EXPECT_EQ(calls_.back(), "b");
  ExpectBalanced(mapping.Metrics());
}

TEST_F(MappingWindow, WhatCameBeforeTheEndAndIsNotReadYetIsOfTheWindow) {
  Stream stream = MakeStream();
  StreamMapping mapping = Start(stream, options_, Counting());
  Put(stream, "a");
  runtime_.Advance(absl::Seconds(9));
  mapping.Enable();                          // has the mapping look at its windows,
  Put(stream, "b");                          // before it is woken for this,
  runtime_.JumpWallClock(absl::Seconds(1));  // and when the window is over
  runtime_.RunUntilIdle();
  EXPECT_THAT(told_, ElementsAre("0-10 [a] 0", "0-10 [b] 1", "0-10 [] 2 final"));
}

TEST_F(MappingWindow, WhatIsBehindALargeReadIsOfTheWindow) {
  // A read has ten MiB at most, and all of the first one is filtered out.
  Stream stream =
      broker_.CreateStream("large", {.record_bytes_max = 10 << 20, .shard_bytes_max = 1 << 30})
          .value();
  StreamMapping mapping = Start(stream,
                                {.batch_size = 100,
                                 .filters = {R"({"partitionKey": ["k"]})"},
                                 .tumbling_window = absl::Seconds(10)},
                                Counting());
  Put(stream, "a");
  runtime_.RunUntilIdle();
  const std::string large(4 << 20, 'x');
  for (int i = 0; i < 6; ++i) Put(stream, large, "other");
  Put(stream, "b");
  runtime_.JumpWallClock(absl::Seconds(10));
  runtime_.RunUntilIdle();
  EXPECT_THAT(told_, ElementsAre("0-10 [a] 0", "0-10 [b] 1", "0-10 [] 2 final"));
}

TEST_F(MappingWindow, TheEventHasTheWindowsFields) {
  Stream stream = MakeStream();
  Put(stream, "a");
  std::vector<std::string> events;
  StreamMapping mapping =
      Start(stream, {.tumbling_window = absl::Seconds(10)}, [&](const StreamBatch& batch) {
        events.push_back(batch.LambdaEvent());
        return ParseStreamBatchResponse(R"({"state": {"n": 1}, "batchItemFailures": []})");
      });
  runtime_.Advance(absl::Seconds(10));
  ASSERT_EQ(events.size(), 2u);
  EXPECT_THAT(events[0], ::testing::HasSubstr(R"("state":{},"shardId":"shardId-000000000000")"));
  EXPECT_EQ(events[1],
            R"({"Records":[],"window":{"start":"2026-01-01T00:00:00Z",)"
            R"("end":"2026-01-01T00:00:10Z"},"state":{"n": 1},"shardId":"shardId-000000000000",)"
            R"("eventSourceARN":"arn:aws:kinesis:us-east-1:000000000000:stream/clicks",)"
            R"("isFinalInvokeForWindow":true,"isWindowTerminatedEarly":false})");
}

}  // namespace
}  // namespace banyan
