// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/core.h -- floor 3, the stream room: one stream behind its handles.
//
//   Put --> validate --> tap --> shards --> shard log (claim, copy, publish)   core_put.cc
//   GetShardIterator --> a position in one shard, stamped and named after      core_read.cc
//                        this incarnation
//   GetRecords --> check the stamp --> read in place --> batch that pins what it shows
//   SplitShard, UpdateShardCount, ... --> shards                               core_reshard.cc
//   retention, tags, encryption, monitoring, ... --> what Describe() says      core_settings.cc
//
// S1  A record is acknowledged only after it is published: whoever hears of its sequence number
//     can read it.
// S2  An iterator names the incarnation that issued it, so a stream made anew under an old name
//     refuses the old one's iterators instead of reading something else.
// S3  accepted = expired + trimmed early + resting. All four follow from each shard's horizon and
//     tip, so they cannot drift apart.
// S4  With a journal, changes are made and reported under journal_mu_, per stream in the order in
//     which they happened. Without one nobody pays for that order: puts take no lock.
// S5  What shall run when there is something to read (WakeAt) waits in wakers_ before it asks the
//     log (shard_log.h, L9); so who then finds the flag set finds it. It runs once, perhaps for
//     nothing, on the Runtime.
//
// Retention is looked at when someone puts into a full segment, asks for an iterator or for
// statistics, and of closed shards at each change of the stream; reads skip what has ended but is not
// yet trimmed. So an idle stream needs no timer, and what nobody asks for rests a little longer,
// within shard_bytes_max.
//
// Threads   Any, all methods. Lifetime  Outlives its broker with any handle or batch.
#ifndef BANYAN_LIB_STREAM_CORE_H_
#define BANYAN_LIB_STREAM_CORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/arn.h"
#include "banyan/id.h"
#include "banyan/mutex.h"
#include "banyan/runtime.h"
#include "banyan/stream.h"
#include "message/close_kind.h"
#include "message/environment.h"
#include "stream/consumers.h"
#include "stream/on_demand.h"
#include "stream/shard_log.h"
#include "stream/shard_map.h"
#include "stream/shards.h"

namespace banyan::inline v0_1::internal {

// Whether one more may happen when `most` may in any 24 hours; notes it in `times_ns` if so.
bool TakeOneOfDay(int64_t most, const Instant& now, std::deque<int64_t>* times_ns);

class StreamCore : public std::enable_shared_from_this<StreamCore> {
 public:
  // Name and options have passed ValidateStreamName() and ValidateStreamOptions().
  static std::shared_ptr<StreamCore> Create(std::shared_ptr<Environment> env, std::string name,
                                            StreamOptions options);
  ~StreamCore();

  const Arn& arn() const { return arn_; }
  const std::shared_ptr<Environment>& env() const { return env_; }
  const std::string& arn_text() const { return arn_text_; }
  const std::string& name() const { return name_; }
  const StreamOptions& options() const { return options_; }
  uint64_t incarnation() const { return incarnation_; }  // S2

  // The verbs of banyan/stream.h. Each passes the broker's gate.
  absl::StatusOr<PutResult> Put(const PutRequest& request);
  absl::StatusOr<std::vector<absl::StatusOr<PutResult>>> PutRecords(
      absl::Span<const PutRequest> requests);
  absl::StatusOr<std::vector<ShardInfo>> ListShards(const ShardFilter& filter);
  absl::StatusOr<ShardPage> ListShardsPage(const ListShardsOptions& options);
  absl::StatusOr<ShardIterator> GetShardIterator(ShardId shard, const StartAt& start);
  absl::StatusOr<ShardIterator> GetShardIterator(std::string_view shard_id, const StartAt& start);
  absl::StatusOr<RecordBatch> GetRecords(const ShardIterator& iterator, int64_t limit);
  absl::Status SplitShard(ShardId shard, std::string_view new_starting_hash_key);
  absl::Status MergeShards(ShardId shard, ShardId adjacent);
  absl::Status UpdateShardCount(int64_t target);
  absl::Status SetRetention(absl::Duration retention, bool longer);
  absl::Status UpdateMaxRecordSize(int64_t record_bytes_max);
  absl::Status TrimBefore(const SequenceNumber& sequence);
  absl::StatusOr<StreamDescription> Describe();
  absl::Status UpdateStreamMode(StreamMode mode);
  absl::Status SetTags(const StreamTags& tags);
  absl::Status RemoveTags(absl::Span<const std::string> keys);
  absl::StatusOr<StreamTags> Tags();
  absl::Status StartEncryption(std::string_view key_id);
  absl::Status StopEncryption();
  absl::StatusOr<EnhancedMonitoring> Monitor(absl::Span<const ShardLevelMetric> metrics, bool on);
  StreamStats Stats();
  absl::StatusOr<StreamMetrics> Metrics();
  absl::StatusOr<StreamOptions> Options();

