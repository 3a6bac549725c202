// SPDX-License-Identifier: Apache-2.0
//
// Stream: records rest here in the order of their arrival, per shard, until retention ends; any
// number of readers go over them, each at its own pace. Kinesis's data stream.
//
//   Stream clicks = broker.CreateStream("clicks", {.shards = 4}).value();
//   PutResult put =
//       clicks.Put({.partition_key = "session-17", .data = R"({"page":"/cart"})"}).value();
//
//   ShardIterator from = clicks.GetShardIterator(put.shard_id, StartAt::TrimHorizon()).value();
//   RecordBatch batch = clicks.GetRecords(from).value();
//   for (const Record& click : batch) Count(click.partition_key(), click.data());
//   from = batch.next().value();                       // and again
//
// A shard is picked by the MD5 of the partition key, so equal keys keep their order. Reading takes
// nothing away and copies nothing: a Record looks into the stream's own memory.
//
// Threads   Every method of Stream may be called from any thread at any time. Putting and reading
//           do not wait for each other. The small types here are values.
// Lifetime  A Stream is a handle; copies share one stream. It may outlive the stream and its
//           Broker: calls then answer kNotFound (deleted) or kUnavailable (broker stopped or gone,
//           or this is a forked child). A Record is valid while a copy of its RecordBatch lives,
//           whatever becomes of the stream; the batch pins what it shows (see shard_bytes_max).
// Units     Sizes are bytes; absl::Duration and absl::Time here, milliseconds on AWS's wire.
// Errors    Named at each method; every one may also answer kNotFound and kUnavailable.
// Source    docs.aws.amazon.com/kinesis/latest/APIReference
#ifndef BANYAN_STREAM_H_
#define BANYAN_STREAM_H_

#include <compare>
#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/arn.h"
#include "banyan/export.h"
#include "banyan/id.h"
#include "banyan/metrics.h"
#include "banyan/runtime.h"

namespace banyan::inline v0_1 {

class StreamConsumer;              // stream_consumer.h
struct StreamConsumerDescription;  // stream_consumer.h

namespace internal {
class StreamCore;
class ShardLog;
struct BatchState;
struct ShardIdentity;

// What stands before each record's bytes in a shard's memory; the bytes follow in this order:
// event id (if flagged), partition key, trace header, data. Packed, not aligned.
struct RecordHeader {
  static constexpr uint16_t kHasEventId = 0x8000;
  static constexpr size_t kEventIdBytes = 16;

  int64_t unix_ns;    // arrival, for people
  int64_t uptime_ns;  // arrival, for retention
  uint32_t data_bytes;
  uint16_t key_bytes;
  uint16_t trace_bytes_and_flag;

  size_t event_id_bytes() const {
    return (trace_bytes_and_flag & kHasEventId) != 0 ? kEventIdBytes : 0;
  }
  size_t trace_bytes() const { return trace_bytes_and_flag & (kHasEventId - 1u); }
};
static_assert(sizeof(RecordHeader) == 24);
}  // namespace internal

enum class StreamStatus { kCreating, kActive, kUpdating, kDeleting };

// Who decides on the number of shards: the user, or the load.
enum class StreamMode { kProvisioned, kOnDemand };

// What a shard of Kinesis would not take: more than Limits::Stream allows a second, in records and
// bytes put, bytes and calls read, and iterators. Off: a shard takes what the machine can. Report:
// it takes all, and StreamMetrics counts what strict limits would refuse. Strict: it refuses that,
// with ProvisionedThroughputExceededException, as AWS does; and what is pushed to a consumer comes
// at Limits::Stream::push_bytes_per_second.
enum class ShardLimits { kOff, kReport, kStrict };

// What a Put does when shard_bytes_max is reached.
enum class WhenShardFull {
  kTrimOldest,  // ends the oldest records before their time; see StreamOptions::shard_bytes_max
  kThrottle,    // is refused, until retention has ended the oldest
};

// How a stream on demand sizes itself: each `check_interval` it looks at the highest load of one
// interval in the last `peak_memory`, and splits or merges until it has shards for `headroom` times
// that. It at most doubles or halves in one look.
struct OnDemandOptions {
  double headroom = 2;                                // 1 to 100
  absl::Duration peak_memory = absl::Hours(24 * 30);  // check_interval to 365 days
  absl::Duration check_interval = absl::Minutes(1);   // 1s to 1 day
  int64_t shard_bytes_per_second = 1'048'576;         // what one shard is there for
  int64_t shard_records_per_second = 1'000;
  int64_t shards_min = 4;  // it begins with these
  int64_t shards_max = 200;

