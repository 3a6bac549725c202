// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/core.h -- floor 3, the stream room: one stream behind its handles.
//
//   Put --> validate --> tap --> shard map --> shard log (claim, copy, publish)
//   GetShardIterator --> a position in one shard, stamped and named after this incarnation
//   GetRecords --> check the stamp --> read in place --> batch that pins what it shows
//
// S1  A record is acknowledged only after it is published: whoever hears of its sequence number
//     can read it.
// S2  An iterator names the incarnation that issued it, so a stream made anew under an old name
//     refuses the old one's iterators instead of reading something else.
// S3  accepted = expired + trimmed early + resting. All four follow from each shard's horizon and
//     tip, so they cannot drift apart.
// S4  With a journal, changes are made and reported under journal_mu_, per stream in the order in
//     which they happened. Without one nobody pays for that order: puts take no lock.
//
// Retention is looked at when someone puts into a full segment, asks for an iterator or for
// statistics; reads skip what has ended but is not yet trimmed. So an idle stream needs no timer,
// and what nobody asks for rests a little longer, within shard_bytes_max.
//
// Threads   Any, all methods. Lifetime  Outlives its broker with any handle or batch.
#ifndef BANYAN_LIB_STREAM_CORE_H_
#define BANYAN_LIB_STREAM_CORE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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
#include "stream/shard_log.h"
#include "stream/shard_map.h"

namespace banyan::inline v0_1::internal {

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

  // The verbs of banyan/stream.h. Each passes the broker's gate.
  absl::StatusOr<PutResult> Put(const PutRequest& request);
  absl::StatusOr<std::vector<absl::StatusOr<PutResult>>> PutRecords(
      absl::Span<const PutRequest> requests);
  absl::StatusOr<std::vector<ShardInfo>> ListShards();
  absl::StatusOr<ShardIterator> GetShardIterator(ShardId shard, const StartAt& start);
  absl::StatusOr<ShardIterator> GetShardIterator(std::string_view shard_id, const StartAt& start);
  absl::StatusOr<RecordBatch> GetRecords(const ShardIterator& iterator, int64_t limit);
  StreamStats Stats();
  absl::StatusOr<StreamOptions> Options();

  // For deliveries from topics and buses: a record that was accepted elsewhere and keeps its event
  // id and trace. Not shown to the tap again. The caller is inside one of the broker's gates.
  // Errors  as Put(): kResourceExhausted is a transient fault, kNotFound and kInvalidArgument are
  //         permanent ones.
  absl::StatusOr<PutResult> Deliver(const PutRequest& request, const Id& event_id);

  // What Deliver() would refuse whatever rests here.
  absl::Status Check(const PutRequest& request) const;

  // Ends the stream: calls answer by `kind` from now on. Memory that no batch pins is given back.
  // Returns how many records rested here. Again: no effect.
  int64_t Close(CloseKind kind);

  // For tests. Memory taken, also once closed; and the walks of shard_log.h.
  int64_t bytes_held() const;
  void CheckInvariants() const;

 private:
  StreamCore(std::shared_ptr<Environment> env, std::string name, StreamOptions options);

  absl::Status CheckOpen() const;
  absl::Status NotFound() const;
  Instant ReadClock();

  // Validated; `hash` is its explicit hash key. `event_id` unset: the shard makes one.
  absl::StatusOr<PutResult> Store(const PutRequest& request,
                                  const std::optional<absl::uint128>& hash,
                                  std::optional<Id> event_id, Instant now);
  absl::StatusOr<PutResult> ShowAndStore(const PutRequest& request,
                                         const std::optional<absl::uint128>& hash, Instant now);
  ShardLog::AppendOutcome AppendJournalled(ShardLog& log, const ShardLog::NewRecord& record,
                                           Instant now, uint64_t* position);
  void JournalTrimmed(size_t shard, uint64_t first, uint64_t end);
  void Trim(ShardLog& log, Instant now);

  absl::StatusOr<uint64_t> PositionOf(ShardLog& log, const StartAt& start, Instant now);
  absl::StatusOr<uint64_t> PositionOfSequence(const ShardLog& log, const StartAt& start) const;
  ShardIterator IssueIterator(uint64_t shard, uint64_t position, Instant now);

  const std::shared_ptr<Environment> env_;
  const std::string name_;
  const Arn arn_;
  const std::string arn_text_;
  const StreamOptions options_;
  const uint64_t incarnation_;  // S2
  const ShardMap map_;
  std::vector<std::unique_ptr<ShardLog>> logs_;  // by shard index; constant after construction

  enum class State : int { kOpen, kDeleted, kStopped };
  std::atomic<State> state_{State::kOpen};
  std::atomic<uint64_t> iterator_serial_{0};
  std::atomic<uint64_t> tap_sequence_{0};
  std::atomic<int64_t> rejected_{0};

  Mutex journal_mu_;  // S4; before any shard's lock
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_CORE_H_
