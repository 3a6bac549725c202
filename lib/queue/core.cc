// SPDX-License-Identifier: Apache-2.0
#include "queue/core.h"

#include <algorithm>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

namespace {

// The AWS sheet: after this many receives a message goes to the back of its queue.
constexpr uint32_t kReceivesBeforeBack = 3;

}  // namespace

std::shared_ptr<QueueCore> QueueCore::Create(std::shared_ptr<Environment> env, std::string name,
                                             const QueueOptions& options, QueueResolver resolve) {
  std::shared_ptr<QueueCore> core(
      new QueueCore(std::move(env), std::move(name), options, std::move(resolve)));
  core->origin_->queue = core;
  return core;
}

QueueCore::QueueCore(std::shared_ptr<Environment> env, std::string name,
                     const QueueOptions& options, QueueResolver resolve)
    : env_(std::move(env)),
      name_(std::move(name)),
      arn_(env_->MakeArn("sqs", name_)),
      origin_(std::make_shared<Origin>()),
      resolve_(std::move(resolve)),
      incarnation_(env_->NextIncarnation()),
      message_bytes_max_(options.message_bytes_max),
      options_(options),
      retention_ns_(CeilNanoseconds(options.retention)) {
  origin_->arn = arn_.ToString();
  origin_->incarnation = incarnation_;
}

QueueCore::~QueueCore() = default;

// ---------------------------------------------------------------------------------------------
// Verbs
// ---------------------------------------------------------------------------------------------

absl::StatusOr<SendResult> QueueCore::Send(SendRequest request) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  BANYAN_RETURN_IF_ERROR(ValidateSend(request, env_->limits));
  BANYAN_RETURN_IF_ERROR(ValidateSize(request.body.size() + request.attributes.bytes(),
                                      message_bytes_max_.load(std::memory_order_relaxed)));

  const Id id = env_->ids.Next();
  if (env_->tap != nullptr) {
    {
      MutexLock lock(&mu_);
      if (closing_.has_value()) return ClosedStatus();
    }
    const TapVerdict verdict =
        env_->tap->Accepted({.resource_arn = arn_text(),
                             .sequence = tap_sequence_.fetch_add(1, std::memory_order_relaxed) + 1,
                             .event_id = id,
                             .trace_header = request.trace_header,
                             .accepted = operation.now,
                             .body = request.body,
                             .attributes = &request.attributes,
                             .key = {}});
    if (verdict == TapVerdict::kTakeOver) return SendResult{id};
  }

  MessageParts parts;
  parts.id = id;
  parts.event_id = id;
  parts.accepted = operation.now;
  parts.trace_header = std::move(request.trace_header);
  parts.attributes = std::move(request.attributes);
  parts.body = std::move(request.body);
  BANYAN_RETURN_IF_ERROR(Store({MakeMessage(std::move(parts)), nullptr, nullptr}, id, request.delay,
                               Bounds::kKept, &operation));
  return SendResult{id};
}

std::optional<absl::Status> QueueCore::Accept(const Delivery& delivery, LaterFn) {
  // No gate: the publish that delivers here has passed it. A queue that the broker closed refuses.
  if (!delivery.accepted_before) BANYAN_RETURN_IF_ERROR(ValidateDelivery(delivery));
  Operation operation(this, Operation::kAlreadyInside);
  return Store({delivery.message, delivery.presentation, nullptr}, env_->ids.Next(), std::nullopt,
               delivery.accepted_before ? Bounds::kPassed : Bounds::kKept, &operation);
}

absl::Status QueueCore::ValidateDelivery(const Delivery& delivery) const {
  if (delivery.ShowsAttributes() && delivery.message->attributes.size() >
                                        static_cast<size_t>(env_->limits.queue.attributes_max)) {
    return Error(AwsError::kQueueInvalidParameterValue, "Number of message attributes [",
                 delivery.message->attributes.size(), "] exceeds the allowed maximum [",
                 env_->limits.queue.attributes_max, "].");
  }
  const int64_t bytes_max = message_bytes_max_.load(std::memory_order_relaxed);
  // An envelope is made when it is read, and its size counted only where it might not fit in the
  // worst case: every byte escaped.
  constexpr int64_t kEscaped = 6, kEnvelope = 4096;
  if (delivery.presentation != nullptr &&
      static_cast<int64_t>(delivery.message->bytes()) * kEscaped + kEnvelope <= bytes_max) {
    return absl::OkStatus();
  }
  return ValidateSize(delivery.PresentedBytes(), bytes_max);
}