  friend bool operator==(const OnDemandOptions&, const OnDemandOptions&) = default;
};

struct StreamOptions {
  // Shards to begin with, each over an equal range of hash keys. 1 to 10,000. More shards: more
  // writers side by side, and less order, which holds within a shard only. See SplitShard().
  int64_t shards = 1;

  // How long a record can be read. 24h to 365 days. Reads honour it at once; memory goes at the next
  // put that needs a segment, or call of Stats(), Metrics() or GetShardIterator(): an idle stream
  // has no timer.
  absl::Duration retention = absl::Hours(24);

  // Partition key and data of one record, together. 1 MiB to 10 MiB.
  int64_t record_bytes_max = 1'048'576;

  // Banyan's own bound on the memory of one shard, overhead and what batches pin included. At
  // least 256 KiB and eight times record_bytes_max. Memory is taken as records come, in segments.
  //
  // At the bound the oldest segment is trimmed early, as retention would later: readers who are
  // behind it go on at the new trim horizon, and StreamStats::trimmed_early counts what they
  // missed. Only if batches that readers hold on to pin so much that trimming cannot make room is
  // a Put refused, with kResourceExhausted (ProvisionedThroughputExceededException).
  int64_t shard_bytes_max = int64_t{256} << 20;
  WhenShardFull when_full = WhenShardFull::kTrimOldest;

  ShardLimits shard_limits = ShardLimits::kOff;

  // On demand, `shards` is not looked at, and nobody but the stream reshards it.
  StreamMode mode = StreamMode::kProvisioned;
  OnDemandOptions on_demand = {};

  friend bool operator==(const StreamOptions&, const StreamOptions&) = default;
};

// Names a shard of a stream: "shardId-000000000002" is the third that was made.
struct BANYAN_EXPORT ShardId {
  int64_t index = 0;

  std::string ToString() const;

  // Reads ToString()'s form; nothing else names a shard.
  static std::optional<ShardId> Parse(std::string_view text);

  friend auto operator<=>(const ShardId&, const ShardId&) = default;
};

// A record's place in its stream. Inside a shard numbers are 1, 2, 3, ... without gaps. Outside it
// is AWS's decimal form, 56 digits that encode all four fields; those are compared as integers,
// never as text, and so are these.
struct BANYAN_EXPORT SequenceNumber {
  uint64_t number = 0;  // 0 stands before the first record: a shard's starting sequence number
  int64_t second = 0;   // Unix time of the record's arrival
  int64_t shard_created_second = 0;
  uint32_t shard_index = 0;

  std::string ToString() const;

  // Reads ToString()'s form. Other numbers are not sequence numbers.
  static std::optional<SequenceNumber> Parse(std::string_view text);

  // As the integers compare: the shard's low four bits stand above the number, its index below.
  friend std::strong_ordering operator<=>(const SequenceNumber& a, const SequenceNumber& b) {
    if (auto c = a.shard_created_second <=> b.shard_created_second; c != 0) return c;
    if (auto c = (a.shard_index & 15) <=> (b.shard_index & 15); c != 0) return c;
    if (auto c = a.number <=> b.number; c != 0) return c;
    if (auto c = a.second <=> b.second; c != 0) return c;
    return a.shard_index <=> b.shard_index;
  }
  friend bool operator==(const SequenceNumber&, const SequenceNumber&) = default;
};

// The views are read during the call only.
struct PutRequest {
  std::string_view partition_key = {};  // 1 to 256 characters, UTF-8
  std::string_view data = {};           // any bytes; may be empty

  // A decimal number, 0 to 2^128 - 1, that takes the place of the partition key's MD5 in choosing
  // the shard. Empty: none.
  std::string_view explicit_hash_key = {};

