// SPDX-License-Identifier: Apache-2.0
//
// Limits: every number a service refuses at, in one value that a broker is created with.
//
//   Limits::Aws()      what AWS enforces, as of 2026
//   Limits::Relaxed()  the same language, with room: for programs that never meet AWS
//
// Copy one and change a field to test what happens at a bound. Fields that AWS leaves unsaid are
// marked. Sizes are bytes.
// Source  docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-quotas.html
//         docs.aws.amazon.com/general/latest/gr/sns.html
//         docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
//         docs.aws.amazon.com/scheduler/latest/UserGuide/scheduler-quotas.html
//         docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
//         docs.aws.amazon.com/lambda/latest/dg/invocation-eventfiltering.html
#ifndef BANYAN_LIMITS_H_
#define BANYAN_LIMITS_H_

#include <cstdint>

#include "absl/time/time.h"
#include "banyan/export.h"

namespace banyan::inline v0_1 {

struct BANYAN_EXPORT Limits {
  struct Queue {
    int64_t name_max = 80;
    int64_t message_bytes_max = 1'048'576;  // body and attributes; the default of a queue, too
    int64_t message_bytes_floor = 1'024;    // the smallest maximum a queue may be set to
    int64_t attributes_max = 10;            // per message
    int64_t attribute_name_max = 255;
    int64_t receive_max = 10;  // messages per receive
    int64_t batch_entries_max = 10;
    int64_t batch_bytes_max = 1'048'576;
    int64_t in_flight_max = 120'000;
    int64_t receive_count_max = 1'000;  // of a redrive policy
    absl::Duration delay_max = absl::Minutes(15);
    absl::Duration visibility_max = absl::Hours(12);
    absl::Duration wait_max = absl::Seconds(20);
    absl::Duration retention_min = absl::Minutes(1);
    absl::Duration retention_max = absl::Hours(14 * 24);
    absl::Duration recreate_after = absl::Seconds(60);  // a deleted name rests this long
    absl::Duration purge_every = absl::Seconds(60);     // one Purge in this time
  };
  struct Topic {
    int64_t name_max = 256;
    int64_t message_bytes_max = 262'144;  // body and attributes
    int64_t batch_entries_max = 10;
    int64_t subject_max = 99;                  // characters
    int64_t attribute_name_max = 255;          // bytes
    int64_t raw_attributes_max = 10;           // that a raw delivery into a queue can carry
    int64_t subscriptions_max = 12'500'000;    // per topic
    int64_t filter_policies_max = 200;         // per topic
    int64_t all_filter_policies_max = 10'000;  // of all topics of a broker
    int64_t replays_max = 1'000;  // subscriptions of a topic with a ReplayPolicy; AWS: unsaid
  };
  struct Bus {
    int64_t name_max = 256;
    int64_t rule_name_max = 64;
    int64_t entries_max = 10;               // per PutEvents
    int64_t entries_bytes_max = 1'048'576;  // per PutEvents, by the documented formula
    int64_t detail_type_max = 128;          // characters
    int64_t resource_max = 2'048;           // characters of one resource
    int64_t rules_max = 300;                // per bus
    int64_t targets_max = 5;                // per rule
    int64_t input_max = 8'192;              // characters of a target's Input or InputTemplate
    int64_t input_paths_max = 100;          // of an InputTransformer
    int64_t input_path_max = 256;           // characters of an InputPath, or of one of those
    int64_t message_group_id_max = 100;     // of a target; a queue itself takes 128
    int64_t archive_name_max = 48;
    int64_t replay_name_max = 64;
    int64_t replays_active_max = 10;   // starting or running
    bool aws_sources_reserved = true;  // refuse events whose source begins with "aws."
  };
  struct Schedule {
    int64_t name_max = 64;
    int64_t input_bytes_max = 262'144;
    int64_t message_group_id_max = 128;  // of a target; of a rule's 100
  };
  struct Stream {
    int64_t name_max = 128;
    int64_t record_bytes_max = 10'485'760;   // key and data: the most a stream may be set to
    int64_t record_bytes_floor = 1'048'576;  // the least, and the default
    int64_t partition_key_max = 256;         // characters
    int64_t batch_records_max = 500;
    int64_t batch_bytes_max = 10'485'760;
    int64_t get_records_max = 10'000;
    int64_t get_bytes_max = 10'485'760;
    int64_t shards_max = 10'000;
    absl::Duration retention_min = absl::Hours(24);
    absl::Duration retention_max = absl::Hours(8'760);
    absl::Duration iterator_life = absl::Minutes(5);
    // Of one shard, where StreamOptions::shard_limits has them looked at.
    int64_t shard_write_records_per_second = 1'000;
    int64_t shard_write_bytes_per_second = 1'048'576;
    int64_t shard_read_bytes_per_second = 2'097'152;
    int64_t shard_reads_per_second = 5;
    int64_t shard_iterators_per_second = 5;
    int64_t mode_switches_per_day = 2;  // UpdateStreamMode, in any 24 hours
    int64_t updates_per_day = 10;       // UpdateShardCount, in any 24 hours
    int64_t shards_made_max = 100'000;  // over a stream's life: each costs some 700 bytes. Ours
    // How long a stream is CREATING or UPDATING, and a consumer CREATING or DELETING: a matter of
    // seconds on AWS.
    absl::Duration transition_time = absl::ZeroDuration();
    int64_t creating_max = 5;                     // streams of a broker, at once
    int64_t tags_max = 50;                        // of a stream, and of a consumer
    int64_t encryption_changes_per_day = 25;      // of StartEncryption, and of StopEncryption
    int64_t shards_page_max = 1'000;              // a page of shards
    int64_t page_max = 100;                       // a page of streams, or of consumers
    absl::Duration page_life = absl::Minutes(5);  // how long a NextToken is good

    // Consumers with enhanced fan-out; see stream_consumer.h.
    int64_t consumers_max = 20;          // per stream; AWS: 50 with On-demand Advantage
    int64_t consumers_creating_max = 5;  // per stream, at once
    absl::Duration subscribe_every = absl::Seconds(1);    // one call per consumer and shard
    absl::Duration take_over_after = absl::Seconds(5);    // a subscription is safe for so long
    absl::Duration subscription_life = absl::Minutes(5);  // then it ends
    absl::Duration push_every = absl::Seconds(5);         // an event, empty if need be
    // Per consumer and shard, of streams whose shard_limits are strict. 0: no bound.
    int64_t push_bytes_per_second = 2'097'152;
  };
  struct Consumer {
    int64_t filters_max = 5;           // AWS: 10 by request
    int64_t filter_bytes_max = 4'096;  // one filter; AWS counts characters
  };
  struct Pattern {
    int64_t bytes_max = 4'096;  // an EventBridge pattern
    int64_t depth_max = 1'000;  // of a pattern or an event
    int64_t event_bytes_max = int64_t{16}
                              << 20;       // of an event that is matched; 4 GiB at most. Ours
    int64_t event_names_max = 1'000'000;   // members of all objects of an event. Ours
    int64_t rules_max = 12'500'000;        // in a RuleSet. Ours
    int64_t keys_max = 256;                // in one alternative of a rule
    int64_t wildcard_complexity_max = 10;  // AWS says "too complex" somewhere in 8..11
    int64_t alternatives_max = 1'000;      // what $or may expand to; AWS: unsaid
    int64_t sns_bytes_max = 262'144;       // a filter policy
    int64_t sns_keys_max = 5;
    int64_t sns_combinations_max = 150;
  };
  // Banyan's own bounds, which AWS has no word for. One broker.
  struct Broker {
    int64_t queues_max = 1'000'000;
    int64_t topics_max = 100'000;
    int64_t buses_max = 100;
    int64_t archives_max = 1'000;
    // Replays that are active or remembered; see Broker::StartReplay().
    int64_t replays_kept_max = 10'000;
    int64_t streams_max = 100'000;
    int64_t functions_max = 100'000;
    int64_t schedules_max = 1'000'000;           // AWS: the same, by quota
    int64_t captured_notifications_max = 1'000;  // see captured_notification.h
  };

  Queue queue;
  Topic topic;
  Bus bus;
  Schedule schedule;
  Stream stream;
  Consumer consumer;
  Pattern pattern;
  Broker broker;

  static Limits Aws() { return {}; }

  // Wider, never narrower, than Aws(): messages up to 64 MiB, batches and receives of 10,000,
  // visibility and delay of days, retention from a millisecond, names reused at once, any source.
  static Limits Relaxed();
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_LIMITS_H_