absl::Status QueueCore::Store(Contents contents, Id id, std::optional<absl::Duration> delay,
                              Bounds bounds, Operation* operation) {
  const int64_t bytes = static_cast<int64_t>(contents.message->bytes());
  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation->now, &operation->after);
  const bool is_full =
      books_.depth.total() >= options_.messages_max || books_.bytes + bytes > options_.bytes_max;
  if (is_full && bounds == Bounds::kKept) {
    ++books_.rejected;
    return Error(AwsError::kQueueRequestThrottled, "The queue ", name_, " is full: it holds ",
                 books_.depth.total(), " of ", options_.messages_max, " messages and ",
                 books_.bytes, " of ", options_.bytes_max, " bytes.");
  }
  const SlotIndex index = AddSlot(std::move(contents), id);
  Slot& slot = slots_[index];
  slot.enqueued_ns = operation->now.uptime_ns;
  slot.sent_unix_ns = operation->now.unix_ns;
  slot.in_age_list = true;
  by_age_.PushBack(slots_, index);
  ++books_.accepted;
  Report(Change::kAccepted, slot, operation->now);
  Rest(index, CeilNanoseconds(delay.value_or(options_.delay)), operation->now);
  SetTimer();
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Received>> QueueCore::Receive(const ReceiveOptions& options) {
  std::optional<Sleepers::Bed> bed;  // ends last: until then the Runtime stays
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  BANYAN_RETURN_IF_ERROR(ValidateReceive(options, env_->limits));

  TakenList taken;
  int64_t wait_end_ns = -1;  // set by the first round
  for (;;) {
    {
      MutexLock lock(&mu_);
      if (closing_.has_value()) return ClosedStatus();
      BringUpTo(&operation.now, &operation.after);
      if (options.stop.stop_requested()) {
        // This receiver may have been woken for a message that it must not take any more (Q5).
        WakeOne();
        break;
      }
      Take(options.max_messages,
           CeilNanoseconds(options.visibility_timeout.value_or(options_.visibility_timeout)),
           operation.now, &taken, &operation.after);
      SetTimer();
      if (!taken.empty()) break;

      if (wait_end_ns < 0) {
        const int64_t wait_ns = CeilNanoseconds(options.wait.value_or(options_.receive_wait));
        wait_end_ns = AddClamped(operation.now.uptime_ns, wait_ns);
        if (wait_ns == 0 && books_.depth.visible > 0) {
          return Error(AwsError::kQueueOverLimit, "Too many messages in flight in ", name_, ": ",
                       books_.depth.in_flight, ", the limit is ", options_.in_flight_max, ".");
        }
      }
      if (operation.now.uptime_ns >= wait_end_ns) break;

      // Dead letters found on the way must not wait as long as this receiver does.
      if (operation.after.departures.empty()) {
        if (!bed.has_value()) bed.emplace(env_->sleepers);
        operation.StepOut();
        ++sleeping_;
        SetTimer();
        env_->runtime.Await(
            mu_, sleepers_,
            [this] {
              mu_.AssertHeld();
              return closing_.has_value() || env_->sleepers.sent_home() || Takeable();
            },
            FromNanoseconds(wait_end_ns), options.stop);
        --sleeping_;
        if (closing_.has_value()) return ClosedStatus();
        if (env_->sleepers.sent_home() || !operation.StepIn()) return env_->Refusal();
      }
    }
    operation.Finish();
    operation.now = env_->runtime.Read();
  }
  return MakeReceived(std::move(taken));
}

