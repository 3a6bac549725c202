// SPDX-License-Identifier: Apache-2.0
//
// lib/base/epoch.h -- floor 0: memory that threads read without a lock, and when it may go.
//
//   reader   Epochs<Scratch>::Pin pin(epochs);       // then follows shared pointers
//   writer   unlink object; epochs.Retire(object, destroy, bytes);
//            epochs.Collect(&gone);                  // what nobody can still see
//            unlock; for (Retired& r : gone) r.destroy(r.object);
//
//   now   1      2      3      4        `now_` moves on in Collect()
//         ---A---------------------     pin of epoch 1: holds back X and Y
//            x retired (1)
//                   ---B-----------     pin of epoch 2: holds back Y, not X
//                      y retired (2)
//
// A pin writes the epoch it found into a slot; an object is stamped with the epoch in which it was
// retired; it is collected when every pin that is left has a later one.
//
// E1  The users' part. A pointer that leads to something which may be retired is a std::atomic that
//     is read and, once published, written with memory_order_seq_cst; or it never changes while
//     readers can reach it. A writer links only what is linked or new, and retires an object after
//     the store that unlinked it. "Linked" is: reachable by a reader that began now. An unlinked
//     object may keep pointers to others, and is not linked again.
// E2  A reader reaches only what was still linked at its pin's compare-and-swap (CAS).
// E3  What a reader can reach is not collected before its pin is gone.
//
// Why they hold. All sequentially consistent operations have one order S, which agrees with each
// thread's own order and with what is read: a load sees the last store before it in S.
//
// E2, along the pointers followed. Suppose X was unlinked before the CAS, and the reader reads a
//     pointer to it inside Y, which was linked at some time after the CAS (a root always is). When
//     X was unlinked, Y was either linked: then that pointer in Y led elsewhere from then on, and
//     the reader, coming later in S, sees that. Or Y was not yet linked: then it never led to X,
//     which was neither linked nor new. Or Y was no longer linked: then it was not linked after the
//     CAS either.
// E3  By E2 the CAS comes before the unlinking store in S, which comes before the writer's look at
//     the slots. (A slot in a block which the writer did not find is no exception: the block was
//     added after the look, and the CAS came later still.) So the look finds what that CAS wrote,
//     or something later in the same slot. If later, the pin is gone, and its end (a release that
//     the look or the next pin's CAS acquires) puts all its reads before the collection. If not,
//     it finds the pin's epoch, which was read before the CAS, so before the unlinking store, so
//     before Retire() read the stamp: it is not greater than the stamp, and the object stays.
//
// On x86 a seq_cst load is a plain load, so a reader pays for one CAS, as a rule on a cache line of
// its own. With acquire and release instead, S would be missing: the CAS and the read after it
// might pass each other, and the writer find the slot free while the reader finds the object.
// Not fences in their place: ThreadSanitizer does not follow those. Not std::shared_ptr in an
// atomic: a count that all readers write to, and a lock in libstdc++. Not hazard pointers: an
// exchange for every step along a chain.
//
// Bound     Slots: about twice as many as there ever were pins at once (a search looks at one slot
//           after the other, so it may call for more a little early); given back by the destructor.
//           Retired objects: no bound but the life of the oldest pin; retired_bytes() tells.
// Threads   Pin: any thread, never blocks, lock-free (it allocates when there are more pins than
//           ever before). A thread may hold several. Retire and Collect: one thread at a time, by a
//           lock that the caller holds. retired_bytes: any. Construction and destruction alone.
// Fork      A pin that another thread held when the process forked is held for ever in the child.
#ifndef BANYAN_LIB_BASE_EPOCH_H_
#define BANYAN_LIB_BASE_EPOCH_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <vector>

#include "base/check.h"
#include "base/this_thread.h"

namespace banyan::inline v0_1::internal {

// Where a structure leaves what it has unlinked while readers may still look at it.
class Retirer {
 public:
  // Calls destroy(object), once, when no reader can still see it. The caller has unlinked it (E1)
  // and keeps other writers out. `bytes` is for the account only.
  virtual void Retire(void* object, void (*destroy)(void*), size_t bytes) = 0;

 protected:
  ~Retirer() = default;
};

// An object that nobody can see any more. Who has this owns it, and calls destroy(object).
struct Retired {
  void* object;
  void (*destroy)(void*);
};

// Each pin comes with a Scratch for the reader to work in. It is used again by later pins as it was
// left, so that what it has allocated stays.
template <typename Scratch>
class Epochs final : public Retirer {
  struct Slot;

 public:
  // For as long as it lives, what its thread finds stays.
  class [[nodiscard]] Pin {
   public:
    explicit Pin(const Epochs& epochs) : slot_(epochs.Claim()) {}
    ~Pin() { slot_.epoch.store(kFree, std::memory_order_release); }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;

    // This pin's alone.
    Scratch& scratch() { return slot_.scratch; }

   private:
    Slot& slot_;
  };

