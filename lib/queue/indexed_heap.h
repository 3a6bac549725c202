// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/indexed_heap.h -- floor 3, the queue room: a heap from whose middle things leave.
//
// Four children per node; each item is told its place whenever that changes, so that it can be
// taken out at once instead of lying there until it comes up.
//
// H1  entries_[0] has the least key.
// H2  The item of entries_[i] was last told i.
//
// Why four children: keys mostly arrive in rising order, so a push rarely moves anything, and a
// shallower heap touches fewer items when the first leaves.
//
// Threads: none of its own; QueueCore::mu_ guards it.
#ifndef BANYAN_LIB_QUEUE_INDEXED_HEAP_H_
#define BANYAN_LIB_QUEUE_INDEXED_HEAP_H_

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/check.h"

namespace banyan::inline v0_1::internal {

// `Key` has operator<. Where an operation takes `tell`, it is called as tell(item, position).
template <typename Key, typename Item>
class IndexedHeap {
 public:
  struct Entry {
    Key key;
    Item item;
  };

  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  const Entry& front() const { return entries_.front(); }
  const Entry& operator[](size_t position) const { return entries_[position]; }

  template <typename Tell>
  void Push(const Key& key, Item item, const Tell& tell) {
    entries_.push_back({key, item});
    SiftUp(entries_.size() - 1, tell);
  }

  template <typename Tell>
  void Remove(size_t position, const Tell& tell) {
    const Entry last = entries_.back();
    entries_.pop_back();
    if (position == entries_.size()) return;
    entries_[position] = last;
    SiftDown(SiftUp(position, tell), tell);
  }

  // The item at `position` has a new key.
  template <typename Tell>
  void Rekey(size_t position, const Key& key, const Tell& tell) {
    entries_[position].key = key;
    SiftDown(SiftUp(position, tell), tell);
  }

  void Trim() { entries_.shrink_to_fit(); }

  // Checks H1, and H2 by asking `position_of(item)`.
  template <typename PositionOf>
  void Check(const PositionOf& position_of) const {
    for (size_t i = 0; i < entries_.size(); ++i) {
      BANYAN_CHECK(position_of(entries_[i].item) == i, "H2: an item knows its place");
      BANYAN_CHECK(i == 0 || !(entries_[i].key < entries_[(i - 1) / kChildren].key),
                   "H1: a parent comes first");
    }
  }

 private:
  static constexpr size_t kChildren = 4;

  template <typename Tell>
  size_t SiftUp(size_t position, const Tell& tell) {
    const Entry entry = entries_[position];
    while (position > 0) {
      const size_t parent = (position - 1) / kChildren;
      if (!(entry.key < entries_[parent].key)) break;
      Place(position, entries_[parent], tell);
      position = parent;
    }
    Place(position, entry, tell);
    return position;
  }

  template <typename Tell>
  void SiftDown(size_t position, const Tell& tell) {
    const Entry entry = entries_[position];
    for (;;) {
      const size_t first = position * kChildren + 1;
      if (first >= entries_.size()) break;
      const size_t end = std::min(first + kChildren, entries_.size());
      size_t least = first;
      for (size_t child = first + 1; child < end; ++child) {
        if (entries_[child].key < entries_[least].key) least = child;
      }
      if (!(entries_[least].key < entry.key)) break;
      Place(position, entries_[least], tell);
      position = least;
    }
    Place(position, entry, tell);
  }

  template <typename Tell>
  void Place(size_t position, const Entry& entry, const Tell& tell) {
    entries_[position] = entry;
    tell(entry.item, static_cast<uint32_t>(position));
  }

  std::vector<Entry> entries_;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_INDEXED_HEAP_H_
