// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/fifo_groups.h -- floor 3, the queue room: which messages of a FIFO queue may be
// received, and in what order.
//
//   group "a":  m1 -> m4 -> m7        all its messages, whatever their state, in order of arrival
//   group "b":  m2 -> m3              head in flight: the group is not ready
//   ready:      a                     a heap of the groups whose head is visible
//
// F1  What may be received of a group is the longest run from its head on that is visible. A
//     message that is delayed, in flight or on its way to a dead-letter queue ends the run. (So one
//     that may return keeps its place, and those behind it wait until it is known to have gone.)
// F2  A group is ready if its head is visible. Ready groups come in the order of the time since
//     when their heads are, then of the heads' arrival. This one key gives all orders that were
//     recorded of AWS.
// F3  A group exists while it has a message. Its name is kept once, here.
//
// Threads: none of its own; QueueCore::mu_ guards it.
#ifndef BANYAN_LIB_QUEUE_FIFO_GROUPS_H_
#define BANYAN_LIB_QUEUE_FIFO_GROUPS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "queue/indexed_heap.h"
#include "queue/slots.h"

namespace banyan::inline v0_1::internal {

struct FifoGroup {
  std::string name;
  ChainedSlots messages;
  int64_t in_flight = 0;
  uint32_t position = kNotReady;  // in the heap

  static constexpr uint32_t kNotReady = UINT32_MAX;
};

class FifoGroups {
 public:
  // A new message, at the end of its group.
  void Add(SlotArena& slots, SlotIndex index, std::string_view group_name);
  // It leaves the queue. The slot's group is then null.
  void Remove(SlotArena& slots, SlotIndex index);

  // The message has become visible, or is not any more.
  void Turned(SlotArena& slots, SlotIndex index);

  void BeginFlight(Slot& slot) {
    if (slot.group->in_flight++ == 0) ++in_flight_;
  }
  void EndFlight(Slot& slot) {
    if (--slot.group->in_flight == 0) --in_flight_;
  }

  // The group to receive from; null if none is ready.
  const FifoGroup* first_ready() const { return ready_.empty() ? nullptr : ready_.front().item; }

  const FifoGroup* Find(std::string_view name) const;

  size_t size() const { return groups_.size(); }
  int64_t with_messages_in_flight() const { return in_flight_; }
  size_t ready() const { return ready_.size(); }

  // For each group, in no order: visit(const FifoGroup&).
  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (const auto& [name, group] : groups_) visit(*group);
  }

  void Trim();

  // Checks F1 to F3.
  void Check(const SlotArena& slots) const;

 private:
  using Key = std::pair<int64_t, uint64_t>;  // visible since, number of arrival

  static constexpr size_t kSparesMax = 64;

  static void Tell(FifoGroup* group, uint32_t position) { group->position = position; }
  void Reconsider(SlotArena& slots, FifoGroup* group);

  absl::flat_hash_map<std::string_view, std::unique_ptr<FifoGroup>> groups_;
  IndexedHeap<Key, FifoGroup*> ready_;
  std::vector<std::unique_ptr<FifoGroup>> spare_;  // groups that ended, for those that begin
  int64_t in_flight_ = 0;                          // groups with messages in flight
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_FIFO_GROUPS_H_
