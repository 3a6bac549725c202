// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/window_core.h -- floor 5: a WindowAggregate: a mapping that puts records into windows,
// a watermark that closes them, and one task that hands them over.
//
//   mapping's handler --Take--> table (window_table.h) <--CloseDue-- Look <-- Take, timer, Deliver
//                                        |
//                                        +--front--> Deliver --> the user's function
//
// C1  Take() adds a record to all of its windows or to none, and says of the first for which there is
//     no room that it failed. So the mapping has a record done when, and only when, it counts.
// C2  The watermark never falls. It is worked out without the lock, from the time and the places of
//     the mapping, both read before what they bound: what is not done then arrived no earlier.
//     Shards are asked in the order in which they were made, so one that ends meanwhile has its
//     children asked after it (MappingCore::Finish begins them in the same step); and a shard that
//     waits for its parents is asked as well, for its records may be older than those parents' ends.
//     While the mapping may hold what the stream has trimmed already, the watermark stands still.
// C3  At most one Deliver() is posted, waits for its timer, or runs (delivering_).
// C4  mu_ is never held while the stream, the mapping or a function of the user's is called.
// C5  A window that is open has a timer for when it may close. While its time has come and some shard
//     is behind, that is a look now and then: nobody tells us when the mapping has settled a batch.
//
// Threads   Every method from any thread, also from inside the user's functions.
#ifndef BANYAN_LIB_CONSUME_WINDOW_CORE_H_
#define BANYAN_LIB_CONSUME_WINDOW_CORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/mapping.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/stream.h"
#include "banyan/window.h"
#include "base/nanoseconds.h"
#include "consume/running_calls.h"
#include "consume/window_table.h"
#include "message/environment.h"

namespace banyan::inline v0_1::internal {

class WindowCore : public std::enable_shared_from_this<WindowCore> {
 public:
  static absl::StatusOr<std::shared_ptr<WindowCore>> Start(const Stream& stream,
                                                           WindowAggregateOptions options,
                                                           WindowHandler handler);

  WindowCore(const Stream& stream, WindowAggregateOptions options, WindowHandler handler);

  void Flush();
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});
  WindowStats Stats() const;
  absl::Duration drain_within() const;

 private:
  using Mapping = std::shared_ptr<StreamMapping>;

  // How far the shards are handled.
  struct Reach {
    int64_t watermark_ns;
    std::optional<int64_t> oldest_ns = {};  // arrival of the oldest record that is not handled
    std::set<ShardId> unfinished = {};      // those that are read, or wait for their parents
    bool is_gone = false;                   // there is no stream any more
  };

  absl::StatusOr<StreamBatchResult> Take(const StreamBatch& batch);
  std::optional<WindowSample> Read(const Record& record) const;
  Reach FindReach(StreamMapping& mapping, const Instant& now) const;

  void Look();
  void PostLook() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // When Look() may find something to close though nothing comes. Uptime; kNever.
  int64_t NextLook(const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetTimer(int64_t at_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  void PostDeliver(int64_t at_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Deliver();

  bool uses_event_time() const { return static_cast<bool>(options_.event_time); }

  const std::shared_ptr<Environment> env_;
  const Stream stream_;
  const WindowAggregateOptions options_;
  const WindowHandler handler_;

  mutable Mutex mu_;
  WaitList stoppers_ ABSL_GUARDED_BY(mu_);
  Mapping mapping_ ABSL_GUARDED_BY(mu_);  // null until it has started
  WindowTable table_ ABSL_GUARDED_BY(mu_);
  RunningCalls<RunningCall> calls_ ABSL_GUARDED_BY(mu_);  // of handler_
  WindowStats stats_ ABSL_GUARDED_BY(mu_);                // without what Stats() asks others for
  int64_t watermark_ns_ ABSL_GUARDED_BY(mu_);
  // With an event_time: the highest one handled, and of each shard that is being read.
  int64_t newest_ns_ ABSL_GUARDED_BY(mu_);
  std::map<int64_t, int64_t> newest_of_shard_ ABSL_GUARDED_BY(mu_);
  int64_t last_taken_ns_ ABSL_GUARDED_BY(mu_);    // uptime
  int64_t patience_ns_ ABSL_GUARDED_BY(mu_) = 0;  // C5: until the next look at who is behind
  bool look_posted_ ABSL_GUARDED_BY(mu_) = false;
  bool delivering_ ABSL_GUARDED_BY(mu_) = false;  // C3
  int64_t failures_in_row_ ABSL_GUARDED_BY(mu_) = 0;
  bool flushing_ ABSL_GUARDED_BY(mu_) = false;  // Flush() found no room for all
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
  int64_t timer_at_ns_ ABSL_GUARDED_BY(mu_) = kNever;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_WINDOW_CORE_H_
