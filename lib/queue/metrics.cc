// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/metrics.cc -- floor 3, the queue room: what a queue tells of itself in numbers.
#include "banyan/metrics.h"

#include <algorithm>

#include "absl/container/flat_hash_set.h"
#include "base/status_macros.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

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
    const Provenance* from = slot.contents.moved();
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

}  // namespace banyan::inline v0_1::internal
