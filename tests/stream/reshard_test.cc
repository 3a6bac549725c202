// SPDX-License-Identifier: Apache-2.0
//
// Shards that split and merge: where keys go, what is listed, what readers find at a closed end.
#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stream/shard_map.h"

namespace banyan::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr std::string_view kTop = "340282366920938463463374607431768211455";
constexpr std::string_view kHalf = "170141183460469231731687303715884105728";
constexpr std::string_view kQuarter = "85070591730234615865843651857942052864";

class ReshardTest : public StreamTest {
 protected:
  using StreamTest::StreamTest;

  static PutResult PutAtHash(const Stream& stream, std::string_view data, std::string_view hash) {
    return stream.Put({.partition_key = "k", .data = data, .explicit_hash_key = hash}).value();
  }
  static std::vector<int64_t> Ids(const std::vector<ShardInfo>& shards) {
    std::vector<int64_t> ids;
    for (const ShardInfo& shard : shards) ids.push_back(shard.id.index);
    return ids;
  }
  static std::vector<int64_t> Listed(const Stream& stream, const ShardFilter& filter = {}) {
    return Ids(stream.ListShards(filter).value());
  }
  static std::vector<int64_t> Open(const Stream& stream) {
    return Listed(stream, {.kind = ShardFilter::Kind::kAtLatest});
  }
  // Open ranges are equal to within rounding, and cover all hash keys without a gap.
  static void ExpectEqualRanges(const Stream& stream, size_t count) {
    std::vector<std::pair<absl::uint128, absl::uint128>> ranges;
    const std::vector<ShardInfo> open =
        stream.ListShards({.kind = ShardFilter::Kind::kAtLatest}).value();
    for (const ShardInfo& shard : open) {
      ranges.emplace_back(*internal::ParseHashKey(shard.starting_hash_key),
                          *internal::ParseHashKey(shard.ending_hash_key));
    }
    std::sort(ranges.begin(), ranges.end());
    ASSERT_THAT(ranges, SizeIs(count));
    EXPECT_EQ(ranges.front().first, 0u);
    EXPECT_EQ(ranges.back().second, absl::Uint128Max());
    const internal::ShardMap equal(static_cast<int64_t>(count));
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) {
        EXPECT_EQ(ranges[i].first, ranges[i - 1].second + 1);
      }
      const absl::uint128 off = ranges[i].first > equal.start(i) ? ranges[i].first - equal.start(i)
                                                                 : equal.start(i) - ranges[i].first;
      EXPECT_LE(off, 1u) << i;
    }
  }
};

TEST_F(ReshardTest, ASplitShardHasTwoChildrenThatTakeItsKeys) {
  const Stream stream = MakeStream();
  const PutResult before = PutAtHash(stream, "before", "7");
  ASSERT_EQ(stream.SplitShard(kShard0, kQuarter), absl::OkStatus());

  const std::vector<ShardInfo> shards = stream.ListShards().value();
  ASSERT_THAT(Ids(shards), ElementsAre(0, 1, 2));
  EXPECT_FALSE(shards[0].is_open());
  EXPECT_GT(*shards[0].ending_sequence, before.sequence);
  EXPECT_EQ(shards[1].starting_hash_key, "0");
  EXPECT_EQ(shards[1].ending_hash_key, "85070591730234615865843651857942052863");
  EXPECT_EQ(shards[2].starting_hash_key, kQuarter);
  EXPECT_EQ(shards[2].ending_hash_key, kTop);
  for (size_t i : {1u, 2u}) {
    EXPECT_TRUE(shards[i].is_open());
    EXPECT_EQ(shards[i].parent, kShard0);
    EXPECT_EQ(shards[i].adjacent_parent, std::nullopt);
    EXPECT_GT(shards[i].starting_sequence, *shards[0].ending_sequence);
  }
  EXPECT_EQ(PutAtHash(stream, "low", "85070591730234615865843651857942052863").shard_id.index, 1);
  EXPECT_EQ(PutAtHash(stream, "high", kQuarter).shard_id.index, 2);
  EXPECT_EQ(PutAtHash(stream, "top", kTop).shard_id.index, 2);
}

TEST_F(ReshardTest, WithoutAKeyTheMiddleIsTheBound) {
  const Stream stream = MakeStream();
  ASSERT_EQ(stream.SplitShard("shardId-000000000000"), absl::OkStatus());
  EXPECT_EQ(stream.ListShards().value()[2].starting_hash_key, kHalf);
}

