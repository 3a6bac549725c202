// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/consumer_core.h -- floor 5: runs a callable over a queue. No thread of its own, and
// nothing that blocks: it reacts to "a message may be there" and "a handler has ended".
//
//     queue --Receive--> filter --> units_ --RunNext--> handler --> settle (Delete, or leave)
//       ^       |          |                                          |
//       |       |          +--> Delete                                |
//       |     empty: WaitAsync                                        |
//       +------ Fetch() <------------- wake, or a unit ended <--------+
//
// A unit is what one handler call gets: one message, or a batch. A runner is a task on the Runtime
// that takes a unit, calls the handler, and comes back for the next.
//
// K1  runners_ <= concurrency. A unit waits in units_ without a runner only if runners_ has
//     reached that; so what is fetched ahead is less than one receive, batch_size - 1 messages.
//     Units are made of what passes the filter, so none is empty.
// K2  Fetch() runs on one thread at a time (fetching_), and the filter with it. A call that finds
//     it running leaves fetch_again_ behind, so no reason to fetch is lost.
// K3  At most one wait is registered with the queue (waiting_). One arrival wakes one waiter, so a
//     wake-up that this consumer cannot use is handed on to the next (PassOn).
// K4  mu_ is never held while the queue, the handler or the log is called.
// K5  A handler holds a pass of the broker's `tasks`, also while it is settled, and is a guest of
//     its gate: a stopping broker waits for it, and takes what it sends until then.
// K6  When `stopped` is set, no unit starts any more and nothing is filtered out. Stop() waits
//     until calls_ is empty; called by a handler, until it holds none but those of its own thread
//     and those that are in Stop(), too, so that no handler waits for itself, nor two for each
//     other.
//
// A failed or unhandled message is never moved about here: whether and when it comes back is
// between its visibility timeout and its queue's redrive policy.
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
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/consumer.h"
#include "banyan/limits.h"
#include "banyan/mutex.h"
#include "banyan/queue.h"
#include "banyan/runtime.h"
#include "base/this_thread.h"
#include "consume/message_filter.h"
#include "message/environment.h"

namespace banyan::inline v0_1::internal {

absl::Status ValidateConsumerOptions(const ConsumerOptions& options, const Limits& limits);

class ConsumerCore : public std::enable_shared_from_this<ConsumerCore> {
 public:
  // `unit_max` messages go into one call of `handler`: 1, or the batch size.
  static absl::StatusOr<std::shared_ptr<ConsumerCore>> Start(const Queue& queue,
                                                             const ConsumerOptions& options,
                                                             int64_t unit_max,
                                                             BatchHandler handler);

  ConsumerCore(std::shared_ptr<Environment> env, Queue queue, const ConsumerOptions& options,
               std::unique_ptr<MessageFilter> filter, int64_t unit_max, BatchHandler handler);

  void Pause();
  void Resume();
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});
  ConsumerStats Stats() const;

  const ConsumerOptions& options() const { return options_; }

 private:
  using Unit = std::vector<Received>;

  // What Stop() waits for, on the stack of its thread: a handler call that runs, or messages that
  // no filter wants being deleted.
  struct Call {
    ThreadToken thread;
    int64_t messages = 0;
    int stopping = 0;  // Stop() calls that this handler is inside of
  };

  // What has to be undone outside the lock when receiving ends.
  struct Leftovers {
    std::deque<Unit> units;
    std::optional<uint64_t> wait;
  };

  bool WantsMessages() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Fetch();
  void PostFetch();
  bool FetchOnce();
  bool BrokerStops() const;
  Unit TakeUnwanted(Unit* messages);
  void TakeIn(Unit messages, Unit unwanted);
  void WaitForMessages();
  bool Woken(uint64_t round);
  void QueueRefused(const absl::Status& refusal);
  void PostRunner();
  void RunNext();
  Unit DropOverrun(Unit unit);
  void Handle(const Unit& unit);
  void Settle(const Received& message, bool handled);
  void EndCall(Call* call) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Leftovers EndReceiving() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Undo(const Leftovers& leftovers);
  void StopByItself();
  void EndWithBroker();
  bool NobodyToWaitFor(ThreadToken here) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Environment> env_;
  const Queue queue_;
  const ConsumerOptions options_;
  const std::unique_ptr<MessageFilter> filter_;  // null: every message is wanted
  const size_t unit_max_;
  const BatchHandler handler_;

  mutable Mutex mu_;
  WaitList stoppers_ ABSL_GUARDED_BY(mu_);  // Stop() calls, waiting for handlers
  std::deque<Unit> units_ ABSL_GUARDED_BY(mu_);
  std::vector<Call*> calls_ ABSL_GUARDED_BY(mu_);
  int64_t runners_ ABSL_GUARDED_BY(mu_) = 0;
  bool fetching_ ABSL_GUARDED_BY(mu_) = false;
  bool fetch_again_ ABSL_GUARDED_BY(mu_) = false;
  bool waiting_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t wait_round_ ABSL_GUARDED_BY(mu_) = 0;       // numbers the waits
  std::optional<uint64_t> wait_ ABSL_GUARDED_BY(mu_);  // the queue's name of the present one
  ConsumerStats stats_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_CONSUMER_CORE_H_
