// SPDX-License-Identifier: Apache-2.0
//
// Metrics: what queues, topics, buses and streams, workers and mappings have done and how they are,
// under CloudWatch's names (namespaces AWS/SQS, AWS/SNS, AWS/Events, AWS/Kinesis, AWS/Lambda, and
// those that KCL gives its own).
//
//   const QueueMetrics jobs = queue.Metrics().value();
//   if (jobs.approximate_age_of_oldest_message > absl::Minutes(5)) Alarm();
//
//   answer.body = PrometheusText(broker.Metrics());    // a scrape of all there is
//   for (const Metric& metric : ListMetrics(jobs)) Push(metric.name, metric.value, metric.unit);
//
// A snapshot of a queue is of one moment; those of topics and buses, whose publishers take no lock,
// are read counter by counter. AWS calls its gauges approximate because many machines add them up;
// these are exact. Counters count since the queue was made and only grow, as Prometheus wants
// them; CloudWatch's number for a period is the difference of two snapshots. An idle queue has
// metrics, too; on AWS it has none after six hours.
//
// Cost     One lock of the queue, topic or bus, and one of each subscription or target. Of a queue
//          most values are read. The two ages are searched, past messages that were received three
//          times or more and those of noisy tenants, in a standard dead-letter queue among all: at
//          worst a walk over the queue.
// Threads  Values. The functions may be called from any thread.
// Units    Sizes are bytes.
// Source   docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html,
//          docs.aws.amazon.com/sns/latest/dg/sns-monitoring-using-cloudwatch.html,
//          docs.aws.amazon.com/eventbridge/latest/userguide/eb-monitoring.html,
//          docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html
#ifndef BANYAN_METRICS_H_
#define BANYAN_METRICS_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "banyan/export.h"

namespace banyan::inline v0_1 {

// Many values as CloudWatch's PutMetricData takes them. All zero while there is none.
struct StatisticSet {
  int64_t count = 0;
  int64_t sum = 0;
  int64_t min = 0;
  int64_t max = 0;

  void Add(int64_t value) {
    min = count == 0 ? value : std::min(min, value);
    max = count == 0 ? value : std::max(max, value);
    sum += value;
    ++count;
  }
  friend bool operator==(const StatisticSet&, const StatisticSet&) = default;
};

// One queue. The books balance in every snapshot:
//   number_of_messages_sent + messages_moved_in =
//       messages_deleted + messages_expired + messages_moved_out + messages_purged
//       + messages_dropped + visible + not visible + delayed
struct QueueMetrics {
  std::string queue_name = {};
  bool fifo = false;

  // Counters by AWS's names.
  int64_t number_of_messages_sent = 0;      // stored; moves from other queues do not count
  int64_t number_of_messages_received = 0;  // each attempt
  int64_t number_of_messages_deleted = 0;   // each Delete answered OK: repeats, too
  int64_t number_of_empty_receives = 0;
  StatisticSet sent_message_size = {};  // bodies and attributes of what was sent

  // Gauges.
  int64_t approximate_number_of_messages_visible = 0;
  int64_t approximate_number_of_messages_not_visible = 0;  // in flight
  int64_t approximate_number_of_messages_delayed = 0;
  // Since it came into this queue: in a dead-letter queue since the move. In whatever state; but
  // in a standard queue a message that was received three times is no longer asked: it may be
  // poison, and must not hide how long the others wait. Zero: there is none.
  absl::Duration approximate_age_of_oldest_message = {};

  // FIFO queues; zero in others.
  int64_t approximate_number_of_groups_with_inflight_messages = 0;
  int64_t number_of_deduplicated_sent_messages = 0;  // a counter: duplicates, not stored

  // Standard queues; zero in others. A tenant (message_group_id) is noisy by
  // QueueOptions::fairness; all others are quiet, and so is each message without tenant.
  int64_t approximate_number_of_noisy_groups = 0;
  int64_t approximate_number_of_messages_visible_in_quiet_groups = 0;
  int64_t approximate_number_of_messages_not_visible_in_quiet_groups = 0;
  int64_t approximate_number_of_messages_delayed_in_quiet_groups = 0;
  absl::Duration approximate_age_of_oldest_message_in_quiet_groups = {};

