// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/slots.h -- floor 3, the queue room: where messages rest.
//
//   arena:  [slot 0][slot 1][slot 2] ...   chunks of slots, addressed by index, never moved
//   list:   head -> 5 -> 2 -> 9 <- tail    threaded through two fields of the slots
//
// S1  A slot in use has a number that no other message of this queue ever had or will have; a free
//     slot has number 0. So (index, number) names one message for ever: what was written down
//     before the slot was reused finds nothing. Numbers rise in the order of arrival.
// S2  A slot is in a list at most once per pair of link fields.
// S3  A chunk without a used slot may be given back (Trim); its indexes then name nothing.
//
// Why not std::deque, std::list and a hash map of receipts: a message would cost three allocations
// and a lookup would hash; here a receipt is an index, and a queue that has settled into its load
// allocates nothing.
//
// Threads: none of their own; QueueCore::mu_ guards them.
#ifndef BANYAN_LIB_QUEUE_SLOTS_H_
#define BANYAN_LIB_QUEUE_SLOTS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/id.h"
#include "message/message.h"

namespace banyan::inline v0_1::internal {

class QueueCore;
struct FifoGroup;
struct Tenant;

using SlotIndex = uint32_t;
inline constexpr SlotIndex kNoSlot = UINT32_MAX;

// The queue a message was moved from. One per queue, shared by all that it sent away.
struct Origin {
  std::string arn;
  uint64_t incarnation = 0;
  std::weak_ptr<QueueCore> queue;
};

// One attempt that did not settle its message.
struct FailedAttempt {
  uint32_t attempt;
  int64_t received_unix_ns;
  std::string error;  // what the receiver said; may be empty
};

// What a dead letter has beside the message: how it came to the dead-letter queue. Never changes
// after.
struct Provenance {
  std::shared_ptr<const Origin> origin;     // null: it was moved from no queue
  std::shared_ptr<const WayBack> way_back;  // of what a topic or bus gave up, over all moves since
  uint64_t number = 0;                      // the message's in the queue it was moved from
  uint32_t attempt = 0;                     // its last one there
  bool given_up = false;  // a receiver wanted it moved; a late Delete does not change his mind
  std::string reason;     // he gave; may be empty
  int64_t moved_ns = 0;   // uptime
  std::vector<FailedAttempt> history;
};

// What a slot refers to. Dropping it may free a message and run a user's release function, so it
// leaves the slot under the lock and dies outside.
struct Contents {
  MessageRef message;
  std::shared_ptr<const Presentation> presentation;  // null: as it is
  std::shared_ptr<const Provenance> provenance;      // null: no dead letter

  // Null: not moved here from another queue.
  const Provenance* moved() const {
    return provenance == nullptr || provenance->origin == nullptr ? nullptr : provenance.get();
  }
  std::shared_ptr<const WayBack> way_back() const {
    return provenance == nullptr ? nullptr : provenance->way_back;
  }

  // Empty: none.
  std::string_view group_id() const {
    return presentation == nullptr ? message->group_id() : presentation->GroupId(*message);
  }
  std::string_view deduplication_id() const {
    return presentation == nullptr ? message->deduplication_id()
                                   : presentation->DeduplicationId(*message);
  }
};

enum class SlotState : uint8_t {
  kFree,
  kVisible,
  kDelayed,
  kInFlight,
  kLeaving,  // on its way to another queue; no longer in this queue's depth
};

// Three cache lines; the first holds what walks over many slots look at.
struct alignas(64) Slot {
  Contents contents;
  uint64_t number = 0;           // S1
  SlotIndex next = kNoSlot;      // FIFO: in its group. Standard: in a list of visible
  SlotIndex previous = kNoSlot;  //   messages. Free: in the list of free slots
  SlotIndex younger = kNoSlot;   // in the list of messages by arrival
  SlotState state = SlotState::kFree;
  bool moved_in = false;             // it came from another queue
  bool own_age = false;              //   with the age it had there
  bool moved_in_unreceived = false;  // a late Delete in the queue of origin still reaches it

