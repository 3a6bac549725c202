// SPDX-License-Identifier: Apache-2.0
//
// lib/queue/attributes.h -- floor 3, the queue room: a queue's options under AWS's names and as
// AWS's strings, in both directions.
//
//   {"VisibilityTimeout": "60", "FifoQueue": "true"}  <->  QueueOptions
//
// Numbers are whole seconds or bytes, in decimal digits; booleans are "true" and "false"; policies
// are JSON. All of it pure: no queue is touched, and on an error nothing has changed.
#ifndef BANYAN_LIB_QUEUE_ATTRIBUTES_H_
#define BANYAN_LIB_QUEUE_ATTRIBUTES_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/limits.h"
#include "banyan/queue.h"
#include "queue/redrive_policy.h"  // IWYU pragma: export

namespace banyan::inline v0_1::internal {

using AttributeMap = std::map<std::string, std::string>;

// --- From strings to options

// Whether it will be a FIFO queue is said once, when it is created.
enum class AttributesFor { kNewQueue, kExistingQueue };

// `base` with what is given in place of what it says, everything validated. "" unsets Policy,
// RedrivePolicy, RedriveAllowPolicy and KmsMasterKeyId. Of the two kinds of encryption, turning on
// one turns off the other, unless both are asked for.
absl::StatusOr<QueueOptions> ApplyAttributes(QueueOptions base, const AttributeMap& given,
                                             AttributesFor what, const Limits& limits);

// --- From options to strings

// What a queue shows beside its options.
struct QueueFacts {
  std::string arn = {};
  QueueDepth depth = {};
  int64_t created_unix_seconds = 0;
  int64_t modified_unix_seconds = 0;
};

// Those that are named, or all for "All". Absent: a policy or key that is not set, a reuse period
// that is the default, and what only FIFO queues have. Error: a name that AWS does not know.
absl::StatusOr<AttributeMap> ShowAttributes(const QueueOptions& options, const QueueFacts& facts,
                                            absl::Span<const std::string> names);

// --- Create or open

// The AWS name of the first attribute in which `asked` is not like the queue that is there; empty
// if none. Only what was given counts: here, what `given` names...
std::string_view FirstDifference(const AttributeMap& given, const QueueOptions& asked,
                                 const QueueOptions& stored);
// ... and here, each field that is not at its default.
std::string_view FirstDifference(const QueueOptions& asked, const QueueOptions& stored);

absl::Status QueueExistsWithAnother(std::string_view attribute);

// Refuses `attribute`, one of the four that only FIFO queues have.
absl::Status OnlyForFifoQueues(std::string_view attribute);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_QUEUE_ATTRIBUTES_H_
