// SPDX-License-Identifier: Apache-2.0
//
// lib/route/topic_attributes.h -- floor 5: what can be set of a topic and its subscriptions, under
// SNS's names and as SNS's strings, in both directions.
//
//   {"DisplayName": "Orders", "FifoTopic": "true"}  <->  TopicOptions
//
// All of it pure: no topic is touched, and on an error nothing has changed.
#ifndef BANYAN_LIB_ROUTE_TOPIC_ATTRIBUTES_H_
#define BANYAN_LIB_ROUTE_TOPIC_ATTRIBUTES_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/topic.h"
#include "deliver/delivery_policy.h"

namespace banyan::inline v0_1::internal {

using AttributeStrings = std::map<std::string, std::string>;

// --- Topics

// A new topic's options: `given` in place of what the defaults say. Not validated but for syntax.
absl::StatusOr<TopicOptions> TopicOptionsFrom(const AttributeStrings& given);

// `options` with one attribute changed. "" unsets what can be unset.
absl::Status SetTopicAttribute(std::string_view name, std::string_view value,
                               TopicOptions* options);

// What a topic shows beside its options.
struct TopicFacts {
  std::string arn;
  std::string owner;  // an account
  int64_t confirmed = 0;
  int64_t pending = 0;
  int64_t deleted = 0;
  std::optional<absl::Time> beginning_archive_time = std::nullopt;
};
AttributeStrings ShowTopicAttributes(const TopicOptions& options, const TopicFacts& facts);

// True if each of `given` is what the topic shows.
bool TopicHas(const AttributeStrings& given, const TopicOptions& stored);

// --- Permissions: `policy` with one statement more, which lets `accounts` do `actions` ("Publish");
// or without those of that label. An empty policy stands for SNS's default one.
std::string DefaultTopicPolicy(std::string_view topic_arn, std::string_view owner);
absl::StatusOr<std::string> AddTopicPermission(std::string_view policy, std::string_view topic_arn,
                                               std::string_view owner, std::string_view label,
                                               absl::Span<const std::string> accounts,
                                               absl::Span<const std::string> actions);
absl::StatusOr<std::string> RemoveTopicPermission(std::string_view policy,
                                                  std::string_view topic_arn,
                                                  std::string_view owner, std::string_view label);
absl::Status ValidateTopicPolicy(std::string_view policy);

// --- Tags: 50 at most, keys of 1 to 128 characters, values of at most 256.
absl::Status ValidateTopicTags(const AttributeStrings& tags);

// --- Values that are JSON

// {"PointType":"Timestamp","StartingPoint":"2026-01-01T00:00:00Z","EndingPoint":...}; nothing for
// "" and {}.
absl::StatusOr<std::optional<ReplayPolicy>> ParseReplayPolicy(std::string_view json);
std::string ReplayPolicyText(const ReplayPolicy& policy);

// {"deadLetterTargetArn":"..."}: the ARN; nothing for "" and {}. `prefix`: see subscription_rules.h.
absl::StatusOr<std::optional<Arn>> ParseSubscriptionRedrive(std::string_view json,
                                                            std::string_view prefix);

// In the shape of a topic's DeliveryPolicy, and of a subscription's.
std::string EffectiveTopicPolicyText(const EffectiveDeliveryPolicy& policy,
                                     bool disables_overrides);
std::string EffectiveSubscriptionPolicyText(const EffectiveDeliveryPolicy& policy);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_TOPIC_ATTRIBUTES_H_
