// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/metrics.cc -- floor 3, the queue room: what a queue tells of itself in numbers.
//
// One table says of each metric its name, kind, unit and meaning, and whom it concerns; the list
// and Prometheus' text are read off it.
#include "banyan/metrics.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1 {

namespace internal {
namespace {

enum class Concerns { kAll, kFifo, kStandard };

struct Row {
  std::string_view name;
  Metric::Kind kind;
  std::string_view unit;
  Concerns concerns;
  std::string_view help;
  double (*value)(const QueueMetrics& metrics);
};

using enum Metric::Kind;
using enum Concerns;

#define BANYAN_COUNT(field) [](const QueueMetrics& of) { return static_cast<double>(of.field); }
#define BANYAN_SECONDS(field) [](const QueueMetrics& of) { return absl::ToDoubleSeconds(of.field); }

constexpr std::string_view kCount = "Count";
constexpr std::string_view kBytes = "Bytes";
constexpr std::string_view kSeconds = "Seconds";

constexpr Row kRows[] = {
    {"NumberOfMessagesSent", kCounter, kCount, kAll,
     "Messages stored by a send or a delivery; moves do not count.",
     BANYAN_COUNT(number_of_messages_sent)},
    {"NumberOfMessagesReceived", kCounter, kCount, kAll, "Messages given to receivers.",
     BANYAN_COUNT(number_of_messages_received)},
    {"NumberOfMessagesDeleted", kCounter, kCount, kAll,
     "Deletes answered OK, also those of a message that was gone.",
     BANYAN_COUNT(number_of_messages_deleted)},
    {"NumberOfEmptyReceives", kCounter, kCount, kAll, "Receives that found nothing in time.",
     BANYAN_COUNT(number_of_empty_receives)},
    {"SentMessageSize", kStatistics, kBytes, kAll, "Body and attributes of each message sent.",
     BANYAN_COUNT(sent_message_size.sum)},
    {"ApproximateNumberOfMessagesVisible", kGauge, kCount, kAll,
     "Messages that wait for a receiver.", BANYAN_COUNT(approximate_number_of_messages_visible)},
    {"ApproximateNumberOfMessagesNotVisible", kGauge, kCount, kAll,
     "Messages received and not settled.",
     BANYAN_COUNT(approximate_number_of_messages_not_visible)},
    {"ApproximateNumberOfMessagesDelayed", kGauge, kCount, kAll,
     "Messages whose delay has not ended.", BANYAN_COUNT(approximate_number_of_messages_delayed)},
    {"ApproximateAgeOfOldestMessage", kGauge, kSeconds, kAll,
     "Time since the oldest message came into this queue.",
     BANYAN_SECONDS(approximate_age_of_oldest_message)},

    {"ApproximateNumberOfGroupsWithInflightMessages", kGauge, kCount, kFifo,
     "Message groups with a message in flight.",
     BANYAN_COUNT(approximate_number_of_groups_with_inflight_messages)},
    {"NumberOfDeduplicatedSentMessages", kCounter, kCount, kFifo,
     "Sends taken for duplicates and not stored.",
     BANYAN_COUNT(number_of_deduplicated_sent_messages)},

    {"ApproximateNumberOfNoisyGroups", kGauge, kCount, kStandard,
     "Tenants that keep consumers busy.", BANYAN_COUNT(approximate_number_of_noisy_groups)},
    {"ApproximateNumberOfMessagesVisibleInQuietGroups", kGauge, kCount, kStandard,
     "Messages of tenants that are not noisy, waiting for a receiver.",
     BANYAN_COUNT(approximate_number_of_messages_visible_in_quiet_groups)},
    {"ApproximateNumberOfMessagesNotVisibleInQuietGroups", kGauge, kCount, kStandard,
     "Messages of tenants that are not noisy, received and not settled.",
     BANYAN_COUNT(approximate_number_of_messages_not_visible_in_quiet_groups)},
    {"ApproximateNumberOfMessagesDelayedInQuietGroups", kGauge, kCount, kStandard,
     "Messages of tenants that are not noisy, whose delay has not ended.",
     BANYAN_COUNT(approximate_number_of_messages_delayed_in_quiet_groups)},
    {"ApproximateAgeOfOldestMessageInQuietGroups", kGauge, kSeconds, kStandard,
     "Time since the oldest message of a tenant that is not noisy came into this queue.",
     BANYAN_SECONDS(approximate_age_of_oldest_message_in_quiet_groups)},

    {"banyan_queue_messages_deleted", kCounter, kCount, kAll, "Messages deleted, each once.",
     BANYAN_COUNT(messages_deleted)},
    {"banyan_queue_messages_expired", kCounter, kCount, kAll,
     "Messages gone because their retention ended.", BANYAN_COUNT(messages_expired)},
    {"banyan_queue_messages_moved_in", kCounter, kCount, kAll,
     "Messages from other queues: dead letters and redrives.", BANYAN_COUNT(messages_moved_in)},
    {"banyan_queue_messages_moved_out", kCounter, kCount, kAll,
     "Messages gone to other queues: dead letters and redrives.", BANYAN_COUNT(messages_moved_out)},
    {"banyan_queue_messages_purged", kCounter, kCount, kAll, "Messages that a purge forgot.",
     BANYAN_COUNT(messages_purged)},
    {"banyan_queue_messages_dropped", kCounter, kCount, kAll,
     "The oldest messages, dropped to make room.", BANYAN_COUNT(messages_dropped)},
    {"banyan_queue_sends_rejected", kCounter, kCount, kAll, "Sends refused because it was full.",
     BANYAN_COUNT(sends_rejected)},
    {"banyan_queue_stale_deletes", kCounter, kCount, kAll,
     "Deletes with a handle that was not good any more.", BANYAN_COUNT(stale_deletes)},
    {"banyan_queue_resting", kGauge, kBytes, kAll, "Bodies and attributes of all that rests here.",
     BANYAN_COUNT(bytes_resting)},
};

#undef BANYAN_COUNT
#undef BANYAN_SECONDS

bool Applies(const Row& row, const QueueMetrics& queue) {
  return row.concerns == kAll || (row.concerns == kFifo) == queue.fifo;
}

// The rule of banyan/metrics.h.
std::string PrometheusName(const Row& row) {
  std::string name;
  if (row.name.substr(0, 7) != "banyan_") name = "banyan_sqs";
  for (const char c : row.name) {
    const bool upper = c >= 'A' && c <= 'Z';
    if (upper) name += '_';
    name += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  if (row.unit == kSeconds) name += "_seconds";
  if (row.unit == kBytes) name += "_bytes";
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

std::string LabelValue(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '\\' || c == '"') escaped += '\\';
    if (c == '\n') {
      escaped += "\\n";
    } else {
      escaped += c;
    }
  }
  return escaped;
}

void AppendSamples(const Row& row, std::string_view name, const QueueMetrics& queue,
                   std::string* text) {
  const std::string label = StrCat("queue=\"", LabelValue(queue.queue_name), "\"");
  if (row.kind != kStatistics) {
    StrAppend(text, name, "{", label, "} ", Number(row.value(queue)), "\n");
    return;
  }
  const StatisticSet& sizes = queue.sent_message_size;
  if (sizes.count > 0) {
    StrAppend(text, name, "{", label, ",quantile=\"0\"} ", sizes.min, "\n");
    StrAppend(text, name, "{", label, ",quantile=\"1\"} ", sizes.max, "\n");
  }
  StrAppend(text, name, "_sum{", label, "} ", sizes.sum, "\n");
  StrAppend(text, name, "_count{", label, "} ", sizes.count, "\n");
}

}  // namespace

absl::StatusOr<QueueMetrics> QueueCore::Metrics() {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  QueueMetrics metrics;
  metrics.queue_name = name_;
  metrics.fifo = fifo_;
  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation.now, &operation.after);
  const int64_t now_ns = operation.now.uptime_ns;