void QueueCore::Take(int64_t max_messages, int64_t visibility_ns, const Instant& now,
                     TakenList* taken, Aftermath* after) {
  const int64_t deadline_ns = AddClamped(now.uptime_ns, visibility_ns);
  absl::InlinedVector<SlotIndex, 10> left_visible;
  while (static_cast<int64_t>(taken->size()) < max_messages && Takeable()) {
    const SlotIndex index = again_.empty() ? fresh_.front() : again_.front();
    LeaveState(index);
    Slot& slot = slots_[index];
    ForgetOrigin(&slot);
    ++slot.attempts;
    ++slot.receive_count;
    slot.received_ns = now.uptime_ns;
    if (slot.first_received_unix_ns == 0) slot.first_received_unix_ns = now.unix_ns;
    ++books_.received;
    Hide(index, SlotState::kInFlight, deadline_ns);
    if (visibility_ns == 0) left_visible.push_back(index);
    taken->push_back(CopyOut(index, slot.attempts, deadline_ns));
    Report(Change::kReceived, slot, now, deadline_ns);
  }
  // Only now, so that a receive with a visibility timeout of zero gives each message once.
  for (const SlotIndex index : left_visible) {
    if (Exhausted(slots_[index])) {
      Depart(index, nullptr, now, after);
    } else {
      LeaveState(index);
      MakeVisible(index);
    }
  }
}

QueueCore::Taken QueueCore::CopyOut(SlotIndex index, uint32_t attempt, int64_t deadline_ns) const {
  const Slot& slot = slots_[index];
  return {.receipt = {incarnation_, index, slot.number, attempt},
          .contents = slot.contents,
          .id = slot.id,
          .receive_count = slot.receive_count,
          .sent_unix_ns = slot.sent_unix_ns,
          .first_received_unix_ns = slot.first_received_unix_ns,
          .deadline_ns = deadline_ns};
}

std::vector<Received> QueueCore::MakeReceived(TakenList taken) {
  std::vector<Received> received;
  received.reserve(taken.size());
  std::shared_ptr<QueueCore> self = taken.empty() ? nullptr : shared_from_this();
  for (Taken& one : taken) {
    auto state = std::make_shared<ReceivedState>();
    state->queue = self;
    state->receipt = one.receipt;
    state->contents = std::move(one.contents);
    const Contents& contents = state->contents;
    state->body = contents.presentation == nullptr ? contents.message->body
                                                   : contents.presentation->Body(*contents.message);
    state->id = one.id;
    state->receive_count = one.receive_count;
    state->sent_unix_ns = one.sent_unix_ns;
    state->first_received_unix_ns = one.first_received_unix_ns;
    state->deadline_ns = one.deadline_ns;
    received.push_back(ReceivedState::Wrap(std::move(state)));
  }
  return received;
}

absl::Status QueueCore::Delete(std::string_view receipt_handle) {
  bool settled = false;
  bool late = false;
  BANYAN_ASSIGN_OR_RETURN(const Receipt receipt, ParseReceipt(receipt_handle));
  return Settle(receipt, &settled, &late);
}

absl::Status QueueCore::Delete(const ReceivedState& received) {
  bool settled = false;
  bool late = false;
  absl::Status status = Settle(received.receipt, &settled, &late);
  if (settled) {
    received.settled_late.store(late, std::memory_order_relaxed);
    received.settled.store(true, std::memory_order_release);
  }
  return status;
}

