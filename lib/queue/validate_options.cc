// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "base/status_macros.h"
#include "base/strings.h"
#include "message/errors.h"
#include "queue/attributes.h"
#include "queue/policy.h"
#include "queue/validate.h"

namespace banyan::inline v0_1::internal {

namespace {

// A slot's index is 32 bits.
constexpr int64_t kMessagesMax = 4'000'000'000;

absl::Status BadOption(std::string_view name, std::string_view value, std::string_view low,
                       std::string_view high) {
  return Error(AwsError::kQueueInvalidAttributeValue, "Invalid value for the parameter ", name,
               ". Reason: ", value, " is outside ", low, " to ", high, ".");
}

absl::Status CheckOption(std::string_view name, absl::Duration value, absl::Duration low,
                         absl::Duration high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return BadOption(name, SecondsText(value), SecondsText(low), SecondsText(high));
}

absl::Status CheckOption(std::string_view name, int64_t value, int64_t low, int64_t high) {
  if (value >= low && value <= high) return absl::OkStatus();
  return BadOption(name, StrCat(value), StrCat(low), StrCat(high));
}

// A share or a chance. What is not a number is outside, too.
absl::Status CheckShare(std::string_view name, double value) {
  if (value >= 0 && value <= 1) return absl::OkStatus();
  return BadOption(name, StrCat(value), "0", "1");
}

absl::Status ValidateFifoOptions(const QueueOptions& options) {
  if (options.fifo) {
    if (options.fifo_throughput_limit == FifoThroughputLimit::kPerMessageGroupId &&
        options.deduplication_scope != DeduplicationScope::kMessageGroup) {
      return Error(AwsError::kQueueInvalidAttributeValue,
                   "Invalid value for the parameter FifoThroughputLimit. Reason: To set "
                   "FifoThroughputLimit to perMessageGroupId, the DeduplicationScope must be "
                   "messageGroup.");
    }
    return absl::OkStatus();
  }
  if (options.content_based_deduplication) {
    return OnlyForFifoQueues("ContentBasedDeduplication");
  }
  if (options.deduplication_scope != DeduplicationScope::kQueue) {
    return OnlyForFifoQueues("DeduplicationScope");
  }
  if (options.fifo_throughput_limit != FifoThroughputLimit::kPerQueue) {
    return OnlyForFifoQueues("FifoThroughputLimit");
  }
  return absl::OkStatus();
}

absl::Status ValidateRedrive(const RedrivePolicy& redrive, const Limits& limits) {
  const int64_t count_max = limits.queue.receive_count_max;
  if (redrive.max_receive_count < 1 || redrive.max_receive_count > count_max) {
    return BadRedrivePolicy(RedrivePolicyText(redrive),
                            StrCat("Invalid value for maxReceiveCount: ", redrive.max_receive_count,
                                   ", valid values are from 1 to ", count_max, " both inclusive."));
  }
  if (redrive.dead_letter.service != "sqs") {
    return BadRedrivePolicy(RedrivePolicyText(redrive),
                            "Only SQS queues are valid resources for deadLetterTargetArn.");
  }
  return absl::OkStatus();
}

absl::Status ValidateRedriveAllow(const RedriveAllowPolicy& allow) {
  constexpr size_t kSourcesMax = 10;
  std::string reason;
  if (allow.permission != RedriveAllowPolicy::Permission::kByQueue) {
    if (!allow.source_queues.empty()) reason = "sourceQueueArns goes with byQueue only.";
  } else if (allow.source_queues.empty() || allow.source_queues.size() > kSourcesMax) {
    reason = StrCat("byQueue takes 1 to ", kSourcesMax, " sourceQueueArns, not ",
                    allow.source_queues.size(), ".");
  }
  for (const Arn& source : allow.source_queues) {
    if (reason.empty() && source.service != "sqs") {
      reason = StrCat(source.ToString(), " is not the ARN of a queue.");
    }
  }
  if (reason.empty()) return absl::OkStatus();
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", RedriveAllowPolicyText(allow),
               " for parameter RedriveAllowPolicy is invalid. Reason: ", reason);
}

absl::Status ValidateFairness(const Fairness& fairness) {
  BANYAN_RETURN_IF_ERROR(CheckShare("fairness.in_flight_share", fairness.in_flight_share));
  BANYAN_RETURN_IF_ERROR(
      CheckOption("fairness.in_flight_min", fairness.in_flight_min, 0, INT64_MAX));
  BANYAN_RETURN_IF_ERROR(CheckShare("fairness.processing_share", fairness.processing_share));
  return CheckOption("fairness.window", fairness.window, absl::Seconds(1), absl::Hours(1));
}

absl::Status ValidateTestDelivery(const TestDelivery& delivery) {
  BANYAN_RETURN_IF_ERROR(CheckShare("test_delivery.duplicates", delivery.duplicates));
  BANYAN_RETURN_IF_ERROR(CheckShare("test_delivery.short_receives", delivery.short_receives));
  return CheckShare("test_delivery.reorder", delivery.reorder);
}

}  // namespace

