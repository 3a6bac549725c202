// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/deadlines.h -- floor 3, the queue room: messages that will become visible.
//
//   list:  3 -> 8 -> 1 -> 6       those whose deadlines came in rising order: nearly all, since
//                                 most receives of a queue hide for the same time
//   heap:  the others             shortened, prolonged, delayed by a time of their own
//
// D1  The list is sorted by (turning_ns, turning_order); the next to turn is the earlier of its
//     front and the heap's. Equal deadlines turn in the order they were set; in a FIFO queue in
//     the order of arrival, which dead letters must keep.
// D2  A message in either has due_in_heap to say where; in the heap due_previous is its place.
//
// Why both: a list costs two links to join and to leave where a heap costs its depth. One far
// deadline at the list's end would send all others to the heap, so only times that are usual for
// the queue, as the caller says, join the list. Why not a timer wheel: the horizon is half a day,
// and only the next deadline is ever asked for.
//
// Threads: none of its own; QueueCore::mu_ guards it.
#ifndef BANYAN_LIB_QUEUE_DEADLINES_H_
#define BANYAN_LIB_QUEUE_DEADLINES_H_

#include <cstddef>
#include <cstdint>
#include <utility>

#include "base/check.h"
#include "base/nanoseconds.h"
#include "queue/indexed_heap.h"
#include "queue/slots.h"

namespace banyan::inline v0_1::internal {

class Deadlines {
 public:
  explicit Deadlines(bool equal_ones_by_arrival) : by_arrival_(equal_ones_by_arrival) {}

  size_t size() const { return listed_ + heap_.size(); }

  // kNever if there is none.
  int64_t next_deadline() const {
    return std::min(list_front_.first, heap_.empty() ? kNever : heap_.front().key.first);
  }

  // The message whose deadline is next. There is one.
  SlotIndex front() const {
    if (heap_.empty()) return list_.front();
    return !list_.empty() && list_front_ < heap_.front().key ? list_.front() : heap_.front().item;
  }

  void Push(SlotArena& slots, SlotIndex index, int64_t deadline_ns, bool is_usual) {
    Slot& slot = slots[index];
    slot.turning_ns = deadline_ns;
    slot.turning_order = by_arrival_ ? slot.number : ++pushed_;
    slot.due_in_heap = !is_usual || (!list_.empty() && KeyOf(slot) < KeyOf(slots[list_.back()]));
    if (slot.due_in_heap) {
      heap_.Push(KeyOf(slot), index, Teller{slots});
      return;
    }
    if (list_.empty()) list_front_ = KeyOf(slot);
    list_.PushBack(slots, index);
    ++listed_;
  }

  void Remove(SlotArena& slots, SlotIndex index) {
    Slot& slot = slots[index];
    if (slot.due_in_heap) {
      heap_.Remove(slot.due_previous, Teller{slots});
      slot.due_previous = kNoSlot;
      slot.due_in_heap = false;
      return;
    }
    list_.Remove(slots, index);
    --listed_;
    list_front_ = list_.empty() ? kNone : KeyOf(slots[list_.front()]);
  }

  void Trim() { heap_.Trim(); }

  // Checks D1 and D2.
  void Check(const SlotArena& slots) const {
    heap_.Check([&slots](SlotIndex index) { return size_t{slots[index].due_previous}; });
    size_t count = 0;
    Key last = {INT64_MIN, 0};
    for (SlotIndex i = list_.front(); i != kNoSlot; i = slots[i].due_next, ++count) {
      BANYAN_CHECK(!slots[i].due_in_heap && last < KeyOf(slots[i]), "D1: the list is sorted");
      last = KeyOf(slots[i]);
    }
    BANYAN_CHECK(count == listed_, "D2: who is listed is counted");
  }

 private:
  using Key = std::pair<int64_t, uint64_t>;
  static constexpr Key kNone = {kNever, UINT64_MAX};

  struct Teller {
    SlotArena& slots;
    void operator()(SlotIndex index, uint32_t position) const {
      slots[index].due_previous = position;
    }
  };

  static Key KeyOf(const Slot& slot) { return {slot.turning_ns, slot.turning_order}; }

  bool by_arrival_;
  DueSlots list_;
  Key list_front_ = kNone;  // kept here, so that asking for it touches no slot
  size_t listed_ = 0;
  IndexedHeap<Key, SlotIndex> heap_;
  uint64_t pushed_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_DEADLINES_H_
