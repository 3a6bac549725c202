// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/aggregation.cc -- floor 3, the stream room: records into one, and apart.
//
// An Aggregator encodes as it goes: each of the format's three lists is a buffer, and Request()
// only sets them behind each other, as KPL does, with frame and digest. So its size is known at all
// times, and nothing is kept twice but the keys that were seen.
#include "banyan/aggregation.h"

#include <deque>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "banyan/limits.h"
#include "base/check.h"
#include "base/hash.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "stream/aggregate_format.h"
#include "stream/placement.h"
#include "stream/protobuf_wire.h"
#include "stream/shard_map.h"
#include "stream/validate.h"

namespace banyan::inline v0_1 {

using internal::AggregateReader;

// --- HashKeyRange --------------------------------------------------------------------------------

absl::StatusOr<HashKeyRange> HashKeyRange::Of(std::string_view starting_hash_key,
                                              std::string_view ending_hash_key) {
  const auto first = internal::ParseHashKey(starting_hash_key);
  const auto last = internal::ParseHashKey(ending_hash_key);
  if (!first.has_value() || !last.has_value() || *first > *last) {
    return internal::Error(AwsError::kStreamInvalidArgument,
                           "Invalid HashKeyRange. StartingHashKey and EndingHashKey must be in the "
                           "range: [0, 2^128-1], in this order. Specified values were ",
                           starting_hash_key, " and ", ending_hash_key);
  }
  HashKeyRange range;
  range.first_high_ = absl::Uint128High64(*first);
  range.first_low_ = absl::Uint128Low64(*first);
  range.last_high_ = absl::Uint128High64(*last);
  range.last_low_ = absl::Uint128Low64(*last);
  return range;
}

namespace internal {
namespace {

bool InRange(const HashKeyRange& range, absl::uint128 hash) {
  return range.ContainsHash(absl::Uint128High64(hash), absl::Uint128Low64(hash));
}

}  // namespace
}  // namespace internal

bool HashKeyRange::Contains(std::string_view partition_key,
                            std::string_view explicit_hash_key) const {
  if (explicit_hash_key.empty()) {
    return internal::InRange(*this, internal::HashKeyCached(partition_key));
  }
  const auto hash = internal::ParseHashKey(explicit_hash_key);
  return hash.has_value() && internal::InRange(*this, *hash);
}

// --- Apart ---------------------------------------------------------------------------------------

namespace internal {

class SubRecordMaker {
 public:
  explicit SubRecordMaker(const HashKeyRange& range)
      : range_(range), all_(range == HashKeyRange()) {}

  void Append(const Record& record, std::vector<SubRecord>* out) {
    const std::string_view data = record.data();
    // Looked at here already, as most records are plain.
    if (!LooksAggregated(data) || !reader_.Read(data)) {
      out->emplace_back(record);
      return;
    }
    if (!all_) reader_.HashPartitionKeys();
    int64_t sub_sequence = 0;
    for (const AggregateReader::Part& part : reader_.parts()) {
      const int64_t number = sub_sequence++;  // of all that are in it, dropped ones as well
      if (!all_ && !InRange(range_, part.hash)) continue;
      SubRecord& sub_record = out->emplace_back(record);
      sub_record.partition_key_ = part.partition_key;
      sub_record.data_ = part.data;
      sub_record.explicit_hash_key_ = part.explicit_hash_key;
      sub_record.message_ = part.message;
      sub_record.sub_sequence_ = number;
      sub_record.is_aggregated_ = true;
    }
  }

 private:
  const HashKeyRange& range_;
  const bool all_;
  AggregateReader reader_;
};

}  // namespace internal

std::vector<SubRecordTag> SubRecord::tags() const { return internal::TagsOf(message_); }

std::vector<SubRecord> Deaggregate(const Record& record, const HashKeyRange& shard) {
  std::vector<SubRecord> sub_records;
  internal::SubRecordMaker(shard).Append(record, &sub_records);
  return sub_records;
}

std::vector<SubRecord> Deaggregate(const RecordBatch& batch, const HashKeyRange& shard) {
  std::vector<SubRecord> sub_records;
  sub_records.reserve(batch.size());
  internal::SubRecordMaker maker(shard);
  for (const Record& record : batch) maker.Append(record, &sub_records);
  return sub_records;
}

// --- Together ------------------------------------------------------------------------------------

namespace {

// One of the two tables of keys.
class KeyTable {
 public:
  explicit KeyTable(uint32_t field) : field_(field) {}