absl::Status QueueCore::Settle(const Receipt& receipt, bool* settled, bool* late) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  if (receipt.attempt == 0) return ParseReceipt("").status();

  std::vector<std::weak_ptr<QueueCore>> moved_to;
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return ClosedStatus();
    BringUpTo(&operation.now, &operation.after);
    Slot* slot = slots_.Find(receipt.slot, receipt.number);
    if (slot == nullptr) {
      moved_to = moved_to_;
    } else if (receipt.attempt != slot->attempts) {
      ++books_.stale_deletes;
    } else if (slot->state == SlotState::kLeaving) {
      slot->delete_on_arrival = true;
    } else {
      *settled = true;
      *late = slot->state != SlotState::kInFlight;
      ++books_.deleted;
      Drop(receipt.slot, Change::kSettled, operation.now, &operation.after);
    }
    SetTimer();
  }
  // Gone from here: perhaps a dead letter that nobody has received since.
  for (const std::weak_ptr<QueueCore>& place : moved_to) {
    if (std::shared_ptr<QueueCore> queue = place.lock()) {
      queue->DeleteMoved(incarnation_, receipt.number, receipt.attempt, operation.now);
    }
  }
  return absl::OkStatus();
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
  const int64_t from_now_ns = CeilNanoseconds(from_now);

  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation.now, &operation.after);
  // An older attempt's receipt moves the deadline of the newer one: so does AWS.
  const Slot* slot = slots_.Find(receipt.slot, receipt.number);
  if (slot == nullptr || slot->state == SlotState::kLeaving) return StaleReceipt(receipt);

  const int64_t now_ns = operation.now.uptime_ns;
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
    if (!HasRoomInFlight()) {
      return Error(AwsError::kQueueOverLimit, "Too many messages in flight in ", name_, ": ",
                   books_.depth.in_flight, ", the limit is ", options_.in_flight_max, ".");
    }
  }
  const int64_t deadline_ns = AddClamped(now_ns, from_now_ns);
  Report(Change::kReceived, *slot, operation.now, deadline_ns);
  if (from_now_ns == 0 && Exhausted(*slot)) {
    Depart(receipt.slot, nullptr, operation.now, &operation.after);
  } else {
    LeaveState(receipt.slot);
    if (from_now_ns == 0) {
      MakeVisible(receipt.slot);
    } else {
      Hide(receipt.slot, SlotState::kInFlight, deadline_ns);
    }
  }
  SetTimer();
  return absl::OkStatus();
}

bool QueueCore::Overrun(const ReceivedState& received) {
  if (received.settled.load(std::memory_order_acquire)) {
    return received.settled_late.load(std::memory_order_relaxed);
  }
  Operation operation(this);
  if (!operation.entered().ok() || received.receipt.attempt == 0) return false;
  MutexLock lock(&mu_);
  if (closing_.has_value()) return false;  // nobody can have the message
  BringUpTo(&operation.now, &operation.after);
  const Slot* slot = slots_.Find(received.receipt.slot, received.receipt.number);
  if (slot == nullptr) return operation.now.uptime_ns >= received.deadline_ns;
  return slot->attempts != received.receipt.attempt || slot->state != SlotState::kInFlight;
}

absl::StatusOr<std::vector<Received>> QueueCore::Peek(int64_t max_messages) {
  constexpr int64_t kPeekMax = 10'000;
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  if (max_messages < 1 || max_messages > kPeekMax) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", max_messages,
                 " for parameter max_messages is invalid. Reason: Must be between 1 and ", kPeekMax,
                 ".");
  }
  TakenList seen;
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return ClosedStatus();
    BringUpTo(&operation.now, &operation.after);
    for (SlotIndex first : {again_.front(), fresh_.front()}) {
      for (SlotIndex i = first; i != kNoSlot && static_cast<int64_t>(seen.size()) < max_messages;
           i = slots_[i].next) {
        seen.push_back(CopyOut(i, /*attempt=*/0, /*deadline_ns=*/0));
      }
    }
  }
  return MakeReceived(std::move(seen));
}

absl::Status QueueCore::Purge() {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation.now, &operation.after);
  const int64_t every_ns = CeilNanoseconds(env_->limits.queue.purge_every);
  if (purged_ns_.has_value() && operation.now.uptime_ns - *purged_ns_ < every_ns) {
    return Error(AwsError::kQueuePurgeInProgress, "Only one PurgeQueue operation on ", name_,
                 " is allowed every ", SecondsText(env_->limits.queue.purge_every), " seconds.");
  }
  purged_ns_ = operation.now.uptime_ns;
  for (SlotIndex i = 0; i < slots_.size(); ++i) {
    const SlotState state = slots_[i].state;
    if (state == SlotState::kFree || state == SlotState::kLeaving) continue;
    ++books_.purged;
    Drop(i, Change::kSettled, operation.now, &operation.after);
  }
  return absl::OkStatus();
}

