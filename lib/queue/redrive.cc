// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/redrive.cc -- floor 3, the queue room: a walk over a dead-letter queue that sends its
// messages on: to a queue (move.cc) or, what a topic, bus or schedule gave up, on its way back.
//
// The walk goes in steps, so that others need not wait long for the lock. It never turns back, so
// what stays is seen once; and it leaves out what came after its start, so that a message which
// fails again meanwhile does not go round in circles. Only visible messages go; in a FIFO queue
// only those of which no earlier one of their group is delayed or in flight.
//
// What goes its way back leaves as in a move and is then delivered by this thread under no lock (a
// function may be called inline). Who comes later to the same queue meanwhile leaves such letters
// alone, so that groups keep their order.
#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

namespace {

// For the journal: where it went is told by who delivers it.
constexpr std::string_view kWayBack = "redelivery";

}  // namespace

absl::StatusOr<int64_t> QueueCore::Redrive(int64_t max_messages) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  if (max_messages < 1) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", max_messages,
                 " for parameter max_messages is invalid. Reason: Must be at least 1.");
  }
  Walk walk;
  walk.redelivers = true;
  while (!walk.Ended() && walk.moved < max_messages) {
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
  std::vector<Departure> letters;  // that go their way back
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
      const bool may_go = goes;
      const Provenance* from = slot.contents.moved();
      if (goes && destination == nullptr && walk->redelivers && from == nullptr &&
          slot.contents.way_back() != nullptr) {
        if (redelivering_ && letters.empty()) {
          walk->held_up = true;
          break;
        }
        redelivering_ = true;
        walk->Pass(slot, index, true);
        letters.push_back(LeaveForGood(index, operation->now));
        --left;
        continue;
      }
      if (goes && destination == nullptr) {
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
      if (!goes && may_go) ++walk->stayed_behind;
      if (!goes) continue;
      used.insert(destination);
      Depart(index, std::move(destination), std::nullopt, operation->now, &operation->after);
      ++walk->moved;
      --left;
    }
  }
  operation->Finish();
  if (!letters.empty()) Redeliver(absl::MakeSpan(letters), walk, operation->now);
  // One that was deleted meanwhile has taken nothing: what was meant for it was put back.
  for (const std::shared_ptr<QueueCore>& queue : used) {
    if (walk->ends_at_strangers && queue->closed()) walk->origin_is_gone = true;
  }
  if (unknown != nullptr) walk->destinations.emplace(unknown, RedriveDestination(*unknown));
  return absl::OkStatus();
}

// As Depart(), but nobody hands it over; see Redeliver().
QueueCore::Departure QueueCore::LeaveForGood(SlotIndex index, const Instant& now) {
  const Slot& slot = slots_[index];
  Report(Change::kMoved, slot, now, 0, kWayBack);
  if (env_->story != nullptr) {
    Tell(StoryStep::Kind::kMoved, slot, now, "back to where it was to go");
  }
  LeaveBooks(index, now.uptime_ns);
  ++books_.moved_out;
  Departure letter;
  letter.slot = index;
  letter.number = slot.number;
  letter.contents = slot.contents;
  letter.enqueued_ns = slot.enqueued_ns;
  return letter;
}

// One after the other. What does not get through is put back.
void QueueCore::Redeliver(absl::Span<Departure> letters, Walk* walk, const Instant& now) {
  for (Departure& letter : letters) {
    const bool taken = letter.contents.way_back()->Redeliver();
    if (taken) {
      ++walk->moved;
    } else {
      ++walk->stayed_behind;
      walk->PassForGood(letter.enqueued_ns, letter.number);
    }
    Departed({&letter, 1}, taken, nullptr, now);
  }
  MutexLock lock(&mu_);
  redelivering_ = false;
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
    PassForGood(slot.enqueued_ns, slot.number);
  } else if (!goes) {
    stayed = index;
    stayed_number = slot.number;
  }
}

// Also what was put back, which then has an age of its own.
void QueueCore::Walk::PassForGood(int64_t enqueued_ns, uint64_t number) {
  next_age = std::max(next_age, {enqueued_ns, number + 1});
}

std::shared_ptr<QueueCore> QueueCore::RedriveDestination(const Origin& origin) const {
  std::shared_ptr<QueueCore> queue = origin.queue.lock();
  if (queue != nullptr && !queue->closed()) return queue;
  const absl::StatusOr<Arn> arn = Arn::Parse(origin.arn);
  return resolve_ != nullptr && arn.ok() ? resolve_(*arn) : nullptr;
}

}  // namespace banyan::inline v0_1::internal