absl::Status ValidateQueueName(std::string_view name, bool fifo, const Limits& limits) {
  constexpr std::string_view kSuffix = ".fifo";
  std::string_view stem = name;
  const bool has_suffix = stem.ends_with(kSuffix);
  if (has_suffix) stem.remove_suffix(kSuffix.size());
  bool good = has_suffix == fifo && !stem.empty() &&
              name.size() <= static_cast<size_t>(limits.queue.name_max);
  for (const char c : stem) {
    good = good && (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_');
  }
  if (good) return absl::OkStatus();
  return Error(AwsError::kQueueInvalidParameterValue, "Value ", name,
               " for parameter QueueName is invalid. Reason: Can only include alphanumeric "
               "characters, hyphens, or underscores. 1 to ",
               limits.queue.name_max, " in length");
}

absl::Status ValidateQueueOptions(const QueueOptions& options, const Limits& limits) {
  const Limits::Queue& l = limits.queue;
  const absl::Duration zero = absl::ZeroDuration();
  BANYAN_RETURN_IF_ERROR(
      CheckOption("VisibilityTimeout", options.visibility_timeout, zero, l.visibility_max));
  BANYAN_RETURN_IF_ERROR(CheckOption("DelaySeconds", options.delay, zero, l.delay_max));
  BANYAN_RETURN_IF_ERROR(
      CheckOption("ReceiveMessageWaitTimeSeconds", options.receive_wait, zero, l.wait_max));
  BANYAN_RETURN_IF_ERROR(
      CheckOption("MessageRetentionPeriod", options.retention, l.retention_min, l.retention_max));
  BANYAN_RETURN_IF_ERROR(CheckOption("MaximumMessageSize", options.message_bytes_max,
                                     l.message_bytes_floor, l.message_bytes_max));
  BANYAN_RETURN_IF_ERROR(CheckOption("KmsDataKeyReusePeriodSeconds",
                                     options.kms_data_key_reuse_period, absl::Minutes(1),
                                     absl::Hours(24)));
  if (!options.kms_master_key_id.empty() && options.sqs_managed_sse) {
    return Error(AwsError::kQueueInvalidAttributeName,
                 "You can use one type of server-side encryption (SSE) at one time. You can either "
                 "enable KMS SSE or SQS SSE.");
  }
  BANYAN_RETURN_IF_ERROR(ValidatePolicy(options.policy));
  BANYAN_RETURN_IF_ERROR(ValidateFifoOptions(options));
  if (options.redrive.has_value()) {
    BANYAN_RETURN_IF_ERROR(ValidateRedrive(*options.redrive, limits));
  }
  BANYAN_RETURN_IF_ERROR(ValidateRedriveAllow(options.redrive_allow));
  // Banyan's own.
  BANYAN_RETURN_IF_ERROR(CheckOption("in_flight_max", options.in_flight_max, 1, l.in_flight_max));
  BANYAN_RETURN_IF_ERROR(CheckOption("messages_max", options.messages_max, 1, kMessagesMax));
  BANYAN_RETURN_IF_ERROR(CheckOption("bytes_max", options.bytes_max, 1, INT64_MAX));
  BANYAN_RETURN_IF_ERROR(
      CheckOption("block_max", options.block_max, zero, absl::InfiniteDuration()));
  BANYAN_RETURN_IF_ERROR(ValidateFairness(options.fairness));
  return ValidateTestDelivery(options.test_delivery);
}

}  // namespace banyan::inline v0_1::internal
