// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/message_filter.h -- floor 5: which messages does a consumer want? Its filters, asked
// all at once.
//
//   Received --> {"messageId": ..., "body": ..., "attributes": {...}, ...} --> RuleIndex --> yes/no
//                only the members that some filter asks for
//
// F1  A body that is one JSON object, within limits.pattern, stands in the record as that object;
//     every other body as a string.
// F2  A condition below `body` is for JSON bodies, one on `body` itself for strings, and neither is
//     ever true of the other kind: not even {"exists": false}, which the pattern language alone
//     would answer with yes. So a filter is filed as up to three rules, by the bodies it is for,
//     and a rule for the other kind counts as no match. The kind is found per alternative of an
//     "$or", so that one filter can name both.
// F3  A record that the index refuses (larger or more deeply nested than it looks at) matches
//     nothing.
//
// Cost of a message: a copy of each member that is asked for. If that is the body, its bytes are
// read twice to check them as JSON, on its own and within the record. On its own, because a text
// like {"a":1},"awsRegion":"x" is no JSON and must not become a part of the record.
#ifndef BANYAN_LIB_CONSUME_MESSAGE_FILTER_H_
#define BANYAN_LIB_CONSUME_MESSAGE_FILTER_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/arn.h"
#include "banyan/limits.h"
#include "banyan/queue.h"
#include "banyan/rule_set.h"
#include "base/strings.h"
#include "pattern/compiled_pattern.h"
#include "pattern/event_checker.h"
#include "pattern/rule_index.h"

namespace banyan::inline v0_1::internal {

// Threads   One at a time.
class MessageFilter {
 public:
  // `queue` is where the messages come from. Null if there are no filters.
  //
  // Errors  kInvalidArgument: more filters than limits.consumer allows, or one that is too long or
  //         no event pattern.
  static absl::StatusOr<std::unique_ptr<MessageFilter>> Make(absl::Span<const std::string> filters,
                                                             const Arn& queue,
                                                             const Limits& limits);

  // Does any filter match?
  bool Matches(const Received& message);

 private:
  MessageFilter(size_t filter_count, const Arn& queue, const Limits& limits);

  void Add(size_t number, const CompiledPattern& pattern);
  bool Wants(std::string_view member) const { return wanted_.contains(member); }
  // The body's object, or nothing if it is none.
  std::string_view JsonObject(std::string_view body);

  const Limits record_limits_;
  const Limits body_limits_;  // the record will be around it
  const std::string queue_arn_;
  const std::string region_;
  RuleIndex rules_;
  // Members of the record.
  absl::flat_hash_set<std::string, StringViewHash, StringViewEqual> wanted_;
  EventChecker checker_;
  CheckedEvent body_ = EventChecker::Blank();  // the last that was checked; kept for its memory
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_MESSAGE_FILTER_H_
