// SPDX-License-Identifier: Apache-2.0
//
// lib/pattern/match.h -- floor 2: does an event match a pattern, and if not, why?
//
// The plain reading of the language, kept as the referee of faster matchers and as the voice of
// Explain.
//
// M1  A pattern matches if one of its sub-rules does; a sub-rule, if one field per condition can be
//     chosen so that each satisfies its condition and no two lie in different elements of one
//     array.
// M2  A condition that accepts absence is satisfied without a field if no field of its path is
//     consistent with the fields chosen for the conditions before it (paths in sorted order, as
//     event-ruler has it).
// M3  A choice matters only by the array elements it pins down, and a pin only until the last
//     condition with fields in that array. Dead ends are remembered by (condition, live pins), so
//     without repeated names the search visits each element a bounded number of times: live pins
//     are then a chain, and the innermost says it all.
// M4  With repeated names several arrays share a path and pins multiply; choosing among them is set
//     cover. After kStepsMax steps the search gives up and the answer is no match. An event of a
//     megabyte that repeats no name stays far below, unless it nests arrays hundreds deep around
//     its elements.
//
// Why not check each combination: two conditions on an array of 100,000 objects have 10^10 of them.
#ifndef BANYAN_LIB_PATTERN_MATCH_H_
#define BANYAN_LIB_PATTERN_MATCH_H_

#include <cstdint>

#include "banyan/pattern.h"
#include "pattern/compiled_pattern.h"
#include "pattern/event_fields.h"

namespace banyan::inline v0_1::internal {

// Per sub-rule, in visited elements: a fraction of a second.
inline constexpr int64_t kStepsMax = 10'000'000;

bool Match(const CompiledPattern& pattern, const EventFields& fields);

// Explains the sub-rule with the fewest failing conditions, by its first failing one.
Explanation ExplainMatch(const CompiledPattern& pattern, const EventFields& fields);

}  // namespace banyan::inline v0_1::internal

#endif  // BANYAN_LIB_PATTERN_MATCH_H_
