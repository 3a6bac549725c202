// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/move.cc -- floor 3, the queue room: how a message goes from one queue to another, as a
// dead letter or back by a redrive.
//
//   1. under the source's lock        it leaves the source's books (moved_out); its slot stays,
//                                     marked kLeaving, so that a Delete still finds it
//   2. under the destination's lock   it enters the destination's books (moved_in), visible
//   3. under the source's lock        the slot is freed
//
// Between 1 and 2 it is in nobody's depth: moved_out of all queues less moved_in of all queues is
// what is on its way, and each queue's own books balance at every moment. The two locks are never
// held together (Q6), so no order among queues is needed, and policies may form a cycle.
//
// If the destination is gone by step 2, step 3 puts the message back, visible, and counts it as
// moved in: a message without a dead-letter queue comes back to its receivers until its retention
// ends, and is never dropped. If the source is gone by step 3 the move stands: it came first.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

// Step 1.
void QueueCore::Depart(SlotIndex index, std::shared_ptr<QueueCore> redrive_to, const Instant& now,
                       Aftermath* after) {
  Slot& slot = slots_[index];
  Report(Change::kMoved, slot, now, 0,
         redrive_to != nullptr ? redrive_to->arn_text() : options_.redrive->dead_letter.ToString());
  LeaveBooks(index);
  slot.state = SlotState::kLeaving;
  ++books_.moved_out;
  after->departures.push_back({.slot = index,
                               .number = slot.number,
                               .attempt = slot.attempts,
                               .redrive_to = std::move(redrive_to),
                               .contents = slot.contents,
                               .id = slot.id,
                               .enqueued_ns = slot.enqueued_ns,
                               .sent_unix_ns = slot.sent_unix_ns,
                               .first_received_unix_ns = slot.first_received_unix_ns,
                               .receive_count = slot.receive_count});
}

// Steps 2 and 3 for all that an operation sent away; those with one destination go together.
void QueueCore::Finish(Aftermath* after, const Instant& now) {
  std::vector<Departure> departures = std::move(after->departures);
  after->departures.clear();
  absl::Span<Departure> rest = absl::MakeSpan(departures);
  while (!rest.empty()) {
    std::shared_ptr<QueueCore> destination = rest[0].redrive_to;
    size_t count = 1;
    while (count < rest.size() && rest[count].redrive_to == destination) ++count;
    absl::Span<Departure> together = rest.subspan(0, count);
    rest.remove_prefix(count);

    const bool is_dead_letter = destination == nullptr;
    if (is_dead_letter) destination = DeadLetterQueue();
    Aftermath there;
    if (destination != nullptr && !destination->TakeMoved(together, origin_, now, &there)) {
      destination = nullptr;
    }
    Departed(together, destination, now);
    if (destination != nullptr) {
      destination->Finish(&there, now);
    } else if (is_dead_letter) {
      env_->Log(LogSeverity::kWarning, arn_text(),
                "the dead-letter queue does not exist: messages stay after their last attempt");
    }
  }
}

// Under no lock: asking the resolver may take one of the broker's.
std::shared_ptr<QueueCore> QueueCore::DeadLetterQueue() {
  Arn arn;
  std::shared_ptr<QueueCore> queue;
  {
    MutexLock lock(&mu_);
    if (!options_.redrive.has_value()) return nullptr;
    arn = options_.redrive->dead_letter;
    queue = dead_letter_.lock();
  }
  if ((queue == nullptr || queue->closed()) && resolve_ != nullptr) queue = resolve_(arn);
  if (queue == nullptr || queue.get() == this) return nullptr;

  MutexLock lock(&mu_);
  dead_letter_ = queue;
  const auto same = [&queue](const std::weak_ptr<QueueCore>& other) {
    return other.lock() == queue;
  };
  if (std::none_of(moved_to_.begin(), moved_to_.end(), same)) {
    std::erase_if(moved_to_, [](const std::weak_ptr<QueueCore>& old) { return old.expired(); });
    moved_to_.push_back(queue);
  }
  return queue;
}

