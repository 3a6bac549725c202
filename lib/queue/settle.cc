// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/settle.cc -- floor 3, the queue room: what receivers say of what they have.
//
// Which handle may do what, by the sheet's table:
//
//                              standard                         FIFO
//   the latest, in flight      settles, changes                 settles, changes
//   the latest, timed out      settles, changes                 "has expired"
//   an older one               delete: nothing; change: works   "has expired"
//   message gone               delete: nothing; change: error   the same
//   message is a dead letter,  delete: it goes, too             the same
//     not received there yet
#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

absl::Status QueueCore::Delete(std::string_view receipt_handle) {
  Settled settled;
  BANYAN_ASSIGN_OR_RETURN(const Receipt receipt, ParseReceipt(receipt_handle));
  return Settle(receipt, nullptr, &settled);
}

absl::Status QueueCore::Delete(const ReceivedState& received) {
  Settled settled;
  absl::Status status = Settle(received.receipt, &received, &settled);
  if (settled.settled) Mark(received, settled);
  return status;
}

// So that Overrun() can be answered when the message is gone.
void QueueCore::Mark(const ReceivedState& received, const Settled& settled) {
  received.settled_late.store(settled.late, std::memory_order_relaxed);
  received.settled.store(true, std::memory_order_release);
}

absl::Status QueueCore::Settle(const Receipt& receipt, const ReceivedState* received,
                               Settled* settled) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  if (receipt.attempt == 0) return ParseReceipt("").status();
  absl::Status status;
  std::vector<std::weak_ptr<QueueCore>> places;
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return ClosedStatus();
    BringUpTo(&operation.now, &operation.after, Drains::kIfTimeTurns);
    status = SettleOne(receipt, received, &operation, settled);
    if (status.ok()) ++delete_calls_;
    if (settled->gone) places = moved_to_;
    SetTimer();
  }
  if (!places.empty()) DeleteElsewhere({receipt}, places, operation.now);
  return status;
}

absl::Status QueueCore::SettleOne(const Receipt& receipt, const ReceivedState* received,
                                  Operation* operation, Settled* settled) {
  Slot* slot = slots_.Find(receipt.slot, receipt.number);
  if (slot == nullptr) {
    settled->gone = true;
    return absl::OkStatus();
  }
  if (receipt.attempt != slot->attempts) {
    ++books_.stale_deletes;
    return fifo_ ? ExpiredReceipt(receipt) : absl::OkStatus();
  }
  if (slot->state == SlotState::kLeaving) {
    slot->delete_on_arrival = true;
    return absl::OkStatus();
  }
  if (fifo_ && slot->state != SlotState::kInFlight) {
    ++books_.stale_deletes;
    return ExpiredReceipt(receipt);
  }
  settled->settled = true;
  settled->late = slot->state != SlotState::kInFlight;
  ++books_.deleted;
  Drop(receipt.slot, Change::kSettled, operation->now, &operation->after);
  // The slot's reference is ours now, and none of the receiver's is ever copied.
  if (received != nullptr) {
    operation->after.dropped.back().message.ReleaseBeside(received->contents.message);
  }
  return absl::OkStatus();
}

void QueueCore::DeleteElsewhere(absl::Span<const Receipt> receipts,
                                const std::vector<std::weak_ptr<QueueCore>>& places,
                                const Instant& now) {
  for (const std::weak_ptr<QueueCore>& place : places) {
    const std::shared_ptr<QueueCore> queue = place.lock();
    if (queue == nullptr) continue;
    for (const Receipt& receipt : receipts) {
      queue->DeleteMoved(incarnation_, receipt.number, receipt.attempt, now);
    }
  }
}

absl::StatusOr<std::vector<absl::Status>> QueueCore::DeleteBatch(
    absl::Span<const Received> received) {
  absl::InlinedVector<ToSettle, 10> entries;
  for (const Received& one : received) {
    const ReceivedState* state = ReceivedState::Of(one);
    const bool is_ours = state != nullptr && state->block != nullptr &&
                         state->block->queue().get() == this && state->receipt.attempt > 0;
    ToSettle entry;
    if (is_ours) {
      entry.receipt = state->receipt;
      entry.received = state;
    } else {
      entry.refusal = ParseReceipt(one.receipt_handle()).status();
    }
    entries.push_back(std::move(entry));
  }
  return SettleAll(absl::MakeSpan(entries));
}

