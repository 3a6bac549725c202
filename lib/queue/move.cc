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

// Step 1. `redrive_to`: null for the dead-letter queue.
void QueueCore::Depart(SlotIndex index, std::shared_ptr<QueueCore> redrive_to,
                       std::optional<std::string_view> given_up, const Instant& now,
                       Aftermath* after) {
  Slot& slot = slots_[index];
  const bool is_redrive = redrive_to != nullptr;
  const std::string destination =
      is_redrive ? redrive_to->arn_text() : options_.redrive->dead_letter.ToString();
  Report(Change::kMoved, slot, now, 0, destination);
  if (env_->story != nullptr) {
    Tell(is_redrive ? StoryStep::Kind::kMoved : StoryStep::Kind::kDeadLettered, slot, now,
         given_up.value_or(""), destination);
  }
  LeaveBooks(index, now.uptime_ns);
  ++books_.moved_out;
  Departure departure = {.slot = index,
                         .number = slot.number,
                         .attempt = slot.attempts,
                         .redrive_to = std::move(redrive_to),
                         .contents = slot.contents,
                         .id = slot.id,
                         .enqueued_ns = slot.enqueued_ns,
                         .sent_unix_ns = slot.sent_unix_ns,
                         .first_received_unix_ns = slot.first_received_unix_ns,
                         .receive_count = slot.receive_count};
  departure.contents.provenance = nullptr;  // a redrive begins anew
  std::shared_ptr<const WayBack> way_back = slot.contents.way_back();
  if (!is_redrive || way_back != nullptr) {
    auto provenance = std::make_shared<Provenance>();
    provenance->way_back = std::move(way_back);
    if (!is_redrive) {
      provenance->origin = origin_;
      provenance->number = slot.number;
      provenance->attempt = slot.attempts;
      provenance->given_up = given_up.has_value();
      provenance->reason = given_up.value_or("");
      provenance->moved_ns = now.uptime_ns;
      if (slot.history != nullptr) provenance->history = *slot.history;
    }
    departure.contents.provenance = std::move(provenance);
  }
  outgoing_.push_back(std::move(departure));
  after->departed = true;
}

// Steps 2 and 3, for this queue and then for those that had dead letters of their own when they
// were looked at: a loop, since queues may form a chain of any length.
void QueueCore::HandOver(const Instant& now) {
  std::vector<std::shared_ptr<QueueCore>> queues = {shared_from_this()};
  while (!queues.empty()) {
    const std::shared_ptr<QueueCore> queue = std::move(queues.back());
    queues.pop_back();
    queue->HandOverOwn(now, &queues);
  }
}

void QueueCore::HandOverOwn(const Instant& now, std::vector<std::shared_ptr<QueueCore>>* queues) {
  {
    MutexLock lock(&mu_);
    if (handing_over_) return;  // who does will find ours, too
    handing_over_ = true;
  }
  constexpr int kRoundsMax = 8;  // others may add to it for ever, but this call must return
  for (int round = 0;; ++round) {
    std::vector<Departure> departures;
    {
      MutexLock lock(&mu_);
      if (round < kRoundsMax) departures.swap(outgoing_);
      if (departures.empty()) {
        handing_over_ = false;
        if (!outgoing_.empty() && !closing_.has_value()) PostHandOver();
        return;
      }
    }
    // Those with one destination go together.
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
      if (destination != nullptr && !destination->TakeMoved(together, now, &there)) {
        destination = nullptr;
      }
      Departed(together, destination != nullptr, destination, now);
      if (there.departed) queues->push_back(destination);
      if (destination == nullptr && is_dead_letter) {
        env_->Log(LogSeverity::kWarning, arn_text(),
                  "the dead-letter queue does not exist: messages stay after their last attempt");
      }
    }
  }
}

void QueueCore::PostHandOver() {
  env_->runtime.Post([weak = weak_from_this()] {
    const std::shared_ptr<QueueCore> core = weak.lock();
    if (core == nullptr) return;
    const Gate::Pass pass = core->env_->tasks.Enter();  // as the timer that moves dead letters
    if (pass) core->HandOver(core->env_->runtime.Read());
  });
}

// Under no lock: asking the resolver may take one of the broker's.
std::shared_ptr<QueueCore> QueueCore::DeadLetterQueue() {
  Arn arn;
  std::shared_ptr<QueueCore> known;
  {
    MutexLock lock(&mu_);
    if (!options_.redrive.has_value()) return nullptr;
    arn = options_.redrive->dead_letter;
    known = dead_letter_.lock();
  }
  std::shared_ptr<QueueCore> queue = known;
  if ((queue == nullptr || queue->closed()) && resolve_ != nullptr) queue = resolve_(arn);
  if (queue == nullptr || queue.get() == this) return nullptr;

  if (queue != known) queue->AddSource(shared_from_this());
  MutexLock lock(&mu_);
  // It may have been set anew meanwhile; these messages left before that.
  if (options_.redrive.has_value() && options_.redrive->dead_letter == arn) dead_letter_ = queue;
  const auto same = [&queue](const std::weak_ptr<QueueCore>& other) {
    return other.lock() == queue;
  };
  if (std::none_of(moved_to_.begin(), moved_to_.end(), same)) {
    std::erase_if(moved_to_, [](const std::weak_ptr<QueueCore>& old) { return old.expired(); });
    moved_to_.push_back(queue);
  }
  return queue;
}

