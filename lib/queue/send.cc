// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/send.cc -- floor 3, the queue room: how messages come in. Everything here but
// SendIntoFull and BringInNow happens under the intake's lock alone.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

absl::Status QueueCore::CheckSend(const SendRequest& request) const {
  BANYAN_RETURN_IF_ERROR(ValidateSend(
      request, fifo_, content_based_deduplication_.load(std::memory_order_relaxed), env_->limits));
  return ValidateSize(request.body.size() + request.attributes.bytes(),
                      message_bytes_max_.load(std::memory_order_relaxed));
}

absl::Status QueueCore::Check(const SendRequest& request) {
  const Gate::Pass pass = env_->gate.Enter();
  if (!pass) return env_->Refusal();
  {
    MutexLock lock(&intake_.mu);
    if (intake_.closed) return IntakeClosedStatus();
  }
  return CheckSend(request);
}

absl::StatusOr<SendResult> QueueCore::Send(SendRequest request) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  BANYAN_RETURN_IF_ERROR(CheckSend(request));
  Incoming incoming;
  std::optional<SendResult> answer;
  BANYAN_RETURN_IF_ERROR(MakeSent(&request, operation.now, env_->ids.Next(), &incoming, &answer));
  if (answer.has_value()) return *answer;
  std::optional<int64_t> wait_end_ns;
  return AdmitOrMakeRoom(&incoming, &operation, &wait_end_ns);
}

absl::StatusOr<std::vector<absl::StatusOr<SendResult>>> QueueCore::SendBatch(
    std::vector<SendRequest> requests) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  const bool content_based = content_based_deduplication_.load(std::memory_order_relaxed);
  BANYAN_RETURN_IF_ERROR(ValidateBatchSend(requests, fifo_, content_based, env_->limits));

  const int64_t bytes_max = message_bytes_max_.load(std::memory_order_relaxed);
  std::vector<absl::StatusOr<SendResult>> answers;
  answers.reserve(requests.size());
  absl::InlinedVector<Incoming, 10> incoming;
  uint64_t id = env_->ids.Take(requests.size());
  for (SendRequest& request : requests) {
    absl::Status refusal = ValidateSend(request, fifo_, content_based, env_->limits);
    if (refusal.ok()) {
      refusal = ValidateSize(request.body.size() + request.attributes.bytes(), bytes_max,
                             Asked::kInBatch);
    }
    std::optional<SendResult> answer;
    Incoming& one = incoming.emplace_back();
    if (refusal.ok()) {
      refusal = MakeSent(&request, operation.now, env_->ids.At(id++), &one, &answer);
    }
    one.answer_to = answers.size();
    const bool is_answered = !refusal.ok() || answer.has_value();
    if (!refusal.ok()) {
      answers.emplace_back(std::move(refusal));
    } else {
      answers.emplace_back(answer.value_or(SendResult()));
    }
    if (is_answered) incoming.pop_back();
  }
  // All under one lock, unless one finds no room: it, and those after it, then go singly.
  size_t done = 0;
  bool bring_in_now = false;
  {
    MutexLock lock(&intake_.mu);
    if (intake_.closed) return IntakeClosedStatus();
    if (fifo_) {
      for (const Incoming& one : incoming) intake_.dedup.FetchAhead(one.dedup_key);
    }
    for (; done < incoming.size(); ++done) {
      SendResult* result = &*answers[incoming[done].answer_to];
      if (!AdmitLocked(&incoming[done], operation.now, result)) break;
    }
    bring_in_now = MustBringIn();
  }
  if (bring_in_now) BringInNow(&operation);
  std::optional<int64_t> wait_end_ns;
  for (; done < incoming.size(); ++done) {
    answers[incoming[done].answer_to] = AdmitOrMakeRoom(&incoming[done], &operation, &wait_end_ns);
  }
  return answers;
}