// Step 2, in the destination. Never refused for want of room: it was accepted once.
bool QueueCore::TakeMoved(absl::Span<Departure> departures,
                          const std::shared_ptr<const Origin>& from, Instant now,
                          Aftermath* after) {
  MutexLock lock(&mu_);
  if (closing_.has_value()) return false;
  BringUpTo(&now, after);
  for (const Departure& departure : departures) {
    const bool is_redrive = departure.redrive_to != nullptr;
    const Contents& contents = departure.contents;
    const SlotIndex index =
        AddSlot({contents.message, contents.presentation, is_redrive ? nullptr : from},
                is_redrive ? env_->ids.Next() : departure.id);
    Slot& slot = slots_[index];
    ++books_.moved_in;
    if (is_redrive) {
      // A new message to its receivers: AWS gives it a new id, a new life and no attempts.
      slot.enqueued_ns = now.uptime_ns;
      slot.sent_unix_ns = now.unix_ns;
      slot.in_age_list = true;
      by_age_.PushBack(slots_, index);
    } else {
      slot.enqueued_ns = departure.enqueued_ns;
      slot.sent_unix_ns = departure.sent_unix_ns;
      slot.first_received_unix_ns = departure.first_received_unix_ns;
      slot.receive_count = departure.receive_count;
      moved_by_age_.emplace(std::pair(slot.enqueued_ns, slot.number), index);
      slot.origin_number = departure.number;
      slot.origin_attempt = departure.attempt;
      slot.moved_in_unreceived = true;
      moved_in_.emplace(std::pair(from->incarnation, departure.number), index);
    }
    Report(Change::kAccepted, slot, now);
    MakeVisible(index);
  }
  SetTimer();
  return true;
}

// Step 3, in the source.
void QueueCore::Departed(absl::Span<Departure> departures,
                         const std::shared_ptr<QueueCore>& taken_by, const Instant& now) {
  std::vector<Departure*> deleted_meanwhile;
  absl::InlinedVector<Contents, 1> dropped;  // dies after the lock
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return;
    for (Departure& departure : departures) {
      const SlotIndex index = departure.slot;
      Slot& slot = slots_[index];
      BANYAN_CHECK(slot.number == departure.number && slot.state == SlotState::kLeaving,
                   "Q1: who leaves keeps its slot until it has arrived");
      const bool was_deleted = slot.delete_on_arrival;
      if (taken_by != nullptr) {
        if (was_deleted) deleted_meanwhile.push_back(&departure);
        dropped.push_back(slots_.Free(index));
        continue;
      }
      slot.delete_on_arrival = false;
      ++books_.moved_in;
      if (was_deleted) {
        ++books_.deleted;
        Report(Change::kSettled, slot, now);
        dropped.push_back(slots_.Free(index));
        continue;
      }
      books_.bytes += static_cast<int64_t>(slot.contents.message->bytes());
      moved_by_age_.emplace(std::pair(slot.enqueued_ns, slot.number), index);
      Report(Change::kAccepted, slot, now);
      MakeVisible(index);
    }
    SetTimer();
  }
  for (const Departure* departure : deleted_meanwhile) {
    taken_by->DeleteMoved(incarnation_, departure->number, departure->attempt, now);
  }
}

// A Delete with the last receipt that the queue of origin gave out. It ends a dead letter until
// someone receives it here: a slow success leaves no false corpse.
void QueueCore::DeleteMoved(uint64_t origin_incarnation, uint64_t number, uint32_t attempt,
                            Instant now) {
  Aftermath after;
  {
    MutexLock lock(&mu_);
    if (closing_.has_value()) return;
    BringUpTo(&now, &after);
    auto at = moved_in_.find({origin_incarnation, number});
    if (at != moved_in_.end()) {
      const SlotIndex index = at->second;
      if (slots_[index].origin_attempt == attempt) {
        ++books_.deleted;
        Drop(index, Change::kSettled, now, &after);
      } else {
        ++books_.stale_deletes;
      }
    }
  }
  Finish(&after, now);
}