  metrics.number_of_messages_sent = books_.accepted;
  metrics.number_of_messages_received = books_.received;
  metrics.number_of_messages_deleted = delete_calls_;
  metrics.number_of_empty_receives = books_.empty_receives;
  metrics.sent_message_size = sent_sizes_;
  metrics.approximate_number_of_messages_visible = books_.depth.visible;
  metrics.approximate_number_of_messages_not_visible = books_.depth.in_flight;
  metrics.approximate_number_of_messages_delayed = books_.depth.delayed;
  const int64_t oldest_ns = OldestArrival([](const Slot&) { return true; });
  metrics.approximate_age_of_oldest_message =
      absl::Nanoseconds(std::max<int64_t>(0, now_ns - oldest_ns));
  metrics.messages_deleted = books_.deleted;
  metrics.messages_expired = books_.expired;
  metrics.messages_moved_in = books_.moved_in;
  metrics.messages_moved_out = books_.moved_out;
  metrics.messages_purged = books_.purged;
  metrics.messages_dropped = books_.dropped;
  metrics.sends_rejected = books_.rejected;
  metrics.stale_deletes = books_.stale_deletes;
  metrics.bytes_resting = books_.bytes;
  if (!fifo_) {
    MeasureTenants(operation.now, &metrics);
    return metrics;
  }
  metrics.approximate_number_of_groups_with_inflight_messages = groups_->with_messages_in_flight();
  MutexLock intake_lock(&intake_.mu);
  metrics.number_of_deduplicated_sent_messages = intake_.duplicates;
  return metrics;
}

