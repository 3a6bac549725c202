// SPDX-License-Identifier: Apache-2.0
//
// lib/route/publish_rules.h -- floor 5: what a topic refuses, in SNS's words.
#ifndef BANYAN_LIB_ROUTE_PUBLISH_RULES_H_
#define BANYAN_LIB_ROUTE_PUBLISH_RULES_H_

#include <string_view>

#include "absl/status/status.h"
#include "banyan/attributes.h"
#include "banyan/limits.h"
#include "banyan/topic.h"

namespace banyan::inline v0_1::internal {

absl::Status ValidateTopicName(std::string_view name, const Limits& limits);
absl::Status ValidateTopicOptions(const TopicOptions& options);

// Names, types and values, in the order SNS looks at them.
absl::Status ValidateTopicAttributes(const Attributes& attributes, const Limits& limits);

// Subject, body, attributes, size: in this order, first fault first.
absl::Status ValidatePublish(const PublishRequest& request, const Limits& limits);

// A message that comes from a bus.
absl::Status ValidateBodySize(int64_t bytes, const Limits& limits);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_PUBLISH_RULES_H_