// Makes what is to be stored of a valid request; or the answer, if nothing is to be stored: a
// duplicate, or a tap has taken it over.
absl::Status QueueCore::MakeSent(SendRequest* request, const Instant& now, Id id,
                                 Incoming* incoming, std::optional<SendResult>* answer) {
  if (env_->tap != nullptr) {
    {
      MutexLock lock(&intake_.mu);
      if (intake_.closed) return IntakeClosedStatus();
    }
    // What the queue would not store must not be mirrored. Two equal sends at the same moment may
    // both pass; the other side has a deduplication of its own.
    if (fifo_) {
      *answer = FindDuplicate(KeyOf(*request), now);
      if (answer->has_value()) return absl::OkStatus();
    }
    const TapVerdict verdict =
        env_->tap->Accepted({.resource_arn = arn_text(),
                             .sequence = tap_sequence_.fetch_add(1, std::memory_order_relaxed) + 1,
                             .event_id = id,
                             .trace_header = request->trace_header,
                             .accepted = now,
                             .body = request->body,
                             .attributes = &request->attributes,
                             .key = {}});
    if (verdict == TapVerdict::kTakeOver) {
      *answer = SendResult{.message_id = id};
      return absl::OkStatus();
    }
  }
  if (fifo_) incoming->dedup_key = KeyOf(*request);
  if (request->delay.has_value() && !fifo_) {
    incoming->delay_ns = CeilNanoseconds(*request->delay);
  }
  incoming->id = id;
  incoming->is_direct = true;
  incoming->stop = std::move(request->stop);
  std::string no_subject;
  incoming->message = MakeMessage(std::make_unique<const Message>(
      id, id, now, std::move(request->body), std::move(request->attributes),
      MessageTexts::Make(&request->trace_header, &no_subject, &request->message_group_id,
                         &request->message_deduplication_id)));
  return absl::OkStatus();
}

DedupKey QueueCore::KeyOf(const SendRequest& request) const {
  return KeyOf(request.message_group_id, request.message_deduplication_id, request.body);
}

DedupKey QueueCore::KeyOf(std::string_view group, std::string_view deduplication_id,
                          const Payload& body) const {
  const std::string_view scope = dedup_per_group_ ? group : std::string_view();
  if (!deduplication_id.empty()) return MakeDedupKey(scope, deduplication_id, dedup_secret_);
  // As text, since an explicit id may be just that.
  return MakeDedupKey(scope, Sha256Hex(body.view()), dedup_secret_);
}

std::string QueueCore::DeduplicationId(const ReceivedState& received) const {
  if (received.contents.moved() != nullptr) return received.id.ToString();
  const std::string_view given = received.contents.deduplication_id();
  return given.empty() ? Sha256Hex(received.body().view()) : std::string(given);
}

std::optional<SendResult> QueueCore::FindDuplicate(const DedupKey& key, const Instant& now) {
  MutexLock lock(&intake_.mu);
  const FifoDedupWindow::Original* original =
      intake_.dedup.Find(key, std::max(intake_.latest_ns, now.uptime_ns));
  if (original == nullptr) return std::nullopt;
  ++intake_.duplicates;
  return SendResult{original->message_id, original->sequence_number};
}

std::optional<absl::Status> QueueCore::Accept(const Delivery& delivery, LaterFn) {
  // No gate: the publish that delivers here has passed it. A queue that the broker closed refuses.
  if (!delivery.accepted_before) BANYAN_RETURN_IF_ERROR(ValidateDelivery(delivery));
  if (fifo_ && delivery.GroupId().empty()) {
    return Error(AwsError::kQueueMissingParameter,
                 "The request must contain the parameter MessageGroupId.");
  }
  Operation operation(this, delivery.now.has_value() ? *delivery.now : env_->runtime.Read());
  if (delivery.accepted_before) return TakeDeadLetter(delivery, &operation);
  Incoming incoming;
  incoming.message = delivery.message;
  incoming.presentation = delivery.presentation;
  incoming.id = env_->ids.Next();
  if (fifo_) {
    BANYAN_ASSIGN_OR_RETURN(incoming.dedup_key, KeyOf(delivery));
  }
  std::optional<int64_t> wait_end_ns;
  return AdmitOrMakeRoom(&incoming, &operation, &wait_end_ns).status();
}

// The same questions in the same order.
Prospect QueueCore::Foresee(const Delivery& delivery) {
  if (!delivery.accepted_before) {
    absl::Status fault = ValidateDelivery(delivery);
    if (!fault.ok()) return {std::move(fault)};
  }
  DedupKey key;
  if (fifo_) {
    absl::StatusOr<DedupKey> made = KeyOf(delivery);
    if (!made.ok()) return {made.status()};
    key = *made;
  }
  Operation operation(this, Operation::kAlreadyInside);
  MutexLock lock(&mu_);
  if (closing_.has_value()) return {ClosedStatus()};
  BringUpTo(&operation.now, &operation.after);
  SetTimer();
  if (fifo_) {
    MutexLock intake_lock(&intake_.mu);
    const int64_t now_ns = std::max(intake_.latest_ns, operation.now.uptime_ns);
    if (intake_.dedup.Find(key, now_ns) != nullptr) return {.answer = {}, .is_duplicate = true};
    if (intake_.dedup.full()) return {NoMoreIdsStatus()};
  }
  const Amount more = {1, static_cast<int64_t>(delivery.message->bytes())};
  if (!delivery.accepted_before && !HasRoom(more)) return {FullStatus()};
  return {};
}