absl::StatusOr<std::vector<absl::Status>> QueueCore::DeleteBatch(
    absl::Span<const std::string> handles) {
  absl::InlinedVector<ToSettle, 10> entries;
  for (const std::string& handle : handles) {
    absl::StatusOr<Receipt> receipt = ParseReceipt(handle);
    ToSettle entry;
    if (receipt.ok()) {
      entry.receipt = *receipt;
    } else {
      entry.refusal = receipt.status();
    }
    entries.push_back(std::move(entry));
  }
  return SettleAll(absl::MakeSpan(entries));
}

absl::StatusOr<std::vector<absl::Status>> QueueCore::SettleAll(absl::Span<ToSettle> entries) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  BANYAN_RETURN_IF_ERROR(ValidateBatchCount(entries.size(), env_->limits));
  std::vector<absl::Status> answers(entries.size());
  absl::InlinedVector<Receipt, 10> gone;
  std::vector<std::weak_ptr<QueueCore>> places;
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return ClosedStatus();
    BringUpTo(&operation.now, &operation.after, Drains::kIfTimeTurns);
    for (size_t i = 0; i < entries.size(); ++i) {
      ToSettle& entry = entries[i];
      if (!entry.refusal.ok()) {
        answers[i] = std::move(entry.refusal);
        continue;
      }
      Settled settled;
      answers[i] = SettleOne(entry.receipt, entry.received, &operation, &settled);
      if (answers[i].ok()) ++delete_calls_;
      if (settled.gone) gone.push_back(entry.receipt);
      if (settled.settled && entry.received != nullptr) Mark(*entry.received, settled);
    }
    if (!gone.empty()) places = moved_to_;
    SetTimer();
  }
  if (!places.empty()) DeleteElsewhere(gone, places, operation.now);
  return answers;
}

absl::Status QueueCore::ChangeVisibility(std::string_view receipt_handle, absl::Duration from_now) {
  BANYAN_ASSIGN_OR_RETURN(const Receipt receipt, ParseReceipt(receipt_handle));
  return ChangeVisibility(receipt, from_now);
}

absl::Status QueueCore::ChangeVisibility(const Receipt& receipt, absl::Duration from_now) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  if (receipt.attempt == 0) return ParseReceipt("").status();
  BANYAN_RETURN_IF_ERROR(ValidateVisibility(from_now, env_->limits));

  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation.now, &operation.after);
  absl::Status status = ChangeOne(receipt, from_now, &operation);
  SetTimer();
  return status;
}

absl::StatusOr<std::vector<absl::Status>> QueueCore::ChangeVisibilityBatch(
    absl::Span<const VisibilityChange> changes) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  BANYAN_RETURN_IF_ERROR(ValidateBatchCount(changes.size(), env_->limits));
  std::vector<absl::Status> answers;
  answers.reserve(changes.size());
  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation.now, &operation.after);
  for (const VisibilityChange& change : changes) {
    absl::StatusOr<Receipt> receipt = ParseReceipt(change.receipt_handle);
    absl::Status answer = receipt.status();
    if (answer.ok()) answer = ValidateVisibility(change.from_now, env_->limits);
    if (answer.ok()) answer = ChangeOne(*receipt, change.from_now, &operation);
    answers.push_back(std::move(answer));
  }
  SetTimer();
  return answers;
}

