// SPDX-License-Identifier: Apache-2.0
//
// Queue: messages wait here until a consumer settles them. SQS's standard and FIFO queues.
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
// Answers   Name what a call answers before you loop over it: `for (... : queue.Receive().value())`
//           dangles in C++20.
// Lifetime  A Queue is a handle; copies share one queue. It may outlive the queue and its Broker:
//           calls then answer kNotFound (deleted) or kUnavailable (broker stopped or gone, or this
//           is a forked child).
// Units     absl::Duration here; AWS's wire knows whole seconds.
// Order     Standard: roughly the order of sending, not promised; and a message may come twice.
//           FIFO: the order of sending within each message group. While a message of a group is
//           delayed or in flight, those after it wait.
// Source    docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference
#ifndef BANYAN_QUEUE_H_
#define BANYAN_QUEUE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/arn.h"
#include "banyan/attributes.h"
#include "banyan/export.h"
#include "banyan/id.h"
#include "banyan/metrics.h"
#include "banyan/payload.h"
#include "banyan/queue_options.h"
#include "banyan/received.h"
#include "banyan/runtime.h"

namespace banyan::inline v0_1 {

namespace internal {
class QueueCore;
}  // namespace internal

struct SendRequest {
  Payload body = {};
  Attributes attributes = {};

  // Overrides the queue's delay, also with zero.
  std::optional<absl::Duration> delay = std::nullopt;

  // X-Ray's trace header, or a W3C traceparent; carried over every hop. At most 500 bytes of
  // printable ASCII; not part of the size.
  std::string trace_header = {};

  // FIFO queues: required; messages of one group keep their order. Standard queues: optional; the
  // tenant this message belongs to, see QueueOptions::fairness. 1 to 128 ASCII letters, digits and
  // punctuation, no space.
  std::string message_group_id = {};

  // FIFO queues: required, unless deduplication is content-based. A message whose id was accepted
  // within the last five minutes is answered like the first one and not stored. 1 to 128
  // ASCII letters, digits and punctuation, no space.
  std::string message_deduplication_id = {};

  // Ends a wait for room early (WhenFull::kBlock); the answer is then as for kReject.
  std::stop_token stop = {};
};

struct SendResult {
  Id message_id;

  // FIFO: rises within a group, not by one; always twenty digits. 0 in standard queues.
  uint64_t sequence_number = 0;
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

  // FIFO queues: names this receive. Another one with the same id within five minutes, while none
  // of its messages was settled, changed or due, gets the same messages and handles again, hidden
  // anew: for a receiver that lost the answer. 1 to 128 ASCII letters, digits and punctuation.
  std::string receive_request_attempt_id = {};
};

struct VisibilityChange {
  std::string receipt_handle;
  absl::Duration from_now;
};

// A move task; see Queue::StartMessageMoveTask.
struct MessageMoveTaskOptions {
  std::optional<Arn> destination = std::nullopt;         // unset: each to the queue it came from
  std::optional<int64_t> max_per_second = std::nullopt;  // 1 to 500; unset: as fast as it goes

  // False: as on AWS, this is the dead-letter queue of a queue, and a message that came from none
  // fails the task. True: whatever queue it is; what a topic, bus or schedule gave up is delivered
  // again as by Redrive(); and what has nowhere to go stays and is counted. Banyan's own.
  bool any_source = false;
};

struct MessageMoveTask {
  enum class State { kRunning, kCompleted, kCancelling, kCancelled, kFailed };

