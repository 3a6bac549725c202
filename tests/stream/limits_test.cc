// SPDX-License-Identifier: Apache-2.0
//
// What one shard takes and gives in a second; what a full shard does; what is counted.
#include <string>
#include <vector>

#include "banyan/metrics.h"
#include "fixture.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace banyan::testing {
namespace {

using ::testing::Contains;
using ::testing::Field;
using ::testing::HasSubstr;

constexpr std::string_view kThrottled = "ProvisionedThroughputExceededException";

class ShardLimitsTest : public StreamTest {
 protected:
  // A second's worth is in the bucket when a stream is made at any time but the very first.
  ShardLimitsTest() { runtime_.Advance(absl::Hours(1)); }

  static absl::Status TryPut(const Stream& stream, size_t bytes) {
    const std::string data(bytes - 1, 'x');
    return stream.Put({.partition_key = "k", .data = data}).status();
  }
};

TEST_F(ShardLimitsTest, AThousandRecordsASecond) {
  const Stream stream = MakeStream({.shard_limits = ShardLimits::kStrict});
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(TryPut(stream, 10), absl::OkStatus()) << i;
  const absl::Status refused = TryPut(stream, 10);
  EXPECT_EQ(CodeOf(refused), kThrottled);
  EXPECT_EQ(TextOf(refused),
            "Rate exceeded for shard shardId-000000000000 in stream clicks under account "
            "000000000000.");
  runtime_.Advance(absl::Milliseconds(10));
  for (int i = 0; i < 10; ++i) ASSERT_EQ(TryPut(stream, 10), absl::OkStatus()) << i;
  EXPECT_EQ(CodeOf(TryPut(stream, 10)), kThrottled);
  EXPECT_EQ(stream.Metrics().value().write_provisioned_throughput_exceeded, 2);
}

TEST_F(ShardLimitsTest, S3_AShardTakesAMebibyteASecondAndALargerRecordInDebt) {
  const Stream stream =
      MakeStream({.record_bytes_max = 10 << 20, .shard_limits = ShardLimits::kStrict});
  ASSERT_EQ(TryPut(stream, 1 << 19), absl::OkStatus());
  ASSERT_EQ(TryPut(stream, 4 << 20), absl::OkStatus());
  EXPECT_EQ(CodeOf(TryPut(stream, 1)), kThrottled);
  runtime_.Advance(absl::Milliseconds(3'499));
  EXPECT_EQ(CodeOf(TryPut(stream, 1)), kThrottled);
  runtime_.Advance(absl::Milliseconds(2));
  EXPECT_EQ(TryPut(stream, 1), absl::OkStatus());
}

TEST_F(ShardLimitsTest, EachShardHasItsOwn) {
  const Stream stream = MakeStream({.shards = 2, .shard_limits = ShardLimits::kStrict});
  for (int i = 0; i < 1'001; ++i) {
    stream.Put({.partition_key = "k", .data = "x", .explicit_hash_key = "0"}).IgnoreError();
  }
  EXPECT_EQ(
      CodeOf(stream.Put({.partition_key = "k", .data = "x", .explicit_hash_key = "0"}).status()),
      kThrottled);
  const std::vector<PutRequest> batch = {
      {.partition_key = "k", .data = "x", .explicit_hash_key = "0"},
      {.partition_key = "k",
       .data = "x",
       .explicit_hash_key = "340282366920938463463374607431768211455"}};
  const auto results = stream.PutRecords(batch).value();
  EXPECT_EQ(CodeOf(results[0].status()), kThrottled);
  EXPECT_EQ(results[1].status(), absl::OkStatus());
  const StreamMetrics metrics = stream.Metrics().value();
  EXPECT_EQ(metrics.put_records_total_records, 2);
  EXPECT_EQ(metrics.put_records_successful_records, 1);
  EXPECT_EQ(metrics.put_records_throttled_records, 1);
  EXPECT_EQ(metrics.put_records_failed_records, 0);
  EXPECT_EQ(metrics.put_record_success, 1'000);
}

TEST_F(ShardLimitsTest, S8_ARefusedRecordStopsNoneBehindItSoARetryReordersItsKey) {
  const Stream stream = MakeStream({.record_bytes_max = 2 << 20,
                                    .shard_bytes_max = 32 << 20,
                                    .shard_limits = ShardLimits::kStrict});
  for (int i = 0; i < 999; ++i) ASSERT_EQ(TryPut(stream, 10), absl::OkStatus());
  const std::vector<PutRequest> batch = {{.partition_key = "k", .data = "1"},
                                         {.partition_key = "k", .data = "2"},
                                         {.partition_key = "k", .data = "3"}};
  auto results = stream.PutRecords(batch).value();
  EXPECT_EQ(results[0].status(), absl::OkStatus());
  EXPECT_EQ(CodeOf(results[1].status()), kThrottled);
  EXPECT_EQ(CodeOf(results[2].status()), kThrottled);
  runtime_.Advance(absl::Milliseconds(1));
  // One more has room by now: the later one of its key, if that is the one that is sent.
  EXPECT_EQ(stream.Put({.partition_key = "k", .data = "3"}).status(), absl::OkStatus());
  runtime_.Advance(absl::Milliseconds(1));
  EXPECT_EQ(stream.Put({.partition_key = "k", .data = "2"}).status(), absl::OkStatus());
  const RecordBatch read = GetAt(stream, StartAt::TrimHorizon());
  ASSERT_EQ(read.size(), 1'002u);
  EXPECT_EQ(read[999].data(), "1");
  EXPECT_EQ(read[1'000].data(), "3");
  EXPECT_EQ(read[1'001].data(), "2");
}

TEST_F(ShardLimitsTest, FiveReadsASecond) {
  const Stream stream = MakeStream({.shard_limits = ShardLimits::kStrict});
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  for (int i = 0; i < 5; ++i) Get(stream, iterator);
  EXPECT_EQ(CodeOf(stream.GetRecords(iterator).status()), kThrottled);
  runtime_.Advance(absl::Milliseconds(200));
  Get(stream, iterator);  // it is as good as it was
  EXPECT_EQ(CodeOf(stream.GetRecords(iterator).status()), kThrottled);
  EXPECT_EQ(stream.Metrics().value().read_provisioned_throughput_exceeded, 2);
}

TEST_F(ShardLimitsTest, FiveIteratorsASecond) {
  const Stream stream = MakeStream({.shard_limits = ShardLimits::kStrict});
  for (int i = 0; i < 5; ++i) IteratorAt(stream, StartAt::Latest());
  EXPECT_EQ(CodeOf(stream.GetShardIterator(kShard0, StartAt::Latest()).status()), kThrottled);
}

TEST_F(ShardLimitsTest, ARead10MiBLongKeepsOthersWaitingForFiveSeconds) {
  const Stream writer =
      MakeStream({.record_bytes_max = 10 << 20, .shard_limits = ShardLimits::kStrict});
  ASSERT_EQ(TryPut(writer, 10 << 20), absl::OkStatus());
  const ShardIterator iterator = IteratorAt(writer, StartAt::TrimHorizon());
  runtime_.Advance(absl::Seconds(1));
  EXPECT_EQ(Get(writer, iterator).size(), 1u);
  for (const absl::Duration step : {absl::Seconds(1), absl::Milliseconds(2'999)}) {
    runtime_.Advance(step);
    EXPECT_EQ(CodeOf(writer.GetRecords(iterator).status()), kThrottled);
  }
  runtime_.Advance(absl::Milliseconds(2));
  Get(writer, iterator);
}

TEST_F(ShardLimitsTest, ReportedTheyAreCountedAndNothingIsRefused) {
  const Stream stream = MakeStream({.shard_limits = ShardLimits::kReport});
  for (int i = 0; i < 1'500; ++i) ASSERT_EQ(TryPut(stream, 10), absl::OkStatus());
  EXPECT_EQ(stream.Metrics().value().write_provisioned_throughput_exceeded, 500);
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  for (int i = 0; i < 7; ++i) Get(stream, iterator, 1);
  EXPECT_EQ(stream.Metrics().value().read_provisioned_throughput_exceeded, 2);
}

// What is reported is what would have been refused: a burst leaves no debt behind.
TEST_F(ShardLimitsTest, WhatComesAfterAReportedBurstIsNotBeyondTheLimit) {
  const Stream stream = MakeStream({.shard_limits = ShardLimits::kReport});
  for (int i = 0; i < 3'000; ++i) ASSERT_EQ(TryPut(stream, 10), absl::OkStatus());
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  for (int i = 0; i < 15; ++i) Get(stream, iterator, 1);
  const StreamMetrics burst = stream.Metrics().value();
  EXPECT_EQ(burst.write_provisioned_throughput_exceeded, 2'000);
  EXPECT_EQ(burst.read_provisioned_throughput_exceeded, 10);
  runtime_.Advance(absl::Seconds(1));
  for (int i = 0; i < 1'000; ++i) ASSERT_EQ(TryPut(stream, 10), absl::OkStatus());
  for (int i = 0; i < 5; ++i) Get(stream, iterator, 1);
  const StreamMetrics after = stream.Metrics().value();
  EXPECT_EQ(after.write_provisioned_throughput_exceeded, 2'000);
  EXPECT_EQ(after.read_provisioned_throughput_exceeded, 10);
}

TEST_F(ShardLimitsTest, AReportedReadTakesNoBytesFromThoseAfterIt) {
  const Stream stream =
      MakeStream({.record_bytes_max = 3 << 20, .shard_limits = ShardLimits::kReport});
  ASSERT_EQ(TryPut(stream, 3 << 20), absl::OkStatus());
  const ShardIterator iterator = IteratorAt(stream, StartAt::TrimHorizon());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(Get(stream, iterator).size(), 1u);
  EXPECT_EQ(stream.Metrics().value().read_provisioned_throughput_exceeded, 2);
  runtime_.Advance(absl::Milliseconds(501));  // what the first owes
  Get(stream, iterator);
  EXPECT_EQ(stream.Metrics().value().read_provisioned_throughput_exceeded, 2);
}

TEST_F(ShardLimitsTest, OffNothingIsLookedAt) {
  const Stream stream = MakeStream();
  for (int i = 0; i < 1'500; ++i) ASSERT_EQ(TryPut(stream, 10), absl::OkStatus());
  EXPECT_EQ(stream.Metrics().value().write_provisioned_throughput_exceeded, 0);
}

// --- A full shard

TEST_F(ShardLimitsTest, AFullShardThatThrottlesKeepsWhatItHasUntilRetentionEndsIt) {
  const Stream stream = MakeStream({.retention = absl::Hours(24),
                                    .record_bytes_max = 32 << 10,
                                    .shard_bytes_max = 256 << 10,
                                    .when_full = WhenShardFull::kThrottle});
  int64_t stored = 0;
  while (TryPut(stream, 10'000).ok()) ++stored;
  EXPECT_EQ(CodeOf(TryPut(stream, 10'000)), kThrottled);
  EXPECT_GE(stored, 10);
  StreamStats stats = stream.Stats();
  EXPECT_EQ(stats.resting, stored);
  EXPECT_EQ(stats.trimmed_early, 0);
  EXPECT_EQ(stats.rejected, 2);
  EXPECT_EQ(stream.Metrics().value().write_provisioned_throughput_exceeded, 2);
  runtime_.Advance(absl::Hours(24));
  EXPECT_EQ(TryPut(stream, 10'000), absl::OkStatus());
  stats = stream.Stats();
  EXPECT_EQ(stats.resting, 1);
  EXPECT_EQ(stats.expired, stored);
}

// --- What is counted

TEST_F(ShardLimitsTest, MetricsSayWhatWentInAndOutAndHowOldItWas) {
  const Stream stream = MakeStream({.shards = 2});
  Put(stream, "12345", "a");  // 6 bytes, shard 0
  runtime_.Advance(absl::Seconds(2));
  Put(stream, "1", "a");
  const std::vector<PutRequest> batch = {{.partition_key = "a", .data = "123"},
                                         {.partition_key = "a", .data = "1234"}};
  ASSERT_EQ(stream.PutRecords(batch).status(), absl::OkStatus());
  runtime_.Advance(absl::Seconds(1));
  const RecordBatch first = Get(stream, IteratorAt(stream, StartAt::TrimHorizon()), 1);
  Get(stream, *first.next());
  const StreamMetrics metrics = stream.Metrics().value();
  EXPECT_EQ(metrics.stream_name, "clicks");
  EXPECT_EQ(metrics.incoming_records, 4);
  EXPECT_EQ(metrics.incoming_bytes, 6 + 2 + 4 + 5);
  EXPECT_EQ(metrics.put_record_success, 2);
  EXPECT_EQ(metrics.put_record_bytes, 8);
  EXPECT_EQ(metrics.put_records_success, 1);
  EXPECT_EQ(metrics.put_records_bytes, 9);
  EXPECT_EQ(metrics.get_records_success, 2);
  EXPECT_EQ(metrics.get_records_records, 4);
  EXPECT_EQ(metrics.get_records_bytes, 17);
  // The first left the others unread and its record was three seconds old; the second none.
  EXPECT_EQ(metrics.get_records_iterator_age_milliseconds,
            (StatisticSet{.count = 2, .sum = 3'000, .min = 0, .max = 3'000}));
  EXPECT_EQ(metrics.open_shards, 2);
  EXPECT_EQ(metrics.records_resting, 4);

  EXPECT_THAT(ListMetrics(metrics), Contains(Field(&Metric::name, "IncomingBytes")));
  const std::string text = PrometheusText({.streams = {metrics}});
  EXPECT_THAT(text, HasSubstr("banyan_kinesis_incoming_bytes_total{stream=\"clicks\"} 17\n"));
  EXPECT_THAT(text, HasSubstr("banyan_kinesis_put_record_success_total{stream=\"clicks\"} 2\n"));
  EXPECT_THAT(
      text,
      HasSubstr(
          "banyan_kinesis_get_records_iterator_age_milliseconds_sum{stream=\"clicks\"} 3000\n"));
}

}  // namespace
}  // namespace banyan::testing
