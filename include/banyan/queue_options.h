// SPDX-License-Identifier: Apache-2.0
//
// QueueOptions: what kind of queue it is and how it behaves. Every field has AWS's default; those
// that AWS has no word for say so.
//
//   broker.CreateQueue("jobs", {.visibility_timeout = absl::Minutes(2)});
//   broker.CreateQueue("ledger.fifo", {.fifo = true, .content_based_deduplication = true});
//
// The same by AWS's own names and strings: Queue::GetAttributes, Queue::SetAttributes.
//
// Threads   Value types.
// Units     absl::Duration here; AWS's wire knows whole seconds. Sizes are bytes.
// Errors    Building never fails. Whoever takes options validates all of them (kInvalidArgument:
//           InvalidAttributeValue, InvalidAttributeName, InvalidParameterValue) or changes nothing.
// Source    docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html
#ifndef BANYAN_QUEUE_OPTIONS_H_
#define BANYAN_QUEUE_OPTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "banyan/arn.h"

namespace banyan::inline v0_1 {

// When a message counts as poison, and where it goes then.
struct RedrivePolicy {
  // The dead-letter queue: same broker, same kind (FIFO or standard), not the queue itself.
  Arn dead_letter = {};

  // Receives allowed, 1 to 1,000. After the last one the message moves at the instant it would
  // have become visible again, so an alarm on the dead-letter queue needs no consumer. (AWS moves
  // on the next receive. Until someone receives it from the dead-letter queue, a late Delete with
  // the last handle that this queue gave out still removes it.)
  int64_t max_receive_count = 10;

  friend bool operator==(const RedrivePolicy&, const RedrivePolicy&) = default;
};

// Which queues may name this one as their dead-letter queue.
struct RedriveAllowPolicy {
  enum class Permission { kAllowAll, kDenyAll, kByQueue };
  Permission permission = Permission::kAllowAll;
  std::vector<Arn> source_queues = {};  // kByQueue: 1 to 10 of them; otherwise none

  friend bool operator==(const RedriveAllowPolicy&, const RedriveAllowPolicy&) = default;
};

// Within what a deduplication id must be unique.
enum class DeduplicationScope { kQueue, kMessageGroup };

// Stored and returned. Banyan has no throughput quota to divide.
enum class FifoThroughputLimit { kPerQueue, kPerMessageGroupId };

// What a direct Send does at messages_max or bytes_max. Banyan's own.
enum class WhenFull {
  kReject,  // kResourceExhausted (RequestThrottled); nothing is stored
  // Waits for room, at most block_max; then as kReject. A handler that waits so occupies a thread
  // of the Runtime: have others left for the consumers that make room.
  kBlock,
  kDropOldest,  // the messages that are oldest and not in flight make room; QueueStats::dropped
};

// When a tenant of a standard queue counts as noisy: with more than in_flight_share of all messages
// in flight and at least in_flight_min of them, or with more than processing_share of the time that
// consumers spent on messages in the last `window` (1s to 1h). See QueueOptions::fairness. AWS
// fixes these numbers and calls them approximate. Time counts from the queue's first message with a
// tenant on; shares below a hundredth are taken for one: judging more tenants than that takes time.
struct Fairness {
  double in_flight_share = 0.10;
  int64_t in_flight_min = 30;
  double processing_share = 0.10;
  absl::Duration window = absl::Minutes(5);

  friend bool operator==(const Fairness&, const Fairness&) = default;
};

// How a queue under test may behave, for consumers that must stand the worst that AWS allows (or
// that should see no surprise at all). The chances, 0 to 1, are drawn from Runtime::Random(), so a
// simulated run repeats them by its seed. Banyan's own; off by default.
struct TestDelivery {
  bool strict_order = false;  // standard queues: always the visible message that was sent first
  // Standard queues: a received message stays visible, too. Below 1 where a handler may fail: a
  // message that is always doubled never rests.
  double duplicates = 0;
  double short_receives = 0;  // a receive takes fewer than it could, but at least one
  double reorder = 0;         // standard queues: a receive takes some other visible message

  friend bool operator==(const TestDelivery&, const TestDelivery&) = default;
};

struct QueueOptions {
  // How long a received message stays hidden from others. 0s to 12h. Longer means fewer double
  // deliveries from slow consumers; shorter, a sooner second attempt.
  absl::Duration visibility_timeout = absl::Seconds(30);

  // How long a sent message stays invisible at first. 0s to 15min. A change holds for messages
  // sent from then on; in a FIFO queue also for those that wait already.
  absl::Duration delay = absl::ZeroDuration();

  // How long Receive() waits when it is not told. 0s to 20s.
  absl::Duration receive_wait = absl::ZeroDuration();

  // Messages older than this are gone, in whatever state. 1min to 14d.
  absl::Duration retention = absl::Hours(4 * 24);

  // Body and attributes of one message, in bytes. 1,024 to 1,048,576.
  int64_t message_bytes_max = 1'048'576;

  // Received and not yet settled, at most. At the limit a short poll of a standard queue answers
  // kResourceExhausted (OverLimit); a long poll, and a FIFO queue, stay empty. 1 to 120,000.
  int64_t in_flight_max = 120'000;

  // Order within each message group, each message accepted once. The name must end in ".fifo".
  // Fixed at creation.
  bool fifo = false;

  // FIFO: a message without a deduplication id gets the SHA-256 of its body as one.
  bool content_based_deduplication = false;

  // FIFO. A change after creation is taken and reported, but as on AWS does not change how the
  // queue deduplicates. kPerMessageGroupId wants scope kMessageGroup.
  DeduplicationScope deduplication_scope = DeduplicationScope::kQueue;
  FifoThroughputLimit fifo_throughput_limit = FifoThroughputLimit::kPerQueue;

  // Where a message goes after its last attempt. Unset: it comes back until retention ends it.
  std::optional<RedrivePolicy> redrive = std::nullopt;
  RedriveAllowPolicy redrive_allow = {};

  // Standard queues whose messages carry a message_group_id: the messages of tenants that are not
  // noisy are received first.
  Fairness fairness = {};

  // Kept and returned, and without effect here: the access policy (JSON), and encryption at rest.
  std::string policy = {};
  std::string kms_master_key_id = {};
  absl::Duration kms_data_key_reuse_period = absl::Minutes(5);
  bool sqs_managed_sse = true;

  // Banyan's own bounds on what rests here, in messages and in bytes of bodies and attributes. To a
  // delivery from a topic or bus a full queue is a transient fault, tried again. A message moved
  // in from another queue, and a dead letter of a topic or bus, is always taken, whatever its size
  // and beyond these bounds: it was accepted once.
  int64_t messages_max = 10'000'000;
  int64_t bytes_max = int64_t{8} << 30;
  WhenFull when_full = WhenFull::kReject;
  absl::Duration block_max = absl::Seconds(30);

  TestDelivery test_delivery = {};

  friend bool operator==(const QueueOptions&, const QueueOptions&) = default;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_QUEUE_OPTIONS_H_