  // X-Ray's trace header, or a W3C traceparent. At most 500 bytes of printable ASCII; not part of
  // the record's size.
  std::string_view trace_header = {};

  // A number that the record's shall be above: that of the record before it with this key. It always
  // is, and one that no record of this stream can have is refused. PutRecords does not look at it.
  std::optional<SequenceNumber> sequence_number_for_ordering = {};
};

struct PutResult {
  ShardId shard_id;
  SequenceNumber sequence;  // 0 in all fields if a Tap took the record over: it rests elsewhere
};

struct ShardInfo {
  ShardId id;
  std::string starting_hash_key;  // decimal, as ending_hash_key; both inclusive
  std::string ending_hash_key;
  SequenceNumber starting_sequence;  // below the first record's

  // What it was split from; or the two that were merged, the one that was named first.
  std::optional<ShardId> parent = {};
  std::optional<ShardId> adjacent_parent = {};

  // Above all of its records. Unset: it is open.
  std::optional<SequenceNumber> ending_sequence = {};

  bool is_open() const { return !ending_sequence.has_value(); }
  friend bool operator==(const ShardInfo&, const ShardInfo&) = default;
};

// What ListShards() lists, in the order in which they were made.
struct ShardFilter {
  enum class Kind {
    kFromTrimHorizon,  // all that can still be read
    kAtTrimHorizon,    // those that were open when retention began to count, or were made first
    kAtLatest,         // the open ones
    kAtTimestamp,      // those that were open at `time`, or were closed at that very moment
    kFromTimestamp,    // those, and all that were made later
    kAfterShardId,     // all that can be read and were made after `shard`
  };
  Kind kind = Kind::kFromTrimHorizon;
  ShardId shard = {};
  absl::Time time = absl::InfinitePast();
};

// What a page of shards shall have.
struct ListShardsOptions {
  // With a `next_token` these are not to be given: it knows where and how its list goes on.
  std::optional<ShardFilter> filter = {};
  std::optional<ShardId> exclusive_start = {};  // only what was made after this one

  std::string next_token = {};   // of the page before; empty begins
  int64_t max_results = 10'000;  // 1 to 10,000; of more than 1,000 a page has 1,000
};

struct ShardPage {
  std::vector<ShardInfo> shards = {};
  std::string next_token = {};  // empty: there is no more
};

// What a closed shard became: read on here.
struct ChildShard {
  ShardId id;
  std::vector<ShardId> parents;
  std::string starting_hash_key;
  std::string ending_hash_key;

  friend bool operator==(const ChildShard&, const ChildShard&) = default;
};

// What can be counted for each shard, under CloudWatch's names ("IncomingBytes").
enum class ShardLevelMetric {
  kIncomingBytes,
  kIncomingRecords,
  kOutgoingBytes,
  kOutgoingRecords,
  kWriteProvisionedThroughputExceeded,
  kReadProvisionedThroughputExceeded,
  kIteratorAgeMilliseconds,
  kAll,  // in a request: the seven above
};

// What enhanced monitoring has StreamMetrics show, before and after a call; in the order above.
struct EnhancedMonitoring {
  std::vector<ShardLevelMetric> current = {};
  std::vector<ShardLevelMetric> desired = {};
};

struct StreamDescription {
  StreamStatus status = StreamStatus::kActive;
  StreamMode mode = StreamMode::kProvisioned;
  int64_t open_shards = 0;
  absl::Duration retention;
  int64_t record_bytes_max = 0;
  absl::Time created;
  int64_t consumers = 0;               // registered, in whatever state
  std::string encryption_key_id = {};  // empty: EncryptionType NONE; else KMS
  std::vector<ShardLevelMetric> enhanced_monitoring = {};
};

// Key and value; see Stream::SetTags().
using StreamTags = std::map<std::string, std::string>;

struct ListConsumersOptions {
  std::string next_token = {};   // of the page before; empty begins
  int64_t max_results = 10'000;  // 1 to 10,000; of more than 100 a page has 100
};
struct StreamConsumerPage;  // stream_consumer.h

// Where an iterator begins.
class BANYAN_EXPORT StartAt {
 public:
  // The oldest record that is there when it is read.
  static StartAt TrimHorizon() { return StartAt(Kind::kTrimHorizon); }

