// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/shard_run.h -- floor 5: one shard in the hands of one worker, from the lease to its
// end. It knows records, processor and checkpoints; who has which lease is WorkerCore's business.
//
//          +-------- Post -------+
//          v                     |
//   Step --+--> read --> Process-+--> nothing there: WakeAt -----> Step
//          |                     +--> read too often: timer -----> Step
//          |                     +--> an error: timer -----------> Step, the same records
//          |                     +--> the shard ended: ShardEnded --+
//          +--> asked to end: Stopping or LeaseLost ----------------+--> on_end
//
// U1  One step at a time, and one thing that will cause the next: a posted task, a wake-up or a
//     timer. Each names the round it was set up in; a step begins a new round, so that what was set
//     up earlier and overtaken (by End(), or a wake-up that came twice) does nothing.
// U2  A batch is kept, and pinned in the stream, until Process() has answered OK: what is tried
//     again cannot have been trimmed.
// U3  checkpoint <= given_, and here_ <= given_. Checkpoints only move up, here and in the table,
//     where a call that hangs could meet one of a later owner. here_ is beyond what was answered with
//     OK during a call of Process() only: who checkpoints when he is stopped after a failure must
//     not pass over what failed.
// U4  The children's leases are made before the shard is marked as done, so whoever dies in between
//     leaves a shard whose end will be processed again, not children that nobody knows.
// U5  mu_ is never held while processor, stream, table or log is called.
// U6  A step holds a pass of the broker's `tasks` and is a guest of its gate; see consumer_core.h.
//
// Threads: every method from any thread, also from inside the processor.
#ifndef BANYAN_LIB_CONSUME_SHARD_RUN_H_
#define BANYAN_LIB_CONSUME_SHARD_RUN_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "banyan/aggregation.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/worker.h"
#include "base/this_thread.h"
#include "consume/lease_table.h"
#include "message/environment.h"

namespace banyan::inline v0_1::internal {

class ShardRun : public std::enable_shared_from_this<ShardRun> {
 public:
  enum class Ending {
    kNone,
    kStop,        // give the lease up: the worker stops, or another asked for it
    kLost,        // the lease is another's
    kDone,        // the shard is
    kStreamGone,  // deleted, or the broker is
    kAbandoned,   // nobody is told
  };

  // What all shards of a worker share.
  struct Setup {
    std::shared_ptr<Environment> env;
    Stream stream;
    std::shared_ptr<LeaseTable> table;
    WorkerOptions options;
    RecordProcessorFactory factory;
    std::string owner;  // the worker
  };

  // `on_end` is called once, under no lock; by Abandon() not at all.
  using OnEnd = absl::AnyInvocable<void(ShardRun& run, Ending why) const>;
  ShardRun(std::shared_ptr<const Setup> setup, const Lease& lease, OnEnd on_end);

  void Begin();

  // Ends after the call that runs, if one does; only the first is heard, but for what is worse. At
  // once: if none runs, what is to be called is called here, else on the Runtime.
  void End(Ending why, bool at_once = false);

  // No effect on anything outside, not even the Runtime; checkpoints are refused from now on.
  void Abandon();

  const std::string& key() const { return key_; }
  bool is_called_by(ThreadToken thread) const;  // it is in a step of that thread
  bool hangs(int64_t now_ns) const;             // see WorkerOptions::call_timeout
  ShardProgress Progress(int64_t now_ns) const;

  // The verbs of Checkpointer.
  absl::Status CheckpointAt(const SequenceNumber& sequence, std::optional<int64_t> sub_sequence) {
    return Checkpoint(sequence, sub_sequence, /*may_be_behind=*/false);
  }
  absl::Status CheckpointHere();

 private:
  enum class State { kResting, kStepping, kEnded };
  enum class Next { kAgain, kWait, kPause, kRetry, kEnd };

  // In a shard, without a sub-sequence: all of the record.
  struct Place {
    uint64_t number = 0;
    std::optional<int64_t> sub = std::nullopt;

    bool operator<(const Place& other) const {
      if (number != other.number) return number < other.number;
      return sub.has_value() && (!other.sub.has_value() || *sub < *other.sub);
    }
    std::string ToString() const;
  };
  static Place PlaceOf(const Lease& lease);

  void Post();
  void Step(uint64_t round);
  Next Work();
  bool MakeProcessor();
  absl::StatusOr<RecordBatch> ReadOn();
  Next Read();
  Next ReadRefused(const absl::Status& refusal);
  void TakeOut(std::vector<SubRecord>* records) const;
  bool Process();
  bool EndShard();
  void Failed(std::string_view what, const absl::Status& error);
  template <typename Call>
  absl::Status CallProcessor(Call call);
  void Finish();
  void Rest(Next next);
  void StepAt(absl::Duration uptime, uint64_t round);
  Task StepTask(uint64_t round);
  void CancelWake(uint64_t wake);
  absl::Status Checkpoint(const SequenceNumber& sequence, std::optional<int64_t> sub_sequence,
                          bool may_be_behind);
  bool IsAskedToEnd() const;

  const std::shared_ptr<const Setup> setup_;
  const ShardId shard_;
  const std::string key_;
  const ShardLease lease_;  // as it was taken
  const HashKeyRange range_;
  const OnEnd on_end_;
  Checkpointer checkpointer_;

  // Of the step that runs.
  std::unique_ptr<RecordProcessor> processor_;
  StartAt position_;  // where to read on, should the iterator be too old
  std::optional<ShardIterator> iterator_;
  RecordBatch batch_;                                // U2; empty: read
  std::vector<SubRecord> records_;                   // of batch_, for the processor
  std::optional<std::vector<ChildShard>> children_;  // the shard is read to its end
  int64_t attempts_ = 0;                             // in vain, of the present call

  mutable Mutex mu_;
  State state_ ABSL_GUARDED_BY(mu_) = State::kResting;
  Ending ending_ ABSL_GUARDED_BY(mu_) = Ending::kNone;
  uint64_t round_ ABSL_GUARDED_BY(mu_) = 0;  // U1
  TimerId timer_ ABSL_GUARDED_BY(mu_) = TimerId::kNone;
  uint64_t wake_ ABSL_GUARDED_BY(mu_) = 0;             // with the stream; 0: none
  ThreadToken thread_ ABSL_GUARDED_BY(mu_) = nullptr;  // of the step that runs
  std::optional<int64_t> call_began_ns_ ABSL_GUARDED_BY(mu_);
  Place given_ ABSL_GUARDED_BY(mu_);                    // the last that the processor was given
  SequenceNumber given_sequence_ ABSL_GUARDED_BY(mu_);  // number 0: nothing yet
  SequenceNumber here_ ABSL_GUARDED_BY(mu_);            // U3; number 0: nothing to checkpoint
  bool may_end_shard_ ABSL_GUARDED_BY(mu_) = false;     // ShardEnded() was called
  bool is_done_ ABSL_GUARDED_BY(mu_) = false;           // and has checkpointed
  std::optional<int64_t> behind_since_ns_ ABSL_GUARDED_BY(mu_);
  ShardProgress progress_ ABSL_GUARDED_BY(mu_);
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_SHARD_RUN_H_
