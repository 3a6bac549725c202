// SPDX-License-Identifier: Apache-2.0
#include "banyan/limits.h"

namespace banyan::inline v0_1 {

Limits Limits::Relaxed() {
  constexpr int64_t kMessageBytes = int64_t{64} << 20;
  const absl::Duration long_time = absl::Hours(24 * 365);

  Limits limits;
  limits.queue.message_bytes_max = kMessageBytes;
  limits.queue.message_bytes_floor = 1;
  limits.queue.attributes_max = 1'000;
  limits.queue.receive_max = 10'000;
  limits.queue.batch_entries_max = 10'000;
  limits.queue.batch_bytes_max = 16 * kMessageBytes;
  limits.queue.in_flight_max = 1'000'000'000;
  limits.queue.receive_count_max = 1'000'000;
  limits.queue.delay_max = long_time;
  limits.queue.visibility_max = long_time;
  limits.queue.wait_max = long_time;
  limits.queue.retention_min = absl::Milliseconds(1);
  limits.queue.retention_max = 10 * long_time;
  limits.queue.recreate_after = absl::ZeroDuration();
  limits.queue.purge_every = absl::ZeroDuration();

  limits.topic.message_bytes_max = kMessageBytes;
  limits.topic.batch_entries_max = 10'000;
  limits.topic.raw_attributes_max = 1'000;
  limits.topic.filter_policies_max = 10'000'000;
  limits.topic.all_filter_policies_max = 100'000'000;

  limits.bus.entries_max = 10'000;
  limits.bus.entries_bytes_max = 16 * kMessageBytes;
  limits.bus.rules_max = 1'000'000;
  limits.bus.targets_max = 10'000;
  limits.bus.input_max = int64_t{1} << 20;
  limits.bus.input_paths_max = 10'000;
  limits.bus.message_group_id_max = 128;
  limits.bus.replays_active_max = 1'000;
  limits.bus.aws_sources_reserved = false;

  limits.schedule.input_bytes_max = kMessageBytes;

  limits.stream.record_bytes_max = kMessageBytes;
  limits.stream.record_bytes_floor = 1;
  limits.stream.batch_records_max = 100'000;
  limits.stream.batch_bytes_max = 16 * kMessageBytes;
  limits.stream.get_records_max = 1'000'000;
  limits.stream.get_bytes_max = 16 * kMessageBytes;
  limits.stream.shards_max = 1'000'000;
  limits.stream.retention_min = absl::Milliseconds(1);
  limits.stream.retention_max = 10 * long_time;
  limits.stream.creating_max = 100'000;
  limits.stream.consumers_max = 10'000;
  limits.stream.consumers_creating_max = 10'000;
  limits.stream.subscribe_every = absl::ZeroDuration();
  limits.stream.take_over_after = absl::ZeroDuration();
  limits.stream.subscription_life = absl::InfiniteDuration();
  limits.stream.push_bytes_per_second = 0;

  limits.consumer.filters_max = 10'000;
  limits.consumer.filter_bytes_max = int64_t{1} << 20;

  limits.pattern.bytes_max = int64_t{1} << 20;
  limits.pattern.event_bytes_max = int64_t{1} << 30;
  limits.pattern.event_names_max = 100'000'000;
  limits.pattern.rules_max = 10'000'000;
  limits.pattern.wildcard_complexity_max = 1'000;
  limits.pattern.alternatives_max = 100'000;
  limits.pattern.sns_bytes_max = int64_t{16} << 20;
  limits.pattern.sns_keys_max = 256;
  limits.pattern.sns_combinations_max = 1'000'000;
  return limits;
}

}  // namespace banyan::inline v0_1