  // Just after the newest record at the moment of GetShardIterator.
  static StartAt Latest() { return StartAt(Kind::kLatest); }

  // At, or just after, a record. One that retention has ended stands for the trim horizon.
  static StartAt AtSequence(const SequenceNumber& sequence) {
    return StartAt(Kind::kAtSequence, sequence);
  }
  static StartAt AfterSequence(const SequenceNumber& sequence) {
    return StartAt(Kind::kAfterSequence, sequence);
  }

  // The first record that arrived at `time` or later. Not in the future.
  static StartAt AtTimestamp(absl::Time time) {
    StartAt start(Kind::kAtTimestamp);
    start.time_ = time;
    return start;
  }

  enum class Kind { kTrimHorizon, kLatest, kAtSequence, kAfterSequence, kAtTimestamp };
  Kind kind() const { return kind_; }
  const SequenceNumber& sequence() const { return sequence_; }
  absl::Time time() const { return time_; }

 private:
  explicit StartAt(Kind kind, const SequenceNumber& sequence = {})
      : kind_(kind), sequence_(sequence) {}

  Kind kind_;
  SequenceNumber sequence_;
  absl::Time time_;
};

// A place between two records of one shard, good for five minutes and any number of reads.
class BANYAN_EXPORT ShardIterator {
 public:
  ShardIterator() = default;  // good for nothing: GetRecords refuses it

  // Opaque text for those who must send an iterator somewhere, and back. Parse() also takes it in
  // double quotes, as AWS does.
  // Errors  kInvalidArgument: "Invalid ShardIterator."
  std::string ToString() const;
  static absl::StatusOr<ShardIterator> Parse(std::string_view text);

  friend bool operator==(const ShardIterator&, const ShardIterator&) = default;

 private:
  friend class internal::StreamCore;

  uint64_t stream_ = 0;  // the incarnation: a stream made anew under its name has another
  uint64_t shard_ = 0;
  uint64_t position_ = 0;  // 0 is the shard's first record
  uint64_t serial_ = 0;    // makes every iterator of a stream a different one
  int64_t issued_uptime_ns_ = 0;
  int64_t issued_unix_ns_ = 0;
};

// One record, in place: a view that lives as long as its RecordBatch.
// What is to outlive its batch.
struct OwnedRecord {
  std::string partition_key;
  std::string data;
  std::string trace_header;
  Id event_id;
  ShardId shard_id;
  SequenceNumber sequence;
  absl::Time arrival_time;

  friend bool operator==(const OwnedRecord&, const OwnedRecord&) = default;
};

class BANYAN_EXPORT Record {
 public:
  std::string_view partition_key() const {
    const internal::RecordHeader h = header();
    return {body() + h.event_id_bytes(), h.key_bytes};
  }
  std::string_view data() const {
    const internal::RecordHeader h = header();
    return {body() + h.event_id_bytes() + h.key_bytes + h.trace_bytes(), h.data_bytes};
  }
  std::string_view trace_header() const {
    const internal::RecordHeader h = header();
    return {body() + h.event_id_bytes() + h.key_bytes, h.trace_bytes()};
  }
  std::string trace_id() const;  // of the trace header; else the event id, as hex
  Id event_id() const;           // given at first acceptance, kept over every hop

  ShardId shard_id() const;
  SequenceNumber sequence() const;

  // To the millisecond; the wall clock's, so it may step back from one record to the next.
  absl::Time arrival_time() const;

  // The one place that copies.
  OwnedRecord Copy() const;

 private:
  friend class internal::ShardLog;
  Record(const char* bytes, uint64_t position, const internal::ShardIdentity* shard)
      : bytes_(bytes), position_(position), shard_(shard) {}

  internal::RecordHeader header() const {
    internal::RecordHeader h;
    std::memcpy(&h, bytes_, sizeof(h));  // packed: the header need not be aligned
    return h;
  }
  const char* body() const { return bytes_ + sizeof(internal::RecordHeader); }

