// SPDX-License-Identifier: Apache-2.0
//
// Worker: reads a stream to its end and beyond, shard by shard, and remembers how far it got. What
// the Kinesis Client Library (KCL) does, inside the process.
//
//   class SessionCounter : public RecordProcessor {
//    public:
//     absl::Status Process(absl::Span<const SubRecord> records, Checkpointer& checkpoint) override {
//       for (const SubRecord& r : records) counts_.Add(r.partition_key(), r.data());
//       return checkpoint.Here();  // everything up to here is done
//     }
//     ...
//   };
//
//   Worker worker = Worker::Start(clicks, {.application = "session-counter"},
//       [&](const ShardLease&) { return std::make_unique<SessionCounter>(counts); }).value();
//
// Workers of one application share the shards of a stream: each shard has a lease, which one of them
// holds and renews, and a checkpoint. Another application reads everything for itself.
//
// Balance   A worker takes shards that nobody has, up to its share, and asks the one who has most
//           for another if that one has at least two more. The old owner ends its batch, may
//           checkpoint (RecordProcessor::Stopping), and hands over.
// Failure   A lease that is not renewed for `failover_time` is taken over. Its new owner begins
//           after the last checkpoint: each record is handed over at least once, and those behind
//           the checkpoint again. Nothing that is still in the stream is left out.
// Reshard   What a shard became is processed when the shard is: only when its processor has
//           checkpointed the shard's end, of a merge both, do the children start, at their
//           beginning. So records of equal keys keep their order over a split and a merge.
//
// Aggregated records (aggregation.h) are opened: a processor is given what their producers put, and
// may checkpoint inside of one. What of it belongs to another shard since a split is left out: to
// put that again is its producer's part.
//
// A read that the stream's limits refuse (StreamOptions::shard_limits) is made again a second later,
// and is no failure.
//
// Checkpoints stay with the broker, for as long as the stream lives: a worker that is stopped and
// started again goes on where the application was. A stream made anew under its name is another.
//
// Threads   A processor is called by one thread at a time, on the broker's Runtime (Stopping() also
//           by the thread that stops the worker), under no lock; processors of different shards side
//           by side. From inside a processor everything is allowed: put, reshard, delete the
//           stream, stop or destroy this very worker.
// Lifetime  Destroying a Worker stops it. It may outlive its stream and Broker; it has then stopped
//           by itself, and its processors are not called any more.
// Source    docs.aws.amazon.com/streams/latest/dev/kcl-concepts.html
//           docs.aws.amazon.com/streams/latest/dev/kinesis-record-processor-scaling.html
#ifndef BANYAN_WORKER_H_
#define BANYAN_WORKER_H_

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/aggregation.h"
#include "banyan/consumer.h"
#include "banyan/export.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1 {

namespace internal {
class ShardRun;
class WorkerCore;
}  // namespace internal

// A shard as it is handed to a processor.
struct ShardLease {
  ShardId shard;
  std::string starting_hash_key;  // decimal, as ending_hash_key; both inclusive
  std::string ending_hash_key;
  std::vector<ShardId> parents = {};

  // Where the application was: this record, or this sub-record of it, is the last that was done.
  // Unset: at the beginning of the shard. Sub-records that were done are not given again, unless
  // WorkerOptions::deaggregate is off: then it is the processor that must skip them.
  std::optional<SequenceNumber> checkpoint = {};
  std::optional<int64_t> sub_sequence = {};

  // How often the shard changed hands since it was last checkpointed. A number that grows tells of
  // records that kill whoever processes them.
  int64_t owner_switches = 0;
};

// Remembers how far a shard is done. Checkpoints never go back, nor beyond what the processor was
// given. Belongs to one processor, and is good for as long as that one lives.
//
// Errors  kInvalidArgument: "Could not checkpoint at extended sequence number ... as it did not fall
//         into acceptable range between the last checkpoint ... and the greatest extended sequence
//         number passed to this record processor ...".
//         kAborted: another worker has the lease, or nobody. Nothing was changed.
//         kResourceExhausted: the lease table is full, when the end of a shard adds its children.
class BANYAN_EXPORT Checkpointer {
 public:
  Checkpointer(const Checkpointer&) = delete;
  Checkpointer& operator=(const Checkpointer&) = delete;

  // This record, and all before it, are done.
  absl::Status At(const SequenceNumber& sequence);

  // Of this record the sub-records up to `sub_sequence` (from 0) are done; see
  // ShardLease::sub_sequence.
  absl::Status At(const SequenceNumber& sequence, int64_t sub_sequence);

  // This one of those that Process() was given, and all before it, are done.
  absl::Status At(const SubRecord& record) {
    return record.is_aggregated() ? At(record.sequence(), record.sub_sequence())
                                  : At(record.sequence());
  }

  // Called by Process(): all that it was given is done, and all before. By Stopping(): all that
  // Process() has answered with OK; what it failed at comes again. From ShardEnded() on: the shard
  // is done.
  absl::Status Here();

 private:
  friend class internal::ShardRun;
  explicit Checkpointer(internal::ShardRun& run) : run_(run) {}
  internal::ShardRun& run_;
};