  // Parses a shard id. Errors  kNotFound: it has not the form of one.
  absl::StatusOr<ShardId> IdOf(std::string_view shard_id) const;

  // For deliveries from topics and buses: a record that was accepted elsewhere and keeps its event
  // id and trace. Not shown to the tap again. The caller is inside one of the broker's gates.
  // Errors  as Put(): kResourceExhausted is a transient fault, kNotFound and kInvalidArgument are
  //         permanent ones.
  absl::StatusOr<PutResult> Deliver(const PutRequest& request, const Id& event_id);

  // What Deliver() would refuse whatever rests here.
  absl::Status Check(const PutRequest& request) const;

  // Posts `wake` to the Runtime, once: when a record may be at `position` of the shard, or the shard
  // or the stream has ended; it may be for nothing. `shard` is the index of one that was made.
  // Returns what CancelWake() asks for; above every number returned before.
  uint64_t WakeAt(size_t shard, uint64_t position, Task wake);
  uint64_t WakeAt(const ShardIterator& iterator, Task wake);  // an iterator of this stream

  // Destroys what waits there under this number. What was posted already runs all the same. Also for
  // who has outlived the broker.
  void CancelWake(size_t shard, uint64_t number);

  // The number that a position is read after, to be kept for longer than an iterator is good.
  SequenceNumber SequenceBefore(ShardId shard, uint64_t position) const;

  // For rooms that keep their place in a shard as a position: a fresh iterator for it, also when the
  // shard has expired (it then reads as empty), and the way back. The shard was made. The caller is
  // inside one of the broker's gates, for the clock is read.
  ShardIterator IteratorAt(ShardId shard, uint64_t position);
  static uint64_t PlaceOf(const ShardIterator& iterator) { return iterator.position_; }

  // How many records of the shard lie at `position` and behind it.
  uint64_t RecordsFrom(ShardId shard, uint64_t position) const;

  // For StreamRange: what of a shard arrived in [from, to), as positions; see stream_range.cc.
  struct Span {
    uint64_t begin = 0;
    uint64_t end = 0;
    bool may_begin_earlier = false;  // what was trimmed may have belonged to it
    bool reaches_past_retention = false;
  };
  absl::StatusOr<Span> FindSpan(ShardId shard, absl::Time from, absl::Time to);

  // For subscriptions, which are inside one of the broker's gates and read by position.
  absl::Status CheckOpen() const;
  absl::Status NotFound() const;
  absl::Status CheckShard(ShardId shard, const Instant& now) const {
    return FindShard(shard, now).status();
  }
  // What GetShardIterator() answers, as a position.
  absl::StatusOr<uint64_t> Locate(ShardId shard, const StartAt& start, const Instant& now);
  // The number to go on after, for who has read up to a position.
  SequenceNumber ContinuationAt(size_t shard, uint64_t position, const Instant& now) const;
  // What GetRecords() answers of a position, and where to read on. Not in its books.
  struct Reading {
    RecordBatch batch;
    ShardLog::ReadEnd end;
  };
  // Errors  as CheckOpen().
  absl::StatusOr<Reading> ReadAt(size_t shard, uint64_t position,
                                 const ShardLog::ReadLimits& limits, const Instant& now);
  // Whether a record is at the position, or none will ever be: WakeAt() would not wait.
  bool HasAt(size_t shard, uint64_t position) const {
    return !shards_[shard].log().Watch(position);
  }

  StreamConsumers& consumers() { return consumers_; }

  // Ends the stream: calls answer by `kind` from now on. Memory that no batch pins is given back.
  // Returns how many records rested here. Again: no effect.
  int64_t Close(CloseKind kind);

  // For tests. Memory taken, also once closed; who waits (WakeAt); and the walks of shard_log.h.
  int64_t bytes_held() const;
  int64_t WakesWaiting();
  void CheckInvariants() const;

 private:
  StreamCore(std::shared_ptr<Environment> env, std::string name, StreamOptions options);

  std::unique_ptr<ShardLog> MakeLog(int64_t index, int64_t created_second);
  absl::Status CheckActive(const Instant& now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mu_);
  StreamStatus StatusAt(const Instant& now) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mu_);
  void BeginUpdate(const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mu_);
  ShardMetrics MetricsOf(const Shard& shard, uint32_t wanted) const;
  absl::Status CheckRoomForShards(int64_t open, int64_t made) const;
  absl::Status NoShard(ShardId shard) const;
  absl::Status NotEligible(ShardId shard) const;
  absl::Status TooOften(std::string_view call, int64_t most) const;  // see TakeOneOfDay()
  Instant ReadClock();

