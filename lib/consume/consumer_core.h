// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/consumer_core.h -- floor 5: runs a callable over a queue. No thread of its own, and
// nothing that blocks: it reacts to "a message may be there", "a handler has ended" and "time is
// up".
//
//     queue --Receive--> filter --> filling_ --> units_ --RunNext--> handler --> settle
//       ^       |          |        full, or       ^                    |     (Delete, or leave)
//       |       |          |        window over    +-- behind (FIFO) <--+
//       |       |          +--> Delete                                  |
//       |     empty: WaitAsync                                          |
//       +------ Fetch() <------------- wake, or a unit ended <----------+
//
// A unit is what one runner gets: a message, a batch or, of a FIFO queue, what one receive took of
// a group. A runner is a task on the Runtime that takes a unit, calls the handler, and comes back
// for the next.
//
// K1  runners_ <= concurrency, and a receive begins only below that. A unit waits in units_ without
//     a runner only if runners_ has reached it, and there is at most one filling_. So what waits
//     here is less than one batch and one receive, however long the window. Units are made of what
//     passes the filter, so none is empty.
// K2  Fetch() runs on one thread at a time (fetching_), and the filter with it. A call that finds
//     it running has nothing to do: the other goes on while WantsMessages().
// K3  At most one wait is registered with the queue (waiting_). One arrival wakes one waiter, so a
//     wake-up that this consumer cannot use is handed on to the next (PassOn).
// K4  mu_ is never held while the queue, the handler or the log is called.
// K5  A handler holds a pass of the broker's `tasks`, also while it is settled, and is a guest of
//     its gate: a stopping broker waits for it, and takes what it sends until then.
// K6  When `stopped` is set, no unit starts any more and nothing is filtered out. Stop() waits
//     until calls_ is empty; called by a handler, until it holds none but those of its own thread
//     and those that are in Stop(), too, so that no handler waits for itself, nor two for each
//     other.
// K7  Messages of a FIFO group are with one runner only. The queue gives out no more of a group
//     while some are in flight, and what one receive took stays together: in a unit, or behind the
//     call that has those before (Call::behind). What is behind a failed message is put back before
//     that one is let go, so it can come only after it.
// K8  A message is hidden anew only while it is in hand: in filling_, units_ or calls_. Whoever
//     takes it out to settle it or put it back then waits for a Hide() under way (hiding_), so that
//     no message is hidden that was just let go.
//
// A failed or unhandled message is never moved about here: whether and when it comes back is
// between its visibility timeout and its queue's redrive policy.
//
// The code: consumer_core.cc (receiving, pausing, stopping), handling.cc, hiding.cc (time).
//
// Threads: every method from any thread, also from inside a handler.
#ifndef BANYAN_LIB_CONSUME_CONSUMER_CORE_H_
#define BANYAN_LIB_CONSUME_CONSUMER_CORE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/consumer.h"
#include "banyan/limits.h"
#include "banyan/mutex.h"
#include "banyan/queue.h"
#include "banyan/runtime.h"
#include "base/nanoseconds.h"
#include "base/this_thread.h"
#include "consume/consumer_options.h"
#include "consume/message_filter.h"
#include "consume/running_calls.h"
#include "message/environment.h"
#include "message/readers.h"

namespace banyan::inline v0_1::internal {

class ConsumerCore : public SourceReader, public std::enable_shared_from_this<ConsumerCore> {
 public:
  static absl::StatusOr<std::shared_ptr<ConsumerCore>> Start(const Queue& queue,
                                                             const ConsumerOptions& options,
                                                             HandlerKind kind,
                                                             BatchHandler handler);

  ConsumerCore(std::shared_ptr<Environment> env, Queue queue, const ConsumerOptions& options,
               std::unique_ptr<MessageFilter> filter, HandlerKind kind, BatchHandler handler);

