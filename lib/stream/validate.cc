// SPDX-License-Identifier: Apache-2.0
#include "stream/validate.h"

#include <algorithm>
#include <string>

#include "base/status_macros.h"
#include "base/strings.h"
#include "base/utf8.h"
#include "message/errors.h"
#include "message/trace_rules.h"
#include "stream/hours_text.h"
#include "stream/shard_log.h"
#include "stream/shard_map.h"

namespace banyan::inline v0_1::internal {

namespace {

// A record's head has 15 bits for the size of its trace header, and 16 for its key's.
constexpr size_t kKeyBytesMax = 65'535;
static_assert(kTraceHeaderBytesMax < RecordHeader::kHasEventId);

// Offsets in a segment have 32 bits.
constexpr int64_t kRecordBytesCeiling = int64_t{1} << 30;
constexpr int64_t kShardBytesCeiling = int64_t{1} << 40;

// Characters of a well-formed UTF-8 text; nothing if it is not one.
std::optional<size_t> CountCharacters(std::string_view text) {
  const bool ascii = std::all_of(text.begin(), text.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) return text.size();
  size_t characters = 0;
  for (; !text.empty(); ++characters) {
    const size_t length = Utf8Length(text);
    if (length == 0) return std::nullopt;
    text.remove_prefix(length);
  }
  return characters;
}

// "partitionKey", or "records.3.member.partitionKey" in a batch: AWS counts from 1.
std::string FieldName(std::string_view field, std::optional<size_t> index) {
  if (!index.has_value()) return std::string(field);
  return StrCat("records.", *index + 1, ".member.", field);
}

// Long values and bytes that are not text would make the message useless.
std::string Shown(std::string_view value) {
  constexpr size_t kShownMax = 300;
  if (value.size() > kShownMax) return StrCat(value.substr(0, kShownMax), "...");
  return std::string(value);
}

absl::Status CheckName(std::string_view field, std::string_view name, const Limits& limits) {
  if (name.empty()) {
    return ConstraintError(name, field, "have length greater than or equal to 1");
  }
  if (static_cast<int64_t>(name.size()) > limits.stream.name_max) {
    return ConstraintError(Shown(name), field,
                           StrCat("have length less than or equal to ", limits.stream.name_max));
  }
  if (!std::all_of(name.begin(), name.end(), IsNameCharacter)) {
    return ConstraintError(name, field, "satisfy regular expression pattern: [a-zA-Z0-9_.-]+");
  }
  return absl::OkStatus();
}

absl::Status CheckMember(std::string_view field, int64_t value, int64_t min, int64_t max) {
  if (value < min) {
    return ConstraintError(StrCat(value), field,
                           StrCat("have value greater than or equal to ", min));
  }
  if (value > max) {
    return ConstraintError(StrCat(value), field, StrCat("have value less than or equal to ", max));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ConstraintError(std::string_view value, std::string_view field,
                             std::string_view rule) {
  return Error(AwsError::kStreamValidation, "1 validation error detected: Value '", value, "' at '",
               field, "' failed to satisfy constraint: Member must ", rule);
}

absl::Status ValidateStreamName(std::string_view name, const Limits& limits) {
  return CheckName("streamName", name, limits);
}

absl::Status ValidateStreamConsumerName(std::string_view name, const Limits& limits) {
  return CheckName("consumerName", name, limits);
}

absl::Status ValidateRetention(absl::Duration retention, const Limits& limits) {
  if (retention < limits.stream.retention_min) {
    return Error(AwsError::kStreamInvalidArgument, "Minimum allowed retention period is ",
                 HoursText(limits.stream.retention_min), ". Requested retention period (",
                 HoursText(retention), ") is too short.");
  }
  if (retention > limits.stream.retention_max) {
    return Error(AwsError::kStreamInvalidArgument, "Maximum allowed retention period is ",
                 HoursText(limits.stream.retention_max), ". Requested retention period (",
                 HoursText(retention), ") is too long.");
  }
  return absl::OkStatus();
}

absl::Status ValidateRecordBytesMax(int64_t record_bytes_max, const Limits& limits) {
  return CheckMember("record_bytes_max", record_bytes_max, limits.stream.record_bytes_floor,
                     std::min(limits.stream.record_bytes_max, kRecordBytesCeiling));
}

namespace {

absl::Status ValidateOnDemand(const OnDemandOptions& options, const Limits& limits) {
  const auto check_time = [](std::string_view field, absl::Duration value, absl::Duration least,
                             absl::Duration most) {
    if (value >= least && value <= most) return absl::OkStatus();
    return Error(AwsError::kStreamInvalidArgument, "Invalid value ", absl::FormatDuration(value),
                 " of ", field, ": must be ", absl::FormatDuration(least), " to ",
                 absl::FormatDuration(most), ".");
  };
  if (!(options.headroom >= 1 && options.headroom <= 100)) {
    return Error(AwsError::kStreamInvalidArgument, "Invalid value ", options.headroom,
                 " of on_demand.headroom: must be 1 to 100.");
  }
  BANYAN_RETURN_IF_ERROR(check_time("on_demand.check_interval", options.check_interval,
                                    absl::Seconds(1), absl::Hours(24)));
  BANYAN_RETURN_IF_ERROR(check_time("on_demand.peak_memory", options.peak_memory,
                                    options.check_interval, absl::Hours(8'760)));
  constexpr int64_t kRateMax = int64_t{1} << 40;
  BANYAN_RETURN_IF_ERROR(
      CheckMember("on_demand.shard_bytes_per_second", options.shard_bytes_per_second, 1, kRateMax));
  BANYAN_RETURN_IF_ERROR(CheckMember("on_demand.shard_records_per_second",
                                     options.shard_records_per_second, 1, kRateMax));
  BANYAN_RETURN_IF_ERROR(
      CheckMember("on_demand.shards_min", options.shards_min, 1, limits.stream.shards_max));
  return CheckMember("on_demand.shards_max", options.shards_max, options.shards_min,
                     limits.stream.shards_max);
}

}  // namespace

absl::Status ValidateStreamOptions(const StreamOptions& options, const Limits& limits) {
  if (options.shards < 1) {
    return ConstraintError(StrCat(options.shards), "shardCount",
                           "have value greater than or equal to 1");
  }
  if (options.shards > limits.stream.shards_max) {
    return Error(AwsError::kStreamLimitExceeded,
                 "This request would exceed the shard limit for the account. shardCount ",
                 options.shards, ", limit ", limits.stream.shards_max, ".");
  }
  if (options.on_demand != OnDemandOptions() || options.mode == StreamMode::kOnDemand) {
    BANYAN_RETURN_IF_ERROR(ValidateOnDemand(options.on_demand, limits));
  }
  BANYAN_RETURN_IF_ERROR(ValidateRetention(options.retention, limits));
  BANYAN_RETURN_IF_ERROR(ValidateRecordBytesMax(options.record_bytes_max, limits));
  return CheckMember("shard_bytes_max", options.shard_bytes_max,
                     ShardLog::LeastBytesMax(options.record_bytes_max), kShardBytesCeiling);
}

absl::Status ValidateHashKeyForm(std::string_view text, std::string_view field) {
  constexpr size_t kDigitsMax = 39;  // of 2^128
  const bool digits =
      std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (digits && !text.empty() && text.size() <= kDigitsMax && (text == "0" || text[0] != '0')) {
    return absl::OkStatus();
  }
  return ConstraintError(Shown(text), field,
                         "satisfy regular expression pattern: 0|([1-9]\\d{0,38})");
}

absl::Status ValidateKeyId(std::string_view key_id) {
  constexpr size_t kBytesMax = 2'048;
  if (key_id.empty()) {
    return ConstraintError(key_id, "keyId", "have length greater than or equal to 1");
  }
  if (key_id.size() <= kBytesMax) return absl::OkStatus();
  return ConstraintError(Shown(key_id), "keyId",
                         StrCat("have length less than or equal to ", kBytesMax));
}

absl::StatusOr<std::optional<absl::uint128>> ValidatePut(const PutRequest& request,
                                                         int64_t record_bytes_max,
                                                         const Limits& limits,
                                                         std::optional<size_t> index) {
  const std::string_view key = request.partition_key;
  if (key.empty()) {
    return ConstraintError(key, FieldName("partitionKey", index),
                           "have length greater than or equal to 1");
  }
  const std::optional<size_t> characters = CountCharacters(key);
  if (!characters.has_value()) {
    return Error(AwsError::kStreamValidation, "1 validation error detected: Value at '",
                 FieldName("partitionKey", index),
                 "' failed to satisfy constraint: Member must be well-formed UTF-8");
  }
  if (static_cast<int64_t>(*characters) > limits.stream.partition_key_max ||
      key.size() > kKeyBytesMax) {
    return ConstraintError(
        Shown(key), FieldName("partitionKey", index),
        StrCat("have length less than or equal to ", limits.stream.partition_key_max));
  }
  const size_t bytes = key.size() + request.data.size();
  if (bytes > static_cast<size_t>(record_bytes_max)) {
    return Error(AwsError::kStreamValidation, "1 validation error detected: Value at '",
                 FieldName("data", index),
                 "' failed to satisfy constraint: Member must have length less than or equal to ",
                 record_bytes_max, "; with its partition key it has ", bytes);
  }
  if (const std::string rule = BrokenTraceRule(request.trace_header); !rule.empty()) {
    return Error(AwsError::kStreamValidation, "1 validation error detected: Value at '",
                 FieldName("traceHeader", index), "' failed to satisfy constraint: Member must ",
                 rule);
  }
  if (request.explicit_hash_key.empty()) return std::optional<absl::uint128>();

  const std::string_view text = request.explicit_hash_key;
  BANYAN_RETURN_IF_ERROR(ValidateHashKeyForm(text, FieldName("explicitHashKey", index)));
  const std::optional<absl::uint128> hash = ParseHashKey(text);
  if (!hash.has_value()) {
    return Error(AwsError::kStreamInvalidArgument,
                 "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
                 "Specified value was ",
                 Shown(text));
  }
  return hash;
}

}  // namespace banyan::inline v0_1::internal
