// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/core.h -- floor 3, the queue room: one standard queue.
//
//                       delay > 0
//   Send, Accept ------> delayed --delay ends--+
//        |                                     v
//        +-------------------------------> visible --Receive--> in flight --Delete--> gone
//                                              ^                    |
//                                              +--visibility ends---+---last attempt used up--->
//                                                                       another queue (move.cc)
//   any state, older than the retention --> gone
//
// Q1  A message is in exactly one of: a list of visible messages, the deadline heap (delayed or in
//     flight), or on its way to another queue (kLeaving).
// Q2  The books balance whenever mu_ is free:
//     accepted + moved_in = deleted + purged + expired + moved_out + depth.
// Q3  What time does to a queue is done by whoever looks next: every operation reads the clock
//     once and first brings the queue up to that reading, event by event in the order of time. So
//     the answers are those of a queue that acts at each instant by itself.
// Q4  A Runtime timer stands for the next deadline only while somebody would notice: a redrive
//     policy is set (dead letters move by themselves), or someone waits. An idle queue has none;
//     one that was set may fire once more and find nothing.
// Q5  One message that becomes visible wakes one waiter. Who is woken and does not take it passes
//     the wake on. Blocked receivers and watchers (WaitAsync) take turns.
// Q6  No two queues' locks are ever held together, and under mu_ no user code runs, no message is
//     freed, and nothing is called but the Runtime's Post, PostAt and Cancel and the Journal.
//
// A message that comes back after its first or second attempt keeps its place before those that
// were never offered (again_ is served before fresh_); from the third attempt on it goes to the
// back, so that poison does not starve the rest. That is what SQS documents.
//
// Why one lock and not a lock-free list: with deadlines, counts and receipts to keep, lock-free
// costs more than it gives (measured: 56 ns a cycle against 50). Sends touch fresh_ and the free
// list, receives and deletes the rest, so that the lock can be split in two later.
//
// Threads   Any, all methods. Lifetime  Outlives its broker with any handle; Close() ended it.
#ifndef BANYAN_LIB_QUEUE_CORE_H_
#define BANYAN_LIB_QUEUE_CORE_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "banyan/queue.h"
#include "base/nanoseconds.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "message/journal.h"
#include "message/sink.h"
#include "queue/deadline_heap.h"
#include "queue/receipt.h"
#include "queue/slots.h"
#include "queue/validate.h"

namespace banyan::inline v0_1::internal {

// Finds a queue of the same broker; null if there is none, or no broker any more. Called under no
// lock of a queue.
using QueueResolver = std::function<std::shared_ptr<QueueCore>(const Arn&)>;

// What a Received shares with its copies. Everything but the two atomics is fixed at the receive.
struct ReceivedState {
  std::shared_ptr<QueueCore> queue;
  Receipt receipt;  // attempt 0: a peek, settles nothing
  Contents contents;
  Payload body;  // as the receiver sees it
  Id id;
  int64_t receive_count = 0;
  int64_t sent_unix_ns = 0;
  int64_t first_received_unix_ns = 0;
  int64_t deadline_ns = 0;  // uptime, as set by the receive

  // Set when this attempt settled its message, and whether that was too late.
  mutable std::atomic<bool> settled = false;
  mutable std::atomic<bool> settled_late = false;

  static Received Wrap(std::shared_ptr<const ReceivedState> state) {
    return Received(std::move(state));
  }
};

class QueueCore final : public Sink, public std::enable_shared_from_this<QueueCore> {
 public:
  // `name` and `options` have passed their validation. `resolve` finds dead-letter queues and the
  // queues to redrive to; without one only SetDeadLetter and live origins do.
  static std::shared_ptr<QueueCore> Create(std::shared_ptr<Environment> env, std::string name,
                                           const QueueOptions& options,
                                           QueueResolver resolve = nullptr);
  ~QueueCore() override;

  // The verbs of banyan/queue.h. Each passes the broker's gate.
  absl::StatusOr<SendResult> Send(SendRequest request);
  absl::StatusOr<std::vector<Received>> Receive(const ReceiveOptions& options);
  absl::Status Delete(std::string_view receipt_handle);
  absl::Status ChangeVisibility(std::string_view receipt_handle, absl::Duration from_now);
  absl::StatusOr<std::vector<Received>> Peek(int64_t max_messages);
  absl::StatusOr<int64_t> Redrive(int64_t max_messages);
  absl::Status Purge();
  QueueStats Stats();
  absl::StatusOr<QueueOptions> Options();
  absl::Status SetOptions(const QueueOptions& options);