TEST_F(ReshardTest, TheClosedEndHasNoNextIteratorAndNamesTheChildren) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  Put(stream, "b");
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  RecordBatch batch = Get(stream, IteratorAt(stream, StartAt::TrimHorizon()), 1);
  EXPECT_THAT(DataOf(batch), ElementsAre("a"));
  ASSERT_TRUE(batch.next().has_value());
  EXPECT_THAT(batch.child_shards(), IsEmpty());

  // The answer with the last record is the end already.
  batch = Get(stream, *batch.next());
  EXPECT_THAT(DataOf(batch), ElementsAre("b"));
  EXPECT_EQ(batch.next(), std::nullopt);
  EXPECT_EQ(batch.millis_behind_latest(), 0);
  ASSERT_THAT(batch.child_shards(), SizeIs(2));
  EXPECT_EQ(batch.child_shards()[0],
            (ChildShard{.id = {1},
                        .parents = {kShard0},
                        .starting_hash_key = "0",
                        .ending_hash_key = "170141183460469231731687303715884105727"}));
  EXPECT_EQ(batch.child_shards()[1].id.index, 2);
}

TEST_F(ReshardTest, AMergedPairHasOneChildThatNamesBoth) {
  const Stream stream = MakeStream({.shards = 3});
  // The one named first is the parent, whichever lies lower.
  ASSERT_EQ(stream.MergeShards(ShardId{2}, kShard1), absl::OkStatus());
  const std::vector<ShardInfo> shards = stream.ListShards().value();
  ASSERT_THAT(shards, SizeIs(4));
  EXPECT_EQ(shards[3].parent, ShardId{2});
  EXPECT_EQ(shards[3].adjacent_parent, kShard1);
  EXPECT_EQ(shards[3].starting_hash_key, shards[1].starting_hash_key);
  EXPECT_EQ(shards[3].ending_hash_key, kTop);
  for (const ShardId parent : {kShard1, ShardId{2}}) {
    const RecordBatch end = GetAt(stream, StartAt::Latest(), parent);
    EXPECT_EQ(end.next(), std::nullopt);
    ASSERT_THAT(end.child_shards(), SizeIs(1));
    EXPECT_THAT(end.child_shards()[0].parents, ElementsAre(ShardId{2}, kShard1));
  }
  EXPECT_THAT(Open(stream), ElementsAre(0, 3));
}

TEST_F(ReshardTest, AnIteratorHeldAtTheTipLearnsOfTheSplitAtItsNextRead) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  const RecordBatch tip = GetAt(stream, StartAt::TrimHorizon());
  ASSERT_TRUE(tip.next().has_value());
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  const RecordBatch end = Get(stream, *tip.next());
  EXPECT_EQ(end.next(), std::nullopt);
  EXPECT_THAT(end.child_shards(), SizeIs(2));
}

TEST_F(ReshardTest, PositionsUpToTheEndingNumberAreLegal) {
  const Stream stream = MakeStream();
  const PutResult put = Put(stream, "a");
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  const SequenceNumber ending = *stream.ListShards().value()[0].ending_sequence;
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::AtSequence(put.sequence))), ElementsAre("a"));
  EXPECT_EQ(GetAt(stream, StartAt::AtSequence(ending)).next(), std::nullopt);
  EXPECT_EQ(GetAt(stream, StartAt::AfterSequence(ending)).next(), std::nullopt);
  EXPECT_EQ(SequenceNumber::Parse(ending.ToString()), ending);
}

