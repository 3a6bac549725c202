// SPDX-License-Identifier: Apache-2.0
//
// Aggregated records by the simplest decoder and encoder that follow the published format: any
// message becomes a list of fields, everything is copied. The twin of lib/stream/aggregate_format.
#ifndef BANYAN_TESTS_STREAM_NAIVE_AGGREGATE_H_
#define BANYAN_TESTS_STREAM_NAIVE_AGGREGATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/hash.h"
#include "stream/shard_map.h"

namespace banyan::inline v0_1::testing {

struct NaiveField {
  uint64_t number = 0;
  uint64_t type = 0;
  uint64_t value = 0;  // of a varint
  std::string bytes;   // of a field with a size
};

// Takes bytes off the front of `in`; nothing if they are not a varint.
inline std::optional<uint64_t> NaiveVarint(std::string& in) {
  uint64_t value = 0;
  for (size_t i = 0; i < in.size() && i < 10; ++i) {
    const uint64_t byte = static_cast<unsigned char>(in[i]);
    value += (byte % 128) << (7 * i);
    if (byte < 128) {
      in.erase(0, i + 1);
      return value;
    }
  }
  return std::nullopt;
}

// All fields up to the end, or up to the end of the group `group`, which is taken off, too.
inline std::optional<std::vector<NaiveField>> NaiveFields(std::string& in, uint64_t group = 0,
                                                          int depth = 0) {
  std::vector<NaiveField> fields;
  while (!in.empty()) {
    const auto tag = NaiveVarint(in);
    if (!tag.has_value() || *tag / 8 == 0 || *tag >> 32 != 0) return std::nullopt;
    NaiveField field{*tag / 8, *tag % 8, 0, ""};
    uint64_t size = 0;
    if (field.type == 0) {
      const auto value = NaiveVarint(in);
      if (!value.has_value()) return std::nullopt;
      field.value = *value;
    } else if (field.type == 1) {
      size = 8;
    } else if (field.type == 2) {
      const auto value = NaiveVarint(in);
      if (!value.has_value()) return std::nullopt;
      size = *value;
    } else if (field.type == 3) {
      if (depth == 100 || !NaiveFields(in, field.number, depth + 1)) return std::nullopt;
    } else if (field.type == 4) {
      if (group == 0 || field.number != group) return std::nullopt;
      return fields;
    } else if (field.type == 5) {
      size = 4;
    } else {
      return std::nullopt;
    }
    if (size > in.size()) return std::nullopt;
    field.bytes = in.substr(0, static_cast<size_t>(size));
    in.erase(0, static_cast<size_t>(size));
    fields.push_back(field);
  }
  if (group != 0) return std::nullopt;
  return fields;
}

struct NaiveRecord {
  std::string partition_key;
  std::string explicit_hash_key;  // empty: none
  std::string data;
  std::vector<std::pair<std::string, std::string>> tags;

  friend bool operator==(const NaiveRecord&, const NaiveRecord&) = default;
};

inline std::string NaiveMd5(const std::string& bytes) {
  const internal::Md5Digest digest = internal::Md5(bytes);
  return {digest.begin(), digest.end()};
}

// Nothing: a plain record.
inline std::optional<std::vector<NaiveRecord>> NaiveDecode(const std::string& data) {
  if (data.size() <= 20 || data.substr(0, 4) != "\xF3\x89\x9A\xC2") return std::nullopt;
  std::string message = data.substr(4, data.size() - 20);
  if (NaiveMd5(message) != data.substr(data.size() - 16)) return std::nullopt;
  const auto fields = NaiveFields(message);
  if (!fields.has_value()) return std::nullopt;

  std::vector<std::string> keys, hash_keys;
  for (const NaiveField& field : *fields) {
    if (field.number == 1 && field.type == 2) keys.push_back(field.bytes);
    if (field.number == 2 && field.type == 2) hash_keys.push_back(field.bytes);
  }
  std::vector<NaiveRecord> records;
  for (const NaiveField& field : *fields) {
    if (field.number != 3 || field.type != 2) continue;
    std::string rest = field.bytes;
    const auto members = NaiveFields(rest);
    if (!members.has_value()) return std::nullopt;
    NaiveRecord record;
    std::optional<uint64_t> key, hash_key;
    bool has_data = false;
    for (const NaiveField& member : *members) {
      if (member.number == 1 && member.type == 0) key = member.value;
      if (member.number == 2 && member.type == 0) hash_key = member.value;
      if (member.number == 3 && member.type == 2) {
        record.data = member.bytes;
        has_data = true;
      }
      if (member.number == 4 && member.type == 2) {
        std::string tag_rest = member.bytes;
        const auto tag = NaiveFields(tag_rest);
        if (!tag.has_value()) return std::nullopt;
        std::optional<std::string> tag_key;
        std::string tag_value;
        for (const NaiveField& part : *tag) {
          if (part.number == 1 && part.type == 2) tag_key = part.bytes;
          if (part.number == 2 && part.type == 2) tag_value = part.bytes;
        }
        if (!tag_key.has_value()) return std::nullopt;
        record.tags.emplace_back(*tag_key, tag_value);
      }
    }
    if (!key.has_value() || *key >= keys.size() || !has_data) return std::nullopt;
    record.partition_key = keys[static_cast<size_t>(*key)];
    if (hash_key.has_value()) {
      if (*hash_key >= hash_keys.size()) return std::nullopt;
      record.explicit_hash_key = hash_keys[static_cast<size_t>(*hash_key)];
      std::string digits = record.explicit_hash_key;
      while (digits.size() > 1 && digits[0] == '0') digits.erase(0, 1);
      if (!internal::ParseHashKey(digits).has_value()) return std::nullopt;
    }
    records.push_back(record);
  }
  return records;
}

inline std::string NaiveFrame(const std::string& message) {
  return "\xF3\x89\x9A\xC2" + message + NaiveMd5(message);
}

}  // namespace banyan::inline v0_1::testing

#endif  // BANYAN_TESTS_STREAM_NAIVE_AGGREGATE_H_
