// SPDX-License-Identifier: Apache-2.0
//
// lib/route/publish_line.h -- floor 5: how the publishes of a FIFO topic come one after the other.
//
//   Publish --Enter--> duplicate: the original's ids
//                  `-> a number, a place in line --Serve--> fanned out, one at a time
//
// L1  Numbers rise along the line, and messages are fanned out in its order: so all queues get the
//     messages of a group in one order, whoever published them.
// L2  One thread at a time fans out, and holds no lock meanwhile. Who comes then leaves his message
//     in line and waits until it had its turn: when Publish returns, the queues have it. Nobody
//     serves longer than it takes to get his own message through.
// L3  Who publishes from inside a fan-out (a log sink does) does not wait for himself: the thread
//     he runs on serves his message next. Nor does he wait for another line that is served just
//     now, whose server may be waiting for his: that server takes his message along.
//
// Why not a lock held through the fan-out: what a queue does when it takes a message may end in the
// user's code, a log sink or the release function of a payload.
//
// When the deduplication window is full (100 million ids in five minutes), a new message is refused
// and nothing is forgotten early: that would deliver a message twice and tell nobody.
//
// Threads: any, all methods.
#ifndef BANYAN_LIB_ROUTE_PUBLISH_LINE_H_
#define BANYAN_LIB_ROUTE_PUBLISH_LINE_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/topic.h"
#include "base/this_thread.h"
#include "queue/dedup_window.h"
#include "route/publication.h"

namespace banyan::inline v0_1::internal {

class PublishLine {
 public:
  // `secret`: for digests of deduplication ids, drawn for this topic.
  PublishLine(Runtime& runtime, FifoThroughputScope scope, const SipKey& secret)
      : runtime_(runtime), scope_(scope), secret_(secret) {}

  // What names a message: its id within its scope.
  DedupKey KeyOf(std::string_view group_id, std::string_view deduplication_id) const;

  // The answer to a message that was accepted before, or nothing.
  std::optional<PublishResult> FindDuplicate(const DedupKey& key, int64_t now_ns);

  // The same for who only wants to know: it is not counted.
  bool Knows(const DedupKey& key, int64_t now_ns);

  // Numbers the message and puts it in line: `make` gets its sequence number. Or answers like the
  // original, if it is a duplicate.
  struct Entered {
    PublishResult result;
    bool is_duplicate = false;
  };
  absl::StatusOr<Entered> Enter(const DedupKey& key, const Id& id, int64_t now_ns,
                                absl::FunctionRef<Publication(uint64_t sequence_number)> make);

  using FanOut = absl::FunctionRef<void(const Publication&)>;

  // Returns when everything up to this number was fanned out (but see L3).
  void Serve(uint64_t sequence_number, FanOut fan_out);

  // Does some other work in the line: while nothing is fanned out. What is published by `work` is
  // fanned out behind it. Not done: kWithin, if this thread fans out just now, further down on its
  // stack; kBusy, if it serves another line, and must not wait for this one (L3).
  enum class Turn { kDone, kWithin, kBusy };
  Turn Alone(absl::FunctionRef<void()> work, FanOut fan_out);

  // From now on. What was published is remembered by what it was unique in then.
  void SetScope(FifoThroughputScope scope) { scope_.store(scope, std::memory_order_relaxed); }

  int64_t duplicates() const;

 private:
  void ServeUpTo(uint64_t upto, FanOut fan_out) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AwaitServer(absl::FunctionRef<bool()> enough) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Runtime& runtime_;
  std::atomic<FifoThroughputScope> scope_;
  const SipKey secret_;

  mutable Mutex mu_;
  FifoDedupWindow window_ ABSL_GUARDED_BY(mu_);
  int64_t latest_ns_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t duplicates_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t last_number_ ABSL_GUARDED_BY(mu_) = 0;  // sequence numbers, last given and last served
  uint64_t served_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t owed_ ABSL_GUARDED_BY(mu_) = 0;  // L3: up to this one, by the thread that serves now
  std::deque<std::pair<uint64_t, Publication>> line_ ABSL_GUARDED_BY(mu_);
  ThreadToken serving_ ABSL_GUARDED_BY(mu_) = nullptr;
  WaitList waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_PUBLISH_LINE_H_