TEST_F(ReshardTest, WhatCannotBeSplitOrMerged) {
  const Stream stream = MakeStream({.shards = 3});
  const std::vector<ShardInfo> shards = stream.ListShards().value();
  const auto refused = [&](const absl::Status& status, std::string_view code,
                           std::string_view text) {
    EXPECT_EQ(CodeOf(status), code) << status;
    EXPECT_THAT(TextOf(status), HasSubstr(std::string(text)));
  };
  // The bound has to lie inside by more than one on the left and by one on the right.
  for (const std::string& key :
       {shards[0].ending_hash_key, shards[1].starting_hash_key, std::string("0"), std::string("1"),
        std::string(kTop), std::string("340282366920938463463374607431768211456")}) {
    refused(stream.SplitShard(kShard0, key), "InvalidArgumentException",
            "is not both greater than one plus the shard's StartingHashKey 0 and less than");
  }
  EXPECT_EQ(stream.SplitShard(kShard0, "2"), absl::OkStatus());
  refused(stream.SplitShard(kShard1, "x"), "ValidationException", "newStartingHashKey");
  refused(stream.SplitShard(kShard1, "1" + std::string(39, '0')), "ValidationException",
          "satisfy regular expression pattern");
  refused(stream.SplitShard(ShardId{9}), "ResourceNotFoundException",
          "Shard shardId-000000000009 in stream clicks");
  refused(stream.SplitShard("shard-1"), "ResourceNotFoundException",
          "Could not find shard shard-1");
  refused(stream.SplitShard(kShard0), "ResourceInUseException", "has already been merged or split");
  refused(stream.MergeShards(kShard0, kShard1), "ResourceInUseException", "shardId-000000000000");
  refused(stream.MergeShards(ShardId{3}, kShard1), "InvalidArgumentException",
          "Shards shardId-000000000003 and shardId-000000000001");
  refused(stream.MergeShards(kShard1, kShard1), "InvalidArgumentException", "adjacent pair");
  // Nothing was half done.
  EXPECT_THAT(Open(stream), ElementsAre(1, 2, 3, 4));
}

TEST_F(ReshardTest, TheShardCountGoesUpToDoubleAndDownToHalf) {
  const Stream stream = MakeStream({.shards = 4});
  EXPECT_EQ(CodeOf(stream.UpdateShardCount(9)), "InvalidArgumentException");
  EXPECT_EQ(CodeOf(stream.UpdateShardCount(1)), "InvalidArgumentException");
  EXPECT_EQ(CodeOf(stream.UpdateShardCount(0)), "ValidationException");
  for (const int64_t count : {8, 5, 3, 6, 7, 4, 2, 1, 2, 3}) {
    ASSERT_EQ(stream.UpdateShardCount(count), absl::OkStatus()) << count;
    ExpectEqualRanges(stream, static_cast<size_t>(count));
    EXPECT_EQ(stream.Describe().value().open_shards, count);
  }
  const absl::Status eleventh = stream.UpdateShardCount(4);
  EXPECT_EQ(CodeOf(eleventh), "LimitExceededException");
  runtime_.Advance(absl::Hours(24));
  EXPECT_EQ(stream.UpdateShardCount(4), absl::OkStatus());
}

// Each closed shard names its children, and from the first shards all keys can be followed.
TEST_F(ReshardTest, NoRecordIsLostOverAnyNumberOfReshards) {
  const Stream stream = MakeStream({.shards = 2});
  std::set<std::string> put;
  int n = 0;
  for (const int64_t count : {4, 3, 6, 5, 3, 2}) {
    for (int i = 0; i < 50; ++i) {
      const std::string data = std::to_string(n++);
      Put(stream, data, "key-" + data);
      put.insert(data);
    }
    ASSERT_EQ(stream.UpdateShardCount(count), absl::OkStatus());
  }
  std::set<int64_t> seen_shards;
  std::vector<ShardId> next = {kShard0, kShard1};
  std::set<std::string> read;
  while (!next.empty()) {
    const ShardId shard = next.back();
    next.pop_back();
    if (!seen_shards.insert(shard.index).second) continue;
    const RecordBatch batch = GetAt(stream, StartAt::TrimHorizon(), shard);
    for (const std::string& data : DataOf(batch)) EXPECT_TRUE(read.insert(data).second) << data;
    for (const ChildShard& child : batch.child_shards()) next.push_back(child.id);
  }
  EXPECT_EQ(read, put);
  EXPECT_THAT(seen_shards, SizeIs(stream.ListShards().value().size()));
}

TEST_F(ReshardTest, AClosedShardExpiresWithItsRetention) {
  const Stream stream = MakeStream({.retention = absl::Hours(24)});
  Put(stream, "a");
  runtime_.Advance(absl::Hours(1));
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  runtime_.Advance(absl::Hours(23));  // the record has ended, the shard has not
  const RecordBatch end = GetAt(stream, StartAt::TrimHorizon());
  EXPECT_THAT(DataOf(end), IsEmpty());
  EXPECT_EQ(end.next(), std::nullopt);
  EXPECT_THAT(end.child_shards(), SizeIs(2));
  EXPECT_THAT(Listed(stream), ElementsAre(0, 1, 2));
  runtime_.Advance(absl::Hours(1));
  EXPECT_THAT(Listed(stream), ElementsAre(1, 2));
  EXPECT_EQ(CodeOf(stream.GetShardIterator(kShard0, StartAt::TrimHorizon()).status()),
            "ResourceNotFoundException");
  EXPECT_EQ(stream.Stats().resting, 0);
  EXPECT_EQ(stream.Stats().expired, 1);
}