absl::StatusOr<DedupKey> QueueCore::KeyOf(const Delivery& delivery) const {
  const std::string_view group = delivery.GroupId();
  const std::string_view deduplication_id = delivery.DeduplicationId();
  if (group.empty()) {
    return Error(AwsError::kQueueMissingParameter,
                 "The request must contain the parameter MessageGroupId.");
  }
  if (deduplication_id.empty() && !content_based_deduplication_.load(std::memory_order_relaxed)) {
    return Error(AwsError::kQueueInvalidParameterValue,
                 "The queue should either have ContentBasedDeduplication enabled or "
                 "MessageDeduplicationId provided explicitly");
  }
  return KeyOf(group, deduplication_id, deduplication_id.empty() ? delivery.Body() : Payload());
}

absl::Status QueueCore::ValidateDelivery(const Delivery& delivery) const {
  // An envelope or an event is never empty; a raw message is, where a message structure says so.
  if (delivery.ShowsAttributes() && delivery.message->body.empty()) {
    return Error(AwsError::kQueueMissingParameter,
                 "The request must contain the parameter MessageBody.");
  }
  if (delivery.ShowsAttributes() && delivery.message->attributes.size() >
                                        static_cast<size_t>(env_->limits.queue.attributes_max)) {
    return Error(AwsError::kQueueInvalidParameterValue, "Number of message attributes [",
                 delivery.message->attributes.size(), "] exceeds the allowed maximum [",
                 env_->limits.queue.attributes_max, "].");
  }
  const int64_t bytes_max = message_bytes_max_.load(std::memory_order_relaxed);
  // An envelope is made when it is read, and its size counted only where it might not fit.
  if (static_cast<int64_t>(delivery.PresentedBytesAtMost()) <= bytes_max) return absl::OkStatus();
  return ValidateSize(delivery.PresentedBytes(), bytes_max);
}

absl::StatusOr<SendResult> QueueCore::AdmitOrMakeRoom(Incoming* incoming, Operation* operation,
                                                      std::optional<int64_t>* wait_end_ns) {
  SendResult result;
  BANYAN_ASSIGN_OR_RETURN(const bool admitted, Admit(incoming, operation, &result));
  if (admitted) return result;
  return SendIntoFull(incoming, operation, wait_end_ns);
}

// False: there was no room, and nothing has changed.
absl::StatusOr<bool> QueueCore::Admit(Incoming* incoming, Operation* operation,
                                      SendResult* result) {
  bool bring_in_now = false;
  {
    MutexLock lock(&intake_.mu);
    if (intake_.closed) return IntakeClosedStatus();
    if (!AdmitLocked(incoming, operation->now, result)) return false;
    bring_in_now = MustBringIn();
  }
  if (bring_in_now) BringInNow(operation);
  return true;
}

bool QueueCore::AdmitLocked(Incoming* incoming, const Instant& now, SendResult* result) {
  const int64_t now_ns = intake_.latest_ns = std::max(intake_.latest_ns, now.uptime_ns);  // I2
  if (fifo_) {
    if (const auto* original = intake_.dedup.Find(incoming->dedup_key, now_ns)) {
      ++intake_.duplicates;
      *result = {original->message_id, original->sequence_number};
      return true;
    }
    if (intake_.dedup.full()) return false;
  }
  const Amount more = {1, static_cast<int64_t>(incoming->message->bytes())};
  if (!intake_.HasRoom(more)) return false;
  intake_.admitted.messages += more.messages;
  intake_.admitted.bytes += more.bytes;
  // In its place from the start, field by field: what was just written elsewhere in small pieces
  // and is then copied in large ones waits for the writes to reach the cache.
  IntakeEntry& entry = intake_.entries.emplace_back();
  entry.message = std::move(incoming->message);
  if (incoming->presentation != nullptr) entry.presentation = std::move(incoming->presentation);
  entry.id = incoming->id;
  entry.usual_delay = !incoming->delay_ns.has_value();
  entry.delay_ns = incoming->delay_ns.value_or(intake_.delay_ns);
  entry.number = ++intake_.last_number;
  entry.at = {.uptime_ns = now_ns, .unix_ns = now.unix_ns};
  *result = {entry.id, fifo_ ? kFirstSequence + entry.number : 0};
  if (fifo_) {
    intake_.dedup.Insert(incoming->dedup_key, {result->message_id, result->sequence_number},
                         now_ns);
  }
  intake_.waiting.store(intake_.entries.size(), std::memory_order_relaxed);
  return true;
}

bool QueueCore::MustBringIn() const {
  return intake_.deliver_now || intake_.entries.size() >= Intake::kEntriesMax;
}