// Step 2, in the destination. Never refused for want of room: it was accepted once. Nor as a
// duplicate: a FIFO queue knows what was moved in by its message id, which is its own.
bool QueueCore::TakeMoved(absl::Span<Departure> departures, Instant now, Aftermath* after) {
  MutexLock lock(&mu_);
  if (closing_.has_value()) return false;
  BringUpTo(&now, after);
  Amount more = {static_cast<int64_t>(departures.size()), 0};
  for (const Departure& departure : departures) {
    more.bytes += static_cast<int64_t>(departure.contents.message->bytes());
  }
  uint64_t number = Drain(&now, after, more);
  for (const Departure& departure : departures) {
    const bool is_redrive = departure.redrive_to != nullptr;
    std::shared_ptr<const Presentation> presentation = departure.contents.presentation;
    const SlotIndex index = AddSlot(departure.contents.message, &presentation,
                                    is_redrive ? env_->ids.Next() : departure.id, number++);
    Slot& slot = slots_[index];
    slot.contents.provenance = departure.contents.provenance;
    ++books_.moved_in;
    slot.moved_in = true;
    // To its receivers what a redrive brings is a new message: AWS gives it a new id, a new life
    // and no attempts. A dead letter of a FIFO queue gets a new life, too.
    slot.enqueued_ns = is_redrive || fifo_ ? now.uptime_ns : departure.enqueued_ns;
    slot.sent_unix_ns = is_redrive ? now.unix_ns : departure.sent_unix_ns;
    if (is_redrive || fifo_) {
      arrived_.PushBack(slots_, index);
    } else {
      slot.own_age = true;
      moved_by_age_.emplace(std::pair(slot.enqueued_ns, slot.number), index);
    }
    if (!is_redrive) {
      slot.first_received_unix_ns = departure.first_received_unix_ns;
      slot.receive_count = departure.receive_count;
      const Provenance& from = *departure.contents.provenance;
      if (!from.given_up) {
        slot.moved_in_unreceived = true;
        moved_in_.emplace(std::pair(from.origin->incarnation, from.number), index);
      }
    }
    Report(Change::kAccepted, slot, now);
    if (env_->story != nullptr) TellArrival(slot, now);
    MakeVisible(index, now.uptime_ns);
  }
  SetTimer();
  return true;
}

// A dead letter of a topic, a bus or a schedule. As above it is refused neither for want of room
// nor as a duplicate: two subscriptions may give up the same message, and one may do so twice.
absl::Status QueueCore::TakeDeadLetter(const Delivery& letter, Operation* operation) {
  MutexLock lock(&mu_);
  if (closing_.has_value()) return ClosedStatus();
  BringUpTo(&operation->now, &operation->after);
  IntakeEntry entry;
  entry.message = letter.message;
  entry.presentation = letter.presentation;
  entry.id = env_->ids.Next();
  entry.delay_ns = CeilNanoseconds(options_.delay);
  entry.number =
      Drain(&operation->now, &operation->after, {1, static_cast<int64_t>(letter.message->bytes())});
  entry.at = operation->now;
  const SlotIndex index = BringIn(&entry, operation->now);
  if (letter.way_back != nullptr) {
    auto provenance = std::make_shared<Provenance>();
    provenance->way_back = letter.way_back;
    slots_[index].contents.provenance = std::move(provenance);
  }
  SetTimer();
  return absl::OkStatus();
}

// Step 3, in the source.
void QueueCore::Departed(absl::Span<Departure> departures, bool taken,
                         const std::shared_ptr<QueueCore>& by, const Instant& now) {
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
      if (taken) {
        if (was_deleted && by != nullptr) deleted_meanwhile.push_back(&departure);
        dropped.push_back(FreeSlot(index, now.uptime_ns));
        continue;
      }
      slot.delete_on_arrival = false;
      ++books_.moved_in;
      if (was_deleted) {
        ++books_.deleted;
        Report(Change::kSettled, slot, now);
        if (env_->story != nullptr) TellEnd(Change::kSettled, slot, now);
        dropped.push_back(FreeSlot(index, now.uptime_ns));
        continue;
      }
      const int64_t bytes = static_cast<int64_t>(slot.contents.message->bytes());
      books_.bytes += bytes;
      ChangeLeft({-1, -bytes});
      slot.own_age = true;
      moved_by_age_.emplace(std::pair(slot.enqueued_ns, slot.number), index);
      Report(Change::kAccepted, slot, now);
      if (env_->story != nullptr) TellArrival(slot, now);
      MakeVisible(index, now.uptime_ns);
    }
    SetTimer();
  }
  for (const Departure* departure : deleted_meanwhile) {
    by->DeleteMoved(incarnation_, departure->number, departure->attempt, now);
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
      if (slots_[index].contents.provenance->attempt == attempt) {
        ++books_.deleted;
        Drop(index, Change::kSettled, now, &after);
      } else {
        ++books_.stale_deletes;
      }
    }
  }
  if (after.departed) HandOver(now);
}

void QueueCore::ForgetOrigin(Slot* slot) {
  if (!slot->moved_in_unreceived) return;
  slot->moved_in_unreceived = false;
  const Provenance& from = *slot->contents.provenance;
  moved_in_.erase({from.origin->incarnation, from.number});
}

void QueueCore::SetDeadLetter(const std::shared_ptr<QueueCore>& dead_letter) {
  if (dead_letter != nullptr) dead_letter->AddSource(shared_from_this());
  MutexLock lock(&mu_);
  dead_letter_ = dead_letter;
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

}  // namespace banyan::inline v0_1::internal