  // Where `key` is, or will be.
  size_t IndexOf(std::string_view key) const {
    const auto found = indexes_.find(key);
    return found != indexes_.end() ? found->second : indexes_.size();
  }
  bool IsNew(size_t index) const { return index == indexes_.size(); }

  size_t BytesToAdd(std::string_view key, size_t index) const {
    return IsNew(index) ? internal::BytesFieldBytes(key.size()) : 0;
  }
  void Add(std::string_view key, size_t index) {
    if (!IsNew(index)) return;
    indexes_.emplace(key, index);
    internal::AppendBytesField(&bytes_, field_, key);
  }

  void Clear() {
    indexes_.clear();
    bytes_.clear();
  }
  const std::string& bytes() const { return bytes_; }

 private:
  uint32_t field_;
  std::string bytes_;  // as they will stand in the record
  absl::flat_hash_map<std::string, size_t, internal::StringViewHash, internal::StringViewEqual>
      indexes_;
};

// Where a record's keys are in their tables.
struct Indexes {
  size_t partition_key;
  std::optional<size_t> explicit_hash_key;
};

size_t TagBytes(const SubRecordTag& tag) {
  return internal::BytesFieldBytes(tag.key.size()) + internal::BytesFieldBytes(tag.value.size());
}

}  // namespace

struct Aggregator::State {
  size_t bytes() const {
    return internal::kAggregateFrameBytes + partition_keys.bytes().size() +
           explicit_hash_keys.bytes().size() + records.size();
  }
  // Whether the first record is alone and goes as it is.
  bool is_plain() const {
    return count == 1 && !first_has_tags && !internal::LooksAggregated(first_data());
  }
  std::string_view first_data() const {
    return std::string_view(records).substr(first_data_at, first_data_bytes);
  }

  // The size of the record's message, without its head.
  static size_t RecordBytes(const Entry& entry, const Indexes& indexes);
  void AppendRecord(const Entry& entry, const Indexes& indexes, size_t record_bytes);
  void BuildAggregate();

  AggregatorOptions options;
  HashKeyRange range;
  Limits limits = Limits::Aws();

  int64_t count = 0;
  KeyTable partition_keys{internal::kPartitionKeyTable};
  KeyTable explicit_hash_keys{internal::kExplicitHashKeyTable};
  std::string records;  // as they will stand in the aggregated one

  std::string first_key;
  std::string first_explicit_hash_key;
  size_t first_data_at = 0;  // in `records`
  size_t first_data_bytes = 0;
  bool first_has_tags = false;

