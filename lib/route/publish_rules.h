// SPDX-License-Identifier: Apache-2.0
//
// lib/route/publish_rules.h -- floor 5: what a topic refuses, in SNS's words.
#ifndef BANYAN_LIB_ROUTE_PUBLISH_RULES_H_
#define BANYAN_LIB_ROUTE_PUBLISH_RULES_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/limits.h"
#include "banyan/topic.h"
#include "route/publication.h"

namespace banyan::inline v0_1::internal {

absl::Status ValidateTopicName(std::string_view name, bool fifo, const Limits& limits);
absl::Status ValidateTopicOptions(const TopicOptions& options);
absl::Status ValidateReplayPolicy(const ReplayPolicy& policy, absl::Time now);

// Names, types and values, in the order SNS looks at them. `place`: where in the call they stand,
// "publishBatchRequestEntries.1.member.".
absl::Status ValidateTopicAttributes(const Attributes& attributes, const Limits& limits,
                                     std::string_view place = {});

// What of a topic decides about a publish.
struct TopicKind {
  bool fifo = false;
  bool content_based_deduplication = false;
};

// Subject, body, attributes, size, FIFO ids, JSON structure: in this order, first fault first.
// `topic`: where it is published.
absl::Status ValidatePublish(const PublishRequest& request, const TopicKind& topic,
                             const Limits& limits);

// What refuses a batch as a whole. Each request still has to pass ValidatePublish.
absl::Status ValidateBatchPublish(absl::Span<const PublishRequest> requests, const TopicKind& topic,
                                  const Limits& limits);

// The texts of a JSON structure: for each protocol that has one of its own, and for the others.
struct MessageStructure {
  std::string others;
  std::array<std::optional<std::string>, kProtocols.size()> of_protocol;
};
absl::StatusOr<MessageStructure> ReadMessageStructure(std::string_view body);

// What counts towards the size of a message: body and attributes.
int64_t BytesOf(const PublishRequest& request);

// A message that comes from a bus.
absl::Status ValidateBodySize(int64_t bytes, const Limits& limits);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_ROUTE_PUBLISH_RULES_H_