QueueStats QueueCore::Stats() {
  Operation operation(this);
  if (!operation.entered().ok()) return {};
  MutexLock lock(&mu_);
  if (closing_.has_value()) return {};
  BringUpTo(&operation.now, &operation.after);
  return books_;
}

absl::StatusOr<QueueOptions> QueueCore::Options() {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  return options_;
}

absl::Status QueueCore::SetOptions(const QueueOptions& options) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  BANYAN_RETURN_IF_ERROR(ValidateQueueOptions(options, env_->limits));
  std::weak_ptr<QueueCore> dead_letter;
  if (options.redrive.has_value()) {
    BANYAN_ASSIGN_OR_RETURN(dead_letter, ResolveDeadLetter(*options.redrive));
  }

  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation.now, &operation.after);  // under the old options
  options_ = options;
  retention_ns_ = CeilNanoseconds(options.retention);
  message_bytes_max_.store(options.message_bytes_max, std::memory_order_relaxed);
  dead_letter_ = std::move(dead_letter);
  BringUpTo(&operation.now, &operation.after);  // a shorter retention ends some at once

  // Visible messages that had all the attempts a new policy allows would otherwise get one more.
  if (options_.redrive.has_value()) {
    for (SlotIndex i = 0; i < slots_.size(); ++i) {
      if (slots_[i].state == SlotState::kVisible && Exhausted(slots_[i])) {
        Depart(i, nullptr, operation.now, &operation.after);
      }
    }
  }
  // A higher in-flight limit makes room for several receivers at once.
  const int64_t room = options_.in_flight_max - books_.depth.in_flight;
  for (int64_t i = std::min(room, books_.depth.visible);
       i > 0 && !(sleepers_.empty() && watchers_.empty()); --i) {
    WakeOne();
  }
  SetTimer();
  return absl::OkStatus();
}

// ---------------------------------------------------------------------------------------------
// Time
// ---------------------------------------------------------------------------------------------

void QueueCore::BringUpTo(Instant* now, Aftermath* after) {
  now->uptime_ns = latest_ns_ = std::max(latest_ns_, now->uptime_ns);
  while (deadlines_.next_deadline() <= now->uptime_ns) {
    const SlotIndex index = deadlines_.front();
    Slot& slot = slots_[index];
    if (ExpiresAt(slot) <= deadlines_.next_deadline()) {
      ++books_.expired;
      Drop(index, Change::kExpired, *now, after);
    } else if (slot.state == SlotState::kInFlight && Exhausted(slot)) {
      Depart(index, nullptr, *now, after);
    } else {
      LeaveState(index);
      MakeVisible(index);
    }
  }
  while (!by_age_.empty() && ExpiresAt(slots_[by_age_.front()]) <= now->uptime_ns) {
    ++books_.expired;
    Drop(by_age_.front(), Change::kExpired, *now, after);
  }
  while (!moved_by_age_.empty() &&
         ExpiresAt(slots_[moved_by_age_.begin()->second]) <= now->uptime_ns) {
    ++books_.expired;
    Drop(moved_by_age_.begin()->second, Change::kExpired, *now, after);
  }
}

void QueueCore::SetTimer() {
  if (closing_.has_value()) return;
  int64_t next_ns = kNever;
  const bool waited_for = sleeping_ > 0 || !watchers_.empty();
  if (waited_for || options_.redrive.has_value()) next_ns = deadlines_.next_deadline();
  if (waited_for && books_.depth.visible > 0) {
    // They wait for room in flight, which the end of a message's life makes, too.
    if (!by_age_.empty()) next_ns = std::min(next_ns, ExpiresAt(slots_[by_age_.front()]));
    if (!moved_by_age_.empty()) {
      next_ns = std::min(next_ns, ExpiresAt(slots_[moved_by_age_.begin()->second]));
    }
  }
  // A timer that is too early is left alone: it looks again when it fires. So a queue whose
  // messages are settled in time sets one timer per visibility timeout, not one per message.
  if (next_ns >= timer_at_ns_) return;
  if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
  timer_at_ns_ = next_ns;
  timer_ =
      env_->runtime.PostAt(FromNanoseconds(next_ns), [weak = weak_from_this(), at_ns = next_ns] {
        if (auto core = weak.lock()) core->OnTimer(at_ns);
      });
}