TEST_F(ReshardTest, AnExpiredShardStaysSoWhenRetentionGrows) {
  const Stream stream = MakeStream({.retention = absl::Hours(24)});
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  runtime_.Advance(absl::Hours(25));
  ASSERT_EQ(stream.IncreaseRetention(absl::Hours(48)), absl::OkStatus());
  EXPECT_THAT(Listed(stream), ElementsAre(1, 2));
  // Also one that expired because retention was short in between.
  ASSERT_EQ(stream.MergeShards(kShard1, ShardId{2}), absl::OkStatus());
  runtime_.Advance(absl::Hours(30));
  EXPECT_THAT(Listed(stream), ElementsAre(1, 2, 3));
  ASSERT_EQ(stream.DecreaseRetention(absl::Hours(24)), absl::OkStatus());
  EXPECT_THAT(Listed(stream), ElementsAre(3));
  ASSERT_EQ(stream.IncreaseRetention(absl::Hours(48)), absl::OkStatus());
  EXPECT_THAT(Listed(stream), ElementsAre(3));
  EXPECT_EQ(CodeOf(stream.GetShardIterator(kShard1, StartAt::TrimHorizon()).status()),
            "ResourceNotFoundException");
}

// Nobody puts into a closed shard any more, so nobody would look at its retention.
TEST_F(ReshardTest, AReshardGivesBackTheMemoryOfShardsThatHaveExpired) {
  const Stream stream = MakeStream({.retention = absl::Hours(24)});
  for (int i = 0; i < 100; ++i) Put(stream, std::string(10'000, 'x'));
  const int64_t held = stream.core()->bytes_held();
  ASSERT_GT(held, 1'000'000);
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  runtime_.Advance(absl::Hours(25));
  EXPECT_EQ(stream.core()->bytes_held(), held);
  ASSERT_EQ(stream.SplitShard(kShard1), absl::OkStatus());
  EXPECT_LT(stream.core()->bytes_held(), held / 2);
}

TEST_F(ReshardTest, FiltersListTheShardsOfTheirTime) {
  const Stream stream = MakeStream({.shards = 1, .retention = absl::Hours(24)});
  runtime_.Advance(absl::Hours(1));
  const absl::Time before = runtime_.Now() - absl::Minutes(1);
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());  // 1, 2
  runtime_.Advance(absl::Hours(1));
  const absl::Time between = runtime_.Now() - absl::Minutes(1);
  ASSERT_EQ(stream.MergeShards(kShard1, ShardId{2}), absl::OkStatus());  // 3
  runtime_.Advance(absl::Hours(1));

  using Kind = ShardFilter::Kind;
  EXPECT_THAT(Listed(stream), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(Listed(stream, {.kind = Kind::kAtTrimHorizon}), ElementsAre(0));
  EXPECT_THAT(Listed(stream, {.kind = Kind::kAtLatest}), ElementsAre(3));
  EXPECT_THAT(Listed(stream, {.kind = Kind::kAtTimestamp, .time = before}), ElementsAre(0));
  EXPECT_THAT(Listed(stream, {.kind = Kind::kAtTimestamp, .time = between}), ElementsAre(1, 2));
  EXPECT_THAT(Listed(stream, {.kind = Kind::kFromTimestamp, .time = between}),
              ElementsAre(1, 2, 3));
  EXPECT_THAT(Listed(stream, {.kind = Kind::kAfterShardId, .shard = kShard1}), ElementsAre(2, 3));
  // At the moment of a reshard parents and children are open: a record of it may be in either.
  const absl::Time merged = between + absl::Minutes(1);
  EXPECT_THAT(Listed(stream, {.kind = Kind::kAtTimestamp, .time = merged}), ElementsAre(1, 2, 3));
  EXPECT_THAT(Listed(stream, {.kind = Kind::kFromTimestamp, .time = merged}), ElementsAre(1, 2, 3));
  EXPECT_THAT(Listed(stream, {.kind = Kind::kFromTimestamp, .time = before}),
              ElementsAre(0, 1, 2, 3));
  runtime_.Advance(absl::Hours(22) + absl::Minutes(30));  // 0 was closed 24.5 hours ago
  EXPECT_THAT(Listed(stream, {.kind = Kind::kAtTrimHorizon}), ElementsAre(1, 2));
}

TEST_F(ReshardTest, S7_OrderingAfterANumberOfTheFutureIsRefusedByItsOldName) {
  const Stream stream = MakeStream();
  const PutResult first = Put(stream, "a");
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  const auto put_after = [&stream](const SequenceNumber& sequence) {
    return stream.Put(
        {.partition_key = "k", .data = "b", .sequence_number_for_ordering = sequence});
  };
  const absl::StatusOr<PutResult> second = put_after(first.sequence);
  ASSERT_EQ(second.status(), absl::OkStatus());
  EXPECT_GT(second->sequence, first.sequence);
  SequenceNumber future = second->sequence;
  ++future.number;
  EXPECT_EQ(CodeOf(put_after(future).status()), "InvalidArgumentException");
  EXPECT_THAT(TextOf(put_after(future).status()), HasSubstr("ExclusiveMinimumSequenceNumber"));
  SequenceNumber foreign = first.sequence;
  --foreign.shard_created_second;
  EXPECT_EQ(CodeOf(put_after(foreign).status()), "InvalidArgumentException");
}

TEST_F(ReshardTest, S5_RetentionGrowsWithoutBringingBackWhatWasTrimmed) {
  const Stream stream = MakeStream({.retention = absl::Hours(24)});
  Put(stream, "old");
  runtime_.Advance(absl::Hours(24));
  Put(stream, "new");
  EXPECT_EQ(CodeOf(stream.IncreaseRetention(absl::Hours(23))), "InvalidArgumentException");
  EXPECT_EQ(CodeOf(stream.DecreaseRetention(absl::Hours(25))), "InvalidArgumentException");
  EXPECT_EQ(TextOf(stream.IncreaseRetention(absl::Hours(23))),
            "Requested retention period (23 hours) for stream clicks can not be shorter than "
            "existing retention period (24 hours). Use DecreaseRetentionPeriod API.");
  EXPECT_EQ(CodeOf(stream.IncreaseRetention(absl::Hours(8'761))), "InvalidArgumentException");
  ASSERT_EQ(stream.IncreaseRetention(absl::Hours(48)), absl::OkStatus());
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), ElementsAre("new"));
  runtime_.Advance(absl::Hours(30));
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), ElementsAre("new"));
  ASSERT_EQ(stream.DecreaseRetention(absl::Hours(24)), absl::OkStatus());
  EXPECT_THAT(DataOf(GetAt(stream, StartAt::TrimHorizon())), IsEmpty());
  EXPECT_EQ(stream.Stats().expired, 2);
}

TEST_F(ReshardTest, S1_ARecordHasUpToTheSizeItsStreamSaysFromOneToTenMebibytes) {
  const Stream stream = MakeStream({.record_bytes_max = 1 << 20});
  const std::string large(2 << 20, 'x');
  EXPECT_EQ(CodeOf(stream.Put({.partition_key = "k", .data = large}).status()),
            "ValidationException");
  EXPECT_EQ(CodeOf(stream.UpdateMaxRecordSize((10 << 20) + 1)), "ValidationException");
  ASSERT_EQ(stream.UpdateMaxRecordSize(10 << 20), absl::OkStatus());
  EXPECT_EQ(stream.Put({.partition_key = "k", .data = large}).status(), absl::OkStatus());
  EXPECT_EQ(stream.Describe().value().record_bytes_max, 10 << 20);
}

TEST_F(ReshardTest, TrimBeforeEndsWhatLiesBefore) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  const PutResult b = Put(stream, "b");
  Put(stream, "c");
  const ShardIterator old = IteratorAt(stream, StartAt::TrimHorizon());
  ASSERT_EQ(stream.TrimBefore(b.sequence), absl::OkStatus());
  EXPECT_THAT(DataOf(Get(stream, old)), ElementsAre("b", "c"));
  EXPECT_EQ(stream.Stats().trimmed_early, 1);
  SequenceNumber future = b.sequence;
  future.number += 100;
  EXPECT_EQ(CodeOf(stream.TrimBefore(future)), "InvalidArgumentException");
  future.shard_index = 7;
  EXPECT_EQ(CodeOf(stream.TrimBefore(future)), "ResourceNotFoundException");
}

class SlowReshardTest : public ReshardTest {
 protected:
  SlowReshardTest() : ReshardTest(SlowLimits()) {}
};

TEST_F(SlowReshardTest, AStreamThatChangesIsReadAndWrittenButNotChangedAgain) {
  const Stream stream = MakeStream();
  EXPECT_EQ(stream.Describe().value().status, StreamStatus::kCreating);
  EXPECT_THAT(TextOf(stream.SplitShard(kShard0)), HasSubstr("instead in state CREATING"));
  runtime_.Advance(absl::Seconds(10));
  EXPECT_EQ(stream.Describe().value().status, StreamStatus::kActive);
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  EXPECT_EQ(stream.Describe().value().status, StreamStatus::kUpdating);
  EXPECT_EQ(CodeOf(stream.SplitShard(kShard1)), "ResourceInUseException");
  EXPECT_EQ(CodeOf(stream.IncreaseRetention(absl::Hours(48))), "ResourceInUseException");
  Put(stream, "a");
  runtime_.Advance(absl::Seconds(11));
  EXPECT_EQ(stream.SplitShard(kShard1), absl::OkStatus());
}

class FewShardsTest : public ReshardTest {
 protected:
  FewShardsTest()
      : ReshardTest([] {
          Limits limits = SmallLimits();
          limits.stream.shards_max = 3;
          limits.stream.shards_made_max = 8;
          return limits;
        }()) {}
};

TEST_F(FewShardsTest, TheNumberOfShardsHasABoundAtAnyTimeAndInAll) {
  const Stream stream = MakeStream({.shards = 2, .on_demand = {.shards_min = 1, .shards_max = 3}});
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());  // 2, 3
  EXPECT_EQ(CodeOf(stream.SplitShard(kShard1)), "LimitExceededException");
  ASSERT_EQ(stream.MergeShards(ShardId{2}, ShardId{3}), absl::OkStatus());  // 4
  ASSERT_EQ(stream.SplitShard(ShardId{4}), absl::OkStatus());               // 5, 6
  ASSERT_EQ(stream.MergeShards(ShardId{5}, ShardId{6}), absl::OkStatus());  // 7
  EXPECT_THAT(TextOf(stream.SplitShard(ShardId{7})), HasSubstr("made in all 10, limit 8"));
  EXPECT_THAT(Open(stream), ElementsAre(1, 7));
}

