// SPDX-License-Identifier: Apache-2.0
//
// lib/stream/validate.h -- floor 3, the stream room: what a stream refuses, in AWS's words.
#ifndef BANYAN_LIB_STREAM_VALIDATE_H_
#define BANYAN_LIB_STREAM_VALIDATE_H_

#include <cstddef>
#include <optional>
#include <string_view>

#include "absl/numeric/int128.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/limits.h"
#include "banyan/stream.h"

namespace banyan::inline v0_1::internal {

// Errors  ValidationException: not 1 to 128 of a-z A-Z 0-9 _ . -
absl::Status ValidateStreamName(std::string_view name, const Limits& limits);

absl::Status ValidateStreamConsumerName(std::string_view name, const Limits& limits);

// Errors  ValidationException, InvalidArgumentException, LimitExceededException (shards), each
//         naming the field, its value and the range it left.
absl::Status ValidateStreamOptions(const StreamOptions& options, const Limits& limits);

// Errors  ValidationException: not 0, nor a number of at most 39 digits without zeros in front.
absl::Status ValidateHashKeyForm(std::string_view text, std::string_view field);

// Errors  ValidationException: not 1 to 2,048 bytes.
absl::Status ValidateKeyId(std::string_view key_id);

// A request's explicit hash key, or nothing if it has none; or what is wrong with the request.
// `index` is its place in a PutRecords call, for the text.
absl::StatusOr<std::optional<absl::uint128>> ValidatePut(const PutRequest& request,
                                                         int64_t record_bytes_max,
                                                         const Limits& limits,
                                                         std::optional<size_t> index);

// The parts of ValidateStreamOptions() that can be set later.
absl::Status ValidateRetention(absl::Duration retention, const Limits& limits);
absl::Status ValidateRecordBytesMax(int64_t record_bytes_max, const Limits& limits);

// "1 validation error detected: Value 'V' at 'FIELD' failed to satisfy constraint: Member must
// RULE"
absl::Status ConstraintError(std::string_view value, std::string_view field, std::string_view rule);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_STREAM_VALIDATE_H_