  // Banyan's own counters, as in QueueStats; and one gauge.
  int64_t messages_deleted = 0;  // each message once
  int64_t messages_expired = 0;
  int64_t messages_moved_in = 0;
  int64_t messages_moved_out = 0;
  int64_t messages_purged = 0;
  int64_t messages_dropped = 0;
  int64_t sends_rejected = 0;
  int64_t stale_deletes = 0;
  int64_t bytes_resting = 0;  // the gauge
};

// One topic (dimension TopicName). Subscriptions that are gone count with what they did. A message
// is published once, and is then for each subscription filtered out, delivered, failed or pending;
// what a replay shows counts again, and what waits for one is in none of them. While a filter policy
// changes, messages that are just being published may count as filtered out.
// Not measured: NumberOfReplayedNotificationsDelivered and -Failed (they are among the others), and
// NumberOfMessages/BytesArchiveProcessing (a message is archived when Publish returns).
struct TopicMetrics {
  std::string topic_name = {};
  bool fifo = false;

  int64_t number_of_messages_published = 0;
  StatisticSet publish_size = {};  // bodies and attributes
  int64_t number_of_notifications_delivered = 0;
  int64_t number_of_notifications_failed = 0;  // for good: dead letters among them
  int64_t number_of_notifications_filtered_out = 0;
  // Of these: by reason. SNS also knows -InvalidAttributes, an attribute that claims to be a number
  // or an array and is none; here that matches no condition, and counts as -MessageAttributes.
  int64_t number_of_notifications_filtered_out_message_attributes = 0;
  int64_t number_of_notifications_filtered_out_message_body = 0;
  int64_t number_of_notifications_filtered_out_no_message_attributes = 0;
  int64_t number_of_notifications_filtered_out_invalid_message_body = 0;
  int64_t number_of_notifications_redriven_to_dlq = 0;
  int64_t number_of_notifications_failed_to_redrive_to_dlq = 0;

  // FIFO topics; gauges.
  int64_t approximate_number_of_messages_archived = 0;
  int64_t approximate_number_of_bytes_archived = 0;

  // Banyan's own.
  int64_t duplicates = 0;       // FIFO
  int64_t failed_attempts = 0;  // of endpoints
  int64_t subscriptions = 0;    // gauges, these two
  int64_t deliveries_pending = 0;
};

// Of all buses together, as AWS counts them: calls of Put and PutEvents. (PutEventsLatency is not
// measured, and nothing throttles.)
struct PutEventsMetrics {
  int64_t approximate_call_count = 0;
  int64_t approximate_success_count = 0;
  int64_t approximate_failed_count = 0;  // refused as a whole
  int64_t entries_count = 0;
  int64_t failed_entries_count = 0;
  StatisticSet request_size = {};  // by EventBridge's formula
};

// One rule (dimensions EventBusName and RuleName). Targets that were removed count with what they
// did. The books: invocations_created = invocations + invocations_pending, and invocations =
// successful attempts + failed_invocations. AWS's ThrottledRules, DeadLetterInvocations (a loop between
// buses is refused by the target, and counts as failed), Events (of partners) and latencies are not
// measured.
struct RuleMetrics {
  std::string event_bus_name = {};
  std::string rule_name = {};

  int64_t matched_events = 0;
  int64_t triggered_rules = 0;      // matched_events, and firings of its schedule
  int64_t invocations_created = 0;  // one for each target and event
  int64_t invocations = 0;          // of these, those that have ended
  int64_t invocation_attempts = 0;
  int64_t successful_invocation_attempts = 0;
  int64_t retry_invocation_attempts = 0;
  int64_t failed_invocations = 0;  // for good
  int64_t invocations_sent_to_dlq = 0;
  int64_t invocations_failed_to_be_sent_to_dlq = 0;

  int64_t invocations_pending = 0;  // Banyan's own; a gauge
};

// One bus. Banyan's own; AWS counts by rule.
struct EventBusMetrics {
  std::string event_bus_name = {};
  int64_t events_accepted = 0;  // as in EventBusStats
  int64_t events_unmatched = 0;
  int64_t events_unreadable = 0;
  int64_t events_replayed = 0;
  std::vector<RuleMetrics> rules = {};  // by name
};

// One shard (dimensions StreamName and ShardId) of a stream with enhanced monitoring. Counters, of
// the shard's whole life. Those that are not enabled are unset.
struct ShardMetrics {
  std::string stream_name = {};
  std::string shard_id = {};

