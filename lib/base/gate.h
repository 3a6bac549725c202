// SPDX-License-Identifier: Apache-2.0
//
// lib/base/gate.h -- floor 0: every public call of a broker and its handles goes in and out here.
// Once the gate is closed and drained, nobody is inside and nobody comes in: what the calls used
// (the runtime, the cores) may go.
//
//   Gate::Pass pass = gate.Enter();
//   if (!pass) return UnavailableError(pass.answer());
//   ...                                                   // leaves with the scope
//
// G1  A pass is given only if the gate was seen open after the pass was counted. So when Drained()
//     has read a shard as zero after closing, every pass given from that shard is back.
// G2  In a forked child Enter() answers kForked before it touches anything that is shared.
// G3  A thread inside a user's handler is a Guest: what the handler calls gets in, closed or not,
//     so that a handler that was begun can settle, send and publish to its end. It is not counted
//     again: the handler's own pass (of another gate) stands for what it calls.
// G4  A thread that waits for others to leave (it stops its broker, or a consumer, from inside a
//     handler) is Parked. Quiet means: nobody inside but the parked. So two handlers that stop the
//     same broker do not wait for each other, and none waits for itself. Inside they are all the
//     same, and whoever reports who is left counts them (InsideOrParked).
//
// The counters are spread over cache lines by thread, because the gate is on the way of every
// operation: one counter alone costs 5 ns from one thread, but 60 and more from several. G1 needs
// sequential consistency: Enter counts, then looks; Close shuts, then sums.
//
// Threads   Any.
// Lifetime  Whoever has a Pass keeps the gate alive by other means (the shared pointer behind its
//           handle): leaving looks at the gate once more after it was counted out.
#ifndef BANYAN_LIB_BASE_GATE_H_
#define BANYAN_LIB_BASE_GATE_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <stop_token>
#include <utility>

#include "absl/time/time.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "base/fork_sentinel.h"
#include "base/this_thread.h"

namespace banyan::inline v0_1::internal {

class Gate {
 public:
  enum class Answer {
    kOpen,
    kClosed,  // Close() was called
    kForked,  // this is a child of the process that made the gate
  };

  // The right to be inside, for as long as it lives; or the reason why not.
  class [[nodiscard]] Pass {
   public:
    Pass(Pass&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)),
          shard_(other.shard_),
          answer_(other.answer_) {}
    Pass& operator=(Pass&&) = delete;
    ~Pass() {
      if (gate_ != nullptr) gate_->Leave(shard_);
    }

    explicit operator bool() const { return answer_ == Answer::kOpen; }
    Answer answer() const { return answer_; }

   private:
    friend class Gate;
    explicit Pass(Answer uncounted) : answer_(uncounted) {}
    Pass(Gate* gate, size_t shard) : gate_(gate), shard_(shard), answer_(Answer::kOpen) {}

    Gate* gate_ = nullptr;
    size_t shard_ = 0;
    Answer answer_;
  };

  // Makes the calling thread a guest of `gate` for the life of a scope (G3). `deliveries` says how
  // many pending deliveries end with the handler that runs in it.
  class Guest {
   public:
    // `host`: whose handler it is, for CountOf. `passes`: 1 if a pass of the gate for handlers is
    // this guest's alone, so that it counts for who parks; 0 if it stands beneath a call or a
    // guest that has one.
    explicit Guest(const Gate& gate, int64_t deliveries = 0, const void* host = nullptr,
                   int64_t passes = 1)
        : gate_(gate), deliveries_(deliveries), passes_(passes), host_(host), outer_(innermost_) {
      innermost_ = this;
    }
    ~Guest() { innermost_ = outer_; }

    // How many guests of `host` this thread is.
    static int64_t CountOf(const void* host) {
      int64_t count = 0;
      for (const Guest* guest = innermost_; guest != nullptr; guest = guest->outer_) {
        if (guest->host_ == host) ++count;
      }
      return count;
    }

    Guest(const Guest&) = delete;
    Guest& operator=(const Guest&) = delete;

   private:
    friend class Gate;
    static inline constinit thread_local Guest* innermost_ = nullptr;
    const Gate& gate_;
    const int64_t deliveries_;
    const int64_t passes_;
    const void* const host_;
    Guest* const outer_;
    const void* parked_by_ = nullptr;
  };

