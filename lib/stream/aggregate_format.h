// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/aggregate_format.h -- floor 3, the stream room: the format of KPL's aggregated records.
//
//   F3 89 9A C2 | protobuf message | MD5 of the message
//
//   message AggregatedRecord {                       message Record {
//     repeated string partition_key_table     = 1;     required uint64 partition_key_index     = 1;
//     repeated string explicit_hash_key_table = 2;     optional uint64 explicit_hash_key_index = 2;
//     repeated Record records                 = 3;     required bytes  data                    = 3;
//   }                                                  repeated Tag    tags                    = 4;
//   message Tag {                                    }
//     required string key = 1; optional string value = 2;
//   }
//
// Fields may come in any order and between each other, the tables after the records, too; of a field
// that is there once the last counts; unknown fields are skipped. Names are not looked at for UTF-8,
// as the format is proto2's.
#ifndef BANYAN_LIB_STREAM_AGGREGATE_FORMAT_H_
#define BANYAN_LIB_STREAM_AGGREGATE_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/numeric/int128.h"
#include "absl/types/span.h"
#include "banyan/aggregation.h"

namespace banyan::inline v0_1::internal {

inline constexpr std::string_view kAggregateMagic = "\xF3\x89\x9A\xC2";
inline constexpr size_t kAggregateDigestBytes = 16;
inline constexpr size_t kAggregateFrameBytes = kAggregateMagic.size() + kAggregateDigestBytes;

// The numbers of the fields.
enum AggregateField : uint32_t { kPartitionKeyTable = 1, kExplicitHashKeyTable = 2, kRecords = 3 };
enum RecordField : uint32_t {
  kPartitionKeyIndex = 1,
  kExplicitHashKeyIndex = 2,
  kRecordData = 3,
  kRecordTags = 4
};
enum TagField : uint32_t { kTagKey = 1, kTagValue = 2 };

// Takes records apart, one after the other; keeps its memory for the next.
class AggregateReader {
 public:
  struct Part {
    std::string_view partition_key;
    std::string_view explicit_hash_key;  // empty: none
    std::string_view data;
    std::string_view message;  // that its tags are in; empty if it has none
    absl::uint128 hash = 0;    // of the explicit hash key; else only set by HashPartitionKeys()
    size_t partition_key_index = 0;
    std::optional<size_t> explicit_hash_key_index;
  };

  // Whether `data` is an aggregated record from its first to its last byte. If so, parts() has what
  // is in it: views into `data`, valid until the next call.
  bool Read(std::string_view data);

  absl::Span<const Part> parts() const { return parts_; }

  // Sets each part's hash.
  void HashPartitionKeys();

 private:
  bool ReadMessage(std::string_view message);
  bool ReadRecord(std::string_view message);
  bool LookUp(Part& part) const;

  struct ExplicitHashKey {
    std::string_view text;
    std::optional<absl::uint128> hash;  // nothing: not a number below 2^128
  };

  std::vector<std::string_view> partition_keys_;
  std::vector<ExplicitHashKey> explicit_hash_keys_;
  std::vector<Part> parts_;
  std::vector<absl::uint128> hashes_;  // of partition_keys_
};

// Whether a record with this data would be taken for an aggregated one, at a glance.
inline bool LooksAggregated(std::string_view data) { return data.starts_with(kAggregateMagic); }

// Nothing: not a number below 2^128. Zeros in front are let pass, as KCL does.
std::optional<absl::uint128> ParseLooseHashKey(std::string_view text);

// Of the message of a Part.
std::vector<SubRecordTag> TagsOf(std::string_view message);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_AGGREGATE_FORMAT_H_
