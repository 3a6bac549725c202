// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/mapping_json.h -- floor 5: what a stream mapping writes as JSON: the notes on records
// that were given up, and what its filters are asked about.
#ifndef BANYAN_LIB_CONSUME_MAPPING_JSON_H_
#define BANYAN_LIB_CONSUME_MAPPING_JSON_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "banyan/id.h"
#include "banyan/stream.h"
#include "consume/record_filter.h"

namespace banyan::inline v0_1::internal {

inline constexpr std::string_view kRetryAttemptsExhausted = "RetryAttemptsExhausted";
inline constexpr std::string_view kRecordAgeExceeded = "RecordAgeExceeded";

struct FailureNote {
  Id request_id;
  std::string_view function_arn;
  std::string_view stream_arn;
  std::string_view condition;
  int64_t invoke_count = 0;     // 0: no handler has seen the records
  bool function_error = false;  // the last attempt ended with an error, not with a bad answer
  absl::Time now;
  ShardId shard;
  absl::Span<const Record> records;  // not empty
};

// As Lambda's on-failure destinations get it; see banyan/mapping.h.
std::string FailureNoteText(const FailureNote& note);

// "1767225600.123"
std::string SecondsWithMillis(absl::Time time);

// Asks `filter`, made for the payload "data", about a record.
bool MatchesRecord(RecordFilter* filter, const Record& record);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_MAPPING_JSON_H_
