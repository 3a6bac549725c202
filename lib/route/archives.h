// SPDX-License-Identifier: Apache-2.0
//
// lib/route/archives.h -- floor 5: the archives and replays of a broker, by name.
//
// Checks what a caller gives, in EventBridge's order where that is on record, and then leaves the
// work to ArchiveCore and ReplayCore. Callers have a pass of the broker's gate.
//
// N1  A replay's name is taken from its start until 90 days after its end, as long as the service
//     remembers it. At most limits.broker.replays_kept_max are remembered, those that are active
//     among them: for one more the one that ended first is forgotten early, and its name is free.
// N2  mu_ guards names only. Of the cores it calls IsActive() and EndedNs() alone, which look.
#ifndef BANYAN_LIB_ROUTE_ARCHIVES_H_
#define BANYAN_LIB_ROUTE_ARCHIVES_H_

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/archive.h"
#include "banyan/mutex.h"
#include "message/close_kind.h"
#include "message/environment.h"

namespace banyan::inline v0_1::internal {

class ArchiveCore;
class EventBusCore;
class ReplayCore;

// Threads: every method from any thread.
class Archives {
 public:
  // Null if there is no such bus.
  using FindBus = std::function<std::shared_ptr<EventBusCore>(std::string_view name)>;

  Archives(std::shared_ptr<Environment> env, FindBus find_bus)
      : env_(std::move(env)), find_bus_(std::move(find_bus)) {}

  absl::StatusOr<ArchiveDescription> Create(std::string_view name, const ArchiveOptions& options);
  absl::StatusOr<ArchiveDescription> Describe(std::string_view name) const;
  absl::StatusOr<ArchiveDescription> Update(std::string_view name, const ArchiveUpdate& update);
  absl::Status Delete(std::string_view name);
  absl::StatusOr<ArchivePage> List(const ListArchivesOptions& options) const;

  absl::StatusOr<ReplayDescription> StartReplay(std::string_view name,
                                                const ReplayOptions& options);
  absl::StatusOr<ReplayDescription> DescribeReplay(std::string_view name) const;
  absl::StatusOr<ReplayDescription> CancelReplay(std::string_view name);
  absl::StatusOr<ReplayPage> ListReplays(const ListReplaysOptions& options) const;

  // Ends all archives and replays and forgets their names. With kStopped nothing comes after it.
  void Close(CloseKind kind);

 private:
  std::shared_ptr<ArchiveCore> Find(std::string_view name) const;
  absl::StatusOr<std::shared_ptr<EventBusCore>> Bus(std::string_view name) const;
  // Null also for one that the service has forgotten.
  std::shared_ptr<ReplayCore> FindReplay(std::string_view name) const;
  // Enters the replay under its name, unless that is taken or too many are active.
  absl::Status Enter(const std::shared_ptr<ReplayCore>& replay);
  // Makes room for one more, and lets go of those whose 90 days are over.
  void ForgetReplays(int64_t now_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const std::shared_ptr<Environment> env_;
  const FindBus find_bus_;

  mutable Mutex mu_;
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  std::map<std::string, std::shared_ptr<ArchiveCore>, std::less<>> archives_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::shared_ptr<ReplayCore>, std::less<>> replays_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_ARCHIVES_H_