// --- Who waits for records (WakeAt)

class WakeTest : public ReshardTest {
 protected:
  void WakeAt(const Stream& stream, uint64_t position) {
    stream.core()->WakeAt(0, position, [this] { ++woken_; });
    runtime_.RunUntilIdle();
  }
  int woken_ = 0;
};

TEST_F(WakeTest, AtOnceIfTheRecordIsThere) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  WakeAt(stream, 0);
  EXPECT_EQ(woken_, 1);
}

TEST_F(WakeTest, OnceWhenItComes) {
  const Stream stream = MakeStream();
  WakeAt(stream, 0);
  EXPECT_EQ(woken_, 0);
  Put(stream, "a");
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken_, 1);
  Put(stream, "b");
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken_, 1);
}

TEST_F(WakeTest, WhenTheShardIsClosed) {
  const Stream stream = MakeStream();
  Put(stream, "a");
  WakeAt(stream, 1);
  EXPECT_EQ(woken_, 0);
  ASSERT_EQ(stream.SplitShard(kShard0), absl::OkStatus());
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken_, 1);
  WakeAt(stream, 1);
  EXPECT_EQ(woken_, 2);
}

TEST_F(WakeTest, NotWhenItWasCancelledAndThenNothingIsKept) {
  const Stream stream = MakeStream();
  const auto kept = std::make_shared<int>(0);
  const auto wait = [&] { return stream.core()->WakeAt(0, 0, [this, kept] { ++woken_; }); };
  const uint64_t first = wait();
  const uint64_t second = wait();
  EXPECT_GT(second, first);
  stream.core()->CancelWake(0, first);
  stream.core()->CancelWake(0, first);
  stream.core()->CancelWake(1, second);  // of another shard
  EXPECT_EQ(kept.use_count(), 2);
  Put(stream, "a");
  stream.core()->CancelWake(0, second);  // too late
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken_, 1);
  EXPECT_EQ(kept.use_count(), 1);
}

TEST_F(WakeTest, WhenTheStreamIsDeleted) {
  const Stream stream = MakeStream();
  WakeAt(stream, 0);
  stream.core()->Close(internal::CloseKind::kDeleted);
  runtime_.RunUntilIdle();
  EXPECT_EQ(woken_, 1);
}

}  // namespace
}  // namespace banyan::testing
