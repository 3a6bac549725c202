// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/fair_tenants.h -- floor 3, the queue room: fair queues. Messages of a standard queue
// that carry a group id belong to a tenant; tenants that keep consumers busy step back for those
// that do not.
//
//   tenant "a":  again: m7         visible messages, as the queue itself keeps those without tenant
//                fresh: m1 -> m4
//   quiet:  b, c, d                tenants with visible messages, by the place of their first
//   noisy:  a                      the same, for those that were found noisy
//
// T1  Of two quiet tenants, the one whose first message became visible first comes first; so what
//     comes of all quiet tenants together is the order of one queue. The same among noisy ones.
// T2  Who is noisy is judged when somebody receives: the front of `quiet` before it is offered, and
//     all of `noisy`, which are few: each has a tenth of something.
// T3  A tenant exists while it has a message, and then until it has spent no consumer's time for a
//     whole window; but of those without a message at most kIdleMax, so that ids made up for each
//     message do not fill the memory.
//
// A message without a group id is a tenant of its own and never noisy: it cannot have thirty in
// flight.
//
// Threads: none of its own; QueueCore::mu_ guards it.
#ifndef BANYAN_LIB_QUEUE_FAIR_TENANTS_H_
#define BANYAN_LIB_QUEUE_FAIR_TENANTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "banyan/queue_options.h"
#include "base/nanoseconds.h"
#include "queue/indexed_heap.h"
#include "queue/slots.h"

namespace banyan::inline v0_1::internal {

// Visible messages of a standard queue in the order they are received: those that came back after
// their first or second attempt keep their place before those that were never offered; from the
// third attempt on a message goes to the back, so that poison does not starve the rest.
struct VisibleLists {
  ChainedSlots again;
  ChainedSlots fresh;

  bool empty() const { return again.empty() && fresh.empty(); }
  SlotIndex front() const { return again.empty() ? fresh.front() : again.front(); }
  void PushBack(SlotArena& slots, SlotIndex index) {
    (slots[index].offered_again ? again : fresh).PushBack(slots, index);
  }
  void Remove(SlotArena& slots, SlotIndex index) {
    (slots[index].offered_again ? again : fresh).Remove(slots, index);
  }
};

// Where a visible message stands among all of its queue.
using PlaceInLine = std::pair<bool, uint64_t>;  // not offered before; turning_order
inline PlaceInLine PlaceOf(const Slot& slot) { return {!slot.offered_again, slot.turning_order}; }

// Consumers' time spent within a window that ends now, in tenths of the window.
class SpentTime {
 public:
  void Add(int64_t part, int64_t ns) {
    if (part <= last_part_ - kParts) return;  // before the window
    Forget(part);
    int64_t& sum = parts_[static_cast<size_t>(part % kParts)];
    sum = AddClamped(sum, ns);
  }
  int64_t Within(int64_t part) {
    Forget(part);
    int64_t sum = 0;
    for (const int64_t ns : parts_) sum = AddClamped(sum, ns);
    return sum;
  }
  static constexpr int64_t kParts = 10;

 private:
  void Forget(int64_t part) {
    for (int64_t i = std::max(last_part_ + 1, part - kParts + 1); i <= part; ++i) {
      parts_[static_cast<size_t>(i % kParts)] = 0;
    }
    last_part_ = std::max(last_part_, part);
  }

  std::array<int64_t, kParts> parts_ = {};
  int64_t last_part_ = 0;
};

struct Tenant {
  std::string name;
  VisibleLists visible;
  int64_t messages = 0;  // in whatever state
  int64_t in_flight = 0;
  int64_t delayed = 0;
  SpentTime spent;
  uint32_t position = kNowhere;  // in quiet or noisy
  bool is_noisy = false;
  int64_t idle_since_ns = 0;  // while it has no message; T3
  Tenant* idle_next = nullptr;
  Tenant* idle_previous = nullptr;

  static constexpr uint32_t kNowhere = UINT32_MAX;
};

class FairTenants {
 public:
  explicit FairTenants(const Fairness& fairness) { SetFairness(fairness); }
  void SetFairness(const Fairness& fairness);

  // A new message; its slot then knows its tenant. And one that leaves the queue.
  void Add(SlotArena& slots, SlotIndex index, std::string_view tenant_name);
  void Remove(SlotArena& slots, SlotIndex index, int64_t now_ns);

  // It is visible from now on, its turning_order set; and not any more.
  void Show(SlotArena& slots, SlotIndex index);
  void Hide(SlotArena& slots, SlotIndex index);

  void BeginFlight(const Slot& slot) { ++slot.tenant->in_flight; }
  void EndFlight(const Slot& slot, int64_t now_ns);

  // The message to receive of those that have a tenant; kNoSlot if `other`, which has none, comes
  // before (kNoSlot if there is no other). `in_flight`: of the whole queue.
  SlotIndex Next(SlotArena& slots, SlotIndex other, int64_t in_flight, int64_t now_ns);

  bool IsNoisy(Tenant* tenant, int64_t in_flight, int64_t now_ns);

  template <typename Visit>
  void ForEach(const Visit& visit) const {
    for (const auto& [name, tenant] : tenants_) visit(tenant.get());
  }
  size_t size() const { return tenants_.size(); }

  void Trim(int64_t now_ns) {
    ForgetIdle(now_ns, INT64_MAX);
    tenants_.rehash(0);
    quiet_.Trim();
    noisy_.Trim();
  }

  void Check(const SlotArena& slots) const;

 private:
  using Heap = IndexedHeap<PlaceInLine, Tenant*>;

  static void Tell(Tenant* tenant, uint32_t position) { tenant->position = position; }
  int64_t Part(int64_t now_ns) const { return now_ns / part_ns_; }
  Heap& HeapOf(const Tenant& tenant) { return tenant.is_noisy ? noisy_ : quiet_; }
  void Reconsider(const SlotArena& slots, Tenant* tenant);
  void Judge(const SlotArena& slots, int64_t in_flight, int64_t now_ns);
  void SetNoisy(const SlotArena& slots, Tenant* tenant, bool is_noisy);
  void Idle(Tenant* tenant, int64_t now_ns);
  void Wake(Tenant* tenant);
  void ForgetIdle(int64_t now_ns, int64_t count);

  static constexpr int64_t kIdleMax = 10'000;

  Fairness fairness_;
  int64_t window_ns_ = 1;
  int64_t part_ns_ = 1;
  SpentTime spent_;  // of all tenants, and of messages that have none
  absl::flat_hash_map<std::string_view, std::unique_ptr<Tenant>> tenants_;
  Heap quiet_;
  Heap noisy_;
  Tenant* longest_idle_ = nullptr;
  Tenant* shortest_idle_ = nullptr;
  int64_t idle_ = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_FAIR_TENANTS_H_
