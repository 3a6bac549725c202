// SPDX-License-Identifier: Apache-2.0
//
// Received: one message in the hands of one receiver.
//
//   for (const Received& job : batch) {
//     if (Resize(job.body()).ok()) job.Delete().IgnoreError();   // else: another attempt later
//   }
//
// Settling is explicit: dropping a Received settles nothing.
//
// Threads   const methods from any number of threads; it is a handle, copies share one attempt.
// Lifetime  A cheap copy; it keeps its queue's memory and its message alive, not its queue.
// Source    docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_Message.html
#ifndef BANYAN_RECEIVED_H_
#define BANYAN_RECEIVED_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "banyan/attributes.h"
#include "banyan/export.h"
#include "banyan/id.h"
#include "banyan/payload.h"

namespace banyan::inline v0_1 {

namespace internal {
struct ReceivedState;
}  // namespace internal

class BANYAN_EXPORT Received {
 public:
  Received() = default;  // holds no message
  Received(const Received& other);
  Received(Received&& other) noexcept : state_(std::exchange(other.state_, nullptr)) {}
  Received& operator=(Received other) noexcept {
    std::swap(state_, other.state_);
    return *this;
  }
  ~Received() {
    if (state_ != nullptr) Release(state_);
  }

  std::string_view body() const;  // valid while a copy of this Received lives
  const Payload& payload() const;
  const Attributes& attributes() const;
  Id id() const;        // the queue's MessageId
  Id event_id() const;  // given at first acceptance, kept over every hop
  // As the sender gave it, over every hop; may be empty. What the handler sends on in the same trace
  // is given it: {.body = ..., .trace_header = std::string(job.trace_header())}.
  std::string_view trace_header() const;
  std::string trace_id() const;   // of the trace header; else the event id, as hex
  int64_t receive_count() const;  // 1 at the first attempt; counts on in a dead-letter queue
  absl::Time sent_time() const;
  absl::Time first_receive_time() const;
  std::string receipt_handle() const;                     // opaque; names this one attempt
  std::optional<std::string> dead_letter_source() const;  // ARN of the queue it was moved from

  // Empty if the sender gave none.
  std::string_view message_group_id() const;
  // FIFO: the id it was deduplicated by (given, or the body's SHA-256). Of a dead letter, its
  // message id: two messages that shared an id do not swallow each other.
  std::string deduplication_id() const;
  // FIFO: rises within a group, not by one. Always twenty digits. 0 in standard queues.
  uint64_t sequence_number() const;

  // The system attributes under AWS's names ("ApproximateReceiveCount", "SentTimestamp" in
  // milliseconds, ...), those that apply.
  std::map<std::string, std::string> SystemAttributes() const;

  // Why it was sent to the dead-letter queue, if a receiver said so; see MoveToDeadLetterQueue.
  std::string_view dead_letter_reason() const;

  // Settles the message. OK also when it is gone already, and, without effect in a standard queue,
  // when another receive has taken it since.
  // Errors: kInvalidArgument in a FIFO queue: the visibility timeout has ended, so that the next
  // attempt may be under way ("The receipt handle has expired"). kNotFound, kUnavailable.
  absl::Status Delete() const;

  // Hides the message for `from_now` more; zero hands it back at once. Within 12 hours of the
  // receive. Errors: kInvalidArgument: out of range, or the message is settled; in a FIFO queue
  // also: the visibility timeout has ended.
  absl::Status ChangeVisibility(absl::Duration from_now) const;

  // Sends the message to the queue's dead-letter queue at once, whatever its receive count.
  // `reason` (at most 1,024 bytes are kept) goes with it. A Delete after that does nothing: the
  // dead letter was wanted. Banyan's own verb.
  // (If another thread is just handing over dead letters of this queue, it takes this one along.)
  // Errors: kInvalidArgument: the queue has no redrive policy, or its dead-letter queue does not
  // exist; or this attempt is over.
  absl::Status MoveToDeadLetterQueue(std::string_view reason) const;

  // True if this attempt's visibility timeout ended before it was settled: another receiver may
  // have the message, too. Knows what was settled through this Received or a copy of it.
  bool Overrun() const;

 private:
  friend struct internal::ReceivedState;
  explicit Received(const internal::ReceivedState* state) : state_(state) {}
  static void Release(const internal::ReceivedState* state);

  const internal::ReceivedState* state_ = nullptr;  // counted
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_RECEIVED_H_