  std::optional<int64_t> incoming_bytes = {};
  std::optional<int64_t> incoming_records = {};
  std::optional<int64_t> outgoing_bytes = {};  // read by GetRecords
  std::optional<int64_t> outgoing_records = {};
  std::optional<int64_t> write_provisioned_throughput_exceeded = {};
  std::optional<int64_t> read_provisioned_throughput_exceeded = {};
  std::optional<StatisticSet> iterator_age_milliseconds = {};  // as of StreamMetrics
};

// One registered consumer (dimensions StreamName and ConsumerName). Counters, since it was
// registered.
struct StreamConsumerMetrics {
  std::string stream_name = {};
  std::string consumer_name = {};

  int64_t subscribe_to_shard_success = 0;        // calls
  int64_t subscribe_to_shard_rate_exceeded = 0;  // calls refused as too many, or too early
  int64_t subscribe_to_shard_event_success = 0;  // events handled without an error
  int64_t subscribe_to_shard_event_records = 0;
  int64_t subscribe_to_shard_event_bytes = 0;  // keys and data
  StatisticSet subscribe_to_shard_event_millis_behind_latest = {};
};

// One stream (dimension StreamName). Counters, but for the gauges. Latencies are not measured.
struct StreamMetrics {
  std::string stream_name = {};

  int64_t incoming_records = 0;  // PutRecord, PutRecords and deliveries from topics and buses
  int64_t incoming_bytes = 0;    // keys and data
  int64_t put_record_bytes = 0;
  int64_t put_record_success = 0;
  int64_t put_records_bytes = 0;
  int64_t put_records_success = 0;  // calls that stored anything
  int64_t put_records_total_records = 0;
  int64_t put_records_successful_records = 0;
  int64_t put_records_failed_records = 0;
  int64_t put_records_throttled_records = 0;
  int64_t get_records_success = 0;  // calls
  int64_t get_records_records = 0;
  int64_t get_records_bytes = 0;
  // Of each call: how long ago its last record had come; 0 if it read up to the tip.
  StatisticSet get_records_iterator_age_milliseconds = {};
  int64_t write_provisioned_throughput_exceeded = 0;  // of ShardLimits::kReport, too
  int64_t read_provisioned_throughput_exceeded = 0;

  // Banyan's own, gauges.
  int64_t open_shards = 0;
  int64_t records_resting = 0;
  int64_t bytes_held = 0;

  std::vector<ShardMetrics> shards = {};  // those not expired, where enhanced monitoring is enabled
  std::vector<StreamConsumerMetrics> consumers = {};  // by name
};

// A mapping of a stream (mapping.h; dimension FunctionName), under AWS/Lambda's names; of a broker
// all that live of one name and stream together. Counters since Start(); gauges last. The books:
//   polled_event_count = filtered_out_event_count + handled + dropped_event_count +
//                        on_failure_destination_delivered_event_count + in_hand
// Records that Disable() or Update() takes back before they were done are polled again, and count
// as not polled before. (DeletedEventCount is of queues only.)
struct MappingMetrics {
  std::string function_name = {};
  std::string stream_name = {};

  int64_t polled_event_count = 0;
  int64_t filtered_out_event_count = 0;
  int64_t invoked_event_count = 0;        // each attempt
  int64_t failed_invoke_event_count = 0;  // of these, not done
  int64_t dropped_event_count = 0;        // given up, and nobody was told
  int64_t on_failure_destination_delivered_event_count = 0;
  int64_t handled = 0;  // Banyan's own

  absl::Duration iterator_age = {};  // of the last record of the last call, when it was called
  int64_t offset_lag = 0;  // records behind the checkpoints of the shards that are being read

  // Banyan's own.
  int64_t in_hand = 0;  // read, and not done
  int64_t running = 0;  // handlers

