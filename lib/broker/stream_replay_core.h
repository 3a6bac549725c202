// SPDX-License-Identifier: Apache-2.0
//
// lib/broker/stream_replay_core.h -- floor 6: a replay of a part of a stream, in the background. It
// stands up here because it is the one that knows streams and buses both. In slices, as the replays
// of archives (route/replay_core.h) are:
//
//   Start: STARTING --> [slice] --PostAt--> [slice] --> ... --> COMPLETED
//                          | RUNNING            `--> FAILED      something is gone, or a failure
//   Cancel: CANCELLING ----+--> CANCELLED
//
// Y1  Each slice is a task of the Runtime; at most one is posted or runs. So the range, the batch in
//     hand and the place in it belong to it alone.
// Y2  A record is decided on (replayed, filtered, failed) before the next one is looked at. One that is
//     tried again stays in hand, and its batch pinned.
// Y3  No lock is held while a record is sent or a function of the user's is called. Between records a
//     slice looks whether it was cancelled.
// Y4  A broker that stops replays no further: a slice looks at the gate that Stop() closes first.
//
// Threads   Every method from any thread, also from inside the user's functions.
#ifndef BANYAN_LIB_BROKER_STREAM_REPLAY_CORE_H_
#define BANYAN_LIB_BROKER_STREAM_REPLAY_CORE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/stream_replay.h"
#include "consume/running_calls.h"
#include "message/environment.h"

namespace banyan::inline v0_1::internal {

// Where records go, be it a bus or a topic.
struct ReplayDestination {
  Arn arn;
  absl::AnyInvocable<absl::Status(const Record&) const> send;
  absl::AnyInvocable<int64_t() const> pending_deliveries;
  absl::AnyInvocable<bool() const> is_gone;
};

class StreamReplayCore : public std::enable_shared_from_this<StreamReplayCore> {
 public:
  static absl::StatusOr<std::shared_ptr<StreamReplayCore>> Start(const Stream& stream,
                                                                 StreamReplayOptions options,
                                                                 ReplayDestination destination);

  StreamReplayCore(std::shared_ptr<Environment> env, const Stream& stream, StreamRange range,
                   StreamReplayOptions options, ReplayDestination destination);

  absl::Status Cancel();
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});
  StreamReplayDescription Describe() const;
  absl::Duration drain_within() const;

 private:
  enum class Verdict { kDecided, kAgain, kGone };

  void PostSlice(int64_t at_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void RunSlice();
  // Until the slice is over. When the next one begins, as uptime; nothing if there is none.
  std::optional<int64_t> Work();
  bool MayGoOn() const;
  Verdict Handle(const Record& record);
  int64_t SliceSize() const;
  void End(ReplayState state, std::string reason = {}) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool has_ended() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) { return shown_.end_time.has_value(); }

  const std::shared_ptr<Environment> env_;
  const std::string stream_arn_text_;
  const StreamReplayOptions options_;
  const ReplayDestination destination_;
  // Of slices only (Y1).
  StreamRange range_;
  StreamRangeBatch batch_;
  size_t next_in_batch_ = 0;
  int64_t attempts_ = 0;  // of the record in hand

  mutable Mutex mu_;
  WaitList stoppers_ ABSL_GUARDED_BY(mu_);
  RunningCalls<RunningCall> calls_ ABSL_GUARDED_BY(mu_);
  StreamReplayDescription shown_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_BROKER_STREAM_REPLAY_CORE_H_