  // Errors  kNotFound: there is no such shard, or it has expired.
  absl::StatusOr<Shard*> FindShard(ShardId shard, const Instant& now) const;
  bool HasExpired(const Shard& shard, const Instant& now) const;
  ShardInfo InfoOf(const Shard& shard) const;
  // Those that `filter` wants, of index `from` on, at most `most`. `more`: there are others.
  std::vector<ShardInfo> ShardsFrom(size_t from, const ShardFilter& filter, int64_t most,
                                    const Instant& now, bool* more) const;
  std::vector<ChildShard> ChildrenOf(const Shard& shard) const;
  absl::Status CheckProvisioned() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mu_);
  absl::Status RateExceeded(const Shard& shard) const;
  void WakeReaders(size_t shard);
  void WakeReadersOfClosedShards();

  // Validated; `hash` is its hash key, explicit or not. `event_id` unset: the shard makes one.
  absl::StatusOr<PutResult> Store(const PutRequest& request, absl::uint128 hash,
                                  std::optional<Id> event_id, Instant now);
  absl::StatusOr<PutResult> ShowAndStore(const PutRequest& request, absl::uint128 hash,
                                         Instant now);
  ShardLog::AppendOutcome AppendJournalled(ShardLog& log, const ShardLog::NewRecord& record,
                                           Instant now, uint64_t* position);
  void JournalTrimmed(size_t shard, uint64_t first, uint64_t end);
  void Trim(ShardLog& log, Instant now);

  // On demand (core_scaling.cc).
  void BeginScaling(const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mu_);
  void EndScaling() ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mu_);
  void SetScalingTimer(const Instant& now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mu_);
  void Scale(uint64_t generation);
  std::vector<OnDemandScaler::Load> TakeLoads() ABSL_EXCLUSIVE_LOCKS_REQUIRED(settings_mu_);

  absl::Status CheckOrdering(const SequenceNumber& sequence) const;

  absl::StatusOr<uint64_t> PositionOf(ShardLog& log, const StartAt& start, Instant now);
  absl::StatusOr<uint64_t> PositionOfSequence(const ShardLog& log, const StartAt& start) const;
  ShardIterator IssueIterator(uint64_t shard, uint64_t position, Instant now);

  const std::shared_ptr<Environment> env_;
  const std::string name_;
  const Arn arn_;
  const std::string arn_text_;
  const StreamOptions options_;
  const uint64_t incarnation_;  // S2
  const Instant created_;
  std::atomic<int64_t> record_bytes_max_;
  std::atomic<int64_t> retention_ns_;
  Shards shards_;

  enum class State : int { kOpen, kDeleted, kStopped };
  std::atomic<State> state_{State::kOpen};
  std::atomic<uint64_t> tap_sequence_{0};

  // For metrics; the shards have the rest. Each number is right by itself. What writers count is in
  // another cache line than what readers count, and both in others than what writers only look at.
  struct alignas(64) PutBooks {
    std::atomic<int64_t> batch_calls{0};
    std::atomic<int64_t> batch_bytes{0};
    std::atomic<int64_t> batch_records{0};
    std::atomic<int64_t> batch_stored{0};
    std::atomic<int64_t> batch_throttled{0};
  };
  PutBooks puts_;
  alignas(64) std::atomic<uint64_t> iterator_serial_{0};  // of the newest; readers count it

  // Held while shards change, so that one reshard is decided on after the other. Before the lock of
  // shards_, and any shard's.
  mutable Mutex settings_mu_;
  int64_t busy_until_ns_ ABSL_GUARDED_BY(settings_mu_);           // uptime
  std::deque<int64_t> updates_ns_ ABSL_GUARDED_BY(settings_mu_);  // UpdateShardCounts of this day
  StreamTags tags_ ABSL_GUARDED_BY(settings_mu_);
  std::string encryption_key_id_ ABSL_GUARDED_BY(settings_mu_);  // empty: none
  std::deque<int64_t> encryption_starts_ns_ ABSL_GUARDED_BY(settings_mu_);
  std::deque<int64_t> encryption_stops_ns_ ABSL_GUARDED_BY(settings_mu_);
  uint32_t monitored_ ABSL_GUARDED_BY(settings_mu_) = 0;  // a bit for each ShardLevelMetric

  struct Scaling {
    OnDemandScaler scaler;
    int64_t looked_ns;                                      // uptime
    std::map<int64_t, std::pair<int64_t, int64_t>> before;  // bytes and records by shard
    TimerId timer = TimerId::kNone;
  };
  std::optional<Scaling> scaling_ ABSL_GUARDED_BY(settings_mu_);   // none: provisioned
  uint64_t scaling_generation_ ABSL_GUARDED_BY(settings_mu_) = 0;  // a timer is for one of them
  std::deque<int64_t> switches_ns_ ABSL_GUARDED_BY(settings_mu_);

  struct Waker {
    uint64_t number;  // see CancelWake()
    Task wake;
  };
  Mutex wakers_mu_;                                                          // a leaf
  std::map<size_t, std::vector<Waker>> wakers_ ABSL_GUARDED_BY(wakers_mu_);  // by shard; S5
  uint64_t wakers_made_ ABSL_GUARDED_BY(wakers_mu_) = 0;

  Mutex journal_mu_;  // S4; before any shard's lock

  StreamConsumers consumers_{*this};
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_CORE_H_
