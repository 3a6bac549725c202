// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/mapping_core.h -- floor 5: runs a callable over the shards of a stream. No thread of
// its own, and nothing that blocks.
//
//     shard --GetRecords--> filter --by key--> lanes --RunLane--> handler --> Settle
//       ^                                      (mapping_lane.h)                  |
//       |  at the tip: WakeAt                                                    |
//       +------- Pump() <---------- wake, timer, or a lane's call has ended <----+
//
// A line is one shard that is being read. It reads on while every lane has room.
//
// P1  Pump() reads a line on one thread at a time (reading), and its filter is used there only. A
//     call that finds it reading has nothing to do: the other looks at everything again.
// P2  A lane is running from when its task is posted to when its call is settled; there is one task
//     of a lane then. So a lane makes one call at a time, in order.
// P3  A line's place is the lowest record that its lanes hold, or else where it reads next: all
//     before it is done, passed over or given up. Rewind() goes back there and lets go of everything
//     held. It happens to lines without a running lane only, and makes what is just being read void
//     (round).
// P4  At most one wake is registered with the stream per line (registered), however often the mapping
//     is disabled and enabled, and none when it has stopped. An idle line has no timer, unless a
//     window is open or a limit on reads was reached.
// P5  A line is done when it has read the end of a closed shard and no lane has anything, nor a
//     window open. A child begins when all its parents are in finished_: lines that are done, and
//     shards that were not there to be read at Start().
// P6  mu_ is never held while the stream, the filter, the handler, the destination or the log is
//     called.
// P7  A handler holds a pass of the broker's `tasks`, also while its answer is settled and a note is
//     sent, and is a guest of its gate: a stopping broker waits for it, and takes what it sends
//     until then.
// P8  When stopped_ is set, no call begins any more. Stop() waits as running_calls.h says.
// P9  polled = filtered out + handled + dropped + delivered + held by lanes, whenever mu_ is free,
//     but for what is being given up: that counts as soon as its fate is known.
//
// The code: mapping_core.cc (life and lines), mapping_run.cc (calls).
//
// Threads: every method from any thread, also from inside a handler.
#ifndef BANYAN_LIB_CONSUME_MAPPING_CORE_H_
#define BANYAN_LIB_CONSUME_MAPPING_CORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "banyan/mapping.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/stream.h"
#include "base/nanoseconds.h"
#include "consume/mapping_lane.h"
#include "consume/record_filter.h"
#include "consume/running_calls.h"
#include "message/environment.h"
#include "message/readers.h"
#include "stream/consumers.h"

namespace banyan::inline v0_1::internal {

class MappingCore : public SourceReader, public std::enable_shared_from_this<MappingCore> {
 public:
  // Null: the stream's throughput is shared with other readers.
  using Consumer = std::shared_ptr<const RegisteredConsumer>;

  static absl::StatusOr<std::shared_ptr<MappingCore>> Start(const Stream& stream, Consumer consumer,
                                                            StreamMappingOptions options,
                                                            StreamBatchHandler handler);

  MappingCore(std::shared_ptr<Environment> env, Stream stream, Consumer consumer,
              StreamMappingOptions options, StreamBatchHandler handler);

  void Disable();
  void Enable();
  absl::Status Update(StreamMappingOptions options);
  absl::Status Stop(absl::Duration within, std::stop_token stop = {});
  MappingDescription Describe() const;
  MappingMetrics Metrics() const;
  std::optional<Wiring> GetWiring() const override;
  void AddTo(BrokerMetrics* metrics) const override;
  std::optional<uint64_t> Checkpoint(ShardId shard) const;

  absl::Duration drain_within() const;

 private:
  using Options = std::shared_ptr<const StreamMappingOptions>;