  SlotIndex older = kNoSlot;
  SlotIndex due_next = kNoSlot;      // Deadlines' list
  SlotIndex due_previous = kNoSlot;  //   or the place in its heap
  uint32_t attempts = 0;             // in this queue
  int64_t turning_ns = 0;            // hidden: when it becomes visible; visible: since when it is
  uint64_t turning_order = 0;        // among equal turning_ns
  int64_t enqueued_ns = 0;           // uptime; retention counts from here
  int64_t received_ns = 0;           // uptime of the latest attempt
  union {
    FifoGroup* group = nullptr;  // of a FIFO queue
    Tenant* tenant;              // of a standard queue; null: none
  };
  Id id;  // the queue's own MessageId
  int64_t sent_unix_ns = 0;
  int64_t first_received_unix_ns = 0;                   // 0: never
  std::unique_ptr<std::vector<FailedAttempt>> history;  // null: none failed
  uint32_t receive_count = 0;                           // over all queues it went through
  uint32_t changes = 0;                                 // of visibility, by receivers
  bool offered_again = false;                           // which list of visible messages it is in
  bool due_in_heap = false;
  bool delete_on_arrival = false;  // kLeaving: deleted while nobody could find it

  // All but what a new message sets anyway, and the links, which lists set: a slot is a few cache
  // lines, and this is done for every message.
  void BeAsNew() {
    number = 0;
    first_received_unix_ns = 0;
    receive_count = 0;
    attempts = 0;
    group = nullptr;
    history = nullptr;
    state = SlotState::kFree;
    moved_in = false;
    own_age = false;
    moved_in_unreceived = false;
    delete_on_arrival = false;
  }
};
static_assert(sizeof(Slot) == 192);

class SlotArena {
 public:
  Slot& operator[](SlotIndex index) { return chunks_[index / kChunk][index % kChunk]; }
  const Slot& operator[](SlotIndex index) const { return chunks_[index / kChunk][index % kChunk]; }

  // The slot with this index and number; null if that message is gone.
  Slot* Find(SlotIndex index, uint64_t number) {
    if (index >= size() || number == 0 || chunks_[index / kChunk] == nullptr) return nullptr;
    Slot& slot = (*this)[index];
    return slot.number == number ? &slot : nullptr;
  }

  // A slot with this number, which is higher than any before, and all else as new.
  SlotIndex Allocate(uint64_t number) {
    if (free_ == kNoSlot) Grow();
    const SlotIndex index = free_;
    Slot& slot = (*this)[index];
    free_ = slot.next;
    slot.next = kNoSlot;
    slot.number = number;
    ++used_;
    return index;
  }

  // The caller has taken the slot out of every list and heap.
  Contents Free(SlotIndex index) {
    Slot& slot = (*this)[index];
    Contents contents = std::move(slot.contents);
    slot.BeAsNew();
    slot.next = free_;
    free_ = index;
    --used_;
    return contents;
  }

  // True if a slot has this index, in use or not.
  bool Holds(SlotIndex index) const { return index < size() && chunks_[index / kChunk] != nullptr; }
  size_t size() const { return chunks_.size() * kChunk; }  // bounds every index
  size_t held() const { return held_; }                    // slots, free ones too
  size_t used() const { return used_; }

  // Gives back every chunk that holds no message (S3). Walks them all.
  void Trim();

 private:
  static constexpr size_t kChunk = 32;

  void Grow();

  std::vector<std::unique_ptr<Slot[]>> chunks_;  // null: given back
  std::vector<uint32_t> given_back_;             // their places, to be used first
  size_t held_ = 0;
  size_t used_ = 0;
  SlotIndex free_ = kNoSlot;
};

// A doubly linked list through two fields of the slots.
template <SlotIndex Slot::*kNext, SlotIndex Slot::*kPrevious>
class SlotList {
 public:
  SlotIndex front() const { return head_; }
  SlotIndex back() const { return tail_; }
  bool empty() const { return head_ == kNoSlot; }

  void PushBack(SlotArena& slots, SlotIndex index) {
    Slot& slot = slots[index];
    slot.*kNext = kNoSlot;
    slot.*kPrevious = tail_;
    (tail_ == kNoSlot ? head_ : slots[tail_].*kNext) = index;
    tail_ = index;
  }

  void Remove(SlotArena& slots, SlotIndex index) {
    Slot& slot = slots[index];
    const SlotIndex next = slot.*kNext;
    const SlotIndex previous = slot.*kPrevious;
    (previous == kNoSlot ? head_ : slots[previous].*kNext) = next;
    (next == kNoSlot ? tail_ : slots[next].*kPrevious) = previous;
    slot.*kNext = kNoSlot;
    slot.*kPrevious = kNoSlot;
  }

 private:
  SlotIndex head_ = kNoSlot;
  SlotIndex tail_ = kNoSlot;
};

using ChainedSlots = SlotList<&Slot::next, &Slot::previous>;
using DueSlots = SlotList<&Slot::due_next, &Slot::due_previous>;
using ArrivedSlots = SlotList<&Slot::younger, &Slot::older>;

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_SLOTS_H_
