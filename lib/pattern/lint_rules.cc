// SPDX-License-Identifier: Apache-2.0
#include "pattern/lint_rules.h"

#include <algorithm>
#include <optional>

#include "absl/container/flat_hash_set.h"
#include "base/strings.h"

namespace banyan::inline v0_1::internal {
namespace {

constexpr size_t kNoRule = static_cast<size_t>(-1);

// Places in the index. Lengths keep parts apart.
std::string PathPlace(std::string_view scope, std::string_view path) {
  return StrCat(scope.size(), ":", scope, path.size(), ":", path);
}
std::string WordPlace(std::string_view scope, std::string_view path, std::string_view word) {
  return StrCat(PathPlace(scope, path), "=", word);
}
std::string AnyPlace(std::string_view scope) { return StrCat(scope.size(), ":", scope, "*"); }

// Does each sub-rule of `a` that can match imply one of `b`?
bool Implies(const PatternModel& a, const PatternModel& b, LintBudget* budget) {
  return std::all_of(a.sub_rules.begin(), a.sub_rules.end(), [&](const SubRuleModel& ours) {
    return !ours.can_match ||
           std::any_of(b.sub_rules.begin(), b.sub_rules.end(), [&](const SubRuleModel& theirs) {
             return theirs.can_match && Implies(ours, theirs, budget);
           });
  });
}

bool Takes(const SubRuleModel& sub_rule, OrBranch branch) {
  return std::find(sub_rule.choices.begin(), sub_rule.choices.end(), branch) !=
         sub_rule.choices.end();
}

}  // namespace

void SubRuleIndex::Add(std::string_view scope, const SubRuleModel& sub_rule, size_t owner) {
  // Fewest exact values first; a condition that may be left out by who looks does not count.
  const LeafModel* chosen = nullptr;
  std::optional<std::vector<std::string>> words;
  for (const LeafModel* leaf : sub_rule.conditions) {
    if (leaf->always_holds) continue;
    std::optional<std::vector<std::string>> own = leaf->values.Words();
    const bool is_better = chosen == nullptr ||
                           (own.has_value() && (!words.has_value() || own->size() < words->size()));
    if (!is_better) continue;
    chosen = leaf;
    words = std::move(own);
  }
  const Entry entry{.sub_rule = &sub_rule, .owner = owner};
  if (chosen == nullptr) {
    entries_[AnyPlace(scope)].push_back(entry);
  } else if (!words.has_value()) {
    entries_[PathPlace(scope, chosen->path)].push_back(entry);
  } else {
    for (const std::string& word : *words) {
      entries_[WordPlace(scope, chosen->path, word)].push_back(entry);
    }
  }
}

std::vector<std::string> SubRuleIndex::PlacesToLook(std::string_view scope,
                                                    const SubRuleModel& sub_rule) {
  std::vector<std::string> places = {AnyPlace(scope)};
  for (const LeafModel* leaf : sub_rule.conditions) {
    places.push_back(PathPlace(scope, leaf->path));
    // If all values are among those of another, so is the first.
    const std::optional<std::vector<std::string>> words = leaf->values.Words();
    if (words.has_value() && !words->empty()) {
      places.push_back(WordPlace(scope, leaf->path, words->front()));
    }
  }
  return places;
}

std::vector<ImpliedBranch> FindImpliedBranches(const PatternModel& model, LintBudget* budget) {
  const std::vector<SubRuleModel>& sub_rules = model.sub_rules;
  if (sub_rules.size() < 2) return {};
  SubRuleIndex index;
  for (size_t i = 0; i < sub_rules.size(); ++i) {
    if (sub_rules[i].can_match) index.Add("", sub_rules[i], i);
  }
  // by[i]: a sub-rule that i implies. Following it ends at one that implies no other.
  std::vector<size_t> by(sub_rules.size(), kNoRule);
  const auto root = [&by](size_t i) {
    while (by[i] != kNoRule) i = by[i];
    return i;
  };
  for (size_t i = 0; i < sub_rules.size() && !budget->exhausted(); ++i) {
    if (!sub_rules[i].can_match) continue;
    index.ForEachCandidate("", sub_rules[i], [&](const SubRuleIndex::Entry& entry) {
      if (entry.owner == i || !Implies(sub_rules[i], *entry.sub_rule, budget)) {
        return !budget->exhausted();
      }
      const size_t end = root(entry.owner);
      if (end == i) return true;  // equal; that one is implied already
      // Of two equal ones the later is the one too many.
      if (entry.owner > i && Implies(*entry.sub_rule, sub_rules[i], budget)) return true;
      by[i] = end;
      return false;
    });
  }

  std::vector<ImpliedBranch> implied;
  std::vector<bool> is_said(sub_rules.size(), false);
  for (uint32_t o = 0; o < model.ors.size(); ++o) {
    for (uint32_t b = 0; b < model.ors[o].branch_begins.size(); ++b) {
      const OrBranch branch(o, b);
      if (!budget->Spend(sub_rules.size())) return implied;
      std::vector<size_t> members;
      for (size_t i = 0; i < sub_rules.size(); ++i) {
        if (sub_rules[i].can_match && Takes(sub_rules[i], branch)) members.push_back(i);
      }
      const bool is_implied = std::all_of(members.begin(), members.end(), [&](size_t i) {
        return !Takes(sub_rules[root(i)], branch);
      });
      const bool is_new =
          std::any_of(members.begin(), members.end(), [&](size_t i) { return !is_said[i]; });
      if (!is_implied || !is_new) continue;
      ImpliedBranch found{.branch = branch, .by = branch};
      for (const size_t i : members) is_said[i] = true;
      // Is there one sibling that takes the place of this branch in each of its sub-rules?
      for (uint32_t s = 0; s < model.ors[o].branch_begins.size() && found.by == branch; ++s) {
        const OrBranch sibling(o, s);
        if (std::all_of(members.begin(), members.end(),
                        [&](size_t i) { return Takes(sub_rules[root(i)], sibling); })) {
          found.by = sibling;
        }
      }
      found.is_same = found.by != branch && members.size() == 1 &&
                      Implies(sub_rules[root(members[0])], sub_rules[members[0]], budget);
      implied.push_back(found);
    }
  }
  return implied;
}

IdCounts CountIds(absl::Span<const LintRule> rules) {
  IdCounts counts;
  for (const LintRule& rule : rules) ++counts[rule.id];
  return counts;
}

std::vector<ImpliedRule> FindImpliedRules(const std::vector<std::unique_ptr<PatternModel>>& models,
                                          absl::Span<const LintRule> rules, const IdCounts& ids,
                                          LintBudget* budget) {
  // Rules without targets share the scope "", others one per target.
  const auto for_each_scope = [&rules](size_t i, const auto& visit) {
    if (rules[i].targets.empty()) return visit(std::string());
    for (const std::string& target : rules[i].targets) visit(StrCat("to ", target));
  };
  const auto takes_part = [&](size_t i) {
    return models[i]->compiled != nullptr && models[i]->can_match && rules[i].is_enabled &&
           ids.at(rules[i].id) == 1;
  };
  SubRuleIndex index;
  for (size_t i = 0; i < models.size(); ++i) {
    if (!takes_part(i)) continue;
    for_each_scope(i, [&](const std::string& scope) {
      for (const SubRuleModel& sub_rule : models[i]->sub_rules) {
        if (sub_rule.can_match) index.Add(scope, sub_rule, i);
      }
    });
  }

  std::vector<ImpliedRule> implied;
  for (size_t i = 0; i < models.size() && !budget->exhausted(); ++i) {
    if (!takes_part(i)) continue;
    // What the whole rule implies, its first sub-rule implies.
    const SubRuleModel& first =
        *std::find_if(models[i]->sub_rules.begin(), models[i]->sub_rules.end(),
                      [](const SubRuleModel& sub_rule) { return sub_rule.can_match; });
    std::optional<ImpliedRule> best;
    absl::flat_hash_set<size_t> tried;
    for_each_scope(i, [&](const std::string& scope) {
      index.ForEachCandidate(scope, first, [&](const SubRuleIndex::Entry& entry) {
        const size_t other = entry.owner;
        if (other == i || tried.contains(other) || !Implies(first, *entry.sub_rule, budget)) {
          return !budget->exhausted();
        }
        tried.insert(other);
        if (!Implies(*models[i], *models[other], budget)) return true;
        const bool is_same = Implies(*models[other], *models[i], budget);
        if (is_same && other > i) return true;  // said of the other
        // Equal is worth more than implied, then the earliest.
        if (!best.has_value() || (is_same && !best->is_same) ||
            (is_same == best->is_same && other < best->by)) {
          best = {.rule = i,
                  .by = other,
                  .is_same = is_same,
                  .target = scope.empty() ? "" : scope.substr(3)};
        }
        return true;
      });
    });
    if (best.has_value()) implied.push_back(*best);
  }
  return implied;
}

}  // namespace banyan::inline v0_1::internal
