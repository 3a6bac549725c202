// SPDX-License-Identifier: Apache-2.0
//
// Aggregation: many small records of a stream put as one, and taken apart again by who reads. The
// format is the one of Kinesis's producer library (KPL), which KCL and Firehose read, too.
//
//   Aggregator pack({.bytes_max = 50'000}, HashKeyRange::Of(shard).value());
//   const Aggregator::Entry click = {.partition_key = "session-17", .data = R"({"page":"/cart"})"};
//   if (pack.Add(click).value() == Aggregator::Answer::kFull) {
//     stream.Put(pack.Request()).value();
//     pack.Clear();
//     pack.Add(click).value();
//   }
//
//   RecordBatch batch = stream.GetRecords(from).value();
//   for (const SubRecord& click : Deaggregate(batch, HashKeyRange::Of(shard).value())) {
//     Count(click.partition_key(), click.data());
//   }
//
// To the stream an aggregated record is one like any other: one sequence number, one place, one
// entry in every limit that counts records. A sub-record is named by that sequence number and its
// own, which counts from 0 inside the record.
//
// Where it goes is decided once, by its first sub-record. Hence pack for one shard, and drop while
// reading what does not belong to the shard: if the shard was split in between, a reader of one
// half would otherwise get the keys of the other, in no order with the rest of theirs. Nobody but
// the producer knows; Aggregator::Outside() says what it has to put again.
//
// Threads   Values without locks: use one from one thread at a time. The functions: any.
// Lifetime  A SubRecord looks into its RecordBatch, as a Record does, and is valid as long.
// Units     Bytes.
// Errors    kInvalidArgument, as named at each function.
// Source    github.com/awslabs/amazon-kinesis-producer: aggregation-format.md
//           docs.aws.amazon.com/streams/latest/dev/kinesis-kpl-consumer-deaggregation.html
#ifndef BANYAN_AGGREGATION_H_
#define BANYAN_AGGREGATION_H_

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/export.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1 {

namespace internal {
class SubRecordMaker;
}  // namespace internal

// A range of hash keys, both ends included: a shard's. By default all there are.
class BANYAN_EXPORT HashKeyRange {
 public:
  HashKeyRange() = default;

  // Errors  not two decimal numbers below 2^128 in that order.
  static absl::StatusOr<HashKeyRange> Of(std::string_view starting_hash_key,
                                         std::string_view ending_hash_key);
  static absl::StatusOr<HashKeyRange> Of(const ShardInfo& shard) {
    return Of(shard.starting_hash_key, shard.ending_hash_key);
  }
  static absl::StatusOr<HashKeyRange> Of(const ChildShard& shard) {
    return Of(shard.starting_hash_key, shard.ending_hash_key);
  }

  // Whether a record with these goes there: by the explicit hash key, or if that is empty by the
  // partition key's MD5. What is not a number below 2^128 is in no range.
  bool Contains(std::string_view partition_key, std::string_view explicit_hash_key = {}) const;

  friend bool operator==(const HashKeyRange&, const HashKeyRange&) = default;

  // For the library's own rooms.
  bool ContainsHash(uint64_t high, uint64_t low) const {
    return !(high < first_high_ || (high == first_high_ && low < first_low_)) &&
           !(high > last_high_ || (high == last_high_ && low > last_low_));
  }

 private:
  uint64_t first_high_ = 0;
  uint64_t first_low_ = 0;
  uint64_t last_high_ = ~uint64_t{0};
  uint64_t last_low_ = ~uint64_t{0};
};

// The format has tags; KPL and KCL neither write nor show them so far.
struct SubRecordTag {
  std::string_view key;
  std::string_view value;

  friend bool operator==(const SubRecordTag&, const SubRecordTag&) = default;
};

// One record as its producer meant it: out of an aggregated one, or a plain one as it is.
class BANYAN_EXPORT SubRecord {
 public:
  // The record as it is, whatever is in it.
  explicit SubRecord(const Record& record)
      : record_(record), partition_key_(record.partition_key()), data_(record.data()) {}

  // What it came in: shard, arrival, trace. Of an aggregated record all share one.
  const Record& record() const { return record_; }

  SequenceNumber sequence() const { return record_.sequence(); }
  int64_t sub_sequence() const { return sub_sequence_; }  // its place in an aggregated record; or 0
  bool is_aggregated() const { return is_aggregated_; }

  std::string_view partition_key() const { return partition_key_; }
  std::string_view data() const { return data_; }

  // Empty: none. A stream does not keep that of a plain record.
  std::string_view explicit_hash_key() const { return explicit_hash_key_; }

  std::vector<SubRecordTag> tags() const;

 private:
  friend class internal::SubRecordMaker;

  Record record_;
  std::string_view partition_key_;
  std::string_view data_;
  std::string_view explicit_hash_key_;
  std::string_view message_;  // that the tags are in; empty if it has none
  int64_t sub_sequence_ = 0;
  bool is_aggregated_ = false;
};

// The sub-records, in their order, whose hash key is in `shard`. Copies none of their bytes.
//
// A record that is not an aggregated one is itself the only sub-record, whatever its key: one that
// does not begin with the format's four bytes, is too short (20 bytes or less), or whose MD5 does
// not fit. So is one with the right MD5 and something else inside than the format says, or a key's
// number that is in no table: nothing that was put is lost over it. (KCL does the same in the first
// case; in the second it keeps the sub-records before, and logs the loss of the rest. And where one
// hash key is outside it drops the whole record, others as well, though the producer library puts
// again only what is outside; here each is looked at by itself, as KCL documents it.)
BANYAN_EXPORT std::vector<SubRecord> Deaggregate(const Record& record,
                                                 const HashKeyRange& shard = {});

// Those of every record, in order.
BANYAN_EXPORT std::vector<SubRecord> Deaggregate(const RecordBatch& batch,
                                                 const HashKeyRange& shard = {});

struct AggregatorOptions {
  // Of what Request() gives as data; the one partition key of the whole comes on top. KPL's default.
  int64_t bytes_max = 51'200;

  // What Firehose takes apart at most. KPL has no bound by default.
  int64_t records_max = 500;
};

// Packs records into one.
class BANYAN_EXPORT Aggregator {
 public:
  // The views are read during the call only.
  struct Entry {
    std::string_view partition_key = {};  // 1 to 256 characters, UTF-8
    std::string_view data = {};           // any bytes; may be empty

    // As in a PutRequest. Empty: none.
    std::string_view explicit_hash_key = {};

    absl::Span<const SubRecordTag> tags = {};
  };

  enum class Answer {
    kAdded,
    kFull,        // not added: it would go over a bound. Put, Clear, and add it then
    kOtherShard,  // not added: its hash key is not in the range
  };

  // Takes what belongs to `shard` only.
  explicit Aggregator(AggregatorOptions options = {}, const HashKeyRange& shard = {});
  ~Aggregator();
  Aggregator(Aggregator&&) noexcept;
  Aggregator& operator=(Aggregator&&) noexcept;

  // The first record is never too large: the stream's own bound will tell.
  //
  // Errors  as of Stream::Put, for partition key, explicit hash key and data.
  absl::StatusOr<Answer> Add(const Entry& entry);

  // All that was added, as one record to put; valid until the next Add() or Clear(). It has the
  // partition key, and the explicit hash key if any, of the first sub-record. One record alone is
  // given as it is, as KPL does, unless it has tags or looks like an aggregated one.
  //
  // Empty: a request that Put refuses.
  PutRequest Request();

  // What a reader of `shard` will drop: where PutResult names another shard than was packed for,
  // pass that one's range, and put these again. Valid until the next Request() or Outside(), so
  // that they can be added here after Clear().
  std::vector<Entry> Outside(const HashKeyRange& shard);

  void Clear();

  int64_t records() const;
  int64_t bytes() const;  // of Request()'s data
  bool empty() const { return records() == 0; }

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_AGGREGATION_H_