void QueueCore::OnTimer(int64_t at_ns) {
  // Not the gate of calls: dead letters go on moving while a stopping broker drains.
  const Gate::Pass pass = env_->tasks.Enter();
  if (!pass) return;
  Operation operation(this, Operation::kAlreadyInside);
  MutexLock lock(&mu_);
  if (closing_.has_value()) return;
  if (at_ns == timer_at_ns_) {
    timer_ = TimerId::kNone;
    timer_at_ns_ = kNever;
  }
  BringUpTo(&operation.now, &operation.after);
  SetTimer();
}

// ---------------------------------------------------------------------------------------------
// States
// ---------------------------------------------------------------------------------------------

SlotIndex QueueCore::AddSlot(Contents contents, Id id) {
  const SlotIndex index = slots_.Allocate();
  Slot& slot = slots_[index];
  books_.bytes += static_cast<int64_t>(contents.message->bytes());
  slot.contents = std::move(contents);
  slot.id = id;
  return index;
}

void QueueCore::Rest(SlotIndex index, int64_t delay_ns, const Instant& now) {
  if (delay_ns > 0) {
    Hide(index, SlotState::kDelayed, AddClamped(now.uptime_ns, delay_ns));
  } else {
    MakeVisible(index);
  }
}

void QueueCore::MakeVisible(SlotIndex index) {
  Slot& slot = slots_[index];
  slot.state = SlotState::kVisible;
  slot.offered_again = slot.attempts > 0 && slot.receive_count < kReceivesBeforeBack;
  (slot.offered_again ? again_ : fresh_).PushBack(slots_, index);
  ++books_.depth.visible;
  WakeOne();
}

void QueueCore::Hide(SlotIndex index, SlotState state, int64_t deadline_ns) {
  slots_[index].state = state;
  deadlines_.Push(slots_, index, deadline_ns);
  ++(state == SlotState::kDelayed ? books_.depth.delayed : books_.depth.in_flight);
}

void QueueCore::LeaveState(SlotIndex index) {
  Slot& slot = slots_[index];
  switch (slot.state) {
    case SlotState::kVisible:
      (slot.offered_again ? again_ : fresh_).Remove(slots_, index);
      --books_.depth.visible;
      break;
    case SlotState::kDelayed:
      deadlines_.Remove(slots_, index);
      --books_.depth.delayed;
      break;
    case SlotState::kInFlight:
      deadlines_.Remove(slots_, index);
      --books_.depth.in_flight;
      break;
    case SlotState::kFree:
    case SlotState::kLeaving:
      BANYAN_CHECK(false, "Q1: a message that leaves a state is in one");
  }
}

void QueueCore::LeaveBooks(SlotIndex index) {
  Slot& slot = slots_[index];
  const bool made_room = slot.state == SlotState::kInFlight && !HasRoomInFlight();
  LeaveState(index);
  if (slot.in_age_list) {
    by_age_.Remove(slots_, index);
    slot.in_age_list = false;
  } else {
    moved_by_age_.erase({slot.enqueued_ns, slot.number});
  }
  ForgetOrigin(&slot);
  books_.bytes -= static_cast<int64_t>(slot.contents.message->bytes());
  if (made_room) WakeOne();
}

void QueueCore::Drop(SlotIndex index, Change why, const Instant& now, Aftermath* after) {
  Report(why, slots_[index], now);
  LeaveBooks(index);
  after->dropped.push_back(slots_.Free(index));
}

bool QueueCore::Exhausted(const Slot& slot) const {
  // At least one attempt here, so that a dead-letter queue with a policy of its own offers what it
  // was given, however many attempts that had elsewhere.
  return options_.redrive.has_value() && slot.attempts > 0 &&
         slot.receive_count >= options_.redrive->max_receive_count;
}

bool QueueCore::HasRoomInFlight() const { return books_.depth.in_flight < options_.in_flight_max; }

bool QueueCore::Takeable() const { return books_.depth.visible > 0 && HasRoomInFlight(); }

int64_t QueueCore::ExpiresAt(const Slot& slot) const {
  return AddClamped(slot.enqueued_ns, retention_ns_);
}