absl::Status QueueCore::ChangeOne(const Receipt& receipt, absl::Duration from_now,
                                  Operation* operation) {
  const int64_t from_now_ns = CeilNanoseconds(from_now);
  Slot* slot = slots_.Find(receipt.slot, receipt.number);
  if (slot == nullptr || slot->state == SlotState::kLeaving) return StaleReceipt(receipt);
  if (receipt.attempt > slot->attempts) return StaleReceipt(receipt);  // never given out
  // In a standard queue an older attempt's receipt moves the deadline of the newer one: so does
  // AWS.
  if (fifo_ && (slot->attempts != receipt.attempt || slot->state != SlotState::kInFlight)) {
    return ExpiredReceipt(receipt);
  }

  const int64_t now_ns = operation->now.uptime_ns;
  const absl::Duration total_max = env_->limits.queue.visibility_max;
  // Clamped: where the limits are lifted, "for ever" is a duration like any other.
  if (AddClamped(now_ns - slot->received_ns, from_now_ns) > CeilNanoseconds(total_max)) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", SecondsText(from_now),
                 " for parameter VisibilityTimeout is invalid. Reason: Total VisibilityTimeout "
                 "for the message is beyond the limit [",
                 SecondsText(total_max), " seconds]");
  }
  if (slot->state == SlotState::kVisible) {
    if (from_now_ns == 0) return absl::OkStatus();
    if (!HasRoomInFlight()) return OverLimitStatus();
  }
  const int64_t deadline_ns = AddClamped(now_ns, from_now_ns);
  ++slot->changes;
  Report(Change::kReceived, *slot, operation->now, deadline_ns);
  if (from_now_ns == 0) {
    EndAttempt(receipt.slot, now_ns, operation->now, &operation->after);
  } else if (slot->state == SlotState::kInFlight) {
    Rehide(receipt.slot, deadline_ns);
  } else {
    LeaveState(receipt.slot, now_ns);
    Hide(receipt.slot, SlotState::kInFlight, deadline_ns, /*is_usual=*/false);
  }
  return absl::OkStatus();
}

absl::Status QueueCore::MoveToDeadLetterQueue(const Receipt& receipt, std::string_view reason,
                                              bool* late) {
  constexpr size_t kReasonMax = 1'024;
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  if (receipt.attempt == 0) return ParseReceipt("").status();
  const bool is_there = DeadLetterQueue() != nullptr;
  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation.now, &operation.after, Drains::kIfTimeTurns);
  if (!options_.redrive.has_value()) {
    return Error(AwsError::kQueueInvalidParameterValue, "The queue ", name_,
                 " has no redrive policy, so there is no dead-letter queue to move to.");
  }
  Slot* slot = slots_.Find(receipt.slot, receipt.number);
  if (slot == nullptr || slot->state == SlotState::kLeaving) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", receipt.ToString(),
                 " for parameter ReceiptHandle is invalid. Reason: Message does not exist, or was "
                 "moved to the dead-letter queue before.");
  }
  if (!is_there) {
    return Error(AwsError::kQueueInvalidParameterValue, "The dead-letter queue ",
                 options_.redrive->dead_letter.ToString(), " of the queue ", name_,
                 " does not exist.");
  }
  if (slot->attempts != receipt.attempt || (fifo_ && slot->state != SlotState::kInFlight)) {
    return ExpiredReceipt(receipt);
  }
  *late = slot->state != SlotState::kInFlight;
  AddFailure(slot, reason, operation.now);
  Depart(receipt.slot, nullptr, reason.substr(0, kReasonMax), operation.now, &operation.after);
  SetTimer();
  return absl::OkStatus();
}

void QueueCore::NoteFailure(const Received& received, std::string_view error) {
  const ReceivedState* state = ReceivedState::Of(received);
  if (state == nullptr) return;
  Operation operation(this);
  if (!operation.entered().ok()) return;
  MutexLock lock(&mu_);
  if (closing_.has_value()) return;
  Slot* slot = slots_.Find(state->receipt.slot, state->receipt.number);
  if (slot == nullptr || slot->attempts != state->receipt.attempt) return;
  AddFailure(slot, error, operation.now);
  if (env_->story != nullptr) Tell(StoryStep::Kind::kFailed, *slot, operation.now, error);
}

bool QueueCore::Overrun(const ReceivedState& received) {
  if (received.settled.load(std::memory_order_acquire)) {
    return received.settled_late.load(std::memory_order_relaxed);
  }
  Operation operation(this);
  if (!operation.entered().ok() || received.receipt.attempt == 0) return false;
  MutexLock lock(&mu_);
  if (closing_.has_value()) return false;  // nobody can have the message
  BringUpTo(&operation.now, &operation.after, Drains::kIfTimeTurns);
  const Slot* slot = slots_.Find(received.receipt.slot, received.receipt.number);
  if (slot == nullptr) return operation.now.uptime_ns >= received.deadline_ns;
  return slot->attempts != received.receipt.attempt || slot->state != SlotState::kInFlight;
}

}  // namespace banyan::inline v0_1::internal
