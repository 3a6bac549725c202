// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/worker_core.h -- floor 5: which shards of a stream this worker has. What is done with
// one is in shard_run.h, which ones it should have in lease_plan.h, the table in lease_table.h.
//
//   every third of failover_time, and when a shard has ended:
//
//   RoundOnce    read the table
//      |--> renew what is ours        not ours any more: the run ends (LeaseLost)
//      |                              another asks for it: the run ends (Stopping), hands over
//      |--> make the leases of shards that have none
//      |--> observe the others'       stood still for failover_time: nobody's
//      +--> take, ask for, begin      what we asked for in vain is taken in the end
//
// W1  One round at a time (in_round_). Between rounds only the runs change the table: they
//     checkpoint, and give up.
// W2  A renewal is a Put of what was read: it moves the version, which is all that others look at.
//     One that fails was overtaken by a checkpoint, which moves it as well, or by another worker,
//     which the next round sees.
// W3  Time is our own: an observed lease has stood still since we first saw its version.
// W4  A worker's name never comes again, so a lease that bears it is ours. One that bears it and
//     has no run was handed over to us.
// W5  mu_ is never held while the table, the stream, a run's End() or the user is called.
//     A ShardRun's lock may be taken under it.
// W6  When stopped_ is set no run begins any more. Rounds go on for as long as a run is left, for
//     its lease must not be taken over while its last call runs.
//
// Threads: every method from any thread, also from inside a processor.
#ifndef BANYAN_LIB_CONSUME_WORKER_CORE_H_
#define BANYAN_LIB_CONSUME_WORKER_CORE_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/worker.h"
#include "base/nanoseconds.h"
#include "base/this_thread.h"
#include "consume/lease_plan.h"
#include "consume/lease_table.h"
#include "consume/shard_run.h"
#include "message/readers.h"

namespace banyan::inline v0_1::internal {

class WorkerCore : public SourceReader, public std::enable_shared_from_this<WorkerCore> {
 public:
  static absl::StatusOr<std::shared_ptr<WorkerCore>> Start(const Stream& stream,
                                                           WorkerOptions options,
                                                           RecordProcessorFactory factory);

  explicit WorkerCore(std::shared_ptr<const ShardRun::Setup> setup) : setup_(std::move(setup)) {}

  absl::Status Stop(absl::Duration within, std::stop_token stop = {});
  void Abandon();
  WorkerStats Stats() const;
  std::optional<Wiring> GetWiring() const override;
  void AddTo(BrokerMetrics* metrics) const override;

  const WorkerOptions& options() const { return setup_->options; }

 private:
  using Runs = std::map<std::string, std::shared_ptr<ShardRun>>;  // by the lease's key
  struct Observed {
    int64_t version = 0;
    int64_t since_ns = 0;
  };

  // Rounds; worker_rounds.cc.
  absl::Status Round();
  absl::Status RoundOnce();
  void Renew(const Leases& leases, int64_t now_ns);
  void Observe(const Leases& leases, int64_t now_ns);
  int64_t StoodStill(const Lease& lease, int64_t now_ns) const;
  void TakeLeases(const Leases& leases, int64_t now_ns);
  void Claim(Lease lease);
  void AskFor(Lease lease, int64_t now_ns);
  void BeginRun(const Lease& lease);
  void SetTimer(int64_t at_ns) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  int64_t NextRound(int64_t now_ns) const;
  void PostRound();

  // Ending.
  void RunEnded(ShardRun& run, ShardRun::Ending why);
  void StopByItself();
  void GiveUpClaims();
  bool NobodyToWaitFor(ThreadToken here) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  Runs RunsNow() const;

  const std::shared_ptr<const ShardRun::Setup> setup_;

  // Of the round that runs.
  std::map<std::string, Observed> observed_;    // leases that are not ours, by key
  std::map<std::string, int64_t> asked_at_ns_;  // what we asked for, and when

  mutable Mutex mu_;
  WaitList stoppers_ ABSL_GUARDED_BY(mu_);  // Stop() calls, waiting for runs
  Runs runs_ ABSL_GUARDED_BY(mu_);
  std::vector<ThreadToken> stopping_ ABSL_GUARDED_BY(mu_);  // threads in Stop()
  bool in_round_ ABSL_GUARDED_BY(mu_) = false;
  bool another_round_ ABSL_GUARDED_BY(mu_) = false;
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
  bool abandoned_ ABSL_GUARDED_BY(mu_) = false;
  WorkerStats stats_ ABSL_GUARDED_BY(mu_);  // `stopped` is W6's
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_WORKER_CORE_H_