  // Says, for the life of a scope, that this thread waits for others to leave (G4). `guest_of` is
  // the gate whose guest the thread may be, `counts` the one that counts the passes of handlers. No
  // effect on a thread that is in no handler.
  class Parked {
   public:
    Parked(const Gate& guest_of, Gate& counts) : counts_(counts), first_(Guest::innermost_) {
      for (Guest* guest = first_; guest != nullptr; guest = guest->outer_) {
        if (&guest->gate_ != &guest_of || guest->parked_by_ != nullptr) continue;
        guest->parked_by_ = this;
        parked_ += guest->passes_;
        deliveries_ += guest->deliveries_;
      }
      if (parked_ == 0) return;
      counts_.parked_.fetch_add(parked_, std::memory_order_seq_cst);
      counts_.parked_deliveries_.fetch_add(deliveries_, std::memory_order_seq_cst);
      counts_.WakeWatchers();
    }
    ~Parked() {
      if (parked_ == 0) return;
      counts_.parked_.fetch_sub(parked_, std::memory_order_seq_cst);
      counts_.parked_deliveries_.fetch_sub(deliveries_, std::memory_order_seq_cst);
      for (Guest* guest = first_; guest != nullptr; guest = guest->outer_) {
        if (guest->parked_by_ == this) guest->parked_by_ = nullptr;
      }
    }
    Parked(const Parked&) = delete;
    Parked& operator=(const Parked&) = delete;

   private:
    Gate& counts_;
    Guest* const first_;
    int64_t parked_ = 0;
    int64_t deliveries_ = 0;
  };

  Gate() = default;
  Gate(const Gate&) = delete;
  Gate& operator=(const Gate&) = delete;

  Pass Enter() {
    if (sentinel_.forked()) return Pass(Answer::kForked);
    if (ThisThreadIsGuest()) return Pass(Answer::kOpen);
    const size_t shard = ThreadShard(kShards);
    inside_[shard].count.fetch_add(1, std::memory_order_seq_cst);
    if (state_.load(std::memory_order_seq_cst) != State::kClosed) return Pass(this, shard);
    Leave(shard);
    return Pass(Answer::kClosed);
  }

  // Gets in though the gate is closed. Only for who knows of a pass that cannot end before this one
  // has begun, because its holder needs a lock for that which the caller holds.
  Pass EnterBeside() {
    if (sentinel_.forked()) return Pass(Answer::kForked);
    const size_t shard = ThreadShard(kShards);
    inside_[shard].count.fetch_add(1, std::memory_order_seq_cst);
    return Pass(this, shard);
  }

  // True on a thread that is a guest here (G3).
  bool ThisThreadIsGuest() const {
    for (const Guest* guest = Guest::innermost_; guest != nullptr; guest = guest->outer_) {
      if (&guest->gate_ == this) return true;
    }
    return false;
  }

  // What Enter() would answer now. For a look without a visit.
  Answer Look() const {
    if (sentinel_.forked()) return Answer::kForked;
    return state_.load(std::memory_order_seq_cst) == State::kClosed ? Answer::kClosed
                                                                    : Answer::kOpen;
  }

  // From now on nobody gets in. Those inside stay until they leave. Again: no effect.
  void Close() { state_.store(State::kClosed, std::memory_order_seq_cst); }

  // Lets everybody in as before, but makes departures known to AwaitDeparture(). Before Close().
  void Watch() {
    State open = State::kOpen;
    state_.compare_exchange_strong(open, State::kWatched, std::memory_order_seq_cst);
  }

  // How many are inside, each but the parked (G4). While the gate is not closed, an estimate.
  int64_t Inside() const;

  // How many are inside, the parked among them.
  int64_t InsideOrParked() const;

  // Deliveries that end with the handlers of parked threads: nobody can wait for them (G4).
  int64_t ParkedDeliveries() const { return parked_deliveries_.load(std::memory_order_seq_cst); }

  // Watched or closed: how often somebody left or parked; and a wait until that has happened more
  // than `seen` times (false: the deadline came or stop was requested first). For loops of the form
  //   seen = Departures();
  //   if (Inside() == 0 && ...) break;
  //   AwaitDeparture(runtime, seen, deadline);
  uint64_t Departures();
  bool AwaitDeparture(Runtime& runtime, uint64_t seen, absl::Duration deadline,
                      std::stop_token stop = {});

  // After Close(): waits until everybody has left. False: the deadline came or stop was requested
  // first. Must not be called with a pass in hand, which it would wait for. In a forked child
  // there is nobody to wait for: true.
  bool AwaitDrained(Runtime& runtime, absl::Duration deadline = absl::InfiniteDuration(),
                    std::stop_token stop = {});

 private:
  static constexpr size_t kShards = 16;  // a power of two; more than the cores of most hosts use

  struct alignas(64) Shard {
    std::atomic<int64_t> count{0};
  };

  enum class State : int { kOpen, kWatched, kClosed };

  void Leave(size_t shard) {
    inside_[shard].count.fetch_sub(1, std::memory_order_seq_cst);
    if (ABSL_PREDICT_FALSE(state_.load(std::memory_order_seq_cst) != State::kOpen)) WakeWatchers();
  }

  bool Drained() const;
  void WakeWatchers();

  std::array<Shard, kShards> inside_;
  std::atomic<State> state_{State::kOpen};
  std::atomic<int64_t> parked_{0};
  std::atomic<int64_t> parked_deliveries_{0};
  const ForkSentinel sentinel_;

  Mutex mu_;
  WaitList watchers_ ABSL_GUARDED_BY(mu_);
  uint64_t departures_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BASE_GATE_H_