  std::string task_handle;  // only while kRunning
  State state = State::kRunning;
  Arn source;
  std::optional<Arn> destination;
  std::optional<int64_t> max_per_second;
  int64_t moved = 0;
  int64_t to_move = 0;         // what rested there, in whatever state, when the task began
  int64_t not_moved = 0;       // with any_source: what was visible, and has nowhere to go
  std::string failure_reason;  // of kFailed
  absl::Time started;
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
//   accepted + moved_in = deleted + expired + moved_out + purged + dropped + depth.total()
struct QueueStats {
  QueueDepth depth;
  int64_t bytes = 0;     // of bodies and attributes resting here
  int64_t accepted = 0;  // by Send, and deliveries from topics and buses
  int64_t moved_in = 0;  // from queues whose dead-letter queue this is, and redrives
  int64_t deleted = 0;
  int64_t purged = 0;
  int64_t expired = 0;
  int64_t dropped = 0;        // the oldest, for want of room; WhenFull::kDropOldest
  int64_t moved_out = 0;      // to the dead-letter queue, and redrives
  int64_t received = 0;       // attempts, apart from the books
  int64_t stale_deletes = 0;  // deletes that came after another receive; FIFO: after the timeout
  int64_t rejected = 0;       // refused at a bound
  int64_t duplicates = 0;     // FIFO: sends answered as an earlier one, and not stored
  int64_t empty_receives = 0;
};

class BANYAN_EXPORT Queue {
 public:
  Queue() = default;  // names no queue; calls answer kNotFound

  // Takes a message. When it returns, a receiver can have it.
  //
  // Errors  kInvalidArgument: empty body, or no group in a FIFO queue (MissingParameter); too long,
  //         bad attribute, delay out of 0s..15min, bad group or deduplication id, or none where one
  //         is needed, a delay above zero in a FIFO queue (InvalidParameterValue); a character that
  //         XML 1.0 lacks (InvalidMessageContents). kResourceExhausted: the queue is full.
  // Source  .../API_SendMessage.html
  absl::StatusOr<SendResult> Send(SendRequest request) const;

  // Several at once, at a fraction of the price: 1 to 10. One answer for each, in the order of the
  // requests; one that is refused does not keep the others out.
  //
  // Errors  for the whole batch, which then changes nothing: kInvalidArgument: none
  //         (EmptyBatchRequest), too many (TooManyEntriesInBatchRequest), too long together
  //         (BatchRequestTooLong); in a FIFO queue one without group or deduplication id
  //         (InvalidParameterValue).
  // Source  .../API_SendMessageBatch.html
  absl::StatusOr<std::vector<absl::StatusOr<SendResult>>> SendBatch(
      std::vector<SendRequest> requests) const;

  // Takes up to `max_messages` visible messages and hides them for the visibility timeout. With a
  // wait above zero and nothing visible, waits for a first one; it does not wait for more.
  //
  // An empty vector is an answer, not an error: nothing became visible in time.
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

  // Several at once: 1 to 10. One answer for each, in order. What was received here, by its
  // Received or by its handle. Errors for the whole batch: none, or too many, as SendBatch.
  // Source  .../API_DeleteMessageBatch.html, .../API_ChangeMessageVisibilityBatch.html
  absl::StatusOr<std::vector<absl::Status>> DeleteBatch(absl::Span<const Received> received) const;
  absl::StatusOr<std::vector<absl::Status>> DeleteBatch(
      absl::Span<const std::string> receipt_handles) const;
  absl::StatusOr<std::vector<absl::Status>> ChangeVisibilityBatch(
      absl::Span<const VisibilityChange> changes) const;

  // Looks at visible messages without receiving them: no attempt is counted, nothing is hidden,
  // nothing can be settled through the result, which has no receipt handle. In the order a receive
  // would take them; where groups or tenants decide about that, in the order they came. Banyan's
  // own verb. 1 to 10,000.
  absl::StatusOr<std::vector<Received>> Peek(int64_t max_messages) const;

  // Sends the visible messages of a dead-letter queue back to the queues they came from, oldest
  // first, each as a new message (new id and send time, retention and receive count anew; the event
  // id stays); and what a topic, bus or schedule gave up through the same subscription, target or
  // schedule as it is now: the message or event as it was accepted, with that target's input, and
  // with attempts and age anew. If these are used up again, it is a new dead letter. Returns how
  // many went. Messages that came from elsewhere stay; so do those whose queue, subscription, rule,
  // target or schedule is gone, or that the target would refuse for good; and in a FIFO queue those
  // behind one of their group that is in flight. One call at a time delivers again; another one
  // ends where it would, too.
  absl::StatusOr<int64_t> Redrive(int64_t max_messages = INT64_MAX) const;