  Epochs() = default;
  Epochs(const Epochs&) = delete;
  Epochs& operator=(const Epochs&) = delete;
  ~Epochs();

  void Retire(void* object, void (*destroy)(void*), size_t bytes) override;

  // Moves to the end of `out` what no reader can see any more, oldest first, so that the caller
  // destroys it when it has let go of its lock. Costs a look at one slot while the same pin
  // holds everything back, else a look at each.
  void Collect(std::vector<Retired>* out);

  // Of what is retired and not collected.
  size_t retired_bytes() const { return retired_bytes_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint64_t kFree = 0;  // no epoch
  static constexpr size_t kFirstSlots = 8;

  struct alignas(64) Slot {
    std::atomic<uint64_t> epoch{kFree};
    Scratch scratch{};
  };

  // Each has twice the slots of the one before, so that threads which start their search in the
  // newest seldom meet.
  struct Block {
    Block(size_t count_in, Block* older_in)
        : count(count_in), older(older_in), slots(std::make_unique<Slot[]>(count_in)) {}
    const size_t count;  // a power of two
    Block* const older;
    const std::unique_ptr<Slot[]> slots;
  };

  struct Waiting {
    Retired retired;
    size_t bytes;
    uint64_t stamp;
  };

  Slot& Claim() const;

  std::atomic<uint64_t> now_{kFree + 1};
  mutable std::atomic<Block*> newest_{new Block(kFirstSlots, nullptr)};

  // The writer's.
  std::deque<Waiting> waiting_;     // by stamp, which is by age
  const Slot* obstacle_ = nullptr;  // had the oldest pin in the last look at all slots
  std::atomic<size_t> retired_bytes_{0};
};

template <typename Scratch>
typename Epochs<Scratch>::Slot& Epochs<Scratch>::Claim() const {
  for (;;) {
    Block* const newest = newest_.load(std::memory_order_seq_cst);
    for (Block* block = newest; block != nullptr; block = block->older) {
      const size_t mine = ThreadShard(block->count);
      for (size_t i = 0; i < block->count; ++i) {
        Slot& slot = block->slots[(mine + i) & (block->count - 1)];
        uint64_t found = slot.epoch.load(std::memory_order_relaxed);
        if (found == kFree &&
            slot.epoch.compare_exchange_strong(found, now_.load(std::memory_order_seq_cst),
                                               std::memory_order_seq_cst)) {
          return slot;
        }
      }
    }
    auto larger = std::make_unique<Block>(2 * newest->count, newest);
    Block* expected = newest;
    if (newest_.compare_exchange_strong(expected, larger.get(), std::memory_order_seq_cst)) {
      static_cast<void>(larger.release());
    }  // else another reader was quicker, and its block will do
  }
}

template <typename Scratch>
void Epochs<Scratch>::Retire(void* object, void (*destroy)(void*), size_t bytes) {
  waiting_.push_back({{object, destroy}, bytes, now_.load(std::memory_order_seq_cst)});
  retired_bytes_.fetch_add(bytes, std::memory_order_relaxed);
}

template <typename Scratch>
void Epochs<Scratch>::Collect(std::vector<Retired>* out) {
  if (waiting_.empty()) return;
  // Later pins shall not hold back what was retired by now.
  const uint64_t now = waiting_.back().stamp + 1;
  if (now_.load(std::memory_order_relaxed) != now) now_.store(now, std::memory_order_seq_cst);

  const auto holds_all = [this](uint64_t epoch) {
    return epoch != kFree && epoch <= waiting_.front().stamp;
  };
  if (obstacle_ != nullptr && holds_all(obstacle_->epoch.load(std::memory_order_seq_cst))) return;

  uint64_t oldest = now;
  obstacle_ = nullptr;
  for (const Block* block = newest_.load(std::memory_order_seq_cst); block != nullptr;
       block = block->older) {
    for (size_t i = 0; i < block->count; ++i) {
      const uint64_t epoch = block->slots[i].epoch.load(std::memory_order_seq_cst);
      if (epoch == kFree || epoch >= oldest) continue;
      oldest = epoch;
      obstacle_ = &block->slots[i];
    }
  }
  size_t bytes = 0;
  while (!waiting_.empty() && waiting_.front().stamp < oldest) {
    out->push_back(waiting_.front().retired);
    bytes += waiting_.front().bytes;
    waiting_.pop_front();
  }
  retired_bytes_.fetch_sub(bytes, std::memory_order_relaxed);
}

template <typename Scratch>
Epochs<Scratch>::~Epochs() {
  for (Block* block = newest_.load(std::memory_order_acquire); block != nullptr;) {
    const std::unique_ptr<Block> owned(block);
    for (size_t i = 0; i < block->count; ++i) {
      BANYAN_CHECK(block->slots[i].epoch.load(std::memory_order_acquire) == kFree,
                   "epochs outlive their pins");
    }
    block = block->older;
  }
  for (const Waiting& waiting : waiting_) waiting.retired.destroy(waiting.retired.object);
}

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_EPOCH_H_