// ---------------------------------------------------------------------------------------------
// Waiting, ending
// ---------------------------------------------------------------------------------------------

void QueueCore::WakeOne() {
  if (!Takeable()) return;
  const bool wake_watcher = !watchers_.empty() && (sleepers_.empty() || watchers_turn_);
  watchers_turn_ = !wake_watcher;
  if (!wake_watcher) {
    sleepers_.WakeOne();
    return;
  }
  env_->runtime.Post(std::move(watchers_.begin()->second));
  watchers_.erase(watchers_.begin());
}

uint64_t QueueCore::WaitAsync(Task wake) {
  Operation operation(this, Operation::kAlreadyInside);
  MutexLock lock(&mu_);
  const uint64_t id = ++last_watcher_;
  if (!closing_.has_value() && !env_->sleepers.sent_home()) {
    BringUpTo(&operation.now, &operation.after);
    if (!Takeable()) {
      watchers_.emplace(id, std::move(wake));
      SetTimer();
      return id;
    }
  }
  env_->runtime.Post(std::move(wake));
  return id;
}

bool QueueCore::CancelWait(uint64_t id) {
  Task dropped;  // dies after the lock
  MutexLock lock(&mu_);
  auto at = watchers_.find(id);
  if (at == watchers_.end()) return false;
  dropped = std::move(at->second);
  watchers_.erase(at);
  return true;
}

void QueueCore::PassOn() {
  MutexLock lock(&mu_);
  if (!closing_.has_value()) WakeOne();
}

QueueDepth QueueCore::Close(CloseKind why) {
  // What dies after the lock.
  SlotArena slots;
  QueueDepth left;
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return {};
    closing_ = why;
    left = books_.depth;
    std::swap(slots, slots_);
    again_ = {};
    fresh_ = {};
    deadlines_ = {};
    by_age_ = {};
    moved_by_age_.clear();
    moved_in_ = {};
    moved_to_ = {};
    books_ = {};
    if (timer_ != TimerId::kNone) env_->runtime.Cancel(timer_);
    timer_ = TimerId::kNone;
    timer_at_ns_ = kNever;
    sleepers_.WakeAll();
    for (auto& [id, wake] : watchers_) env_->runtime.Post(std::move(wake));
    watchers_.clear();
  }
  return left;
}

void QueueCore::EndWaits() {
  MutexLock lock(&mu_);
  sleepers_.WakeAll();
  for (auto& [id, wake] : watchers_) env_->runtime.Post(std::move(wake));
  watchers_.clear();
}

bool QueueCore::closed() const {
  MutexLock lock(&mu_);
  return closing_.has_value();
}

absl::Status QueueCore::ClosedStatus() const {
  if (*closing_ == CloseKind::kDeleted) {
    return Error(AwsError::kQueueDoesNotExist, "The specified queue does not exist.");
  }
  return Error(AwsError::kServiceUnavailable, "The broker of the queue ", name_, " has stopped.");
}

// ---------------------------------------------------------------------------------------------
// Texts and checks
// ---------------------------------------------------------------------------------------------

absl::StatusOr<Receipt> QueueCore::ParseReceipt(std::string_view text) const {
  const std::optional<Receipt> receipt = Receipt::Parse(text);
  if (receipt.has_value() && receipt->incarnation == incarnation_ && receipt->attempt > 0) {
    return *receipt;
  }
  return Error(AwsError::kQueueReceiptHandleIsInvalid, "The input receipt handle \"", text,
               "\" is not a valid receipt handle.");
}

absl::Status QueueCore::StaleReceipt(const Receipt& receipt) const {
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", receipt.ToString(),
               " for parameter ReceiptHandle is invalid. Reason: Message does not exist or is not "
               "available for visibility timeout change.");
}

void QueueCore::Report(Change change, const Slot& slot, const Instant& now, int64_t deadline_ns,
                       std::string_view destination) {
  if (env_->journal == nullptr) return;
  const bool id_says_enough = change == Change::kSettled || change == Change::kExpired;
  env_->journal->Append({.change = change,
                         .resource = arn_text(),
                         .message_id = slot.id,
                         .message = id_says_enough ? nullptr : slot.contents.message.get(),
                         .at = now,
                         .receive_count = slot.receive_count,
                         .deadline_ns = deadline_ns,
                         .destination = destination});
}