  // One shard that is being read; guarded by mu_.
  struct Line {
    ShardId shard;
    uint64_t position = 0;  // where to read next
    std::vector<MappingLane> lanes = {};
    std::shared_ptr<RecordFilter> filter = nullptr;  // null: every record is wanted
    int64_t running = 0;                             // lanes
    uint64_t round = 0;                              // P3
    bool reading = false;                            // P1
    bool at_tip = false;                             // nothing was there when it was last read
    int64_t read_unix_ns = 0;                        // when that was
    int64_t read_not_before_ns = 0;                  // uptime; a limit on reads was reached
    int64_t paid_until_ns = 0;                       // uptime; what a consumer has read is paid for
    bool registered = false;                         // P4
    uint64_t wake = 0;                               // under which the stream knows it
    bool ended = false;                              // the shard is closed and read to its end
    bool scheduled = false;                          // a Pump() is posted
    std::vector<ChildShard> children = {};           // once ended
    TimerId timer = TimerId::kNone;
    int64_t timer_at_ns = kNever;
  };
  using LinePtr = std::shared_ptr<Line>;

  // What a call gets of the mapping, as it was when the call began.
  struct Invocation {
    RunningCall call;
    Options options;
    MappingUnit expired = {};
    bool has_call = false;  // some record is left
    StreamBatch batch = {};
    std::string state = {};
  };

  // Lines.
  absl::Status FindShards();
  LinePtr MakeLine(ShardId shard, uint64_t position) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Furnish(Line* line) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  bool MayCall() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Schedule(const LinePtr& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ScheduleAll() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Pump(const LinePtr& line);
  bool WantsRecords(const Line& line, const Instant& now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // False: the stream is gone.
  bool Read(const LinePtr& line, uint64_t position, int64_t limit, uint64_t round,
            RecordFilter* filter);
  // What is at the position, and for how long that uses up a consumer's throughput.
  struct Fetched {
    RecordBatch batch;
    int64_t cost_ns = 0;
  };
  absl::StatusOr<Fetched> Fetch(const Line& line, uint64_t position, int64_t limit,
                                const Instant& now) const;
  void Dispatch(const LinePtr& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void SetTimer(const LinePtr& line, const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AwaitRecords(const LinePtr& line);
  void CancelWakes();
  void Finish(const LinePtr& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  uint64_t PlaceOf(const Line& line) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  size_t LaneOf(const Line& line, const Record& record) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Calls; mapping_run.cc.
  void RunLane(const LinePtr& line, size_t number);
  bool Begin(Line* line, MappingLane* lane, absl::Duration retention, Invocation* invocation)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Call(Line* line, MappingLane* lane, const Invocation& invocation);
  void GiveUp(const Line& line, const MappingUnit& unit, std::string_view condition,
              const Options& options);
  void End(const LinePtr& line, MappingLane* lane, Invocation* invocation);

  // Changes.
  void Rewind(Line* line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Does what was asked for and had to wait for handlers. Returns options that went, to be destroyed
  // outside.
  Options ApplyChanges() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void StopByItself();
  void EndWithBroker();
  bool BrokerStops() const { return env_->gate.Look() != Gate::Answer::kOpen; }

  const std::shared_ptr<Environment> env_;
  const Stream stream_;
  const Consumer consumer_;
  const std::string stream_arn_;
  const StreamBatchHandler handler_;

  mutable Mutex mu_;
  WaitList stoppers_ ABSL_GUARDED_BY(mu_);  // Stop() calls, waiting for handlers
  Options options_ ABSL_GUARDED_BY(mu_);
  Options update_ ABSL_GUARDED_BY(mu_);  // to come when no handler runs; else null
  std::string function_arn_ ABSL_GUARDED_BY(mu_);
  std::map<int64_t, LinePtr> lines_ ABSL_GUARDED_BY(mu_);  // by the shard's index
  std::set<int64_t> finished_ ABSL_GUARDED_BY(mu_);        // P5
  RunningCalls<RunningCall> calls_ ABSL_GUARDED_BY(mu_);
  MappingMetrics metrics_ ABSL_GUARDED_BY(mu_);  // without what Metrics() counts
  MappingDescription description_ ABSL_GUARDED_BY(mu_);
  bool begun_ ABSL_GUARDED_BY(mu_) = false;
  bool enabled_ ABSL_GUARDED_BY(mu_);
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_MAPPING_CORE_H_
