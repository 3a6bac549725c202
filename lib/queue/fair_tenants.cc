// SPDX-License-Identifier: Apache-2.0
#include "queue/fair_tenants.h"

#include <algorithm>

#include "base/check.h"
#include "base/nanoseconds.h"

namespace banyan::inline v0_1::internal {

void FairTenants::SetFairness(const Fairness& fairness) {
  constexpr double kShareMin = 0.01;
  fairness_ = fairness;
  fairness_.in_flight_share = std::max(fairness.in_flight_share, kShareMin);
  fairness_.processing_share = std::max(fairness.processing_share, kShareMin);
  const int64_t window_ns = std::max<int64_t>(CeilNanoseconds(fairness.window), SpentTime::kParts);
  if (window_ns == window_ns_) return;
  // Times are kept by parts of the window: those of another window mean nothing any more.
  window_ns_ = window_ns;
  part_ns_ = window_ns / SpentTime::kParts;
  spent_ = {};
  for (auto& [name, tenant] : tenants_) tenant->spent = {};
}

void FairTenants::Add(SlotArena& slots, SlotIndex index, std::string_view tenant_name) {
  auto found = tenants_.find(tenant_name);
  if (found == tenants_.end()) {
    auto made = std::make_unique<Tenant>();
    made->name = tenant_name;
    const std::string_view key = made->name;
    found = tenants_.emplace(key, std::move(made)).first;
  } else if (found->second->messages == 0) {
    Wake(found->second.get());
  }
  Tenant* tenant = found->second.get();
  ++tenant->messages;
  slots[index].tenant = tenant;
}

void FairTenants::Remove(SlotArena& slots, SlotIndex index, int64_t now_ns) {
  Tenant* tenant = slots[index].tenant;
  slots[index].tenant = nullptr;
  if (--tenant->messages == 0) Idle(tenant, now_ns);
  ForgetIdle(now_ns, 2);
}

// T3, at most so many at a time.
void FairTenants::ForgetIdle(int64_t now_ns, int64_t count) {
  for (; count > 0 && longest_idle_ != nullptr; --count) {
    const bool is_over = now_ns - longest_idle_->idle_since_ns >= window_ns_;
    if (!is_over && idle_ <= kIdleMax) break;
    Tenant* forgotten = longest_idle_;
    Wake(forgotten);
    tenants_.erase(tenants_.find(std::string_view(forgotten->name)));
  }
}

void FairTenants::Show(SlotArena& slots, SlotIndex index) {
  Tenant* tenant = slots[index].tenant;
  tenant->visible.PushBack(slots, index);
  Reconsider(slots, tenant);
}

void FairTenants::Hide(SlotArena& slots, SlotIndex index) {
  Tenant* tenant = slots[index].tenant;
  tenant->visible.Remove(slots, index);
  Reconsider(slots, tenant);
}

void FairTenants::EndFlight(const Slot& slot, int64_t now_ns) {
  const int64_t spent_ns = std::max<int64_t>(now_ns - slot.received_ns, 0);
  spent_.Add(Part(now_ns), spent_ns);
  if (slot.tenant == nullptr) return;
  --slot.tenant->in_flight;
  slot.tenant->spent.Add(Part(now_ns), spent_ns);
}

SlotIndex FairTenants::Next(SlotArena& slots, SlotIndex other, int64_t in_flight, int64_t now_ns) {
  Judge(slots, in_flight, now_ns);
  if (!quiet_.empty()) {
    const bool other_first = other != kNoSlot && PlaceOf(slots[other]) < quiet_.front().key;
    return other_first ? kNoSlot : quiet_.front().item->visible.front();
  }
  if (other != kNoSlot || noisy_.empty()) return kNoSlot;
  return noisy_.front().item->visible.front();
}

bool FairTenants::IsNoisy(Tenant* tenant, int64_t in_flight, int64_t now_ns) {
  const auto share = [](int64_t part, int64_t all) {
    return all <= 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(all);
  };
  if (tenant->in_flight >= fairness_.in_flight_min &&
      share(tenant->in_flight, in_flight) > fairness_.in_flight_share) {
    return true;
  }
  const int64_t part = Part(now_ns);
  return share(tenant->spent.Within(part), spent_.Within(part)) > fairness_.processing_share;
}

// T2.
void FairTenants::Judge(const SlotArena& slots, int64_t in_flight, int64_t now_ns) {
  for (size_t i = noisy_.size(); i-- > 0;) {
    if (i >= noisy_.size()) continue;  // the last one took the place of one that went
    Tenant* tenant = noisy_[i].item;
    if (!IsNoisy(tenant, in_flight, now_ns)) SetNoisy(slots, tenant, false);
  }
  while (!quiet_.empty() && IsNoisy(quiet_.front().item, in_flight, now_ns)) {
    SetNoisy(slots, quiet_.front().item, true);
  }
}

void FairTenants::SetNoisy(const SlotArena& slots, Tenant* tenant, bool is_noisy) {
  HeapOf(*tenant).Remove(tenant->position, Tell);
  tenant->position = Tenant::kNowhere;
  tenant->is_noisy = is_noisy;
  Reconsider(slots, tenant);
}

void FairTenants::Reconsider(const SlotArena& slots, Tenant* tenant) {
  Heap& heap = HeapOf(*tenant);
  const bool was_there = tenant->position != Tenant::kNowhere;
  if (tenant->visible.empty()) {
    if (!was_there) return;
    heap.Remove(tenant->position, Tell);
    tenant->position = Tenant::kNowhere;
    tenant->is_noisy = false;  // judged anew when it has something to offer
    return;
  }
  const PlaceInLine place = PlaceOf(slots[tenant->visible.front()]);
  if (was_there) {
    heap.Rekey(tenant->position, place, Tell);
  } else {
    heap.Push(place, tenant, Tell);
  }
}

void FairTenants::Idle(Tenant* tenant, int64_t now_ns) {
  ++idle_;
  tenant->idle_since_ns = now_ns;
  tenant->idle_previous = shortest_idle_;
  (shortest_idle_ == nullptr ? longest_idle_ : shortest_idle_->idle_next) = tenant;
  shortest_idle_ = tenant;
}

void FairTenants::Wake(Tenant* tenant) {
  --idle_;
  (tenant->idle_previous == nullptr ? longest_idle_ : tenant->idle_previous->idle_next) =
      tenant->idle_next;
  (tenant->idle_next == nullptr ? shortest_idle_ : tenant->idle_next->idle_previous) =
      tenant->idle_previous;
  tenant->idle_next = tenant->idle_previous = nullptr;
}

void FairTenants::Check(const SlotArena& slots) const {
  const auto position_of = [](const Tenant* tenant) { return size_t{tenant->position}; };
  quiet_.Check(position_of);
  noisy_.Check(position_of);
  size_t idle = 0;
  for (const Tenant* i = longest_idle_; i != nullptr; i = i->idle_next) {
    BANYAN_CHECK(i->messages == 0, "T3: who is idle has no message");
    ++idle;
  }
  for (const auto& [name, tenant] : tenants_) {
    idle -= tenant->messages == 0 ? 1 : 0;
    BANYAN_CHECK((tenant->position != Tenant::kNowhere) == !tenant->visible.empty(),
                 "T1: who has visible messages stands in line");
    if (tenant->visible.empty()) continue;
    const Heap& heap = tenant->is_noisy ? noisy_ : quiet_;
    BANYAN_CHECK(heap[tenant->position].item == tenant.get() &&
                     heap[tenant->position].key == PlaceOf(slots[tenant->visible.front()]),
                 "T1: a tenant stands where its first message does");
  }
  BANYAN_CHECK(idle == 0, "T3: who has no message is idle");
}

}  // namespace banyan::inline v0_1::internal
