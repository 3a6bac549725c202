// SPDX-License-Identifier: Apache-2.0
#include "consume/mapping_options.h"

#include <string_view>

#include "base/status_macros.h"
#include "base/strings.h"
#include "deliver/function_core.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kBatchSizeMax = 10'000;
constexpr absl::Duration kBatchWindowMax = absl::Minutes(5);
constexpr int64_t kParallelizationMax = 10;
constexpr int64_t kRetriesMax = 10'000;
constexpr absl::Duration kRecordAgeMin = absl::Minutes(1);
constexpr absl::Duration kRecordAgeMax = absl::Hours(7 * 24);
constexpr absl::Duration kTumblingWindowMax = absl::Minutes(15);

template <typename... Reason>
absl::Status Invalid(std::string_view field, std::string_view value, const Reason&... reason) {
  return Error(AwsError::kFunctionInvalidParameterValue, "Value ", value, " for parameter ", field,
               " is invalid. Reason: ", reason...);
}

absl::Status CheckCount(std::string_view field, int64_t value, int64_t min, int64_t max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return Invalid(field, StrCat(value), "Must be between ", min, " and ", max, ".");
}

absl::Status CheckDuration(std::string_view field, absl::Duration value, absl::Duration min,
                           absl::Duration max) {
  if (value >= min && value <= max) return absl::OkStatus();
  return Invalid(field, SecondsText(value), "Must be between ", SecondsText(min), " and ",
                 SecondsText(max), ".");
}

absl::Status CheckTumblingWindow(const StreamMappingOptions& options) {
  constexpr std::string_view kField = "TumblingWindowInSeconds";
  const absl::Duration window = options.tumbling_window;
  BANYAN_RETURN_IF_ERROR(CheckDuration(kField, window, absl::ZeroDuration(), kTumblingWindowMax));
  if (window != absl::Trunc(window, absl::Seconds(1))) {
    return Invalid(kField, SecondsText(window), "Must be whole seconds.");
  }
  if (window > absl::ZeroDuration() && options.parallelization_factor > 1) {
    return Invalid(kField, SecondsText(window),
                   "A tumbling window needs a ParallelizationFactor of 1.");
  }
  return absl::OkStatus();
}

absl::Status CheckStart(const StartAt& start) {
  switch (start.kind()) {
    case StartAt::Kind::kTrimHorizon:
    case StartAt::Kind::kLatest:
    case StartAt::Kind::kAtTimestamp:
      return absl::OkStatus();
    case StartAt::Kind::kAtSequence:
    case StartAt::Kind::kAfterSequence:
      break;
  }
  return Invalid("StartingPosition", "of a sequence number",
                 "Must be TRIM_HORIZON, LATEST or AT_TIMESTAMP.");
}

}  // namespace

absl::Status ValidateMappingOptions(const StreamMappingOptions& options) {
  BANYAN_RETURN_IF_ERROR(ValidateFunctionName(options.name));
  BANYAN_RETURN_IF_ERROR(CheckCount("BatchSize", options.batch_size, 1, kBatchSizeMax));
  BANYAN_RETURN_IF_ERROR(CheckDuration("MaximumBatchingWindowInSeconds", options.batch_window,
                                       absl::ZeroDuration(), kBatchWindowMax));
  BANYAN_RETURN_IF_ERROR(
      CheckCount("ParallelizationFactor", options.parallelization_factor, 1, kParallelizationMax));
  BANYAN_RETURN_IF_ERROR(CheckStart(options.start_at));
  BANYAN_RETURN_IF_ERROR(CheckCount("MaximumRetryAttempts", options.retries_max, -1, kRetriesMax));
  if (options.record_age_max != absl::InfiniteDuration()) {
    BANYAN_RETURN_IF_ERROR(CheckDuration("MaximumRecordAgeInSeconds", options.record_age_max,
                                         kRecordAgeMin, kRecordAgeMax));
  }
  BANYAN_RETURN_IF_ERROR(CheckTumblingWindow(options));
  BANYAN_RETURN_IF_ERROR(
      CheckDuration("Backoff.Max", options.backoff.max, absl::ZeroDuration(), absl::Hours(12)));
  BANYAN_RETURN_IF_ERROR(CheckDuration("Backoff.First", options.backoff.first, absl::ZeroDuration(),
                                       options.backoff.max));
  if (std::string_view(options.on_failure.arn()).ends_with(".fifo")) {
    return Invalid("DestinationConfig", options.on_failure.arn(),
                   "A FIFO queue or topic cannot be the destination.");
  }
  return CheckDuration("DrainWithin", options.drain_within, absl::ZeroDuration(),
                       absl::InfiniteDuration());
}

}  // namespace banyan::inline v0_1::internal
