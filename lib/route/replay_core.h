// SPDX-License-Identifier: Apache-2.0
//
// lib/route/replay_core.h -- floor 5: a replay: from an archive back to its bus, in the background.
//
//   Start: STARTING --> [slice] --PostAt--> [slice] --> ... --> COMPLETED
//                          | RUNNING            `--> FAILED      archive or bus deleted
//   Cancel: CANCELLING ----+--> CANCELLED
//
// P1  Each slice is a task of the Runtime: it reads a few events from the archive, puts them on the
//     bus, and posts the next. At most one task of a replay is posted or runs.
// P2  The cursor is a key of the archive's order (archive_store.h), so what comes and goes meanwhile
//     moves nothing. Each event of the window that was there at Start() and does not leave before
//     its turn is put once: the cursor only rises, and what came later is passed over.
//     That also ends a replay whose events make their receivers put new ones.
// P3  No lock is held while events are put. A slice that runs is not interrupted; what it put is in
//     the books before anything else happens to the replay.
// P4  A broker that stops replays no further: a slice looks at the gate that Stop() closes first.
// P5  When it has ended, or is closed, it has no timer, and holds no archive.
//
// AWS replays a minute's events at once and in no order, minute by minute. In order throughout keeps
// that promise, too.
#ifndef BANYAN_LIB_ROUTE_REPLAY_CORE_H_
#define BANYAN_LIB_ROUTE_REPLAY_CORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "banyan/archive.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "message/environment.h"
#include "route/archive_store.h"
#include "route/event_bus_core.h"

namespace banyan::inline v0_1::internal {

class ArchiveCore;

// Threads: every method from any thread.
class ReplayCore : public std::enable_shared_from_this<ReplayCore> {
 public:
  static std::shared_ptr<ReplayCore> Create(std::shared_ptr<Environment> env, std::string name,
                                            const ReplayOptions& options,
                                            const std::shared_ptr<EventBusCore>& bus,
                                            std::shared_ptr<ArchiveCore> archive);

  void Start();

  // OK, or why not: it has ended, or is being cancelled already.
  absl::Status Cancel();
  ReplayDescription Describe() const;

  // Starting or running.
  bool IsActive() const;
  // When it ended, as uptime; nullopt: it has not.
  std::optional<int64_t> EndedNs() const;

  // Nothing more is put, but what a slice that runs has in hand. Waits for nothing.
  void Close();

  const std::string& name() const { return plan_.name; }
  const std::string& archive_name() const { return archive_name_; }

 private:
  ReplayCore(std::shared_ptr<Environment> env, std::string name, const ReplayOptions& options,
             const std::shared_ptr<EventBusCore>& bus, std::shared_ptr<ArchiveCore> archive);

  void RunSlice();
  // What RunSlice() is to work on; null if there is nothing to do (it was cancelled, it is closed).
  std::shared_ptr<ArchiveCore> BeginSlice();
  void PostSlice(int64_t at_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Fail(std::string reason);
  void End(ReplayState state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Environment> env_;
  const ReplayPlan plan_;
  const std::string archive_name_;
  const std::string bus_name_;
  const std::weak_ptr<EventBusCore> bus_;
  const int64_t end_time_;
  // Touched by Start() and then by slices only, one at a time.
  ArchiveStore::Position next_;
  uint64_t arrival_end_ = 0;

  mutable Mutex mu_;
  std::shared_ptr<ArchiveCore> archive_ ABSL_GUARDED_BY(mu_);  // until the end
  ReplayDescription shown_ ABSL_GUARDED_BY(mu_);
  std::optional<int64_t> ended_ns_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_REPLAY_CORE_H_