// When the oldest of those came that `counts`; kNever if there is none.
int64_t QueueCore::OldestArrival(absl::FunctionRef<bool(const Slot&)> counts) const {
  const auto asked = [&](const Slot& slot) {
    return (fifo_ || slot.attempts < kReceivesBeforeBack) && counts(slot);
  };
  int64_t oldest_ns = kNever;
  for (SlotIndex i = arrived_.front(); i != kNoSlot; i = slots_[i].younger) {
    if (!asked(slots_[i])) continue;
    oldest_ns = slots_[i].enqueued_ns;
    break;
  }
  // These are sorted by the age they had elsewhere, which says nothing of when they came here.
  for (const auto& [age, index] : moved_by_age_) {
    const Slot& slot = slots_[index];
    if (!asked(slot)) continue;
    const Provenance* from = slot.contents.provenance.get();
    oldest_ns = std::min(oldest_ns, from == nullptr ? slot.enqueued_ns : from->moved_ns);
  }
  return oldest_ns;
}

void QueueCore::MeasureTenants(const Instant& now, QueueMetrics* metrics) {
  metrics->approximate_number_of_messages_visible_in_quiet_groups = books_.depth.visible;
  metrics->approximate_number_of_messages_not_visible_in_quiet_groups = books_.depth.in_flight;
  metrics->approximate_number_of_messages_delayed_in_quiet_groups = books_.depth.delayed;
  metrics->approximate_age_of_oldest_message_in_quiet_groups =
      metrics->approximate_age_of_oldest_message;
  if (tenants_ == nullptr) return;
  absl::flat_hash_set<const Tenant*> noisy;
  tenants_->ForEach([&](Tenant* tenant) {
    mu_.AssertHeld();
    if (!tenants_->IsNoisy(tenant, books_.depth.in_flight, now.uptime_ns)) return;
    noisy.insert(tenant);
    metrics->approximate_number_of_messages_not_visible_in_quiet_groups -= tenant->in_flight;
    metrics->approximate_number_of_messages_delayed_in_quiet_groups -= tenant->delayed;
    // A tenant does not know which of its messages are just on their way to another queue.
    int64_t& visible = metrics->approximate_number_of_messages_visible_in_quiet_groups;
    visible =
        std::max<int64_t>(0, visible - (tenant->messages - tenant->in_flight - tenant->delayed));
  });
  if (noisy.empty()) return;
  metrics->approximate_number_of_noisy_groups = static_cast<int64_t>(noisy.size());
  const int64_t oldest_ns =
      OldestArrival([&noisy](const Slot& slot) { return !noisy.contains(slot.tenant); });
  metrics->approximate_age_of_oldest_message_in_quiet_groups =
      absl::Nanoseconds(std::max<int64_t>(0, now.uptime_ns - oldest_ns));
}

}  // namespace internal

std::vector<Metric> ListMetrics(const QueueMetrics& metrics) {
  std::vector<Metric> list;
  for (const internal::Row& row : internal::kRows) {
    if (!internal::Applies(row, metrics)) continue;
    list.push_back({.name = row.name,
                    .kind = row.kind,
                    .unit = row.unit,
                    .value = row.value(metrics),
                    .statistics = row.kind == Metric::Kind::kStatistics ? metrics.sent_message_size
                                                                        : StatisticSet(),
                    .help = row.help});
  }
  return list;
}

std::string PrometheusText(const BrokerMetrics& metrics) {
  std::string text;
  for (const internal::Row& row : internal::kRows) {
    const std::string name = internal::PrometheusName(row);
    bool is_first = true;
    for (const QueueMetrics& queue : metrics.queues) {
      if (!internal::Applies(row, queue)) continue;
      if (is_first) {
        internal::StrAppend(&text, "# HELP ", name, " ", row.help, "\n# TYPE ", name, " ",
                            internal::PrometheusType(row.kind), "\n");
      }
      is_first = false;
      internal::AppendSamples(row, name, queue, &text);
    }
  }
  return text;
}

}  // namespace banyan::inline v0_1
