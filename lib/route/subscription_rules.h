// SPDX-License-Identifier: Apache-2.0
//
// lib/route/subscription_rules.h -- floor 5: which targets a topic takes, and with what options.
#ifndef BANYAN_LIB_ROUTE_SUBSCRIPTION_RULES_H_
#define BANYAN_LIB_ROUTE_SUBSCRIPTION_RULES_H_

#include <memory>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "banyan/target.h"
#include "banyan/topic.h"
#include "message/environment.h"
#include "message/errors.h"
#include "message/sink.h"
#include "route/publication.h"

namespace banyan::inline v0_1::internal {

// What SNS puts before errors in a subscription's attributes when it is made.
inline constexpr std::string_view kOnSubscribe = "Invalid parameter: Attributes Reason: ";
// And when it is changed.
inline constexpr std::string_view kOnChange = "Invalid parameter: ";

inline absl::Status NoSubscription() {
  return Error(AwsError::kTopicNotFound, "Subscription does not exist");
}

// The queue or function that the subscription delivers to, null for what is outside the broker; or
// why there is no such subscription.
absl::StatusOr<std::shared_ptr<Sink>> ResolveEndpoint(const Target& target);

// OK, or SNS's error: a target of another broker, or not for this kind of topic, or with settings
// that only rules have; a bad address, dead-letter queue or retry policy.
absl::Status ValidateSubscriptionTarget(const Target& target, bool topic_is_fifo,
                                        const Environment& env);

// What the options may say about a target that was validated; `protocol` is its. Filter policies
// are compiled elsewhere.
absl::Status ValidateSubscriptionOptions(const SubscriptionOptions& options, Protocol protocol);
absl::Status ValidateDeliveryPolicy(std::string_view json, Protocol protocol,
                                    std::string_view prefix);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_SUBSCRIPTION_RULES_H_
