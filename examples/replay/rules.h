// SPDX-License-Identifier: Apache-2.0
//
// The rules file of replay: a JSON array of
//
//   {"name": "big-orders", "description": "optional",
//    "pattern": {"detail": {"total": [{"numeric": [">", 100]}]}},
//    "target": {"queue": "billing"}}
//
// A target is {"queue": NAME}, {"stream": NAME} or {"stream": NAME, "partition_key":
// "$.detail.id"}; "target" may also be an array of them. Rules may share a queue or stream.
#ifndef BANYAN_EXAMPLES_REPLAY_RULES_H_
#define BANYAN_EXAMPLES_REPLAY_RULES_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace replay {

struct TargetSpec {
  enum class Kind { kQueue, kStream };
  Kind kind = Kind::kQueue;
  std::string name;
  std::string partition_key_path;  // of a stream; may be empty
};

struct RuleSpec {
  std::string name;
  std::string description;
  std::string pattern;  // JSON text
  std::vector<TargetSpec> targets;
};

// The error says what is wrong and where: the byte of malformed JSON, or the rule and the member.
absl::StatusOr<std::vector<RuleSpec>> ParseRules(std::string_view json);

}  // namespace replay

#endif  // BANYAN_EXAMPLES_REPLAY_RULES_H_
