// SPDX-License-Identifier: Apache-2.0
//
// Metrics: what queues have done and how they are, under CloudWatch's names (namespace AWS/SQS,
// dimension QueueName).
//
//   const QueueMetrics jobs = queue.Metrics().value();
//   if (jobs.approximate_age_of_oldest_message > absl::Minutes(5)) Alarm();
//
//   answer.body = PrometheusText(broker.Metrics());    // a scrape of every queue
//   for (const Metric& metric : ListMetrics(jobs)) Push(metric.name, metric.value, metric.unit);
//
// A snapshot is of one moment. AWS calls its gauges approximate because many machines add them up;
// these are exact. Counters count since the queue was made and only grow, as Prometheus wants
// them; CloudWatch's number for a period is the difference of two snapshots. An idle queue has
// metrics, too; on AWS it has none after six hours.
//
// Cost     One lock of the queue. Most values are read. The two ages are searched, past messages
//          that were received three times or more and those of noisy tenants, in a standard
//          dead-letter queue among all: at worst a walk over the queue.
// Threads  Values. The functions may be called from any thread.
// Units    Sizes are bytes.
// Source   docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
#ifndef BANYAN_METRICS_H_
#define BANYAN_METRICS_H_

#include <algorithm>
#include <cstdint>
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

// Of one broker. Each queue's is of one moment, but they are asked one after another.
struct BrokerMetrics {
  std::vector<QueueMetrics> queues = {};  // by name
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

// Those that apply to this kind of queue. The views live for ever.
BANYAN_EXPORT std::vector<Metric> ListMetrics(const QueueMetrics& metrics);

// In Prometheus' text format, version 0.0.4 (Content-Type "text/plain; version=0.0.4"). The names
// follow from those above by rule: AWS's in snake_case behind "banyan_sqs_", Banyan's own as they
// are; then "_seconds" or "_bytes", then "_total" for a counter:
//
//   NumberOfMessagesSent               banyan_sqs_number_of_messages_sent_total{queue="jobs"}
//   ApproximateAgeOfOldestMessage      banyan_sqs_approximate_age_of_oldest_message_seconds{...}
//   SentMessageSize                    banyan_sqs_sent_message_size_bytes, a summary whose
//                                      quantiles 0 and 1 are the least and the greatest
//   banyan_queue_messages_expired      banyan_queue_messages_expired_total{queue="jobs"}
BANYAN_EXPORT std::string PrometheusText(const BrokerMetrics& metrics);

}  // namespace banyan::inline v0_1

#endif  // BANYAN_METRICS_H_
