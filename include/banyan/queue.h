// SPDX-License-Identifier: Apache-2.0
//
// Queue: messages wait here until a consumer settles them. SQS's standard queue.
//
//   Queue jobs = broker.CreateQueue("jobs", {.visibility_timeout = absl::Seconds(30)}).value();
//   jobs.Send({.body = "resize 17"}).value();
//   std::vector<Received> batch = jobs.Receive({.max_messages = 10}).value();
//   for (const Received& job : batch) {
//     if (Resize(job.body()).ok()) job.Delete().IgnoreError();   // else: another attempt later
//   }
//
// Settling is explicit: a message that nobody deletes is received again when its visibility
// timeout ends, whatever became of the one who had it.
//
// Threads   Every method may be called from any thread at any time.
// Lifetime  A Queue is a handle; copies share one queue. It may outlive the queue and its Broker:
//           calls then answer kNotFound (deleted) or kUnavailable (broker stopped or gone, or this
//           is a forked child).
// Units     absl::Duration here; AWS's wire knows whole seconds.
// Order     Roughly the order of sending, not promised; and a message may come twice.
// Source    docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference
#ifndef BANYAN_QUEUE_H_
#define BANYAN_QUEUE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/arn.h"
#include "banyan/attributes.h"
#include "banyan/export.h"
#include "banyan/id.h"
#include "banyan/payload.h"
#include "banyan/runtime.h"

namespace banyan::inline v0_1 {

namespace internal {
class QueueCore;
struct ReceivedState;
}  // namespace internal

// When a message counts as poison, and where it goes then.
struct RedrivePolicy {
  // The dead-letter queue: same broker, same kind, not the queue itself.
  Arn dead_letter = {};

  // Receives allowed, 1 to 1,000. After the last one the message moves at the instant it would
  // have become visible again, so an alarm on the dead-letter queue needs no consumer. (AWS moves
  // on the next receive. Until someone receives it from the dead-letter queue, a late Delete with
  // the last handle that this queue gave out still removes it.)
  int64_t max_receive_count = 10;

  friend bool operator==(const RedrivePolicy&, const RedrivePolicy&) = default;
};

struct QueueOptions {
  // How long a received message stays hidden from others. 0s to 12h. Longer means fewer double
  // deliveries from slow consumers; shorter, a sooner second attempt.
  absl::Duration visibility_timeout = absl::Seconds(30);

  // How long a sent message stays invisible at first. 0s to 15min.
  absl::Duration delay = absl::ZeroDuration();

  // How long Receive() waits when it is not told. 0s to 20s.
  absl::Duration receive_wait = absl::ZeroDuration();

  // Messages older than this are gone, in whatever state. 1min to 14d.
  absl::Duration retention = absl::Hours(4 * 24);

  // Body and attributes of one message, in bytes. 1,024 to 1,048,576.
  int64_t message_bytes_max = 1'048'576;

  // Received and not yet settled, at most. At the limit a short poll answers kResourceExhausted
  // (OverLimit), a long poll stays empty. 1 to 120,000.
  int64_t in_flight_max = 120'000;

  // Where a message goes after its last attempt. Unset: it comes back until retention ends it.
  std::optional<RedrivePolicy> redrive = std::nullopt;

  // Banyan's own bounds on what rests here, in messages and in bytes of bodies and attributes. At
  // a bound Send() answers kResourceExhausted (RequestThrottled) and nothing is stored; to a
  // delivery from a topic or bus a full queue is a transient fault, tried again. A message moved
  // in from another queue, and a dead letter of a topic or bus, is always taken, whatever its size
  // and beyond these bounds: it was accepted once.
  int64_t messages_max = 10'000'000;
  int64_t bytes_max = int64_t{8} << 30;

  friend bool operator==(const QueueOptions&, const QueueOptions&) = default;
};

struct SendRequest {
  Payload body = {};
  Attributes attributes = {};

  // Overrides the queue's delay, also with zero.
  std::optional<absl::Duration> delay = std::nullopt;

  // X-Ray's trace header, or a W3C traceparent; carried over every hop. At most 500 bytes of
  // printable ASCII; not part of the size.
  std::string trace_header = {};
};

struct SendResult {
  Id message_id;
};

struct ReceiveOptions {
  int64_t max_messages = 1;  // 1 to 10

  // Overrides the queue's, for this receive only. Zero leaves the messages visible.
  std::optional<absl::Duration> visibility_timeout = std::nullopt;

  // With nothing visible, how long to wait for a first message. Overrides the queue's, also with
  // zero.
  std::optional<absl::Duration> wait = std::nullopt;

  // Ends the wait early; the answer is then empty and nothing was taken.
  std::stop_token stop = {};
};

// One message in the hands of one receiver. A cheap copy; it keeps its queue's memory alive, not
// its queue.
class BANYAN_EXPORT Received {
 public:
  Received() = default;

