// SPDX-License-Identifier: Apache-2.0
#include "queue/fifo_groups.h"

#include "base/check.h"

namespace banyan::inline v0_1::internal {

void FifoGroups::Add(SlotArena& slots, SlotIndex index, std::string_view group_name) {
  const auto found = groups_.lazy_emplace(group_name, [&](const auto& construct) {
    std::unique_ptr<FifoGroup> made;
    if (spare_.empty()) {
      made = std::make_unique<FifoGroup>();
    } else {
      made = std::move(spare_.back());
      spare_.pop_back();
    }
    made->name = group_name;
    const std::string_view key = made->name;
    construct(key, std::move(made));
  });
  FifoGroup* group = found->second.get();
  slots[index].group = group;
  group->messages.PushBack(slots, index);
}

void FifoGroups::Remove(SlotArena& slots, SlotIndex index) {
  FifoGroup* group = slots[index].group;
  const bool was_head = group->messages.front() == index;
  group->messages.Remove(slots, index);
  slots[index].group = nullptr;
  if (was_head) Reconsider(slots, group);
  if (!group->messages.empty()) return;
  const auto found = groups_.find(std::string_view(group->name));
  if (spare_.size() < kSparesMax) spare_.push_back(std::move(found->second));
  groups_.erase(found);
}

void FifoGroups::Turned(SlotArena& slots, SlotIndex index) {
  FifoGroup* group = slots[index].group;
  if (group->messages.front() == index) Reconsider(slots, group);
}

// Brings the group's place in the heap up to its head.
void FifoGroups::Reconsider(SlotArena& slots, FifoGroup* group) {
  const SlotIndex head = group->messages.front();
  const bool is_ready = head != kNoSlot && slots[head].state == SlotState::kVisible;
  const bool was_ready = group->position != FifoGroup::kNotReady;
  if (is_ready) {
    const Key key = {slots[head].turning_ns, slots[head].number};
    if (was_ready) {
      ready_.Rekey(group->position, key, Tell);
    } else {
      ready_.Push(key, group, Tell);
    }
  } else if (was_ready) {
    ready_.Remove(group->position, Tell);
    group->position = FifoGroup::kNotReady;
  }
}

const FifoGroup* FifoGroups::Find(std::string_view name) const {
  const auto found = groups_.find(name);
  return found == groups_.end() ? nullptr : found->second.get();
}

void FifoGroups::Trim() {
  groups_.rehash(0);
  spare_.clear();
  ready_.Trim();
}

void FifoGroups::Check(const SlotArena& slots) const {
  ready_.Check([](const FifoGroup* group) { return size_t{group->position}; });
  size_t ready = 0;
  int64_t groups_in_flight = 0;
  for (const auto& [name, group] : groups_) {
    BANYAN_CHECK(name == group->name && !group->messages.empty(), "F3: a group has a message");
    uint64_t last = 0;
    int64_t in_flight = 0;
    for (SlotIndex i = group->messages.front(); i != kNoSlot; i = slots[i].next) {
      BANYAN_CHECK(slots[i].group == group.get() && slots[i].number > last,
                   "F1: a group is in order of arrival");
      last = slots[i].number;
      in_flight += slots[i].state == SlotState::kInFlight ? 1 : 0;
    }
    BANYAN_CHECK(in_flight == group->in_flight, "a group counts its messages in flight");
    groups_in_flight += in_flight > 0 ? 1 : 0;
    const Slot& head = slots[group->messages.front()];
    const bool is_ready = group->position != FifoGroup::kNotReady;
    BANYAN_CHECK(is_ready == (head.state == SlotState::kVisible), "F2: ready is a visible head");
    if (is_ready) {
      ++ready;
      BANYAN_CHECK(ready_[group->position].key == Key(head.turning_ns, head.number),
                   "F2: a ready group is ordered by its head");
    }
  }
  BANYAN_CHECK(ready == ready_.size(), "F2: only groups that exist are ready");
  BANYAN_CHECK(groups_in_flight == in_flight_, "groups in flight are counted");
}

}  // namespace banyan::inline v0_1::internal
