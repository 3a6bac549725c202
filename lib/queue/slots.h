// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/slots.h -- floor 3, the queue room: where messages rest.
//
//   arena:  [slot 0][slot 1][slot 2] ...   chunks of slots, addressed by index, never moved
//   list:   head -> 5 -> 2 -> 9 <- tail    threaded through two fields of the slots
//
// S1  A slot in use has a number that no other message of this queue ever had or will have; a free
//     slot has number 0. So (index, number) names one message for ever: what was written down
//     before the slot was reused finds nothing.
// S2  A slot is in a list at most once per pair of link fields.
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
#include <utility>
#include <vector>

#include "banyan/id.h"
#include "message/message.h"

namespace banyan::inline v0_1::internal {

class QueueCore;

using SlotIndex = uint32_t;
inline constexpr SlotIndex kNoSlot = UINT32_MAX;

// The queue a message was moved from. One per queue, shared by all that it sent away.
struct Origin {
  std::string arn;
  uint64_t incarnation = 0;
  std::weak_ptr<QueueCore> queue;
};

// What a slot refers to. Dropping it may free a message and run a user's release function, so it
// leaves the slot under the lock and dies outside.
struct Contents {
  MessageRef message;
  std::shared_ptr<const Presentation> presentation;  // null: as it is
  std::shared_ptr<const Origin> origin;              // null: sent here
};

enum class SlotState : uint8_t {
  kFree,
  kVisible,
  kDelayed,
  kInFlight,
  kLeaving,  // on its way to another queue; no longer in this queue's depth
};

struct Slot {
  Contents contents;
  Id id;                    // the queue's own MessageId
  uint64_t number = 0;      // S1
  int64_t enqueued_ns = 0;  // uptime; retention counts from here
  int64_t sent_unix_ns = 0;
  int64_t first_received_unix_ns = 0;  // 0: never
  int64_t received_ns = 0;             // uptime of the latest attempt
  uint64_t origin_number = 0;          // its number in the queue it was moved from
  uint32_t origin_attempt = 0;         // and its last attempt there
  uint32_t receive_count = 0;          // over all queues it went through
  uint32_t attempts = 0;               // in this queue
  uint32_t heap_position = 0;          // DeadlineHeap's, while delayed or in flight
  SlotIndex next = kNoSlot;            // in a list of visible messages, or of free slots
  SlotIndex previous = kNoSlot;
  SlotIndex younger = kNoSlot;  // in the list of all messages by age
  SlotIndex older = kNoSlot;
  SlotState state = SlotState::kFree;
  bool in_age_list = false;          // false: it came with an age of its own, see core.h
  bool offered_again = false;        // which list of visible messages it is in
  bool moved_in_unreceived = false;  // a late Delete in the queue of origin still reaches it
  bool delete_on_arrival = false;    // kLeaving: deleted while nobody could find it
};

class SlotArena {
 public:
  Slot& operator[](SlotIndex index) { return chunks_[index / kChunk][index % kChunk]; }
  const Slot& operator[](SlotIndex index) const { return chunks_[index / kChunk][index % kChunk]; }

  // The slot with this index and number; null if that message is gone.
  Slot* Find(SlotIndex index, uint64_t number) {
    if (index >= size_ || number == 0) return nullptr;
    Slot& slot = (*this)[index];
    return slot.number == number ? &slot : nullptr;
  }

  // A slot with a fresh number and all else as new.
  SlotIndex Allocate() {
    if (free_ == kNoSlot) Grow();
    const SlotIndex index = free_;
    Slot& slot = (*this)[index];
    free_ = slot.next;
    slot.next = kNoSlot;
    slot.number = ++last_number_;
    ++used_;
    return index;
  }

  // The caller has taken the slot out of every list and heap.
  Contents Free(SlotIndex index) {
    Slot& slot = (*this)[index];
    Contents contents = std::move(slot.contents);
    slot = Slot();
    slot.next = free_;
    free_ = index;
    --used_;
    return contents;
  }

  size_t size() const { return size_; }  // slots, free ones too
  size_t used() const { return used_; }
  uint64_t last_number() const { return last_number_; }

 private:
  static constexpr size_t kChunk = 32;

  void Grow() {
    chunks_.push_back(std::make_unique<Slot[]>(kChunk));
    const SlotIndex first = static_cast<SlotIndex>(size_);
    size_ += kChunk;
    for (SlotIndex i = kChunk; i-- > 0;) {  // the lowest index is handed out first
      (*this)[first + i].next = free_;
      free_ = first + i;
    }
  }

  std::vector<std::unique_ptr<Slot[]>> chunks_;
  size_t size_ = 0;
  size_t used_ = 0;
  SlotIndex free_ = kNoSlot;
  uint64_t last_number_ = 0;
};

// A doubly linked list through two fields of the slots.
template <SlotIndex Slot::*kNext, SlotIndex Slot::*kPrevious>
class SlotList {
 public:
  SlotIndex front() const { return head_; }
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

using VisibleList = SlotList<&Slot::next, &Slot::previous>;
using AgeList = SlotList<&Slot::younger, &Slot::older>;

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_SLOTS_H_