void QueueCore::ForgetOrigin(Slot* slot) {
  if (!slot->moved_in_unreceived) return;
  slot->moved_in_unreceived = false;
  moved_in_.erase({slot->contents.origin->incarnation, slot->origin_number});
}

void QueueCore::SetDeadLetter(std::weak_ptr<QueueCore> dead_letter) {
  MutexLock lock(&mu_);
  dead_letter_ = std::move(dead_letter);
}

absl::StatusOr<std::shared_ptr<QueueCore>> QueueCore::ResolveDeadLetter(
    const RedrivePolicy& policy) const {
  std::string_view fault = "Dead letter target does not exist.";
  if (policy.dead_letter == arn_) {
    fault = "Dead letter target is the queue itself.";
  } else if (resolve_ != nullptr) {
    std::shared_ptr<QueueCore> queue = resolve_(policy.dead_letter);
    if (queue != nullptr && !queue->closed()) return queue;
  }
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", policy.dead_letter.ToString(),
               " for parameter RedrivePolicy is invalid. Reason: ", fault);
}

absl::StatusOr<int64_t> QueueCore::Redrive(int64_t max_messages) {
  Operation operation(this);
  BANYAN_RETURN_IF_ERROR(operation.entered());
  if (max_messages < 1) {
    return Error(AwsError::kQueueInvalidParameterValue, "Value ", max_messages,
                 " for parameter max_messages is invalid. Reason: Must be at least 1.");
  }

  // Where each origin's messages go; null if it is gone, and then they stay. Found under no lock.
  absl::flat_hash_map<std::shared_ptr<const Origin>, std::shared_ptr<QueueCore>> destinations;
  int64_t moved = 0;
  // One walk from the oldest on, in steps. It never turns back, so what stays is seen once; and it
  // leaves out what came after its start, so that a message which fails again meanwhile does not go
  // round in circles.
  std::pair<int64_t, uint64_t> next = {INT64_MIN, 0};
  std::optional<uint64_t> last_number;
  for (bool at_end = false; !at_end;) {
    std::shared_ptr<const Origin> unknown;
    {
      MutexLock lock(&mu_);
      if (closing_.has_value()) return ClosedStatus();
      BringUpTo(&operation.now, &operation.after);
      if (!last_number.has_value()) last_number = slots_.last_number();
      constexpr int kTogether = 100;  // how long others may have to wait for the lock
      auto at = moved_by_age_.lower_bound(next);
      for (int seen = 0; at != moved_by_age_.end() && moved < max_messages && seen < kTogether;
           ++seen) {
        const auto [age, index] = *at;
        const Slot& slot = slots_[index];
        next = age;
        ++at;  // before its place is gone
        if (slot.state != SlotState::kVisible || slot.number > *last_number ||
            slot.contents.origin == nullptr) {
          continue;
        }
        const auto destination = destinations.find(slot.contents.origin);
        if (destination == destinations.end()) {
          unknown = slot.contents.origin;
          break;
        }
        if (destination->second == nullptr) continue;
        Depart(index, destination->second, operation.now, &operation.after);
        ++moved;
      }
      if (unknown == nullptr) {
        at_end = at == moved_by_age_.end() || moved == max_messages;
        ++next.second;
      }
    }
    operation.Finish();
    if (unknown != nullptr) destinations.emplace(unknown, RedriveDestination(*unknown));
  }
  return moved;
}

std::shared_ptr<QueueCore> QueueCore::RedriveDestination(const Origin& origin) const {
  std::shared_ptr<QueueCore> queue = origin.queue.lock();
  if (queue != nullptr && !queue->closed()) return queue;
  const absl::StatusOr<Arn> arn = Arn::Parse(origin.arn);
  return resolve_ != nullptr && arn.ok() ? resolve_(*arn) : nullptr;
}

}  // namespace banyan::inline v0_1::internal
