// SPDX-License-Identifier: Apache-2.0
//
// Which shard a key goes to. The MD5 values and range bounds were computed outside the library
// with arbitrary-precision integers: int(md5(key)) and floor(2^128 / n).
#include <map>
#include <string>
#include <vector>

#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "stream/shard_map.h"

namespace banyan::testing {
namespace {

using internal::HashKey;
using internal::HashKeyText;
using internal::ParseHashKey;
using internal::ShardMap;

struct PlacementCase {
  std::string key;
  std::string hash;                 // MD5, unsigned, most significant byte first, in decimal
  std::map<int64_t, size_t> shard;  // by number of shards
};

std::vector<PlacementCase> PlacementCases() {
  return {
      {"session-17",
       "92550294504784501315289919296742880261",
       {{1, 0}, {2, 0}, {3, 0}, {4, 1}, {5, 1}, {16, 4}, {1000, 271}}},
      {"a",
       "16955237001963240173058271559858726497",
       {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 0}, {16, 0}, {1000, 49}}},
      {"user-1",
       "285573413173782752570879317399258818820",
       {{1, 0}, {2, 1}, {3, 2}, {4, 3}, {5, 4}, {16, 13}, {1000, 839}}},
      {"user-2",
       "81544010656874607678696621737415172275",
       {{1, 0}, {2, 0}, {3, 0}, {4, 0}, {5, 1}, {16, 3}, {1000, 239}}},
      {"\xD0\xBA\xD0\xBB\xD1\x8E\xD1\x87",
       "259726384039714788407059515981389908711",
       {{1, 0}, {2, 1}, {3, 2}, {4, 3}, {5, 3}, {16, 12}, {1000, 763}}},
      {"partitionKey",
       "193318062818912349798954611745638949166",
       {{1, 0}, {2, 1}, {3, 1}, {4, 2}, {5, 2}, {16, 9}, {1000, 568}}},
  };
}

TEST(PlacementTest, HashIsMd5AsAnUnsignedBigEndianNumber) {
  for (const PlacementCase& c : PlacementCases()) EXPECT_EQ(HashKeyText(HashKey(c.key)), c.hash);
}

TEST(PlacementTest, EqualRangesOverTheHash) {
  for (const PlacementCase& c : PlacementCases()) {
    for (const auto& [shards, shard] : c.shard) {
      EXPECT_EQ(ShardMap(shards).Find(HashKey(c.key)), shard) << c.key << " of " << shards;
    }
  }
}

TEST(PlacementTest, RangesAreFloorWideAndTheLastTakesTheRemainder) {
  const ShardMap three(3);
  EXPECT_EQ(HashKeyText(three.start(0)), "0");
  EXPECT_EQ(HashKeyText(three.end(0)), "113427455640312821154458202477256070484");
  EXPECT_EQ(HashKeyText(three.start(1)), "113427455640312821154458202477256070485");
  EXPECT_EQ(HashKeyText(three.start(2)), "226854911280625642308916404954512140970");
  EXPECT_EQ(HashKeyText(three.end(2)), "340282366920938463463374607431768211455");
  // 2^128 is divisible by 4: no remainder, and no range lost to rounding.
  EXPECT_EQ(HashKeyText(ShardMap(4).start(1)), "85070591730234615865843651857942052864");
}

// Both bounds of a range belong to it, and no hash is in two ranges or none.
TEST(PlacementTest, BoundsAreInclusive) {
  for (int64_t shards : {1, 2, 3, 7, 16, 999}) {
    const ShardMap map(shards);
    for (size_t i = 0; i < map.size(); ++i) {
      EXPECT_EQ(map.Find(map.start(i)), i);
      EXPECT_EQ(map.Find(map.end(i)), i);
      if (i > 0) {
        EXPECT_EQ(map.end(i - 1) + 1, map.start(i));
      }
    }
    EXPECT_EQ(map.end(map.size() - 1), absl::Uint128Max());
  }
}

TEST(PlacementTest, HashKeysAreDecimalNumbersBelowTwoToThe128) {
  EXPECT_EQ(ParseHashKey("0"), absl::uint128(0));
  EXPECT_EQ(ParseHashKey("340282366920938463463374607431768211455"), absl::Uint128Max());
  for (const char* bad :
       {"", "-1", "+1", "1x", "01", " 1", "1.0", "0x10", "340282366920938463463374607431768211456",
        "3402823669209384634633746074317682114550"}) {
    EXPECT_EQ(ParseHashKey(bad), std::nullopt) << bad;
  }
}

class PlacementInStreamTest : public StreamTest {};

TEST_F(PlacementInStreamTest, ExplicitHashKeyTakesThePlaceOfTheKeysHash) {
  const Stream stream = MakeStream({.shards = 2});
  EXPECT_EQ(Put(stream, "by key", "a").shard_id, kShard0);
  const PutResult put = stream
                            .Put({.partition_key = "a",
                                  .data = "by hash",
                                  .explicit_hash_key = "340282366920938463463374607431768211455"})
                            .value();
  EXPECT_EQ(put.shard_id, kShard1);
  const RecordBatch batch = GetAt(stream, StartAt::TrimHorizon(), kShard1);
  ASSERT_THAT(DataOf(batch), ::testing::ElementsAre("by hash"));
  EXPECT_EQ(batch[0].partition_key(), "a");  // kept, though it did not choose
}

TEST_F(PlacementInStreamTest, ListShardsShowsTheRanges) {
  const Stream stream = MakeStream({.shards = 2});
  const std::vector<ShardInfo> shards = stream.ListShards().value();
  ASSERT_EQ(shards.size(), 2u);
  EXPECT_EQ(shards[0].id.ToString(), "shardId-000000000000");
  EXPECT_EQ(shards[0].starting_hash_key, "0");
  EXPECT_EQ(shards[0].ending_hash_key, "170141183460469231731687303715884105727");
  EXPECT_EQ(shards[1].starting_hash_key, "170141183460469231731687303715884105728");
  EXPECT_EQ(shards[1].ending_hash_key, "340282366920938463463374607431768211455");
  const PutResult first = Put(stream, "x", "a");
  EXPECT_LT(shards[0].starting_sequence, first.sequence);
}

}  // namespace
}  // namespace banyan::testing
