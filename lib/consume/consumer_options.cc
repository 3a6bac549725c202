// SPDX-License-Identifier: Apache-2.0
#include "consume/consumer_options.h"

#include <algorithm>

#include "base/status_macros.h"
#include "base/strings.h"
#include "consume/option_checks.h"
#include "message/errors.h"

namespace banyan::inline v0_1::internal {

namespace {

constexpr int64_t kConcurrencyMax = 1'000;

constexpr OptionChecks kConsumerOption{AwsError::kFunctionInvalidParameterValue};

absl::Status CheckBatch(const ConsumerOptions& options, HandlerKind kind, bool is_fifo,
                        int64_t receive_max) {
  const bool may_fill = kind == HandlerKind::kBatch && !is_fifo;
  BANYAN_RETURN_IF_ERROR(
      kConsumerOption.Between("BatchSize", options.batch_size, 1,
                              may_fill ? std::max(kBatchSizeMax, receive_max) : receive_max));
  BANYAN_RETURN_IF_ERROR(kConsumerOption.Between("MaximumBatchingWindowInSeconds",
                                                 options.batch_window, absl::ZeroDuration(),
                                                 kBatchWindowMax));
  if (options.batch_window > absl::ZeroDuration()) {
    if (may_fill) return absl::OkStatus();
    return kConsumerOption.Invalid(
        "MaximumBatchingWindowInSeconds", SecondsText(options.batch_window),
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
  BANYAN_RETURN_IF_ERROR(
      kConsumerOption.Between("Concurrency", options.concurrency, 1, kConcurrencyMax));
  if (options.visibility_timeout.has_value()) {
    BANYAN_RETURN_IF_ERROR(kConsumerOption.Between("VisibilityTimeout", *options.visibility_timeout,
                                                   absl::ZeroDuration(),
                                                   limits.queue.visibility_max));
  }
  if (options.retry.has_value()) {
    BANYAN_RETURN_IF_ERROR(kConsumerOption.Between(
        "Retry.Max", options.retry->max, absl::ZeroDuration(), limits.queue.visibility_max));
    BANYAN_RETURN_IF_ERROR(kConsumerOption.Between("Retry.First", options.retry->first,
                                                   absl::ZeroDuration(), options.retry->max));
  }
  return kConsumerOption.Between("DrainWithin", options.drain_within, absl::ZeroDuration(),
                                 absl::InfiniteDuration());
}

}  // namespace banyan::inline v0_1::internal
