// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/lint_list.h -- floor 2: which alternatives of one leaf array do nothing beside the
// others?
//
//   ["abc", {"prefix": "a"}, "abc", {"numeric": [">", 0]}, 5]
//      0 is covered by 1, 2 is as 0, 4 is covered by 3
//
// A list of ten thousand values is legal, so pairs are not tried: equal ones meet in a hash map,
// prefixes and suffixes are looked up by the lengths that occur, numbers are swept in order. Only
// what covers strings in other ways (wildcards, addresses, anything-but, ...) is held against each
// value, within the budget.
#ifndef BANYAN_LIB_PATTERN_LINT_LIST_H_
#define BANYAN_LIB_PATTERN_LINT_LIST_H_

#include <cstddef>
#include <vector>

#include "absl/types/span.h"
#include "pattern/lint_text.h"
#include "pattern/value_pattern.h"

namespace banyan::inline v0_1::internal {

struct CoveredValue {
  size_t value;  // this alternative ...
  size_t by;     // ... says nothing that this one does not say. Never itself covered by `value`
  bool is_same;  // and the reverse
};

// In the order of values. Proved: without all of them the list means the same.
std::vector<CoveredValue> FindCovered(absl::Span<const ValuePattern> values, LintBudget* budget);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_LINT_LIST_H_
