// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/lint_rules.h -- floor 2: which branches and rules are idle beside others?
//
// Rule A implies B if each sub-rule of A implies some sub-rule of B (lint_model.h says when): then
// every event that matches A matches B.
// Not every pair is tried. What a sub-rule implies asks for no path that the sub-rule does not ask
// for, and if it asks for exact values, the sub-rule's own are among them. So each is filed under
// one of its conditions, by path or by path and value, and the others look under all of theirs.
#ifndef BANYAN_LIB_PATTERN_LINT_RULES_H_
#define BANYAN_LIB_PATTERN_LINT_RULES_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/types/span.h"
#include "pattern/lint_model.h"

namespace banyan::inline v0_1::internal {

// Sub-rules by what they ask. `scope` separates those that need not meet (other targets).
class SubRuleIndex {
 public:
  struct Entry {
    const SubRuleModel* sub_rule;
    size_t owner;  // the caller's number
  };

  void Add(std::string_view scope, const SubRuleModel& sub_rule, size_t owner);
  // Calls visit(entry) for each entry that the sub-rule may imply, some of them twice. Stops when
  // it answers false.
  template <typename Visit>
  void ForEachCandidate(std::string_view scope, const SubRuleModel& sub_rule,
                        const Visit& visit) const {
    for (const std::string& place : PlacesToLook(scope, sub_rule)) {
      const auto found = entries_.find(place);
      if (found == entries_.end()) continue;
      for (const Entry& entry : found->second) {
        if (!visit(entry)) return;
      }
    }
  }

 private:
  static std::vector<std::string> PlacesToLook(std::string_view scope,
                                               const SubRuleModel& sub_rule);

  absl::flat_hash_map<std::string, std::vector<Entry>> entries_;
};

struct ImpliedBranch {
  OrBranch branch;
  // The branch of the same "$or" that says it all; itself if others are needed together.
  OrBranch by;
  bool is_same = false;  // and the reverse
};

// Branches that imply others and can be left out, all of them at once. Proved.
std::vector<ImpliedBranch> FindImpliedBranches(const PatternModel& model, LintBudget* budget);

struct ImpliedRule {
  size_t rule;
  size_t by;
  bool is_same;
  std::string target;  // one that both deliver to; "" if they have none
};

// How many rules have an id.
using IdCounts = absl::flat_hash_map<std::string_view, size_t>;
IdCounts CountIds(absl::Span<const LintRule> rules);

// Rules that imply others, in their order, one row each; of equal rules the later is named. Passed
// over are those that are not valid, never match, or are disabled, and those that share an id: a
// sentence could not tell them apart. models[i] is of rules[i].
std::vector<ImpliedRule> FindImpliedRules(const std::vector<std::unique_ptr<PatternModel>>& models,
                                          absl::Span<const LintRule> rules, const IdCounts& ids,
                                          LintBudget* budget);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_LINT_RULES_H_
