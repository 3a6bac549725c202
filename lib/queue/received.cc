// SPDX-License-Identifier: Apache-2.0
#include "banyan/received.h"

#include "message/errors.h"
#include "queue/core.h"
#include "queue/received_state.h"
#include "queue/system_attributes.h"

namespace banyan::inline v0_1 {

namespace {

using internal::ReceivedState;

absl::Status NoReceipt() {
  return internal::Error(AwsError::kQueueReceiptHandleIsInvalid,
                         "The input receipt handle \"\" is not a valid receipt handle.");
}

// What a default Received, which holds no message, shows.
const ReceivedState& Look(const ReceivedState* state) {
  static const ReceivedState* const nothing = new ReceivedState();
  return state == nullptr ? *nothing : *state;
}

const Attributes& NoAttributes() {
  static const Attributes* const none = new Attributes();
  return *none;
}

const Payload& NoBody() {
  static const Payload* const none = new Payload();
  return *none;
}

}  // namespace

Received::Received(const Received& other) : state_(other.state_) {
  // Relaxed: `other` holds a reference, so the state cannot go meanwhile.
  if (state_ != nullptr) state_->references.fetch_add(1, std::memory_order_relaxed);
}

void Received::Release(const ReceivedState* state) {
  // Who holds the only reference shares it with nobody who could copy it meanwhile.
  if (state->references.load(std::memory_order_acquire) == 1 ||
      state->references.fetch_sub(1, std::memory_order_acq_rel) == 1) {
    internal::ReceivedBlock::Drop(state);
  }
}

std::string_view Received::body() const { return payload().view(); }
const Payload& Received::payload() const { return state_ == nullptr ? NoBody() : state_->body(); }

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
  return message ? std::string_view(message->trace_header()) : std::string_view();
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
  const internal::Contents& contents = Look(state_).contents;
  if (contents.moved() == nullptr) return std::nullopt;
  return contents.moved()->origin->arn;
}

std::string_view Received::dead_letter_reason() const {
  const internal::Contents& contents = Look(state_).contents;
  return contents.provenance == nullptr ? std::string_view()
                                        : std::string_view(contents.provenance->reason);
}

std::string_view Received::message_group_id() const {
  const internal::Contents& contents = Look(state_).contents;
  return contents.message ? contents.group_id() : std::string_view();
}

uint64_t Received::sequence_number() const { return Look(state_).sequence_number; }

std::string Received::deduplication_id() const {
  return state_ == nullptr || state_->sequence_number == 0
             ? std::string()
             : state_->block->queue()->DeduplicationId(*state_);
}

std::map<std::string, std::string> Received::SystemAttributes() const {
  if (state_ == nullptr) return {};
  const std::string deduplication = deduplication_id();
  const std::string source = dead_letter_source().value_or("");
  return internal::MakeSystemAttributes({.sender_id = state_->block->queue()->env()->account,
                                         .sent_unix_ns = state_->sent_unix_ns,
                                         .receive_count = state_->receive_count,
                                         .first_received_unix_ns = state_->first_received_unix_ns,
                                         .sequence_number = state_->sequence_number,
                                         .message_group_id = message_group_id(),
                                         .message_deduplication_id = deduplication,
                                         .trace_header = trace_header(),
                                         .dead_letter_source = source});
}

absl::Status Received::Delete() const {
  return state_ == nullptr ? NoReceipt() : state_->block->queue()->Delete(*state_);
}

absl::Status Received::ChangeVisibility(absl::Duration from_now) const {
  return state_ == nullptr ? NoReceipt()
                           : state_->block->queue()->ChangeVisibility(state_->receipt, from_now);
}

absl::Status Received::MoveToDeadLetterQueue(std::string_view reason) const {
  if (state_ == nullptr) return NoReceipt();
  bool late = false;
  absl::Status moved =
      state_->block->queue()->MoveToDeadLetterQueue(state_->receipt, reason, &late);
  if (moved.ok()) {
    state_->dead_lettered.store(true, std::memory_order_release);
    state_->settled_late.store(late, std::memory_order_relaxed);
    state_->settled.store(true, std::memory_order_release);
  }
  return moved;
}

bool Received::Overrun() const {
  return state_ != nullptr && state_->block->queue()->Overrun(*state_);
}

}  // namespace banyan::inline v0_1