  // The same for who holds a Received.
  absl::Status Delete(const ReceivedState& received);
  absl::Status ChangeVisibility(const Receipt& receipt, absl::Duration from_now);
  bool Overrun(const ReceivedState& received);

  // The door for topics, buses and other queues' deliveries; see Sink. Answers at once.
  std::optional<absl::Status> Accept(const Delivery& delivery, LaterFn later) override;
  const std::string& arn_text() const override { return origin_->arn; }

  // Posts `wake` on the Runtime, once: when a receive may find something (at once if it may now),
  // or when the queue closes. Whoever is woken and does not receive calls PassOn(). Never 0.
  uint64_t WaitAsync(Task wake);
  // True: `wake` will not be posted. False: it was.
  bool CancelWait(uint64_t id);
  void PassOn();

  // Where dead letters go, while options().redrive is set. Found by ARN if never set or gone.
  void SetDeadLetter(std::weak_ptr<QueueCore> dead_letter);

  // The queue that a policy of this queue may name; an error if it does not exist or is `this`.
  absl::StatusOr<std::shared_ptr<QueueCore>> ResolveDeadLetter(const RedrivePolicy& policy) const;

  // Ends the queue: wakes everybody, frees every message, answers what was left. The second call
  // changes nothing. The Runtime must still be there.
  QueueDepth Close(CloseKind why);
  bool closed() const;

  // After env()->sleepers.SendHome(): ends every wait, blocking (kUnavailable) or not (woken). All
  // else goes on, so that handlers can settle what they have.
  void EndWaits();

  const std::shared_ptr<Environment>& env() const { return env_; }
  const Arn& arn() const { return arn_; }
  const std::string& name() const { return name_; }

  // Walks everything and aborts unless Q1, Q2, H1, H2 hold. For tests.
  void CheckInvariants() const;
  // Slots and entries held, in use or not; for tests of what an idle queue costs.
  size_t slots_held() const;
  bool timer_pending() const;

 private:
  // A message between two queues: what the next one needs to know. See move.cc.
  struct Departure {
    SlotIndex slot = kNoSlot;  // in the queue it leaves, kLeaving
    uint64_t number = 0;
    uint32_t attempt = 0;                   // the last one there
    std::shared_ptr<QueueCore> redrive_to;  // null: to the dead-letter queue
    Contents contents;
    Id id;
    int64_t enqueued_ns = 0;
    int64_t sent_unix_ns = 0;
    int64_t first_received_unix_ns = 0;
    uint32_t receive_count = 0;
  };

  // What an operation leaves to be done once mu_ is free.
  struct Aftermath {
    std::vector<Departure> departures;
    absl::InlinedVector<Contents, 1> dropped;
  };

  // The frame of every operation. Declared before the lock is taken, so it ends after the lock is
  // released and then does what the lock must not see.
  class Operation;

  // What Receive and Peek copy out of a slot under the lock; made into a Received outside.
  struct Taken {
    Receipt receipt;
    Contents contents;
    Id id;
    int64_t receive_count;
    int64_t sent_unix_ns;
    int64_t first_received_unix_ns;
    int64_t deadline_ns;
  };
  using TakenList = absl::InlinedVector<Taken, 10>;

  QueueCore(std::shared_ptr<Environment> env, std::string name, const QueueOptions& options,
            QueueResolver resolve);

  absl::Status ClosedStatus() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status StaleReceipt(const Receipt& receipt) const;
  absl::StatusOr<Receipt> ParseReceipt(std::string_view text) const;