  const char* bytes_;
  uint64_t position_;
  const internal::ShardIdentity* shard_;
};

// What one read gave. Copies share it; its records live until the last copy is gone.
class BANYAN_EXPORT RecordBatch {
 public:
  RecordBatch() = default;

  // Empty is an answer, not an end: read on with next().
  absl::Span<const Record> records() const { return records_; }
  auto begin() const { return records_.begin(); }
  auto end() const { return records_.end(); }
  size_t size() const { return records_.size(); }
  bool empty() const { return records_.empty(); }
  const Record& operator[](size_t i) const { return records_[i]; }

  // Where to read on; another iterator each time, also when nothing was there. nullopt only when
  // the shard is closed and read to its end.
  const std::optional<ShardIterator>& next() const { return next_; }

  // How long the oldest record not yet read has been waiting, in milliseconds; 0 if there is none.
  int64_t millis_behind_latest() const { return millis_behind_latest_; }

  // With the answer that has no next(): what the shard became, for it was split or merged.
  const std::vector<ChildShard>& child_shards() const { return child_shards_; }

 private:
  friend class internal::StreamCore;

  std::shared_ptr<const internal::BatchState> state_;  // null if empty
  absl::Span<const Record> records_;
  std::optional<ShardIterator> next_;
  int64_t millis_behind_latest_ = 0;
  std::vector<ChildShard> child_shards_;
};

// The stream's books, over all shards: accepted = expired + trimmed_early + resting.
struct StreamStats {
  int64_t accepted = 0;       // records taken since the stream was made
  int64_t expired = 0;        // ended by retention
  int64_t trimmed_early = 0;  // ended by shard_bytes_max or TrimBefore(), before their retention
  int64_t resting = 0;        // readable now
  int64_t rejected = 0;       // refused because a shard was full; apart from the books
  int64_t bytes_held = 0;     // memory taken, spare and pinned segments included
  int64_t bytes_pinned = 0;   // of it: trimmed, but still shown by some batch

  friend bool operator==(const StreamStats&, const StreamStats&) = default;
};

class BANYAN_EXPORT Stream {
 public:
  Stream() = default;  // names no stream; calls answer kNotFound

  // Takes one record. When it returns, a reader can have it.
  //
  // Errors  kInvalidArgument: no partition key, or not 1 to 256 characters of UTF-8; key and data
  //         larger than record_bytes_max; explicit_hash_key not a number below 2^128.
  //         kResourceExhausted: see StreamOptions::shard_bytes_max, when_full and shard_limits.
  // Source  .../API_PutRecord.html
  absl::StatusOr<PutResult> Put(const PutRequest& request) const;

  // Takes up to 500 records of up to 10 MiB together; one answer for each, in their order. A record
  // that finds its shard full is refused (kResourceExhausted) without stopping those after it, so
  // sending the refused ones again changes the order of their keys.
  //
  // Errors  of the whole call, which then stores nothing: kInvalidArgument as Put() for any record,
  //         an empty call, too many records, too many bytes.
  // Source  .../API_PutRecords.html
  absl::StatusOr<std::vector<absl::StatusOr<PutResult>>> PutRecords(
      absl::Span<const PutRequest> requests) const;

  // All of them.
  // Source  .../API_ListShards.html
  absl::StatusOr<std::vector<ShardInfo>> ListShards(const ShardFilter& filter = {}) const;

  // The same, in pages. What is made meanwhile is in it or not, but nothing is there twice.
  //
  // Errors  kInvalidArgument: max_results; a token that this stream did not give for its shards, or
  //         one beside what it knows itself. kOutOfRange (ExpiredNextTokenException): a token older
  //         than five minutes.
  absl::StatusOr<ShardPage> ListShardsPage(const ListShardsOptions& options = {}) const;

