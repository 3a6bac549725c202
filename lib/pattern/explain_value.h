// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/explain_value.h -- floor 2: a field is there and has none of the values wanted. What
// came nearest?
//
// Looks at values and alternatives in order until it has compared about a megabyte of them.
#ifndef BANYAN_LIB_PATTERN_EXPLAIN_VALUE_H_
#define BANYAN_LIB_PATTERN_EXPLAIN_VALUE_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "pattern/event_fields.h"
#include "pattern/syntax.h"

namespace banyan::inline v0_1::internal {

// The alternatives of a leaf as the pattern writes them, at most `max`. They point into leaf.text.
std::vector<std::string_view> AlternativeTexts(const LeafSyntax& leaf, size_t max);

// "differs in case"; or, where there are several values or alternatives, which of them it is about.
// Empty if none is near. No field satisfies the leaf.
std::string NearestValue(const LeafSyntax& leaf, absl::Span<const EventFields::Field> fields);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_EXPLAIN_VALUE_H_
