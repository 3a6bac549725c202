// SPDX-License-Identifier: Apache-2.0
#include "route/subscription_rules.h"

#include <variant>

#include "base/status_macros.h"
#include "deliver/delivery_policy.h"
#include "deliver/function_core.h"
#include "deliver/retry.h"
#include "deliver/stream_target.h"
#include "message/errors.h"
#include "queue/core.h"
#include "route/notification_endpoint.h"
#include "route/rule_target.h"

namespace banyan::inline v0_1::internal {

absl::StatusOr<std::shared_ptr<Sink>> ResolveEndpoint(const Target& target) {
  std::shared_ptr<Sink> endpoint;
  if (std::holds_alternative<NotificationEndpoint>(target.to())) return endpoint;
  if (const Queue* queue = std::get_if<Queue>(&target.to())) {
    endpoint = queue->core();
  } else if (const Function* function = std::get_if<Function>(&target.to())) {
    endpoint = function->core();
  } else if (const Stream* stream = std::get_if<Stream>(&target.to())) {
    if (stream->core() != nullptr) {
      endpoint = std::make_shared<StreamTarget>(stream->core(), std::nullopt);
    }
  } else {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Amazon SNS does not support this protocol string: ",
                 std::holds_alternative<std::shared_ptr<TopicCore>>(target.to()) ? "topic" : "bus");
  }
  if (endpoint == nullptr) {
    return Error(
        AwsError::kTopicInvalidParameter,
        "Invalid parameter: Endpoint Reason: the handle names no queue, function or stream");
  }
  return endpoint;
}

namespace {

absl::Status ValidateKindOfTarget(const Target& target, bool topic_is_fifo) {
  const bool to_fifo_queue = IsFifoQueue(target);
  if (to_fifo_queue && !topic_is_fifo) {
    return Error(
        AwsError::kTopicInvalidParameter,
        "Invalid parameter: Invalid parameter: Endpoint Reason: FIFO SQS Queues can not be "
        "subscribed to standard SNS topics");
  }
  if (topic_is_fifo && !std::holds_alternative<Queue>(target.to())) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Invalid parameter: Endpoint Reason: only queues can be "
                 "subscribed to FIFO topics");
  }
  if (!target.dead_letter().has_value()) return absl::OkStatus();
  const std::shared_ptr<QueueCore>& dead_letter = target.dead_letter()->core();
  if (dead_letter == nullptr) {
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe,
                 "RedrivePolicy: deadLetterTargetArn is an invalid arn");
  }
  if (dead_letter->fifo() == to_fifo_queue) return absl::OkStatus();
  return Error(AwsError::kTopicInvalidParameter, "Invalid parameter: RedrivePolicy: ",
               to_fifo_queue
                   ? "must use a FIFO queue as DLQ for a FIFO Subscription to a FIFO Topic."
                   : "must use a standard queue as DLQ for a subscription that is not FIFO.");
}

}  // namespace

absl::Status ValidateSubscriptionTarget(const Target& target, bool topic_is_fifo,
                                        const Environment& env) {
  if (!IsAtHome(target, env)) {
    return Error(AwsError::kTopicInvalidParameter,
                 "Invalid parameter: Endpoint Reason: the endpoint, or its dead-letter queue, "
                 "belongs to another broker");
  }
  if (const std::string_view field = FieldForRulesOnly(target); !field.empty()) {
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe, field,
                 " is for the targets of rules only");
  }
  BANYAN_RETURN_IF_ERROR(ValidateKindOfTarget(target, topic_is_fifo));
  if (const auto* endpoint = std::get_if<NotificationEndpoint>(&target.to())) {
    BANYAN_RETURN_IF_ERROR(ValidateNotificationEndpoint(*endpoint, env));
    if (!target.retry().has_value()) return absl::OkStatus();
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe,
                 "Retry is for queues and functions; a server is retried by its DeliveryPolicy");
  }
  if (!target.retry().has_value()) return absl::OkStatus();
  return ValidateRetryPolicy(*target.retry(), TopicRetryLimits(), AwsError::kTopicInvalidParameter);
}

absl::Status ValidateSubscriptionOptions(const SubscriptionOptions& options, Protocol protocol) {
  if (options.call_inline && protocol != Protocol::kFunction) {
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe, "call_inline is for functions");
  }
  const bool knows_raw = IsHttp(protocol) || protocol == Protocol::kQueue ||
                         protocol == Protocol::kFunction || protocol == Protocol::kStream;
  if (options.raw && !knows_raw) {
    return Error(AwsError::kTopicInvalidParameter, kOnSubscribe, "Delivery protocol [",
                 ProtocolName(protocol), "] does not support raw message delivery.");
  }
  return ValidateDeliveryPolicy(options.delivery_policy, protocol, kOnSubscribe);
}

absl::Status ValidateDeliveryPolicy(std::string_view json, Protocol protocol,
                                    std::string_view prefix) {
  if (!json.empty() && !IsHttp(protocol)) {
    return Error(AwsError::kTopicInvalidParameter, prefix, "Delivery protocol [",
                 ProtocolName(protocol), "] does not support a DeliveryPolicy.");
  }
  return ParseDeliveryPolicy(json, prefix).status();
}

}  // namespace banyan::inline v0_1::internal
