// SPDX-License-Identifier: Apache-2.0
#include "banyan/queue.h"

#include "message/errors.h"
#include "queue/core.h"

namespace banyan::inline v0_1 {

namespace {

using internal::Error;

// A default Queue names no queue.
absl::Status NoQueue() {
  return Error(AwsError::kQueueDoesNotExist, "The specified queue does not exist.");
}

absl::Status NoReceipt() {
  return Error(AwsError::kQueueReceiptHandleIsInvalid,
               "The input receipt handle \"\" is not a valid receipt handle.");
}

// What a default Received, which holds no message, shows.
const internal::ReceivedState& NothingReceived() {
  static const internal::ReceivedState* const nothing = new internal::ReceivedState();
  return *nothing;
}

const Attributes& NoAttributes() {
  static const Attributes* const none = new Attributes();
  return *none;
}

const internal::ReceivedState& Look(const std::shared_ptr<const internal::ReceivedState>& state) {
  return state == nullptr ? NothingReceived() : *state;
}

}  // namespace

Received::Received(std::shared_ptr<const internal::ReceivedState> state)
    : state_(std::move(state)) {}

std::string_view Received::body() const { return Look(state_).body.view(); }
const Payload& Received::payload() const { return Look(state_).body; }

const Attributes& Received::attributes() const {
  const internal::Contents& contents = Look(state_).contents;
  const bool shown = contents.message &&
                     (contents.presentation == nullptr || contents.presentation->ShowsAttributes());
  return shown ? contents.message->attributes : NoAttributes();
}

Id Received::id() const { return Look(state_).id; }

Id Received::event_id() const {
  const internal::MessageRef& message = Look(state_).contents.message;
  return message ? message->event_id : Id();
}

std::string_view Received::trace_header() const {
  const internal::MessageRef& message = Look(state_).contents.message;
  return message ? std::string_view(message->trace_header) : std::string_view();
}

std::string Received::trace_id() const {
  const internal::MessageRef& message = Look(state_).contents.message;
  return message ? message->trace_id() : std::string();
}

int64_t Received::receive_count() const { return Look(state_).receive_count; }
absl::Time Received::sent_time() const { return absl::FromUnixNanos(Look(state_).sent_unix_ns); }

absl::Time Received::first_receive_time() const {
  return absl::FromUnixNanos(Look(state_).first_received_unix_ns);
}

std::string Received::receipt_handle() const {
  const internal::Receipt& receipt = Look(state_).receipt;
  return receipt.attempt == 0 ? std::string() : receipt.ToString();
}

std::optional<std::string> Received::dead_letter_source() const {
  const std::shared_ptr<const internal::Origin>& origin = Look(state_).contents.origin;
  if (origin == nullptr) return std::nullopt;
  return origin->arn;
}

absl::Status Received::Delete() const {
  return state_ == nullptr ? NoReceipt() : state_->queue->Delete(*state_);
}

absl::Status Received::ChangeVisibility(absl::Duration from_now) const {
  return state_ == nullptr ? NoReceipt()
                           : state_->queue->ChangeVisibility(state_->receipt, from_now);
}

bool Received::Overrun() const { return state_ != nullptr && state_->queue->Overrun(*state_); }

Queue::Queue(std::shared_ptr<internal::QueueCore> core) : core_(std::move(core)) {}

absl::StatusOr<SendResult> Queue::Send(SendRequest request) const {
  if (core_ == nullptr) return NoQueue();
  return core_->Send(std::move(request));
}

absl::StatusOr<std::vector<Received>> Queue::Receive(ReceiveOptions options) const {
  if (core_ == nullptr) return NoQueue();
  return core_->Receive(options);
}

absl::Status Queue::Delete(std::string_view receipt_handle) const {
  return core_ == nullptr ? NoQueue() : core_->Delete(receipt_handle);
}

absl::Status Queue::ChangeVisibility(std::string_view receipt_handle,
                                     absl::Duration from_now) const {
  return core_ == nullptr ? NoQueue() : core_->ChangeVisibility(receipt_handle, from_now);
}

absl::StatusOr<std::vector<Received>> Queue::Peek(int64_t max_messages) const {
  if (core_ == nullptr) return NoQueue();
  return core_->Peek(max_messages);
}

absl::StatusOr<int64_t> Queue::Redrive(int64_t max_messages) const {
  if (core_ == nullptr) return NoQueue();
  return core_->Redrive(max_messages);
}

absl::Status Queue::Purge() const { return core_ == nullptr ? NoQueue() : core_->Purge(); }

QueueDepth Queue::Depth() const { return Stats().depth; }
QueueStats Queue::Stats() const { return core_ == nullptr ? QueueStats() : core_->Stats(); }

absl::StatusOr<QueueOptions> Queue::Options() const {
  if (core_ == nullptr) return NoQueue();
  return core_->Options();
}

absl::Status Queue::SetOptions(const QueueOptions& options) const {
  return core_ == nullptr ? NoQueue() : core_->SetOptions(options);
}

const Arn& Queue::arn() const {
  static const Arn* const none = new Arn();
  return core_ == nullptr ? *none : core_->arn();
}

std::string_view Queue::name() const {
  return core_ == nullptr ? std::string_view() : std::string_view(core_->name());
}

}  // namespace banyan::inline v0_1
