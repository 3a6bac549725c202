// SPDX-License-Identifier: Apache-2.0
#include <map>

#include "base/check.h"
#include "queue/core.h"
#include "queue/operation.h"

namespace banyan::inline v0_1::internal {

void QueueCore::CheckInvariants() {
  Operation operation(this, Operation::kAlreadyInside);
  MutexLock lock(&mu_);
  if (closing_.has_value()) return;
  Drain(&operation.now, &operation.after);
  QueueDepth depth;
  int64_t bytes = 0;
  size_t free = 0;
  size_t own_ages = 0;
  size_t from_elsewhere = 0;
  int64_t in_line = 0;
  for (SlotIndex i = 0; i < slots_.size(); ++i) {
    if (!slots_.Holds(i)) continue;
    const Slot& slot = slots_[i];
    if (slot.state == SlotState::kFree) {
      BANYAN_CHECK(slot.number == 0 && !slot.contents.message, "S1: a free slot is empty");
      ++free;
      continue;
    }
    BANYAN_CHECK(slot.number != 0 && slot.contents.message, "S1: a used slot has its message");
    BANYAN_CHECK((slot.group != nullptr) == (fifo_ || !slot.contents.group_id().empty()),
                 "who has a group id is in a group, or a tenant's");
    if (slot.state == SlotState::kLeaving) continue;
    depth.visible += slot.state == SlotState::kVisible ? 1 : 0;
    depth.delayed += slot.state == SlotState::kDelayed ? 1 : 0;
    depth.in_flight += slot.state == SlotState::kInFlight ? 1 : 0;
    bytes += static_cast<int64_t>(slot.contents.message->bytes());
    in_line += slot.state == SlotState::kVisible && slot.tenant == nullptr ? 1 : 0;
    if (slot.own_age) {
      ++own_ages;
      const auto at = moved_by_age_.find({slot.enqueued_ns, slot.number});
      BANYAN_CHECK(at != moved_by_age_.end() && at->second == i, "every message has an age");
    }
    if (slot.moved_in_unreceived) {
      ++from_elsewhere;
      const Provenance& from = *slot.contents.provenance;
      auto at = moved_in_.find({from.origin->incarnation, from.number});
      BANYAN_CHECK(at != moved_in_.end() && at->second == i, "a late Delete finds its message");
    }
  }
  BANYAN_CHECK(free + slots_.used() == slots_.held(), "S1: used and free make all");
  BANYAN_CHECK(depth == books_.depth, "Q1: each message is in the state it is counted in");
  BANYAN_CHECK(bytes == books_.bytes, "bytes are those of what rests here");
  BANYAN_CHECK(own_ages == moved_by_age_.size(), "no age without a message");
  BANYAN_CHECK(from_elsewhere == moved_in_.size(), "no late Delete without a message");

  if (groups_ != nullptr) groups_->Check(slots_);
  if (tenants_ != nullptr) tenants_->Check(slots_);
  int64_t listed = strict_ != nullptr ? static_cast<int64_t>(strict_->size()) : 0;
  for (const bool again : {true, false}) {
    SlotIndex previous = kNoSlot;
    const ChainedSlots& list = again ? plain_.again : plain_.fresh;
    for (SlotIndex i = list.front(); i != kNoSlot; i = slots_[i].next) {
      BANYAN_CHECK(slots_[i].previous == previous, "S2: a list reads the same both ways");
      BANYAN_CHECK(slots_[i].state == SlotState::kVisible && slots_[i].offered_again == again,
                   "Q1: what is listed is visible");
      previous = i;
      ++listed;
    }
  }
  BANYAN_CHECK(fifo_ || strict_ != nullptr || listed == in_line, "Q1: what is visible is listed");
  BANYAN_CHECK(static_cast<int64_t>(deadlines_.size()) == depth.delayed + depth.in_flight,
               "Q1: what is hidden has a deadline");
  deadlines_.Check(slots_);

  int64_t aged = 0;
  int64_t older = INT64_MIN;
  for (SlotIndex i = arrived_.front(); i != kNoSlot; i = slots_[i].younger) {
    BANYAN_CHECK(slots_[i].enqueued_ns >= older, "the list by arrival is sorted");
    older = slots_[i].enqueued_ns;
    ++aged;
  }
  BANYAN_CHECK(aged + static_cast<int64_t>(own_ages) == depth.total(), "every message has an age");
  BANYAN_CHECK(books_.accepted + books_.moved_in == books_.deleted + books_.purged +
                                                        books_.expired + books_.dropped +
                                                        books_.moved_out + books_.depth.total(),
               "Q2: the books balance");
  MutexLock intake_lock(&intake_.mu);
  if (intake_.entries.empty()) {
    BANYAN_CHECK(
        intake_.admitted.messages - intake_.left_messages.load(std::memory_order_relaxed) ==
            depth.total(),
        "I4: what was admitted and has not left is here");
  }
}

}  // namespace banyan::inline v0_1::internal
