// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/subscription.h -- floor 3, the stream room: one push of one shard to one handler. No
// thread of its own: it reacts to "a record may be there" and "time is up".
//
//   Pump --> ended? stopped? five minutes over? --> read at position_ --> handler --> move position_
//    ^                                                |    ^                             |
//    |                                       nothing  |    | no pause owed               |
//    +-- record (consumers.h) or timer <-- wait <-----+----+-----------------------------+
//
// U1  One pump at a time (busy_), and the handler only inside it. Who comes while it runs leaves word
//     (again_). When all is over, on_end has its turn in the same way.
// U2  position_ moves only when the handler has answered OK. So end and continuation always name a
//     place behind which nothing was handled.
// U3  ended_ is set once, by whoever comes first, and the handler is not called from then on. What
//     is left to do (Bury) is done once: by who ended it, or by the pump that runs meanwhile. A
//     cancelled one has no on_end any more.
// U4  mu_ is never held while the stream, its consumers or a handler is called.
// U5  A pump holds a pass of the broker's `tasks`, and the handler is a guest of its gate: a
//     stopping broker waits for it, and takes what it puts until then.
//
// Nothing is queued here: the shard's log is the queue, read when the handler is done. That is why
// there is no ring between the writer and a subscription. A ring of records would have to copy or
// pin them, and be full when the handler is slow; a ring of "there is something" would say what one
// flag says, and still need a task to empty it. Who wants to pull reads by an iterator, without a
// hand-off at all. (bench/stream_push_bench.cc has what a ring's hand-off would cost.)
//
// Pace      Where the stream's shard_limits are strict: push_bytes_per_second, with a second's worth
//           in hand at most. After a pause a burst of that goes out at once. One large record may
//           overdraw it.
//
// Threads   Any. Lifetime  Kept by its handle and by tasks that run; keeps its stream.
#ifndef BANYAN_LIB_STREAM_SUBSCRIPTION_H_
#define BANYAN_LIB_STREAM_SUBSCRIPTION_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/stream_consumer.h"
#include "base/nanoseconds.h"
#include "base/this_thread.h"
#include "message/environment.h"
#include "stream/consumers.h"
#include "stream/shard_log.h"

namespace banyan::inline v0_1::internal {

class StreamCore;

class ShardSubscriptionCore : public std::enable_shared_from_this<ShardSubscriptionCore> {
 public:
  using Reason = SubscriptionEnd::Reason;

  struct Start {
    size_t shard;
    uint64_t position;
    SequenceNumber continuation;
    Instant now;
  };
  ShardSubscriptionCore(std::shared_ptr<StreamCore> stream,
                        std::shared_ptr<const RegisteredConsumer> consumer, const Start& start,
                        ShardEventHandler handler, SubscriptionEndHandler on_end);

  size_t shard() const { return shard_; }

  // Looks, on the Runtime, for what there is to push.
  void PostPump();
  void Pump();

  // From the list of those who wait: it is in it no more.
  void Unlist();

  // Whether the Runtime may be touched; else it may be gone with the broker.
  enum class RuntimeIs { kThere, kUnknown };
  // Again: no effect.
  void End(Reason reason, absl::Status status, RuntimeIs runtime = RuntimeIs::kThere);
  void Cancel();

  std::optional<SubscriptionEnd> end() const;
  SequenceNumber continuation() const;

 private:
  void Look();
  void Rest(uint64_t position, bool unread, int64_t now_ns);
  void SetTimer(int64_t at_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnTimer(int64_t at_ns);
  void Bury(RuntimeIs runtime);
  void TellEnd();

  ShardLog::ReadLimits Allowance(int64_t now_ns) const;
  void Spend(int64_t bytes, int64_t now_ns);

  const std::shared_ptr<StreamCore> stream_;
  const std::shared_ptr<const RegisteredConsumer> consumer_;
  const std::shared_ptr<Environment> env_;
  const size_t shard_;
  const int64_t expires_ns_;
  const int64_t bytes_per_second_;  // 0: no pace

  // The pump's own (U1).
  ShardEventHandler handler_;
  uint64_t position_;
  int64_t event_due_ns_;
  int64_t paid_until_ns_ = 0;  // what was pushed is paid for at this time

  mutable Mutex mu_;
  SubscriptionEndHandler on_end_ ABSL_GUARDED_BY(mu_);
  SequenceNumber continuation_ ABSL_GUARDED_BY(mu_);
  std::optional<SubscriptionEnd> ended_ ABSL_GUARDED_BY(mu_);  // U3
  bool busy_ ABSL_GUARDED_BY(mu_) = false;                     // a pump or on_end runs
  bool again_ ABSL_GUARDED_BY(mu_) = false;
  ThreadToken thread_ ABSL_GUARDED_BY(mu_) = nullptr;  // on which it does
  bool listed_ ABSL_GUARDED_BY(mu_) = false;           // among those who wait at the shard
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
  int64_t timer_at_ns_ ABSL_GUARDED_BY(mu_) = kNever;
  WaitList cancellers_ ABSL_GUARDED_BY(mu_);  // waiting for what runs to end
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_SUBSCRIPTION_H_