  std::string_view body() const;  // valid while a copy of this Received lives
  const Payload& payload() const;
  const Attributes& attributes() const;
  Id id() const;                          // the queue's MessageId
  Id event_id() const;                    // given at first acceptance, kept over every hop
  std::string_view trace_header() const;  // as the sender gave it; may be empty
  std::string trace_id() const;           // of the trace header; else the event id, as hex
  int64_t receive_count() const;  // 1 at the first attempt; counts on in a dead-letter queue
  absl::Time sent_time() const;
  absl::Time first_receive_time() const;
  std::string receipt_handle() const;                     // opaque; names this one attempt
  std::optional<std::string> dead_letter_source() const;  // ARN of the queue it was moved from

  // Settles the message. OK also when it is gone already, and, without effect, when another
  // receive has taken it since. Errors: kNotFound, kUnavailable, as every call.
  absl::Status Delete() const;

  // Hides the message for `from_now` more; zero hands it back at once. Within 12 hours of the
  // receive. Errors: kInvalidArgument: out of range, or the message is settled.
  absl::Status ChangeVisibility(absl::Duration from_now) const;

  // True if this attempt's visibility timeout ended before it was settled: another receiver may
  // have the message, too.
  bool Overrun() const;

 private:
  friend class internal::QueueCore;
  friend struct internal::ReceivedState;
  explicit Received(std::shared_ptr<const internal::ReceivedState> state);
  std::shared_ptr<const internal::ReceivedState> state_;
};

// What rests in a queue, by state.
struct QueueDepth {
  int64_t visible = 0;
  int64_t in_flight = 0;
  int64_t delayed = 0;

  int64_t total() const { return visible + in_flight + delayed; }
  friend bool operator==(const QueueDepth&, const QueueDepth&) = default;
};

// The queue's books. They balance at every moment:
//   accepted + moved_in = deleted + expired + moved_out + purged + depth.total()
struct QueueStats {
  QueueDepth depth;
  int64_t bytes = 0;     // of bodies and attributes resting here
  int64_t accepted = 0;  // by Send, and deliveries from topics and buses
  int64_t moved_in = 0;  // from queues whose dead-letter queue this is, and redrives
  int64_t deleted = 0;
  int64_t purged = 0;
  int64_t expired = 0;
  int64_t moved_out = 0;      // to the dead-letter queue, and redrives
  int64_t received = 0;       // attempts, apart from the books
  int64_t stale_deletes = 0;  // deletes that came after another receive
  int64_t rejected = 0;       // refused at a bound
};

class BANYAN_EXPORT Queue {
 public:
  Queue() = default;  // names no queue; calls answer kNotFound

  // Takes a message. When it returns, a receiver can have it.
  //
  // Errors  kInvalidArgument: empty body (MissingParameter); too long, bad attribute, delay out of
  //         0s..15min (InvalidParameterValue); a character that XML 1.0 lacks
  //         (InvalidMessageContents). kResourceExhausted: the queue is full.
  // Source  .../API_SendMessage.html
  absl::StatusOr<SendResult> Send(SendRequest request) const;

  // Takes up to `max_messages` visible messages and hides them for the visibility timeout. With a
  // wait above zero and nothing visible, waits for a first one; it does not wait for more.
  //
  // An empty vector is an answer, not an error: nothing became visible in time.
  // Name the vector before you loop: `for (... : queue.Receive().value())` dangles in C++20.
  //
  // Errors  kInvalidArgument: max_messages outside 1..10, wait outside 0s..20s, visibility outside
  //         0s..12h. kResourceExhausted: a short poll at the in-flight limit (OverLimit).
  //         kNotFound: deleted, also while waiting. kUnavailable: the broker is stopping.
  // Source  .../API_ReceiveMessage.html
  absl::StatusOr<std::vector<Received>> Receive(ReceiveOptions options = {}) const;

  // Settle by receipt handle, for those who kept only the text. See Received.
  // Errors  kInvalidArgument: not a receipt handle of this queue (ReceiptHandleIsInvalid).
  // Source  .../API_DeleteMessage.html, .../API_ChangeMessageVisibility.html
  absl::Status Delete(std::string_view receipt_handle) const;
  absl::Status ChangeVisibility(std::string_view receipt_handle, absl::Duration from_now) const;

  // Looks at the first visible messages without receiving them: no attempt is counted, nothing is
  // hidden, nothing can be settled through the result. Banyan's own verb. 1 to 10,000.
  absl::StatusOr<std::vector<Received>> Peek(int64_t max_messages) const;

  // Sends the visible messages of a dead-letter queue back to the queues they came from, oldest
  // first, each as a new attempt with its count back at zero; returns how many went. Messages
  // that did not come from another queue, or whose queue is gone, stay.
  absl::StatusOr<int64_t> Redrive(int64_t max_messages = INT64_MAX) const;

  // Forgets every message, also those in flight.
  absl::Status Purge() const;

  // Zero of everything when the queue is gone.
  QueueDepth Depth() const;
  QueueStats Stats() const;

  absl::StatusOr<QueueOptions> Options() const;
  absl::Status SetOptions(const QueueOptions& options) const;

  const Arn& arn() const;
  std::string_view name() const;

  friend bool operator==(const Queue&, const Queue&) = default;

  // For the library's own rooms.
  explicit Queue(std::shared_ptr<internal::QueueCore> core);
  const std::shared_ptr<internal::QueueCore>& core() const { return core_; }

 private:
  std::shared_ptr<internal::QueueCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_QUEUE_H_
