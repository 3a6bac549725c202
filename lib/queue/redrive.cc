// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/redrive.cc -- floor 3, the queue room: a walk over a dead-letter queue that sends its
// messages on.
//
// The walk goes in steps, so that others need not wait long for the lock. It never turns back, so
// what stays is seen once; and it leaves out what came after its start, so that a message which
// fails again meanwhile does not go round in circles. Only visible messages go; in a FIFO queue
// only those of which no earlier one of their group is delayed or in flight.
#include <optional>
#include <utility>

#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

absl::StatusOr<int64_t> QueueCore::Redrive(int64_t max_messages) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  if (max_messages < 1) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", max_messages,
                 " for parameter max_messages is invalid. Reason: Must be at least 1.");
  }
  Walk walk;
  while (!walk.at_end && walk.moved < max_messages) {
    BANYAN_RETURN_IF_ERROR(Step(&walk, max_messages - walk.moved, &operation));
  }
  return walk.moved;
}

// Moves at most `messages_max`, or finds out where those of one more origin go.
absl::Status QueueCore::Step(Walk* walk, int64_t messages_max, Operation* operation) {
  constexpr int kTogether = 100;  // how long others may have to wait for the lock
  std::shared_ptr<const Origin> unknown;
  const std::shared_ptr<QueueCore> one_destination = walk->destination.lock();
  absl::flat_hash_set<std::shared_ptr<QueueCore>> used;
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return ClosedStatus();
    BringUpTo(&operation->now, &operation->after);
    if (!walk->last_number.has_value()) {
      MutexLock intake_lock(&intake_.mu);
      walk->last_number = intake_.last_number;
    }
    int64_t left = messages_max;
    for (int seen = 0; seen < kTogether && left > 0; ++seen) {
      const SlotIndex index = NextOf(walk);
      if (index == kNoSlot) {
        walk->at_end = true;
        break;
      }
      const Slot& slot = slots_[index];
      std::shared_ptr<QueueCore> destination = one_destination;
      bool goes = slot.state == SlotState::kVisible;
      if (fifo_) {
        if (!goes) walk->blocked.insert(slot.group->name);
        goes = !walk->blocked.contains(slot.group->name);
      }
      if (goes && destination == nullptr) {
        const Provenance* from = slot.contents.provenance.get();
        const auto known =
            from == nullptr ? walk->destinations.end() : walk->destinations.find(from->origin);
        if (from != nullptr && known == walk->destinations.end()) {
          unknown = from->origin;
          break;
        }
        if (from != nullptr) destination = known->second.lock();
        goes = destination != nullptr;
        if (!goes && walk->ends_at_strangers) {
          (from == nullptr ? walk->met_stranger : walk->origin_is_gone) = true;
          break;
        }
      }
      walk->Pass(slot, index, goes);
      if (!goes) continue;
      used.insert(destination);
      Depart(index, std::move(destination), std::nullopt, operation->now, &operation->after);
      ++walk->moved;
      --left;
    }
  }
  operation->Finish();
  // One that was deleted meanwhile has taken nothing: what was meant for it was put back.
  for (const std::shared_ptr<QueueCore>& queue : used) {
    if (walk->ends_at_strangers && queue->closed()) walk->origin_is_gone = true;
  }
  if (unknown != nullptr) walk->destinations.emplace(unknown, RedriveDestination(*unknown));
  return absl::OkStatus();
}

// The oldest that was not seen yet, of those that kept the age they had elsewhere and of the
// others.
SlotIndex QueueCore::NextOf(Walk* walk) const {
  auto moved = moved_by_age_.lower_bound(walk->next_age);
  for (; moved != moved_by_age_.end() && moved->first.second > *walk->last_number; ++moved) {
    walk->next_age = {moved->first.first, moved->first.second + 1};
  }
  SlotIndex arrived = AfterStayed(walk);
  if (arrived != kNoSlot && slots_[arrived].number > *walk->last_number) arrived = kNoSlot;
  if (moved == moved_by_age_.end()) return arrived;
  const bool arrived_is_older =
      arrived != kNoSlot &&
      std::pair(slots_[arrived].enqueued_ns, slots_[arrived].number) < moved->first;
  return arrived_is_older ? arrived : moved->second;
}

// What has gone since has left the list: the walk goes on behind the last that stayed.
SlotIndex QueueCore::AfterStayed(Walk* walk) const {
  if (walk->stayed == kNoSlot) return arrived_.front();
  if (slots_.Holds(walk->stayed) && slots_[walk->stayed].number == walk->stayed_number &&
      slots_[walk->stayed].state != SlotState::kLeaving && !slots_[walk->stayed].own_age) {
    return slots_[walk->stayed].younger;
  }
  SlotIndex before = kNoSlot;
  SlotIndex index = arrived_.front();
  while (index != kNoSlot && slots_[index].number <= walk->stayed_number) {
    before = index;
    index = slots_[index].younger;
  }
  walk->stayed = before;  // so that the next look begins there
  if (before != kNoSlot) walk->stayed_number = slots_[before].number;
  return index;
}

void QueueCore::Walk::Pass(const Slot& slot, SlotIndex index, bool goes) {
  if (slot.own_age) {
    next_age = {slot.enqueued_ns, slot.number + 1};
  } else if (!goes) {
    stayed = index;
    stayed_number = slot.number;
  }
}

std::shared_ptr<QueueCore> QueueCore::RedriveDestination(const Origin& origin) const {
  std::shared_ptr<QueueCore> queue = origin.queue.lock();
  if (queue != nullptr && !queue->closed()) return queue;
  const absl::StatusOr<Arn> arn = Arn::Parse(origin.arn);
  return resolve_ != nullptr && arn.ok() ? resolve_(*arn) : nullptr;
}

}  // namespace banyan::inline v0_1::internal
