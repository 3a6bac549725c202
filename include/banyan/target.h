// SPDX-License-Identifier: Apache-2.0
//
// Target: where a rule or a subscription delivers to, and how hard it tries.
//
//   Target(inbox)                                   // a Queue; also Topic, Stream, Function
//   Target(ledger).Retry({.retries_max = 5}).DeadLetter(dead)
//
// Queues, streams and topics of the same broker are served before Publish or Put returns; a
// function runs later on the Runtime. A target that refuses or fails is tried again on its own,
// with exponential back-off and full jitter, and delays neither the publisher nor other targets.
#ifndef BANYAN_TARGET_H_
#define BANYAN_TARGET_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

#include "absl/time/time.h"
#include "banyan/export.h"
#include "banyan/function.h"
#include "banyan/queue.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1 {

class Topic;

namespace internal {
class TopicCore;
}  // namespace internal

// How long a failed delivery is tried again. Whichever bound is reached first ends it; then the
// dead-letter queue has the message, or, without one, it is dropped, counted and logged.
// Permanent faults (the target is deleted, or will never take this message) are not retried.
// The defaults are those of a rule's target; a subscription that is told nothing has SNS's:
// 100,015 retries within 23 days, at most 20 s apart.
struct RetryPolicy {
  // After the first attempt. 0 to 185; to 100,015 for a subscription.
  int64_t retries_max = 185;

  // Since acceptance; the last attempt comes no later. 1 min to 24 h; to 23 d for a subscription.
  absl::Duration age_max = absl::Hours(24);

  // The wait before a retry is random between zero and a bound that starts here and doubles with
  // each retry. 1 ms to 1 h.
  absl::Duration backoff_first = absl::Seconds(1);

  // The bound grows up to this. backoff_first to 1 h.
  absl::Duration backoff_max = absl::Minutes(1);

  // Deliveries that wait for another attempt at the same time, at most. One beyond it is given up
  // at once, as if its retries were used up. 1 to 10,000,000. Banyan's own bound.
  int64_t waiting_max = 100'000;

  friend bool operator==(const RetryPolicy&, const RetryPolicy&) = default;
};

class BANYAN_EXPORT Target {
 public:
  Target(Queue queue) : to_(std::move(queue)) {}           // NOLINT: implicit, {inbox} reads well
  Target(Stream stream) : to_(std::move(stream)) {}        // NOLINT
  Target(Function function) : to_(std::move(function)) {}  // NOLINT
  Target(const Topic& topic);                              // NOLINT

  // Names the target within its rule: 1 to 64 of [.-_A-Za-z0-9]. Default: the target's own name
  // with its kind in front ("queue.billing").
  Target& Id(std::string id) { return id_ = std::move(id), *this; }
  Target& Retry(RetryPolicy policy) { return retry_ = policy, *this; }

  // Where a delivery rests that is given up: a rule's as the event with the reason in attributes
  // (ERROR_CODE, ERROR_MESSAGE, RETRY_ATTEMPTS, ...), a subscription's as it would have arrived. A
  // queue of the same broker, which takes it whatever its size and however full it is: it was
  // accepted once. If the queue was deleted, the delivery is dropped and logged.
  Target& DeadLetter(Queue queue) { return dead_letter_ = std::move(queue), *this; }

  // For a stream: a path into the event ("$.detail.order.id") whose text is the partition key.
  // Default, and where the path finds nothing: the event's id.
  Target& PartitionKeyPath(std::string path) { return key_path_ = std::move(path), *this; }

  using Destination = std::variant<Queue, Stream, Function, std::shared_ptr<internal::TopicCore>>;
  const Destination& to() const { return to_; }
  const std::string& id() const { return id_; }
  const std::optional<RetryPolicy>& retry() const { return retry_; }
  const std::optional<Queue>& dead_letter() const { return dead_letter_; }
  const std::string& partition_key_path() const { return key_path_; }

 private:
  Destination to_;
  std::string id_;
  std::optional<RetryPolicy> retry_;
  std::optional<Queue> dead_letter_;
  std::string key_path_;
};

// What became of the messages that one rule target or subscription was to deliver. The books
// balance at every moment: matched = delivered + dead_lettered + dropped + pending.
struct DeliveryStats {
  int64_t matched = 0;
  int64_t delivered = 0;
  int64_t dead_lettered = 0;
  int64_t dropped = 0;          // given up without a dead-letter queue, or that one is gone
  int64_t pending = 0;          // running, or waiting for another attempt
  int64_t failed_attempts = 0;  // apart from the books
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_TARGET_H_