  // The same as a background activity of the Runtime, with a rate, to be looked at and cancelled;
  // answers its handle. Messages go oldest first, each as a new message: new id, new retention, no
  // attempts. What was sent to this queue directly has no source to go back to: unless a
  // destination is set, it fails the task.
  //
  // Errors  kInvalidArgument: this is no queue's dead-letter queue; a task runs already; bad rate
  //         (InvalidParameterValue). kNotFound: no such destination (ResourceNotFoundException).
  // Source  .../API_StartMessageMoveTask.html
  absl::StatusOr<std::string> StartMessageMoveTask(MessageMoveTaskOptions options = {}) const;

  // The latest tasks of this queue, latest first. 1 to 10.
  absl::StatusOr<std::vector<MessageMoveTask>> ListMessageMoveTasks(int64_t max_results = 1) const;

  // Ends a running task soon; what was moved stays moved. Answers how many were moved so far.
  // Errors  kInvalidArgument: not a task handle; kNotFound: no such task, or it does not run.
  absl::StatusOr<int64_t> CancelMessageMoveTask(std::string_view task_handle) const;

  // Why does nothing come? Says what rests here, what hides it and until when, in sentences; a
  // blocked FIFO group with the message that blocks it. Each sentence ends in a newline. Banyan's
  // own verb.
  absl::StatusOr<std::string> Explain() const;
  // Where is this message, and what became of its attempts? Looks also where dead letters of this
  // queue went. Both look at every message there is: for people, not for programs.
  absl::StatusOr<std::string> Explain(Id message_id) const;

  // Forgets every message, also those in flight, and a FIFO queue what it deduplicates by. At once;
  // a second one within 60 s is kFailedPrecondition (PurgeQueueInProgress).
  absl::Status Purge() const;

  // Zero of everything when the queue is gone.
  QueueDepth Depth() const;
  QueueStats Stats() const;

  // The same and more under CloudWatch's names; see banyan/metrics.h.
  absl::StatusOr<QueueMetrics> Metrics() const;

  absl::StatusOr<QueueOptions> Options() const;
  // Replaces them all: begin with Options() and change a field. All of it is taken or, on an error,
  // nothing. Whether it is a FIFO queue cannot change.
  absl::Status SetOptions(const QueueOptions& options) const;

  // The options, counts and stamps under AWS's names and as AWS's strings. "All" asks for every
  // one; none asks for none. Policy, RedrivePolicy, RedriveAllowPolicy and Kms* are there when
  // set; setting them to "" unsets them. What is not named stays.
  // Errors  kInvalidArgument: an unknown name (InvalidAttributeName), a bad value
  //         (InvalidAttributeValue, InvalidParameterValue).
  // Source  .../API_GetQueueAttributes.html, .../API_SetQueueAttributes.html
  absl::StatusOr<std::map<std::string, std::string>> GetAttributes(
      absl::Span<const std::string> names) const;
  absl::Status SetAttributes(const std::map<std::string, std::string>& attributes) const;

  // Adds a statement to the access policy, and takes it out. Banyan keeps the policy, shows it and
  // lets everybody in.
  // Source  .../API_AddPermission.html
  absl::Status AddPermission(std::string_view label, absl::Span<const std::string> accounts,
                             absl::Span<const std::string> actions) const;
  absl::Status RemovePermission(std::string_view label) const;

  // Names and values for people and tools; the queue does nothing with them.
  // Source  .../API_TagQueue.html
  absl::StatusOr<std::map<std::string, std::string>> Tags() const;
  absl::Status SetTags(const std::map<std::string, std::string>& tags) const;
  absl::Status RemoveTags(absl::Span<const std::string> keys) const;

  // Gives back memory that a flood has left behind. Not needed, but after one. Banyan's own verb.
  void Trim() const;

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
