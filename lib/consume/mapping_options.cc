// SPDX-License-Identifier: Apache-2.0
#include "consume/mapping_options.h"

#include <string_view>

#include "base/status_macros.h"
#include "base/strings.h"
#include "consume/option_checks.h"
#include "deliver/function_core.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kParallelizationMax = 10;
constexpr int64_t kRetriesMax = 10'000;
constexpr absl::Duration kRecordAgeMin = absl::Minutes(1);
constexpr absl::Duration kRecordAgeMax = absl::Hours(7 * 24);
constexpr absl::Duration kTumblingWindowMax = absl::Minutes(15);

constexpr OptionChecks kMappingOption{AwsError::kFunctionInvalidParameterValue};

absl::Status CheckTumblingWindow(const StreamMappingOptions& options) {
  constexpr std::string_view kField = "TumblingWindowInSeconds";
  const absl::Duration window = options.tumbling_window;
  BANYAN_RETURN_IF_ERROR(
      kMappingOption.Between(kField, window, absl::ZeroDuration(), kTumblingWindowMax));
  if (window != absl::Trunc(window, absl::Seconds(1))) {
    return kMappingOption.Invalid(kField, SecondsText(window), "Must be whole seconds.");
  }
  if (window > absl::ZeroDuration() && options.parallelization_factor > 1) {
    return kMappingOption.Invalid(kField, SecondsText(window),
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
  return kMappingOption.Invalid("StartingPosition", "of a sequence number",
                                "Must be TRIM_HORIZON, LATEST or AT_TIMESTAMP.");
}

}  // namespace

absl::Status ValidateMappingOptions(const StreamMappingOptions& options) {
  BANYAN_RETURN_IF_ERROR(ValidateFunctionName(options.name));
  BANYAN_RETURN_IF_ERROR(kMappingOption.Between("BatchSize", options.batch_size, 1, kBatchSizeMax));
  BANYAN_RETURN_IF_ERROR(kMappingOption.Between("MaximumBatchingWindowInSeconds",
                                                options.batch_window, absl::ZeroDuration(),
                                                kBatchWindowMax));
  BANYAN_RETURN_IF_ERROR(kMappingOption.Between(
      "ParallelizationFactor", options.parallelization_factor, 1, kParallelizationMax));
  BANYAN_RETURN_IF_ERROR(CheckStart(options.start_at));
  BANYAN_RETURN_IF_ERROR(
      kMappingOption.Between("MaximumRetryAttempts", options.retries_max, -1, kRetriesMax));
  if (options.record_age_max != absl::InfiniteDuration()) {
    BANYAN_RETURN_IF_ERROR(kMappingOption.Between(
        "MaximumRecordAgeInSeconds", options.record_age_max, kRecordAgeMin, kRecordAgeMax));
  }
  BANYAN_RETURN_IF_ERROR(CheckTumblingWindow(options));
  BANYAN_RETURN_IF_ERROR(kMappingOption.Between("Backoff.Max", options.backoff.max,
                                                absl::ZeroDuration(), absl::Hours(12)));
  BANYAN_RETURN_IF_ERROR(kMappingOption.Between("Backoff.First", options.backoff.first,
                                                absl::ZeroDuration(), options.backoff.max));
  if (std::string_view(options.on_failure.arn()).ends_with(".fifo")) {
    return kMappingOption.Invalid("DestinationConfig", options.on_failure.arn(),
                                  "A FIFO queue or topic cannot be the destination.");
  }
  return kMappingOption.Between("DrainWithin", options.drain_within, absl::ZeroDuration(),
                                absl::InfiniteDuration());
}

}  // namespace banyan::inline v0_1::internal