  // What was given out last.
  std::string aggregate;
  std::deque<std::vector<SubRecordTag>> outside_tags;
};

size_t Aggregator::State::RecordBytes(const Entry& entry, const Indexes& indexes) {
  size_t bytes = internal::VarintFieldBytes(indexes.partition_key) +
                 internal::BytesFieldBytes(entry.data.size());
  if (indexes.explicit_hash_key.has_value()) {
    bytes += internal::VarintFieldBytes(*indexes.explicit_hash_key);
  }
  for (const SubRecordTag& tag : entry.tags) bytes += internal::BytesFieldBytes(TagBytes(tag));
  return bytes;
}

void Aggregator::State::AppendRecord(const Entry& entry, const Indexes& indexes,
                                     size_t record_bytes) {
  internal::AppendBytesHead(&records, internal::kRecords, record_bytes);
  internal::AppendVarintField(&records, internal::kPartitionKeyIndex, indexes.partition_key);
  if (indexes.explicit_hash_key.has_value()) {
    internal::AppendVarintField(&records, internal::kExplicitHashKeyIndex,
                                *indexes.explicit_hash_key);
  }
  internal::AppendBytesField(&records, internal::kRecordData, entry.data);
  if (count == 0) {
    first_data_at = records.size() - entry.data.size();
    first_data_bytes = entry.data.size();
  }
  for (const SubRecordTag& tag : entry.tags) {
    internal::AppendBytesHead(&records, internal::kRecordTags, TagBytes(tag));
    internal::AppendBytesField(&records, internal::kTagKey, tag.key);
    internal::AppendBytesField(&records, internal::kTagValue, tag.value);
  }
}

void Aggregator::State::BuildAggregate() {
  aggregate.clear();
  aggregate.reserve(bytes());
  aggregate += internal::kAggregateMagic;
  aggregate += partition_keys.bytes();
  aggregate += explicit_hash_keys.bytes();
  aggregate += records;
  const internal::Md5Digest digest =
      internal::Md5(std::string_view(aggregate).substr(internal::kAggregateMagic.size()));
  aggregate.append(reinterpret_cast<const char*>(digest.data()), digest.size());
}

Aggregator::Aggregator(AggregatorOptions options, const HashKeyRange& shard)
    : state_(std::make_unique<State>()) {
  state_->options = options;
  state_->range = shard;
}

Aggregator::~Aggregator() = default;
Aggregator::Aggregator(Aggregator&&) noexcept = default;
Aggregator& Aggregator::operator=(Aggregator&&) noexcept = default;

absl::StatusOr<Aggregator::Answer> Aggregator::Add(const Entry& entry) {
  State& state = *state_;
  BANYAN_ASSIGN_OR_RETURN(
      const std::optional<absl::uint128> explicit_hash,
      internal::ValidatePut({.partition_key = entry.partition_key,
                             .data = entry.data,
                             .explicit_hash_key = entry.explicit_hash_key},
                            state.limits.stream.record_bytes_max, state.limits, std::nullopt));
  if (state.range != HashKeyRange() &&
      !internal::InRange(state.range, explicit_hash.has_value()
                                          ? *explicit_hash
                                          : internal::HashKeyCached(entry.partition_key))) {
    return Answer::kOtherShard;
  }

  Indexes indexes = {state.partition_keys.IndexOf(entry.partition_key), std::nullopt};
  if (explicit_hash.has_value()) {
    indexes.explicit_hash_key = state.explicit_hash_keys.IndexOf(entry.explicit_hash_key);
  }
  const size_t record_bytes = State::RecordBytes(entry, indexes);
  if (state.count > 0) {
    size_t bytes = state.bytes() + internal::BytesFieldBytes(record_bytes) +
                   state.partition_keys.BytesToAdd(entry.partition_key, indexes.partition_key);
    if (explicit_hash.has_value()) {
      bytes +=
          state.explicit_hash_keys.BytesToAdd(entry.explicit_hash_key, *indexes.explicit_hash_key);
    }
    if (state.count >= state.options.records_max ||
        static_cast<int64_t>(bytes) > state.options.bytes_max) {
      return Answer::kFull;
    }
  } else {
    state.first_key = entry.partition_key;
    state.first_explicit_hash_key = entry.explicit_hash_key;
    state.first_has_tags = !entry.tags.empty();
  }
  state.partition_keys.Add(entry.partition_key, indexes.partition_key);
  if (explicit_hash.has_value()) {
    state.explicit_hash_keys.Add(entry.explicit_hash_key, *indexes.explicit_hash_key);
  }
  state.AppendRecord(entry, indexes, record_bytes);
  ++state.count;
  return Answer::kAdded;
}

PutRequest Aggregator::Request() {
  State& state = *state_;
  if (state.count == 0) return {};
  PutRequest request = {.partition_key = state.first_key,
                        .data = state.first_data(),
                        .explicit_hash_key = state.first_explicit_hash_key};
  if (!state.is_plain()) {
    state.BuildAggregate();
    request.data = state.aggregate;
  }
  return request;
}

std::vector<Aggregator::Entry> Aggregator::Outside(const HashKeyRange& shard) {
  State& state = *state_;
  std::vector<Entry> outside;
  state.outside_tags.clear();
  // A plain record goes where its key says, so that nobody drops it.
  if (state.count == 0 || state.is_plain()) return outside;
  state.BuildAggregate();
  AggregateReader reader;
  BANYAN_CHECK(reader.Read(state.aggregate), "what was put together can be taken apart");
  reader.HashPartitionKeys();
  for (const AggregateReader::Part& part : reader.parts()) {
    if (internal::InRange(shard, part.hash)) continue;
    outside.push_back({.partition_key = part.partition_key,
                       .data = part.data,
                       .explicit_hash_key = part.explicit_hash_key,
                       .tags = state.outside_tags.emplace_back(internal::TagsOf(part.message))});
  }
  return outside;
}

void Aggregator::Clear() {
  state_->count = 0;
  state_->partition_keys.Clear();
  state_->explicit_hash_keys.Clear();
  state_->records.clear();
}

int64_t Aggregator::records() const { return state_->count; }

int64_t Aggregator::bytes() const {
  if (state_->count == 0) return 0;
  return static_cast<int64_t>(state_->is_plain() ? state_->first_data_bytes : state_->bytes());
}

}  // namespace banyan::inline v0_1