  // For how long the oldest record that is not done has been in the stream, now; zero: none is.
  absl::Duration behind_latest = {};
};

// The workers of one application on one stream, in this process (worker.h), under KCL's names of
// metrics. Workers that were destroyed do not count, nor what they did.
struct WorkerMetrics {
  std::string application = {};
  std::string stream_name = {};

  int64_t records_processed = 0;  // repetitions included
  int64_t lost_leases = 0;        // taken over by others without a hand-over
  int64_t failures = 0;           // Banyan's own: calls of processors that answered an error
  int64_t leases_taken = 0;
  int64_t leases_handed_over = 0;
  int64_t shards_ended = 0;

  // Gauges.
  int64_t num_workers = 0;  // that have not stopped
  int64_t current_leases = 0;
  int64_t millis_behind_latest = 0;  // of the shard that is furthest behind
};

// Of one broker. They are asked one after another.
struct BrokerMetrics {
  std::vector<QueueMetrics> queues = {};  // by name
  std::vector<TopicMetrics> topics = {};
  std::vector<EventBusMetrics> buses = {};
  std::vector<StreamMetrics> streams = {};
  std::vector<MappingMetrics> mappings = {};  // by stream, then by name
  std::vector<WorkerMetrics> workers = {};    // likewise
  PutEventsMetrics put_events = {};
};

// One metric in words, for whoever passes them on without knowing each.
struct Metric {
  enum class Kind { kCounter, kGauge, kStatistics };

  std::string_view name = {};  // AWS's, "NumberOfMessagesSent"; Banyan's own begin with "banyan_"
  Kind kind = Kind::kCounter;
  std::string_view unit = {};    // CloudWatch's: "Count", "Bytes", "Seconds"
  double value = 0;              // kStatistics: the sum
  StatisticSet statistics = {};  // kStatistics only
  std::string_view help = {};    // a sentence
};

// Those that apply to this kind of queue, or topic. The views live for ever.
BANYAN_EXPORT std::vector<Metric> ListMetrics(const QueueMetrics& metrics);
BANYAN_EXPORT std::vector<Metric> ListMetrics(const TopicMetrics& metrics);
// Not its shards' and consumers'.
BANYAN_EXPORT std::vector<Metric> ListMetrics(const StreamMetrics& metrics);
BANYAN_EXPORT std::vector<Metric> ListMetrics(const ShardMetrics& metrics);
BANYAN_EXPORT std::vector<Metric> ListMetrics(const StreamConsumerMetrics& metrics);
BANYAN_EXPORT std::vector<Metric> ListMetrics(const MappingMetrics& metrics);
BANYAN_EXPORT std::vector<Metric> ListMetrics(const WorkerMetrics& metrics);
BANYAN_EXPORT std::vector<Metric> ListMetrics(const PutEventsMetrics& metrics);
BANYAN_EXPORT std::vector<Metric> ListMetrics(const EventBusMetrics& metrics);  // not its rules'
BANYAN_EXPORT std::vector<Metric> ListMetrics(const RuleMetrics& metrics);

// In Prometheus' text format, version 0.0.4 (Content-Type "text/plain; version=0.0.4"). The names
// follow from those above by rule: AWS's in snake_case behind "banyan_sqs_", "banyan_sns_",
// "banyan_events_", "banyan_kinesis_" ("banyan_kinesis_shard_" for those of a shard),
// "banyan_lambda_" or "banyan_kcl_", Banyan's own as they are; then "_seconds" or "_bytes", then
// "_total" for a counter:
//
//   NumberOfMessagesSent               banyan_sqs_number_of_messages_sent_total{queue="jobs"}
//   ApproximateAgeOfOldestMessage      banyan_sqs_approximate_age_of_oldest_message_seconds{...}
//   SentMessageSize                    banyan_sqs_sent_message_size_bytes, a summary whose
//                                      quantiles 0 and 1 are the least and the greatest
//   banyan_queue_messages_expired      banyan_queue_messages_expired_total{queue="jobs"}
//   MatchedEvents                      banyan_events_matched_events_total{event_bus="b",rule="r"}
BANYAN_EXPORT std::string PrometheusText(const BrokerMetrics& metrics);

}  // namespace banyan::inline v0_1

#endif  // BANYAN_METRICS_H_
