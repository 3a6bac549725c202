// SPDX-License-Identifier: Apache-2.0
//
// lib/route/timetable.h -- floor 5: what happens at times, and one timer for all of it.
//
//   Set ----> heap, by the moment something is due ----turn of the timer----> Fire, under no lock
//               ^                                          |
//               +------------- when it is due next <-------+
//
// One per broker; schedules and scheduled rules are its entries.
//
// S1  An entry is in the heap exactly while it has a next firing. It is kept alive by that.
// S2  At most one Runtime timer, none while the heap is empty. It rings when the first entry is
//     due, but no later than in a minute: entries are due by the wall clock, and a timer, which goes
//     by the other one, does not notice when that is set.
// S3  One turn at a time, so that firings of one entry come in order: a turn sets the next timer
//     when all it took have fired.
// S4  A turn takes what is due and no more than kTurnMax of it; each is given its next firing as it
//     is taken. Everything else in the heap costs nothing.
// S5  Under mu_ nothing is called but the Runtime's Read, Random, PostAt and Cancel.
// S6  A firing passes the broker's gate like a call from outside: a stopping broker begins none.
//
// Missed firings: see banyan/scheduler.h. What is taken fires; what follows is looked for after it,
// but not before what is still in time, so all between were missed and are left out at no cost.
//
// Why a heap and not a timer wheel: the horizon is centuries, only the next moment is ever asked
// for, and a schedule comes and goes in the logarithm of their number.
#ifndef BANYAN_LIB_ROUTE_TIMETABLE_H_
#define BANYAN_LIB_ROUTE_TIMETABLE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/time/time.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "calendar/recurrence.h"
#include "message/environment.h"
#include "queue/indexed_heap.h"

namespace banyan::inline v0_1::internal {

class Timetable : public std::enable_shared_from_this<Timetable> {
 public:
  struct Firing {
    absl::Time scheduled;
    Instant now;
    bool is_late = false;  // its minute or window was over
    bool is_last = false;  // nothing follows
  };

  class Entry {
   public:
    virtual ~Entry() = default;

   private:
    friend class Timetable;
    static constexpr uint32_t kNowhere = UINT32_MAX;

    // Called under no lock. May come once more after Remove(), if it was on its way.
    virtual void Fire(const Firing& firing) = 0;

    // All guarded by mu_ of the timetable.
    std::optional<Recurrence> recurrence_;
    int64_t window_ns_ = 0;
    int64_t scheduled_ns_ = 0;      // of the next firing, since the Unix epoch
    uint32_t position_ = kNowhere;  // in the heap
    std::shared_ptr<Entry> self_;   // while it is there
  };

  explicit Timetable(std::shared_ptr<Environment> env) : env_(std::move(env)) {}

  // From now on the entry fires as the recurrence says, after that instant; at a random moment
  // within `window`, if it is not zero. Replaces what was set before. No effect after Close().
  void Set(const std::shared_ptr<Entry>& entry, Recurrence recurrence, absl::Duration window,
           absl::Time after);

  // It fires no more. No effect if it does not anyway.
  void Remove(Entry& entry);

  // What its next firing is scheduled for.
  std::optional<absl::Time> NextFiring(const Entry& entry) const;

  // Lets go of all entries and of the timer, for good.
  void Close();

 private:
  using Key = std::pair<int64_t, uint64_t>;  // when due, since the Unix epoch; then by arrival
  struct Taken {
    std::shared_ptr<Entry> entry;
    Firing firing;
  };
  static constexpr size_t kTurnMax = 1'000;

  struct TellPosition {
    void operator()(Entry* entry, uint32_t position) const { entry->position_ = position; }
  };

  void TakeOut(Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Key KeyOf(const Entry& entry) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Taken TakeFirst(const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Turn(uint64_t turn);

  const std::shared_ptr<Environment> env_;

  mutable Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  bool in_turn_ ABSL_GUARDED_BY(mu_) = false;  // S3
  IndexedHeap<Key, Entry*> heap_ ABSL_GUARDED_BY(mu_);
  uint64_t arrivals_ ABSL_GUARDED_BY(mu_) = 0;
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
  int64_t timer_due_ns_ ABSL_GUARDED_BY(mu_) = 0;  // uptime, if timer_ is set
  // Numbers timers: one that could not be cancelled any more finds that its turn is over.
  uint64_t turn_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_TIMETABLE_H_
