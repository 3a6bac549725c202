// SPDX-License-Identifier: Apache-2.0
//
// lib/consume/record_filter.h -- floor 5: does any filter of an event source mapping match a record?
// What filters on messages and on records of a stream have in common.
//
//   payload, other members --> {"body": ..., "messageId": ..., ...} --> RuleIndex --> yes/no
//                              only the members that some filter asks for
//
// F1  A payload that is one JSON object, within limits.pattern, stands in the record as that object;
//     every other payload as a string.
// F2  A condition below the payload is for JSON objects, one on the payload itself for strings, and
//     neither is ever true of the other kind: not even {"exists": false}, which the pattern language
//     alone would answer with yes. So a filter is filed as up to three rules, by the payloads it is
//     for, and a rule for the other kind counts as no match. The kind is found per alternative of an
//     "$or", so that one filter can name both.
// F3  A record that the index refuses (larger or more deeply nested than it looks at) matches
//     nothing.
//
// Cost of a record: a copy of each member that is asked for. If that is the payload, its bytes are
// read twice to check them as JSON, on its own and within the record. On its own, because a text
// like {"a":1},"awsRegion":"x" is no JSON and must not become a part of the record.
#ifndef BANYAN_LIB_CONSUME_RECORD_FILTER_H_
#define BANYAN_LIB_CONSUME_RECORD_FILTER_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"
#include "banyan/limits.h"
#include "banyan/rule_set.h"
#include "base/json.h"
#include "base/strings.h"
#include "pattern/compiled_pattern.h"
#include "pattern/event_checker.h"
#include "pattern/rule_index.h"

namespace banyan::inline v0_1::internal {

// Writes the members of one JSON object.
class ObjectWriter {
 public:
  explicit ObjectWriter(std::string* out) : out_(out) { out_->push_back('{'); }

  // Begins a member whose value the caller appends.
  std::string* Name(std::string_view name) {
    if (!first_) out_->push_back(',');
    first_ = false;
    AppendJsonString(out_, name);
    out_->push_back(':');
    return out_;
  }
  void Text(std::string_view name, std::string_view value) { AppendJsonString(Name(name), value); }
  void End() { out_->push_back('}'); }

 private:
  std::string* const out_;
  bool first_ = true;
};

// Threads   One at a time.
class RecordFilter {
 public:
  // `payload` is the name of the member that F1 and F2 speak of. Null if there are no filters.
  //
  // Errors  kInvalidArgument: more filters than limits.consumer allows, or one that is too long or
  //         no event pattern.
  static absl::StatusOr<std::unique_ptr<RecordFilter>> Make(absl::Span<const std::string> filters,
                                                            std::string_view payload,
                                                            const Limits& limits);

  // Does any filter ask for this member? The others need not be written.
  bool Wants(std::string_view member) const { return wanted_.contains(member); }

  // Does any filter match? `others` writes the members beside the payload.
  bool Matches(std::string_view payload, absl::FunctionRef<void(ObjectWriter*)> others);

 private:
  RecordFilter(size_t filter_count, std::string_view payload, const Limits& limits);

  void Add(size_t number, const CompiledPattern& pattern);
  // The payload's object, or nothing if it is none.
  std::string_view JsonObject(std::string_view payload);

  const std::string payload_name_;
  const Limits record_limits_;
  const Limits payload_limits_;  // the record will be around it
  RuleIndex rules_;
  // Members of the record.
  absl::flat_hash_set<std::string, StringViewHash, StringViewEqual> wanted_;
  EventChecker checker_;
  CheckedEvent payload_ = EventChecker::Blank();  // the last that was checked; kept for its memory
};

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_CONSUME_RECORD_FILTER_H_
