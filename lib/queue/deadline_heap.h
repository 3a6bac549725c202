// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/deadline_heap.h -- floor 3, the queue room: messages that will become visible.
//
// A heap with four children per node; each slot knows its place in it, so that a message settled
// early leaves at once instead of lying in the heap until its deadline.
//
// H1  entries_[0] has the earliest deadline; equal ones come in the order they were pushed.
// H2  slots[entries_[i].slot].heap_position == i.
//
// Why four children: deadlines mostly arrive in rising order, so a push rarely moves anything, and
// a shallower heap touches fewer slots when the first leaves. Why not a timer wheel: the horizon
// is half a day, and only the next deadline is ever asked for.
//
// Threads: none of its own; QueueCore::mu_ guards it.
#ifndef BANYAN_LIB_QUEUE_DEADLINE_HEAP_H_
#define BANYAN_LIB_QUEUE_DEADLINE_HEAP_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"
#include "base/nanoseconds.h"
#include "queue/slots.h"

namespace banyan::inline v0_1::internal {

class DeadlineHeap {
 public:
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }

  SlotIndex front() const { return entries_.front().slot; }
  int64_t next_deadline() const { return entries_.empty() ? kNever : entries_.front().deadline; }
  int64_t deadline(const Slot& slot) const { return entries_[slot.heap_position].deadline; }

  void Push(SlotArena& slots, SlotIndex slot, int64_t deadline) {
    entries_.push_back({deadline, ++pushed_, slot});
    SiftUp(slots, entries_.size() - 1);
  }

  void Remove(SlotArena& slots, SlotIndex slot) {
    const size_t hole = slots[slot].heap_position;
    const Entry last = entries_.back();
    entries_.pop_back();
    if (hole == entries_.size()) return;
    entries_[hole] = last;
    SiftUp(slots, hole);
    SiftDown(slots, slots[last.slot].heap_position);
  }

  // Checks H1 and H2.
  void Check(const SlotArena& slots) const {
    for (size_t i = 0; i < entries_.size(); ++i) {
      BANYAN_CHECK(slots[entries_[i].slot].heap_position == i, "H2: a slot knows its place");
      BANYAN_CHECK(i == 0 || !(entries_[i] < entries_[(i - 1) / kChildren]),
                   "H1: a parent is due first");
    }
  }

 private:
  static constexpr size_t kChildren = 4;

  struct Entry {
    int64_t deadline;
    uint64_t order;
    SlotIndex slot;

    bool operator<(const Entry& other) const {
      return deadline != other.deadline ? deadline < other.deadline : order < other.order;
    }
  };

  void Place(SlotArena& slots, size_t position, const Entry& entry) {
    entries_[position] = entry;
    slots[entry.slot].heap_position = static_cast<uint32_t>(position);
  }

  void SiftUp(SlotArena& slots, size_t position) {
    const Entry entry = entries_[position];
    while (position > 0) {
      const size_t parent = (position - 1) / kChildren;
      if (!(entry < entries_[parent])) break;
      Place(slots, position, entries_[parent]);
      position = parent;
    }
    Place(slots, position, entry);
  }

  void SiftDown(SlotArena& slots, size_t position) {
    const Entry entry = entries_[position];
    for (;;) {
      const size_t first = position * kChildren + 1;
      if (first >= entries_.size()) break;
      const size_t end = std::min(first + kChildren, entries_.size());
      size_t earliest = first;
      for (size_t child = first + 1; child < end; ++child) {
        if (entries_[child] < entries_[earliest]) earliest = child;
      }
      if (!(entries_[earliest] < entry)) break;
      Place(slots, position, entries_[earliest]);
      position = earliest;
    }
    Place(slots, position, entry);
  }

  std::vector<Entry> entries_;
  uint64_t pushed_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_DEADLINE_HEAP_H_