void QueueCore::BringInNow(Operation* operation) {
  MutexLock lock(&mu_);
  if (closing_.has_value()) return;
  BringUpTo(&operation->now, &operation->after);
  TellIntake();
  SetTimer();
}

// Admits into a queue that has no room by the intake's own count, as options_.when_full says. The
// passage of time may have made room: the queue itself is asked first.
absl::StatusOr<SendResult> QueueCore::SendIntoFull(Incoming* incoming, Operation* operation,
                                                   std::optional<int64_t>* wait_end_ns) {
  const Amount needed = {1, static_cast<int64_t>(incoming->message->bytes())};
  std::optional<Sleepers::Bed> bed;
  for (;;) {
    {
      MutexLock lock(&mu_);
      if (closing_.has_value()) return ClosedStatus();
      BringUpTo(&operation->now, &operation->after);
      // First, so that nothing is dropped for a message that is refused all the same.
      if (fifo_ && !RemembersMore(incoming->dedup_key, operation->now)) {
        ++books_.rejected;
        return NoMoreIdsStatus();
      }
      bool has_room = HasRoom(needed);
      if (!has_room && options_.when_full == WhenFull::kDropOldest && incoming->is_direct &&
          needed.bytes <= options_.bytes_max) {
        while (!has_room && DropOldest(operation)) has_room = HasRoom(needed);
      }
      const bool blocks = options_.when_full == WhenFull::kBlock && incoming->is_direct &&
                          needed.bytes <= options_.bytes_max;
      if (!has_room && blocks && !wait_end_ns->has_value()) {
        *wait_end_ns = AddClamped(operation->now.uptime_ns, CeilNanoseconds(options_.block_max));
      }
      if (!has_room && (!blocks || operation->now.uptime_ns >= **wait_end_ns ||
                        incoming->stop.stop_requested())) {
        ++books_.rejected;
        return FullStatus();
      }
      if (!has_room && !operation->after.departed && operation->after.dropped.empty()) {
        if (!bed.has_value()) bed.emplace(env_->sleepers);
        operation->StepOut();
        ++senders_waiting_;
        SetTimer();
        env_->runtime.Await(
            mu_, senders_,
            [this, &needed] {
              mu_.AssertHeld();
              return closing_.has_value() || env_->sleepers.sent_home() || HasRoom(needed);
            },
            FromNanoseconds(**wait_end_ns), incoming->stop);
        --senders_waiting_;
        if (closing_.has_value()) return ClosedStatus();
        if (env_->sleepers.sent_home() || !operation->StepIn()) return env_->Refusal();
        operation->now = env_->runtime.Read();
      }
      SetTimer();
    }
    operation->Finish();
    SendResult result;
    BANYAN_ASSIGN_OR_RETURN(const bool admitted, Admit(incoming, operation, &result));
    if (admitted) return result;
    operation->now = env_->runtime.Read();  // another sender was quicker
  }
}

bool QueueCore::HasRoom(const Amount& more) const {
  return books_.depth.total() + more.messages <= options_.messages_max &&
         books_.bytes + more.bytes <= options_.bytes_max;
}

// False: one more deduplication id would displace one that must be remembered.
bool QueueCore::RemembersMore(const DedupKey& key, const Instant& now) {
  MutexLock lock(&intake_.mu);
  return intake_.dedup.Find(key, std::max(intake_.latest_ns, now.uptime_ns)) != nullptr ||
         !intake_.dedup.full();
}

// Drops the oldest message that is not in flight; false if there is none. Looks past those that are
// in flight and older, but not again at the next call.
bool QueueCore::DropOldest(Operation* operation) {
  const auto may_go = [this](SlotIndex index) {
    mu_.AssertHeld();
    return slots_[index].state != SlotState::kInFlight;
  };
  const Slot* from = drop_from_ == kNoSlot ? nullptr : slots_.Find(drop_from_, drop_from_number_);
  const bool knows_from = from != nullptr && from->state != SlotState::kLeaving && !from->own_age;
  SlotIndex oldest = knows_from ? drop_from_ : arrived_.front();
  while (oldest != kNoSlot && !may_go(oldest)) oldest = slots_[oldest].younger;
  for (const auto& [age, index] : moved_by_age_) {
    if (oldest != kNoSlot && slots_[oldest].enqueued_ns <= age.first) break;
    if (!may_go(index)) continue;
    oldest = index;
    break;
  }
  if (oldest == kNoSlot) return false;
  ++books_.dropped;
  if (!slots_[oldest].own_age) {
    drop_from_ = slots_[oldest].younger;
    drop_from_number_ = drop_from_ == kNoSlot ? 0 : slots_[drop_from_].number;
  }
  Drop(oldest, Change::kExpired, operation->now, &operation->after);
  return true;
}

}  // namespace banyan::inline v0_1::internal
