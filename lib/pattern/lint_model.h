// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/lint_model.h -- floor 2: a pattern as the linter sees it: what the compiler made of
// it, joined to the places in the text.
//
//   leaves      in the order of the text, with path, value set, and what is known of the field
//   sub-rules   as compiled, their conditions pointing to leaves, with the branches they took
//
// M1  The meaning is the compiler's (CompiledPattern): a leaf takes part in the sub-rules whose
//     conditions hold it. One that takes part in none was replaced. Only the choice of branches is
//     worked out here, in the compiler's order of sub-rules.
// M2  A leaf that cannot hold is proved never to be satisfied; one that always holds, to be
//     satisfied by every event when it stands alone.
#ifndef BANYAN_LIB_PATTERN_LINT_MODEL_H_
#define BANYAN_LIB_PATTERN_LINT_MODEL_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "banyan/lint.h"
#include "pattern/compiled_pattern.h"
#include "pattern/lint_envelope.h"
#include "pattern/lint_values.h"

namespace banyan::inline v0_1::internal {

// Branch `second` of the pattern's "$or" number `first`.
using OrBranch = std::pair<uint32_t, uint32_t>;

struct LeafModel {
  std::string path;
  std::string name;
  size_t name_begin = 0;
  std::vector<OrBranch> branches;  // around the leaf
  std::shared_ptr<const LeafSyntax> leaf;

  std::optional<FieldFacts> facts;
  LintValues values;
  bool is_live = false;  // it is a condition of some sub-rule
  bool can_hold = true;
  bool always_holds = false;
};

struct OrModel {
  std::vector<size_t> branch_begins;  // offsets
};

struct SubRuleModel {
  std::vector<const LeafModel*> conditions;  // in the compiler's order of paths
  std::vector<OrBranch> choices;             // in the order of the text
  bool can_match = true;
};

struct PatternModel {
  std::shared_ptr<const CompiledPattern> compiled;  // null: `error` says why
  PatternError error;
  std::optional<PatternError> or_complaint;  // why "$or" was read as the name of a field
  // Neither may be added to once the model is built: pointers lead into it.
  std::vector<LeafModel> leaves;
  std::vector<OrModel> ors;
  std::vector<SubRuleModel> sub_rules;
  bool can_match = true;
};

// `text` need not outlive the model.
std::unique_ptr<PatternModel> ModelOf(std::string_view text, const LintOptions& options,
                                      LintBudget* budget);

// The part of a path up to its first dot. Fields whose paths differ there never lie in one array.
inline std::string_view FirstSegment(std::string_view path) {
  return path.substr(0, path.find('.'));
}

// Every event that matches the sub-rule `a` matches `b`. Proved.
bool Implies(const SubRuleModel& a, const SubRuleModel& b, LintBudget* budget);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_LINT_MODEL_H_