// One shard, in the hands of one worker: made when the worker gets the lease, destroyed when it has
// lost it or given it up, or the shard is done.
class BANYAN_EXPORT RecordProcessor {
 public:
  virtual ~RecordProcessor() = default;

  // The next records, in the order of the shard; at least one. They are valid during the call. OK
  // does not checkpoint. An error, or a throw: the same records again, after WorkerOptions::retry,
  // also those that this call has checkpointed.
  virtual absl::Status Process(absl::Span<const SubRecord> records, Checkpointer& checkpoint) = 0;

  // The shard was split or merged, and all its records were processed. Checkpoint.Here() lets its
  // children start. If that was not called, or this answers an error, this is called again after
  // WorkerOptions::retry.
  virtual absl::Status ShardEnded(Checkpointer& checkpoint) { return checkpoint.Here(); }

  // The worker stops, or another one asked for the shard. What is processed and not checkpointed
  // by the end of this call comes again.
  virtual void Stopping(Checkpointer& checkpoint) { static_cast<void>(checkpoint); }

  // Another worker has the shard: checkpoints are refused. What was not checkpointed comes again,
  // there.
  virtual void LeaseLost() {}
};

// Called when the worker gets a lease, for several shards side by side. Null, or a throw, is a
// failure, and is tried again.
using RecordProcessorFactory =
    absl::AnyInvocable<std::unique_ptr<RecordProcessor>(const ShardLease& lease) const>;

struct WorkerOptions {
  std::string application = {};  // 1 to 128 of A-Z, a-z, 0-9, '_', '.', '-'

  // Where the application begins in a stream that it has never read: TrimHorizon(), Latest() or
  // AtTimestamp(). Only the first worker's counts, at its Start() (KCL's: whenever a shard is read
  // that has no checkpoint yet, which loses what came before the first one). Shards that are made
  // later are read from their beginning.
  StartAt start_at = StartAt::TrimHorizon();

  // Read for one call of Process(), which is given more if they are aggregated. 1 to 10,000.
  int64_t max_records = 10'000;

  // False: aggregated records are given as they lie in the stream.
  bool deaggregate = true;

  // A lease that stood still for this long is taken over; holders renew theirs three times as
  // often. 1ms to 1h.
  absl::Duration failover_time = absl::Seconds(10);

  int64_t max_leases_for_worker = std::numeric_limits<int64_t>::max();  // from 1
  int64_t max_leases_to_steal_at_one_time = 1;                          // from 1

  // How long another worker has to hand over what it was asked for, before it is taken from it.
  absl::Duration handover_within = absl::Seconds(30);

  // A call of a processor that runs longer counts as hanging: its shard's lease is not renewed any
  // more, so that another worker gets it. KCL would wait for ever: InfiniteDuration().
  absl::Duration call_timeout = absl::Minutes(5);

  // When a processor's error is tried again.
  Retry retry = {.first = absl::Seconds(1), .max = absl::Minutes(1)};

  // How long the destructor waits for calls that run.
  absl::Duration drain_within = absl::Seconds(30);
};

// One shard that a worker holds.
struct ShardProgress {
  ShardId shard;
  int64_t records = 0;   // processed under this lease, sub-records each
  int64_t failures = 0;  // calls that answered an error

  // For how long the oldest record that was seen and is not processed yet has been in the stream;
  // 0: none is.
  int64_t millis_behind_latest = 0;

  friend bool operator==(const ShardProgress&, const ShardProgress&) = default;
};

struct WorkerStats {
  int64_t records = 0;       // processed, repetitions included
  int64_t failures = 0;      // calls that answered an error
  int64_t leases_taken = 0;  // those of other workers included
  int64_t leases_lost = 0;   // taken over by others without a hand-over
  int64_t handed_over = 0;   // because another worker asked
  int64_t shards_ended = 0;
  bool stopped = false;
  std::vector<ShardProgress> shards = {};  // what it holds now, by id
};

class BANYAN_EXPORT Worker {
 public:
  Worker() = default;  // works on nothing
  Worker(Worker&&) noexcept;
  Worker& operator=(Worker&&) noexcept;
  ~Worker();

  // Starts at once. When it returns, start_at has its meaning, and this worker its first leases.
  //
  // Errors  kInvalidArgument: options out of range, no factory, AtTimestamp() in the future.
  //         kNotFound, kUnavailable: the stream is gone, the broker stops.
  //         kResourceExhausted: the lease table is full.
  static absl::StatusOr<Worker> Start(const Stream& stream, WorkerOptions options,
                                      RecordProcessorFactory factory);

  // Begins no more calls of Process(), waits for those that run, at most for `within` (of the
  // Runtime's time) or until `stop` is requested, calls Stopping(), and gives up its leases. Called
  // by a processor it does not wait for that one.
  //
  // Errors  kDeadlineExceeded: calls still run; each gives up its lease when it ends.
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});

  // Ends as a process that dies: no call, no hand-over, and the leases stay until others find them
  // unrenewed. For tests of what comes twice. What runs is not waited for; its checkpoints are
  // refused.
  void Abandon();

  WorkerStats Stats() const;

 private:
  explicit Worker(std::shared_ptr<internal::WorkerCore> core);
  std::shared_ptr<internal::WorkerCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_WORKER_H_
