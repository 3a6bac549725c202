// SPDX-License-Identifier: Apache-2.0
//
// StreamRange: reads a part of a stream and comes to an end: what arrived from one time to another,
// of all partition keys or of one. Beside AWS's verbs, which know shards and iterators only.
//
//   StreamRange morning =
//       StreamRange::Open(clicks, {.from = nine, .to = noon, .partition_key = "session-17"}).value();
//   while (!morning.done()) {
//     StreamRangeBatch batch = morning.Next().value();
//     for (const Record& click : batch) Count(click.data());
//   }
//   if (morning.Progress().is_complete()) ...  // nothing of it had been trimmed
//
// A range is what rests in the stream when it is opened; what is put later is no part of it. It is
// read shard after shard, in the order in which the shards were made: a parent before its children,
// so the records of one key come in their order, across resharding, too. Of different keys the order
// says nothing.
//
// For one partition key only those shards are read that had its hash in their range.
//
// Times are the records' approximate arrival, in whole milliseconds; fractions of those are dropped.
// Where the wall clock was set back they are not in order. As with AT_TIMESTAMP, a range begins in
// each shard with the first record at `from` or later; it ends before the next one at `to` or later;
// what lies between and has another time is passed over.
//
// Retention goes on while a range is read. What it takes away is counted, not hidden: see
// StreamRangeProgress. KPL aggregates are one record, of the key they were put with.
//
// Threads   A StreamRange is a place in a stream, as an iterator is: one thread at a time. Any number
//           of them may read one stream. Batches are values.
// Lifetime  It may outlive its stream and Broker: Next() then answers kNotFound or kUnavailable. It
//           pins nothing. A batch pins what it shows, as RecordBatch does; records live as long as a
//           copy of their batch.
#ifndef BANYAN_STREAM_RANGE_H_
#define BANYAN_STREAM_RANGE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/export.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1 {

struct StreamRangeOptions {
  // Records that arrived in [from, to). Not empty, and not from the future on; `to` may be there.
  absl::Time from = absl::InfinitePast();
  absl::Time to = absl::InfiniteFuture();

  // The records of this key only.
  std::optional<std::string> partition_key = {};

  // The key they were put with, if they had one (PutRequest); it takes the place of the partition
  // key in choosing the shards. Records of one partition key that were put with several of these, or
  // only some of them with one, lie in other shards as well; leave both out and look at each record.
  std::string explicit_hash_key = {};
};

// Some records of a range, in place. Copies share what they pin.
class BANYAN_EXPORT StreamRangeBatch {
 public:
  StreamRangeBatch() = default;

  // Empty is not the end: nothing that was looked at belonged to the range. See done().
  absl::Span<const Record> records() const { return records_; }
  auto begin() const { return records_.begin(); }
  auto end() const { return records_.end(); }
  size_t size() const { return records_.size(); }
  bool empty() const { return records_.empty(); }
  const Record& operator[](size_t i) const { return records_[i]; }

 private:
  friend class StreamRange;
  RecordBatch read_;
  std::shared_ptr<const std::vector<Record>> chosen_;  // null: all of read_
  absl::Span<const Record> records_;
};

// How far a range is read, and what was no longer there.
struct StreamRangeProgress {
  struct Shard {
    ShardId id;
    // All up to here was looked at: StartAt::AfterSequence() goes on where the range stands.
    SequenceNumber after;
    int64_t left = 0;    // records to look at
    int64_t missed = 0;  // that were trimmed before their turn
  };
  std::vector<Shard> shards;  // that have a part in the range, in reading order

  int64_t records = 0;      // handed out
  int64_t passed_over = 0;  // looked at; of another key or time
  int64_t left = 0;         // to look at

  // Trimmed after Open() and before their turn. They lay in the range's shards and between its ends;
  // whether they were of the key, nobody can say any more.
  int64_t missed = 0;

  // What lay before the first record of some shard had been trimmed at Open(), and may have been
  // of the range; its times are gone.
  bool begins_trimmed = false;

  // So far nothing that may have belonged to the range was gone.
  bool is_complete() const { return missed == 0 && !begins_trimmed; }
};

class BANYAN_EXPORT StreamRange {
 public:
  StreamRange() = default;  // empty, and done

  // Finds where the range lies in each shard; reads nothing yet.
  //
  // Errors  kInvalidArgument: `to` is not after `from`; `from` in the future; a partition key that
  //         is not 1 to 256 characters of UTF-8; an explicit hash key that is no number below
  //         2^128, or stands alone. kNotFound, kUnavailable: the stream is gone, the broker stops.
  static absl::StatusOr<StreamRange> Open(const Stream& stream, StreamRangeOptions options = {});

  // Reads on: looks at up to `limit` records (1 to 10,000) of up to 10 MiB together, and answers
  // those of the range. Each look is a GetRecords: it counts in the stream's metrics and against
  // StreamOptions::shard_limits. At the end: an empty batch.
  //
  // Errors  leave the range where it is, so that a later call goes on. kInvalidArgument: the limit.
  //         kResourceExhausted: shard_limits. kNotFound, kUnavailable, as above.
  absl::StatusOr<StreamRangeBatch> Next(int64_t limit = 10'000);

  // Everything has been looked at.
  bool done() const { return current_ == legs_.size(); }

  StreamRangeProgress Progress() const;

 private:
  // The part of one shard; positions are those inside of its log.
  struct Leg {
    ShardId shard;
    uint64_t position = 0;
    uint64_t end = 0;
    int64_t missed = 0;
  };

  absl::Status FindLegs();
  bool Wants(const Record& record, const Leg& leg) const;
  void Choose(const Leg& leg, StreamRangeBatch* batch) const;

  Stream stream_;
  StreamRangeOptions options_;
  std::vector<Leg> legs_;  // of which each has something, at first
  size_t current_ = 0;
  int64_t records_ = 0;
  int64_t passed_over_ = 0;
  bool begins_trimmed_ = false;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_STREAM_RANGE_H_
