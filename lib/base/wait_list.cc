// SPDX-License-Identifier: Apache-2.0
#include "banyan/runtime.h"

namespace banyan::inline v0_1 {

void WaitList::WakeOne() {
  if (head_ == nullptr) return;
  Waiter* const oldest = head_;
  Remove(oldest);
  oldest->Wake();
}

void WaitList::WakeAll() {
  while (head_ != nullptr) WakeOne();
}

void WaitList::Add(Waiter* waiter) {
  if (waiter->listed_) return;
  waiter->listed_ = true;
  waiter->prev_ = tail_;
  waiter->next_ = nullptr;
  (tail_ == nullptr ? head_ : tail_->next_) = waiter;
  tail_ = waiter;
}

void WaitList::Remove(Waiter* waiter) {
  if (!waiter->listed_) return;
  waiter->listed_ = false;
  (waiter->prev_ == nullptr ? head_ : waiter->prev_->next_) = waiter->next_;
  (waiter->next_ == nullptr ? tail_ : waiter->next_->prev_) = waiter->prev_;
}

}  // namespace banyan::inline v0_1