  // Closes a shard and makes two of its range, of which the second begins at
  // `new_starting_hash_key` (decimal; empty: in the middle). Writers and readers go on meanwhile.
  // What rests in the closed shard stays there: read it to its end, then its children, and equal
  // keys keep their order. Done on return, and the stream active again, unless
  // Limits::Stream::transition_time says otherwise.
  //
  // Errors  kNotFound: no such shard. kInvalidArgument: a key that is not well inside the range; the
  //         stream is on demand (ValidationException). kFailedPrecondition (ResourceInUseException):
  //         the shard is closed; the stream is not active. kResourceExhausted
  //         (LimitExceededException): too many shards.
  // Source  .../API_SplitShard.html
  absl::Status SplitShard(ShardId shard, std::string_view new_starting_hash_key = {}) const;
  absl::Status SplitShard(std::string_view shard_id,
                          std::string_view new_starting_hash_key = {}) const;

  // Closes two open shards whose ranges touch, and makes one of both.
  //
  // Errors  as SplitShard(); kInvalidArgument: they do not touch.
  // Source  .../API_MergeShards.html
  absl::Status MergeShards(ShardId shard, ShardId adjacent_shard) const;
  absl::Status MergeShards(std::string_view shard_id, std::string_view adjacent_shard_id) const;

  // Splits and merges until so many equal ranges are open. Shards that only pass by on the way are
  // closed before anything is put into them.
  //
  // Errors  as SplitShard(); kInvalidArgument: less than half, or more than twice as many as are
  //         open. kResourceExhausted: more often than Limits::Stream::updates_per_day.
  // Source  .../API_UpdateShardCount.html
  absl::Status UpdateShardCount(int64_t target_shard_count) const;

  // Hands the number of shards over to the load, or back to the user.
  //
  // Errors  kFailedPrecondition: the stream is not active. kResourceExhausted: more often than
  //         Limits::Stream::mode_switches_per_day.
  // Source  .../API_UpdateStreamMode.html
  absl::Status UpdateStreamMode(StreamMode mode) const;

  // A longer life for what rests and what comes; what was trimmed does not come back. Or a shorter
  // one, which ends what is older at once.
  //
  // Errors  kInvalidArgument: out of range; shorter, or longer, than it is.
  //         kFailedPrecondition: the stream is not active.
  // Source  .../API_IncreaseStreamRetentionPeriod.html, .../API_DecreaseStreamRetentionPeriod.html
  absl::Status IncreaseRetention(absl::Duration retention) const;
  absl::Status DecreaseRetention(absl::Duration retention) const;

  // Errors  kInvalidArgument: not 1 to 10 MiB, or more than shard_bytes_max has room for.
  //         kFailedPrecondition: the stream is not active.
  // Source  .../API_UpdateMaxRecordSize.html
  absl::Status UpdateMaxRecordSize(int64_t record_bytes_max) const;

  // Ends what lies before a record of a shard, as retention would later. AWS has no such call; it
  // is for tests, and for who has done with a part.
  //
  // Errors  kNotFound: no such shard. kInvalidArgument: not a number of that shard.
  absl::Status TrimBefore(const SequenceNumber& sequence) const;

  // Adds tags, or replaces those of the same key; a stream has 50 at most. Keys have 1 to 128
  // characters and values at most 256: letters, digits, spaces and _ . / = + - @ :
  //
  // Errors  kInvalidArgument: none, or a bad one; too many. kFailedPrecondition: the stream is not
  //         active.
  // Source  .../API_AddTagsToStream.html, .../API_RemoveTagsFromStream.html,
  //         .../API_ListTagsForStream.html
  absl::Status SetTags(const StreamTags& tags) const;
  absl::Status RemoveTags(absl::Span<const std::string> keys) const;  // 1 to 50
  absl::StatusOr<StreamTags> Tags() const;

  // Kept and described, no more: records rest in this process, in the clear. To start again with
  // another key is to change the key. A key is a GUID, an ARN of a key or an alias, or an alias's
  // name, "alias/aws/kinesis".
  //
  // Errors  kInvalidArgument: not 1 to 2,048 bytes. kFailedPrecondition: the stream is not active.
  //         kResourceExhausted: more often than Limits::Stream::encryption_changes_per_day.
  // Source  .../API_StartStreamEncryption.html, .../API_StopStreamEncryption.html
  absl::Status StartEncryption(std::string_view key_id) const;
  absl::Status StopEncryption() const;  // of one that is not encrypted: no effect