  // Q3. Also keeps `now` from going back between two threads that read the clock out of order.
  void BringUpTo(Instant* now, Aftermath* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Changes of state. Those that begin with "Leave" take a message out of one of the structures.
  SlotIndex AddSlot(Contents contents, Id id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Rest(SlotIndex index, int64_t delay_ns, const Instant& now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void MakeVisible(SlotIndex index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Hide(SlotIndex index, SlotState state, int64_t deadline_ns)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveState(SlotIndex index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LeaveBooks(SlotIndex index) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Drop(SlotIndex index, Change why, const Instant& now, Aftermath* after)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Depart(SlotIndex index, std::shared_ptr<QueueCore> redrive_to, const Instant& now,
              Aftermath* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  absl::Status ValidateDelivery(const Delivery& delivery) const;
  // Whether a full queue refuses. Not what was accepted once, here or elsewhere.
  enum class Bounds { kKept, kPassed };
  absl::Status Store(Contents contents, Id id, std::optional<absl::Duration> delay, Bounds bounds,
                     Operation* operation);
  void Take(int64_t max_messages, int64_t visibility_ns, const Instant& now, TakenList* taken,
            Aftermath* after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Taken CopyOut(SlotIndex index, uint32_t attempt, int64_t deadline_ns) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<Received> MakeReceived(TakenList taken);
  absl::Status Settle(const Receipt& receipt, bool* settled, bool* late);

  bool Exhausted(const Slot& slot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool HasRoomInFlight() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Takeable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t ExpiresAt(const Slot& slot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Waiting.
  void WakeOne() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnTimer(int64_t at_ns);

  // Moves; move.cc.
  void Finish(Aftermath* after, const Instant& now);
  std::shared_ptr<QueueCore> DeadLetterQueue();
  bool TakeMoved(absl::Span<Departure> departures, const std::shared_ptr<const Origin>& from,
                 Instant now, Aftermath* after);
  void Departed(absl::Span<Departure> departures, const std::shared_ptr<QueueCore>& taken_by,
                const Instant& now);
  std::shared_ptr<QueueCore> RedriveDestination(const Origin& origin) const;
  void DeleteMoved(uint64_t origin_incarnation, uint64_t number, uint32_t attempt, Instant now);
  void ForgetOrigin(Slot* slot) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void Report(Change change, const Slot& slot, const Instant& now, int64_t deadline_ns = 0,
              std::string_view destination = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Environment> env_;
  const std::string name_;
  const Arn arn_;
  const std::shared_ptr<Origin> origin_;  // how this queue is known to those it sends messages to
  const QueueResolver resolve_;
  const uint64_t incarnation_;
  // A copy of options_.message_bytes_max, so that a size is checked before the lock.
  std::atomic<int64_t> message_bytes_max_;
  std::atomic<uint64_t> tap_sequence_{0};

  mutable Mutex mu_;
  std::optional<CloseKind> closing_ ABSL_GUARDED_BY(mu_);
  QueueOptions options_ ABSL_GUARDED_BY(mu_);
  int64_t retention_ns_ ABSL_GUARDED_BY(mu_);  // options_.retention, asked for by every operation
  QueueStats books_ ABSL_GUARDED_BY(mu_);
  int64_t latest_ns_ ABSL_GUARDED_BY(mu_) = 0;  // the latest reading of the clock seen here
  std::optional<int64_t> purged_ns_ ABSL_GUARDED_BY(mu_);  // uptime of the last Purge

  SlotArena slots_ ABSL_GUARDED_BY(mu_);
  VisibleList again_ ABSL_GUARDED_BY(mu_);
  VisibleList fresh_ ABSL_GUARDED_BY(mu_);
  DeadlineHeap deadlines_ ABSL_GUARDED_BY(mu_);
  // By age, for retention. What was sent here is in order as it comes; what was moved in keeps the
  // time it was first enqueued elsewhere, so it needs a sorted place of its own: by that time, then
  // by number. Redrive, too, goes from the oldest.
  AgeList by_age_ ABSL_GUARDED_BY(mu_);
  std::map<std::pair<int64_t, uint64_t>, SlotIndex> moved_by_age_ ABSL_GUARDED_BY(mu_);
  // Messages moved in and not received yet, by (incarnation, number) in their queue of origin.
  absl::flat_hash_map<std::pair<uint64_t, uint64_t>, SlotIndex> moved_in_ ABSL_GUARDED_BY(mu_);

  std::weak_ptr<QueueCore> dead_letter_ ABSL_GUARDED_BY(mu_);
  // Every queue that dead letters went to, for late Deletes. Usually one.
  std::vector<std::weak_ptr<QueueCore>> moved_to_ ABSL_GUARDED_BY(mu_);

  WaitList sleepers_ ABSL_GUARDED_BY(mu_);
  int64_t sleeping_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<uint64_t, Task> watchers_ ABSL_GUARDED_BY(mu_);  // ids rise, so the first waited longest
  uint64_t last_watcher_ ABSL_GUARDED_BY(mu_) = 0;
  bool watchers_turn_ ABSL_GUARDED_BY(mu_) = false;
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
  int64_t timer_at_ns_ ABSL_GUARDED_BY(mu_) = kNever;
};

// An idle queue costs this and its name and ARN; ten thousand of them are ordinary.
static_assert(sizeof(QueueCore) <= 1280);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_CORE_H_
