// SPDX-License-Identifier: Apache-2.0
#include "banyan/limits.h"

#include "gtest/gtest.h"

namespace banyan {
namespace {

// The newest figures of the specification sheets; those that changed lately or are commonly wrong.
TEST(LimitsTest, AwsFiguresAreTodays) {
  const Limits limits = Limits::Aws();
  EXPECT_EQ(limits.queue.message_bytes_max, 1'048'576);  // 262,144 until August 2025
  EXPECT_EQ(limits.queue.batch_bytes_max, 1'048'576);
  EXPECT_EQ(limits.queue.in_flight_max, 120'000);
  EXPECT_EQ(limits.queue.visibility_max, absl::Seconds(43'200));
  EXPECT_EQ(limits.queue.delay_max, absl::Seconds(900));
  EXPECT_EQ(limits.queue.retention_max, absl::Seconds(1'209'600));
  EXPECT_EQ(limits.topic.message_bytes_max, 262'144);  // not raised with SQS's
  EXPECT_EQ(limits.bus.targets_max, 5);
  EXPECT_EQ(limits.bus.archive_name_max, 48);
  EXPECT_EQ(limits.bus.replay_name_max, 64);
  EXPECT_EQ(limits.bus.replays_active_max, 10);
  EXPECT_EQ(limits.bus.entries_bytes_max, 1'048'576);
  EXPECT_EQ(limits.stream.batch_bytes_max, 10 << 20);
  EXPECT_EQ(limits.stream.iterator_life, absl::Milliseconds(300'000));
  EXPECT_EQ(limits.stream.consumers_max, 20);  // was 5
  EXPECT_EQ(limits.consumer.filters_max, 5);
  EXPECT_EQ(limits.consumer.filter_bytes_max, 4'096);
  EXPECT_EQ(limits.pattern.sns_keys_max, 5);
  EXPECT_EQ(limits.pattern.sns_combinations_max, 150);
}

TEST(LimitsTest, RelaxedIsNeverNarrower) {
  const Limits aws = Limits::Aws();
  const Limits wide = Limits::Relaxed();
  EXPECT_GE(wide.queue.message_bytes_max, aws.queue.message_bytes_max);
  EXPECT_LE(wide.queue.message_bytes_floor, aws.queue.message_bytes_floor);
  EXPECT_GE(wide.queue.attributes_max, aws.queue.attributes_max);
  EXPECT_GE(wide.queue.receive_max, aws.queue.receive_max);
  EXPECT_GE(wide.queue.in_flight_max, aws.queue.in_flight_max);
  EXPECT_GE(wide.queue.delay_max, aws.queue.delay_max);
  EXPECT_GE(wide.queue.visibility_max, aws.queue.visibility_max);
  EXPECT_LE(wide.queue.retention_min, aws.queue.retention_min);
  EXPECT_GE(wide.queue.retention_max, aws.queue.retention_max);
  EXPECT_LE(wide.queue.recreate_after, aws.queue.recreate_after);
  EXPECT_GE(wide.topic.message_bytes_max, aws.topic.message_bytes_max);
  EXPECT_GE(wide.topic.filter_policies_max, aws.topic.filter_policies_max);
  EXPECT_GE(wide.topic.all_filter_policies_max, aws.topic.all_filter_policies_max);
  EXPECT_GE(wide.bus.rules_max, aws.bus.rules_max);
  EXPECT_GE(wide.bus.targets_max, aws.bus.targets_max);
  EXPECT_GE(wide.bus.input_max, aws.bus.input_max);
  EXPECT_GE(wide.bus.input_paths_max, aws.bus.input_paths_max);
  EXPECT_GE(wide.bus.input_path_max, aws.bus.input_path_max);
  EXPECT_GE(wide.bus.message_group_id_max, aws.bus.message_group_id_max);
  EXPECT_GE(wide.schedule.input_bytes_max, aws.schedule.input_bytes_max);
  EXPECT_GE(wide.bus.replays_active_max, aws.bus.replays_active_max);
  EXPECT_GE(wide.stream.record_bytes_max, aws.stream.record_bytes_max);
  EXPECT_LE(wide.stream.retention_min, aws.stream.retention_min);
  EXPECT_GE(wide.consumer.filters_max, aws.consumer.filters_max);
  EXPECT_GE(wide.consumer.filter_bytes_max, aws.consumer.filter_bytes_max);
  EXPECT_GE(wide.pattern.bytes_max, aws.pattern.bytes_max);
  EXPECT_GE(wide.pattern.wildcard_complexity_max, aws.pattern.wildcard_complexity_max);
  EXPECT_GE(wide.pattern.sns_combinations_max, aws.pattern.sns_combinations_max);
}

}  // namespace
}  // namespace banyan
