// SPDX-License-Identifier: Apache-2.0
//
// Streams whose load decides on their shards.
#include "stream/on_demand.h"

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "message/close_kind.h"

namespace banyan::testing {
namespace {

using internal::OnDemandScaler;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::SizeIs;

constexpr int64_t kMinute = int64_t{60} * 1'000'000'000;
constexpr int64_t kMiB = 1 << 20;

std::vector<OnDemandScaler::Load> Loads(const std::vector<int64_t>& mebibytes) {
  std::vector<OnDemandScaler::Load> loads;
  for (size_t i = 0; i < mebibytes.size(); ++i) {
    loads.push_back({.shard = static_cast<int64_t>(i), .bytes = mebibytes[i] * kMiB, .records = 1});
  }
  return loads;
}

TEST(OnDemandScalerTest, CapacityIsTwiceThePeakAndTheHottestAreSplit) {
  OnDemandScaler scaler({});
  // 180 MiB in a minute are 3 shards' worth; twice that is 6.
  const OnDemandScaler::Plan plan = scaler.Look(Loads({20, 90, 10, 60}), kMinute, kMinute);
  EXPECT_EQ(scaler.ShardsNeeded(), 6);
  EXPECT_THAT(plan.split, ElementsAre(1, 3));
  EXPECT_THAT(plan.merge, IsEmpty());
}

TEST(OnDemandScalerTest, ManySmallRecordsAreALoadToo) {
  OnDemandScaler scaler({});
  std::vector<OnDemandScaler::Load> loads = Loads({0, 0, 0, 0});
  loads[2].records = 150'000;  // 2,500 a second
  scaler.Look(loads, kMinute, kMinute);
  EXPECT_EQ(scaler.ShardsNeeded(), 6);
}

TEST(OnDemandScalerTest, OneStepDoublesAtMost) {
  OnDemandScaler scaler({});
  const OnDemandScaler::Plan plan = scaler.Look(Loads({600, 600, 600, 600}), kMinute, kMinute);
  EXPECT_EQ(scaler.ShardsNeeded(), 80);
  EXPECT_THAT(plan.split, SizeIs(4));
}

TEST(OnDemandScalerTest, ThePeakIsRememberedForThirtyDaysAndThenTheColdestAreMerged) {
  OnDemandScaler scaler({});
  scaler.Look(Loads({60, 60, 60, 60}), kMinute, kMinute);  // 4 shards' worth: 8 needed
  EXPECT_EQ(scaler.ShardsNeeded(), 8);
  int64_t now = kMinute;
  const std::vector<int64_t> quiet = {9, 9, 1, 1, 9, 0, 0, 9};
  for (int day = 1; day <= 30; ++day) {
    now += int64_t{24} * 60 * kMinute;
    EXPECT_THAT(scaler.Look(Loads(quiet), kMinute, now).merge, IsEmpty()) << day;
  }
  const OnDemandScaler::Plan plan = scaler.Look(Loads(quiet), kMinute, now + kMinute);
  EXPECT_EQ(scaler.ShardsNeeded(), 4);
  EXPECT_THAT(plan.split, IsEmpty());
  // 5 and 6, then 2 and 3, then the pairs at both ends.
  EXPECT_THAT(plan.merge, ElementsAre(Pair(5, 6), Pair(2, 3), Pair(0, 1)));
}

TEST(OnDemandScalerTest, TheBoundsAreTheOptions) {
  OnDemandScaler scaler({.headroom = 1, .shards_min = 2, .shards_max = 5});
  scaler.Look(Loads({0}), kMinute, kMinute);
  EXPECT_EQ(scaler.ShardsNeeded(), 2);
  scaler.Look(Loads({100'000}), kMinute, 2 * kMinute);
  EXPECT_EQ(scaler.ShardsNeeded(), 5);
}

class OnDemandTest : public StreamTest {
 protected:
  static int64_t OpenShards(const Stream& stream) { return stream.Describe().value().open_shards; }

  // `mebibytes` in one minute, spread over 64 keys.
  void PutForAMinute(const Stream& stream, int64_t mebibytes) {
    const std::string data(1 << 16, 'x');
    for (int64_t i = 0; i < 16 * mebibytes; ++i) {
      Put(stream, data, "key-" + std::to_string(i % 64));
    }
    runtime_.Advance(absl::Minutes(1));
  }
};

TEST_F(OnDemandTest, ItGrowsWithItsLoadAndShrinksWhenThePeakIsForgotten) {
  const Stream stream = MakeStream(
      {.shard_bytes_max = 8 << 20,
       .mode = StreamMode::kOnDemand,
       .on_demand = {.peak_memory = absl::Hours(1), .shard_bytes_per_second = kMiB / 16}});
  EXPECT_EQ(stream.Describe().value().mode, StreamMode::kOnDemand);
  EXPECT_EQ(OpenShards(stream), 4);
  PutForAMinute(stream, 15);  // 4 shards' worth, twice that
  EXPECT_EQ(OpenShards(stream), 8);
  PutForAMinute(stream, 22);  // almost 6
  EXPECT_EQ(OpenShards(stream), 12);
  runtime_.Advance(absl::Minutes(59));
  EXPECT_EQ(OpenShards(stream), 12);
  runtime_.Advance(absl::Minutes(10));
  EXPECT_EQ(OpenShards(stream), 4);
}

TEST_F(OnDemandTest, S6_AStreamOnDemandMayBeginWarmWithoutACommitment) {
  const Stream stream =
      MakeStream({.mode = StreamMode::kOnDemand, .on_demand = {.shards_min = 12}});
  EXPECT_EQ(OpenShards(stream), 12);
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(OpenShards(stream), 12);
}

TEST_F(OnDemandTest, NobodyElseReshardsIt) {
  const Stream stream = MakeStream({.mode = StreamMode::kOnDemand});
  for (const absl::Status& refused :
       {stream.SplitShard(kShard0), stream.MergeShards(kShard0, kShard1),
        stream.UpdateShardCount(8)}) {
    EXPECT_EQ(CodeOf(refused), "ValidationException") << refused;
  }
}

TEST_F(OnDemandTest, TheModeMaySwitchTwiceADay) {
  const Stream stream = MakeStream({.shards = 2});
  ASSERT_EQ(stream.UpdateStreamMode(StreamMode::kOnDemand), absl::OkStatus());
  EXPECT_EQ(stream.UpdateStreamMode(StreamMode::kOnDemand), absl::OkStatus());  // as it is
  EXPECT_EQ(OpenShards(stream), 2);
  runtime_.Advance(absl::Minutes(1));
  EXPECT_EQ(OpenShards(stream), 4);  // the least
  ASSERT_EQ(stream.UpdateStreamMode(StreamMode::kProvisioned), absl::OkStatus());
  EXPECT_EQ(stream.SplitShard(
                stream.ListShards({.kind = ShardFilter::Kind::kAtLatest}).value().front().id),
            absl::OkStatus());
  EXPECT_EQ(CodeOf(stream.UpdateStreamMode(StreamMode::kOnDemand)), "LimitExceededException");
  runtime_.Advance(absl::Hours(24));
  EXPECT_EQ(stream.UpdateStreamMode(StreamMode::kOnDemand), absl::OkStatus());
}

TEST_F(OnDemandTest, ADeletedStreamLooksNoMore) {
  const Stream stream = MakeStream({.mode = StreamMode::kOnDemand});
  stream.core()->Close(internal::CloseKind::kDeleted);
  runtime_.Advance(absl::Hours(1));
  EXPECT_EQ(CodeOf(stream.Describe().status()), "ResourceNotFoundException");
}

TEST_F(OnDemandTest, OptionsOutOfRangeAreRefused) {
  const auto code = [this](const OnDemandOptions& options) {
    return CodeOf(internal::ValidateStreamOptions({.on_demand = options}, env_->limits));
  };
  EXPECT_EQ(code({}), "OK");
  EXPECT_EQ(code({.headroom = 0.5}), "InvalidArgumentException");
  EXPECT_EQ(code({.check_interval = absl::Milliseconds(999)}), "InvalidArgumentException");
  EXPECT_EQ(code({.peak_memory = absl::Seconds(59)}), "InvalidArgumentException");
  EXPECT_NE(code({.shard_bytes_per_second = 0}), "OK");
  EXPECT_NE(code({.shards_min = 0}), "OK");
  EXPECT_NE(code({.shards_min = 5, .shards_max = 4}), "OK");
}

}  // namespace
}  // namespace banyan::testing
