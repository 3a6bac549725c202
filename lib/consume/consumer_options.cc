// SPDX-License-Identifier: Apache-2.0
#include "consume/consumer_options.h"

#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kBatchSizeMax = 10'000;
constexpr absl::Duration kBatchWindowMax = absl::Minutes(5);
constexpr int64_t kConcurrencyMax = 1'000;

absl::Status CheckCount(std::string_view field, int64_t value, int64_t max) {
  if (value >= 1 && value <= max) return absl::OkStatus();
  return Error(AwsError::kFunctionInvalidParameterValue, "Value ", value, " for parameter ", field,
               " is invalid. Reason: Must be between 1 and ", max, ".");
}

absl::Status CheckDuration(std::string_view field, absl::Duration value, absl::Duration max) {
  if (value >= absl::ZeroDuration() && value <= max) return absl::OkStatus();
  return Error(AwsError::kFunctionInvalidParameterValue, "Value ", SecondsText(value),
               " for parameter ", field, " is invalid. Reason: Must be between 0 and ",
               SecondsText(max), ".");
}

absl::Status CheckBatch(const ConsumerOptions& options, HandlerKind kind, bool is_fifo,
                        int64_t receive_max) {
  const bool may_fill = kind == HandlerKind::kBatch && !is_fifo;
  BANYAN_RETURN_IF_ERROR(CheckCount("BatchSize", options.batch_size,
                                    may_fill ? std::max(kBatchSizeMax, receive_max) : receive_max));
  BANYAN_RETURN_IF_ERROR(
      CheckDuration("MaximumBatchingWindowInSeconds", options.batch_window, kBatchWindowMax));
  if (options.batch_window > absl::ZeroDuration()) {
    if (may_fill) return absl::OkStatus();
    return Error(AwsError::kFunctionInvalidParameterValue, "Value ",
                 SecondsText(options.batch_window),
                 " for parameter MaximumBatchingWindowInSeconds is invalid. Reason: ",
                 is_fifo ? "A FIFO queue has no batch window."
                         : "A handler of single messages has no batch to wait for.");
  }
  if (options.batch_size <= receive_max) return absl::OkStatus();
  return Error(AwsError::kFunctionInvalidParameterValue,
               "Maximum batch window in seconds must be greater than 0 if maximum batch size is "
               "greater than ",
               receive_max);
}

}  // namespace

absl::Status ValidateConsumerOptions(const ConsumerOptions& options, HandlerKind kind, bool is_fifo,
                                     const Limits& limits) {
  BANYAN_RETURN_IF_ERROR(CheckBatch(options, kind, is_fifo, limits.queue.receive_max));
  BANYAN_RETURN_IF_ERROR(CheckCount("Concurrency", options.concurrency, kConcurrencyMax));
  if (options.visibility_timeout.has_value()) {
    BANYAN_RETURN_IF_ERROR(CheckDuration("VisibilityTimeout", *options.visibility_timeout,
                                         limits.queue.visibility_max));
  }
  if (options.retry.has_value()) {
    BANYAN_RETURN_IF_ERROR(
        CheckDuration("Retry.Max", options.retry->max, limits.queue.visibility_max));
    BANYAN_RETURN_IF_ERROR(CheckDuration("Retry.First", options.retry->first, options.retry->max));
  }
  return CheckDuration("DrainWithin", options.drain_within, absl::InfiniteDuration());
}

}  // namespace banyan::inline v0_1::internal
