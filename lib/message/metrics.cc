// SPDX-License-Identifier: Apache-2.0
//
// lib/message/metrics.cc -- floor 1: names for what queues, topics, buses, streams and
// their readers count.
//
// For each of them one table says of every metric its name, kind, unit and meaning, and whom it
// concerns; the lists and Prometheus' text are read off it.
#include "banyan/metrics.h"

#include <charconv>
#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "base/strings.h"

namespace banyan::inline v0_1 {

namespace internal {
namespace {

template <typename T>
struct Row {
  std::string_view name;
  Metric::Kind kind;
  std::string_view unit;
  std::string_view help;
  double (*value)(const T& of);
  bool (*concerns)(const T& of) = nullptr;            // null: all
  StatisticSet (*statistics)(const T& of) = nullptr;  // kStatistics only
};

using enum Metric::Kind;

#define BANYAN_COUNT(field) [](const auto& of) { return static_cast<double>(of.field); }
#define BANYAN_SECONDS(field) [](const auto& of) { return absl::ToDoubleSeconds(of.field); }

constexpr std::string_view kCount = "Count";
constexpr std::string_view kBytes = "Bytes";
constexpr std::string_view kSeconds = "Seconds";
constexpr std::string_view kMilliseconds = "Milliseconds";

constexpr auto kFifo = [](const auto& of) { return of.fifo; };
constexpr auto kStandard = [](const auto& of) { return !of.fifo; };

// --- Queues: AWS/SQS

constexpr Row<QueueMetrics> kQueueRows[] = {
    {"NumberOfMessagesSent", kCounter, kCount,
     "Messages stored by a send or a delivery; moves do not count.",
     BANYAN_COUNT(number_of_messages_sent)},
    {"NumberOfMessagesReceived", kCounter, kCount, "Messages given to receivers.",
     BANYAN_COUNT(number_of_messages_received)},
    {"NumberOfMessagesDeleted", kCounter, kCount,
     "Deletes answered OK, also those of a message that was gone.",
     BANYAN_COUNT(number_of_messages_deleted)},
    {"NumberOfEmptyReceives", kCounter, kCount, "Receives that found nothing in time.",
     BANYAN_COUNT(number_of_empty_receives)},
    {"SentMessageSize", kStatistics, kBytes, "Body and attributes of each message sent.",
     BANYAN_COUNT(sent_message_size.sum), nullptr,
     [](const QueueMetrics& of) { return of.sent_message_size; }},
    {"ApproximateNumberOfMessagesVisible", kGauge, kCount, "Messages that wait for a receiver.",
     BANYAN_COUNT(approximate_number_of_messages_visible)},
    {"ApproximateNumberOfMessagesNotVisible", kGauge, kCount, "Messages received and not settled.",
     BANYAN_COUNT(approximate_number_of_messages_not_visible)},
    {"ApproximateNumberOfMessagesDelayed", kGauge, kCount, "Messages whose delay has not ended.",
     BANYAN_COUNT(approximate_number_of_messages_delayed)},
    {"ApproximateAgeOfOldestMessage", kGauge, kSeconds,
     "Time since the oldest message came into this queue.",
     BANYAN_SECONDS(approximate_age_of_oldest_message)},

    {"ApproximateNumberOfGroupsWithInflightMessages", kGauge, kCount,
     "Message groups with a message in flight.",
     BANYAN_COUNT(approximate_number_of_groups_with_inflight_messages), kFifo},
    {"NumberOfDeduplicatedSentMessages", kCounter, kCount,
     "Sends taken for duplicates and not stored.",
     BANYAN_COUNT(number_of_deduplicated_sent_messages), kFifo},

    {"ApproximateNumberOfNoisyGroups", kGauge, kCount, "Tenants that keep consumers busy.",
     BANYAN_COUNT(approximate_number_of_noisy_groups), kStandard},
    {"ApproximateNumberOfMessagesVisibleInQuietGroups", kGauge, kCount,
     "Messages of tenants that are not noisy, waiting for a receiver.",
     BANYAN_COUNT(approximate_number_of_messages_visible_in_quiet_groups), kStandard},
    {"ApproximateNumberOfMessagesNotVisibleInQuietGroups", kGauge, kCount,
     "Messages of tenants that are not noisy, received and not settled.",
     BANYAN_COUNT(approximate_number_of_messages_not_visible_in_quiet_groups), kStandard},
    {"ApproximateNumberOfMessagesDelayedInQuietGroups", kGauge, kCount,
     "Messages of tenants that are not noisy, whose delay has not ended.",
     BANYAN_COUNT(approximate_number_of_messages_delayed_in_quiet_groups), kStandard},
    {"ApproximateAgeOfOldestMessageInQuietGroups", kGauge, kSeconds,
     "Time since the oldest message of a tenant that is not noisy came into this queue.",
     BANYAN_SECONDS(approximate_age_of_oldest_message_in_quiet_groups), kStandard},

    {"banyan_queue_messages_deleted", kCounter, kCount, "Messages deleted, each once.",
     BANYAN_COUNT(messages_deleted)},
    {"banyan_queue_messages_expired", kCounter, kCount,
     "Messages gone because their retention ended.", BANYAN_COUNT(messages_expired)},
    {"banyan_queue_messages_moved_in", kCounter, kCount,
     "Messages from other queues: dead letters and redrives.", BANYAN_COUNT(messages_moved_in)},
    {"banyan_queue_messages_moved_out", kCounter, kCount,
     "Messages gone to other queues: dead letters and redrives.", BANYAN_COUNT(messages_moved_out)},
    {"banyan_queue_messages_purged", kCounter, kCount, "Messages that a purge forgot.",
     BANYAN_COUNT(messages_purged)},
    {"banyan_queue_messages_dropped", kCounter, kCount,
     "The oldest messages, dropped to make room.", BANYAN_COUNT(messages_dropped)},
    {"banyan_queue_sends_rejected", kCounter, kCount, "Sends refused because it was full.",
     BANYAN_COUNT(sends_rejected)},
    {"banyan_queue_stale_deletes", kCounter, kCount,
     "Deletes with a handle that was not good any more.", BANYAN_COUNT(stale_deletes)},
    {"banyan_queue_resting", kGauge, kBytes, "Bodies and attributes of all that rests here.",
     BANYAN_COUNT(bytes_resting)},
};

// --- Topics: AWS/SNS

constexpr Row<TopicMetrics> kTopicRows[] = {
    {"NumberOfMessagesPublished", kCounter, kCount, "Messages the topic accepted.",
     BANYAN_COUNT(number_of_messages_published)},
    {"PublishSize", kStatistics, kBytes, "Body and attributes of each message.",
     BANYAN_COUNT(publish_size.sum), nullptr,
     [](const TopicMetrics& of) { return of.publish_size; }},
    {"NumberOfNotificationsDelivered", kCounter, kCount, "Messages that subscriptions took.",
     BANYAN_COUNT(number_of_notifications_delivered)},
    {"NumberOfNotificationsFailed", kCounter, kCount,
     "Messages that subscriptions did not take, to the last attempt.",
     BANYAN_COUNT(number_of_notifications_failed)},
    {"NumberOfNotificationsFilteredOut", kCounter, kCount,
     "Messages that filter policies stopped, once for each subscription.",
     BANYAN_COUNT(number_of_notifications_filtered_out)},
    {"NumberOfNotificationsFilteredOut-MessageAttributes", kCounter, kCount,
     "Of these, by policies on attributes that did not match.",
     BANYAN_COUNT(number_of_notifications_filtered_out_message_attributes)},
    {"NumberOfNotificationsFilteredOut-MessageBody", kCounter, kCount,
     "Of these, by policies on bodies that did not match.",
     BANYAN_COUNT(number_of_notifications_filtered_out_message_body)},
    {"NumberOfNotificationsFilteredOut-NoMessageAttributes", kCounter, kCount,
     "Of these, by policies on attributes, since the message had none.",
     BANYAN_COUNT(number_of_notifications_filtered_out_no_message_attributes)},
    {"NumberOfNotificationsFilteredOut-InvalidMessageBody", kCounter, kCount,
     "Of these, by policies on bodies, since the body was no JSON object within the limits.",
     BANYAN_COUNT(number_of_notifications_filtered_out_invalid_message_body)},
    {"NumberOfNotificationsRedrivenToDlq", kCounter, kCount, "Messages in dead-letter queues.",
     BANYAN_COUNT(number_of_notifications_redriven_to_dlq)},
    {"NumberOfNotificationsFailedToRedriveToDlq", kCounter, kCount,
     "Messages that a dead-letter queue did not take.",
     BANYAN_COUNT(number_of_notifications_failed_to_redrive_to_dlq)},

    {"ApproximateNumberOfMessagesArchived", kGauge, kCount, "Messages in the archive.",
     BANYAN_COUNT(approximate_number_of_messages_archived), kFifo},
    {"ApproximateNumberOfBytesArchived", kGauge, kBytes, "Their bodies and attributes.",
     BANYAN_COUNT(approximate_number_of_bytes_archived), kFifo},

    {"banyan_topic_duplicates", kCounter, kCount,
     "Publishes answered like an earlier one, and delivered to nobody.", BANYAN_COUNT(duplicates),
     kFifo},
    {"banyan_topic_subscriptions", kGauge, kCount, "Subscriptions.", BANYAN_COUNT(subscriptions)},
    {"banyan_topic_deliveries_pending", kGauge, kCount,
     "Deliveries that run, or wait for another attempt.", BANYAN_COUNT(deliveries_pending)},
    {"banyan_topic_failed_attempts", kCounter, kCount,
     "Attempts that a subscription's endpoint refused.", BANYAN_COUNT(failed_attempts)},
};

// --- Streams: AWS/Kinesis

constexpr Row<StreamMetrics> kStreamRows[] = {
    {"IncomingRecords", kCounter, kCount, "Records stored.", BANYAN_COUNT(incoming_records)},
    {"IncomingBytes", kCounter, kBytes, "Their partition keys and data.",
     BANYAN_COUNT(incoming_bytes)},
    {"PutRecord.Success", kCounter, kCount, "Records stored one by one.",
     BANYAN_COUNT(put_record_success)},
    {"PutRecord.Bytes", kCounter, kBytes, "Their partition keys and data.",
     BANYAN_COUNT(put_record_bytes)},
    {"PutRecords.Success", kCounter, kCount, "Calls of PutRecords that stored anything.",
     BANYAN_COUNT(put_records_success)},
    {"PutRecords.Bytes", kCounter, kBytes, "Partition keys and data of what they stored.",
     BANYAN_COUNT(put_records_bytes)},
    {"PutRecords.TotalRecords", kCounter, kCount, "Records in calls of PutRecords.",
     BANYAN_COUNT(put_records_total_records)},
    {"PutRecords.SuccessfulRecords", kCounter, kCount, "Of these, stored.",
     BANYAN_COUNT(put_records_successful_records)},
    {"PutRecords.FailedRecords", kCounter, kCount, "Of these, refused for another reason.",
     BANYAN_COUNT(put_records_failed_records)},
    {"PutRecords.ThrottledRecords", kCounter, kCount, "Of these, refused for want of throughput.",
     BANYAN_COUNT(put_records_throttled_records)},
    {"GetRecords.Success", kCounter, kCount, "Calls of GetRecords answered.",
     BANYAN_COUNT(get_records_success)},
    {"GetRecords.Records", kCounter, kCount, "Records they gave.",
     BANYAN_COUNT(get_records_records)},
    {"GetRecords.Bytes", kCounter, kBytes, "Partition keys and data of these.",
     BANYAN_COUNT(get_records_bytes)},
    {"GetRecords.IteratorAgeMilliseconds", kStatistics, kMilliseconds,
     "Age of the last record of each call that left others unread; 0 of one that left none.",
     BANYAN_COUNT(get_records_iterator_age_milliseconds.sum), nullptr,
     [](const StreamMetrics& of) { return of.get_records_iterator_age_milliseconds; }},
    {"WriteProvisionedThroughputExceeded", kCounter, kCount,
     "Records beyond what a shard takes in a second, refused or reported; and refused by a full "
     "one.",
     BANYAN_COUNT(write_provisioned_throughput_exceeded)},
    {"ReadProvisionedThroughputExceeded", kCounter, kCount,
     "Calls beyond what a shard gives in a second, refused or reported.",
     BANYAN_COUNT(read_provisioned_throughput_exceeded)},

    {"banyan_stream_open_shards", kGauge, kCount, "Shards that take records.",
     BANYAN_COUNT(open_shards)},
    {"banyan_stream_records_resting", kGauge, kCount, "Records that can be read.",
     BANYAN_COUNT(records_resting)},
    {"banyan_stream_held", kGauge, kBytes, "Memory taken for records.", BANYAN_COUNT(bytes_held)},
};

#define BANYAN_IF_SET(field)                                                \
  [](const auto& of) { return static_cast<double>(of.field.value_or(0)); }, \
      [](const auto& of) { return of.field.has_value(); }

constexpr Row<ShardMetrics> kShardRows[] = {
    {"IncomingBytes", kCounter, kBytes, "Partition keys and data of the records stored.",
     BANYAN_IF_SET(incoming_bytes)},
    {"IncomingRecords", kCounter, kCount, "Records stored.", BANYAN_IF_SET(incoming_records)},
    {"OutgoingBytes", kCounter, kBytes, "Partition keys and data of the records read.",
     BANYAN_IF_SET(outgoing_bytes)},
    {"OutgoingRecords", kCounter, kCount, "Records read.", BANYAN_IF_SET(outgoing_records)},
    {"WriteProvisionedThroughputExceeded", kCounter, kCount,
     "Records beyond what the shard takes in a second, refused or reported.",
     BANYAN_IF_SET(write_provisioned_throughput_exceeded)},
    {"ReadProvisionedThroughputExceeded", kCounter, kCount,
     "Calls beyond what the shard gives in a second, refused or reported.",
     BANYAN_IF_SET(read_provisioned_throughput_exceeded)},
    {"IteratorAgeMilliseconds", kStatistics, kMilliseconds,
     "Age of the last record of each call that left others unread; 0 of one that left none.",
     [](const ShardMetrics& of) {
       return static_cast<double>(of.iterator_age_milliseconds.value_or(StatisticSet()).sum);
     },
     [](const ShardMetrics& of) { return of.iterator_age_milliseconds.has_value(); },
     [](const ShardMetrics& of) { return of.iterator_age_milliseconds.value_or(StatisticSet()); }},
};

constexpr Row<StreamConsumerMetrics> kStreamConsumerRows[] = {
    {"SubscribeToShard.Success", kCounter, kCount, "Calls of SubscribeToShard that succeeded.",
     BANYAN_COUNT(subscribe_to_shard_success)},
    {"SubscribeToShard.RateExceeded", kCounter, kCount,
     "Calls refused as too many, or because another subscription is active.",
     BANYAN_COUNT(subscribe_to_shard_rate_exceeded)},
    {"SubscribeToShardEvent.Success", kCounter, kCount, "Events handled without an error.",
     BANYAN_COUNT(subscribe_to_shard_event_success)},
    {"SubscribeToShardEvent.Records", kCounter, kCount, "Records in them.",
     BANYAN_COUNT(subscribe_to_shard_event_records)},
    {"SubscribeToShardEvent.Bytes", kCounter, kBytes, "Partition keys and data of these.",
     BANYAN_COUNT(subscribe_to_shard_event_bytes)},
    {"SubscribeToShardEvent.MillisBehindLatest", kStatistics, kMilliseconds,
     "How far behind the tip each of them was.",
     BANYAN_COUNT(subscribe_to_shard_event_millis_behind_latest.sum), nullptr,
     [](const StreamConsumerMetrics& of) {
       return of.subscribe_to_shard_event_millis_behind_latest;
     }},
};

// --- Mappings: AWS/Lambda

constexpr Row<MappingMetrics> kMappingRows[] = {
    {"PolledEventCount", kCounter, kCount, "Records read.", BANYAN_COUNT(polled_event_count)},
    {"FilteredOutEventCount", kCounter, kCount, "Of these, wanted by no filter.",
     BANYAN_COUNT(filtered_out_event_count)},
    {"InvokedEventCount", kCounter, kCount, "Records that handlers were called with.",
     BANYAN_COUNT(invoked_event_count)},
    {"FailedInvokeEventCount", kCounter, kCount, "Of these, not done by that call.",
     BANYAN_COUNT(failed_invoke_event_count)},
    {"DroppedEventCount", kCounter, kCount, "Records given up without telling anybody.",
     BANYAN_COUNT(dropped_event_count)},
    {"OnFailureDestinationDeliveredEventCount", kCounter, kCount,
     "Records given up and told of to the destination.",
     BANYAN_COUNT(on_failure_destination_delivered_event_count)},
    {"IteratorAge", kGauge, kSeconds,
     "Age of the last record of the last call, when it was called.", BANYAN_SECONDS(iterator_age)},
    {"OffsetLag", kGauge, kCount, "Records behind the checkpoints.", BANYAN_COUNT(offset_lag)},
    {"banyan_mapping_records_handled", kCounter, kCount, "Records done by handlers.",
     BANYAN_COUNT(handled)},
    {"banyan_mapping_records_in_hand", kGauge, kCount, "Records read and not done.",
     BANYAN_COUNT(in_hand)},
    {"banyan_mapping_calls_running", kGauge, kCount, "Handlers that run.", BANYAN_COUNT(running)},
    {"banyan_mapping_behind_latest", kGauge, kSeconds,
     "How long the oldest record that is not done has been in the stream.",
     BANYAN_SECONDS(behind_latest)},
};

// --- Workers: KCL's own namespace

constexpr Row<WorkerMetrics> kWorkerRows[] = {
    {"RecordsProcessed", kCounter, kCount, "Records that processors took, repetitions included.",
     BANYAN_COUNT(records_processed)},
    {"LostLeases", kCounter, kCount, "Leases taken over by others without a hand-over.",
     BANYAN_COUNT(lost_leases)},
    {"NumWorkers", kGauge, kCount, "Workers of the application in this process.",
     BANYAN_COUNT(num_workers)},
    {"CurrentLeases", kGauge, kCount, "Shards they hold.", BANYAN_COUNT(current_leases)},
    {"MillisBehindLatest", kGauge, kMilliseconds,
     "Age of the oldest record that was seen and is not processed.",
     BANYAN_COUNT(millis_behind_latest)},
    {"banyan_worker_failures", kCounter, kCount, "Calls of processors that answered an error.",
     BANYAN_COUNT(failures)},
    {"banyan_worker_leases_taken", kCounter, kCount, "Shards that began here.",
     BANYAN_COUNT(leases_taken)},
    {"banyan_worker_leases_handed_over", kCounter, kCount, "Shards that another worker asked for.",
     BANYAN_COUNT(leases_handed_over)},
    {"banyan_worker_shards_ended", kCounter, kCount, "Shards processed to their end.",
     BANYAN_COUNT(shards_ended)},
};

// --- Buses and rules: AWS/Events

constexpr Row<PutEventsMetrics> kPutEventsRows[] = {
    {"PutEventsApproximateCallCount", kCounter, kCount, "Calls that put events.",
     BANYAN_COUNT(approximate_call_count)},
    {"PutEventsApproximateSuccessCount", kCounter, kCount, "Of these, answered entry by entry.",
     BANYAN_COUNT(approximate_success_count)},
    {"PutEventsApproximateFailedCount", kCounter, kCount, "Of these, refused as a whole.",
     BANYAN_COUNT(approximate_failed_count)},
    {"PutEventsEntriesCount", kCounter, kCount, "Entries of calls that were answered.",
     BANYAN_COUNT(entries_count)},
    {"PutEventsFailedEntriesCount", kCounter, kCount, "Of these, refused.",
     BANYAN_COUNT(failed_entries_count)},
    {"PutEventsRequestSize", kStatistics, kBytes, "Entries of each call, by EventBridge's formula.",
     BANYAN_COUNT(request_size.sum), nullptr,
     [](const PutEventsMetrics& of) { return of.request_size; }},
};

constexpr Row<EventBusMetrics> kBusRows[] = {
    {"banyan_bus_events_accepted", kCounter, kCount, "Events, also those other buses forwarded.",
     BANYAN_COUNT(events_accepted)},
    {"banyan_bus_events_unmatched", kCounter, kCount, "Of these, matched by no rule.",
     BANYAN_COUNT(events_unmatched)},
    {"banyan_bus_events_unreadable", kCounter, kCount,
     "Of these, beyond what patterns look at, so that no rule saw them.",
     BANYAN_COUNT(events_unreadable)},
    {"banyan_bus_events_replayed", kCounter, kCount, "Events that replays put again.",
     BANYAN_COUNT(events_replayed)},
};

constexpr Row<RuleMetrics> kRuleRows[] = {
    {"MatchedEvents", kCounter, kCount, "Events that the rule's pattern matched.",
     BANYAN_COUNT(matched_events)},
    {"TriggeredRules", kCounter, kCount, "Times the rule ran, for an event or by its schedule.",
     BANYAN_COUNT(triggered_rules)},
    {"InvocationsCreated", kCounter, kCount, "Deliveries, one for each target and event.",
     BANYAN_COUNT(invocations_created)},
    {"Invocations", kCounter, kCount, "Of these, those that have succeeded or failed for good.",
     BANYAN_COUNT(invocations)},
    {"InvocationAttempts", kCounter, kCount, "Attempts, those that failed among them.",
     BANYAN_COUNT(invocation_attempts)},
    {"SuccessfulInvocationAttempts", kCounter, kCount, "Attempts that a target took.",
     BANYAN_COUNT(successful_invocation_attempts)},
    {"RetryInvocationAttempts", kCounter, kCount, "Attempts after a delivery's first.",
     BANYAN_COUNT(retry_invocation_attempts)},
    {"FailedInvocations", kCounter, kCount, "Deliveries that failed for good.",
     BANYAN_COUNT(failed_invocations)},
    {"InvocationsSentToDlq", kCounter, kCount, "Of these, in a dead-letter queue.",
     BANYAN_COUNT(invocations_sent_to_dlq)},
    {"InvocationsFailedToBeSentToDlq", kCounter, kCount,
     "Of these, not taken by their dead-letter queue.",
     BANYAN_COUNT(invocations_failed_to_be_sent_to_dlq)},
    {"banyan_rule_invocations_pending", kGauge, kCount,
     "Deliveries that run, or wait for another attempt.", BANYAN_COUNT(invocations_pending)},
};

#undef BANYAN_COUNT
#undef BANYAN_SECONDS

// --- Reading the tables --------------------------------------------------------------------------

template <typename T>
bool Concerns(const Row<T>& row, const T& of) {
  return row.concerns == nullptr || row.concerns(of);
}

template <typename T>
std::vector<Metric> List(absl::Span<const Row<T>> rows, const T& of) {
  std::vector<Metric> list;
  for (const Row<T>& row : rows) {
    if (!Concerns(row, of)) continue;
    list.push_back({.name = row.name,
                    .kind = row.kind,
                    .unit = row.unit,
                    .value = row.value(of),
                    .statistics = row.statistics == nullptr ? StatisticSet() : row.statistics(of),
                    .help = row.help});
  }
  return list;
}

// The rule of banyan/metrics.h. `service`: "sqs".
template <typename T>
std::string PrometheusName(const Row<T>& row, std::string_view service) {
  std::string name;
  if (row.name.substr(0, 7) != "banyan_") name = StrCat("banyan_", service);
  for (const char c : row.name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper) name += '_';
    if (c == '-' || c == '.') continue;
    name += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (row.unit == kSeconds) name += "_seconds";
  if (row.unit == kBytes && !name.ends_with("_bytes")) name += "_bytes";
  if (row.kind == kCounter) name += "_total";
  return name;
}

std::string_view PrometheusType(Metric::Kind kind) {
  switch (kind) {
    case kCounter:
      return "counter";
    case kGauge:
      return "gauge";
    case kStatistics:
      return "summary";
  }
  return "untyped";
}

// Without an exponent, and so that reading it gives the same number again.
std::string Number(double value) {
  char text[400];  // the longest double has 309 digits before its point, or 343 behind
  const std::to_chars_result end =
      std::to_chars(text, text + sizeof(text), value, std::chars_format::fixed);
  return std::string(text, end.ptr);
}

std::string Label(std::string_view name, std::string_view value) {
  std::string text = StrCat(name, "=\"");
  for (const char c : value) {
    if (c == '\\' || c == '"') text += '\\';
    if (c == '\n') {
      text += "\\n";
    } else {
      text += c;
    }
  }
  return text + '"';
}

std::string LabelsOf(const PutEventsMetrics&) { return {}; }
std::string LabelsOf(const QueueMetrics& of) { return Label("queue", of.queue_name); }
std::string LabelsOf(const TopicMetrics& of) { return Label("topic", of.topic_name); }
std::string LabelsOf(const StreamMetrics& of) { return Label("stream", of.stream_name); }
std::string LabelsOf(const ShardMetrics& of) {
  return StrCat(Label("stream", of.stream_name), ",", Label("shard", of.shard_id));
}
std::string LabelsOf(const StreamConsumerMetrics& of) {
  return StrCat(Label("stream", of.stream_name), ",", Label("consumer", of.consumer_name));
}
std::string LabelsOf(const MappingMetrics& of) {
  return StrCat(Label("stream", of.stream_name), ",", Label("function", of.function_name));
}
std::string LabelsOf(const WorkerMetrics& of) {
  return StrCat(Label("stream", of.stream_name), ",", Label("application", of.application));
}
std::string LabelsOf(const EventBusMetrics& of) { return Label("event_bus", of.event_bus_name); }
std::string LabelsOf(const RuleMetrics& of) {
  return StrCat(Label("event_bus", of.event_bus_name), ",", Label("rule", of.rule_name));
}

template <typename T>
void AppendSamples(const Row<T>& row, std::string_view name, const T& of, std::string* text) {
  const std::string labels = LabelsOf(of);
  const std::string all = labels.empty() ? "" : StrCat("{", labels, "}");
  if (row.kind != kStatistics) {
    StrAppend(text, name, all, " ", Number(row.value(of)), "\n");
    return;
  }
  const StatisticSet values = row.statistics(of);
  if (values.count > 0) {
    const std::string first = labels.empty() ? "{" : StrCat("{", labels, ",");
    StrAppend(text, name, first, "quantile=\"0\"} ", values.min, "\n");
    StrAppend(text, name, first, "quantile=\"1\"} ", values.max, "\n");
  }
  StrAppend(text, name, "_sum", all, " ", values.sum, "\n");
  StrAppend(text, name, "_count", all, " ", values.count, "\n");
}

template <typename T>
void AppendFamilies(absl::Span<const Row<T>> rows, std::string_view service,
                    absl::Span<const T* const> all, std::string* text) {
  for (const Row<T>& row : rows) {
    const std::string name = PrometheusName(row, service);
    bool is_first = true;
    for (const T* of : all) {
      if (!Concerns(row, *of)) continue;
      if (is_first) {
        StrAppend(text, "# HELP ", name, " ", row.help, "\n# TYPE ", name, " ",
                  PrometheusType(row.kind), "\n");
      }
      is_first = false;
      AppendSamples(row, name, *of, text);
    }
  }
}

}  // namespace
}  // namespace internal

std::vector<Metric> ListMetrics(const QueueMetrics& metrics) {
  return internal::List<QueueMetrics>(internal::kQueueRows, metrics);
}
std::vector<Metric> ListMetrics(const TopicMetrics& metrics) {
  return internal::List<TopicMetrics>(internal::kTopicRows, metrics);
}
std::vector<Metric> ListMetrics(const StreamMetrics& metrics) {
  return internal::List<StreamMetrics>(internal::kStreamRows, metrics);
}
std::vector<Metric> ListMetrics(const ShardMetrics& metrics) {
  return internal::List<ShardMetrics>(internal::kShardRows, metrics);
}
std::vector<Metric> ListMetrics(const StreamConsumerMetrics& metrics) {
  return internal::List<StreamConsumerMetrics>(internal::kStreamConsumerRows, metrics);
}
std::vector<Metric> ListMetrics(const MappingMetrics& metrics) {
  return internal::List<MappingMetrics>(internal::kMappingRows, metrics);
}
std::vector<Metric> ListMetrics(const WorkerMetrics& metrics) {
  return internal::List<WorkerMetrics>(internal::kWorkerRows, metrics);
}
std::vector<Metric> ListMetrics(const PutEventsMetrics& metrics) {
  return internal::List<PutEventsMetrics>(internal::kPutEventsRows, metrics);
}
std::vector<Metric> ListMetrics(const EventBusMetrics& metrics) {
  return internal::List<EventBusMetrics>(internal::kBusRows, metrics);
}
std::vector<Metric> ListMetrics(const RuleMetrics& metrics) {
  return internal::List<RuleMetrics>(internal::kRuleRows, metrics);
}

std::string PrometheusText(const BrokerMetrics& metrics) {
  std::vector<const QueueMetrics*> queues;
  for (const QueueMetrics& queue : metrics.queues) queues.push_back(&queue);
  std::vector<const TopicMetrics*> topics;
  for (const TopicMetrics& topic : metrics.topics) topics.push_back(&topic);
  std::vector<const StreamMetrics*> streams;
  std::vector<const ShardMetrics*> shards;
  std::vector<const StreamConsumerMetrics*> consumers;
  for (const StreamMetrics& stream : metrics.streams) {
    streams.push_back(&stream);
    for (const ShardMetrics& shard : stream.shards) shards.push_back(&shard);
    for (const StreamConsumerMetrics& consumer : stream.consumers) consumers.push_back(&consumer);
  }
  std::vector<const MappingMetrics*> mappings;
  for (const MappingMetrics& mapping : metrics.mappings) mappings.push_back(&mapping);
  std::vector<const WorkerMetrics*> workers;
  for (const WorkerMetrics& worker : metrics.workers) workers.push_back(&worker);
  std::vector<const EventBusMetrics*> buses;
  std::vector<const RuleMetrics*> rules;
  for (const EventBusMetrics& bus : metrics.buses) {
    buses.push_back(&bus);
    for (const RuleMetrics& rule : bus.rules) rules.push_back(&rule);
  }
  std::string text;
  internal::AppendFamilies<QueueMetrics>(internal::kQueueRows, "sqs", queues, &text);
  internal::AppendFamilies<TopicMetrics>(internal::kTopicRows, "sns", topics, &text);
  internal::AppendFamilies<StreamMetrics>(internal::kStreamRows, "kinesis", streams, &text);
  internal::AppendFamilies<ShardMetrics>(internal::kShardRows, "kinesis_shard", shards, &text);
  internal::AppendFamilies<StreamConsumerMetrics>(internal::kStreamConsumerRows, "kinesis",
                                                  consumers, &text);
  internal::AppendFamilies<MappingMetrics>(internal::kMappingRows, "lambda", mappings, &text);
  internal::AppendFamilies<WorkerMetrics>(internal::kWorkerRows, "kcl", workers, &text);
  const PutEventsMetrics* const puts = &metrics.put_events;
  if (puts->approximate_call_count > 0) {
    internal::AppendFamilies<PutEventsMetrics>(internal::kPutEventsRows, "events", {&puts, 1},
                                               &text);
  }
  internal::AppendFamilies<EventBusMetrics>(internal::kBusRows, "events", buses, &text);
  internal::AppendFamilies<RuleMetrics>(internal::kRuleRows, "events", rules, &text);
  return text;
}

}  // namespace banyan::inline v0_1
