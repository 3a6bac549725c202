// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/lint_values.h -- floor 2: a leaf array as the set of values that satisfy it.
//
//   [5, {"numeric": [">", 7]}, "x", {"anything-but": "y"}, {"exists": false}]
//
//   absent    yes
//   literals  true false null                          (anything-but passes them)
//   numbers   all that can be compared, and all others (anything-but passes them)
//   texts     "x", and all but "y"
//
// L1  Values fall apart into strings, comparable numbers, other numbers, true, false, null, and
//     being absent. Of all but strings the set is known exactly, so inclusion is decided: a range
//     covered by two others together is seen.
// L2  Comparable numbers are the finite doubles: each has a spelling that can be compared. A range
//     is kept with its ends included, and ranges that touch as one.
// L3  Strings are a union of tests and of complements of tests. What is claimed of them is proved
//     (lint_text.h); not proved is no claim.
#ifndef BANYAN_LIB_PATTERN_LINT_VALUES_H_
#define BANYAN_LIB_PATTERN_LINT_VALUES_H_

#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/types/span.h"
#include "base/strings.h"
#include "pattern/lint_text.h"
#include "pattern/value_pattern.h"

namespace banyan::inline v0_1::internal {

// A union of tests, with those that only one string passes in a hash set.
class LintTexts {
 public:
  using Exact = absl::flat_hash_set<std::string, StringViewHash, StringViewEqual>;

  void Add(const TextTest& test);

  bool empty() const { return exact_.empty() && tests_.empty(); }
  const Exact& exact() const { return exact_; }
  const std::vector<LintText>& tests() const { return tests_; }

  bool Has(std::string_view text, LintBudget* budget) const;
  bool HasAllOf(const LintText& test, LintBudget* budget) const;      // proved
  bool HasAllOf(const LintTexts& others, LintBudget* budget) const;   // proved
  bool HasNoneOf(const LintText& test, LintBudget* budget) const;     // proved
  bool HasNoneOf(const LintTexts& others, LintBudget* budget) const;  // proved

 private:
  Exact exact_;
  std::vector<LintText> tests_;
};

// The strings of a leaf: some, and the complements of others.
struct LintStrings {
  bool all = false;  // then the rest is empty
  LintTexts some;
  std::vector<LintTexts> all_but;

  bool empty() const { return !all && some.empty() && all_but.empty(); }
  bool Has(std::string_view text, LintBudget* budget) const;
  bool HasAllOf(const LintText& test, LintBudget* budget) const;       // proved
  bool HasAllOf(const LintStrings& others, LintBudget* budget) const;  // proved
};

struct LintNumbers {
  using Range = std::pair<double, double>;  // both ends included, first <= second

  std::vector<Range> comparable;  // sorted, apart from each other (L2)
  bool all_others = false;
  absl::flat_hash_set<std::string> others;  // empty if all_others

  bool all() const;
  bool empty() const { return comparable.empty() && !all_others && others.empty(); }
  bool HasAllOf(const LintNumbers& numbers) const;
};

struct LintValues {
  // The values must outlive the set. May find less than there is when the budget ends.
  static LintValues Of(absl::Span<const ValuePattern> alternatives, LintBudget* budget);

  bool absent = false;
  bool is_true = false, is_false = false, is_null = false;
  LintNumbers numbers;
  LintStrings strings;

  // No value, and not absence either.
  bool empty() const { return !absent && present_empty(); }
  bool present_empty() const {
    return !is_true && !is_false && !is_null && numbers.empty() && strings.empty();
  }
  // Every value, whatever its type. Proved.
  bool HasAllPresent() const {
    return is_true && is_false && is_null && numbers.all() && strings.all;
  }
  // Proved.
  bool HasAllOf(const LintValues& others, LintBudget* budget) const;

  // If the set is finite and has no absence: a word for each member, so that equal members of two
  // sets have equal words. Otherwise nullopt.
  std::optional<std::vector<std::string>> Words() const;
};

// The comparable numbers of a range; nullopt if there are none between its bounds.
std::optional<LintNumbers::Range> ComparableRange(const NumberRange& range);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_LINT_VALUES_H_
