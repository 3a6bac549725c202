// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/receive.cc -- floor 3, the queue room: how messages are taken, and looked at.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "message/errors.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

void QueueCore::BlockDeleter::operator()(ReceivedBlock* block) const { block->Discard(); }

absl::StatusOr<std::vector<Received>> QueueCore::Receive(const ReceiveOptions& options) {
  std::optional<Sleepers::Bed> bed;  // ends last: until then the Runtime stays
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  BANYAN_RETURN_IF_ERROR(ValidateReceive(options, fifo_, env_->limits));

  BlockPtr taken;
  int64_t wait_end_ns = -1;  // set by the first round that found nothing
  bool may_replay = !options.receive_request_attempt_id.empty();
  for (;;) {
    {
      MutexLock lock(&mu_);
      if (closing_.has_value()) return ClosedStatus();
      BringUpTo(&operation.now, &operation.after, Drains::kIfTimeTurns);
      if (!EnoughAtHand(options.max_messages)) BringUpTo(&operation.now, &operation.after);
      if (options.stop.stop_requested()) {
        // This receiver may have been woken for a message that it must not take any more (Q5).
        WakeOne();
        break;
      }
      // Dead letters found on the way go first: they may be what keeps a group waiting, and must
      // not wait as long as this receiver does.
      if (!operation.after.departed) {
        const int64_t visibility_ns = options.visibility_timeout.has_value()
                                          ? CeilNanoseconds(*options.visibility_timeout)
                                          : visibility_ns_;
        if (may_replay) {
          may_replay = false;
          taken = Replay(options.receive_request_attempt_id, visibility_ns, operation.now,
                         &operation.after);
        }
        if (taken == nullptr) {
          taken = Take(options.max_messages, visibility_ns, visibility_ns == visibility_ns_,
                       operation.now, &operation.after);
          if (taken != nullptr && !options.receive_request_attempt_id.empty()) {
            KeepAttempt(options.receive_request_attempt_id, taken.get(), operation.now);
          }
        }
        SetTimer();
        if (taken != nullptr) break;

        if (wait_end_ns < 0) {
          const int64_t wait_ns = CeilNanoseconds(options.wait.value_or(options_.receive_wait));
          wait_end_ns = AddClamped(operation.now.uptime_ns, wait_ns);
          if (wait_ns == 0 && !fifo_ && books_.depth.visible > 0) return OverLimitStatus();
        }
        if (operation.now.uptime_ns >= wait_end_ns) {
          ++books_.empty_receives;
          break;
        }
        if (!bed.has_value()) bed.emplace(env_->sleepers);
        operation.StepOut();
        ++sleeping_;
        TellIntake();
        Drain(&operation.now, &operation.after);  // what came before the intake knew of us
        SetTimer();
        // Nor must what was dropped wait: somebody may want its memory back.
        if (!operation.after.departed && operation.after.dropped.empty()) {
          env_->runtime.Await(
              mu_, sleepers_,
              [this] {
                mu_.AssertHeld();
                return closing_.has_value() || env_->sleepers.sent_home() || Takeable();
              },
              FromNanoseconds(wait_end_ns), options.stop);
        }
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

// True: a receive would get nothing else if the intake were drained first.
bool QueueCore::EnoughAtHand(int64_t max_messages) const {
  return !fifo_ && tenants_ == nullptr && books_.depth.visible >= max_messages;
}

// Null: nothing to take.
QueueCore::BlockPtr QueueCore::Take(int64_t max_messages, int64_t visibility_ns, bool is_usual,
                                    const Instant& now, Aftermath* after) {
  const int64_t available = std::min(max_messages, books_.depth.visible);
  if (available <= 0 || !Takeable()) return nullptr;
  const int64_t wanted = ShortenForTest(available);
  BlockPtr taken(ReceivedBlock::New(static_cast<size_t>(wanted)));
  const int64_t deadline_ns = AddClamped(now.uptime_ns, visibility_ns);
  while (static_cast<int64_t>(taken->size()) < wanted && Takeable()) {
    if (!fifo_) {
      TakeOne(NextInLine(now), deadline_ns, is_usual, now, taken.get());
      continue;
    }
    // As many of one group as there are before the next (F1).
    SlotIndex index = groups_->first_ready()->messages.front();
    while (index != kNoSlot && slots_[index].state == SlotState::kVisible &&
           static_cast<int64_t>(taken->size()) < wanted && HasRoomInFlight()) {
      const SlotIndex next = slots_[index].next;
      TakeOne(index, deadline_ns, is_usual, now, taken.get());
      index = next;
    }
  }
  // Only now, so that a receive with a visibility timeout of zero gives each message once.
  for (size_t i = 0; i < taken->size(); ++i) {
    const bool stays = visibility_ns == 0 || (!fifo_ && Chance(options_.test_delivery.duplicates));
    if (stays) EndAttempt(taken->states()[i].receipt.slot, now.uptime_ns, now, after);
  }
  return taken;
}

void QueueCore::TakeOne(SlotIndex index, int64_t deadline_ns, bool is_usual, const Instant& now,
                        ReceivedBlock* taken) {
  LeaveState(index, now.uptime_ns);
  Slot& slot = slots_[index];
  ForgetOrigin(&slot);
  ++slot.attempts;
  ++slot.receive_count;
  slot.received_ns = now.uptime_ns;
  if (slot.first_received_unix_ns == 0) slot.first_received_unix_ns = now.unix_ns;
  ++books_.received;
  Hide(index, SlotState::kInFlight, deadline_ns, is_usual);
  CopyOut(index, slot.attempts, deadline_ns, taken);
  Report(Change::kReceived, slot, now, deadline_ns);
  if (env_->story != nullptr) Tell(StoryStep::Kind::kReceived, slot, now);
}

// The visible message of which a receive would begin; kNoSlot if there is none.
SlotIndex QueueCore::NextInLine(const Instant& now) {
  if (fifo_) {
    const FifoGroup* group = groups_->first_ready();
    return group == nullptr ? kNoSlot : group->messages.front();
  }
  if (strict_ != nullptr) return strict_->empty() ? kNoSlot : strict_->begin()->second;
  SlotIndex next = kNoSlot;
  if (tenants_ != nullptr) {
    next = tenants_->Next(slots_, plain_.front(), books_.depth.in_flight, now.uptime_ns);
  }
  if (next == kNoSlot) next = plain_.front();
  if (next != kNoSlot && Chance(options_.test_delivery.reorder)) {
    for (uint64_t steps = env_->runtime.Random() % 10; steps > 0; --steps) {
      if (slots_[next].next == kNoSlot) break;
      next = slots_[next].next;
    }
  }
  return next;
}

bool QueueCore::Chance(double probability) {
  if (probability <= 0) return false;
  constexpr double kRange = 9007199254740992.0;  // 2^53
  return static_cast<double>(env_->runtime.Random() >> 11) < probability * kRange;
}

int64_t QueueCore::ShortenForTest(int64_t available) {
  if (available < 2 || !Chance(options_.test_delivery.short_receives)) return available;
  return 1 + static_cast<int64_t>(env_->runtime.Random() % static_cast<uint64_t>(available - 1));
}

// What an earlier receive of this name was given, hidden anew; null if that cannot be given again.
QueueCore::BlockPtr QueueCore::Replay(const std::string& attempt_id, int64_t visibility_ns,
                                      const Instant& now, Aftermath* after) {
  std::vector<ReceiveAttempts::Given>* given = attempts_.Find(attempt_id, now.uptime_ns);
  if (given == nullptr) return nullptr;
  for (const ReceiveAttempts::Given& one : *given) {
    const Slot* slot = slots_.Find(one.receipt.slot, one.receipt.number);
    if (slot == nullptr || slot->state != SlotState::kInFlight ||
        slot->attempts != one.receipt.attempt || slot->changes != one.changes) {
      return nullptr;
    }
  }
  BlockPtr again(ReceivedBlock::New(given->size()));
  const int64_t deadline_ns = AddClamped(now.uptime_ns, visibility_ns);
  for (const ReceiveAttempts::Given& one : *given) {
    const SlotIndex index = one.receipt.slot;
    Rehide(index, deadline_ns);
    CopyOut(index, one.receipt.attempt, deadline_ns, again.get());
    Report(Change::kReceived, slots_[index], now, deadline_ns);
  }
  if (visibility_ns == 0) {
    for (const ReceiveAttempts::Given& one : *given) {
      EndAttempt(one.receipt.slot, now.uptime_ns, now, after);
    }
  }
  return again;
}

void QueueCore::KeepAttempt(const std::string& attempt_id, ReceivedBlock* taken,
                            const Instant& now) {
  std::vector<ReceiveAttempts::Given> given;
  given.reserve(taken->size());
  for (size_t i = 0; i < taken->size(); ++i) {
    const ReceivedState& state = taken->states()[i];
    given.push_back({state.receipt, slots_[state.receipt.slot].changes});
  }
  attempts_.Keep(attempt_id, std::move(given), now.uptime_ns);
}

void QueueCore::CopyOut(SlotIndex index, uint32_t attempt, int64_t deadline_ns,
                        ReceivedBlock* to) const {
  const Slot& slot = slots_[index];
  ::new (to->next()) ReceivedState{.block = to,
                                   .receipt = {incarnation_, index, slot.number, attempt},
                                   .contents = slot.contents,
                                   .id = slot.id,
                                   .sequence_number = fifo_ ? kFirstSequence + slot.number : 0,
                                   .receive_count = slot.receive_count,
                                   .sent_unix_ns = slot.sent_unix_ns,
                                   .first_received_unix_ns = slot.first_received_unix_ns,
                                   .deadline_ns = deadline_ns};
  to->Grow();
}

// Envelopes are made here, under no lock.
std::vector<Received> QueueCore::MakeReceived(BlockPtr taken) {
  if (taken == nullptr) return {};
  for (size_t i = 0; i < taken->size(); ++i) {
    ReceivedState& state = taken->states()[i];
    const Contents& contents = state.contents;
    if (contents.presentation != nullptr) {
      state.presented = contents.presentation->Body(*contents.message);
    }
  }
  return taken.release()->Give(shared_from_this());
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
  BlockPtr seen;
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return ClosedStatus();
    BringUpTo(&operation.now, &operation.after);
    const size_t wanted = static_cast<size_t>(std::min(max_messages, books_.depth.visible));
    if (wanted == 0) return std::vector<Received>();
    seen.reset(ReceivedBlock::New(wanted));
    const auto show = [&](SlotIndex index) {
      mu_.AssertHeld();
      if (seen->size() < wanted && slots_[index].state == SlotState::kVisible) {
        CopyOut(index, /*attempt=*/0, /*deadline_ns=*/0, seen.get());
      }
      return seen->size() < wanted;
    };
    if (fifo_ || strict_ != nullptr || tenants_ != nullptr) {
      // Who stands where is a question of the moment: these are shown in the order they came.
      for (SlotIndex i = arrived_.front(); i != kNoSlot && show(i); i = slots_[i].younger) {
      }
      for (const auto& [age, index] : moved_by_age_) {
        if (!show(index)) break;
      }
    } else {
      for (const SlotIndex first : {plain_.again.front(), plain_.fresh.front()}) {
        for (SlotIndex i = first; i != kNoSlot && show(i); i = slots_[i].next) {
        }
      }
    }
  }
  return MakeReceived(std::move(seen));
}

}  // namespace banyan::inline v0_1::internal
