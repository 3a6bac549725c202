// SPDX-License-Identifier: Apache-2.0
#include "pattern/lint_model.h"

#include <algorithm>
#include <iterator>
#include <variant>

#include "absl/container/flat_hash_map.h"
#include "base/check.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {
namespace {

using Choices = std::vector<OrBranch>;

// Walks the tree as the compiler's expansion does: "$or" multiplies what came before it by its
// branches, branch by branch.
class TreeWalk {
 public:
  explicit TreeWalk(PatternModel* model) : model_(*model) {}

  // `choices` has an entry per sub-rule so far.
  void Walk(const ObjectSyntax& object, const std::string& path, std::vector<Choices>* choices) {
    for (const MemberSyntax& member : object.members) {
      if (!member.alternatives.empty()) {
        WalkOr(member, path, choices);
        continue;
      }
      const std::string member_path = path.empty() ? member.name : StrCat(path, ".", member.name);
      if (member.object != nullptr) {
        Walk(*member.object, member_path, choices);
        continue;
      }
      LeafModel& leaf = model_.leaves.emplace_back();
      leaf.path = member_path;
      leaf.name = member.name;
      leaf.name_begin = member.begin;
      leaf.branches = around_;
      leaf.leaf = member.leaf;
    }
  }

 private:
  void WalkOr(const MemberSyntax& member, const std::string& path, std::vector<Choices>* choices) {
    const auto number = static_cast<uint32_t>(model_.ors.size());
    model_.ors.emplace_back();
    std::vector<Choices> expanded;
    for (uint32_t b = 0; b < member.alternatives.size(); ++b) {
      const ObjectSyntax& branch = member.alternatives[b];
      model_.ors[number].branch_begins.push_back(branch.begin);
      std::vector<Choices> copies = *choices;
      for (Choices& copy : copies) copy.emplace_back(number, b);
      around_.emplace_back(number, b);
      Walk(branch, path, &copies);
      around_.pop_back();
      std::move(copies.begin(), copies.end(), std::back_inserter(expanded));
    }
    *choices = std::move(expanded);
  }

  PatternModel& model_;
  std::vector<OrBranch> around_;
};

void Judge(LeafModel* leaf, const LintOptions& options, LintBudget* budget) {
  leaf->facts = FactsOf(options.envelope, options.limits, leaf->path);
  leaf->values = LintValues::Of(leaf->leaf->values, budget);
  leaf->can_hold = !leaf->values.empty();
  leaf->always_holds = leaf->values.absent && leaf->values.HasAllPresent();
  if (!leaf->facts.has_value()) return;
  leaf->can_hold =
      leaf->can_hold && !std::all_of(leaf->leaf->values.begin(), leaf->leaf->values.end(),
                                     [&](const ValuePattern& value) {
                                       return FailsFor(*leaf->facts, value, budget);
                                     });
  leaf->always_holds = leaf->always_holds || HoldsFor(*leaf->facts, leaf->values, budget);
}

}  // namespace

std::unique_ptr<PatternModel> ModelOf(std::string_view text, const LintOptions& options,
                                      LintBudget* budget) {
  auto model = std::make_unique<PatternModel>();
  CompileResult result = CompilePattern(text, options.language, options.limits);
  if (auto* error = std::get_if<PatternError>(&result)) {
    model->error = std::move(*error);
    return model;
  }
  model->compiled = std::get<std::shared_ptr<const CompiledPattern>>(std::move(result));

  SyntaxResult parsed = ParsePattern(text, options.language, options.limits, OrKey::kRelation);
  if (parsed.error != nullptr) {
    model->or_complaint = std::move(*parsed.error);
    parsed = ParsePattern(text, options.language, options.limits, OrKey::kFieldName);
  }
  std::vector<Choices> choices(1);
  TreeWalk(model.get()).Walk(parsed.tree, "", &choices);
  const std::vector<SubRule>& sub_rules = model->compiled->sub_rules();
  BANYAN_CHECK(choices.size() == sub_rules.size(), "M1: branches are walked as they are compiled");

  absl::flat_hash_map<size_t, LeafModel*> by_begin;
  for (LeafModel& leaf : model->leaves) {
    by_begin[leaf.leaf->begin] = &leaf;
    Judge(&leaf, options, budget);
  }
  model->can_match = false;
  for (size_t i = 0; i < sub_rules.size(); ++i) {
    SubRuleModel& sub_rule = model->sub_rules.emplace_back();
    sub_rule.choices = std::move(choices[i]);
    for (const Condition& condition : sub_rules[i].conditions) {
      LeafModel* leaf = by_begin.at(condition.leaf->begin);
      leaf->is_live = true;
      sub_rule.can_match = sub_rule.can_match && leaf->can_hold;
      sub_rule.conditions.push_back(leaf);
    }
    model->can_match = model->can_match || sub_rule.can_match;
  }
  return model;
}

// Whatever fields an event's match of `a` chose, the same choice is to satisfy `b`:
//   - Each condition of b needs one of a on its path whose values it all accepts. Left out may be a
//     condition that always holds, if no other of b shares its first segment: otherwise the field
//     chosen for it could pin an array's element down and spoil the others.
//   - "Absent" means absent in the elements chosen for the paths before. With fewer choices before
//     it, b may find the field where a did not. So where a may have taken absence, b must have each
//     condition of a that comes before and can lie in an array with it.
bool Implies(const SubRuleModel& a, const SubRuleModel& b, LintBudget* budget) {
  const auto is_alone = [&b](const LeafModel& leaf) {
    const std::string_view segment = FirstSegment(leaf.path);
    return std::none_of(b.conditions.begin(), b.conditions.end(), [&](const LeafModel* other) {
      return other != &leaf && FirstSegment(other->path) == segment;
    });
  };
  // Both lists are in one order, so the partners are found in one pass.
  std::vector<bool> is_partner(a.conditions.size(), false);
  std::vector<size_t> absences;  // partners in a that may have taken absence
  size_t at = 0;
  for (const LeafModel* wanted : b.conditions) {
    if (!budget->Spend(1)) return false;
    while (at < a.conditions.size() && Utf16Less()(a.conditions[at]->path, wanted->path)) {
      ++at;
      if (!budget->Spend(1)) return false;
    }
    if (wanted->always_holds && is_alone(*wanted)) continue;
    if (at == a.conditions.size() || a.conditions[at]->path != wanted->path) return false;
    const LeafModel* given = a.conditions[at];
    if (given != wanted && !wanted->values.HasAllOf(given->values, budget)) return false;
    is_partner[at] = true;
    if (given->values.absent) absences.push_back(at);
  }
  return std::all_of(absences.begin(), absences.end(), [&](size_t absence) {
    const std::string_view segment = FirstSegment(a.conditions[absence]->path);
    for (size_t i = 0; i < absence; ++i) {
      if (!is_partner[i] && FirstSegment(a.conditions[i]->path) == segment) return false;
    }
    return true;
  });
}

}  // namespace banyan::inline v0_1::internal
