// SPDX-License-Identifier: Apache-2.0
#include "stream/aggregate_format.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"
#include "stream/placement.h"
#include "stream/protobuf_wire.h"
#include "stream/shard_map.h"

namespace banyan::inline v0_1::internal {
namespace {

// Nothing: not a tag.
std::optional<SubRecordTag> ReadTag(std::string_view message) {
  SubRecordTag tag;
  bool has_key = false;
  WireReader reader(message);
  while (reader.Next()) {
    if (reader.Is(kTagKey, WireType::kBytes)) {
      tag.key = reader.bytes();
      has_key = true;
    } else if (reader.Is(kTagValue, WireType::kBytes)) {
      tag.value = reader.bytes();
    }
  }
  if (!reader.ok() || !has_key) return std::nullopt;
  return tag;
}

bool HasDigest(std::string_view message, std::string_view digest) {
  const Md5Digest expected = Md5(message);
  return std::memcmp(expected.data(), digest.data(), expected.size()) == 0;
}

}  // namespace

std::optional<absl::uint128> ParseLooseHashKey(std::string_view text) {
  const size_t digits = std::min(text.find_first_not_of('0'), text.size() - 1);
  return text.empty() ? std::nullopt : ParseHashKey(text.substr(digits));
}

std::vector<SubRecordTag> TagsOf(std::string_view message) {
  std::vector<SubRecordTag> tags;
  WireReader reader(message);
  while (reader.Next()) {
    if (!reader.Is(kRecordTags, WireType::kBytes)) continue;
    if (const std::optional<SubRecordTag> tag = ReadTag(reader.bytes())) tags.push_back(*tag);
  }
  return tags;
}

bool AggregateReader::Read(std::string_view data) {
  if (data.size() <= kAggregateFrameBytes || !LooksAggregated(data)) return false;
  const std::string_view message =
      data.substr(kAggregateMagic.size(), data.size() - kAggregateFrameBytes);
  return HasDigest(message, data.substr(data.size() - kAggregateDigestBytes)) &&
         ReadMessage(message);
}

bool AggregateReader::ReadMessage(std::string_view message) {
  partition_keys_.clear();
  explicit_hash_keys_.clear();
  parts_.clear();
  WireReader reader(message);
  while (reader.Next()) {
    if (reader.Is(kPartitionKeyTable, WireType::kBytes)) {
      partition_keys_.push_back(reader.bytes());
    } else if (reader.Is(kExplicitHashKeyTable, WireType::kBytes)) {
      explicit_hash_keys_.push_back({reader.bytes(), ParseLooseHashKey(reader.bytes())});
    } else if (reader.Is(kRecords, WireType::kBytes)) {
      if (!ReadRecord(reader.bytes())) return false;
    }
  }
  // Only now: the tables may stand behind the records.
  return reader.ok() &&
         std::all_of(parts_.begin(), parts_.end(), [this](Part& part) { return LookUp(part); });
}

bool AggregateReader::ReadRecord(std::string_view message) {
  Part part;
  bool has_key = false;
  bool has_data = false;
  WireReader reader(message);
  while (reader.Next()) {
    if (reader.Is(kPartitionKeyIndex, WireType::kVarint)) {
      part.partition_key_index = static_cast<size_t>(reader.varint());
      has_key = true;
    } else if (reader.Is(kExplicitHashKeyIndex, WireType::kVarint)) {
      part.explicit_hash_key_index = static_cast<size_t>(reader.varint());
    } else if (reader.Is(kRecordData, WireType::kBytes)) {
      part.data = reader.bytes();
      has_data = true;
    } else if (reader.Is(kRecordTags, WireType::kBytes)) {
      if (!ReadTag(reader.bytes()).has_value()) return false;
      part.message = message;
    }
  }
  parts_.push_back(part);
  return reader.ok() && has_key && has_data;
}

bool AggregateReader::LookUp(Part& part) const {
  if (part.partition_key_index >= partition_keys_.size()) return false;
  part.partition_key = partition_keys_[part.partition_key_index];
  if (!part.explicit_hash_key_index.has_value()) return true;

  if (*part.explicit_hash_key_index >= explicit_hash_keys_.size()) return false;
  const ExplicitHashKey& key = explicit_hash_keys_[*part.explicit_hash_key_index];
  if (!key.hash.has_value()) return false;
  part.explicit_hash_key = key.text;
  part.hash = *key.hash;
  return true;
}

void AggregateReader::HashPartitionKeys() {
  hashes_.resize(partition_keys_.size());
  HashKeys(partition_keys_, absl::MakeSpan(hashes_));
  for (Part& part : parts_) {
    if (!part.explicit_hash_key_index.has_value()) part.hash = hashes_[part.partition_key_index];
  }
}

}  // namespace banyan::inline v0_1::internal
