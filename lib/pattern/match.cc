// SPDX-License-Identifier: Apache-2.0
#include "pattern/match.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "pattern/element_search.h"

namespace banyan::inline v0_1::internal {

bool Satisfies(const Condition& condition, const EventFields::Field& field) {
  const std::vector<ValuePattern>& values = condition.leaf->values;
  return std::any_of(values.begin(), values.end(),
                     [&field](const ValuePattern& value) { return Matches(value, field.value); });
}

namespace {

// A condition looked at alone, without the choices for the others.
struct Lone {
  std::vector<uint32_t> elements;  // of the fields that satisfy it, sorted, each once
  std::vector<uint32_t> all;       // of all fields of its path; only filled if absence is accepted
  bool has_fields = false;
  bool in_arrays = false;  // some field of the path lies in an array element

  bool can_hold(const Condition& condition) const {
    return !elements.empty() || (condition.accepts_absence && !(has_fields && !in_arrays));
  }
};

Lone LookAt(const Condition& condition, const EventFields& fields) {
  Lone lone;
  for (const EventFields::Field& field : fields.Find(condition.path)) {
    lone.has_fields = true;
    lone.in_arrays = lone.in_arrays || field.element != kOutside;
    if (Satisfies(condition, field)) lone.elements.push_back(field.element);
    if (condition.accepts_absence) lone.all.push_back(field.element);
  }
  SortOnce(&lone.elements);
  SortOnce(&lone.all);
  return lone;
}

}  // namespace

Verdict Judge(const SubRule& sub_rule, const EventFields& fields, Thoroughness thoroughness,
              int64_t* steps) {
  Verdict verdict;
  std::vector<std::pair<size_t, Lone>> in_arrays;
  for (size_t i = 0; i < sub_rule.conditions.size(); ++i) {
    const Condition& condition = sub_rule.conditions[i];
    Lone lone = LookAt(condition, fields);
    if (!lone.can_hold(condition)) {
      if (verdict.failing == 0) verdict.first_failing = i;
      verdict.kind = Verdict::Kind::kUnmet;
      ++verdict.failing;
      if (thoroughness == Thoroughness::kUntilFirstFailure) return verdict;
    } else if (lone.in_arrays) {
      in_arrays.emplace_back(i, std::move(lone));
    }
  }
  if (verdict.failing > 0 || in_arrays.empty()) return verdict;

  ElementSearch search(fields.elements(), steps);
  for (const auto& [i, lone] : in_arrays) {
    search.Add(i, sub_rule.conditions[i].accepts_absence, lone.elements, lone.all);
  }
  const ElementSearch::Answer answer = search.Run();
  if (answer == ElementSearch::Answer::kYes) return verdict;
  return {.kind = answer == ElementSearch::Answer::kNo ? Verdict::Kind::kTornApart
                                                       : Verdict::Kind::kGaveUp,
          .first_failing = search.stuck_at(),
          .failing = 0};
}

bool Match(const CompiledPattern& pattern, const EventFields& fields) {
  if (fields.matches_nothing()) return false;
  int64_t steps = kStepsMax;
  return std::any_of(
      pattern.sub_rules().begin(), pattern.sub_rules().end(),
      [&fields, &steps](const SubRule& sub_rule) {
        return Judge(sub_rule, fields, Thoroughness::kUntilFirstFailure, &steps).kind ==
               Verdict::Kind::kMatched;
      });
}

}  // namespace banyan::inline v0_1::internal