size_t QueueCore::slots_held() const {
  MutexLock lock(&mu_);
  return slots_.size();
}

bool QueueCore::timer_pending() const {
  MutexLock lock(&mu_);
  return timer_ != TimerId::kNone;
}

void QueueCore::CheckInvariants() const {
  MutexLock lock(&mu_);
  QueueDepth depth;
  int64_t bytes = 0;
  size_t free = 0;
  size_t with_own_age = 0;
  size_t from_elsewhere = 0;
  for (SlotIndex i = 0; i < slots_.size(); ++i) {
    const Slot& slot = slots_[i];
    if (slot.state == SlotState::kFree) {
      BANYAN_CHECK(slot.number == 0 && !slot.contents.message, "S1: a free slot is empty");
      ++free;
      continue;
    }
    BANYAN_CHECK(slot.number != 0 && slot.contents.message, "S1: a used slot has its message");
    if (slot.state == SlotState::kLeaving) continue;
    depth.visible += slot.state == SlotState::kVisible ? 1 : 0;
    depth.delayed += slot.state == SlotState::kDelayed ? 1 : 0;
    depth.in_flight += slot.state == SlotState::kInFlight ? 1 : 0;
    bytes += static_cast<int64_t>(slot.contents.message->bytes());
    if (!slot.in_age_list) {
      ++with_own_age;
      const auto at = moved_by_age_.find({slot.enqueued_ns, slot.number});
      BANYAN_CHECK(at != moved_by_age_.end() && at->second == i, "every message has an age");
    }
    if (slot.moved_in_unreceived) {
      ++from_elsewhere;
      auto at = moved_in_.find({slot.contents.origin->incarnation, slot.origin_number});
      BANYAN_CHECK(at != moved_in_.end() && at->second == i, "a late Delete finds its message");
    }
  }
  BANYAN_CHECK(free + slots_.used() == slots_.size(), "S1: used and free make all");
  BANYAN_CHECK(depth == books_.depth, "Q1: each message is in the state it is counted in");
  BANYAN_CHECK(bytes == books_.bytes, "bytes are those of what rests here");
  BANYAN_CHECK(with_own_age == moved_by_age_.size(), "no age without a message");
  BANYAN_CHECK(from_elsewhere == moved_in_.size(), "no late Delete without a message");

  int64_t listed = 0;
  for (const bool again : {true, false}) {
    SlotIndex previous = kNoSlot;
    for (SlotIndex i = (again ? again_ : fresh_).front(); i != kNoSlot; i = slots_[i].next) {
      BANYAN_CHECK(slots_[i].previous == previous, "S2: a list reads the same both ways");
      BANYAN_CHECK(slots_[i].state == SlotState::kVisible && slots_[i].offered_again == again,
                   "Q1: what is listed is visible");
      previous = i;
      ++listed;
    }
  }
  BANYAN_CHECK(listed == depth.visible, "Q1: what is visible is listed");
  BANYAN_CHECK(static_cast<int64_t>(deadlines_.size()) == depth.delayed + depth.in_flight,
               "Q1: what is hidden has a deadline");
  deadlines_.Check(slots_);

  int64_t aged = 0;
  int64_t older = INT64_MIN;
  for (SlotIndex i = by_age_.front(); i != kNoSlot; i = slots_[i].younger) {
    BANYAN_CHECK(slots_[i].enqueued_ns >= older, "the list by age is sorted");
    older = slots_[i].enqueued_ns;
    ++aged;
  }
  BANYAN_CHECK(aged + static_cast<int64_t>(with_own_age) == depth.total(),
               "every message has an age");
  BANYAN_CHECK(
      books_.accepted + books_.moved_in ==
          books_.deleted + books_.purged + books_.expired + books_.moved_out + books_.depth.total(),
      "Q2: the books balance");
}

}  // namespace banyan::inline v0_1::internal