  void Pause();
  void Resume();
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});
  ConsumerStats Stats() const;
  std::optional<Wiring> GetWiring() const override;

  const ConsumerOptions& options() const { return options_; }

 private:
  using Messages = std::vector<Received>;

  // Lambda's bound on what one call gets.
  static constexpr int64_t kBatchBytesMax = int64_t{6} << 20;
  static int64_t SizeOf(const Received& message) {
    return static_cast<int64_t>(message.body().size() + message.attributes().bytes());
  }

  struct Unit {
    Messages messages;
    int64_t bytes = 0;               // of a batch
    int64_t received_ns = 0;         // uptime just before the first of them was received
    int64_t closes_at_ns = kNever;   // while it fills
    int64_t hide_again_ns = kNever;  // when to hide its messages anew
  };

  // What Stop() waits for, on the stack of its thread: a handler call that runs, or messages that
  // no filter wants being deleted. Changed under mu_.
  struct Call : RunningCall {
    int64_t messages = 0;  // that are being handled, or deleted
    Unit unit = {};        // what is handled
    Unit behind = {};      // FIFO: what was received with it, and has to wait for it
    bool settling = false;
  };

  // What has to be undone outside the lock when receiving ends.
  struct Leftovers {
    Messages messages;
    std::optional<uint64_t> wait;
    TimerId timer = TimerId::kNone;
  };

  // Receiving.
  bool WantsMessages() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Fetch();
  void PostFetch();
  bool FetchOnce();
  bool BrokerStops() const;
  Messages TakeUnwanted(Messages* messages);
  void TakeIn(Messages messages, Messages unwanted, int64_t received_ns);
  void Arrange(Messages messages, int64_t received_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Joins(const Unit& unit, const Received& message) const;
  void EndFilling() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void WaitForMessages();
  bool Woken(uint64_t round);
  void QueueRefused(const absl::Status& refusal);

  // Handling; handling.cc.
  int64_t ClaimRunners() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void PostRunners(int64_t count);
  void RunNext();
  void BeginCall(Call* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool Handle(Call* call);
  bool DropOverrun(Call* call);
  bool Settle(Call* call, const absl::StatusOr<BatchResult>& answer);
  bool Fail(const Received& message, const absl::Status& error);
  void LogOverrun(const Received& message);
  int64_t DeleteAll(absl::Span<const Received> messages);
  void PutBack(const Messages& messages);
  void EndCall(Call* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Time; hiding.cc.
  struct Hiding {
    Received message;
    absl::Duration from_now;
  };
  int64_t FirstHideAgain(const Received& message, int64_t received_ns) const;
  void SetTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnTimer(int64_t at_ns);
  absl::Duration HidingTime() const;
  std::vector<Hiding> DueForHiding(int64_t now_ns, absl::Duration timeout)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Hide(const std::vector<Hiding>& due);
  void AwaitHiding() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ForEachInHand(absl::FunctionRef<void(Unit*)> visit) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Pausing and stopping.
  Leftovers EndReceiving() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Undo(const Leftovers& leftovers);
  void StopByItself();
  void EndWithBroker();

  const std::shared_ptr<Environment> env_;
  const Queue queue_;
  const ConsumerOptions options_;
  const std::unique_ptr<MessageFilter> filter_;  // null: every message is wanted
  const HandlerKind kind_;
  const BatchHandler handler_;
  const bool fifo_;
  const bool keeps_time_;  // has windows, or hides messages anew

  mutable Mutex mu_;
  WaitList stoppers_ ABSL_GUARDED_BY(mu_);  // Stop() calls, waiting for handlers
  std::optional<Unit> filling_ ABSL_GUARDED_BY(mu_);
  std::deque<Unit> units_ ABSL_GUARDED_BY(mu_);
  RunningCalls<Call> calls_ ABSL_GUARDED_BY(mu_);
  int64_t runners_ ABSL_GUARDED_BY(mu_) = 0;
  bool fetching_ ABSL_GUARDED_BY(mu_) = false;
  bool waiting_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t wait_round_ ABSL_GUARDED_BY(mu_) = 0;       // numbers the waits
  std::optional<uint64_t> wait_ ABSL_GUARDED_BY(mu_);  // the queue's name of the present one
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
  int64_t timer_at_ns_ ABSL_GUARDED_BY(mu_) = kNever;
  int hiding_ ABSL_GUARDED_BY(mu_) = 0;         // Hide() calls that run
  WaitList after_hiding_ ABSL_GUARDED_BY(mu_);  // who waits for their end
  ConsumerStats stats_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_CONSUMER_CORE_H_
