// SPDX-License-Identifier: Apache-2.0
#include "queue/slots.h"

#include <algorithm>

namespace banyan::inline v0_1::internal {

void SlotArena::Grow() {
  size_t chunk = chunks_.size();
  if (given_back_.empty()) {
    chunks_.emplace_back();
  } else {
    chunk = given_back_.back();
    given_back_.pop_back();
  }
  chunks_[chunk] = std::make_unique<Slot[]>(kChunk);
  held_ += kChunk;
  const SlotIndex first = static_cast<SlotIndex>(chunk * kChunk);
  for (SlotIndex i = kChunk; i-- > 0;) {  // the lowest index is handed out first
    (*this)[first + i].next = free_;
    free_ = first + i;
  }
}

void SlotArena::Trim() {
  free_ = kNoSlot;
  given_back_.clear();
  for (size_t chunk = chunks_.size(); chunk-- > 0;) {
    if (chunks_[chunk] != nullptr) {
      const auto is_free = [](const Slot& slot) { return slot.number == 0; };
      if (std::all_of(&chunks_[chunk][0], &chunks_[chunk][0] + kChunk, is_free)) {
        chunks_[chunk].reset();
        held_ -= kChunk;
      }
    }
    if (chunks_[chunk] == nullptr) {
      if (chunk + 1 == chunks_.size()) {
        chunks_.pop_back();
      } else {
        given_back_.push_back(static_cast<uint32_t>(chunk));
      }
      continue;
    }
    for (SlotIndex i = kChunk; i-- > 0;) {
      const SlotIndex index = static_cast<SlotIndex>(chunk * kChunk) + i;
      if ((*this)[index].number != 0) continue;
      (*this)[index].next = free_;
      free_ = index;
    }
  }
  chunks_.shrink_to_fit();
  given_back_.shrink_to_fit();
}

}  // namespace banyan::inline v0_1::internal