  // Which metrics Metrics() shows of each shard.
  //
  // Errors  kInvalidArgument: none, or more than seven. kFailedPrecondition: the stream is not
  //         active.
  // Source  .../API_EnableEnhancedMonitoring.html, .../API_DisableEnhancedMonitoring.html
  absl::StatusOr<EnhancedMonitoring> EnableEnhancedMonitoring(
      absl::Span<const ShardLevelMetric> metrics) const;
  absl::StatusOr<EnhancedMonitoring> DisableEnhancedMonitoring(
      absl::Span<const ShardLevelMetric> metrics) const;

  // Source  .../API_DescribeStreamSummary.html
  absl::StatusOr<StreamDescription> Describe() const;

  // Errors  kNotFound: no such shard. kInvalidArgument: a sequence number of another shard or
  //         stream, or not given yet; a time in the future.
  // Source  .../API_GetShardIterator.html
  absl::StatusOr<ShardIterator> GetShardIterator(ShardId shard, const StartAt& start) const;
  absl::StatusOr<ShardIterator> GetShardIterator(std::string_view shard_id,
                                                 const StartAt& start) const;

  // Reads on from an iterator: up to `limit` records (1 to 10,000) of up to 10 MiB together. Takes
  // no lock, whoever is putting.
  //
  // Errors  kInvalidArgument: the limit; an iterator of another stream, also of an earlier one of
  //         the same name. kOutOfRange (ExpiredIteratorException): older than five minutes.
  //         kResourceExhausted: StreamOptions::shard_limits; the iterator stays good.
  // Source  .../API_GetRecords.html
  absl::StatusOr<RecordBatch> GetRecords(const ShardIterator& iterator,
                                         int64_t limit = 10'000) const;

  // Consumers that are pushed to, each at its own pace: enhanced fan-out. What they do is in
  // stream_consumer.h, which has to be included for these. Names are 1 to 128 of [a-zA-Z0-9_.-],
  // each once per stream; where one is asked for, its ARN does as well.
  //
  // Errors  kInvalidArgument: a bad name. kFailedPrecondition (ResourceInUseException): the name is
  //         taken, also by a consumer that is DELETING; the stream is CREATING. kResourceExhausted
  //         (LimitExceededException): too many consumers, or too many that are CREATING.
  // Source  .../API_RegisterStreamConsumer.html
  absl::StatusOr<StreamConsumer> RegisterConsumer(std::string_view name) const;

  // Errors  kNotFound: no such consumer.
  // Source  .../API_DescribeStreamConsumer.html
  absl::StatusOr<StreamConsumer> FindConsumer(std::string_view name_or_arn) const;
  absl::StatusOr<StreamConsumerDescription> DescribeConsumer(std::string_view name_or_arn) const;

  // All of them, by name; or in pages.
  //
  // Errors  kInvalidArgument, kOutOfRange: as ListShardsPage().
  // Source  .../API_ListStreamConsumers.html
  absl::StatusOr<std::vector<StreamConsumerDescription>> ListConsumers() const;
  absl::StatusOr<StreamConsumerPage> ListConsumersPage(
      const ListConsumersOptions& options = {}) const;

  // Ends the consumer and its subscriptions. A handler that runs goes on to its end; it is not
  // waited for. Of one that is DELETING: no effect.
  //
  // Errors  kNotFound: no such consumer.
  // Source  .../API_DeregisterStreamConsumer.html
  absl::Status DeregisterConsumer(std::string_view name_or_arn) const;

  // Zero of everything when the stream is gone.
  StreamStats Stats() const;

  // Under CloudWatch's names; see banyan/metrics.h.
  absl::StatusOr<StreamMetrics> Metrics() const;

  // As it was created. Describe() says how it is now.
  absl::StatusOr<StreamOptions> Options() const;
  const Arn& arn() const;
  std::string_view name() const;

  friend bool operator==(const Stream&, const Stream&) = default;

  // For the library's own rooms.
  explicit Stream(std::shared_ptr<internal::StreamCore> core);
  const std::shared_ptr<internal::StreamCore>& core() const { return core_; }

 private:
  std::shared_ptr<internal::StreamCore> core_;
};

}  // namespace banyan::inline v0_1

#endif  // BANYAN_STREAM_H_
